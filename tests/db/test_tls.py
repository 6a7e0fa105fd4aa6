"""A server elsewhere: its certificate is checked fully, weaker is a wish, and every refusal says why and what to do."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, text

from control_room.core.errors import BadOption, ControlRoomError, DatabaseUnavailable, WrongCredentials
from db.engine import make_engine, server_url, translated, with_tls
from db.tls import hosts, is_encrypted, is_plain, is_remote, protection
from tests.db.certificates import Authority
from tests.db.shared import HBA, HOST, OWNER_WORD, SharedServer, running_server, shared_server
from tests.servers import free_port

WORD = "a long word for tests"


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("postgresql://ada@db.example.org/x", (("db.example.org", ""),)),
        ("postgresql://ada@db.example.org:5433", (("db.example.org", "5433"),)),
        ("postgresql://ada@a:5432,b:5433/x", (("a", "5432"), ("b", "5433"))),
        ("postgresql://ada:with,comma@a/x", (("a", ""),)),
        ("postgresql://ada@[::1]:5433,[fe80::1]/x", (("::1", "5433"), ("fe80::1", "5432"))),
        ("postgresql://ada@/x?host=a:5432&host=b:5433", (("a", "5432"), ("b", "5433"))),
        ("postgresql://ada@/x?host=a,b&port=1,2", (("a", "1"), ("b", "2"))),
        ("postgresql:///x?host=/run/postgresql", (("/run/postgresql", ""),)),
    ],
)
def test_every_way_to_name_servers_is_understood(written: str, found: tuple[tuple[str, str], ...]) -> None:
    url = server_url(written)
    assert hosts(url) == found
    assert url.database in ("x", "control_room")
    # what goes to another program of ours on its command line comes out the same
    again = server_url(with_tls(written, None, is_plain=False))
    assert (hosts(again), again.username, again.password) == (found, url.username, url.password)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("nonsense", "names no server"),
        ("postgresql://ada@/x", "names no server"),
        ("postgresql://ada@a,b,/x", "names no server"),
        ("postgresql://ada@/x?host=a,b&port=1,2,3", "names no server"),
        ("postgresql://ada@a:port/x", "names no server"),
        ("mysql://ada@a/x", "no PostgreSQL"),
        ("postgresql://ada@a/x?target_session_attr=any", "'target_session_attr'"),
        ("postgresql://ada@localhost/x?hostaddr=192.0.2.1", "'hostaddr'"),
    ],
)
def test_what_names_no_server_is_refused(written: str, words: str) -> None:
    with pytest.raises(BadOption, match=words) as refusal:
        server_url(written)
    assert refusal.value.advice


@pytest.mark.parametrize(
    ("host", "is_there"),
    [
        ("localhost", False),
        ("127.0.0.1", False),
        ("127.9.9.9", False),
        ("[::1]", False),
        ("localhost.example.org", True),
        ("192.0.2.1", True),
        ("db", True),
        # one of several is enough
        ("127.0.0.1:5432,db:5432", True),
    ],
)
def test_only_loopback_is_this_machine(host: str, is_there: bool) -> None:
    url = server_url(f"postgresql://ada@{host}/x")
    assert is_remote(url) is is_there
    assert protection(url).get("sslmode") == ("verify-full" if is_there else None)
    assert not is_plain(url)


def test_an_address_in_the_environment_is_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOSTADDR", "192.0.2.1")
    assert is_remote(server_url("postgresql://ada@localhost/x"))


def test_weaker_than_a_full_check_is_refused_unless_it_is_meant() -> None:
    written = "postgresql://ada@db.example.org/x?sslmode=require"
    with pytest.raises(BadOption, match="sslmode=require") as refusal:
        with_tls(written, None, is_plain=False)
    assert "--plain" in refusal.value.advice
    url = server_url(with_tls(written, None, is_plain=True))
    assert is_plain(url)
    # a stranger gets no password in the clear
    assert protection(url)["require_auth"] == "!password"
    assert is_plain(server_url(with_tls("postgresql://ada@db.example.org/x", None, is_plain=True)))


def test_the_environment_does_not_loosen_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSSLMODE", "disable")
    assert protection(server_url("postgresql://ada@db.example.org/x"))["sslmode"] == "verify-full"


def test_the_authority_travels_in_the_url(tmp_path: Path) -> None:
    authority = Authority.make(tmp_path / "authority.crt")
    url = server_url(with_tls("postgresql://ada@db.example.org/x", authority.path, is_plain=False))
    assert protection(url)["sslrootcert"] == str(authority.path)
    assert Path(protection(server_url("postgresql://ada@db.example.org/x"))["sslrootcert"]).name


def test_a_file_that_holds_no_certificate_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no certificate")
    for name in ("notes.txt", "missing.crt"):
        with pytest.raises(BadOption, match=name) as refusal:
            with_tls("postgresql://ada@db/x", tmp_path / name, is_plain=False)
        assert "--ca" in refusal.value.advice


needs_server = pytest.mark.postgresql15


@pytest.fixture(scope="module")
def made() -> Iterator[SharedServer]:
    with running_server() as one:
        with make_engine(one.url(database="postgres"), "tests").begin() as connection:
            for login, more in (("ada", "LOGIN"), ("gone", ""), ("full", "LOGIN CONNECTION LIMIT 0")):
                connection.execute(text(f"CREATE ROLE {login} {more} PASSWORD '{WORD}'"))
            connection.execute(text("REVOKE CONNECT ON DATABASE template1 FROM PUBLIC"))
        one.authority.sign(one.folder / "expired", HOST, days=-1)
        one.authority.sign(one.folder / "elsewhere", "db.example.org")
        Authority.make(one.folder / "old.crt", days=-1).sign(one.folder / "of-old", HOST)
        Authority.make(one.folder / "strange.crt")
        yield one


@pytest.fixture
def secured(made: SharedServer) -> Iterator[SharedServer]:
    """Return a server that takes only TLS; what a test changed of it is undone."""
    yield made
    made.use_certificate("server")
    made.write_hba(HBA)


@pytest.fixture
def far_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take loopback for another machine."""
    monkeypatch.setattr("db.tls.is_this_machine", lambda _: False)


def said_by(url: URL) -> ControlRoomError:
    """Return the error that a person reads who connects."""
    engine = make_engine(url, "tests")
    try:
        with pytest.raises(ControlRoomError) as refusal, translated(), engine.connect():
            pass
    finally:
        engine.dispose()
    return refusal.value


@needs_server
def test_a_checked_connection_is_encrypted_and_says_so(secured: SharedServer, far_away: None) -> None:
    written = with_tls(secured.text(database="postgres"), secured.authority.path, is_plain=False)
    url = server_url(written).set(password=OWNER_WORD)
    assert not is_plain(url)
    with make_engine(url, "tests").connect() as connection:
        assert is_encrypted(connection)


@needs_server
def test_without_an_authority_only_those_of_the_system_are_trusted(secured: SharedServer, far_away: None) -> None:
    said = said_by(server_url(secured.text(database="postgres")).set(password=OWNER_WORD))
    assert "is not trusted" in str(said)
    assert "--ca FILE" in said.advice


@needs_server
def test_plain_is_plain_only_where_the_server_lets_it(secured: SharedServer, far_away: None) -> None:
    url = server_url(with_tls(secured.text(database="postgres", sslmode="disable"), None, is_plain=True))
    assert is_plain(url)
    said = said_by(url.set(password=OWNER_WORD))
    assert isinstance(said, WrongCredentials)
    assert "only over TLS" in str(said)
    secured.write_hba(HBA.replace("hostssl", "host"))
    with make_engine(url.set(password=OWNER_WORD), "tests").connect() as connection:
        assert not is_encrypted(connection)


@needs_server
def test_a_stranger_gets_no_password_in_the_clear(secured: SharedServer, far_away: None) -> None:
    secured.write_hba("host all all 127.0.0.1/32 password")
    url = server_url(with_tls(secured.text(database="postgres"), None, is_plain=True))
    said = said_by(url.set(password=OWNER_WORD))
    assert "in the clear" in str(said)
    checked = server_url(with_tls(secured.text(database="postgres"), secured.authority.path, is_plain=False))
    make_engine(checked.set(password=OWNER_WORD), "tests").connect().close()


def _with(one: SharedServer, certificate: str, authority: str = "") -> URL:
    one.use_certificate(certificate)
    one.reload()
    trusted = one.folder / f"{authority}.crt" if authority else one.authority.path
    return one.url(sslrootcert=str(trusted))


def _with_hba(one: SharedServer, line: str) -> URL:
    one.write_hba(line)
    return one.url("ada", WORD)


def _two(one: SharedServer) -> URL:
    written = f"postgresql://full@{HOST}:1,{HOST}:{one.port}/postgres?sslmode=verify-full"
    return server_url(f"{written}&sslrootcert={one.authority.path}").set(password=WORD)


Change = Callable[[SharedServer], URL]
_REFUSED: dict[str, tuple[Change, str, str]] = {
    "wrong password": (lambda one: one.url("ada", "guess"), "user name or the password is wrong", "Check user name"),
    "unknown person": (lambda one: one.url("nobody", WORD), "user name or the password is wrong", "Check user name"),
    "no password": (lambda one: one.url("ada", ""), "none was given", "PGPASSWORD"),
    "disabled": (lambda one: one.url("gone", WORD), "this account is disabled", "administrator"),
    "no right": (lambda one: one.url("ada", WORD, "template1"), "no right to template1", "administrator"),
    "no line": (
        lambda one: _with_hba(one, "hostssl all postgres all scram-sha-256"),
        "does not take ada",
        "pg_hba.conf",
    ),
    "certificate wanted": (lambda one: _with_hba(one, "hostssl all all all cert"), "a client certificate", "sslcert"),
}
_AWAY: dict[str, tuple[Change, str, str]] = {
    "full": (lambda one: one.url("full", WORD), "no more connections", "again"),
    "no database": (lambda one: one.url("ada", WORD, "nix"), "no database “nix”", "db init"),
    "expired": (lambda one: _with(one, "expired"), "certificate of 127.0.0.1 expired on 20", "renews it"),
    "expired authority": (lambda one: _with(one, "of-old", "old"), "The authority's certificate in .*old.crt", "--ca"),
    "unknown authority": (lambda one: _with(one, "server", "strange"), "not trusted .unable to get local", "--ca"),
    "wrong name": (lambda one: _with(one, "elsewhere"), 'is for "db.example.org".*not for "127.0.0.1"', "Use the name"),
    "no file": (lambda one: one.url(sslrootcert="/nix.crt"), "/nix.crt does not exist", "--ca"),
    "no certificate": (lambda one: one.url(sslrootcert=str(one.folder / "word")), "word holds no certificate", "--ca"),
    "nobody there": (lambda one: one.url().set(port=free_port()), "does not answer .127.0.0.1:[0-9]+: Conn", "again"),
    "no such name": (lambda one: one.url().set(host="nix.invalid"), "No machine is named nix.invalid", "name"),
    "several": (_two, "does not answer .*:1: Connection refused.*no more connections", "again"),
}


@needs_server
@pytest.mark.parametrize("case", _REFUSED)
def test_a_refused_sign_in_says_why_and_what_to_do(secured: SharedServer, case: str) -> None:
    url, words, advice = _REFUSED[case]
    said = said_by(url(secured).set(database="template1" if case == "no right" else "postgres"))
    assert isinstance(said, WrongCredentials)
    assert re.search(words, str(said)), said
    assert advice in said.advice


@needs_server
@pytest.mark.parametrize("case", _AWAY)
def test_what_may_heal_by_itself_says_why_and_is_tried_again(secured: SharedServer, case: str) -> None:
    url, words, advice = _AWAY[case]
    said = said_by(url(secured))
    assert isinstance(said, DatabaseUnavailable)
    assert re.search(words, str(said)), said
    assert advice in said.advice


@needs_server
def test_a_server_without_tls_is_said(short_path: Path, postgresql_bin: Path, far_away: None) -> None:
    with shared_server(short_path / "open", postgresql_bin) as one:
        one.make(HBA.replace("hostssl", "host"), "ssl = off")
        one.start()
        written = with_tls(one.text(database="postgres"), one.authority.path, is_plain=False)
        said = said_by(server_url(written).set(password=OWNER_WORD))
        assert "offers no TLS" in str(said)
        assert "--plain" in said.advice
        plain = server_url(with_tls(one.text(database="postgres"), None, is_plain=True)).set(password=OWNER_WORD)
        with make_engine(plain, "tests").connect() as connection:
            assert not is_encrypted(connection)


def test_what_is_no_postgresql_is_said(far_away: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        def answer() -> None:
            with other.accept()[0] as one:
                one.recv(8)
                one.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        said = said_by(server_url(f"postgresql://ada@127.0.0.1:{port}/x"))
        thread.join()
    assert "is no PostgreSQL" in str(said)


@needs_server
def test_a_server_that_goes_in_the_middle_of_an_action_leaves_nothing_half_done(secured: SharedServer) -> None:
    url = secured.url(database="postgres")
    engine = make_engine(url, "tests")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS done (n int)"))

    def act() -> None:
        with translated(), engine.begin() as connection:
            connection.execute(text("INSERT INTO done VALUES (1)"))
            secured.kill()
            connection.execute(text("INSERT INTO done VALUES (2)"))

    with pytest.raises(DatabaseUnavailable) as gone:
        act()
    assert "does not answer" in str(gone.value)
    assert gone.value.advice
    secured.start()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM done")).scalar() == 0
