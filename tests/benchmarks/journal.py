"""The journal's search beside a plain scan of all rows for the same page, in the same run.

2,000,000 rows of 20 municipalities with 10,000 rules; a fifth of the rows are people's, half of those with a comment. A station
that shows everything, and one that shows a single municipality, ask search_journal() for a page of 200. The plain scan is the
owner's: every row joined with its tag, filtered, sorted, cut; without an index, without policies.
"""

import statistics
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text

from db.embedded import open_embedded
from db.engine import make_engine
from db.journal_search import PAGE, JournalFilter, search_journal
from db.schema import upgrade

ROWS, MUNICIPALITIES, TAGS = 2_000_000, 20, 5_000
ROUNDS, PLAIN_ROUNDS = 15, 3
END = datetime.now(UTC).replace(microsecond=0)
# two years of them
_STEP_US = 2 * 365 * 86_400 * 1_000_000 // ROWS

_FILL = (
    "INSERT INTO municipality (key, name) SELECT 'm' || n, 'M' || n FROM generate_series(1, :municipalities) AS n",
    """INSERT INTO asset (id, municipality_id, parent_id, name) SELECT n, 1 + n % :municipalities, NULL, 'Site ' || n
    FROM generate_series(1, 200) AS n UNION ALL SELECT 200 + n, 1 + n % :municipalities, 1 + (n - 1) % 200, 'Pump ' || n
    FROM generate_series(1, 1000) AS n""",
    "INSERT INTO connection (id, municipality_id, name, driver, settings) SELECT id, id, 'c', 'opc_ua', '{}' FROM municipality",
    """INSERT INTO tag (id, municipality_id, asset_id, connection_id, key, name, quantity, address, unit, low, high, decimals,
        states, element, is_writable)
    SELECT n, a.municipality_id, a.id, a.municipality_id, 'T' || n || '.flow', CASE n % 5 WHEN 0 THEN 'Pressure ' ELSE 'Flow ' END
        || n, 'flow', '', '', 0, 1, 1, '{}', '', false
    FROM generate_series(1, :tags) AS n JOIN asset AS a ON a.id = 201 + n % 1000""",
    """INSERT INTO alarm_rule (id, tag_id, municipality_id, kind, priority, alarm_limit, deadband, on_delay_s, off_delay_s,
        message)
    SELECT 2 * t.id + k, t.id, t.municipality_id, (ARRAY['H', 'L'])[k + 1], 3, 1, 0, 0, 0,
        t.name || (ARRAY[' high', ' low'])[k + 1] FROM tag AS t, generate_series(0, 1) AS k""",
    "SET LOCAL session_replication_role = replica",
    # some rules come often, most seldom
    """INSERT INTO alarm_journal (id, rule_id, event_id, happening, previous_state, state, trigger, source_time, commit_time,
        value, quality, alarm_limit, priority, message, person, station, comment, municipality_id, detail)
    SELECT extract(epoch FROM CAST(:end AS timestamptz)) * 1000000 - CAST(:rows - f.n AS bigint) * :step_us, r.id, f.n / 5,
        CASE WHEN f.n % 5 IN (0, 2) THEN 'raised' WHEN f.n % 5 < 4 THEN 'returned' WHEN f.n % 9973 < 5 THEN 'out_of_service'
        ELSE 'acknowledged' END, 'NORM', 'UNACK', 'process', f.at, f.at, 1.5, 0, 1, 3, r.message,
        CASE WHEN f.n % 5 = 4 THEN 'person' || f.n % 37 ELSE '' END, '',
        CASE WHEN f.n % 10 = 4 THEN 'Seen, crew informed, order ' || f.n ELSE '' END, r.municipality_id, '{"process_number": 1}'
    FROM (SELECT n, CAST(:end AS timestamptz) - CAST(:rows - n AS bigint) * :step_us * interval '1 microsecond' AS at,
        2 + floor(power(random(), 3) * :tags * 2)::integer AS rule_id FROM generate_series(1, :rows) AS n OFFSET 0) AS f
    JOIN alarm_rule AS r ON r.id = f.rule_id""",
)
_PLAIN = text("""
    SELECT j.*, t.key, t.name, coalesce(s.name, a.name), a.name FROM alarm_journal AS j JOIN alarm_rule AS r ON r.id = j.rule_id
    JOIN tag AS t ON t.id = r.tag_id JOIN asset AS a ON a.id = t.asset_id LEFT JOIN asset AS s ON s.id = a.parent_id
    WHERE (CAST(:place AS integer) IS NULL OR j.municipality_id = :place)
        AND (:text = '' OR strpos(lower(concat_ws(' ', t.key, t.name, s.name, a.name, j.message)), :text) > 0
            OR strpos(lower(j.comment), :text) > 0)
        AND (:site = '' OR coalesce(s.name, a.name) = :site) AND (:person = '' OR strpos(j.person, :person) > 0)
        AND (CAST(:kinds AS text[]) = '{}' OR j.happening = ANY(:kinds))
        AND (CAST(:start AS timestamptz) IS NULL OR j.commit_time >= :start)
        AND (CAST(:end AS timestamptz) IS NULL OR j.commit_time < :end)
    ORDER BY j.id DESC LIMIT :most""")
FILTERS = {
    "the newest": JournalFilter(),
    "a day a year ago": JournalFilter(start=END - timedelta(days=366), end=END - timedelta(days=365)),
    "a seldom kind": JournalFilter(kinds=("out_of_service",)),
    "a frequent kind, last month": JournalFilter(kinds=("raised",), start=END - timedelta(days=30)),
    "a person": JournalFilter(person="person21"),
    "a person and a word": JournalFilter(person="person21", text="pressure"),
    "a site": JournalFilter(site="Site 17"),
    "a site, a seldom kind": JournalFilter(site="Site 17", kinds=("out_of_service",)),
    "one tag": JournalFilter(text="t4711.flow"),
    "a word of a fifth": JournalFilter(text="pressure"),
    "a word of all": JournalFilter(text="flow"),
    "a word of half, a seldom kind": JournalFilter(text="high", kinds=("out_of_service",)),
    "a comment": JournalFilter(text="order 1000004"),
    "a word of every comment": JournalFilter(text="informed"),
    "nothing": JournalFilter(text="no such word"),
}


def run(seconds: float, rates: list[int] | None) -> list[dict[str, Any]]:
    """Return a row for each search: median and longest milliseconds, those of the plain scan, and the ratio."""
    del seconds, rates
    with tempfile.TemporaryDirectory(prefix="control-room-benchmark-") as name:
        Path(name).chmod(0o755)
        server = open_embedded(Path(name), lambda _: None)
        try:
            upgrade(server.url("postgres"), server.credentials.passwords())
            owner, station = (make_engine(server.url(one), "benchmark") for one in ("postgres", "station"))
            _prepare(owner)
            rows = [_measure(owner, station, one, None) for one in FILTERS]
            with owner.begin() as connection:
                connection.execute(text("UPDATE membership SET municipality_id = 2 WHERE login = 'station'"))
            return rows + [_measure(owner, station, one, 2) for one in FILTERS]
        finally:
            server.stop()


def _prepare(owner: Engine) -> None:
    asked = {"municipalities": MUNICIPALITIES, "tags": TAGS, "rows": ROWS, "end": END, "step_us": _STEP_US}
    with owner.begin() as connection:
        for statement in _FILL:
            connection.execute(text(statement), asked)
    with owner.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("VACUUM ANALYZE"))


def _measure(owner: Engine, station: Engine, name: str, place: int | None) -> dict[str, Any]:
    wanted = FILTERS[name]
    with station.connect() as connection:
        found = search_journal(connection, wanted)
        times_ms = [_timed(connection, lambda one: search_journal(one, wanted)) for _ in range(ROUNDS)]
    asked = {**asdict(wanted), "kinds": list(wanted.kinds), "place": place, "most": PAGE}
    with owner.connect() as connection:
        for method in ("indexscan", "indexonlyscan", "bitmapscan"):
            connection.execute(text(f"SET enable_{method} = off"))
        expected = [row.id for row in connection.execute(_PLAIN, asked)]
        plain_ms = [_timed(connection, lambda one: one.execute(_PLAIN, asked).all()) for _ in range(PLAIN_ROUNDS)]
    assert [row.id for row in found] == expected, name
    median_ms, scan_ms = statistics.median(times_ms), statistics.median(plain_ms)
    shows = "1 of 20" if place else "all 20"
    figures = {"median_ms": median_ms, "longest_ms": max(times_ms), "plain_ms": scan_ms, "ratio": median_ms / scan_ms}
    return {"search": name, "station_shows": shows, "found": len(found), **figures}


def _timed(connection: Connection, read: Any) -> float:
    began = time.perf_counter()
    read(connection)
    return (time.perf_counter() - began) * 1_000
