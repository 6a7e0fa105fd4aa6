"""`control-room db` against a shared server over TCP, TLS and SCRAM: prepared once, looked at, its audit checked."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from control_room import cli
from control_room.core.access import Role
from control_room.core.errors import WrongCredentials
from db.engine import make_engine, translated
from db.people import create_person, open_person, who_am_i
from db.schema import HEAD
from tests.db.shared import HBA, OWNER_WORD, SharedServer, running_server

pytestmark = pytest.mark.postgresql15

WORD = "nine herons over the weir"
ROLES = text("SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> 'postgres'")


@pytest.fixture(scope="module")
def made() -> Iterator[SharedServer]:
    with running_server("log_statement = 'all'") as one:
        yield one


@pytest.fixture
def shared(made: SharedServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[SharedServer]:
    """Return a server without a control room; what a test makes there is removed."""
    monkeypatch.setenv("PGPASSWORD", OWNER_WORD)
    yield made
    engine = make_engine(made.url(database="postgres"), "tests").execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS control_room WITH (FORCE)"))
        connection.execute(text("DROP DATABASE IF EXISTS other WITH (FORCE)"))
        for name in connection.execute(ROLES).scalars().all():
            connection.execute(text(f'DROP ROLE "{name}"'))


class Screen(io.StringIO):
    """A terminal instead of a pipe."""

    def isatty(self) -> bool:
        return True


class Terminal:
    """The command, run as a person or a script would."""

    def __init__(self, server: SharedServer, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.server = server
        self._capsys = capsys
        self._patch = patch
        self.is_there = False

    def db(self, *words: str, typed: str = WORD, user: str = "postgres", database: str = "control_room") -> int:
        """Run `control-room db ...`; `typed` comes from a pipe."""
        self._patch.setattr("sys.stdin", Screen() if self.is_there else io.StringIO(f"{typed}\n"))
        server = self.server.text(user, database)
        return cli.main(["db", *words, "--server", server, "--ca", str(self.server.authority.path)])

    def init(self, *words: str, typed: str = WORD, database: str = "control_room") -> int:
        return self.db("init", "--admin", "ada", *words, typed=typed, database=database)

    def said(self) -> str:
        """Return what was said since the last time."""
        out, err = self._capsys.readouterr()
        return out + err


@pytest.fixture
def terminal(shared: SharedServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(shared, capsys, monkeypatch)


def passwords(said: str) -> dict[str, str]:
    lines = [line.strip().split(": ") for line in said.splitlines() if line.startswith("  ")]
    return {line[0]: line[1] for line in lines}


def ask(server: SharedServer, question: str, database: str = "control_room") -> object:
    with make_engine(server.url(database=database), "tests").begin() as connection:
        return connection.execute(text(question)).scalar()


def change(server: SharedServer, *statements: str, database: str = "control_room") -> None:
    with make_engine(server.url(database=database), "tests").begin() as connection:
        for one in statements:
            connection.execute(text(one))


def has_database(server: SharedServer) -> bool:
    return bool(ask(server, "SELECT count(*) FROM pg_database WHERE datname = 'control_room'", "postgres"))


def test_an_empty_server_is_prepared(terminal: Terminal, shared: SharedServer) -> None:
    assert terminal.init("--name", "Ada Lovelace", "--station", "desk-1", "--station", "desk-2") == 0
    words = passwords(terminal.said())
    assert sorted(words) == ["collector", "desk-1", "desk-2"]
    assert all(len(word) >= 32 for word in words.values())
    with open_person(shared.url("ada", WORD), "desk-1").connect() as connection:
        person = who_am_i(connection)
    assert (person.name, person.must_change_password) == ("Ada Lovelace", False)
    assert [(one.municipality_id, one.role) for one in person.memberships] == [(None, Role.ADMINISTRATOR)]
    for login, word in words.items():
        with make_engine(shared.url(login, word), "tests").connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM tag")).scalar() == 0
            assert connection.execute(text("SHOW is_superuser")).scalar() == "off"


def test_no_password_reaches_the_log_of_the_server(terminal: Terminal, shared: SharedServer) -> None:
    assert terminal.init() == 0
    words = passwords(terminal.said())
    log = (shared.data / "log").read_text()
    assert "CREATE ROLE" in log
    assert not [word for word in (WORD, *words.values()) if word in log]


def test_people_may_come_by_certificate_and_programs_by_password(terminal: Terminal, shared: SharedServer) -> None:
    assert terminal.init() == 0
    words = passwords(terminal.said())
    with open_person(shared.url("ada", WORD), "desk-1").begin() as connection:
        create_person(connection, "bo", "Bo", None, None, Role.OPERATOR)
    people = "hostssl control_room +person all cert"
    shared.settle(f"ssl_ca_file = '{shared.authority.path}'")
    shared.write_hba(HBA.replace("hostssl all all", f"{people}\nhostssl all all", 1))
    try:
        shared.authority.sign(shared.folder / "bo", "bo")
        (shared.folder / "bo.key").chmod(0o600)
        own = {"sslcert": str(shared.folder / "bo.crt"), "sslkey": str(shared.folder / "bo.key")}
        with open_person(shared.url("bo", "whatever was typed", **own), "station").connect() as connection:
            assert who_am_i(connection).login == "bo"
        # somebody else's certificate, or none
        for more, reason in ((own, "is not one of ada"), ({}, "wants a client certificate")):
            with pytest.raises(WrongCredentials, match=reason):
                connect_as_ada(shared, more)
        make_engine(shared.url("station", words["station"], **own), "tests").connect().close()
    finally:
        shared.write_hba(HBA)


def connect_as_ada(server: SharedServer, more: dict[str, str]) -> None:
    with translated(), open_person(server.url("ada", WORD, **more), "station").connect():
        pass


def test_who_comes_second_is_refused_and_changes_nothing(terminal: Terminal, shared: SharedServer) -> None:
    assert terminal.init() == 0
    terminal.said()
    before = ask(shared, "SELECT string_agg(rolpassword, ',' ORDER BY rolname) FROM pg_authid")
    assert terminal.init("--station", "desk-9") == 1
    assert "has people already" in terminal.said()
    assert ask(shared, "SELECT string_agg(rolpassword, ',' ORDER BY rolname) FROM pg_authid") == before
    assert ask(shared, "SELECT count(*) FROM pg_roles WHERE rolname = 'desk-9'") == 0


def test_what_broke_off_is_begun_anew(terminal: Terminal, shared: SharedServer) -> None:
    assert terminal.init("--station", "Desk One") == 1
    assert "Desk One: A user name has" in terminal.said()
    # all of it in one transaction: only the empty database is there
    assert has_database(shared)
    assert ask(shared, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == 0
    assert ask(shared, "SELECT count(*) FROM pg_roles WHERE rolname IN ('ada', 'collector')") == 0
    assert terminal.init("--station", "desk-1") == 0


def test_a_database_of_another_owner_of_the_roles_keeps_their_passwords(
    terminal: Terminal, shared: SharedServer
) -> None:
    assert terminal.init() == 0
    first = passwords(terminal.said())
    assert terminal.db("init", "--admin", "bob", database="other") == 0
    assert set(passwords(terminal.said()).values()) == {"was there already and keeps its password"}
    for database in ("control_room", "other"):
        for login, word in first.items():
            with make_engine(shared.url(login, word, database), "tests").connect() as connection:
                connection.execute(text("SELECT count(*) FROM alarm"))


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "12 to 200"),
        ("password", "tried first"),
        ("ada ada ada ada", "user name"),
        ("constantinople", "tried first"),
    ],
)
def test_a_password_that_will_not_do_is_refused_before_anything_is_made(
    terminal: Terminal, shared: SharedServer, typed: str, words: str
) -> None:
    assert terminal.init(typed=typed) == 1
    assert words in terminal.said()
    assert not has_database(shared)


def test_on_a_terminal_the_password_is_typed_twice(
    terminal: Terminal, shared: SharedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = iter(["short", WORD, "another word", WORD, WORD])
    asked: list[str] = []

    def type_one(prompt: str) -> str:
        asked.append(prompt)
        return next(typed)

    monkeypatch.setattr("control_room.database_command.getpass", type_one)
    terminal.is_there = True
    assert terminal.init() == 0
    said = terminal.said()
    assert "12 to 200" in said
    assert "not the same" in said
    assert WORD not in said
    twice = ["New password of ada: ", "Once more: "]
    assert asked == [twice[0], *twice, *twice]


def test_an_older_server_is_refused(terminal: Terminal, shared: SharedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db.schema.OLDEST_MAJOR", 99)
    assert terminal.init() == 1
    said = terminal.said()
    assert "needs 99 or newer" in said
    assert "pg_upgrade" in said
    assert not has_database(shared)


def test_who_is_no_superuser_is_told_so(terminal: Terminal, shared: SharedServer) -> None:
    change(shared, f"CREATE ROLE maker LOGIN CREATEDB CREATEROLE PASSWORD '{OWNER_WORD}'", database="postgres")
    assert terminal.db("init", "--admin", "ada", user="maker") == 1
    assert "maker may not prepare the server, because it is no superuser. Name a superuser" in terminal.said()
    assert not has_database(shared)


def make_database(server: SharedServer, encoding: str = "UTF8") -> None:
    engine = make_engine(server.url(database="postgres"), "tests").execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE control_room TEMPLATE template0 ENCODING '{encoding}'"))


def test_a_database_with_other_things_in_it_is_refused(terminal: Terminal, shared: SharedServer) -> None:
    make_database(shared)
    change(shared, "CREATE TABLE bills (n int)")
    assert terminal.init() == 1
    assert "something else" in terminal.said()
    change(shared, "DROP TABLE bills")
    assert terminal.init() == 0


def test_a_database_of_another_encoding_is_refused(terminal: Terminal, shared: SharedServer) -> None:
    make_database(shared, "SQL_ASCII")
    assert terminal.init() == 1
    assert "encoding SQL_ASCII" in terminal.said()


def test_names_that_are_taken_are_refused(terminal: Terminal, shared: SharedServer) -> None:
    change(shared, "CREATE ROLE ada", "CREATE ROLE other LOGIN", database="postgres")
    assert terminal.init() == 1
    assert "ada is taken on this server" in terminal.said()
    assert terminal.db("init", "--admin", "bob", "--station", "other") == 1
    assert "other is taken on this server" in terminal.said()
    change(shared, "CREATE ROLE collector SUPERUSER", database="postgres")
    assert terminal.db("init", "--admin", "bob") == 1
    assert "collector is taken on this server" in terminal.said()


@pytest.mark.parametrize("action", [["init", "--admin", "bob"], ["upgrade"]])
def test_a_newer_schema_is_refused(terminal: Terminal, shared: SharedServer, action: list[str]) -> None:
    assert terminal.init() == 0
    change(shared, "UPDATE alembic_version SET version_num = '9999'")
    terminal.said()
    assert terminal.db(*action) == 1
    assert "has schema 9999" in terminal.said()


def test_the_schema_is_brought_up_to_date_by_its_owner_only(terminal: Terminal, shared: SharedServer) -> None:
    assert terminal.init() == 0
    word = passwords(terminal.said())["collector"]
    assert terminal.db("upgrade") == 0
    assert f"at version {HEAD}" in terminal.said()
    change(shared, "UPDATE alembic_version SET version_num = '0001'")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGPASSWORD", word)
        assert terminal.db("upgrade", user="collector") == 1
    said = terminal.said()
    assert "was left as it is" in said
    assert "owner" in said


def test_the_status_says_what_an_administrator_wants_to_know(terminal: Terminal, shared: SharedServer) -> None:
    assert terminal.init("--station", "desk-1") == 0
    words = passwords(terminal.said())
    station = make_engine(shared.url("desk-1", words["desk-1"]), "control-room seat")
    with station.connect(), open_person(shared.url("ada", WORD), "desk-1").connect():
        assert terminal.db("status") == 0
        said = terminal.said()
    assert f"Schema: {HEAD} (this program: {HEAD})" in said
    assert "PostgreSQL 1" in said
    assert "database control_room, " in said
    assert "This connection is encrypted" in said
    assert "Extensions: none" in said
    assert "This server leads; standbys: none" in said
    assert "Connected: station desk-1 (control-room seat) from 127.0.0.1 since 20" in said
    assert "Connected: person ada (control-room actions) from 127.0.0.1 since 20" in said
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGPASSWORD", words["desk-1"])
        assert terminal.db("status", user="desk-1") == 0
    # a station may not look into accounts
    assert "Connected: station" not in terminal.said()


def test_the_status_of_an_empty_database_is_a_failure(terminal: Terminal, shared: SharedServer) -> None:
    make_database(shared)
    assert terminal.db("status") == 1
    assert "Schema: none" in terminal.said()


def test_a_whole_audit_is_said_to_be_whole(terminal: Terminal, shared: SharedServer) -> None:
    assert terminal.init() == 0
    terminal.said()
    assert terminal.db("verify-audit") == 0
    said = terminal.said()
    entries, newest = said.split("Entries: ")[1].split(". Newest hash: ")
    newest = newest.split()[0]
    assert int(entries) >= 2
    assert len(newest) == 64
    with open_person(shared.url("ada", WORD), "desk-1").connect():
        pass
    assert terminal.db("verify-audit", "--expect", newest) == 0
    assert "whole" in terminal.said()
    assert terminal.db("verify-audit", "--expect", "word") == 1
    assert "'word' is no hash" in terminal.said()


_TAMPER = "ALTER TABLE audit DISABLE TRIGGER USER"


_PUT_IN = """
    INSERT INTO audit SELECT 3, time, person, station, address, action, object, 1, old, new, true, '', hash
    FROM audit WHERE id = 2"""


@pytest.mark.parametrize(
    ("offence", "first"),
    [
        ("UPDATE audit SET person = 'eve' WHERE id = 1", 1),
        ("DELETE FROM audit WHERE id = 1", 1),
        ("UPDATE audit SET reason = 'nothing' WHERE id = 2", 2),
        (_PUT_IN, 3),
    ],
)
def test_a_broken_audit_is_said_with_its_first_broken_row(
    terminal: Terminal, shared: SharedServer, offence: str, first: int
) -> None:
    assert terminal.init() == 0
    change(shared, _TAMPER, offence)
    terminal.said()
    assert terminal.db("verify-audit") == 1
    assert f"BROKEN at entry {first}:" in terminal.said()


def test_an_audit_that_lost_its_end_is_found_by_the_hash_that_was_noted(
    terminal: Terminal, shared: SharedServer
) -> None:
    assert terminal.init() == 0
    newest = ask(shared, "SELECT newest_hash FROM verify_audit()")
    change(shared, _TAMPER, "DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)")
    terminal.said()
    assert terminal.db("verify-audit") == 0
    assert terminal.db("verify-audit", "--expect", str(newest)) == 1
    assert "no entry has the expected hash" in terminal.said()


def test_the_wishes_about_tls_reach_seat_and_collector(
    made: SharedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []

    def take(_: Path, server: str, *, is_for_seats: bool, limit_bytes: int) -> int:
        told.append(server)
        return 0

    monkeypatch.setattr("control_room.collector.run_collector", take)
    monkeypatch.setattr("control_room.cli.log_to", lambda _: None)
    server = ["collect", "--server", "postgresql://collector@db.example.org/x"]
    assert cli.main([*server, "--ca", str(made.authority.path)]) == 0
    assert cli.main([*server, "--plain"]) == 0
    assert cli.main(server) == 0
    assert "sslmode=verify-full" in told[0]
    assert "authority.crt" in told[0]
    assert "sslmode=prefer" in told[1]
    assert "sslmode" not in told[2]
    assert cli.main(["collect", "--plain", "--data-folder", str(tmp_path)]) == 1
    assert "for a shared server" in capsys.readouterr().err
