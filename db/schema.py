"""The schema's version: upgrade to this program's, refuse a newer one."""

from collections.abc import Mapping
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import URL, Connection, text

from control_room.core.errors import CannotStart, NewerSchema, OlderSchema
from db.access import LOGIN_ROLES, make_login_roles
from db.engine import make_engine, translated
from db.pg_binaries import OLDEST_MAJOR

_UPGRADE_LOCK = 7200


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


HEAD = "0020"


def schema_version(connection: Connection) -> str | None:
    """Return the database's version, None for an empty database."""
    return MigrationContext.configure(connection).get_current_revision()


def require_schema(connection: Connection) -> None:
    """Raise NewerSchema or OlderSchema unless the database has the schema that this program knows."""
    refuse_newer(connection)
    if (version := schema_version(connection)) != HEAD:
        has = f"has schema {version}" if version else "holds no control room yet"
        raise OlderSchema(
            f"The database {has}, this program needs schema {HEAD}.",
            advice=f"An administrator runs: control-room db {'upgrade' if version else 'init'}.",
        )


def upgrade(url: URL, passwords: Mapping[str, str]) -> None:
    """Bring the database to this program's version and make the login roles named in `passwords`.

    Raises NewerSchema when a newer program made the database. Safe when two programs do it at once.
    """
    engine = make_engine(url, "control-room upgrade")
    with translated(), engine.connect() as connection, connection.begin():
        bring_up(connection)
        make_login_roles(connection, {name: word for name, word in passwords.items() if name in LOGIN_ROLES})
    engine.dispose()


def bring_up(connection: Connection) -> None:
    """Bring the schema to this program's version in the caller's transaction, which nobody else does meanwhile.

    Raises NewerSchema when a newer program made the database, CannotStart for an older server than the schema needs.
    """
    require_server(connection)
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
    refuse_newer(connection)
    if schema_version(connection) != HEAD:
        command.upgrade(_config(connection), "head")


def require_server(connection: Connection) -> None:
    """Raise CannotStart unless the server is new enough."""
    number, version = connection.execute(
        text("SELECT current_setting('server_version_num')::int, current_setting('server_version')")
    ).one()
    if number < OLDEST_MAJOR * 10_000:
        raise CannotStart(
            f"The server is PostgreSQL {version}, the control room needs {OLDEST_MAJOR} or newer.",
            advice="Move to a newer PostgreSQL with pg_upgrade, or name another server.",
        )


def downgrade(connection: Connection) -> None:
    """Take everything back to an empty database; for tests."""
    command.downgrade(_config(connection), "base")


def refuse_newer(connection: Connection) -> None:
    """Raise NewerSchema when a newer program made the database."""
    version = schema_version(connection)
    if version is not None and version > HEAD:
        raise NewerSchema(
            f"The database has schema {version}, this program knows {HEAD}.",
            advice="Install the newest version of the control room on this machine.",
        )
