"""Migrations: up, down and up again, equal to the tables, and never over a newer one."""

import re

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from control_room.core.errors import NewerSchema, WrongCredentials
from db.embedded import EmbeddedServer
from db.engine import make_engine, translated
from db.schema import HEAD, downgrade, schema_version, upgrade
from db.tables import metadata


def test_the_migrations_make_the_tables(owner: Engine) -> None:
    with owner.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": _is_ours})
        assert compare_metadata(context, metadata) == []
        assert schema_version(connection) == HEAD


def _is_ours(name: str | None, kind: str, parents: object) -> bool:
    return not (kind == "table" and re.match(r"sample_|rollup_\d", str(name)))


def test_down_and_up_again(owner: Engine, server: EmbeddedServer, database: str) -> None:
    with owner.begin() as connection:
        downgrade(connection)
    with owner.connect() as connection:
        assert [name for name in inspect(connection).get_table_names() if name != "alembic_version"] == []
    upgrade(server.url("postgres", database), {})
    with owner.connect() as connection:
        assert schema_version(connection) == HEAD


def test_upgrading_twice_changes_nothing(owner: Engine, server: EmbeddedServer, database: str) -> None:
    with owner.begin() as connection:
        connection.execute(text("INSERT INTO municipality (key, name) VALUES ('a', 'A')"))
    upgrade(server.url("postgres", database), server.credentials.passwords())
    with owner.connect() as connection:
        assert connection.execute(text("SELECT name FROM municipality")).scalar() == "A"


def test_a_newer_database_is_refused(owner: Engine, server: EmbeddedServer, database: str) -> None:
    with owner.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerSchema) as refusal:
        upgrade(server.url("postgres", database), {})
    assert refusal.value.advice


def test_a_wrong_password_is_said(server: EmbeddedServer, database: str) -> None:
    engine = make_engine(server.url("station", database).set(password="guess"), "test")
    with pytest.raises(WrongCredentials), translated(), engine.connect():
        pass
