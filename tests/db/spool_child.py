"""A collector without a plant: it numbers its values, says each before and after it is received, and stores them; to be killed.

Arguments: URL, folder, first value. Without a first value it only stores what others left, and ends.
"""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import make_url

from control_room.collector import SpoolPlace, take_over
from control_room.core.samples import GOOD, Sample
from control_room.services.historian import Historian
from db.engine import make_engine
from db.stores import PostgresSampleStore
from db.worker import DatabaseThread

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
TAGS = 7


def sent(number: int) -> Sample:
    """Return the sample of a value; each has its own time."""
    time = BEGIN + timedelta(milliseconds=number)
    return Sample(1 + number % TAGS, float(number), GOOD, time, time)


async def collect(url: str, folder: Path, first: int | None) -> None:
    """Send values for ever, or only store what waits."""
    thread = DatabaseThread(make_engine(make_url(url), "test"), "test")
    store, spool = PostgresSampleStore(thread), SpoolPlace(folder).spool()
    for run in spool.find_left():
        await take_over(spool, run, store)
    historian = Historian(store, spool)
    historian.take_over()
    await store.begin_spool(spool.id)
    running = asyncio.create_task(historian.run())
    while first is not None:
        batch = [sent(number) for number in range(first, first + 10)]
        first += 10
        _say(f"sending {first}")
        historian.take(batch)
        _say(f"received {first}")
        await asyncio.sleep(0.002)
    while historian.waiting:
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    spool.close()
    thread.close()


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(collect(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None))
