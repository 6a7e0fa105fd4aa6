"""Access: what row-level security costs, beside the same reads of the same rows without it, in the same run.

20 municipalities, 10,000 tags. Without policies the owner asks the tables; with them a station asks the functions of the
reader: one that shows every municipality (the same rows) and one that shows a single one. Reads of both take turns, so that a
noisy machine hits both.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, text

from db.embedded import open_embedded
from db.engine import make_engine
from db.schema import upgrade

MUNICIPALITIES, TAGS, SAMPLES, WATCHED = 20, 10_000, 200_000, 200
ROUNDS = 100
Read = Callable[[Connection], object]
NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)

_FILL = (
    "INSERT INTO municipality (key, name) SELECT 'm' || n, 'M' || n FROM generate_series(1, :municipalities) AS n",
    "INSERT INTO asset (id, municipality_id, name) SELECT id, id, 'Site' FROM municipality",
    "INSERT INTO connection (id, municipality_id, name, driver, settings) SELECT id, id, 'c', 'opc_ua', '{}' FROM municipality",
    """INSERT INTO tag (id, municipality_id, asset_id, connection_id, key, name, quantity, address, unit, low, high,
        decimals, states, element, is_writable)
    SELECT 1 + n, 1 + n % :municipalities, 1 + n % :municipalities, 1 + n % :municipalities, 't' || n, 'Tag ' || n, 'flow', '',
        '', 0, 1, 1, '{}', '', false FROM generate_series(0, :tags - 1) AS n""",
    "INSERT INTO latest SELECT id, 1, 0, now(), now(), id, municipality_id FROM tag",
    "SELECT ensure_sample_partitions(:day, :day)",
    # one long trend among those of 499 others
    """INSERT INTO sample SELECT :begin + n * interval '0.4 s', sin(n), CASE WHEN n % 2 = 0 THEN 2 ELSE 1 + n % 500 END, 0, 2
    FROM generate_series(0, :samples - 1) AS n""",
)


def run(seconds: float, rates: list[int] | None) -> list[dict[str, Any]]:
    """Return a row for each read: median milliseconds without and with policies, and the ratio."""
    del seconds, rates
    with tempfile.TemporaryDirectory(prefix="control-room-benchmark-") as name:
        Path(name).chmod(0o755)
        server = open_embedded(Path(name), lambda _: None)
        try:
            upgrade(server.url("postgres"), server.credentials.passwords())
            return _measure(server.url("postgres"), server.url("station"))
        finally:
            server.stop()


def _measure(owner_url: URL, station_url: URL) -> list[dict[str, Any]]:
    owner, station = make_engine(owner_url, "benchmark"), make_engine(station_url, "benchmark")
    _prepare(owner)
    rows = []
    for name, (bare, guarded) in READS.items():
        rows.append({"read": name, "station_shows": "all 20", **_compare(owner, station, bare, guarded)})
    with owner.begin() as connection:
        connection.execute(text("UPDATE membership SET municipality_id = 2 WHERE login = 'station'"))
    for name, (bare, guarded) in READS.items():
        rows.append({"read": name, "station_shows": "1 of 20", **_compare(owner, station, bare, guarded)})
    return rows


def _prepare(owner: Engine) -> None:
    begin = NOW - timedelta(hours=12)
    asked = {"municipalities": MUNICIPALITIES, "tags": TAGS, "samples": SAMPLES, "day": NOW.date(), "begin": begin}
    with owner.begin() as connection:
        for statement in _FILL:
            connection.execute(text(statement), asked)
    with owner.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("VACUUM ANALYZE"))


def _compare(owner: Engine, station: Engine, bare: Read, guarded: Read) -> dict[str, float]:
    without, within = [], []
    with owner.connect() as free, station.connect() as bound:
        for _ in range(ROUNDS):
            without.append(_timed(free, bare))
            within.append(_timed(bound, guarded))
    # the first are warm-up: plans, caches
    plain_ms, guarded_ms = (statistics.median(times[5:]) for times in (without, within))
    return {"without_ms": plain_ms, "with_ms": guarded_ms, "ratio": guarded_ms / plain_ms}


def _timed(connection: Connection, read: Read) -> float:
    began = time.perf_counter()
    read(connection)
    taken_ms = (time.perf_counter() - began) * 1_000
    connection.rollback()
    return taken_ms


_BARE_LIVE = """
    SELECT tag_id, value, quality, source_time, arrival_time, seq FROM latest WHERE tag_id = ANY(:tags ::int[]) AND seq > :seq"""
_BEFORE = """
    SELECT source_time AS time, value AS low, value AS high, value AS last, sample_grade(quality) AS grade,
        sample_grade(quality) AS worst
    FROM sample WHERE tag_id = :tag AND source_time < :begin ORDER BY source_time DESC LIMIT 1"""
_COUNT = """
    SELECT count(*) FROM (SELECT FROM sample WHERE tag_id = :tag AND source_time >= :begin AND source_time <= :end
        LIMIT :most + 1) AS first_rows"""
_LIVE = """
    SELECT tag_id, value, quality, source_time, arrival_time, seq FROM latest WHERE tag_id = ANY(:tags ::int[]) AND seq > :seq"""
_BEFORE = """
    SELECT source_time AS time, value AS low, value AS high, value AS last, sample_grade(quality) AS grade,
        sample_grade(quality) AS worst
    FROM sample WHERE tag_id = :tag AND source_time < :begin ORDER BY source_time DESC LIMIT 1"""
_COUNT = """
    SELECT count(*) FROM (SELECT FROM sample WHERE tag_id = :tag AND source_time >= :begin AND source_time <= :end
        LIMIT :most + 1) AS first_rows"""
_BARE_RAW = """
    SELECT array_agg(extract(epoch FROM time)::float8), array_agg(last), array_agg(grade) FROM (
        (SELECT time, last, grade FROM ({_BEFORE}) AS before) UNION ALL
        (SELECT source_time, value, sample_grade(quality) FROM sample
         WHERE tag_id = :tag AND source_time >= :begin AND source_time <= :end ORDER BY source_time)) AS found"""
_BARE_REDUCED = """
    WITH in_columns AS (
        SELECT min(source_time) AS first_time, max(source_time) AS last_time,
            max(source_time) FILTER (WHERE sample_grade(quality) <= 1) AS last_ok_time,
            min(value) FILTER (WHERE sample_grade(quality) <= 1) AS low,
            max(value) FILTER (WHERE sample_grade(quality) <= 1) AS high, max(sample_grade(quality)) AS worst
        FROM sample WHERE tag_id = :tag AND source_time >= :begin AND source_time <= :end
        GROUP BY floor(extract(epoch FROM source_time - :begin) / :width_s))
    SELECT array_agg(extract(epoch FROM time)::float8), array_agg(low), array_agg(high), array_agg(last), array_agg(grade),
        array_agg(worst) FROM (({_BEFORE}) UNION ALL (SELECT first_time, low, high,
            (SELECT value FROM sample WHERE tag_id = :tag AND source_time = last_ok_time AND sample_grade(quality) <= 1 LIMIT 1),
            (SELECT max(sample_grade(quality)) FROM sample WHERE tag_id = :tag AND source_time = last_time), worst
        FROM in_columns ORDER BY first_time)) AS found"""
_LIVE = """
    SELECT tag_id, value, quality, source_time, arrival_time, seq FROM latest WHERE tag_id = ANY(:tags ::int[]) AND seq > :seq"""
_BEFORE = """
    SELECT extract(epoch FROM source_time)::float8 AS time_s, value, sample_grade(quality) AS grade
    FROM sample WHERE tag_id = :tag AND source_time < :begin ORDER BY source_time DESC LIMIT 1"""
_COUNT = """
    SELECT count(*) FROM (SELECT FROM sample WHERE tag_id = :tag AND source_time >= :begin AND source_time <= :end
        LIMIT :most + 1) AS first_rows"""
_BARE_RAW = """
    ({_BEFORE}) UNION ALL
    (SELECT extract(epoch FROM source_time)::float8, value, sample_grade(quality)
     FROM sample WHERE tag_id = :tag AND source_time >= :begin AND source_time <= :end ORDER BY source_time)"""
_BARE_REDUCED = """
    WITH in_columns AS (
        SELECT min(source_time) AS first_time, max(source_time) AS last_time,
            max(source_time) FILTER (WHERE sample_grade(quality) <= 1) AS last_ok_time,
            min(value) FILTER (WHERE sample_grade(quality) <= 1) AS low,
            max(value) FILTER (WHERE sample_grade(quality) <= 1) AS high, max(sample_grade(quality)) AS worst
        FROM sample WHERE tag_id = :tag AND source_time >= :begin AND source_time <= :end
        GROUP BY floor(extract(epoch FROM source_time - :begin) / :width_s))
    SELECT time_s, low, high, last, grade, worst FROM (
        SELECT time_s, value AS low, value AS high, value AS last, grade, grade AS worst FROM ({_BEFORE}) AS before
        UNION ALL
        SELECT extract(epoch FROM first_time)::float8, low, high,
            (SELECT value FROM sample WHERE tag_id = :tag AND source_time = last_ok_time AND sample_grade(quality) <= 1 LIMIT 1),
            (SELECT max(sample_grade(quality)) FROM sample WHERE tag_id = :tag AND source_time = last_time), worst
        FROM in_columns) AS found ORDER BY time_s"""
_LIVE = "SELECT * FROM read_latest(:tags ::int[], :seq, '{}')"
_RAW = "SELECT * FROM read_samples(:tag, :begin, :end, :most)"
_REDUCED = "SELECT * FROM read_columns(:tag, :begin, :end, :width_s)"


def _asking(*queries: str, **asked: object) -> Read:
    """Return a read that asks one query after the other with the same values."""
    texts = [text(one.replace("BEFORE", _BEFORE)) for one in queries]
    return lambda connection: [connection.execute(one, asked).all() for one in texts]


def _live(tags: int, seq: int = 0) -> tuple[Read, Read]:
    """Return the live reader's read; what was written last has the highest number, which here is the tag's."""
    asked = {"tags": list(range(2, 2 + tags)), "seq": seq}
    return _asking(_BARE_LIVE, **asked), _asking(_LIVE, **asked)


def _trend(hours: float) -> dict[str, object]:
    """Return what a trend of 1,000 columns asks of tag 2, which is municipality 2's."""
    return {"tag": 2, "begin": NOW - timedelta(hours=hours), "end": NOW, "most": 4_000, "width_s": hours * 3.6}


# each read bare, as the owner, and through the reader's functions
READS: dict[str, tuple[Read, Read]] = {
    "live, 200 tags": _live(WATCHED),
    "live, 20 of 200 changed": _live(WATCHED, seq=181),
    "live, all 10,000 tags": _live(TAGS - 1),
    "trend, raw": (_asking(_COUNT, _BARE_RAW, **_trend(0.5)), _asking(_RAW, **_trend(0.5))),
    # the second question follows when the first one found too much
    "trend, reduced": (_asking(_COUNT, _BARE_REDUCED, **_trend(10)), _asking(_RAW, _REDUCED, **_trend(10))),
}
