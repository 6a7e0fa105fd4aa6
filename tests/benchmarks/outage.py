"""Outage: the database comes back after an hour at 5,000 values/s; how soon the present is seen, and how fast the past follows.

The hour lies on disk as the spool has it after an outage, and values come on at the same rate. Their delay is what a seat
waits for: the age of the newest value in `latest`, asked twenty times a second.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, text

from control_room.core.sample_rows import ROW
from control_room.core.samples import GOOD, Sample
from control_room.services.historian import Historian
from control_room.services.spool import Spool
from db.embedded import EmbeddedServer
from db.engine import make_engine
from db.stores import PostgresSampleStore
from db.tag_store import import_plant
from db.worker import DatabaseThread
from tests.benchmarks.ingest import server
from tests.benchmarks.load import load_plant

TAGS = 5_000
RATE = 5_000
OUTAGE_S = 3_600.0
TICK_S = 0.1
LOOK_S = 0.05
# younger than this is the present: a tick, a flush and a look
PRESENT_S = 0.5
_NEWEST = text("SELECT extract(epoch FROM max(source_time)) FROM latest")


def run(seconds: float, rates: list[int] | None) -> list[dict[str, Any]]:
    """Return one row; the length of the measurement is that of the forwarding and has no other meaning here."""
    del seconds
    rate = (rates or [RATE])[0]
    with server() as found, tempfile.TemporaryDirectory() as name:
        tags = _tags(found)
        spool = Spool(Path(name))
        set_aside = 0
        for rows in _hour(tags, rate):
            spool.keep(rows)
            set_aside += len(rows)
        found.stop()
        row = asyncio.run(_forward(found, spool, tags, rate))
        spool.close()
    return [{"rate": rate, "set_aside": set_aside, "spool_mib": row.pop("spool_mib"), **row}]


def _tags(found: EmbeddedServer) -> list[int]:
    engine = make_engine(found.url("postgres"), "benchmark")
    with engine.begin() as connection:
        import_plant(connection, load_plant("opc_ua", 1, TAGS))
        tags = list(connection.execute(text("SELECT id FROM tag WHERE address <> '$link' ORDER BY id")).scalars())
    engine.dispose()
    return tags


def _hour(tags: list[int], rate: int) -> Iterator[NDArray[np.void]]:
    """Yield what came during the outage, a tick at once."""
    at_once = int(rate * TICK_S)
    tick_us = int(TICK_S * 1e6)
    begin_us = int((time.time() - OUTAGE_S) * 1e6)
    rows = np.zeros(at_once, ROW)
    rows["quality"] = GOOD
    ids = np.resize(np.array(tags), max(at_once, len(tags)))
    for number in range(int(OUTAGE_S / TICK_S)):
        rows["tag_id"] = np.roll(ids, -number * at_once)[:at_once]
        rows["value"] = number
        rows["source_us"] = rows["arrival_us"] = begin_us + number * tick_us
        yield rows


async def _forward(found: EmbeddedServer, spool: Spool, tags: list[int], rate: int) -> dict[str, Any]:
    spool_mib = spool.size_bytes / 1024.0**2
    thread = DatabaseThread(make_engine(found.url("collector"), "benchmark"), "benchmark")
    historian = Historian(PostgresSampleStore(thread), spool)
    values = asyncio.create_task(_values(historian, tags, rate))
    running = asyncio.create_task(historian.run())
    # long enough that it knows that the database is away
    await asyncio.sleep(5.0)
    before = spool.waiting()
    await asyncio.to_thread(found.restart)
    returned_s = time.monotonic()
    engine = make_engine(found.url("postgres"), "benchmark")
    looking = asyncio.create_task(_look(engine, returned_s))
    while historian.spooled:
        await asyncio.sleep(0.05)
    forwarded_s = time.monotonic() - returned_s
    values.cancel()
    looking.cancel()
    sent = await values
    delays = await looking
    while historian.waiting:
        await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    thread.close()
    with engine.connect() as connection:
        stored = int(connection.execute(text("SELECT count(*) FROM sample")).scalar_one())
    engine.dispose()
    present_s = next(at_s for at_s, delay_s in delays if delay_s < PRESENT_S)
    behind_ms = [1e3 * delay_s for at_s, delay_s in delays if at_s >= present_s]
    return {
        "spool_mib": spool_mib,
        "present_after_s": present_s,
        "delay_ms_p50": float(np.percentile(behind_ms, 50)),
        "delay_ms_p95": float(np.percentile(behind_ms, 95)),
        "delay_ms_max": max(behind_ms),
        "forwarded_after_s": forwarded_s,
        "times_real_time": before / rate / forwarded_s,
        "lost": int(OUTAGE_S / TICK_S) * int(rate * TICK_S) + sent - stored,
    }


async def _values(historian: Historian, tags: list[int], rate: int) -> int:
    """Let values come until cancelled; return how many came."""
    sent, at_once = 0, int(rate * TICK_S)
    with suppress(asyncio.CancelledError):
        while True:
            now = datetime.now(UTC)
            ids = [tags[(sent + number) % len(tags)] for number in range(at_once)]
            historian.take([Sample(one, 1.0, GOOD, now, now) for one in ids])
            sent += at_once
            await asyncio.sleep(TICK_S - (datetime.now(UTC) - now) / timedelta(seconds=1))
    return sent


async def _look(engine: Engine, returned_s: float) -> list[tuple[float, float]]:
    """Return until cancelled how many seconds after the database's return the newest value was how old."""
    found: list[tuple[float, float]] = []

    def newest() -> float:
        with engine.connect() as connection:
            return float(connection.execute(_NEWEST).scalar() or 0.0)

    with suppress(asyncio.CancelledError):
        while True:
            seen = await asyncio.to_thread(newest)
            found.append((time.monotonic() - returned_s, time.time() - seen))
            await asyncio.sleep(LOOK_S)
    return found
