"""The matrix, from outside: every role, tenant, action, table and function, by raw SQL as that person.

What the database allows is compared with control_room/core/access.py, the one source; a right that nobody declared fails.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import URL, Connection, Engine, text
from sqlalchemy.exc import ProgrammingError

import resources
from control_room.core.access import MATRIX, NATIONAL_ONLY, NOT_SIGNED_IN, TITLES, Action, Role, refusal
from db.embedded import EmbeddedServer
from db.engine import make_engine
from db.people import open_person
from db.tag_store import import_plant
from tests.db.people import make, own_database
from tests.plants import plant

DATABASE = "matrix"
HERE, ELSEWHERE = 1, 2
VIEWED = frozenset(
    {"alembic_version", "municipality", "network", "network_node", "network_link", "asset", "connection", "tag"}
    | {"alarm_rule", "alarm", "alarm_journal", "latest", "sample", "link_status", "collector_status"}
    | {"suppression", "suppression_consequence", "planned_work"}
)
# what people read and the collector does not need
OF_PEOPLE = frozenset({"rationalisation", "rule_change", "comment_setting", "rollup", "rollup_due"})
TENANTS = VIEWED - {"alembic_version", "collector_status", "municipality"}
KEPT_BY_COLLECTOR = frozenset({"latest", "link_status", "collector_status"})
# what is the same for everybody needs no policy, and partitions are read through their parent alone
WITHOUT_POLICY = frozenset({"alembic_version", "action", "role_right"})
COLUMNS = frozenset({"id", "municipality_id", "name", "driver", "is_enabled"})
SHOWN = VIEWED - {"alembic_version", "alarm_journal", "sample"} | {"rationalisation", "comment_setting"}
SEEN = frozenset(f"seen.{name}" for name in SHOWN)
# what other tools read, by a role and policies of their own
REPORTED = frozenset({"municipality", "asset", "tag", "alarm_rule", "alarm", "alarm_journal", "latest", "sample"})
REPORTS = frozenset({"report.tags", "report.latest_values", "report.alarms"})
REPORT_CALLS = frozenset({f"{name}_rows" for name in REPORTS} | {"report.samples", "report.alarm_journal"})
# every grant there is: who, what, on what
GRANTS = frozenset(
    {("viewer", "SELECT", "alembic_version"), ("reader_service", "SELECT", "audit")}
    | {("viewer", "SELECT", name) for name in SEEN | REPORTS}
    | {("report_service", "SELECT", name) for name in REPORTED | {"collector_status"}}
    | {("reader_service", "SELECT", name) for name in OF_PEOPLE}
    | {("reader_service", "SELECT", name) for name in VIEWED - {"connection", "alembic_version"}}
    | {("reader_service", "SELECT", f"connection.{name}") for name in COLUMNS}
    | {("collector_service", "SELECT", name) for name in VIEWED}
    | {("collector_service", "INSERT", name) for name in ("sample", "sample_*")}
    | {("collector_service", deed, name) for deed in ("INSERT", "UPDATE", "DELETE") for name in KEPT_BY_COLLECTOR}
)
POLICIES = frozenset(
    {("tenant", name, "{reader_service}") for name in VIEWED - {"alembic_version", "collector_status"} | OF_PEOPLE}
    | {("collector", name, "{collector_service}") for name in VIEWED - {"alembic_version"}}
    | {("report", name, "{report_service}") for name in REPORTED | {"collector_status"}}
    | {("everybody", "collector_status", "{reader_service}"), ("readers", "audit", "{reader_service}")}
)
PEOPLE_CALL = frozenset(
    {"sign_in", "sign_out", "who_am_i", "change_password", "my_password_history", "acknowledge_alarms"}
    | {"comment_alarm", "configure_rule", "configure_tag", "create_person", "set_membership", "set_enabled"}
    | {"reset_password", "end_session", "save_municipality", "create_station", "list_people", "list_stations"}
    | {"list_sessions", "note_export", "reset_alarms", "shelve_alarms", "unshelve_alarms", "take_out_of_service"}
    | {"return_to_service", "disable_alarms", "enable_alarms", "begin_work", "end_work", "extend_work"}
    | {"change_rules", "set_comments", "set_note"}
)
# each gives rows by policies alone, and is the reader's own
READS = frozenset(
    {"read_latest", "read_alarms", "newest_alarm_seq", "read_journal", "read_announced", "read_samples", "read_columns"}
    | {"read_turns", "read_alarm_events", "read_standing", "read_rule_changes", "read_set_aside"}
    | {"search_journal", "read_opening", "read_rollups", "read_sample_page"}
)
CALLS: Mapping[str, frozenset[str]] = {
    "person": PEOPLE_CALL,
    "viewer": READS | {f"seen.{name}_rows" for name in SHOWN} | REPORT_CALLS,
    "auditor": frozenset({"read_audit", "verify_audit"}),
    "administrator": frozenset({"read_audit", "verify_audit"}),
    "station_service": frozenset({"report_failed_sign_in", "sign_in_wait_s"}),
    "collector_service": frozenset(
        {"ensure_sample_partitions", "take_turn", "record_process", "record_causes", "pass_time", "clock_number"}
        | {"begin_spool", "read_spool", "take_spooled", "mark_rollups", "roll_up"}
    ),
    "report_service": frozenset({"report_municipality_ids", "alarm_state", "sample_grade"}),
    "reader_service": frozenset(
        {"my_municipalities", "my_municipality_ids", "municipalities_where", "alarm_state", "period_start"}
    ),
}
# every call that acts, {rule} and {place} of the tenant; none of them changes anything for those who may
ACTS: tuple[tuple[Action, str, bool], ...] = (
    (Action.ACKNOWLEDGE, "SELECT is_done, answer FROM acknowledge_alarms('{{{rule}}}', '{{1}}', 'seen')", True),
    (Action.ACKNOWLEDGE, "SELECT is_done, answer FROM reset_alarms('{{{rule}}}', '{{1}}', '')", True),
    (Action.SHELVE, "SELECT is_done, answer FROM shelve_alarms('{{{rule}}}', '{{1}}', 0, false, 'x')", True),
    (Action.SHELVE, "SELECT is_done, answer FROM unshelve_alarms('{{{rule}}}', '{{1}}', '')", True),
    (Action.SERVICE, "SELECT is_done, answer FROM take_out_of_service('{{{rule}}}', '{{1}}', '', '')", True),
    (Action.SERVICE, "SELECT is_done, answer FROM return_to_service('{{{rule}}}', '{{1}}', '')", True),
    (Action.CONFIGURE, "SELECT is_done, answer FROM disable_alarms('{{{rule}}}', '')", True),
    (Action.CONFIGURE, "SELECT is_done, answer FROM enable_alarms('{{{rule}}}', '')", True),
    (Action.SHELVE, "SELECT * FROM begin_work({place}, {asset}, NULL, 0, '', '')", True),
    (Action.SERVICE, "SELECT * FROM begin_work({place}, NULL, NULL, 0, '', '')", True),
    (Action.SHELVE, "SELECT * FROM end_work({place}, '')", True),
    (Action.SHELVE, "SELECT * FROM extend_work({place}, 0, '')", True),
    (Action.COMMENT, "SELECT is_done, answer FROM comment_alarm({rule}, 1, '')", True),
    (Action.COMMENT, "SELECT * FROM set_note({rule}, 'another', 'x')", True),
    (Action.SET_COMMENTS, "SELECT * FROM set_comments({place}, '{{9}}', '{{}}', '')", True),
    (Action.CONFIGURE, "SELECT * FROM configure_rule({rule}, '{{\"priority\": 99}}', '')", True),
    (
        Action.CONFIGURE,
        (
            "SELECT is_done, words FROM change_rules(jsonb_build_array(jsonb_build_object('level', 'rule', 'id', {rule},"
            " 'settings', '{{\"priority\": [99, 1]}}'::jsonb)), 'x', false)"
        ),
        True,
    ),
    (Action.CONFIGURE, "SELECT * FROM configure_tag({tag}, '{{\"decimals\": 99}}', '')", True),
    (Action.MANAGE_PEOPLE, "SELECT * FROM create_person('Bad Name', 'x', NULL, {place}, 'viewer')", False),
    (Action.MANAGE_PEOPLE, "SELECT * FROM set_membership('nobody', {place}, 'viewer', true, '')", False),
    (Action.MANAGE_PEOPLE, "SELECT * FROM set_enabled('p_{place}', NULL, '')", False),
    (Action.MANAGE_PEOPLE, "SELECT * FROM reset_password('p_{place}', 'no verifier', '')", False),
    (Action.MANAGE_INSTALLATION, "SELECT * FROM set_membership('station', {place}, 'operator', true, '')", False),
    (Action.MANAGE_INSTALLATION, "SELECT * FROM set_enabled('station', NULL, '')", False),
    (Action.MANAGE_INSTALLATION, "SELECT * FROM reset_password('station', 'no verifier', '')", False),
    (Action.MANAGE_INSTALLATION, "SELECT * FROM save_municipality('', '')", False),
    (Action.MANAGE_INSTALLATION, "SELECT * FROM create_station('Bad Name', 'x', NULL, '{{}}')", False),
)


# work is planned by who may shelve, and by who may take out of service as well
SERVICE_TOO = frozenset(call for _, call, _ in ACTS if "_work(" in call)
# what the reading functions give of a tag or rule
ROWS_OF = (
    "SELECT 1 FROM read_latest(ARRAY[{tag}], 0, '{{}}')",
    "SELECT 1 FROM read_latest(ARRAY[{tag}], 1000, ARRAY[{tag}])",
    "SELECT 1 FROM read_alarms(0) WHERE rule_id = {rule}",
    "SELECT 1 FROM read_alarms(-1) WHERE rule_id = {rule}",
    "SELECT 1 FROM read_journal({rule}, 9)",
    "SELECT 1 FROM read_rule_changes({rule}, 9)",
    "SELECT 1 FROM read_alarm_events('2000-01-01', '2100-01-01', 99) WHERE {rule} = ANY (rules)",
    "SELECT 1 FROM read_standing('2100-01-01') WHERE rule_id = {rule}",
    "SELECT 1 FROM read_set_aside('2002-01-01') WHERE rule_id = {rule}",
    "SELECT 1 FROM search_journal('{{}}', NULL, 1000) WHERE rule_id = {rule}",
    'SELECT 1 FROM search_journal(\'{{"text": "n", "municipality": {place}}}\', NULL, 1000) WHERE rule_id = {rule}',
    "SELECT 1 FROM read_opening('{{}}', '2100-01-01') WHERE rule_id = {rule}",
    "SELECT 1 FROM read_samples({tag}, '2000-01-01', '2100-01-01', 9)",
    "SELECT 1 FROM read_samples({tag}, '2100-01-01', '2100-01-02', 9)",
    "SELECT 1 FROM read_columns({tag}, '2000-01-01', '2100-01-01', 3600)",
    "SELECT 1 FROM read_columns({tag}, '2100-01-01', '2100-01-02', 3600)",
    "SELECT 1 FROM read_rollups({tag}, '2000-01-01', '2100-01-01', 3600)",
    "SELECT 1 FROM read_sample_page({tag}, '2000-01-01', '2100-01-01', 0, 9)",
)
ALARMS = (
    "INSERT INTO alarm (rule_id, is_active, is_acknowledged, event_id, quality, seq)"
    " SELECT id, true, true, 1, 0, id FROM alarm_rule"
)
# a suppression of one cause, and work on the first asset that has ended already, so that nobody ends it
HOLDS = (
    (
        "INSERT INTO suppression (municipality_id, name, cause, cause_tag_id, kind, cause_limit, deadband, on_delay_s, delay_s)"
        " SELECT municipality_id, 'x', 'x', min(id), 'H', 0, 0, 0, 0 FROM tag GROUP BY municipality_id"
    ),
    (
        "INSERT INTO suppression_consequence SELECT s.id, r.id, r.municipality_id FROM suppression AS s"
        " JOIN alarm_rule AS r USING (municipality_id)"
    ),
    (
        "INSERT INTO planned_work (id, municipality_id, asset_id, work_order, reason, person, station, begin_time, end_time,"
        " ended_time, ended_by) SELECT municipality_id, municipality_id, min(id), '', 'x', 'x', '', now(), now(), now(), 'x'"
        " FROM asset WHERE parent_id IS NOT NULL GROUP BY municipality_id"
    ),
)
LINKS = (
    "INSERT INTO link_status (connection_id, state, since, reason, values_per_s, received, dropped)"
    " SELECT id, 'up', now(), '', 1, 1, 0 FROM connection"
)
JOURNAL = (
    "INSERT INTO alarm_journal (rule_id, event_id, happening, previous_state, state, trigger, source_time, quality, alarm_limit,"
    " priority, message) SELECT id, 1, 'raised', 'NORM', 'UNACK', 'process', now(), 0, 0, 1, 'x' FROM alarm_rule"
)
# all were shelved once
SHELVED = (
    "INSERT INTO alarm_journal (id, commit_time, rule_id, event_id, happening, previous_state, state, trigger, source_time,"
    " quality, alarm_limit, priority, message) SELECT id, '2001-01-01', id, 1, 'shelved', 'NORM', 'SHLVD', 'operator', now(),"
    " 0, 0, 1, 'x' FROM alarm_rule"
)
CHANGES = (
    "INSERT INTO rule_change (municipality_id, level, object_id, is_record, station, reason, old, new)"
    " SELECT municipality_id, 'rule', id, false, '', '', '{}', '{}' FROM alarm_rule"
)


@dataclass(frozen=True)
class Town:
    """A database with two municipalities and people of every role."""

    server: EmbeddedServer
    owner: Engine
    urls: Mapping[str, URL]
    tags: Mapping[int, int]
    rules: Mapping[int, int]
    assets: Mapping[int, int]

    def asked(self, call: str, place: int) -> str:
        """Return the call about what the municipality has."""
        names = {"rule": self.rules[place], "tag": self.tags[place], "asset": self.assets[place], "place": place}
        return call.format(**names).replace(":", "\\:")

    def sees(self, login: str, place: int) -> bool:
        return login.startswith("n_") or (login.startswith("m_") and place == HERE)

    def may(self, login: str, action: Action, place: int) -> bool:
        kind, _, role = login.partition("_")
        is_held = role in {one.value for one in MATRIX[action]}
        return is_held and (kind == "n" or (place == HERE and action not in NATIONAL_ONLY))


@pytest.fixture(scope="module")
def town(server: EmbeddedServer) -> Iterator[Town]:
    with own_database(server, DATABASE):
        owner = make_engine(server.url("postgres", DATABASE), "owner")
        with owner.begin() as connection:
            for key in ("here", "elsewhere"):
                import_plant(connection, plant(key))
            tags = {place: _first(connection, "tag", place) for place in (HERE, ELSEWHERE)}
            rules = {place: _first(connection, "alarm_rule", place) for place in (HERE, ELSEWHERE)}
            leaves = "SELECT municipality_id, min(id) FROM asset WHERE parent_id IS NOT NULL GROUP BY 1"
            assets = {row[0]: int(row[1]) for row in connection.execute(text(leaves))}
            _fill(connection)
        urls = {
            f"{kind}_{role}": make(server, DATABASE, f"{kind}_{role}", (role.value, HERE if kind == "m" else None))
            for kind in ("m", "n")
            for role in Role
        }
        for place in (HERE, ELSEWHERE):
            make(server, DATABASE, f"p_{place}", ("viewer", place))
        with owner.begin() as connection:
            make(server, DATABASE, "o_nobody", ("viewer", HERE))
            connection.execute(text("DELETE FROM membership WHERE login = 'o_nobody'"))
            connection.execute(text("SELECT follow_memberships('o_nobody')"))
        urls["o_nobody"] = urls["m_viewer"].set(username="o_nobody")
        yield Town(server, owner, urls, tags, rules, assets)
        owner.dispose()


def _first(connection: Connection, table: str, place: int) -> int:
    found = connection.execute(text(f"SELECT min(id) FROM {table} WHERE municipality_id = :place"), {"place": place})
    return int(found.scalar_one())


def _fill(connection: Connection) -> None:
    """Give every tag a sample and every rule an acknowledged alarm, so that nobody's acknowledgement changes it."""
    for statement in (
        "SELECT ensure_sample_partitions(current_date, current_date)",
        "INSERT INTO sample SELECT now(), 1, id, 0, municipality_id FROM tag",
        "INSERT INTO latest SELECT id, 1, 0, now(), now(), id, municipality_id FROM tag",
        LINKS,
        ALARMS,
        SHELVED,
        JOURNAL,
        CHANGES,
        *HOLDS,
    ):
        connection.execute(text(statement))


LOGINS = (*(f"{kind}_{role}" for kind in ("m", "n") for role in Role), "o_nobody")


@pytest.mark.parametrize("login", LOGINS)
def test_every_action_is_allowed_or_refused_as_the_matrix_says(town: Town, login: str) -> None:
    engine = open_person(town.urls[login], "desk 1").execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for action, call, is_of_a_thing in ACTS:
            for place in (HERE, ELSEWHERE):
                _, words = connection.execute(text(town.asked(call, place))).one()
                is_refused = words == refusal(action)
                if is_of_a_thing and not town.sees(login, place):
                    # what one may not see does not exist, whatever one may do
                    assert words.startswith("There is no such"), (action, place, words)
                else:
                    is_allowed = town.may(login, action, place) or (
                        call in SERVICE_TOO and town.may(login, Action.SERVICE, place)
                    )
                    assert is_refused is not is_allowed, (action, place, words)
                if is_refused:
                    _assert_recorded(town, login, refusal(action))
    engine.dispose()


def _assert_recorded(town: Town, login: str, words: str) -> None:
    newest = text("SELECT is_done, reason, station FROM audit WHERE person = :login ORDER BY id DESC LIMIT 1")
    with town.owner.connect() as connection:
        row = connection.execute(newest, {"login": login}).one()
    assert (row.is_done, row.station) == (False, "desk 1")
    assert row.reason.startswith(words)


@pytest.mark.parametrize("login", LOGINS)
def test_nobody_acts_without_a_session(town: Town, login: str) -> None:
    engine = make_engine(town.urls[login], "raw").execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for _, call, _ in ACTS:
            assert tuple(connection.execute(text(town.asked(call, HERE))).one()) == (False, NOT_SIGNED_IN)
        if login != "o_nobody":
            assert connection.execute(text("SELECT count(*) FROM tag")).scalar() == 0
    engine.dispose()


# --- tables


def expected(login: str, table: str, deed: str) -> bool:
    """Return what is declared: who may do what to a table directly."""
    is_partition = table.startswith("sample_")
    if login == "collector":
        if deed == "SELECT":
            return table in VIEWED
        if deed == "INSERT":
            return table in KEPT_BY_COLLECTOR | {"sample"} or is_partition
        return deed in ("UPDATE", "DELETE") and table in KEPT_BY_COLLECTOR
    return deed == "SELECT" and login != "o_nobody" and (table == "alembic_version" or table in SEEN | REPORTS)


def surprises(town: Town, login: str, url: URL) -> list[str]:
    """Return every table and deed where the database does other than declared, found by trying."""
    names = text(
        "SELECT CASE relnamespace WHEN 'public'::regnamespace THEN '' ELSE relnamespace::regnamespace || '.' END || relname"
        " FROM pg_class WHERE relnamespace IN ('public'::regnamespace, 'seen'::regnamespace, 'report'::regnamespace)"
        "  AND relkind IN ('r','p','v','m')"
    )
    first = text("SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:name) AND attnum > 0 LIMIT 1")
    with town.owner.connect() as connection:
        tables = {
            name: connection.execute(first, {"name": name}).scalar() for name in connection.execute(names).scalars()
        }
    engine = make_engine(url, "raw") if login in ("collector", "station") else open_person(url, "desk 1")
    found = []
    with engine.connect() as connection:
        for table, column in tables.items():
            for deed, statement in _deeds(table, str(column)):
                if _is_allowed(connection, statement) is not expected(login, table, deed):
                    found.append(f"{login} {deed} {table}")
    engine.dispose()
    return found


def _deeds(table: str, column: str) -> tuple[tuple[str, str], ...]:
    table = table if table in SEEN | REPORTS else f"public.{table}"
    return (
        ("SELECT", f"SELECT 1 FROM {table} LIMIT 1"),
        ("INSERT", f"INSERT INTO {table} DEFAULT VALUES"),
        ("UPDATE", f"UPDATE {table} SET {column} = NULL WHERE false"),
        ("DELETE", f"DELETE FROM {table} WHERE false"),
        ("TRUNCATE", f"TRUNCATE {table}"),
    )


IS_VIEW = re.compile(r"cannot (insert into|update|delete from) view|is not a table")


def _is_allowed(connection: Connection, statement: str) -> bool:
    try:
        connection.exec_driver_sql(statement)
    except Exception as fault:  # noqa: BLE001 - whatever else the table objects to, the right was there
        is_refused = isinstance(getattr(fault, "orig", fault), InsufficientPrivilege) and "policy" not in str(fault)
        # what is read through a function takes nothing
        return not is_refused and not IS_VIEW.search(str(fault))
    finally:
        connection.rollback()
    return True


@pytest.mark.parametrize("login", [*LOGINS, "station", "collector"])
def test_every_table_is_open_as_declared_and_no_further(town: Town, login: str) -> None:
    assert surprises(town, login, _url(town, login)) == []


def _url(town: Town, login: str) -> URL:
    return town.urls.get(login) or town.server.url(login, DATABASE)


@pytest.mark.parametrize("login", [*(one for one in LOGINS if one != "o_nobody"), "station"])
def test_only_rows_of_ones_own_municipalities_are_seen(town: Town, login: str) -> None:
    places = {HERE} if login.startswith("m_") else {HERE, ELSEWHERE}
    engine = make_engine(_url(town, login), "raw") if login == "station" else open_person(_url(town, login), "desk 1")
    with engine.connect() as connection:
        for table in sorted(SHOWN & TENANTS):
            found = connection.exec_driver_sql(f"SELECT DISTINCT municipality_id FROM {table}").scalars().all()
            assert set(found) == places, table
        for call in ROWS_OF:
            asked = {
                place: call.format(rule=town.rules[place], tag=town.tags[place], place=place)
                for place in (HERE, ELSEWHERE)
            }
            giving = {place for place, query in asked.items() if connection.exec_driver_sql(query).first()}
            assert giving == places, call
        announced = connection.exec_driver_sql("SELECT sum(many) FROM read_announced('-infinity')").scalar()
        assert announced == connection.exec_driver_sql("SELECT count(*) FROM alarm_rule").scalar()
        newest = connection.exec_driver_sql("SELECT newest_alarm_seq() - max(seq) FROM alarm").scalar()
        assert newest == 0
        assert set(connection.exec_driver_sql("SELECT id FROM municipality").scalars()) == places
    engine.dispose()


def test_the_audit_of_a_municipality_is_for_its_own_auditor(town: Town) -> None:
    for login, places in (("m_auditor", {HERE}), ("n_auditor", {HERE, ELSEWHERE, None})):
        engine = open_person(town.urls[login], "desk 1")
        with engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT municipality_id, id FROM read_audit('{}', NULL, 1000)").all()
        found = {row.municipality_id for row in rows}
        assert found <= places
        assert (None in found) is (None in places)
        # entries are numbered over all municipalities
        assert {row.id is None for row in rows} == {None not in places}
        engine.dispose()


@pytest.mark.parametrize("login", LOGINS)
def test_who_is_on_shift_is_told_as_the_matrix_says(town: Town, login: str) -> None:
    engine = open_person(town.urls[login], "desk 1")
    with engine.connect() as connection:
        is_told = bool(connection.exec_driver_sql("SELECT * FROM list_sessions()").all())
    engine.dispose()
    assert is_told is town.may(login, Action.SEE_SHIFT, HERE)


# --- functions


def wider(connection: Connection) -> list[str]:
    """Return every right to call a function that is not declared, and every declared one that is missing."""
    rows = connection.execute(
        text(
            "SELECT CASE p.pronamespace WHEN 'public'::regnamespace THEN '' ELSE p.pronamespace::regnamespace || '.' END"
            " || p.proname, coalesce(r.rolname, 'everybody') FROM pg_proc AS p"
            " CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a"
            " LEFT JOIN pg_roles AS r ON r.oid = a.grantee"
            " WHERE p.pronamespace IN ('public'::regnamespace, 'seen'::regnamespace, 'report'::regnamespace)"
            " AND a.grantee <> p.proowner"
        )
    )
    declared = {(name, group) for group, names in CALLS.items() for name in names}
    return sorted(f"{group} {name}" for name, group in {tuple(row) for row in rows} ^ declared)


def undeclared(connection: Connection) -> list[str]:
    """Return every grant on a table, column or sequence and every policy that is not declared, or is missing."""
    grants = connection.execute(
        text(
            "SELECT coalesce(r.rolname, 'everybody'), a.privilege_type, a.place FROM ("
            "  SELECT c.relowner, CASE c.relnamespace WHEN 'public'::regnamespace THEN ''"
            "    ELSE c.relnamespace::regnamespace || '.' END"
            "    || regexp_replace(c.relname, '^sample_.+', 'sample_*') AS place, (aclexplode(c.relacl)).*"
            "  FROM pg_class AS c"
            "  WHERE c.relnamespace IN ('public'::regnamespace, 'seen'::regnamespace, 'report'::regnamespace)"
            "  UNION SELECT c.relowner, c.relname || '.' || t.attname, (aclexplode(t.attacl)).* FROM pg_attribute AS t"
            "  JOIN pg_class AS c ON c.oid = t.attrelid WHERE c.relnamespace = 'public'::regnamespace"
            ") AS a LEFT JOIN pg_roles AS r ON r.oid = a.grantee WHERE a.grantee <> a.relowner"
        )
    )
    policies = connection.execute(
        text("SELECT policyname, tablename, array(SELECT unnest(roles) ORDER BY 1)::text FROM pg_policies")
    )
    found = {tuple(row) for row in grants} ^ GRANTS | {tuple(row) for row in policies} ^ POLICIES
    open_tables = connection.execute(
        text(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
            " AND NOT relispartition AND NOT relrowsecurity"
        )
    )
    found |= {("without policy", name) for name in set(open_tables.scalars()) ^ WITHOUT_POLICY}
    return sorted(" ".join(one) for one in found)


def test_grants_and_policies_are_as_declared_and_no_further(town: Town) -> None:
    with town.owner.connect() as connection:
        assert undeclared(connection) == []


@pytest.mark.parametrize(
    ("planted", "seen"),
    [
        ("GRANT SELECT ON account TO viewer", "viewer SELECT account"),
        ("GRANT SELECT ON tag TO viewer", "viewer SELECT tag"),
        ("GRANT SELECT ON seen.tag TO person", "person SELECT seen.tag"),
        ("GRANT SELECT ON report.tags TO PUBLIC", "everybody SELECT report.tags"),
        ("GRANT SELECT ON sample_default TO PUBLIC", "everybody SELECT sample_*"),
        ("GRANT UPDATE (priority) ON alarm_rule TO m_engineer", "m_engineer UPDATE alarm_rule.priority"),
        ("GRANT USAGE ON SEQUENCE alarm_seq TO person", "person USAGE alarm_seq"),
        ("CREATE POLICY wide ON tag FOR SELECT TO reader_service USING (true)", "wide tag {reader_service}"),
        ("ALTER TABLE tag DISABLE ROW LEVEL SECURITY", "without policy tag"),
        ("CREATE TABLE forgotten (id integer)", "without policy forgotten"),
    ],
)
def test_an_over_wide_grant_or_policy_is_found_in_the_catalogue(town: Town, planted: str, seen: str) -> None:
    with town.owner.connect() as connection:
        connection.exec_driver_sql(planted)
        assert undeclared(connection) == [seen]
        connection.rollback()


def test_functions_are_granted_as_declared_and_no_further(town: Town) -> None:
    with town.owner.connect() as connection:
        assert wider(connection) == []


def test_whoever_reads_for_people_is_bound_by_the_policies(town: Town) -> None:
    owners = text(
        "SELECT p.proname, p.proowner::regrole::text FROM pg_proc AS p WHERE p.prosecdef"
        " AND (p.proname = ANY(:reads) OR p.pronamespace = 'seen'::regnamespace)"
    )
    with town.owner.connect() as connection:
        found = connection.execute(owners, {"reads": [*READS, "read_audit"]}).all()
        of_tables = text("SELECT count(*) FROM pg_class WHERE relowner = 'reader_service'::regrole")
        assert connection.execute(of_tables).scalar() == 0
        powers = text("SELECT rolsuper OR rolbypassrls OR rolcanlogin FROM pg_roles WHERE rolname = 'reader_service'")
        assert connection.execute(powers).scalar() is False
        reports = connection.execute(
            text(
                "SELECT p.proname, p.proowner::regrole::text, rolsuper OR rolbypassrls OR rolcanlogin FROM pg_proc AS p"
                " JOIN pg_roles AS r ON r.oid = p.proowner WHERE p.pronamespace = 'report'::regnamespace AND p.prosecdef"
            )
        ).all()
    assert {name for name, _ in found} == READS | {"read_audit"} | {f"{name}_rows" for name in SHOWN}
    assert {owner for _, owner in found} == {"reader_service"}
    assert {tuple(row) for row in reports} == {(name[7:], "report_service", False) for name in REPORT_CALLS}


def test_what_acts_with_more_rights_than_its_caller_has_a_fixed_search_path_and_shows_no_plan(town: Town) -> None:
    with town.owner.connect() as connection:
        loose = connection.execute(
            text(
                "SELECT proname FROM pg_proc WHERE pronamespace::regnamespace::text IN ('public', 'seen', 'report') AND prosecdef"
                " AND NOT coalesce(proconfig @> '{\"search_path=pg_catalog, pg_temp\", debug_print_plan=off}', false)"
            )
        ).scalars()
        assert list(loose) == []


@pytest.mark.parametrize(
    ("plant_it", "pull_it", "login", "seen"),
    [
        ("GRANT SELECT ON account TO viewer", "REVOKE SELECT ON account FROM viewer", "m_viewer", "SELECT account"),
        ("GRANT DELETE ON audit TO person", "REVOKE DELETE ON audit FROM person", "n_operator", "DELETE audit"),
    ],
)
def test_an_over_wide_grant_is_found(town: Town, plant_it: str, pull_it: str, login: str, seen: str) -> None:
    with town.owner.begin() as connection:
        connection.exec_driver_sql(plant_it)
    try:
        assert surprises(town, login, town.urls[login]) == [f"{login} {seen}"]
    finally:
        with town.owner.begin() as connection:
            connection.exec_driver_sql(pull_it)


@pytest.mark.parametrize(
    ("planted", "seen"),
    [
        ("GRANT EXECUTE ON FUNCTION set_password(text, text, boolean) TO person", "person set_password"),
        ("GRANT EXECUTE ON FUNCTION audit_hash TO m_viewer", "m_viewer audit_hash"),
        ("GRANT EXECUTE ON FUNCTION report.samples TO PUBLIC", "everybody report.samples"),
        ("CREATE FUNCTION forgotten() RETURNS integer LANGUAGE sql AS 'SELECT 1'", "everybody forgotten"),
    ],
)
def test_an_over_wide_function_is_found(town: Town, planted: str, seen: str) -> None:
    with town.owner.connect() as connection:
        connection.exec_driver_sql(planted)
        assert wider(connection) == [seen]
        connection.rollback()


def test_a_policy_that_shows_too_much_is_found(town: Town) -> None:
    with town.owner.begin() as connection:
        connection.exec_driver_sql("CREATE POLICY wide ON tag FOR SELECT TO reader_service USING (true)")
    try:
        with pytest.raises(AssertionError, match="tag"):
            test_only_rows_of_ones_own_municipalities_are_seen(town, "m_viewer")
    finally:
        with town.owner.begin() as connection:
            connection.exec_driver_sql("DROP POLICY wide ON tag")


# --- one source


def test_the_database_holds_the_matrix(town: Town) -> None:
    with town.owner.connect() as connection:
        rights = {tuple(row) for row in connection.execute(text("SELECT role, action FROM role_right"))}
        actions = {tuple(row) for row in connection.execute(text("SELECT key, title, is_national FROM action"))}
    assert rights == {(role.value, action.value) for action, roles in MATRIX.items() for role in roles}
    assert actions == {(one.value, TITLES[one], one in NATIONAL_ONLY) for one in Action}


def test_the_handbook_holds_the_matrix() -> None:
    page = (Path(resources.FOLDER) / "handbook" / "roles.md").read_text(encoding="utf-8")
    rows = [line.strip("| \n").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    head, *body = rows
    assert head == ["a person may", *(role.value for role in Role)]
    found = {(row[0], role) for row in body for role, mark in zip(Role, row[1:], strict=True) if mark.strip() == "yes"}
    assert found == {(TITLES[action], role) for action, roles in MATRIX.items() for role in roles}


def test_a_wrong_password_and_an_unknown_name_are_told_alike(town: Town) -> None:
    said = []
    for login in ("m_viewer", "nobody_at_all"):
        engine = make_engine(town.urls["m_viewer"].set(username=login, password="guess"), "raw")
        with pytest.raises(Exception, match="password authentication failed") as refused, engine.connect():
            pass
        said.append(str(refused.value).replace(login, "X").splitlines()[0])
        engine.dispose()
    assert said[0] == said[1]


def test_a_function_that_is_not_ones_own_is_refused_by_the_server(town: Town) -> None:
    engine = make_engine(town.urls["n_administrator"], "raw")
    for call in ("set_password('m_viewer', 'x', false)", "write_audit('a', 'b', 1, NULL, NULL, NULL, '')"):
        with engine.connect() as connection, pytest.raises(ProgrammingError, match="permission denied"):
            connection.exec_driver_sql(f"SELECT {call}")
    engine.dispose()
