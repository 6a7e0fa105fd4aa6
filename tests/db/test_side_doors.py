"""Side doors: what errors, plans, statistics and counters might tell one municipality of another.

The people of north have psql. Everything of south is called SECRET, and every row of south meets what they ask for.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import Engine, text

from db.embedded import EmbeddedServer
from db.engine import make_engine
from db.tag_store import import_plant
from tests.db.people import make, own_database, raw
from tests.plants import plant

Connection = psycopg.Connection[tuple[Any, ...]]
DATABASE = "side_doors"
NORTH, SOUTH = 1, 2
TENANTS = (
    *("network", "network_node", "network_link", "asset", "connection", "tag", "alarm_rule", "alarm", "alarm_journal"),
    *("latest", "sample", "link_status", "audit"),
)
SHOWN = tuple(name for name in TENANTS if name not in ("alarm_journal", "sample", "audit"))
# an error that only comes when somebody looks: the planner may not reckon it in advance
BOOM = "(SELECT (1 / (length(current_user) - length('tom')))::text::boolean)"
COUNTED = "ANALYZE, TIMING off, SUMMARY off, COSTS off, BUFFERS off"
SECRETS = (
    "UPDATE tag SET key = 'SECRET' || id, name = 'SECRET', address = 'SECRET' WHERE municipality_id = 2",
    "UPDATE asset SET name = 'SECRET' || id WHERE municipality_id = 2",
    "UPDATE alarm_rule SET message = 'SECRET' WHERE municipality_id = 2",
    "UPDATE connection SET name = 'SECRET' WHERE municipality_id = 2",
    (
        "INSERT INTO alarm (rule_id, is_active, is_acknowledged, event_id, value, quality, seq)"
        " SELECT id, municipality_id = 2, true, 1, CASE municipality_id WHEN 2 THEN 42 END, 0, id FROM alarm_rule"
    ),
    (
        "INSERT INTO alarm_journal (rule_id, event_id, happening, previous_state, state, trigger, source_time, quality,"
        " alarm_limit, priority, message)"
        " SELECT id, 1, 'raised', 'NORM', 'UNACK', 'process', now(), 0, 0, 1, message FROM alarm_rule"
    ),
    "SELECT ensure_sample_partitions(current_date, current_date)",
    "INSERT INTO sample SELECT now(), municipality_id * 21, id, 0, municipality_id FROM tag",
    "INSERT INTO latest SELECT id, municipality_id * 21, 0, now(), now(), id, municipality_id FROM tag",
    (
        "INSERT INTO link_status (connection_id, state, since, reason, values_per_s, received, dropped)"
        " SELECT id, 'up', now(), name, 1, 1, 0 FROM connection"
    ),
    *(f"SELECT write_audit('comment', 'SECRET', {place}, NULL, NULL, NULL, 'SECRET')" for place in ("2", "NULL")),
    "SELECT write_audit('comment', 'open', 1, NULL, NULL, NULL, '')",
    "ANALYZE",
)


@dataclass(frozen=True)
class Spy:
    """An auditor of north, who may read the audit besides all that a viewer sees; the owner shows what there is."""

    connection: Connection
    owner: Engine

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(query.encode()).fetchall()

    def plan(self, query: str, options: str = "COSTS") -> str:
        return "\n".join(row[0] for row in self.ask(f"EXPLAIN ({options}) {query}"))


@pytest.fixture(scope="module")
def spy(server: EmbeddedServer) -> Iterator[Spy]:
    with own_database(server, DATABASE):
        owner = make_engine(server.url("postgres", DATABASE), "owner")
        with owner.begin() as hands:
            for key in ("north", "south"):
                import_plant(hands, plant(key))
            for statement in SECRETS:
                hands.execute(text(statement))
        with raw(make(server, DATABASE, "tom", ("auditor", NORTH))) as connection:
            yield Spy(connection, owner)
        owner.dispose()


# --- a sub-select of one's own in a filter, and plans


def told(spy: Spy, place: str) -> list[str]:
    """Return the filters of `place` by which an error tells of rows of south: they were judged before the policy."""
    column = "id" if place == "municipality" else "municipality_id"
    filters = [f"CASE WHEN {column} = {SOUTH} THEN {BOOM} ELSE false END"]
    if place == "alarm":
        # these cost the planner nothing
        filters += [f"CASE WHEN is_active THEN {BOOM} END", f"CASE WHEN value IS NOT NULL THEN {BOOM} END"]
    return [one for one in filters if _booms(spy, place, one)]


def _booms(spy: Spy, place: str, judged: str) -> bool:
    joined = (
        f"SELECT FROM generate_series(1, 9) AS n CROSS JOIN LATERAL (SELECT FROM {place} WHERE {judged} AND n > 0) AS x"
    )
    for query in (f"SELECT FROM {place} WHERE {judged}", joined):
        try:
            spy.ask(query)
        except errors.DivisionByZero:
            return True
    return False


READS = (
    *("read_latest({tags}, 0, {tags})", "read_alarms(0)", "read_alarms(-1)", "read_announced('2000-01-01')"),
    "read_turns('2000-01-01', 100)",
    *("read_journal({rule}, 9)", "read_samples({tag}, '2000-01-01', '2100-01-01', 9)", "read_audit('{{}}', NULL, 9)"),
    "read_columns({tag}, '2000-01-01', '2100-01-01', 60)",
    "read_rollups({tag}, '2000-01-01', '2100-01-01', 86400)",
    "read_sample_page({tag}, '2000-01-01', '2100-01-01', 0, 9)",
)


@pytest.mark.parametrize("place", ["municipality", *SHOWN, "read_alarms(0)", "read_audit('{}', NULL, 99)"])
def test_no_filter_meets_a_row_before_the_policy_does(spy: Spy, place: str) -> None:
    assert spy.ask(f"SELECT FROM {place}")
    assert told(spy, place) == []


@pytest.mark.parametrize("place", ["municipality", *SHOWN])
def test_a_view_that_belongs_to_somebody_stronger_is_found(spy: Spy, place: str) -> None:
    with spy.owner.connect() as hands:
        hands.exec_driver_sql(f"ALTER FUNCTION seen.{place}_rows() OWNER TO postgres")
        hands.exec_driver_sql(f"GRANT ALL ON FUNCTION seen.{place}_rows() TO viewer")
        hands.commit()
        try:
            assert told(spy, place)
        finally:
            hands.exec_driver_sql(f"ALTER FUNCTION seen.{place}_rows() OWNER TO reader_service")
            hands.commit()


def test_a_plan_shows_a_function_and_no_more(spy: Spy) -> None:
    calls = (call.format(tag=1, tags="ARRAY[1]", rule=1) for call in READS)
    for place in (*SHOWN, *calls):
        shown = spy.plan(f"SELECT * FROM {place} AS x WHERE x IS NOT NULL", f"{COUNTED}, VERBOSE")
        nodes = re.findall(r"^ *(?:-> +)?([A-Z][a-z]+ Scan|Result)[ (]", shown, re.MULTILINE)
        assert nodes == ["Function Scan"], shown
        assert shown.count("actual") == 1


def test_what_lies_elsewhere_and_what_is_nowhere_have_the_same_plan(spy: Spy) -> None:
    with spy.owner.connect() as hands:
        tag, rule = hands.execute(
            text(
                "SELECT max(t.id), max(r.id) FROM tag AS t JOIN alarm_rule AS r ON r.tag_id = t.id WHERE t.municipality_id = 2"
            )
        ).one()
    for call in READS:
        there, nowhere = (
            spy.plan(f"SELECT * FROM {call.format(tag=one, tags=f'ARRAY[{one}]', rule=two)}", COUNTED)
            for one, two in ((tag, rule), (7, 7))
        )
        assert "Function Scan" in there
        assert re.sub(r"\d+", "", there) == re.sub(r"\d+", "", nowhere)


def test_a_setting_of_ones_own_shows_no_plan_from_inside(spy: Spy) -> None:
    said: list[str] = []
    spy.connection.add_notice_handler(lambda notice: said.append(str(notice.message_detail)))
    for setting in ("SET client_min_messages = log", "SET debug_print_plan = on"):
        spy.connection.execute(setting.encode())
    spy.ask("SELECT * FROM tag")
    for call in READS:
        spy.ask(f"SELECT * FROM {call.format(tag=1, tags='ARRAY[1]', rule=1)}")
    spy.connection.execute(b"RESET ALL")
    spy.connection.execute(b"SET search_path = seen, public")
    # plans of what was asked are shown, and no table is in them
    assert any("FUNCTIONSCAN" in one for one in said)
    assert not [one for one in said if "SEQSCAN" in one or "INDEXSCAN" in one]


def test_errors_quote_nothing_of_another_tenant(spy: Spy) -> None:
    columns = spy.ask(
        "SELECT c.relname, a.attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid"
        " WHERE c.relnamespace = 'seen'::regnamespace AND a.atttypid = 'text'::regtype"
        " AND has_column_privilege(c.oid, a.attnum, 'SELECT') AND a.attnum > 0"
    )
    columns += [("read_audit('{}', NULL, 99)", "object"), ("read_alarms(-1)", "acknowledged_by")]
    assert {("tag", "key"), ("link_status", "reason")} <= set(columns)
    said = []
    for table, column in columns:
        for kind in ("integer", "jsonb", "regclass"):
            try:
                said += spy.ask(f"SELECT {column}::{kind} FROM {table} ORDER BY {column} = 'SECRET' DESC")
            except psycopg.Error as fault:
                said.append((str(fault),))
    assert "T1.level" in str(said)
    assert "SECRET" not in str(said)


# --- what the server knows of its tables


def test_the_planner_knows_keys_and_times_only(spy: Spy) -> None:
    with spy.owner.connect() as hands:
        known = hands.execute(
            text(
                "SELECT c.relname, a.attname, a.atttypid::regtype::text FROM pg_statistic AS s"
                " JOIN pg_class AS c ON c.oid = s.starelid"
                " JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = s.staattnum"
                " WHERE c.relname = ANY(:tenants) OR c.relname LIKE 'sample%'"
            ),
            {"tenants": ["municipality", *TENANTS]},
        ).all()
    assert ("tag", "id", "integer") in {tuple(row) for row in known}
    assert {row[2] for row in known} <= {"integer", "bigint", "timestamp with time zone"}
    assert not {row[1] for row in known} & {"municipality_id", "quality"}


def test_counters_and_statistics_of_the_server_are_closed(spy: Spy) -> None:
    assert spy.ask("SELECT * FROM pg_stats WHERE schemaname = 'public' AND tablename <> 'alembic_version'") == []
    assert {row[0] for row in spy.ask("SELECT last_value FROM pg_sequences WHERE schemaname = 'public'")} == {None}
    for query in (
        "SELECT last_value FROM alarm_seq",
        "SELECT nextval('alarm_journal_id_seq')",
        "SELECT * FROM pg_statistic",
        "SELECT reltuples FROM pg_class",
        "SELECT relpages FROM pg_class",
        "SELECT pg_relation_size('public.tag'::regclass)",
        "SELECT pg_total_relation_size('public.alarm_journal'::regclass)",
        "SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'alarm_journal'",
        "SELECT n_tup_ins FROM pg_stat_xact_user_tables WHERE relname = 'alarm_journal'",
        "SELECT idx_scan FROM pg_stat_user_indexes",
        "SELECT heap_blks_hit FROM pg_statio_user_tables",
        "SELECT pg_stat_get_live_tuples('public.tag'::regclass)",
        "SELECT tup_inserted FROM pg_stat_database",
        "SELECT * FROM public.tag",
        "SELECT * FROM sample_default",
        "SELECT * FROM pg_authid",
        "SELECT pg_read_file('PG_VERSION')",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            spy.ask(query)
    with pytest.raises(errors.InsufficientPrivilege):
        spy.ask("SELECT * FROM sample_" + f"{datetime.now(UTC):%Y%m%d}")


def test_no_number_counts_what_others_do(spy: Spy) -> None:
    with spy.owner.connect() as hands:
        counting = hands.execute(
            text(
                "SELECT d.adrelid::regclass::text FROM pg_attrdef AS d JOIN pg_class AS c ON c.oid = d.adrelid"
                " WHERE c.relname = ANY(:tenants) AND pg_get_expr(d.adbin, d.adrelid) LIKE '%nextval%'"
            ),
            {"tenants": list(TENANTS)},
        )
        assert counting.scalars().all() == []
        numbers = [hands.execute(text("SELECT clock_number('alarm_seq')")).scalar_one() for _ in range(50)]
        now_us = hands.execute(text("SELECT extract(epoch FROM clock_timestamp()) * 1000000")).scalar_one()
    assert numbers == sorted(set(numbers))
    assert 0 <= now_us - numbers[-1] < 60_000_000


def test_a_clock_that_was_set_back_goes_on_numbering_upwards(spy: Spy) -> None:
    with spy.owner.connect() as hands:
        ahead = hands.execute(text("SELECT setval('alarm_seq', 9000000000000000)")).scalar_one()
        assert hands.execute(text("SELECT clock_number('alarm_seq')")).scalar_one() == ahead + 1


def test_any_free_id_is_drawn(owner: Engine) -> None:
    with owner.connect() as hands:
        drawn = hands.execute(text("SELECT unused_id('tag') FROM generate_series(1, 100)")).scalars().all()
    assert len(set(drawn)) == 100
    assert drawn != sorted(drawn)
    assert min(drawn) > 0


def test_others_are_seen_as_names_and_not_in_what_they_do(spy: Spy, server: EmbeddedServer) -> None:
    with psycopg.connect(server.url("station", DATABASE).set(drivername="postgresql").render_as_string(False)) as other:
        other.execute("SELECT 'SECRET', id FROM tag")
        seen = spy.ask("SELECT * FROM pg_stat_activity WHERE usename <> 'tom' OR usename IS NULL")
        seen += spy.ask("SELECT * FROM pg_locks")
    assert "station" in str(seen)
    assert "SECRET" not in str(seen)
