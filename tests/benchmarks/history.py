"""A year of one tag reduced to 2,000 columns from roll-ups, beside a bare SQL scan of the samples for the same, in one run.

A sample each `STEP_S` seconds; the roll-ups are made by the program's own function. A day is read from samples.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text

from db.embedded import open_embedded
from db.engine import make_engine
from db.history import read_history
from db.schema import upgrade
from db.tag_store import import_plant
from tests.plants import plant

COLUMNS, DAYS, ROUNDS, PLAIN_ROUNDS = 2_000, 365, 15, 3
END = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
_FILL = text("""
    INSERT INTO sample (tag_id, source_time, value, quality, municipality_id)
    SELECT :tag, s.at, 10 * random(), CASE WHEN random() < 0.001 THEN 32768 ELSE 0 END, :place
    FROM generate_series(CAST(:begin AS timestamptz), CAST(:end AS timestamptz), make_interval(secs => :step_s)) AS s (at)""")
_DUE = text("""
    INSERT INTO rollup_due (start, ready_time, tag_id, municipality_id, period_s)
    SELECT s.at, now(), :tag, :place, 60 FROM generate_series(CAST(:begin AS timestamptz), CAST(:end AS timestamptz), '1 minute')
        AS s (at)""")
_PLAIN = text("""
    SELECT date_bin(make_interval(secs => :width_s), source_time, :begin), min(value), max(value) FROM sample
    WHERE tag_id = :tag AND source_time >= :begin AND source_time <= :end AND quality < 32768 GROUP BY 1 ORDER BY 1""")


def run(seconds: float, rates: list[int] | None) -> list[dict[str, Any]]:
    """Return a row for a year and one for a day; `rates`: seconds between two samples (default 10)."""
    del seconds
    step_s = rates[0] if rates else 10
    with tempfile.TemporaryDirectory(prefix="control-room-benchmark-") as name:
        Path(name).chmod(0o755)
        server = open_embedded(Path(name), lambda _: None)
        try:
            upgrade(server.url("postgres"), server.credentials.passwords())
            owner, station = (make_engine(server.url(one), "benchmark") for one in ("postgres", "station"))
            asked, rolled_s = _prepare(owner, step_s)
            rows = [_measure(owner, station, asked, days) for days in (DAYS, 1)]
            return [row | {"step_s": step_s, "rolling_up_s": rolled_s} for row in rows]
        finally:
            server.stop()


def _prepare(owner: Engine, step_s: int) -> tuple[dict[str, Any], float]:
    begin = END - timedelta(days=DAYS)
    with owner.begin() as connection:
        import_plant(connection, plant())
        tag, place = connection.execute(text("SELECT id, municipality_id FROM tag ORDER BY id LIMIT 1")).one()
        asked = {"tag": tag, "place": place, "begin": begin, "end": END, "step_s": step_s}
        days = {"first": begin.date(), "last": END.date()}
        connection.execute(text("SELECT ensure_sample_partitions(:first, :last)"), days)
        connection.execute(_FILL, asked)
        connection.execute(_DUE, asked)
    began = time.perf_counter()
    while _rolled(owner):
        pass
    took_s = time.perf_counter() - began
    with owner.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("VACUUM ANALYZE"))
    return asked, took_s


def _rolled(owner: Engine) -> int:
    with owner.begin() as connection:
        # the longer periods wait for their end, and all of these are over
        connection.execute(text("UPDATE rollup_due SET ready_time = now() WHERE ready_time > now()"))
        return int(connection.execute(text("SELECT roll_up(20000)")).scalar_one())


def _measure(owner: Engine, station: Engine, asked: dict[str, Any], days: int) -> dict[str, Any]:
    begin = END - timedelta(days=days)
    plain = {**asked, "begin": begin, "width_s": days * 86_400 / COLUMNS}
    with station.connect() as connection:
        found = read_history(connection, asked["tag"], begin, END, COLUMNS)
        ours_ms = _timed(connection, lambda one: read_history(one, asked["tag"], begin, END, COLUMNS), ROUNDS)
    with owner.connect() as connection:
        plain_ms = _timed(connection, lambda one: one.execute(_PLAIN, plain).all(), PLAIN_ROUNDS)
    median_ms = statistics.median(plain_ms)
    figures = {"median_ms": statistics.median(ours_ms), "longest_ms": max(ours_ms), "plain_ms": median_ms}
    return {"days": days, "rows": found.time_s.size, **figures, "ratio": median_ms / statistics.median(ours_ms)}


def _timed(connection: Connection, read: Callable[[Connection], Any], rounds: int) -> list[float]:
    times_ms = []
    for _ in range(rounds):
        began = time.perf_counter()
        read(connection)
        times_ms.append((time.perf_counter() - began) * 1_000)
    return times_ms
