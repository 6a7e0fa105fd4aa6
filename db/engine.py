"""Engines, and the translation of PostgreSQL's errors into words for people."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
from db.refusals import AGAIN, explain
from db.tls import FULL, SYSTEM, certificates, hosts, is_remote, protection

DATABASE = "control_room"
# for each host of the URL
CONNECT_TIMEOUT_S = 5
# both ends look whether the other still lives: a dead seat must not hold a lock, nor a dead leader the lead
_KEEPALIVE = {"idle": 5, "interval": 2, "count": 3}
_SETTINGS = {
    "timezone": "UTC",
    # who stands still in the middle of a transaction must not hold up the others
    "idle_in_transaction_session_timeout": 30_000,
    **{f"tcp_keepalives_{name}": value for name, value in _KEEPALIVE.items()},
}
# what may stand in a URL behind the question mark; everything else is ours to set, or a slip of the pen
_OPTIONS = frozenset(
    {"host", "port", "target_session_attrs", "load_balance_hosts", "sslmode", "sslrootcert", "sslcert", "sslkey"}
    | {"sslcrl", "sslcrldir", "ssl_min_protocol_version", "channel_binding", "require_auth", "gssencmode", "krbsrvname"}
    | {"passfile"}
)
_FORM = "Write postgresql://user@host:port/database."
_SEVERAL = re.compile(
    r"^(?P<scheme>\w[\w+]*://)(?P<user>[^@/?]*@)?(?P<hosts>[^@/?]*,[^@/?]*)(?P<rest>(?:[/?].*)?)$", re.DOTALL
)


def server_url(text: str) -> URL:
    """Return the URL of a shared server; several hosts stand in its query. Raises BadOption for what is none.

    Several hosts: libpq's `postgresql://user@a:5432,b:5433/database`, or `?host=a:5432&host=b:5433`.
    """
    try:
        url = _with_hosts(text)
    except (ArgumentError, ValueError) as fault:
        raise BadOption(f"'{text}' names no server.", advice=_FORM) from fault
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise BadOption("The server is no PostgreSQL.", advice=_FORM)
    if not all(host for host, _ in hosts(url)) or not hosts(url):
        raise BadOption(f"'{text}' names no server.", advice=_FORM)
    if unknown := sorted(url.query.keys() - _OPTIONS):
        raise BadOption(
            f"The URL has an option '{unknown[0]}' that is not known.", advice="Correct it or leave it out."
        )
    return url if url.database else url.set(database=DATABASE)


def _with_hosts(text: str) -> URL:
    """Return the URL, each host that does not stand alone in the query: host=a,b and port=5432,5433."""
    found = _SEVERAL.match(text)
    named = found["hosts"].split(",") if found else []
    url = make_url(f"{found['scheme']}{found['user'] or ''}{found['rest']}" if found else text)
    given = url.query.get("host", ())
    if not named and (url.host or not given):
        return url
    if not named and "port" not in url.query:
        named = [given] if isinstance(given, str) else list(given)
    if named:
        pairs = [_host_and_port(one) for one in named]
        url = url.update_query_dict(
            {"host": ",".join(one for one, _ in pairs), "port": ",".join(two for _, two in pairs)}
        )
    # what does not go together raises here
    hosts(url)
    return url


def _host_and_port(text: str) -> tuple[str, str]:
    """Split "host", "host:port", "[::1]:port" or the path of a socket's folder. Raises ValueError."""
    if text.startswith(("/", "@")):
        return text, ""
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+))(?::([0-9]{1,5}))?", text)
    if not found:
        raise ValueError(text)
    return found[1] or found[2], found[3] or "5432"


def with_tls(text: str, authority: Path | None, *, is_plain: bool) -> str:
    """Return a server's URL with the wishes of --ca and --plain in it. Raises BadOption.

    The check of the certificate is loosened by `is_plain` alone: an sslmode in the URL goes through unseen too easily.
    """
    url = server_url(text)
    mode = url.query.get("sslmode", "")
    if is_plain:
        url = url.update_query_dict({"sslmode": mode or "prefer"})
    elif is_remote(url) and mode not in ("", FULL):
        raise BadOption(
            f"sslmode={mode} does not check who the server is.", advice="Leave it out, or add --plain if that is meant."
        )
    elif authority is not None:
        if str(authority) != SYSTEM:
            certificates(authority)
            authority = authority.absolute()
        url = url.update_query_dict({"sslmode": FULL, "sslrootcert": str(authority)})
    return url.render_as_string(hide_password=False)


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
            # the first database of a server may have no encoding at all, and then only bytes would come
            "client_encoding": "utf8",
            "options": " ".join(f"-c {name}={value}" for name, value in server_settings.items()),
            **{f"keepalives_{name}": value for name, value in _KEEPALIVE.items()},
            "tcp_user_timeout": 10_000,
            **_lead(url),
            **protection(url),
        },
    )


def _lead(url: URL) -> dict[str, str]:
    """Of several servers the one that takes changes is meant, unless the URL says otherwise."""
    if len(hosts(url)) < 2 or "target_session_attrs" in url.query:
        return {}
    return {"target_session_attrs": "read-write"}


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


def _unavailable(fault: psycopg.Error, words: str) -> ControlRoomError:
    if fault.sqlstate is None:
        return explain(fault)
    return DatabaseUnavailable(f"The database does not answer ({words}).", advice=AGAIN)
