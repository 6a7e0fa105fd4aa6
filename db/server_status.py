"""What `control-room db status` says of a database and its server, in sentences."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, Row, text

from db.schema import HEAD, schema_version
from db.tls import is_encrypted

_ABOUT = text("""
    SELECT current_setting('server_version') AS version, pg_size_pretty(pg_database_size(current_database())) AS size,
        current_database() AS name, pg_is_in_recovery() AS is_standby""")
_EXTENSIONS = text("SELECT extname || ' ' || extversion FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1")
_STANDBYS = text("""
    SELECT application_name AS name, host(client_addr) AS address, state, sync_state,
        pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)) AS behind, extract(epoch FROM replay_lag) AS lag_s
    FROM pg_stat_replication ORDER BY application_name""")
_LAG = text("""
    SELECT pg_last_xact_replay_timestamp() AS replayed_time,
        CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
            ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END AS lag_s,
        EXISTS (SELECT FROM pg_stat_wal_receiver) AS is_fed""")
_CONNECTED = text("""
    SELECT usename AS login, application_name AS program, coalesce(host(client_addr), 'this machine') AS address,
        backend_start AS since FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND coalesce(backend_type, 'client backend') = 'client backend'
    ORDER BY backend_start""")
_MAY_SEE_KINDS = text("SELECT coalesce(has_table_privilege(to_regclass('account'), 'SELECT'), false)")
_KINDS = text("SELECT login, kind FROM account")


def status_lines(connection: Connection) -> Iterator[str]:
    """Yield what there is to say; a role that is not the owner sees less of who is connected."""
    about = connection.execute(_ABOUT).one()
    yield f"Schema: {schema_version(connection) or 'none'} (this program: {HEAD})."
    yield f"Server: PostgreSQL {about.version}, database {about.name}, {about.size}."
    yield f"This connection is {'encrypted' if is_encrypted(connection) else 'not encrypted'}."
    yield f"Extensions: {', '.join(connection.execute(_EXTENSIONS).scalars()) or 'none'}."
    yield from _standby_lines(connection) if about.is_standby else _primary_lines(connection)
    yield from _people_lines(connection)


def _standby_lines(connection: Connection) -> Iterator[str]:
    found = connection.execute(_LAG).one()
    fed = "receives from its primary" if found.is_fed else "receives nothing: its primary is away"
    when = f", newest change of {_utc(found.replayed_time)}" if found.replayed_time else ""
    yield f"This server is a standby; it {fed}, {float(found.lag_s or 0):.1f} s behind{when}."


def _primary_lines(connection: Connection) -> Iterator[str]:
    standbys = connection.execute(_STANDBYS).all()
    yield f"This server leads; standbys: {len(standbys) or 'none'}."
    for one in standbys:
        behind = f"{one.behind} and {float(one.lag_s or 0):.1f} s behind" if one.behind else "nothing known of it"
        yield f"Standby: {one.name} at {one.address or 'this machine'}, {one.state or 'unknown'} ({one.sync_state}), {behind}."


def _people_lines(connection: Connection) -> Iterator[str]:
    may_see = connection.execute(_MAY_SEE_KINDS).scalar()
    kinds = {row.login: row.kind for row in connection.execute(_KINDS)} if may_see else {}
    for one in connection.execute(_CONNECTED):
        yield f"Connected: {_who(one, kinds)} from {one.address} since {_since(one.since)}"


def _who(row: Row[tuple[str, ...]], kinds: dict[str, str]) -> str:
    kind = kinds.get(row.login, "")
    # a role whose name says already what it is
    title = f"{kind} {row.login}" if kind and kind != row.login else row.login
    return f"{title} ({row.program or 'unnamed'})"


def _since(time: datetime | None) -> str:
    return _utc(time) if time else "a time that this role may not see"


def _utc(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
