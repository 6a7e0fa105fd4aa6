"""A shared server: what must be so before it can be used, and its preparation in one transaction."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql
from sqlalchemy import URL, Connection, text

from control_room.core.errors import CannotStart, Refused
from db.access import (
    ADD_ACCOUNT,
    COLLECTOR,
    SEE_ALL,
    STATION,
    has_people,
    make_first_administrator,
    make_login_roles,
    scram_verifier,
)
from db.engine import make_engine, translated
from db.schema import bring_up, refuse_newer, require_server, schema_version

_SUPERUSER = text("SELECT rolsuper, current_user FROM pg_roles WHERE rolname = current_user")
_IS_ROLE = text("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = :login)")
_IS_DATABASE = text("SELECT EXISTS (SELECT FROM pg_database WHERE datname = :name)")
# what belongs to an extension does not count
_HAS_TABLES = text("""
    SELECT EXISTS (SELECT FROM pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
            AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e'))""")


@dataclass(frozen=True, slots=True)
class FirstAdministrator:
    """Who gets the prepared server to manage."""

    login: str
    name: str


def look(url: URL, administrator: FirstAdministrator) -> None:
    """Look whether the server can be prepared, changing nothing.

    Raises CannotStart for an old server, a standby, a role without the right, a database of something else; NewerSchema;
    Refused when there are people already; DatabaseUnavailable or WrongCredentials.
    """
    with _connected(_maintenance(url)) as connection:
        require_server(connection)
        _require_superuser(connection)
        if connection.execute(text("SELECT pg_is_in_recovery()")).scalar():
            raise CannotStart("This server is a standby, which takes no changes.", advice="Name the one that leads.")
        is_taken = connection.execute(_IS_ROLE, {"login": administrator.login}).scalar()
        has_database = connection.execute(_IS_DATABASE, {"name": url.database}).scalar()
    if has_database:
        with _connected(url) as connection:
            _require_empty(connection)
    if is_taken:
        raise Refused(
            f"The user name {administrator.login} is taken on this server.",
            advice="Choose another one, or remove the role with DROP ROLE first.",
        )


def prepare(
    url: URL, administrator: FirstAdministrator, password: str, stations: Sequence[str]
) -> Mapping[str, str | None]:
    """Make the database and, in one transaction, all that is in it; safe to be repeated after it broke off.

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
        # asks once more whether there are people, under the lock of bring_up: two may prepare at once
        make_first_administrator(connection, administrator.login, administrator.name, password)
    return words


@contextmanager
def _connected(url: URL) -> Iterator[Connection]:
    engine = make_engine(url, "control-room db")
    try:
        with translated(), engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _maintenance(url: URL) -> URL:
    """Return the URL of the database that every server has."""
    return url.set(database="postgres")


def _require_superuser(connection: Connection) -> None:
    is_super, own = connection.execute(_SUPERUSER).one()
    if not is_super:
        raise CannotStart(
            f"The role {own} may not prepare the server, because it is no superuser.",
            advice="Name a superuser in the URL, postgres for instance; daily work needs none.",
        )


def _require_empty(connection: Connection) -> None:
    refuse_newer(connection)
    if schema_version(connection) is None:
        if connection.execute(_HAS_TABLES).scalar():
            raise CannotStart(
                "The database holds tables of something else.", advice="Name a database that does not exist."
            )
    elif connection.execute(text("SELECT to_regclass('account')")).scalar() and has_people(connection):
        raise Refused("The database has people already.", advice="An administrator makes further accounts.")
    encoding = connection.execute(text("SHOW server_encoding")).scalar()
    if encoding != "UTF8":
        raise CannotStart(
            f"The database has the encoding {encoding}.",
            advice="Name a database that does not exist: it is made as UTF8.",
        )


def _make_database(url: URL) -> None:
    engine = make_engine(_maintenance(url), "control-room db").execution_options(isolation_level="AUTOCOMMIT")
    order = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(str(url.database)))
    try:
        with translated(), engine.connect() as connection:
            if not connection.execute(_IS_DATABASE, {"name": url.database}).scalar():
                connection.connection.cursor().execute(order)
    except psycopg.errors.DuplicateDatabase:
        # somebody else was faster
        return
    except psycopg.errors.InvalidParameterValue as fault:
        raise CannotStart(
            f"The database cannot be made: {fault.diag.message_primary}.",
            advice="Make it by hand with CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'.",
        ) from fault
    finally:
        engine.dispose()


def _make_collector(connection: Connection) -> str | None:
    if _is_there(connection, "collector", COLLECTOR):
        connection.execute(ADD_ACCOUNT, {"login": "collector", "kind": "collector", "name": "collector"})
        return None
    word = secrets.token_urlsafe(24)
    make_login_roles(connection, {"collector": word})
    return word


def _make_station(connection: Connection, login: str) -> str | None:
    word = None
    if _is_there(connection, login, STATION):
        connection.execute(ADD_ACCOUNT, {"login": login, "kind": "station", "name": login})
    else:
        word = secrets.token_urlsafe(24)
        asked = {"login": login, "word": scram_verifier(connection, login, word)}
        refused = connection.execute(
            text("SELECT make_account(:login, 'station', :login, :word, false)"), asked
        ).scalar()
        if refused:
            raise Refused(f"{login}: {refused}", advice="Choose another name for the station.")
    connection.execute(SEE_ALL, {"login": login})
    connection.execute(text("SELECT follow_memberships(:login)"), {"login": login})
    made = text("SELECT write_audit('create_station', :login, NULL, NULL, NULL, NULL, 'made by the owner')")
    connection.execute(made, {"login": login})
    return word


def _is_there(connection: Connection, login: str, group: str) -> bool:
    """Return whether another database of this server has made the login role already: roles belong to the server."""
    if not connection.execute(_IS_ROLE, {"login": login}).scalar():
        return False
    is_ours = text("SELECT pg_has_role(:login, :group, 'MEMBER') FROM pg_roles WHERE rolname = :login AND NOT rolsuper")
    if not connection.execute(is_ours, {"login": login, "group": group}).scalar():
        raise Refused(
            f"The user name {login} is taken on this server.", advice="Remove that role first, or choose another."
        )
    return True
