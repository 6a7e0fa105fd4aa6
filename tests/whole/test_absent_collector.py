"""A collector that takes over after a time without one, against the real database: what it journals, and how its clock goes."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import Engine, text

from control_room.collector import Collector, SpoolPlace
from control_room.core.alarms import Happening
from control_room.core.system_tags import ABSENCE, CLOCK_AHEAD, with_collector_tags
from db.embedded import EmbeddedServer, open_embedded
from db.engine import make_engine
from db.schema import upgrade
from db.tag_store import import_plant
from tests.plants import plant

_JOURNAL = text(
    "SELECT j.happening, j.state, j.source_time, j.value FROM alarm_journal AS j JOIN alarm_rule AS r ON r.id = j.rule_id"
    " JOIN tag AS t ON t.id = r.tag_id WHERE t.address = :address ORDER BY j.id"
)
_VALUE = text("SELECT l.value FROM latest AS l JOIN tag AS t ON t.id = l.tag_id WHERE t.address = :address")
_BEAT = text(
    "INSERT INTO collector_status VALUES (1, :beat, :beat, 'host', 1, 0, 0, 0, 0, '') ON CONFLICT (id) DO UPDATE"
    " SET beat_time = excluded.beat_time"
)


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    with TemporaryDirectory(prefix="control-room-test-") as name:
        # PostgreSQL runs as another user when the tests run as root
        Path(name).chmod(0o755)
        running = open_embedded(Path(name), lambda _: None)
        upgrade(running.url("postgres"), running.credentials.passwords())
        yield running
        running.stop()


@pytest.fixture
def owner(server: EmbeddedServer) -> Iterator[Engine]:
    engine = make_engine(server.url("postgres"), "owner")
    yield engine
    engine.dispose()


async def collect_until(server: EmbeddedServer, owner: Engine, address: str, folder: Path) -> None:
    """Run a collector until the newest value of the address is there."""
    stop = asyncio.Event()
    engine = make_engine(server.url("collector"), "collector")
    running = asyncio.create_task(Collector(engine, stop, SpoolPlace(folder)).run())
    for _ in range(200):
        await asyncio.sleep(0.1)
        with owner.connect() as connection:
            if connection.execute(_VALUE, {"address": address}).scalar() is not None:
                break
    # one more beat, so that what the desk has judged is stored
    await asyncio.sleep(1.5)
    stop.set()
    await running
    engine.dispose()


@pytest.mark.expects_log("Live values|works|connection")
async def test_the_next_one_says_from_when_to_when_none_was_there(
    server: EmbeddedServer, owner: Engine, tmp_path: Path
) -> None:
    beat = datetime.now(UTC) - timedelta(minutes=5)
    with owner.begin() as connection:
        import_plant(connection, with_collector_tags(plant()))
        connection.execute(_BEAT, {"beat": beat})
    began = datetime.now(UTC)
    await collect_until(server, owner, CLOCK_AHEAD, tmp_path)
    with owner.connect() as connection:
        raised, returned = connection.execute(_JOURNAL, {"address": ABSENCE}).all()
    assert (raised.happening, raised.source_time) == (Happening.RAISED, beat + timedelta(seconds=10))
    assert 300 <= raised.value <= 320
    assert (returned.happening, returned.state) == (Happening.RETURNED, "RTNUN")
    assert began <= returned.source_time <= datetime.now(UTC)
    # both clocks are this machine's; what a stopped collector leaves behind is stale, and its value is kept
    with owner.connect() as connection:
        ahead_s = connection.execute(_VALUE, {"address": CLOCK_AHEAD}).scalar_one()
    assert abs(ahead_s) <= 0.3
    # the next takes over within seconds: that is no gap
    await collect_until(server, owner, CLOCK_AHEAD, tmp_path)
    with owner.connect() as connection:
        assert len(connection.execute(_JOURNAL, {"address": ABSENCE}).all()) == 2
