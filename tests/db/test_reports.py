"""What other tools read in the schema `report`: nobody signs in, and each sees the own municipality alone."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from psycopg import errors
from sqlalchemy import URL, Engine, text

import resources
from db.embedded import EmbeddedServer
from db.engine import make_engine
from db.schema import _config
from db.tag_store import import_plant
from tests.db.people import make, own_database, raw
from tests.plants import plant

Connection = psycopg.Connection[tuple[Any, ...]]
DATABASE = "reports"
VIEWS = ("report.tags", "report.latest_values", "report.alarms")
CALLS = (
    "report.samples('T1.level', '2026-01-01', '2026-02-01', '{place}')",
    "report.alarm_journal('2000-01-01', '2100-01-01')",
)
# an error that only comes when somebody looks: the planner may not reckon it in advance
BOOM = "(SELECT (1 / (length(current_user) - length('nora')))::text::boolean)"
FILLED = (
    "SELECT ensure_sample_partitions('2026-01-01', '2026-01-31')",
    (
        "INSERT INTO sample SELECT timestamptz '2026-01-01 00:00+00' + n * interval '1 minute', n, id, 0, municipality_id"
        " FROM tag CROSS JOIN generate_series(0, 31 * 1440 - 1) AS n WHERE key = 'T1.level'"
    ),
    (
        "INSERT INTO sample VALUES ('2026-01-31 23:59:30+00', NULL, (SELECT id FROM tag WHERE key = 'T1.level' AND"
        " municipality_id = 1), 32909, 1)"
    ),
    "INSERT INTO latest SELECT id, municipality_id, 0, now(), now(), id, municipality_id FROM tag",
    (
        "INSERT INTO alarm (rule_id, is_active, is_acknowledged, event_id, quality, seq)"
        " SELECT id, true, false, 1, 0, id FROM alarm_rule"
    ),
    (
        "INSERT INTO alarm_journal (rule_id, event_id, happening, previous_state, state, trigger, source_time, quality,"
        " alarm_limit, priority, message)"
        " SELECT id, 1, 'raised', 'NORM', 'UNACK', 'process', now(), 0, 0, 1, message FROM alarm_rule"
    ),
    "ANALYZE",
)


@pytest.fixture(scope="module")
def owner(server: EmbeddedServer) -> Iterator[Engine]:
    """Return the owner of a database of two municipalities with a month of one tag each."""
    with own_database(server, DATABASE):
        owner = make_engine(server.url("postgres", DATABASE), "owner")
        with owner.begin() as hands:
            for key in ("north", "south"):
                import_plant(hands, plant(key))
            for statement in FILLED:
                hands.execute(text(statement.replace(":00", "\\:00").replace(":59", "\\:59").replace(":30", "\\:30")))
        yield owner
        owner.dispose()


@pytest.fixture(scope="module")
def nora(server: EmbeddedServer, owner: Engine) -> URL:
    return make(server, DATABASE, "nora", ("viewer", 1))


@pytest.fixture(scope="module")
def sven(server: EmbeddedServer, owner: Engine) -> URL:
    return make(server, DATABASE, "sven", ("engineer", 2))


def ask(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query.encode()).fetchall()


def places(connection: Connection) -> dict[str, set[str]]:
    """Return of which municipalities each view and the journal tell."""
    return {
        one: {row[0] for row in ask(connection, f"SELECT DISTINCT municipality FROM {one}")}
        for one in (*VIEWS, CALLS[1])
    }


def test_each_person_reads_the_own_municipality_without_signing_in(nora: URL, sven: URL) -> None:
    for url, own, other in ((nora, "north", "south"), (sven, "south", "north")):
        with raw(url, station="") as connection:
            assert set(map(frozenset, places(connection).values())) == {frozenset({own})}
            assert ask(connection, "SELECT * FROM report.samples('T1.level', '2026-01-01', '2026-01-02')")
            for place in (other, "nowhere"):
                assert ask(connection, f"SELECT * FROM {CALLS[0].format(place=place)}") == []
            # nothing besides opens
            assert ask(connection, "SELECT * FROM tag") == []
            assert ask(connection, "SELECT * FROM read_alarms(0)") == []


def test_who_reads_everywhere_names_the_municipality(server: EmbeddedServer, owner: Engine) -> None:
    with raw(make(server, DATABASE, "nina", ("auditor", None)), station="") as connection:
        assert set(map(frozenset, places(connection).values())) == {frozenset({"north", "south"})}
        with pytest.raises(errors.RaiseException, match="More than one of your municipalities"):
            ask(connection, "SELECT * FROM report.samples('T1.level', '2026-01-01', '2026-01-02')")
        for place in ("north", "south"):
            assert ask(connection, f"SELECT count(*) >= 44640 FROM {CALLS[0].format(place=place)}") == [(True,)]


def test_a_stretch_begins_at_its_start_and_ends_before_its_end(nora: URL) -> None:
    with raw(nora, station="") as connection:
        asked = "SELECT value FROM report.samples('T1.level', '2026-01-02 00:00+00', '2026-01-02 00:03+00')"
        assert ask(connection, asked) == [(1440,), (1441,), (1442,)]
        last = "SELECT value, quality FROM report.samples('T1.level', '2026-01-31 23:59+00', '2026-02-01 00:00+00')"
        assert ask(connection, last) == [(44639, "good"), (None, "bad")]
        for start, end in (("2026-01-03", "2026-01-02"), ("-infinity", "1990-01-01"), ("infinity", "-infinity")):
            assert ask(connection, f"SELECT * FROM report.samples('T1.level', '{start}', '{end}')") == []
            assert ask(connection, f"SELECT * FROM report.alarm_journal('{start}', '{end}')") == []
        assert ask(connection, "SELECT * FROM report.samples(NULL, NULL, NULL)") == []
        assert ask(connection, "SELECT * FROM report.alarm_journal('-infinity', 'infinity')")
        assert ask(connection, "SELECT * FROM report.alarm_journal(NULL, NULL)") != []


def test_many_tags_are_read_at_once(nora: URL) -> None:
    asked = (
        "SELECT t.key, count(*) FROM report.tags AS t CROSS JOIN LATERAL"
        " report.samples(t.key, '2026-01-02 00:00+00', '2026-01-02 01:00+00', t.municipality) GROUP BY 1"
    )
    with raw(nora, station="") as connection:
        assert ask(connection, asked) == [("T1.level", 60)]


def test_too_much_is_refused_in_words_and_never_cut(owner: Engine, nora: URL) -> None:
    more = (
        "INSERT INTO sample SELECT timestamptz '2025-06-01' + n * interval '1 second', 0, t.id, 0, 1 FROM tag AS t,"
        " generate_series(1, 1000001) AS n WHERE t.key = 'T1.flow' AND t.municipality_id = 1"
    )
    with owner.begin() as hands:
        key = hands.execute(text("SELECT min(key) FROM tag WHERE key <> 'T1.level' AND municipality_id = 1")).scalar()
        hands.execute(text(more.replace("T1.flow", str(key))))
    with raw(nora, station="") as connection:
        with pytest.raises(errors.RaiseException, match="more than 1000000 samples") as refused:
            ask(connection, f"SELECT * FROM report.samples('{key}', '-infinity', 'infinity')")
        assert "shorter stretch" in str(refused.value.diag.message_hint)
        # a long question is ended by the setting of the connection, as the handbook says
        connection.execute("SET statement_timeout = '50ms'")
        with pytest.raises(errors.QueryCanceled):
            ask(connection, f"SELECT * FROM report.samples('{key}', '-infinity', '2025-06-12')")
    with owner.begin() as hands:
        hands.execute(text("DELETE FROM sample WHERE source_time < '2025-12-31'"))


def pages(connection: Connection, start: str, end: str) -> int:
    """Return how many pages are read for the samples of a stretch, once the catalogue is known."""
    asked = f"SELECT * FROM report.samples('T1.level', '{start}', '{end}')"
    for _ in range(2):
        shown = ask(connection, f"EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json) {asked}")
    node = shown[0][0][0]["Plan"]
    return int(node["Shared Hit Blocks"] + node["Shared Read Blocks"])


def test_a_short_stretch_is_found_by_the_index(nora: URL) -> None:
    with raw(nora, station="") as connection:
        ten_minutes = pages(connection, "2026-01-02 00:00+00", "2026-01-02 00:10+00")
        month = pages(connection, "2026-01-01", "2026-02-01")
    assert ten_minutes * 5 < month


def test_a_plan_tells_nothing_of_the_neighbour(nora: URL) -> None:
    with raw(nora, station="") as connection:
        for place in (*VIEWS, *CALLS):
            plans = {
                re.sub(
                    r"\d+", "", str(ask(connection, f"EXPLAIN (ANALYZE, TIMING off, SUMMARY off, BUFFERS off) {query}"))
                )
                for query in (f"SELECT * FROM {place.format(place=one)}" for one in ("south", "nowhere"))
            }
            assert len({one.replace("south", "").replace("nowhere", "") for one in plans}) == 1
            assert all(one.count("Scan") == 1 and "Function Scan" in one for one in plans)


@pytest.mark.parametrize("place", [*VIEWS, CALLS[1]])
def test_no_filter_meets_a_row_of_the_neighbour(nora: URL, place: str) -> None:
    with raw(nora, station="") as connection:
        assert ask(connection, f"SELECT FROM {place}")
        ask(connection, f"SELECT FROM {place} WHERE CASE WHEN municipality = 'south' THEN {BOOM} ELSE false END")
        with pytest.raises(errors.DivisionByZero):
            ask(connection, f"SELECT FROM {place} WHERE CASE WHEN municipality = 'north' THEN {BOOM} ELSE false END")


ENDS = (
    "UPDATE session SET ended_time = now() WHERE login = '{login}'",
    "UPDATE session SET expires_time = now() WHERE login = '{login}'",
    "UPDATE account SET is_enabled = false WHERE login = '{login}'",
    "UPDATE account SET must_change_password = true WHERE login = '{login}'",
    "UPDATE account SET password_time = now() WHERE login = '{login}'",
    "DELETE FROM membership WHERE login = '{login}'",
)


@pytest.mark.parametrize("number", range(len(ENDS)))
def test_what_ends_a_session_ends_the_reading(owner: Engine, server: EmbeddedServer, number: int) -> None:
    login = f"leaver_{number}"
    with raw(make(server, DATABASE, login, ("viewer", 1))) as connection:
        assert ask(connection, "SELECT FROM report.tags")
        with owner.begin() as hands:
            hands.execute(text(ENDS[number].format(login=login)))
        assert {frozenset(one) for one in places(connection).values()} == {frozenset()}
        assert ask(connection, f"SELECT * FROM {CALLS[0].format(place='north')}") == []


def test_what_was_good_is_stale_while_nothing_is_collected(owner: Engine, nora: URL) -> None:
    beat = (
        "INSERT INTO collector_status VALUES (1, now() - make_interval(secs => :ago), now(), '', 1, 0, 0, 0, 0, '')"
        " ON CONFLICT (id) DO UPDATE SET beat_time = excluded.beat_time"
    )
    with raw(nora, station="") as connection:
        for ago_s, said in ((0, "good"), (60, "stale")):
            with owner.begin() as hands:
                hands.execute(text(beat), {"ago": ago_s})
            assert ask(connection, "SELECT DISTINCT quality, quality_code FROM report.latest_values") == [(said, 0)]


def test_every_view_column_and_function_says_what_it_is(owner: Engine) -> None:
    silent = text(
        "SELECT c.relname || '.' || a.attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid"
        " WHERE c.relnamespace = 'report'::regnamespace AND a.attnum > 0 AND col_description(c.oid, a.attnum) IS NULL"
        " UNION SELECT relname FROM pg_class WHERE relnamespace = 'report'::regnamespace AND obj_description(oid) IS NULL"
        " UNION SELECT proname FROM pg_proc WHERE pronamespace = 'report'::regnamespace"
        " AND proname IN ('samples', 'alarm_journal') AND obj_description(oid, 'pg_proc') IS NULL"
    )
    with owner.connect() as hands:
        assert hands.execute(silent).scalars().all() == []


def test_nobody_writes_through_a_report(nora: URL) -> None:
    with raw(nora, station="") as connection:
        for view in VIEWS:
            for deed in (f"DELETE FROM {view}", f"INSERT INTO {view} DEFAULT VALUES", f"UPDATE {view} SET key = 'x'"):
                with pytest.raises((errors.InsufficientPrivilege, errors.ObjectNotInPrerequisiteState)):
                    ask(connection, deed)
        with pytest.raises(errors.InsufficientPrivilege):
            ask(connection, "CREATE VIEW report.mine AS SELECT 1")


def test_an_upgrade_with_data_shows_it(owner: Engine, nora: URL) -> None:
    with owner.begin() as hands:
        command.downgrade(_config(hands), "0016")
        assert not hands.execute(text("SELECT to_regnamespace('report')")).scalar()
        command.upgrade(_config(hands), "head")
    with raw(nora, station="") as connection:
        assert set(map(frozenset, places(connection).values())) == {frozenset({"north"})}


def examples() -> list[str]:
    """Return what the handbook's page asks, Grafana's words replaced as Grafana does."""
    page = (Path(resources.FOLDER) / "handbook" / "query.md").read_text(encoding="utf-8")
    blocks = "\n\n".join(page.split("```")[1::2])
    found = [one.strip() for one in re.split(r"\n\n|;\n", blocks)]
    found = [re.sub(r"^--.*\n", "", one).rstrip(";") for one in found]
    stretch = ("'2026-01-02T00:00:00Z'", "'2026-01-03T00:00:00Z'")
    return [
        re.sub(r"\$__timeFilter\((.+?)\)", rf"\1 BETWEEN {stretch[0]} AND {stretch[1]}", one)
        .replace("$__timeFrom()", stretch[0])
        .replace("$__timeTo()", stretch[1])
        for one in found
        if one.startswith("SELECT")
    ]


def test_what_the_handbook_asks_is_answered(nora: URL) -> None:
    asked = examples()
    assert len(asked) == 6
    with raw(nora, station="") as connection:
        answers = {one: ask(connection, one) for one in asked}
    assert [len(rows) for one, rows in answers.items() if "BETWEEN" in one] == [1440]
