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


# --- a sub-select of one's own in a filter that the planner holds for harmless


def told(spy: Spy, table: str) -> list[str]:
    """Return the filters of `table` by which an error tells of rows of south: they were judged before the policy."""
    column = "id" if table == "municipality" else "municipality_id"
    filters = [f"CASE WHEN {column} = {SOUTH} THEN {BOOM} ELSE false END"]
    if table == "alarm":
        # these cost the planner nothing
        filters += [f"CASE WHEN is_active THEN {BOOM} END", f"CASE WHEN value IS NOT NULL THEN {BOOM} END"]
    return [one for one in filters if _booms(spy, table, one)]


def _booms(spy: Spy, table: str, judged: str) -> bool:
    joined = (
        f"SELECT FROM generate_series(1, 9) AS n CROSS JOIN LATERAL (SELECT FROM {table} WHERE {judged} AND n > 0) AS x"
    )
    for setting in ("on", "off"):
        spy.ask(f"SELECT set_config('enable_seqscan', '{setting}', false)")
        for query in (f"SELECT FROM {table} WHERE {judged}", joined):
            try:
                spy.ask(query)
            except errors.DivisionByZero:
                return True
    return False


@pytest.mark.parametrize("table", ["municipality", *TENANTS])
def test_no_filter_meets_a_row_before_the_policy_does(spy: Spy, table: str) -> None:
    assert told(spy, table) == []


def test_a_policy_that_costs_more_than_a_filter_is_found(spy: Spy) -> None:
    policy = text("SELECT qual FROM pg_policies WHERE tablename = 'alarm' AND policyname = 'tenant'")
    with spy.owner.begin() as hands:
        before = hands.execute(policy).scalar_one()
        hands.exec_driver_sql(
            "ALTER POLICY tenant ON alarm USING (municipality_id = ANY ((SELECT my_municipality_ids())::integer[]))"
        )
    try:
        assert len(told(spy, "alarm")) == 3
    finally:
        with spy.owner.begin() as hands:
            hands.exec_driver_sql(f"ALTER POLICY tenant ON alarm USING ({before})")


def test_errors_quote_nothing_of_another_tenant(spy: Spy) -> None:
    columns = spy.ask(
        "SELECT c.relname, a.attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.atttypid = 'text'::regtype"
        " AND has_column_privilege(c.oid, a.attnum, 'SELECT') AND a.attnum > 0"
    )
    assert {("tag", "key"), ("audit", "object"), ("link_status", "reason")} <= set(columns)
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


@pytest.mark.parametrize(
    ("table", "right", "wrong"),
    [
        ("tag", "name = 'SECRET'", "name = 'GUESS'"),
        ("latest", "value > 41", "value > 43"),
        ("alarm", "is_active", "NOT is_active"),
        ("sample", "municipality_id = 2", "municipality_id = 3"),
        ("audit", "person = 'postgres'", "person = 'nobody'"),
    ],
)
def test_the_planner_guesses_alike_of_what_is_there_and_what_is_not(
    spy: Spy, table: str, right: str, wrong: str
) -> None:
    guesses = [re.findall(r"rows=(\d+)", spy.plan(f"SELECT FROM {table} WHERE {one}")) for one in (right, wrong)]
    assert guesses[0] == guesses[1] != []


@pytest.mark.parametrize(
    ("there", "nowhere"),
    [
        ("tag WHERE municipality_id = 2 AND key = 'SECRET5'", "tag WHERE municipality_id = 2 AND key = 'GUESS'"),
        ("tag WHERE key >= 'SECRET' AND key < 'SECRET9'", "tag WHERE key >= 'GUESS' AND key < 'GUESS9'"),
        ("asset WHERE municipality_id = 2 AND name > 'SECRET'", "asset WHERE municipality_id = 2 AND name > 'ZZZ'"),
        (
            "connection WHERE municipality_id = 2 AND name = 'SECRET'",
            "connection WHERE municipality_id = 2 AND name = 'X'",
        ),
        (
            "network_node WHERE municipality_id = 2 AND key = 'T1'",
            "network_node WHERE municipality_id = 2 AND key = 'X'",
        ),
    ],
)
def test_a_counted_look_up_finds_no_name_of_another_tenant(spy: Spy, there: str, nowhere: str) -> None:
    spy.ask("SELECT set_config('enable_seqscan', 'off', false)")
    plans = [re.sub("'[A-Z0-9]+'", "", spy.plan(f"SELECT FROM {one}", COUNTED)) for one in (there, nowhere)]
    assert "Index Cond" in plans[0]
    assert plans[0] == plans[1]


def test_counters_and_statistics_of_the_server_are_closed(spy: Spy) -> None:
    assert spy.ask("SELECT * FROM pg_stats WHERE schemaname = 'public' AND tablename <> 'alembic_version'") == []
    assert {row[0] for row in spy.ask("SELECT last_value FROM pg_sequences WHERE schemaname = 'public'")} == {None}
    for query in (
        "SELECT last_value FROM alarm_seq",
        "SELECT nextval('alarm_journal_id_seq')",
        "SELECT * FROM pg_statistic",
        "SELECT * FROM sample_default",
        "SELECT * FROM pg_authid",
        "SELECT pg_read_file('PG_VERSION')",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            spy.ask(query)
    with pytest.raises(errors.InsufficientPrivilege):
        spy.ask("SELECT * FROM sample_" + f"{datetime.now(UTC):%Y%m%d}")


def test_others_are_seen_as_names_and_not_in_what_they_do(spy: Spy, server: EmbeddedServer) -> None:
    with psycopg.connect(server.url("station", DATABASE).set(drivername="postgresql").render_as_string(False)) as other:
        other.execute("SELECT 'SECRET', id FROM tag")
        seen = spy.ask("SELECT * FROM pg_stat_activity WHERE usename <> 'tom' OR usename IS NULL")
        seen += spy.ask("SELECT * FROM pg_locks")
    assert "station" in str(seen)
    assert "SECRET" not in str(seen)
