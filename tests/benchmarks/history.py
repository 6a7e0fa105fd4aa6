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

COLUMNS, DAYS, PENS, ROUNDS, PLAIN_ROUNDS = 2_000, 365, 16, 15, 3
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
_SIZES = text("""
    SELECT
        sum(pg_total_relation_size(inhrelid)) FILTER (WHERE inhparent = 'sample'::regclass)::float8 / count AS bytes_per_sample,
        sum(pg_total_relation_size(inhrelid)) FILTER (WHERE inhparent = 'rollup'::regclass)::float8 / count AS of_rollups
    FROM pg_inherits CROSS JOIN (SELECT count(*) FROM sample) AS samples GROUP BY count""")


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
            rows = [_measure(owner, station, asked, days, pens) for days, pens in ((DAYS, 1), (DAYS, PENS), (1, 1))]
            return [row | {"step_s": step_s, "rolling_up_s": rolled_s, **_sizes(owner)} for row in rows]
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


def _sizes(owner: Engine) -> dict[str, Any]:
    with owner.connect() as connection:
        return dict(connection.execute(_SIZES).mappings().one())


def _measure(owner: Engine, station: Engine, asked: dict[str, Any], days: int, pens: int) -> dict[str, Any]:
    """Read as a trend of `pens` pens does, one after the other;"""
    begin = END - timedelta(days=days)
    plain = {**asked, "begin": begin, "width_s": days * 86_400 / COLUMNS}
    with station.connect() as connection:
        found = read_history(connection, asked["tag"], begin, END, COLUMNS)
        ours_ms = _timed(connection, lambda one: _read(one, asked["tag"], begin, pens), ROUNDS)
    with owner.connect() as connection:
        plain_ms = pens * statistics.median(
            _timed(connection, lambda one: one.execute(_PLAIN, plain).all(), PLAIN_ROUNDS)
        )
    ours = statistics.median(ours_ms)
    figures = {"median_ms": ours, "p95_ms": statistics.quantiles(ours_ms, n=20)[-1], "longest_ms": max(ours_ms)}
    return {
        "days": days,
        "pens": pens,
        "rows": found.time_s.size,
        **figures,
        "plain_ms": plain_ms,
        "ratio": plain_ms / ours,
    }


def _read(connection: Connection, tag: int, begin: datetime, pens: int) -> None:
    for _ in range(pens):
        read_history(connection, tag, begin, END, COLUMNS)


def _timed(connection: Connection, read: Callable[[Connection], Any], rounds: int) -> list[float]:
    times_ms = []
    for _ in range(rounds):
        began = time.perf_counter()
        read(connection)
        times_ms.append((time.perf_counter() - began) * 1_000)
    return times_ms
