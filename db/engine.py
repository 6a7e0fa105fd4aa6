"""Engines, and the translation of PostgreSQL's errors into words for people."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from control_room.core.errors import (
    BadOption,
    ControlRoomError,
    DatabaseUnavailable,
    DiskFull,
    Refused,
    WrongCredentials,
)

CONNECT_TIMEOUT_S = 5
# both ends look whether the other still lives: a dead seat must not hold a lock, nor a dead leader the lead
_KEEPALIVE = {"idle": 5, "interval": 2, "count": 3}
_SETTINGS = {
    "timezone": "UTC",
    # who stands still in the middle of a transaction must not hold up the others
    "idle_in_transaction_session_timeout": 30_000,
    **{f"tcp_keepalives_{name}": value for name, value in _KEEPALIVE.items()},
}


def server_url(text: str) -> URL:
    """Return the URL of a shared server. Raises BadOption for what is no URL of a PostgreSQL."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as fault:
        raise BadOption(f"'{text}' names no server.", advice="Write postgresql://user@host:port/database.") from fault
    if url.get_backend_name() not in ("postgresql", "postgres") or not url.host:
        raise BadOption("The server is no PostgreSQL.", advice="Write postgresql://user@host:port/database.")
    return url


def make_engine(url: URL, application: str, statement_timeout_s: float = 0) -> Engine:
    """Return an engine without a pool: every thread of ours keeps its own connection.

    `application` is what administrators see in pg_stat_activity; a `statement_timeout_s` of 0 means none.
    """
    server_settings = {**_SETTINGS, "statement_timeout": int(statement_timeout_s * 1000)}
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        poolclass=NullPool,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": application,
            "options": " ".join(f"-c {name}={value}" for name, value in server_settings.items()),
            **{f"keepalives_{name}": value for name, value in _KEEPALIVE.items()},
            "tcp_user_timeout": 10_000,
        },
    )


@contextmanager
def translated() -> Iterator[None]:
    """Turn errors of psycopg and SQLAlchemy into ControlRoomErrors; faults of our own SQL pass unchanged."""
    try:
        yield
    except DBAPIError as fault:
        error = translate(fault.orig if isinstance(fault.orig, psycopg.Error) else psycopg.OperationalError(str(fault)))
        if error is None:
            raise
        raise error from fault
    except psycopg.Error as fault:
        error = translate(fault)
        if error is None:
            raise
        raise error from fault


def translate(fault: psycopg.Error) -> ControlRoomError | None:
    """Return what a person should read of a PostgreSQL error, None when it is a fault of this program."""
    words = fault.diag.message_primary or (str(fault).strip().splitlines() or ["no reason given"])[0]
    match fault.sqlstate:
        case "28P01" | "28000":
            return WrongCredentials(
                f"The database refused the sign-in: {words}.", advice="Check user name and password."
            )
        case "42501" | "P0001":
            return Refused(words, advice=fault.diag.message_hint or "")
        case "53100":
            return DiskFull(
                "No space is left where the database stores its files.", advice="Free disk space; it goes on by itself."
            )
        case "25006":
            return DatabaseUnavailable(
                "The database takes no changes, as a standby does.", advice="Connect to the server that leads."
            )
    if isinstance(fault, psycopg.OperationalError | psycopg.InterfaceError):
        return _unavailable(fault, words)
    return None


# while connecting there is no SQLSTATE, only the server's text
_SIGN_IN_REFUSED = ("password authentication failed", "no password supplied", "no pg_hba.conf entry", 'role "')


def _unavailable(fault: psycopg.Error, words: str) -> ControlRoomError:
    if fault.sqlstate is None and any(sign in str(fault) for sign in _SIGN_IN_REFUSED):
        return WrongCredentials(f"The database refused the sign-in ({words}).", advice="Check user name and password.")
    return DatabaseUnavailable(
        f"The database does not answer ({words}).",
        advice="It is tried again by itself; check the server if it stays away.",
    )
