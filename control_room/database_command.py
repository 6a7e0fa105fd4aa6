"""`control-room db`: prepare a shared server, look at a database, bring its schema up to date, check its audit."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from getpass import getpass
from pathlib import Path

from sqlalchemy import URL, Connection, text

from control_room.common_passwords import common_passwords
from control_room.core.errors import BadOption, DatabaseUnavailable, Refused
from control_room.core.passwords import faults
from db.audit import verify_audit
from db.embedded import open_embedded
from db.engine import make_engine, server_url, translated
from db.participants import Participants
from db.refusals import AGAIN
from db.schema import HEAD, schema_version, upgrade
from db.server_status import status_lines
from db.shared_server import FirstAdministrator, look, prepare

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Preparation:
    """What `db init` is to make: the first administrator, by default named like the login, and the stations."""

    admin: str
    name: str
    stations: Sequence[str]


def database_init(server: str, wanted: Preparation, say: Say) -> int:
    """Prepare the shared server and say the new passwords, once.

    Raises BadOption, CannotStart, NewerSchema, Refused, WrongCredentials or DatabaseUnavailable; nothing was made then,
    but perhaps an empty database.
    """
    url = server_url(server)
    administrator = FirstAdministrator(wanted.admin, wanted.name or wanted.admin)
    with _told_once():
        look(url, administrator)
        password = _new_password(wanted.admin, say)
        words = prepare(url, administrator, password, wanted.stations)
    say(f"The database {url.database} is prepared, schema {HEAD}. The national administrator is {wanted.admin}.")
    say("Passwords of the programs. They are not stored anywhere and not shown again:")
    for login, word in words.items():
        say(f"  {login}: {word or 'was there already and keeps its password'}")
    say("Next: the handbook's page server.md, from step 3.")
    return 0


def _new_password(login: str, say: Say) -> str:
    """Return a password that will do, typed twice; without a terminal the first line of the standard input."""
    if not sys.stdin.isatty():
        given = sys.stdin.readline().rstrip("\r\n")
        if found := faults(given, login, common_passwords()):
            raise BadOption(f"The password of {login} will not do: {' '.join(found)}", advice="Give another one.")
        return given
    while True:
        given = getpass(f"New password of {login}: ")
        found = faults(given, login, common_passwords())
        if not found and getpass("Once more: ") != given:
            found = ["The two were not the same."]
        if not found:
            return given
        say(" ".join(found))


def database_status(data_folder: Path, server: str | None, say: Say) -> int:
    """Say versions, size, standbys and who is connected; return 0, or 1 when the schema is not this program's."""
    return _with_database(data_folder, server, lambda url: _status(url, say), say)


def database_upgrade(data_folder: Path, server: str | None, say: Say) -> int:
    """Bring the schema to this program's version; raises NewerSchema for a newer one."""
    return _with_database(data_folder, server, lambda url: _upgrade(url, say), say)


def database_verify_audit(data_folder: Path, server: str | None, expected: str | None, say: Say) -> int:
    """Say whether the audit's chain is whole and holds the hash that somebody noted; return 0, or 1 when not."""
    return _with_database(data_folder, server, lambda url: _verify(url, expected, say), say)


def _with_database(data_folder: Path, server: str | None, act: Callable[[URL], int], say: Say) -> int:
    if server is not None:
        with _told_once():
            return act(server_url(server))
    participants = Participants(data_folder)
    participants.join("seat")
    embedded = None
    try:
        embedded = open_embedded(data_folder, say)
        return act(embedded.url("postgres"))
    finally:
        # the server keeps running for whoever else uses it
        participants.leave()
        if embedded is not None and not participants.processes("seat", "collector", "recorder"):
            embedded.stop()


@contextmanager
def _told_once() -> Iterator[None]:
    """Give other advice than to wait: nobody tries again here."""
    try:
        yield
    except DatabaseUnavailable as fault:
        if fault.advice != AGAIN:
            raise
        raise DatabaseUnavailable(
            str(fault.args[0]), advice="Check host and port, and whether the server runs."
        ) from fault


@contextmanager
def _connection(url: URL) -> Iterator[Connection]:
    engine = make_engine(url, "control-room db")
    try:
        with translated(), engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _upgrade(url: URL, say: Say) -> int:
    try:
        upgrade(url, {})
    except Refused as fault:
        raise Refused(
            f"The schema was left as it is: {fault.args[0]}.", advice="Name the database's owner in the URL."
        ) from fault
    say(f"The schema is at version {HEAD}.")
    return 0


def _status(url: URL, say: Say) -> int:
    with _connection(url) as connection:
        for line in status_lines(connection):
            say(line)
        return 0 if schema_version(connection) == HEAD else 1


def _verify(url: URL, expected: str | None, say: Say) -> int:
    with _connection(url) as connection:
        chain = verify_audit(connection)
        say(f"Entries: {chain.entries}. Newest hash: {chain.newest_hash or 'none'}")
        if chain.first_broken is not None:
            say(f"BROKEN at entry {chain.first_broken}: it, or what stood before it, was changed, removed or put in.")
            return 1
        if expected is not None and not _holds(connection, expected):
            say(
                "BROKEN: no entry has the expected hash, so the end of the audit was removed or all of it written anew."
            )
            return 1
    say("The audit is whole.")
    return 0


def _holds(connection: Connection, expected: str) -> bool:
    try:
        wanted = bytes.fromhex(expected)
    except ValueError as fault:
        raise BadOption(f"'{expected}' is no hash.", advice="Give the newest hash of an earlier check.") from fault
    if connection.execute(text("SELECT row_security_active('audit')")).scalar():
        raise BadOption("This role does not see every entry.", advice="Name the database's owner in the URL.")
    found = text("SELECT EXISTS (SELECT FROM audit WHERE hash = :wanted)")
    return bool(connection.execute(found, {"wanted": wanted}).scalar())
