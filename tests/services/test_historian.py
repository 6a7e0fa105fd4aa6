"""The historian: nothing lost, nothing twice, bounded."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from control_room.core.errors import OutcomeUnknown
from control_room.core.ports import NumberedSamples
from control_room.core.sample_rows import rows_of
from control_room.core.samples import BAD_DATA_LOST, Sample
from control_room.services.historian import Historian
from control_room.services.spool import Spool
from tests.fakes import START, FakeSampleStore, sample


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path)
    yield made
    made.close()


async def drain(historian: Historian) -> None:
    assert await historian.flush()
    assert await historian.forward(10.0)
    assert historian.waiting == 0


async def test_everything_is_stored_in_order(spool: Spool) -> None:
    store = FakeSampleStore()
    historian = Historian(store, spool)
    running = asyncio.create_task(historian.run())
    for number in range(100):
        historian.take([sample(1, number)])
        await asyncio.sleep(0)
    assert await historian.flush()
    running.cancel()
    assert [one.value for one in store.samples] == list(range(100))
    assert (historian.stored, historian.waiting, historian.dropped) == (100, 0, 0)


@pytest.mark.expects_log("History cannot be written")
async def test_what_the_database_refuses_waits_for_it_on_disk(spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
    store = FakeSampleStore(is_away=True)
    historian = Historian(store, spool)
    historian.take([sample(1, 1.0), sample(2, 5.0)])
    assert not await historian.flush()
    assert not await historian.forward(1.0)
    assert historian.is_away
    historian.take([sample(1, 2.0, 1)])
    assert (historian.waiting, historian.spooled, historian.oldest_time) == (3, 2, START)
    store.is_away = False
    assert await historian.flush()
    # live values first, and with them what stands as the newest of the others
    assert store.samples == [sample(1, 2.0, 1)]
    assert {one.tag_id: one.value for one in await store.read_latest()} == {1: 2.0, 2: 5.0}
    await drain(historian)
    assert [one.value for one in store.samples] == [2.0, 1.0, 5.0]
    assert {one.tag_id: one.value for one in await store.read_latest()} == {1: 2.0, 2: 5.0}
    assert [record.levelname for record in caplog.records if record.levelname == "WARNING"] == ["WARNING"]
    assert (historian.oldest_time, historian.trouble) == (None, "")


@pytest.mark.expects_log("History cannot be written", "The spool is full")
async def test_the_oldest_go_first_when_the_bound_is_reached_and_leave_a_mark(tmp_path: Path) -> None:
    store = FakeSampleStore(is_away=True)
    spool = Spool(tmp_path, limit_bytes=8_000)
    historian = Historian(store, spool)
    for number in range(500):
        historian.take([sample(1 + number % 2, number, number)])
        if number % 50 == 0:
            await historian.flush()
    assert spool.size_bytes <= 8_000
    store.is_away = False
    await drain(historian)
    values = sorted(one.value for one in store.samples if one.value is not None)
    assert values == list(range(int(values[0]), 500))
    assert historian.dropped >= values[0]
    # a gap begins where the first value is missing
    marks = [(one.source_time, one.tag_id) for one in store.samples if one.quality == BAD_DATA_LOST]
    assert sorted(marks)[:2] == [(sample(1, 0, 0).source_time, 1), (sample(2, 0, 1).source_time, 2)]
    spool.close()


async def test_memory_is_bounded_while_a_write_takes_long(spool: Spool) -> None:
    store = SlowStore()
    historian = Historian(store, spool, capacity=10)
    running = asyncio.create_task(historian.run())
    historian.take([sample(1, 0)])
    await asyncio.sleep(0.01)
    for number in range(1, 100):
        historian.take([sample(1, number, number)])
    assert (historian.waiting, historian.spooled) == (100, 90)
    store.may_commit.set()
    await drain(historian)
    running.cancel()
    assert sorted(one.value or 0 for one in store.samples) == list(range(100))
    assert historian.dropped == 0


class SlowStore(FakeSampleStore):
    """Commits only when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.may_commit = asyncio.Event()

    async def write_numbered(self, batch: NumberedSamples) -> None:
        await self.may_commit.wait()
        await super().write_numbered(batch)


async def test_a_cancelled_run_commits_nothing_twice(spool: Spool) -> None:
    store = SlowStore()
    historian = Historian(store, spool)
    running = asyncio.create_task(historian.run())
    historian.take([sample(1, 1.0)])
    await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    historian.take([sample(1, 2.0)])
    store.may_commit.set()
    await historian.flush()
    assert [one.value for one in store.samples] == [1.0, 2.0]


class ForgetfulStore(FakeSampleStore):
    """Commits, and its answer is lost every second time."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    async def write_numbered(self, batch: NumberedSamples) -> None:
        await super().write_numbered(batch)
        self.asked += 1
        if self.asked % 2:
            raise OutcomeUnknown("The connection broke.", advice="Look.")


@pytest.mark.expects_log("History cannot be written")
async def test_a_lost_answer_stores_nothing_twice(spool: Spool) -> None:
    store = ForgetfulStore()
    historian = Historian(store, spool)
    for number in range(20):
        historian.take([sample(1, number, number)])
        await historian.flush()
        await historian.forward(1.0)
    while historian.waiting:
        await historian.flush()
        await historian.forward(1.0)
    assert sorted(one.value or 0 for one in store.samples) == list(range(20))


async def left_behind(folder: Path, samples: list[Sample]) -> Spool:
    """Return a spool in which a collector before has left samples."""
    before = Spool(folder)
    before.keep(rows_of(samples))
    before.close()
    spool = Spool(folder)
    for run in spool.find_left():
        spool.adopt(run)
    return spool


async def test_what_a_collector_left_behind_is_forwarded_and_its_folder_goes(tmp_path: Path) -> None:
    spool = await left_behind(tmp_path, [sample(1, 1.0), sample(1, 2.0, 1), sample(2, 3.0)])
    store = FakeSampleStore()
    historian = Historian(store, spool)
    historian.take_over()
    historian.take([sample(1, 4.0, 2)])
    await historian.flush()
    assert {one.tag_id: one.value for one in await store.read_latest()} == {1: 4.0, 2: 3.0}
    await drain(historian)
    assert [one.value for one in store.samples] == [4.0, 1.0, 2.0, 3.0]
    # counted is what came in here
    assert historian.stored == 1
    spool.close()
    assert spool.find_left() == []


async def test_the_run_of_a_living_collector_is_left_alone(tmp_path: Path, spool: Spool) -> None:
    spool.keep(rows_of([sample(1, 1.0)]))
    assert Spool(tmp_path).find_left() == []


@pytest.mark.expects_log("The spool cannot be written", "History cannot be written")
async def test_without_a_disk_memory_alone_keeps_and_marks_what_it_loses(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file where the folder should be")
    spool, store = Spool(tmp_path / "spool"), FakeSampleStore(is_away=True)
    historian = Historian(store, spool, capacity=10)
    for number in range(25):
        historian.take([sample(1, number, number)])
    assert not await historian.flush()
    assert "The spool cannot be written" in historian.trouble or "does not answer" in historian.trouble
    assert (historian.waiting, historian.dropped) == (11, 15)
    store.is_away = False
    (tmp_path / "spool").unlink()
    historian.take([sample(1, 25, 25)])
    await drain(historian)
    # one place was taken by the mark itself
    assert [one.value for one in store.samples if one.value is not None] == list(range(17, 26))
    assert min(one.source_time for one in store.samples if one.quality == BAD_DATA_LOST) == START
    assert historian.trouble == ""
    spool.close()
