"""A collector takes over what one before it left on disk: alarms first, then the newest values, then history."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from control_room.collector import Collector, SpoolPlace, forward_left
from control_room.core.alarms import ProcessChange, Raised, Returned
from control_room.core.plant import PlantConnection
from control_room.core.sample_rows import rows_of
from control_room.core.samples import GOOD, UNCERTAIN_NO_COMMUNICATION_LAST_USABLE, Sample
from control_room.services.change_file import ChangeFile
from control_room.services.spool import Spool
from db.stores import PostgresSampleStore
from db.tag_store import import_plant
from db.worker import DatabaseThread
from tests.db.people import count_ids
from tests.plants import plant

NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)


def value(tag_id: int, number: float, after_s: float) -> Sample:
    time = NOW + timedelta(seconds=after_s)
    return Sample(tag_id, number, GOOD, time, time)


@pytest.fixture
def prepared(owner: Engine) -> Engine:
    with owner.begin() as connection:
        count_ids(connection)
        import_plant(connection, replace(plant(), connections=(PlantConnection("works", "none", {}),)))
    return owner


def leave(folder: Path, owner: Engine, *, is_known: bool = True) -> UUID:
    """Let a collector die that had samples and an alarm which came and went."""
    spool = Spool(folder / "spool")
    if is_known:
        with owner.begin() as connection:
            connection.execute(text("SELECT begin_spool(:id)"), {"id": spool.id})
    spool.keep(rows_of([value(1, 20.0, 0), value(1, 95.0, 1), value(2, 40.0, 1), value(1, 50.0, 2)]))
    changes = ChangeFile(spool)
    changes.keep(ProcessChange(1, 1, Raised(NOW + timedelta(seconds=1), 95.0, GOOD)))
    changes.keep(ProcessChange(1, 2, Returned(NOW + timedelta(seconds=2), 50.0, GOOD)))
    # of a rule that is gone
    changes.keep(ProcessChange(999, 1, Raised(NOW + timedelta(seconds=2), 50.0, GOOD)))
    changes.close()
    spool.close()
    return spool.id


async def collect_until(collector: Engine, folder: Path, is_so: Callable[[], bool]) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(Collector(collector, stop, SpoolPlace(folder)).run())
    try:
        async with asyncio.timeout(20):
            while not await asyncio.to_thread(is_so):
                assert not running.done(), running.exception()
                await asyncio.sleep(0.05)
    finally:
        stop.set()
        await running


def rows(owner: Engine, query: str) -> list[tuple[object, ...]]:
    with owner.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def left_in(folder: Path) -> list[str]:
    return [path.name for path in (folder / "spool").iterdir()]


HISTORY = "SELECT tag_id, value FROM sample WHERE quality = 0 AND tag_id < 4 ORDER BY source_time, tag_id"
LEFT = [(1, 20.0), (1, 95.0), (2, 40.0), (1, 50.0)]


@pytest.mark.expects_log("works")
async def test_what_was_left_is_stored_and_judged_no_more(prepared: Engine, collector: Engine, tmp_path: Path) -> None:
    leave(tmp_path, prepared)
    await collect_until(collector, tmp_path, lambda: len(rows(prepared, HISTORY)) == 4)
    assert rows(prepared, HISTORY) == LEFT
    # what was left is known, and marked as stale since anything arrived
    stale = "SELECT tag_id, value, source_time FROM sample WHERE quality = :quality ORDER BY tag_id"
    since = NOW + timedelta(seconds=2)
    marks = rows(prepared, stale.replace(":quality", str(UNCERTAIN_NO_COMMUNICATION_LAST_USABLE)))
    assert marks[:2] == [(1, 50.0, since), (2, 40.0, since)]
    journal = rows(prepared, "SELECT happening, source_time FROM alarm_journal WHERE rule_id = 1 ORDER BY id")
    assert journal == [("raised", NOW + timedelta(seconds=1)), ("returned", NOW + timedelta(seconds=2))]
    assert left_in(tmp_path) == []
    # and nothing of it a second time
    await collect_until(collector, tmp_path, lambda: True)
    assert rows(prepared, HISTORY) == LEFT
    assert len(rows(prepared, "SELECT FROM alarm_journal WHERE rule_id = 1")) == 2


@pytest.mark.expects_log("works", "another database")
async def test_what_belongs_to_another_database_is_left_alone(
    prepared: Engine, collector: Engine, tmp_path: Path
) -> None:
    left = leave(tmp_path, prepared, is_known=False)
    await collect_until(collector, tmp_path, lambda: bool(rows(prepared, "SELECT FROM collector_status")))
    assert rows(prepared, HISTORY) == []
    assert left_in(tmp_path) == [str(left)]


async def test_a_collector_that_stands_by_forwards_samples_and_leaves_alarms(
    prepared: Engine, collector: Engine, tmp_path: Path
) -> None:
    left = leave(tmp_path, prepared)
    with prepared.begin() as connection:
        # another one leads since, and has one of the samples itself
        connection.execute(text("SELECT begin_spool(gen_random_uuid())"))
        other = text("INSERT INTO sample SELECT :time, 95, 1, 0, 1")
        connection.execute(other, {"time": NOW + timedelta(seconds=1)})
    thread = DatabaseThread(collector, "standby")
    await forward_left(SpoolPlace(tmp_path), PostgresSampleStore(thread))
    assert rows(prepared, HISTORY) == LEFT
    assert rows(prepared, "SELECT FROM alarm_journal") == []
    assert left_in(tmp_path) == [str(left)]
    await forward_left(SpoolPlace(tmp_path), PostgresSampleStore(thread))
    assert rows(prepared, HISTORY) == LEFT
    thread.close()
