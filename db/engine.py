"""Engines, and the translation of PostgreSQL's errors into words for people."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from control_room.core.errors import ControlRoomError, DatabaseUnavailable, DiskFull, Refused, WrongCredentials

CONNECT_TIMEOUT_S = 5


def make_engine(url: URL, application: str, statement_timeout_s: float = 0) -> Engine:
    """Return an engine without a pool: every thread of ours keeps its own connection.

    `application` is what administrators see in pg_stat_activity; a `statement_timeout_s` of 0 means none.
    """
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        poolclass=NullPool,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": application,
            "options": f"-c timezone=UTC -c statement_timeout={int(statement_timeout_s * 1000)}",
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
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
    if isinstance(fault, psycopg.OperationalError | psycopg.InterfaceError):
        return _unavailable(fault, words)
    return None


def _unavailable(fault: psycopg.Error, words: str) -> ControlRoomError:
    # while connecting there is no SQLSTATE, only libpq's text
    if fault.sqlstate is None and "password authentication failed" in str(fault):
        return WrongCredentials("The database refused the sign-in.", advice="Check user name and password.")
    return DatabaseUnavailable(
        f"The database does not answer ({words}).",
        advice="It is tried again by itself; check the server if it stays away.",
    )
