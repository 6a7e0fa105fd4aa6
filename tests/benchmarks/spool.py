"""Spool: rows/s from the bus through disk and memory to committed rows, beside a bare binary COPY of the same rows.

Beside it what writing to disk alone costs, and how fast a backlog is forwarded after the database was away.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from sqlalchemy import Engine, text

from control_room.core.sample_rows import rows_of
from control_room.core.samples import GOOD, Sample
from control_room.services.historian import Historian
from control_room.services.spool import Spool
from db.embedded import EmbeddedServer
from db.engine import make_engine
from db.sample_copy import COLUMNS, copy_bytes
from db.stores import PostgresSampleStore
from db.tag_store import import_plant
from db.worker import DatabaseThread
from tests.benchmarks.ingest import server
from tests.benchmarks.load import load_plant

TAGS = 5_000
ROWS = 400_000
ROUNDS = 3
# as many as a notification of an OPC UA server holds
AT_ONCE = 500
BATCH = 20_000


def run(seconds: float, rates: list[int] | None) -> list[dict[str, Any]]:
    """Return a row for each way: rows a second, median of rounds that take turns; length and rates have no meaning here."""
    del seconds, rates
    ways: dict[str, Callable[[EmbeddedServer, list[Sample]], float]] = {
        "bare_copy": _bare,
        "copy_and_newest": _without_spool,
        "whole_path": _through,
        "spool_alone": _disk,
        "backlog": _backlog,
    }
    with server() as found:
        samples = _samples(_tags(found))
        rounds = [{way: measure(found, samples) for way, measure in ways.items()} for _ in range(ROUNDS)]
    taken = {way: median(one[way] for one in rounds) for way in ways}
    return [
        {"way": way, "rows_per_s": ROWS / taken[way], "ratio_to_bare": taken["bare_copy"] / taken[way]} for way in ways
    ]


def _tags(found: EmbeddedServer) -> list[int]:
    engine = make_engine(found.url("postgres"), "benchmark")
    with engine.begin() as connection:
        import_plant(connection, load_plant("opc_ua", 1, TAGS))
        return list(connection.execute(text("SELECT id FROM tag WHERE address <> '$link' ORDER BY id")).scalars())


def _samples(tags: list[int]) -> list[Sample]:
    begin = datetime.now(UTC).replace(hour=0, minute=0)
    values = np.random.default_rng(1).normal(50.0, 10.0, ROWS).tolist()
    times = [begin + timedelta(milliseconds=number) for number in range(ROWS // len(tags) + 1)]
    return [
        Sample(tags[number % len(tags)], value, GOOD, times[number // len(tags)], times[number // len(tags)])
        for number, value in enumerate(values)
    ]


def _emptied(found: EmbeddedServer) -> Engine:
    engine = make_engine(found.url("postgres"), "benchmark")
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE sample, latest, spool_mark"))
        connection.execute(text("SELECT ensure_sample_partitions(current_date, current_date + 1)"))
    return engine


def _count(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM sample")).scalar_one())


def _bare(found: EmbeddedServer, samples: list[Sample]) -> float:
    """Binary COPY, a transaction a batch, of bytes that were made before: the least that PostgreSQL takes for these rows."""
    engine = _emptied(found)
    batches = [rows_of(samples[first : first + BATCH]) for first in range(0, len(samples), BATCH)]
    streams = [copy_bytes(rows, np.ones(len(rows), np.int32)) for rows in batches]
    statement = f"COPY sample_{samples[0].source_time:%Y%m%d} ({', '.join(COLUMNS)}) FROM STDIN (FORMAT binary)"
    with engine.connect() as connection:
        began = time.perf_counter()
        for stream in streams:
            with connection.begin(), connection.connection.cursor().copy(statement) as copy:
                copy.write(stream)
        took = time.perf_counter() - began
    assert _count(engine) == len(samples)
    return took


def _without_spool(found: EmbeddedServer, samples: list[Sample]) -> float:
    """The store alone: COPY and newest values, nothing on disk and no marks."""
    engine = _emptied(found)
    thread = DatabaseThread(make_engine(found.url("collector"), "benchmark"), "benchmark")
    took = asyncio.run(_write(PostgresSampleStore(thread), samples))
    thread.close()
    assert _count(engine) == len(samples)
    return took


async def _write(store: PostgresSampleStore, samples: list[Sample]) -> float:
    began = time.perf_counter()
    for first in range(0, len(samples), BATCH):
        await store.write_samples(samples[first : first + BATCH])
    return time.perf_counter() - began


def _through(found: EmbeddedServer, samples: list[Sample]) -> float:
    return asyncio.run(_store(found, samples, is_away=False))


def _backlog(found: EmbeddedServer, samples: list[Sample]) -> float:
    return asyncio.run(_store(found, samples, is_away=True))


async def _store(found: EmbeddedServer, samples: list[Sample], *, is_away: bool) -> float:
    engine = _emptied(found)
    thread = DatabaseThread(make_engine(found.url("collector"), "benchmark"), "benchmark")
    with tempfile.TemporaryDirectory() as name:
        spool = Spool(Path(name))
        if is_away:
            _fill(spool, samples)
        historian = Historian(PostgresSampleStore(thread), spool)
        began = time.perf_counter()
        running = asyncio.create_task(historian.run())
        if is_away:
            historian.take([samples[-1]])
        else:
            for first in range(0, len(samples), AT_ONCE):
                historian.take(samples[first : first + AT_ONCE])
                await asyncio.sleep(0)
                while historian.waiting > 2 * BATCH:
                    await asyncio.sleep(0.001)
        while historian.waiting:
            await asyncio.sleep(0.001)
        took = time.perf_counter() - began
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        spool.close()
    thread.close()
    assert _count(engine) == len(samples) + is_away
    return took


def _disk(found: EmbeddedServer, samples: list[Sample]) -> float:
    with tempfile.TemporaryDirectory() as name:
        spool = Spool(Path(name))
        began = time.perf_counter()
        _fill(spool, samples)
        took = time.perf_counter() - began
        spool.close()
    return took


def _fill(spool: Spool, samples: list[Sample]) -> None:
    for first in range(0, len(samples), AT_ONCE):
        spool.keep(rows_of(samples[first : first + AT_ONCE]))
