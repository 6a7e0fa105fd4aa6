"""The alarm desk: from samples to recorded alarms, over restarts and a database that is away."""

import asyncio
from datetime import timedelta

import pytest

from control_room.core.alarms import AlarmKind, AlarmRule, AlarmState, Priority, Shelved
from control_room.services.alarm_desk import AlarmDesk
from tests.fakes import FakeAlarmStore, FakeClock, sample

HIGH = AlarmRule(1, 10, AlarmKind.H, Priority.HIGH, limit=5.0)
DELAYED = AlarmRule(2, 20, AlarmKind.H, Priority.HIGH, limit=5.0, on_delay_s=5.0)


async def desk_on(store: FakeAlarmStore, clock: FakeClock) -> AlarmDesk:
    desk = AlarmDesk(store, clock)
    await desk.load()
    desk.use_rules([HIGH, DELAYED])
    return desk


async def test_an_excursion_within_one_batch_is_not_lost() -> None:
    store = FakeAlarmStore()
    desk = await desk_on(store, FakeClock())
    desk.take([sample(10, 9.0), sample(10, 1.0)])
    await desk.flush()
    assert [entry.state for entry in store.journal] == [AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED]


async def test_a_delay_runs_out_by_the_clock() -> None:
    store, clock = FakeAlarmStore(), FakeClock()
    desk = await desk_on(store, clock)
    desk.take([sample(20, 9.0)])
    await desk.flush()
    assert not store.journal
    clock.pass_s(5)
    await desk.flush()
    assert store.alarms[2].state is AlarmState.UNACKNOWLEDGED
    assert desk.raised == desk.active == 1


async def test_a_restart_announces_nothing_again() -> None:
    store, clock = FakeAlarmStore(), FakeClock()
    desk = await desk_on(store, clock)
    desk.take([sample(10, 9.0)])
    await desk.flush()
    store.acknowledge(1, "ada", clock.now)
    desk = await desk_on(store, clock)
    desk.take([sample(10, 9.0)])
    await desk.flush()
    assert store.alarms[1].state is AlarmState.ACKNOWLEDGED
    assert len(store.journal) == 2


async def test_an_alarm_that_ended_while_nobody_watched_returns() -> None:
    store, clock = FakeAlarmStore(), FakeClock()
    desk = await desk_on(store, clock)
    desk.take([sample(10, 9.0)])
    await desk.flush()
    desk = await desk_on(store, clock)
    desk.take([sample(10, 1.0)])
    await desk.flush()
    assert store.alarms[1].state is AlarmState.RETURNED


async def test_a_new_occurrence_needs_a_new_acknowledgement() -> None:
    store, clock = FakeAlarmStore(), FakeClock()
    desk = await desk_on(store, clock)
    desk.take([sample(10, 9.0)])
    await desk.flush()
    store.acknowledge(1, "ada", clock.now)
    desk.take([sample(10, 1.0), sample(10, 9.0)])
    await desk.flush()
    assert (store.alarms[1].event_id, store.alarms[1].state) == (2, AlarmState.UNACKNOWLEDGED)


async def test_a_shelving_runs_out_by_the_clock() -> None:
    clock = FakeClock()
    store = FakeAlarmStore(clock=clock)
    desk = await desk_on(store, clock)
    store.act(1, Shelved(clock.now, clock.now + timedelta(minutes=15), "ada", "pump test"))
    desk.take([sample(10, 9.0)])
    running = asyncio.create_task(desk.run())
    while len(store.journal) < 2:
        await asyncio.sleep(0)
    assert [entry.state for entry in store.journal] == [AlarmState.SHELVED, AlarmState.SHELVED]
    clock.pass_s(901)
    desk.take([sample(20, 9.0)])
    async with asyncio.timeout(5):
        while len(store.journal) < 3:
            await asyncio.sleep(0.01)
    running.cancel()
    assert store.alarms[1].state is AlarmState.UNACKNOWLEDGED


async def test_changes_wait_for_a_database_that_is_away(caplog: pytest.LogCaptureFixture) -> None:
    store = FakeAlarmStore()
    desk = await desk_on(store, FakeClock())
    store.is_away = True
    desk.take([sample(10, 9.0)])
    assert not await desk.flush()
    desk.take([sample(10, 1.0)])
    store.is_away = False
    assert await desk.flush()
    assert [entry.state for entry in store.journal] == [AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED]
    caplog.clear()


async def test_the_alarm_of_a_rule_that_is_gone_returns() -> None:
    store = FakeAlarmStore()
    desk = await desk_on(store, FakeClock())
    desk.take([sample(10, 9.0)])
    desk.use_rules([DELAYED])
    await desk.flush()
    assert store.alarms[1].state is AlarmState.RETURNED


PAIR = AlarmRule(3, 30, AlarmKind.DISCREPANCY, Priority.HIGH, other_tag_id=31)
SILENT = AlarmRule(4, 40, AlarmKind.STALE, Priority.LOW, limit=60.0)


async def test_two_tags_are_compared_whichever_changes() -> None:
    store, clock = FakeAlarmStore(), FakeClock()
    desk = await desk_on(store, clock)
    desk.use_rules([PAIR])
    desk.take([sample(31, 1.0), sample(30, 1.0)])
    desk.take([sample(31, 0.0), sample(30, 0.0), sample(30, 1.0)])
    await desk.flush()
    assert [entry.happening for entry in store.journal] == ["raised", "returned", "raised"]


async def test_silence_is_noticed_without_any_sample_and_needs_one_place_in_the_queue() -> None:
    store, clock = FakeAlarmStore(), FakeClock()
    desk = await desk_on(store, clock)
    desk.use_rules([SILENT])
    for number in range(500):
        desk.take([sample(40, 1.0, number / 10)])
    assert len(desk._due) == 1
    clock.pass_s(60)
    await desk.flush()
    assert not store.journal
    clock.pass_s(50)
    await desk.flush()
    assert [entry.happening for entry in store.journal] == ["raised"]
    # configured anew, what is known of it stays
    desk.use_rules([SILENT, HIGH])
    desk.take([sample(40, 1.0, 111)])
    await desk.flush()
    assert [entry.happening for entry in store.journal] == ["raised", "returned"]
