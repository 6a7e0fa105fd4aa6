"""The historian: nothing lost, nothing twice, bounded."""

import asyncio
from collections.abc import Sequence

import pytest

from control_room.core.samples import Sample
from control_room.services.historian import Historian
from tests.fakes import FakeSampleStore, sample


async def test_everything_is_stored_in_order() -> None:
    store = FakeSampleStore()
    historian = Historian(store)
    running = asyncio.create_task(historian.run())
    for number in range(100):
        historian.take([sample(1, number)])
        await asyncio.sleep(0)
    assert await historian.flush()
    running.cancel()
    assert [one.value for one in store.samples] == list(range(100))
    assert (historian.stored, historian.waiting, historian.dropped) == (100, 0, 0)


async def test_what_the_database_refuses_waits_for_it(caplog: pytest.LogCaptureFixture) -> None:
    store = FakeSampleStore(is_away=True)
    historian = Historian(store)
    historian.take([sample(1, 1.0)])
    assert not await historian.flush()
    assert not await historian.flush()
    historian.take([sample(1, 2.0)])
    store.is_away = False
    assert await historian.flush()
    assert [one.value for one in store.samples] == [1.0, 2.0]
    assert [record.levelname for record in caplog.records if record.levelname == "WARNING"] == ["WARNING"]
    caplog.clear()


async def test_the_oldest_go_first_when_the_bound_is_reached_and_are_counted() -> None:
    store = FakeSampleStore(is_away=True)
    historian = Historian(store, capacity=10)
    historian.take([sample(1, number) for number in range(25)])
    store.is_away = False
    await historian.flush()
    assert [one.value for one in store.samples] == list(range(15, 25))
    assert historian.dropped == 15


class SlowStore(FakeSampleStore):
    """Commits only when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.may_commit = asyncio.Event()

    async def write_samples(self, samples: Sequence[Sample]) -> None:
        await self.may_commit.wait()
        await super().write_samples(samples)


async def test_a_cancelled_run_commits_nothing_twice() -> None:
    store = SlowStore()
    historian = Historian(store)
    running = asyncio.create_task(historian.run())
    historian.take([sample(1, 1.0)])
    await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    historian.take([sample(1, 2.0)])
    store.may_commit.set()
    await historian.flush()
    assert [one.value for one in store.samples] == [1.0, 2.0]
