"""People for tests, as real login roles of the server."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, text

from db.access import make_person
from db.embedded import EmbeddedServer
from db.engine import make_engine
from db.people import open_person

WORD = "a long word for tests"


def make(server: EmbeddedServer, database: str, login: str, *roles: tuple[str, int | None]) -> URL:
    """Make a person with roles (role, municipality or None for national); return how they connect.

    Login roles belong to the whole server: one that another database made is taken over.
    """
    engine = make_engine(server.url("postgres", database), "tests")
    (first, place), *more = roles
    with engine.begin() as connection:
        # the role may belong to an earlier test's database
        connection.execute(text(f'DROP ROLE IF EXISTS "{login}"'))
        make_person(connection, login, login.title(), WORD, place, first)
        for role, place in more:
            connection.execute(
                text("INSERT INTO membership (login, municipality_id, role) VALUES (:login, :place, :role)"),
                {"login": login, "place": place, "role": role},
            )
        connection.execute(text("SELECT follow_memberships(:login)"), {"login": login})
    engine.dispose()
    return URL.create("postgresql+psycopg", login, WORD, "127.0.0.1", server.port, database)


def count_ids(connection: Connection) -> None:
    """Let tags, assets, connections and rules be numbered from 1, so that a test can name them."""
    for table in ("tag", "asset", "connection", "alarm_rule"):
        connection.execute(text(f"CREATE SEQUENCE {table}_in_order OWNED BY {table}.id"))
        connection.execute(text(f"ALTER TABLE {table} ALTER COLUMN id SET DEFAULT nextval('{table}_in_order')"))


@contextmanager
def own_database(server: EmbeddedServer, name: str) -> Iterator[str]:
    """Yield the name of a fresh database at the newest schema; nothing of it stays."""
    engine = make_engine(server.url("postgres", "postgres"), "tests").execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE control_room"))
        yield name
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@contextmanager
def person_engine(
    server: EmbeddedServer, database: str, login: str, role: str, municipality_id: int | None = None
) -> Iterator[Engine]:
    """Yield an engine of a person, signed in at "desk 1" on every connection."""
    url = make(server, database, login, (role, municipality_id))
    engine = open_person(url, "desk 1")
    yield engine
    engine.dispose()


def raw(url: URL, station: str = "desk 1") -> psycopg.Connection[tuple[Any, ...]]:
    """Return a connection as psql would make it, every statement by itself; `station`: where the person signs in, "" not."""
    connection = psycopg.connect(
        host=url.host, port=url.port, user=url.username, password=url.password, dbname=url.database, autocommit=True
    )
    if station:
        connection.execute("SELECT sign_in(%s)", (station,))
    return connection
