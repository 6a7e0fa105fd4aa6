"""Soak: a collector and its database for a long time at an even rate; what must stay flat, from tenth to tenth of the time.

`python -m tests.benchmarks soak --seconds 3600 --rates 2000` is the hour that the figures in README.md tell of.
"""

import time
from contextlib import suppress
from typing import Any

import psutil
from sqlalchemy import Engine, text

from db.embedded import EmbeddedServer
from tests.benchmarks.ingest import SETTLE_S, TAGS, collector, plant, postmaster, prepare, server, wait_for_values

RATE = 2_000
PARTS = 10
_PARTITIONS = text("SELECT count(*) FROM pg_inherits WHERE inhparent = 'sample'::regclass")
_STORED = text("SELECT count(*) FROM sample WHERE quality = 0")
_MIB = 1024.0**2


def run(seconds: float, rates: list[int] | None) -> list[dict[str, Any]]:
    """Return a row at the start, for each tenth of the time, and for the end with what was sent, stored and lost."""
    with server() as found, plant("opc_ua", (rates or [RATE])[0]) as (load, port):
        engine = prepare(found, "opc_ua", port)
        with collector(found) as process:
            wait_for_values(engine, TAGS)
            before = _count(engine)
            load.start()
            began_s = time.monotonic()
            rows = [_row(engine, found, process, 0.0)]
            for number in range(1, PARTS + 1):
                time.sleep(max(0.0, began_s + number * seconds / PARTS - time.monotonic()))
                rows.append(_row(engine, found, process, time.monotonic() - began_s))
            sent, _ = load.stop()
            time.sleep(SETTLE_S)
            stored = _count(engine) - before
    return [*rows, {"after_s": seconds, "sent": sent, "stored": stored, "lost": sent - stored}]


def _row(engine: Engine, found: EmbeddedServer, process: psutil.Process, after_s: float) -> dict[str, Any]:
    with engine.connect() as connection:
        partitions = connection.execute(_PARTITIONS).scalar_one()
    database = sum(_own_bytes(one) for one in postmaster(found).children(recursive=True))
    return {
        "after_s": after_s,
        "collector_mib": process.memory_info().rss / _MIB,
        "collector_files": process.num_fds(),
        "collector_threads": process.num_threads(),
        "database_mib": database / _MIB,
        "database_processes": len(postmaster(found).children()),
        "partitions": partitions,
        "spool_mib": sum(one.stat().st_size for one in found.folder.glob("spool/**/*") if one.is_file()) / _MIB,
    }


def _own_bytes(process: psutil.Process) -> int:
    """Return a process's share of memory, what several share counted once; 0 when it has gone, as workers of the database do."""
    with suppress(psutil.NoSuchProcess):
        return int(process.memory_full_info().pss)
    return 0


def _count(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(_STORED).scalar_one())
