"""Signing in, and what administrators do about people, stations, sessions and municipalities.

Every function of the database answers with (is_done, words): a refusal is an answer, so that it is recorded in the audit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, event, text

from control_room.core.access import NOT_SIGNED_IN, Membership, Person, Role
from control_room.core.errors import Refused, SessionEnded
from db.access import scram_verifier
from db.engine import make_engine

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Account:
    """A person as an administrator sees them."""

    login: str
    name: str
    is_enabled: bool
    must_change_password: bool
    last_sign_in: datetime | None
    created_time: datetime
    failed_tries: int
    locked_until: datetime | None
    memberships: frozenset[Membership]


@dataclass(frozen=True, slots=True)
class Station:
    """A workstation's account; no municipality in `municipality_ids` (None): it shows every one."""

    login: str
    name: str
    is_enabled: bool
    municipality_ids: frozenset[int | None]


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in now."""

    id: int
    login: str
    name: str
    station: str
    address: str
    signed_in_time: datetime


def open_person(url: URL, station: str, statement_timeout_s: float = 0) -> Engine:
    """Return an engine whose every connection signs the person in at `station`; after a break the session goes on.

    Connecting raises WrongCredentials where the server does not know the person, SessionEnded where sign_in() refuses.
    """
    engine = make_engine(url, "control-room actions", statement_timeout_s)
    last: int | None = None

    @event.listens_for(engine, "connect")
    def _sign_in(connection: Any, _: object) -> None:
        nonlocal last
        with connection.cursor() as cursor:
            is_done, words, session_id = cursor.execute("SELECT * FROM sign_in(%s, %s)", (station, last)).fetchone()
        connection.commit()
        if not is_done:
            connection.close()
            raise SessionEnded(words)
        last = session_id

    return engine


def who_am_i(connection: Connection) -> Person:
    """Return the person of this connection with all rights. Raises Refused when nobody is signed in."""
    rows = connection.execute(text("SELECT * FROM who_am_i()")).all()
    if not rows:
        raise SessionEnded(NOT_SIGNED_IN)
    held = frozenset(Membership(row.municipality_id, Role(row.role)) for row in rows if row.role is not None)
    return Person(rows[0].login, rows[0].name, held, rows[0].must_change)


def sign_out(connection: Connection, reason: str) -> None:
    """End the session of this connection; "lock" as the reason means that the person will come back."""
    connection.execute(text("SELECT sign_out(:reason)"), {"reason": reason})


def report_failed_sign_in(connection: Connection, login: str) -> float:
    """Tell, as a station, that the server refused a sign-in; return how long to wait before the next try, in seconds."""
    return float(connection.execute(text("SELECT report_failed_sign_in(:login)"), {"login": login}).scalar_one())


def sign_in_wait_s(connection: Connection, login: str) -> float:
    """Return, as a station, how long to wait before this name may be tried, in seconds."""
    return float(connection.execute(text("SELECT sign_in_wait_s(:login)"), {"login": login}).scalar_one())


def my_password_history(connection: Connection) -> list[str]:
    """Return the SCRAM verifiers of the signed-in person's last passwords."""
    return list(connection.execute(text("SELECT * FROM my_password_history()")).scalars())


def change_password(connection: Connection, login: str, password: str) -> str:
    """Change the own password; core.passwords has judged it. Raises Refused."""
    return act(connection, "change_password(:word)", {"word": scram_verifier(connection, login, password)})


def create_person(
    connection: Connection, login: str, name: str, password: str | None, municipality_id: int | None, role: Role
) -> str:
    """Create a person with a first role, None: nationally; the password must be changed at the first sign-in.

    Without a password the server must know the person otherwise (LDAP, Kerberos, certificate). Raises Refused.
    """
    word = None if password is None else scram_verifier(connection, login, password)
    asked = {"login": login, "name": name, "word": word, "place": municipality_id, "role": role.value}
    return act(connection, "create_person(:login, :name, :word, :place, :role)", asked)


def set_membership(
    connection: Connection, login: str, membership: Membership, *, is_held: bool, reason: str = ""
) -> str:
    """Give a role to a person or take it. Raises Refused."""
    asked = {"login": login, "place": membership.municipality_id, "role": membership.role.value}
    asked |= {"is_held": is_held, "reason": reason}
    return act(connection, "set_membership(:login, :place, :role, :is_held, :reason)", asked)


def set_enabled(connection: Connection, login: str, *, is_enabled: bool, reason: str = "") -> str:
    """Disable an account, which ends its sessions, or enable it, which forgets failed tries. Raises Refused."""
    asked = {"login": login, "is_enabled": is_enabled, "reason": reason}
    return act(connection, "set_enabled(:login, :is_enabled, :reason)", asked)


def reset_password(connection: Connection, login: str, password: str, reason: str = "") -> str:
    """Give a new password, which a person must change at the next sign-in; ends their sessions. Raises Refused."""
    asked = {"login": login, "word": scram_verifier(connection, login, password), "reason": reason}
    return act(connection, "reset_password(:login, :word, :reason)", asked)


def end_session(connection: Connection, session_id: int, reason: str = "") -> str:
    """End somebody's session and connection. Raises Refused."""
    return act(connection, "end_session(:id, :reason)", {"id": session_id, "reason": reason})


def save_municipality(connection: Connection, key: str, name: str) -> str:
    """Create a municipality or rename it. Raises Refused."""
    return act(connection, "save_municipality(:key, :name)", {"key": key, "name": name})


def create_station(
    connection: Connection, login: str, name: str, password: str, municipality_ids: Sequence[int | None]
) -> str:
    """Create a workstation's account; it shows the municipalities, None among them: every one. Raises Refused."""
    asked = {"login": login, "name": name, "word": scram_verifier(connection, login, password)}
    places = [0 if one is None else one for one in municipality_ids]
    return act(connection, "create_station(:login, :name, :word, :places ::int[])", asked | {"places": places})


def list_people(connection: Connection) -> list[Account]:
    """Return the people that the signed-in administrator manages, with the roles that they manage."""
    return [
        Account(
            row.login,
            row.name,
            row.is_enabled,
            row.must_change_password,
            row.last_sign_in,
            row.created_time,
            row.failed_tries,
            row.locked_until,
            frozenset(Membership(place, Role(role)) for place, role in row.roles),
        )
        for row in seen_by_somebody(connection, connection.execute(text("SELECT * FROM list_people()")).all())
    ]


def list_stations(connection: Connection) -> list[Station]:
    """Return every station, to a national administrator."""
    return [
        Station(row.login, row.name, row.is_enabled, frozenset(row.municipalities))
        for row in connection.execute(text("SELECT * FROM list_stations()"))
    ]


def list_sessions(connection: Connection) -> list[Session]:
    """Return who is signed in now, as far as the signed-in supervisor or administrator may know."""
    rows = connection.execute(text("SELECT * FROM list_sessions()")).all()
    return [Session(*row) for row in seen_by_somebody(connection, rows)]


def seen_by_somebody(connection: Connection, rows: Sequence[T]) -> Sequence[T]:
    """Return the rows. Raises SessionEnded when there are none because nobody is signed in (any more)."""
    if not rows:
        who_am_i(connection)
    return rows


def act(connection: Connection, call: str, asked: Mapping[str, Any]) -> str:
    """Return the words of a function that answers (is_done, words); `call` is ours. Raises Refused with its words."""
    answer = connection.execute(text(f"SELECT * FROM {call}"), dict(asked)).one()
    if not answer[0]:
        # the refusal is recorded: what undoes the transaction would undo the record
        connection.commit()
        raise (SessionEnded if answer[1] == NOT_SIGNED_IN else Refused)(answer[1])
    return str(answer[1])
