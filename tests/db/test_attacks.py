"""Attacks: what somebody with a client of their own, a stolen password or a clever text might try."""

import threading
from collections.abc import Iterator
from functools import partial
from itertools import product

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from control_room.core.access import NOT_SIGNED_IN, Action, Membership, Role, refusal
from control_room.core.errors import ControlRoomError, Refused, SessionEnded, WrongCredentials
from db.embedded import EmbeddedServer
from db.engine import make_engine, translated
from db.people import (
    create_person,
    end_session,
    list_sessions,
    open_person,
    report_failed_sign_in,
    reset_password,
    set_enabled,
    set_membership,
    sign_in_wait_s,
    sign_out,
    who_am_i,
)
from db.schema import _config, upgrade
from db.tag_store import import_plant
from tests.db.people import WORD, count_ids, make
from tests.plants import plant

EVIL = "x'); DROP TABLE tag; --"
TEXTS = (EVIL, '"; DROP ROLE collector; --', "$$; SELECT 1; $$", "%I %L %s", "\\'; --", "é" * 600, "", "pg_catalog")
# every function with a text that a person can type; :evil stands for it
CALLS = (
    "sign_out(:evil)",
    "acknowledge_alarms('{1}', '{1}', :evil)",
    "comment_alarm(1, 1, :evil)",
    "configure_rule(1, jsonb_build_object('message', (:evil) ::text, 'kind', (:evil) ::text), :evil)",
    "configure_tag(1, jsonb_build_object('name', (:evil) ::text, 'key', (:evil) ::text), :evil)",
    "create_person(:evil, :evil, :evil, 1, :evil)",
    "set_membership(:evil, 1, :evil, true, :evil)",
    "set_enabled(:evil, false, :evil)",
    "reset_password(:evil, :evil, :evil)",
    "end_session(1000, :evil)",
    "save_municipality(:evil, :evil)",
    "create_station(:evil, :evil, :evil, '{1}')",
    "change_password(:evil)",
    "sign_in(:evil)",
)
NOT_GRANTED = (
    "SELECT write_audit('a', 'b', 1, NULL, NULL, NULL, '')",
    "SELECT set_password('ada', 'x', false)",
    "SELECT make_account('x1', 'person', 'x', NULL, false)",
    "SELECT close_sessions('ada', 'x')",
    "SELECT follow_memberships('ada')",
    "SELECT may('ada', 'acknowledge', 2)",
    "SELECT refusal_for('ada')",
    "SELECT my_session()",
    "SELECT audit_hash('', NULL)",
    "SELECT report_failed_sign_in('ada')",
    "SELECT ensure_sample_partitions(current_date, current_date)",
    "INSERT INTO public.audit (id) VALUES (1)",
    "UPDATE public.audit SET reason = ''",
    "DELETE FROM public.audit",
    "DELETE FROM public.alarm_journal",
    "UPDATE public.alarm SET is_acknowledged = true",
    "SELECT settings FROM public.connection",
    "SELECT * FROM sample_default",
    "SELECT last_value FROM alarm_seq",
    "SELECT nextval('latest_seq')",
    "SELECT * FROM session",
    "SELECT verifier FROM password_history",
    "SELECT rolpassword FROM pg_authid",
    "CREATE TABLE public.mine (x int)",
    "ALTER ROLE collector PASSWORD 'x'",
    "GRANT administrator TO ada",
    "SET ROLE administrator",
    "SET SESSION AUTHORIZATION postgres",
    "COPY tag TO PROGRAM 'true'",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT lo_import('postgresql.conf')",
)
AUTO = {"isolation_level": "AUTOCOMMIT"}


@pytest.fixture(autouse=True)
def plants(owner: Engine) -> None:
    with owner.begin() as connection:
        count_ids(connection)
        import_plant(connection, plant("north"))
        import_plant(connection, plant("south"))
        connection.execute(
            text(
                "INSERT INTO alarm (rule_id, is_active, is_acknowledged, event_id, quality, seq)"
                " SELECT id, true, false, 1, 0, id FROM alarm_rule"
            )
        )


@pytest.fixture
def everybody(server: EmbeddedServer, database: str) -> Iterator[Engine]:
    """Return an engine of somebody who holds every role everywhere."""
    url = make(server, database, "eve", *((role.value, None) for role in Role))
    engine = open_person(url, "desk 1").execution_options(**AUTO)
    yield engine
    engine.dispose()


def test_no_text_becomes_a_statement(everybody: Engine, owner: Engine) -> None:
    with owner.connect() as connection:
        before = _content(connection)
    with everybody.connect() as connection:
        for call, evil in product(CALLS, TEXTS):
            connection.execute(text("SELECT sign_in('desk 1')"))
            connection.execute(text("SELECT * FROM " + call), {"evil": evil}).all()
    with owner.connect() as connection:
        assert _content(connection) == before
        assert connection.execute(text("SELECT first_broken FROM verify_audit()")).scalar() is None


def _content(connection: Connection) -> list[object]:
    """Return which tables, roles, accounts and keys there are: what an injected statement would have changed."""
    return [
        connection.execute(text(query)).scalars().all()
        for query in (
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1",
            "SELECT rolname FROM pg_roles ORDER BY 1",
            "SELECT login FROM account WHERE is_enabled ORDER BY 1",
            "SELECT key FROM tag ORDER BY id",
            "SELECT kind FROM alarm_rule ORDER BY id",
            "SELECT count(*) FROM membership",
        )
    ]


def test_objects_of_ones_own_are_not_taken_for_ours(server: EmbeddedServer, database: str) -> None:
    engine = open_person(make(server, database, "mallory", ("viewer", 1)), "desk 1").execution_options(**AUTO)
    with engine.connect() as connection:
        for statement in (
            "CREATE TEMP TABLE membership (login text, municipality_id int, role text)",
            "INSERT INTO membership VALUES ('mallory', NULL, 'administrator'), ('mallory', NULL, 'operator')",
            "CREATE TEMP TABLE account AS SELECT 'mallory'::text AS login, true AS is_enabled",
            "CREATE FUNCTION pg_temp.may(text, text, integer) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
            "SET search_path = pg_temp, public",
        ):
            connection.exec_driver_sql(statement)
        answer = connection.exec_driver_sql("SELECT answer FROM public.acknowledge_alarms('{1}', '{1}', 'x')").scalar()
        assert answer == refusal(Action.ACKNOWLEDGE)
        assert connection.exec_driver_sql("SELECT count(DISTINCT municipality_id) FROM seen.tag").scalar() == 1
    engine.dispose()


def test_what_is_not_granted_is_refused_by_the_server(operator: Engine) -> None:
    with operator.connect() as connection:
        for statement in NOT_GRANTED:
            with pytest.raises(DBAPIError) as refused:
                connection.exec_driver_sql(statement)
            connection.rollback()
            assert getattr(refused.value.orig, "sqlstate", "") in ("42501", "0LP01"), statement


def test_the_servers_own_views_tell_nothing_of_another_tenant(
    server: EmbeddedServer, database: str, station: Engine, owner: Engine
) -> None:
    with owner.begin() as connection:
        connection.exec_driver_sql("ANALYZE")
    engine = open_person(make(server, database, "tom", ("auditor", 1)), "desk 1")
    with station.connect() as other, engine.connect() as connection:
        other.exec_driver_sql("SELECT 'secret of the south'")
        queries = connection.exec_driver_sql("SELECT query FROM pg_stat_activity WHERE usename <> 'tom'").scalars()
        assert not [one for one in queries if "secret" in str(one)]
        assert (
            connection.exec_driver_sql("SELECT count(*) FROM pg_stats WHERE tablename IN ('tag', 'alarm')").scalar()
            == 0
        )
        plan = "\n".join(connection.exec_driver_sql("EXPLAIN SELECT * FROM tag WHERE name LIKE 'T%%'").scalars())
        assert "South" not in plan
        # a filter of one's own may not see rows before the policy does
        leak = "SELECT count(*) FROM tag WHERE 1 / (municipality_id - 2) IS NOT NULL"
        assert connection.exec_driver_sql(leak).scalar() == 4
    engine.dispose()


def test_what_lies_elsewhere_and_what_is_nowhere_are_told_alike(server: EmbeddedServer, database: str) -> None:
    engine = open_person(make(server, database, "tom", ("operator", 1), ("engineer", 1)), "desk 1")
    with engine.connect() as connection:
        for call in (
            "acknowledge_alarms('{{{}}}', '{{1}}', '')",
            "comment_alarm({}, 1, 'x')",
            "configure_rule({}, '{{}}', '')",
        ):
            elsewhere, nowhere = (
                tuple(connection.exec_driver_sql("SELECT * FROM " + call.format(rule)).one())[-1]
                for rule in (15, 999_999)
            )
            assert elsewhere == nowhere
    engine.dispose()


def test_notifications_carry_nothing(operator: Engine, station: Engine) -> None:
    with station.execution_options(**AUTO).connect() as listening, operator.begin() as connection:
        for channel in ("alarms", "people", "configuration", "samples", "process", "status"):
            listening.exec_driver_sql(f"LISTEN {channel}")
        connection.exec_driver_sql("SELECT * FROM acknowledge_alarms('{1}', '{1}', 'seen')")
        connection.commit()
        heard = list(listening.connection.driver_connection.notifies(timeout=2, stop_after=1))  # type: ignore[union-attr]
    assert [(one.channel, one.payload) for one in heard] == [("process", "")]


def test_a_stolen_station_password_may_only_look_and_lock_nobody_elsewhere(
    server: EmbeddedServer, database: str, station: Engine
) -> None:
    url = make(server, database, "ada", ("operator", None))
    with station.execution_options(**AUTO).connect() as thief:
        for _ in range(6):
            report_failed_sign_in(thief, "ada")
        assert sign_in_wait_s(thief, "ada") > 800
        with pytest.raises(DBAPIError):
            thief.exec_driver_sql("SELECT * FROM acknowledge_alarms('{1}', '{1}', '')")
    engine = open_person(url, "another desk")
    with engine.connect() as connection:
        assert who_am_i(connection).login == "ada"
    engine.dispose()
    locked = open_person(url, "station")
    with pytest.raises(SessionEnded, match="locked at this station"), locked.connect():
        pass


def test_a_session_is_of_one_connection_and_ends_for_good(server: EmbeddedServer, database: str, owner: Engine) -> None:
    url = make(server, database, "ada", ("operator", None))
    raw = make_engine(url, "replay").execution_options(**AUTO)
    engine = open_person(url, "desk 1").execution_options(**AUTO)
    acknowledge = "SELECT answer FROM acknowledge_alarms('{1}', '{1}', '')"
    with engine.connect() as connection, raw.connect() as other:
        assert other.exec_driver_sql(acknowledge).scalar() == NOT_SIGNED_IN
        with owner.begin() as hands:
            hands.exec_driver_sql("UPDATE session SET expires_time = now() - interval '1 second' WHERE login = 'ada'")
        assert connection.exec_driver_sql(acknowledge).scalar() == NOT_SIGNED_IN
        sign_out(connection, "x")
    with pytest.raises(SessionEnded, match="expired"), engine.connect():
        pass
    engine.dispose()
    raw.dispose()


def test_an_administrator_ends_a_session_and_it_does_not_come_back_by_itself(
    server: EmbeddedServer, database: str
) -> None:
    boss = open_person(make(server, database, "anna", ("administrator", None)), "office").execution_options(**AUTO)
    ada = open_person(make(server, database, "ada", ("operator", None)), "desk 1").execution_options(**AUTO)
    with boss.connect() as office, ada.connect() as desk:
        [one] = [one for one in list_sessions(office) if one.login == "ada"]
        end_session(office, one.id, "end of the shift")
        with pytest.raises(OperationalError):
            who_am_i(desk)
        desk.invalidate()
    with pytest.raises(SessionEnded, match="ended by anna"), ada.connect():
        pass
    for engine in (boss, ada):
        engine.dispose()


def test_who_is_disabled_is_out_at_once_and_cannot_come_back(server: EmbeddedServer, database: str) -> None:
    boss = open_person(make(server, database, "anna", ("administrator", None)), "office").execution_options(**AUTO)
    url = make(server, database, "ada", ("operator", None))
    ada = open_person(url, "desk 1").execution_options(**AUTO)
    with boss.connect() as office, ada.connect() as desk:
        set_enabled(office, "ada", is_enabled=False, reason="left")
        with pytest.raises(OperationalError):
            who_am_i(desk)
        desk.invalidate()
        with pytest.raises(ControlRoomError) as out, translated(), open_person(url, "desk 1").connect():
            pass
        assert isinstance(out.value, WrongCredentials)
        with pytest.raises(Refused, match="themselves"):
            set_enabled(office, "anna", is_enabled=False)
    for engine in (boss, ada):
        engine.dispose()


def test_a_towns_administrator_does_not_reach_beyond_the_town(server: EmbeddedServer, database: str) -> None:
    make(server, database, "anna", ("administrator", None))
    town = open_person(make(server, database, "tom", ("administrator", 1)), "desk 1").execution_options(**AUTO)
    words = refusal(Action.MANAGE_PEOPLE)
    with town.connect() as connection:
        for attempt in (
            partial(reset_password, login="anna", password=WORD),
            partial(set_enabled, login="anna", is_enabled=False),
            partial(set_membership, login="tom", membership=Membership(None, Role.ADMINISTRATOR), is_held=True),
            partial(set_membership, login="tom", membership=Membership(2, Role.OPERATOR), is_held=True),
        ):
            with pytest.raises(Refused) as refused:
                attempt(connection)
            assert str(refused.value) == words
    town.dispose()


def test_who_must_change_the_password_can_do_nothing_else(server: EmbeddedServer, database: str) -> None:
    boss = open_person(make(server, database, "anna", ("administrator", None)), "office").execution_options(**AUTO)
    with boss.connect() as office:
        create_person(office, f"new-{database}".replace("_", "-"), "New", WORD, 1, Role.OPERATOR)
    url = server.url("station", database).set(username=f"new-{database}".replace("_", "-"), password=WORD)
    engine = open_person(url, "desk 1").execution_options(**AUTO)
    with engine.connect() as connection:
        assert who_am_i(connection).must_change_password
        answer = connection.exec_driver_sql("SELECT answer FROM acknowledge_alarms('{1}', '{1}', '')").scalar()
        assert answer in ("The password must be changed first.", "There is no such alarm.")
        assert connection.exec_driver_sql("SELECT count(*) FROM tag").scalar() == 0
    for one in (boss, engine):
        one.dispose()


# --- the chain


@pytest.mark.parametrize(
    ("forgery", "broken"),
    [
        ("UPDATE audit SET person = 'somebody' WHERE id = 3", 3),
        ("DELETE FROM audit WHERE id = 3", 3),
        ("UPDATE audit SET is_done = NOT is_done WHERE id = 5", 5),
    ],
)
def test_the_first_broken_row_is_named(operator: Engine, owner: Engine, forgery: str, broken: int) -> None:
    with operator.execution_options(**AUTO).connect() as connection:
        for _ in range(6):
            connection.exec_driver_sql("SELECT * FROM comment_alarm(1, 1, 'x')")
    with owner.begin() as connection:
        assert connection.exec_driver_sql("SELECT first_broken FROM verify_audit()").scalar() is None
        with pytest.raises(DBAPIError, match="append-only"), connection.begin_nested():
            connection.exec_driver_sql(forgery)
        connection.exec_driver_sql("SET session_replication_role = replica")
        connection.exec_driver_sql(forgery)
        assert connection.exec_driver_sql("SELECT first_broken FROM verify_audit()").scalar() == broken


def test_many_at_once_leave_no_gap(server: EmbeddedServer, database: str, owner: Engine) -> None:
    url = make(server, database, "ada", ("operator", None))

    def work(number: int) -> None:
        engine = open_person(url, f"desk {number}").execution_options(**AUTO)
        with engine.connect() as connection:
            for _ in range(25):
                connection.exec_driver_sql("SELECT * FROM comment_alarm(1, 1, 'x')")
        engine.dispose()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    with owner.connect() as connection:
        found = connection.exec_driver_sql("SELECT entries, first_broken FROM verify_audit()").one()
    assert found.first_broken is None
    assert found.entries >= 104


# --- upgrade


def test_what_is_in_an_older_database_learns_its_municipality(
    server: EmbeddedServer, database: str, owner: Engine
) -> None:
    from alembic import command

    with owner.begin() as connection:
        command.downgrade(_config(connection), "0002")
        for statement in (
            "SELECT ensure_sample_partitions(current_date, current_date)",
            "INSERT INTO sample (tag_id, source_time, value, quality) SELECT id, now(), id, 0 FROM tag",
            "INSERT INTO sample (tag_id, source_time, value, quality) SELECT id, '2001-01-01', id, 0 FROM tag",
            "INSERT INTO latest SELECT id, 1, 0, now(), now(), id FROM tag",
            (
                "INSERT INTO link_status (connection_id, state, since, reason, values_per_s, received, dropped)"
                " SELECT id, 'up', now(), '', 1, 1, 0 FROM connection"
            ),
            (
                "INSERT INTO alarm_journal (rule_id, event_id, previous_state, state, trigger, source_time, quality,"
                " alarm_limit, priority, message)"
                " SELECT id, 1, 'NORM', 'UNACK', 'process', now(), 0, 0, 1, 'x' FROM alarm_rule"
            ),
        ):
            connection.exec_driver_sql(statement)
        counts = _counts(connection)
    upgrade(server.url("postgres", database), server.credentials.passwords())
    with owner.connect() as connection:
        assert _counts(connection) == counts
        assert counts[-1] > 0
        for table, other in (("sample", "tag"), ("latest", "tag"), ("link_status", "connection")):
            wrong = (
                f"SELECT count(*) FROM {table} AS s JOIN {other} ON {other}.id = s.{other}_id"
                f" WHERE s.municipality_id <> {other}.municipality_id"
            )
            assert connection.exec_driver_sql(wrong).scalar() == 0
        for table in ("alarm", "alarm_journal"):
            wrong = (
                f"SELECT count(*) FROM {table} AS s JOIN alarm_rule AS r ON r.id = s.rule_id"
                " WHERE s.municipality_id <> r.municipality_id"
            )
            assert connection.exec_driver_sql(wrong).scalar() == 0
        found = connection.exec_driver_sql("SELECT DISTINCT happening FROM alarm_journal")
        assert found.scalars().all() == ["raised"]
        # what the collector tells next goes on from there
        odd = "SELECT count(*) FROM alarm WHERE is_active <> (process_number % 2 = 1) OR process_number < event_id"
        assert connection.exec_driver_sql(odd.replace("%", "%%")).scalar() == 0
    station = make_engine(server.url("station", database), "station")
    with station.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM latest").scalar() == counts[1]
        of_each = "SELECT sum(cardinality(times_s)) FROM tag CROSS JOIN LATERAL read_samples(id, '2000-01-01', '2100-01-01', 99)"
        assert connection.exec_driver_sql(of_each).scalar() == counts[0]
    station.dispose()


def _counts(connection: Connection) -> list[int]:
    return [
        int(connection.exec_driver_sql("SELECT count(*) FROM " + table).scalar_one())
        for table in ("sample", "latest", "alarm", "alarm_journal", "alarm_rule", "link_status")
    ]
