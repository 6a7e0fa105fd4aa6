"""Who holds on to what is no longer theirs, or holds others up: old connections, old sessions, open transactions, floods."""

import threading
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import URL, Engine, text

from control_room.core.access import Action, refusal
from db.access import scram_verifier
from db.embedded import EmbeddedServer
from db.tag_store import import_plant
from tests.db.people import count_ids, make, raw
from tests.plants import plant

Connection = psycopg.Connection[tuple[Any, ...]]
ALARMS = (
    "INSERT INTO alarm (rule_id, is_active, is_acknowledged, event_id, quality, seq)"
    " SELECT id, true, false, 1, 0, id FROM alarm_rule"
)
ACKNOWLEDGE = "SELECT answer FROM acknowledge_alarms('{1}', '{1}', '')"
COMMENT = "SELECT answer FROM comment_alarm(1, 1, 'x')"


@dataclass(frozen=True)
class House:
    """A database with the municipalities 1 and 2, and whoever enters it."""

    server: EmbeddedServer
    database: str
    owner: Engine

    def person(self, login: str, role: str, place: int | None = None) -> URL:
        return make(self.server, self.database, login, (role, place))

    def enter(self, login: str, role: str, place: int | None = None) -> Connection:
        return raw(self.person(login, role, place))

    def service(self, login: str) -> Connection:
        return raw(self.server.url(login, self.database), station="")

    def ask(self, query: str) -> Any:
        with self.owner.begin() as hands:
            found = hands.exec_driver_sql(query.replace("%", "%%"))
            return found.scalar() if found.returns_rows else None

    def verifier(self, login: str, word: str) -> str:
        with self.owner.connect() as hands:
            return scram_verifier(hands, login, word)


@pytest.fixture
def house(server: EmbeddedServer, database: str, owner: Engine) -> House:
    with owner.begin() as hands:
        count_ids(hands)
        for key in ("north", "south"):
            import_plant(hands, plant(key))
        hands.exec_driver_sql(ALARMS)
    return House(server, database, owner)


def said(connection: Connection, query: str, *values: object) -> Any:
    """Return the last column of the one row: the words of an answer."""
    row = connection.execute(query.encode(), values or None).fetchone()
    return row[-1] if row else None


def is_closed(connection: Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return True
    return False


# --- old connections and old sessions


def test_a_new_password_ends_every_connection_made_with_the_old_one(house: House) -> None:
    url = house.person("ada", "operator")
    with house.enter("anna", "administrator") as boss, raw(url) as signed_in, raw(url, station="") as waiting:
        new = house.verifier("ada", "another long word")
        assert said(boss, "SELECT words FROM reset_password('ada', %s, '')", new) == "Changed."
        # the thief of the old password would choose the next one
        assert is_closed(signed_in)
        assert is_closed(waiting)


def test_a_connection_older_than_the_password_signs_nobody_in(house: House) -> None:
    with raw(house.person("ada", "operator"), station="") as thief:
        new = house.verifier("ada", "another long word")
        house.ask(f"SELECT set_password('ada', '{new}', true)")
        assert said(thief, "SELECT words FROM sign_in('x')") == "The password was changed meanwhile. Sign in again."


def test_who_changes_the_password_is_signed_out_everywhere_else(house: House) -> None:
    url = house.person("ada", "operator")
    with raw(url) as here, raw(url, "desk 2") as there:
        new = house.verifier("ada", "another long word")
        assert said(here, "SELECT words FROM change_password(%s)", new) == "The password was changed."
        assert said(here, ACKNOWLEDGE) == "Done."
        assert is_closed(there)
    assert house.ask("SELECT end_reason FROM session WHERE station = 'desk 2'") == "password changed"


@pytest.mark.parametrize("deed", ["set_enabled('station', false, '')", "reset_password('station', {word}, '')"])
def test_a_stations_connections_end_with_its_password(house: House, deed: str) -> None:
    word = f"'{house.verifier('station', 'a long word of the station')}'"
    kept = house.ask("SELECT rolpassword FROM pg_authid WHERE rolname = 'station'")
    try:
        with house.enter("anna", "administrator") as boss, house.service("station") as thief:
            assert said(boss, f"SELECT words FROM {deed.format(word=word)}") == "Changed."
            assert is_closed(thief)
    finally:
        house.ask(f"ALTER ROLE station LOGIN PASSWORD '{kept}'")


def test_a_session_that_was_ended_does_not_come_back_by_an_older_number(house: House) -> None:
    url = house.person("ada", "operator")
    first, second, third = (raw(url, station="") for _ in range(3))
    one = said(first, "SELECT session_id FROM sign_in('desk 1')")
    two = said(second, "SELECT session_id FROM sign_in('desk 1', %s)", one)
    with house.enter("anna", "administrator") as boss:
        assert said(boss, "SELECT words FROM end_session(%s, '')", two) == "Ended."
    for number in (one, two):
        words = said(third, "SELECT words FROM sign_in('desk 1', %s)", number)
        assert words == "This session was ended (ended by anna). Sign in again."
    for connection in (first, second, third):
        connection.close()


def test_a_return_whose_answer_was_lost_is_repeated_and_the_end_stays(house: House) -> None:
    url = house.person("ada", "operator")
    connections = [raw(url, station="") for _ in range(3)]
    number = said(connections[0], "SELECT session_id FROM sign_in('desk 1')")
    for connection in connections[1:]:
        assert said(connection, "SELECT words FROM sign_in('desk 1', %s)", number) == "Signed in."
    assert house.ask("SELECT count(*) FROM session WHERE login = 'ada' AND ended_time IS NULL") == 1
    assert house.ask("SELECT count(DISTINCT expires_time) FROM session WHERE login = 'ada'") == 1
    for connection in connections:
        connection.close()


def test_somebody_elses_session_is_not_taken_over(house: House) -> None:
    with house.enter("ada", "operator") as ada, raw(house.person("tom", "operator"), station="") as tom:
        house.ask("UPDATE session SET expires_time = now() + interval '1 minute' WHERE login = 'ada'")
        number = house.ask("SELECT id FROM session WHERE login = 'ada'")
        assert said(tom, "SELECT words FROM sign_in('desk 1', %s)", number) == "Signed in."
        assert house.ask("SELECT expires_time - signed_in_time > '12 h' FROM session WHERE login = 'tom'")
        assert said(ada, ACKNOWLEDGE) == "Done."


def test_nobody_ends_their_own_session_from_the_list(house: House) -> None:
    with house.enter("anna", "administrator") as boss:
        number = house.ask("SELECT id FROM session WHERE login = 'anna'")
        assert said(boss, "SELECT words FROM end_session(%s, '')", number).startswith("This session is your own.")


def test_a_right_that_was_taken_does_not_live_on_in_an_older_snapshot(house: House) -> None:
    with house.enter("anna", "administrator") as boss, house.enter("ada", "engineer", 1) as ada:
        ada.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        ada.execute("SELECT count(*) FROM tag")
        assert said(boss, "SELECT words FROM set_membership('ada', 1, 'engineer', false, '')") == "Changed."
        with pytest.raises(errors.RaiseException, match="isolation level"):
            ada.execute("SELECT * FROM configure_rule(1, '{\"priority\": 1}', '')")


def test_who_must_change_the_password_reads_no_audit(house: House) -> None:
    with house.enter("adam", "auditor") as adam:
        assert said(adam, "SELECT count(*) FROM read_audit('{}', NULL, 1000)") > 0
        house.ask("UPDATE account SET must_change_password = true WHERE login = 'adam'")
        assert said(adam, "SELECT count(*) FROM read_audit('{}', NULL, 1000)") == 0
        with pytest.raises(errors.InsufficientPrivilege, match="The password must be changed first"):
            adam.execute("SELECT verify_audit()")


def test_two_administrators_do_not_take_each_others_role(house: House) -> None:
    for way in ("set_membership('{}', NULL, 'administrator', false, '')", "set_enabled('{}', false, '')"):
        with house.enter("anna", "administrator") as anna, house.enter("bert", "administrator") as bert:
            threads = [
                threading.Thread(target=_try, args=(connection, f"SELECT * FROM {way.format(other)}"))
                for connection, other in ((anna, "bert"), (bert, "anna"))
            ]
            for one in threads:
                one.start()
            for one in threads:
                one.join()
        left = house.ask(
            "SELECT count(*) FROM membership JOIN account USING (login)"
            " WHERE role = 'administrator' AND is_enabled AND login IN ('anna', 'bert')"
        )
        assert left == 1
        house.ask("DELETE FROM membership WHERE login IN ('anna', 'bert')")
        house.ask("DELETE FROM session; DELETE FROM password_history; DELETE FROM account WHERE kind = 'person'")


def _try(connection: Connection, query: str) -> None:
    try:
        connection.execute(query.encode())
    except psycopg.OperationalError:
        # the other one was faster, and this account is disabled
        return


def test_a_towns_administrator_changes_no_station(house: House) -> None:
    with house.enter("tom", "administrator", 1) as tom:
        for deed in ("set_membership('station', 1, 'viewer', true, '')", "set_enabled('station', false, '')"):
            assert said(tom, f"SELECT words FROM {deed}") == refusal(Action.MANAGE_INSTALLATION)


# --- open transactions


@pytest.mark.parametrize(
    ("role", "call"),
    [
        ("viewer", "acknowledge_alarms('{1}', '{1}', '')"),
        ("viewer", "configure_rule(1, '{}', '')"),
        ("viewer", "comment_alarm(1, 1, 'x')"),
        ("engineer", "configure_rule(1, '{\"priority\": 1}', '')"),
    ],
)
def test_an_open_transaction_does_not_hold_up_the_collector(house: House, role: str, call: str) -> None:
    with house.enter("ada", role, 1) as ada, house.service("collector") as collector:
        ada.execute("BEGIN")
        ada.execute(f"SELECT * FROM {call}".encode())
        collector.execute("SET lock_timeout = '2s'")
        with collector.transaction():
            collector.execute("SELECT record_process('{1}', '{1}', '{returned}', ARRAY[now()], '{1}', '{0}')")


def test_whoever_keeps_others_waiting_loses_the_connection(house: House) -> None:
    with house.service("station") as thief, raw(house.person("ada", "operator"), station="") as ada:
        thief.execute("BEGIN")
        thief.execute("SELECT report_failed_sign_in('ada')")
        ada.execute("SET lock_timeout = '1s'")
        assert said(ada, "SELECT words FROM sign_in('desk 1')") == "Signed in."
        assert is_closed(thief)
    assert house.ask("SELECT first_broken FROM verify_audit()") is None


@pytest.mark.parametrize("deed", [ACKNOWLEDGE, COMMENT])
def test_an_operator_in_an_open_transaction_loses_the_turn_to_the_collector(house: House, deed: str) -> None:
    with house.enter("ada", "operator", 1) as ada, house.service("collector") as collector:
        ada.execute("BEGIN")
        said(ada, deed)
        collector.execute("SET statement_timeout = '15s'")
        with collector.transaction():
            collector.execute("SELECT take_turn(7202)")
        assert is_closed(ada)


def test_the_collector_keeps_its_turn_however_long_it_stores(house: House) -> None:
    with house.enter("ada", "operator", 1) as ada, house.service("collector") as collector:
        collector.execute("BEGIN")
        collector.execute("SELECT take_turn(7202)")
        ada.execute("SET statement_timeout = '7s'")
        with pytest.raises(errors.QueryCanceled):
            ada.execute(ACKNOWLEDGE.encode())
        assert not is_closed(collector)


@pytest.mark.parametrize("login", ["station", "ada"])
def test_nobody_but_the_collector_takes_its_locks_or_fills_the_disk(house: House, login: str) -> None:
    with house.service(login) if login == "station" else house.enter(login, "operator") as connection:
        for call in (
            "pg_advisory_lock(7204)",
            "pg_advisory_xact_lock_shared(7202)",
            "pg_try_advisory_lock(1, 2)",
            "lo_from_bytea(0, '1')",
            "lo_create(0)",
            "pg_logical_emit_message(false, 'x', 'y')",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(f"SELECT {call}".encode())


# --- floods and nonsense


def test_a_station_does_not_fill_the_audit(house: House) -> None:
    with house.service("station") as thief:
        for _ in range(20):
            thief.execute("SELECT report_failed_sign_in('ada')")
        # five tries, and that the account is locked
        assert house.ask("SELECT count(*) FROM audit") == 6
        for number in range(100):
            thief.execute("SELECT report_failed_sign_in(%s)", (f"name {number}",))
    assert house.ask("SELECT count(*) FROM audit") == 55


def test_what_is_too_long_is_refused_and_not_kept(house: House) -> None:
    with house.enter("ada", "viewer") as ada, house.enter("emil", "engineer") as emil:
        long = "SELECT words FROM configure_rule(1, jsonb_build_object('message', repeat('x', 100000)), '')"
        assert said(ada, long) == refusal(Action.CONFIGURE)
        assert said(emil, long) == "That is too much at once."
        with pytest.raises(errors.RaiseException, match="At most 10000 alarms"):
            ada.execute("SELECT acknowledge_alarms(array_fill(1, '{10001}'), array_fill(1::bigint, '{10001}'), '')")
    assert house.ask("SELECT max(length(audit::text)) FROM audit") < 2_000


def test_nothing_at_all_is_refused_in_words_and_recorded(house: House) -> None:
    functions = house.ask(
        "SELECT array_agg(proname || '(' || repeat('NULL, ', pronargs - 1) || 'NULL)' ORDER BY proname) FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace AND pronargs > 0 AND proname NOT IN ('sign_in', 'sign_out')"
        " AND proname !~ '_alarms$|_service$' AND has_function_privilege('person', oid, 'EXECUTE')"
    )
    with house.enter("anna", "administrator") as boss:
        for role in ("engineer", "operator"):
            boss.execute("SELECT set_membership('anna', NULL, %s, true, '')", (role,))
        for call in functions:
            is_done, words, *_ = boss.execute(f"SELECT * FROM {call}".encode()).fetchall()[0]
            assert not is_done, call
            assert words, call
            recorded = house.ask("SELECT is_done::text || reason FROM audit ORDER BY id DESC LIMIT 1")
            assert recorded == f"false{words}", call
        assert said(boss, "SELECT words FROM sign_in(NULL)") == "Signed in."
        boss.execute("SELECT sign_out(NULL)")
    assert len(functions) == 18


@pytest.mark.parametrize("name", ["public", "none", "pg_monitor", "postgres", "operator", "a b", 'a"b', "A", "é" * 5])
def test_names_that_the_server_keeps_for_itself_are_refused_in_words(house: House, name: str) -> None:
    with house.enter("anna", "administrator") as boss:
        words = said(boss, "SELECT words FROM create_person(%s, 'X', NULL, 1, 'viewer')", name)
    assert words == "This user name is taken." or words.startswith("A user name has 2 to 63")


def test_quotes_in_a_login_are_quoted(house: House) -> None:
    evil = "o'br\"ien; --"
    quoted = '"o\'br""ien; --"'
    with house.owner.begin() as hands:
        hands.exec_driver_sql(f"DROP ROLE IF EXISTS {quoted}")
        hands.exec_driver_sql(f"CREATE ROLE {quoted} LOGIN")
        hands.execute(text("INSERT INTO account (login, kind, name) VALUES (:login, 'person', 'x')"), {"login": evil})
    with house.enter("anna", "administrator") as boss:
        for call in ("set_membership(%s, 1, 'viewer', true, '')", "set_enabled(%s, false, '')"):
            assert said(boss, f"SELECT words FROM {call}", evil) == "Changed."
        word = house.verifier("x", "another long word")
        assert said(boss, "SELECT words FROM reset_password(%s, %s, '')", evil, word) == "Changed."
    assert house.ask("SELECT rolcanlogin FROM pg_roles WHERE rolname LIKE 'o''br%'") is False
    house.ask("DELETE FROM membership WHERE login LIKE 'o''br%'")
    house.ask(f"DROP ROLE {quoted}")


def test_the_audit_keeps_numbers_whatever_the_client_has_set(house: House) -> None:
    with house.enter("emil", "engineer") as emil:
        for setting in ("extra_float_digits = -15", "DateStyle = 'German'", "standard_conforming_strings = off"):
            emil.execute(f"SET {setting}".encode())
        words = said(emil, "SELECT words FROM configure_rule(1, %s, '')", '{"alarm_limit": 87.654321}')
        assert words == "Changed."
    assert house.ask("SELECT new ->> 'alarm_limit' FROM audit ORDER BY id DESC LIMIT 1") == "87.654321"
    assert house.ask("SELECT first_broken FROM verify_audit()") is None
