"""Access: what row-level security costs, beside the same reads of the same rows without it, in the same run.

20 municipalities, 10,000 tags. Without policies reads the owner, whom they do not bind; with them a station that shows every
municipality (the same rows) and one that shows a single one. Reads of both take turns, so that a noisy machine hits both.
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
from db.history import read_history
from db.schema import upgrade

MUNICIPALITIES, TAGS, SAMPLES, WATCHED = 20, 10_000, 200_000, 200
ROUNDS = 100
NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)

_FILL = (
    "INSERT INTO municipality (key, name) SELECT 'm' || n, 'M' || n FROM generate_series(1, :municipalities) AS n",
    "INSERT INTO asset (municipality_id, name) SELECT id, 'Site' FROM municipality",
    "INSERT INTO connection (municipality_id, name, driver, settings) SELECT id, 'c', 'opc_ua', '{}' FROM municipality",
    """INSERT INTO tag (municipality_id, asset_id, connection_id, key, name, quantity, address, unit, low, high, decimals,
        states, element, is_writable)
    SELECT 1 + n % :municipalities, 1 + n % :municipalities, 1 + n % :municipalities, 't' || n, 'Tag ' || n, 'flow', '', '',
        0, 1, 1, '{}', '', false FROM generate_series(0, :tags - 1) AS n""",
    "INSERT INTO latest SELECT id, 1, 0, now(), now(), id, municipality_id FROM tag",
    "SELECT ensure_sample_partitions(:day, :day)",
    # one long trend among those of 499 others
    """INSERT INTO sample SELECT :begin + n * interval '0.4 s', sin(n), CASE WHEN n % 2 = 0 THEN 1 ELSE 1 + n % 500 END, 0, 2
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
    for name, read in READS.items():
        rows.append({"read": name, "station_shows": "all 20", **_compare(owner, station, read)})
    with owner.begin() as connection:
        connection.execute(text("UPDATE membership SET municipality_id = 2 WHERE login = 'station'"))
    for name, read in READS.items():
        rows.append({"read": name, "station_shows": "1 of 20", **_compare(owner, station, read)})
    return rows


def _prepare(owner: Engine) -> None:
    begin = NOW - timedelta(hours=12)
    asked = {"municipalities": MUNICIPALITIES, "tags": TAGS, "samples": SAMPLES, "day": NOW.date(), "begin": begin}
    with owner.begin() as connection:
        for statement in _FILL:
            connection.execute(text(statement), asked)
    with owner.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("VACUUM ANALYZE"))


def _compare(owner: Engine, station: Engine, read: Callable[[Connection], object]) -> dict[str, float]:
    without, within = [], []
    with owner.connect() as free, station.connect() as bound:
        for _ in range(ROUNDS):
            without.append(_timed(free, read))
            within.append(_timed(bound, read))
    # the first are warm-up: plans, caches
    plain, guarded = (statistics.median(times[5:]) for times in (without, within))
    return {"without_ms": plain, "with_ms": guarded, "ratio": guarded / plain}


def _timed(connection: Connection, read: Callable[[Connection], object]) -> float:
    began = time.perf_counter()
    read(connection)
    taken_ms = (time.perf_counter() - began) * 1_000
    connection.rollback()
    return taken_ms


_LIVE = text(
    "SELECT tag_id, value, quality, source_time, arrival_time, seq FROM latest WHERE tag_id = ANY(:tags) AND seq > :seq"
)


def _live(tags: list[int], seq: int = 0) -> Callable[[Connection], object]:
    """Return the live reader's read; what was written last has the highest number, which here is the tag's."""
    return lambda connection: connection.execute(_LIVE, {"tags": tags, "seq": seq}).all()


READS: dict[str, Callable[[Connection], object]] = {
    "live, 200 tags": _live(list(range(2, 2 + WATCHED))),
    "live, 20 of 200 changed": _live(list(range(2, 2 + WATCHED)), seq=181),
    "live, all 10,000 tags": _live(list(range(1, TAGS + 1))),
    "trend, raw": lambda connection: read_history(connection, 1, NOW - timedelta(minutes=30), NOW, 1_000),
    "trend, reduced": lambda connection: read_history(connection, 1, NOW - timedelta(hours=10), NOW, 1_000),
}
