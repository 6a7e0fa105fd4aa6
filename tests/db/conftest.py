"""A real PostgreSQL for the tests of the database room, made once for the whole run: the embedded one, and the oldest."""

import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine

from db.embedded import EmbeddedServer, open_embedded
from db.engine import make_engine
from db.schema import upgrade
from db.tag_store import import_plant
from db.worker import DatabaseThread
from tests.db.people import count_ids, own_database, person_engine
from tests.plants import plant

_numbers = count(1)


@pytest.fixture(scope="session", params=["embedded", pytest.param("system", marks=pytest.mark.postgresql15)])
def server(request: pytest.FixtureRequest) -> Iterator[EmbeddedServer]:
    """Return a running server, its `control_room` database at the newest schema."""
    with tempfile.TemporaryDirectory(prefix="control-room-test-") as name:
        # PostgreSQL runs as another user when the tests run as root
        Path(name).chmod(0o755)
        with pytest.MonkeyPatch.context() as patch:
            if request.param == "system":
                patch.setattr("db.pg_binaries._wheel_folders", lambda _: [])
            running = open_embedded(Path(name), lambda _: None)
        upgrade(running.url("postgres"), running.credentials.passwords())
        yield running
        running.stop()


@pytest.fixture
def database(server: EmbeddedServer) -> Iterator[str]:
    """Return the name of a fresh database at the newest schema."""
    with own_database(server, f"test_{next(_numbers)}") as name:
        yield name


@pytest.fixture
def owner(server: EmbeddedServer, database: str) -> Iterator[Engine]:
    """Return an engine of the database's owner."""
    engine = make_engine(server.url("postgres", database), "owner")
    yield engine
    engine.dispose()


@pytest.fixture
def collector_url(server: EmbeddedServer, database: str) -> URL:
    """Return how a collector reaches the fresh database."""
    return server.url("collector", database)


@pytest.fixture
def collector(collector_url: URL) -> Iterator[Engine]:
    """Return an engine of the collector."""
    engine = make_engine(collector_url, "collector")
    yield engine
    engine.dispose()


@pytest.fixture
def station(server: EmbeddedServer, database: str) -> Iterator[Engine]:
    """Return an engine of a station, which may only view."""
    engine = make_engine(server.url("station", database), "station")
    yield engine
    engine.dispose()


@pytest.fixture
def operator(server: EmbeddedServer, database: str) -> Iterator[Engine]:
    """Return an engine of a person who is operator everywhere, signed in at "desk 1" on every connection."""
    with person_engine(server, database, "ada", "operator") as engine:
        yield engine


@pytest.fixture
def thread(collector: Engine, owner: Engine) -> Iterator[DatabaseThread]:
    """Return the collector's thread on a database that holds the plant of the tests, whose ids count from one."""
    with owner.begin() as connection:
        count_ids(connection)
        import_plant(connection, plant())
    running = DatabaseThread(collector, "test")
    yield running
    running.close()


@pytest.fixture
def short_path() -> Iterator[Path]:
    """Return a folder that the unprivileged user may enter."""
    with tempfile.TemporaryDirectory(prefix="control-room-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)
