"""`control-room db`: look at the database or bring its schema up to date."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import URL, Connection, text

from control_room.core.errors import DatabaseUnavailable
from db.embedded import open_embedded
from db.engine import make_engine, server_url, translated
from db.participants import Participants
from db.schema import HEAD, schema_version, upgrade

Say = Callable[[str], None]


def database_status(data_folder: Path, server: str | None, say: Say) -> int:
    """Say version, size and who is connected; return 0, or 1 when the schema is not this program's."""
    return _with_database(data_folder, server, say, _status)


def database_upgrade(data_folder: Path, server: str | None, say: Say) -> int:
    """Bring the schema to this program's version; raises NewerSchema for a newer one."""
    return _with_database(data_folder, server, say, _upgrade)


def _with_database(data_folder: Path, server: str | None, say: Say, act: Callable[[URL, Say], int]) -> int:
    if server is not None:
        try:
            return act(server_url(server), say)
        except DatabaseUnavailable as fault:
            # nobody tries again here
            raise DatabaseUnavailable(
                str(fault.args[0]), advice="Check host and port, and whether the server runs."
            ) from fault
    participants = Participants(data_folder)
    participants.join("seat")
    embedded = None
    try:
        embedded = open_embedded(data_folder, say)
        return act(embedded.url("postgres"), say)
    finally:
        # the server keeps running for whoever else uses it
        participants.leave()
        if embedded is not None and not participants.processes("seat", "collector", "recorder"):
            embedded.stop()


def _upgrade(url: URL, say: Say) -> int:
    upgrade(url, {})
    say(f"The schema is at version {HEAD}.")
    return 0


def _status(url: URL, say: Say) -> int:
    engine = make_engine(url, "control-room db")
    try:
        with translated(), engine.connect() as connection:
            return _say_status(connection, say)
    finally:
        engine.dispose()


def _say_status(connection: Connection, say: Say) -> int:
    version = schema_version(connection)
    server, size = connection.execute(
        text("SELECT current_setting('server_version'), pg_size_pretty(pg_database_size(current_database()))")
    ).one()
    say(f"Schema: {version or 'none'} (this program: {HEAD}). PostgreSQL {server}, {size}.")
    for name, address, since in connection.execute(
        text(
            "SELECT application_name, coalesce(client_addr::text, 'local'), backend_start FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY backend_start"
        )
    ):
        say(f"Connected: {name or 'unnamed'} from {address} since {since:%Y-%m-%d %H:%M:%S} UTC")
    return 0 if version == HEAD else 1
