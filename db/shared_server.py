"""A shared server: what must be so before it can be used, and its preparation in one transaction."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import DBAPIError

from control_room.core.errors import CannotStart, DatabaseUnavailable, Refused
from db.access import COLLECTOR, STATION, has_people, make_first_administrator, make_login_roles
from db.engine import make_engine, translated
from db.schema import bring_up, refuse_newer, require_server, schema_version

_SUPERUSER = text("SELECT rolsuper, current_user FROM pg_roles WHERE rolname = current_user")
_HAS_OTHER_TABLES = text("""
    SELECT EXISTS (SELECT FROM pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
            AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e'))""")
_ACCOUNT = text("INSERT INTO account (login, kind, name) VALUES (:login, :kind, :login) ON CONFLICT DO NOTHING")
_SEES_ALL = text("""
    INSERT INTO membership (login, municipality_id, role) SELECT :login, NULL, 'viewer'
    WHERE NOT EXISTS (SELECT FROM membership WHERE login = :login)""")
_MADE = text("SELECT write_audit(:action, :login, NULL, NULL, NULL, NULL, 'made by the owner')")


@dataclass(frozen=True, slots=True)
class FirstAdministrator:
    """Who prepares a shared server for everybody else."""

    login: str
    name: str


@contextmanager
def _connected(url: URL, *, is_transaction: bool = True) -> Iterator[Connection]:
    engine = make_engine(url, "control-room db")
    if not is_transaction:
        engine = engine.execution_options(isolation_level="AUTOCOMMIT")
    try:
        with translated(), engine.connect() as connection, connection.begin():
            yield connection
    finally:
        engine.dispose()


def look(url: URL, administrator: FirstAdministrator) -> None:
    """Look whether the server can be prepared, changing nothing.

    Raises CannotStart for an old server, a standby, a role without the right, a database with other things in it;
    NewerSchema; Refused when there are people already; DatabaseUnavailable or WrongCredentials.
    """
    with _connected(_maintenance(url)) as connection:
        require_server(connection)
        _require_superuser(connection)
        there = connection.execute(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": url.database})
        has_database = there.first() is not None
        if connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :login"), {"login": administrator.login}).all():
            is_taken = True
        else:
            is_taken = False
    if has_database:
        with _connected(url) as connection:
            _require_empty(connection)
    if is_taken:
        raise Refused(
            f"The user name {administrator.login} is taken on this server.",
            advice="Choose another one, or remove the role with DROP ROLE first.",
        )


def _maintenance(url: URL) -> URL:
    """Return the URL of the database that every server has."""
    return url.set(database="postgres")


def _require_superuser(connection: Connection) -> None:
    is_super, own = connection.execute(_SUPERUSER).one()
    if not is_super:
        raise CannotStart(
            f"The role {own} may not prepare the server: it is no superuser.",
            advice="Name one in the URL, postgres for instance; afterwards nobody needs its password for daily work.",
        )


def _require_empty(connection: Connection) -> None:
    refuse_newer(connection)
    if schema_version(connection) is None:
        if connection.execute(_HAS_OTHER_TABLES).scalar():
            raise CannotStart("The database holds tables of something else.", advice="Name a database that does not exist.")
    elif connection.execute(text("SELECT to_regclass('public.account') IS NOT NULL")).scalar() and has_people(connection):
        raise Refused("The database has people already.", advice="An administrator makes further accounts.")
    encoding = connection.execute(text("SHOW server_encoding")).scalar()
    if encoding != "UTF8":
        raise CannotStart(
            f"The database's encoding is {encoding}.", advice="Make it with ENCODING 'UTF8', or name one that does not exist."
        )


def prepare(
    url: URL, administrator: FirstAdministrator, password: str, stations: Sequence[str]
) -> Mapping[str, str | None]:
    """Make the database and in one transaction all that is in it; safe to be repeated when it broke off.

    Returns the new passwords of the collector and the stations by login; None: the role was there and keeps its password.
    Raises what look() does.
    """
    _make_database(url)
    with _connected(url) as connection:
        _require_superuser(connection)
        _require_empty(connection)
        bring_up(connection)
        words = {"collector": _make_collector(connection)}
        words |= {login: _make_station(connection, login) for login in stations}
        make_first_administrator(connection, administrator.login, administrator.name, password)
    return words


def _make_database(url: URL) -> None:
    with _connected(_maintenance(url), is_transaction=False) as connection:
        there = text("SELECT 1 FROM pg_database WHERE datname = :name")
        if connection.execute(there, {"name": url.database}).first():
            return
        name = connection.dialect.identifier_preparer.quote_identifier(str(url.database))
        try:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"))
        except DBAPIError as fault:
            raise CannotStart(
                f"The database cannot be made: {fault.orig}.",
                advice=f"Make it by hand: CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'.",
            ) from fault


def _make_collector(connection: Connection) -> str | None:
    return _keep(connection, "collector", COLLECTOR) or _new(connection)


def _make_station(connection: Connection, login: str) -> str | None: ...
