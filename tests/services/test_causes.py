"""Causes of suppressions: what the desk takes for one, over restarts, and what it tells of it."""

from dataclasses import replace
from datetime import timedelta

from control_room.core.alarms import AlarmKind, AlarmRule, AlarmState, Priority
from control_room.core.samples import BAD_SENSOR_FAILURE
from control_room.core.suppression import Suppression
from control_room.services.alarm_desk import AlarmDesk
from tests.fakes import FakeAlarmStore, FakeClock, sample

STATE, FLOW, POWER = 10, 20, 30
LOW_FLOW = AlarmRule(1, FLOW, AlarmKind.L, Priority.MEDIUM, limit=5.0)
NO_POWER = AlarmRule(2, POWER, AlarmKind.STATE, Priority.HIGH, limit=0.0)
STOPPED = Suppression(
    7, 1, "pump", "Pump 1 is stopped", 20.0, tag_id=STATE, kind=AlarmKind.STATE, consequences=frozenset({1})
)
DARK = Suppression(8, 1, "power", "The station has no power", rule_id=2, consequences=frozenset({1}))
RULES = [LOW_FLOW, NO_POWER]


async def desk_on(store: FakeAlarmStore, clock: FakeClock) -> AlarmDesk:
    desk = AlarmDesk(store, clock)
    await desk.load()
    desk.use_rules(RULES, store.suppressions.values())
    return desk


def new_store(clock: FakeClock) -> FakeAlarmStore:
    return FakeAlarmStore(clock=clock, suppressions={7: STOPPED, 8: DARK})


def state(store: FakeAlarmStore, rule_id: int = 1) -> AlarmState:
    return store.alarms[rule_id].state


def told(store: FakeAlarmStore, rule_id: int = 1) -> list[str]:
    return [entry.happening for entry in store.journal if entry.rule_id == rule_id]


async def test_a_stopped_pump_has_no_low_flow() -> None:
    clock = FakeClock()
    store = new_store(clock)
    desk = await desk_on(store, clock)
    desk.take([sample(STATE, 1.0), sample(FLOW, 50.0)])
    desk.take([sample(STATE, 0.0), sample(FLOW, 0.0)])
    await desk.flush()
    assert told(store) == ["suppressed", "raised"]
    assert state(store) is AlarmState.SUPPRESSED_BY_DESIGN
    # it starts, and its flow has some time to come
    desk.take([sample(STATE, 1.0)])
    await desk.flush()
    assert store.alarms[1].holds[0].until == clock.now + timedelta(seconds=20)
    clock.pass_s(20)
    desk.take([sample(FLOW, 60.0)])
    await desk.flush()
    await store.pass_time()
    assert told(store) == ["suppressed", "raised", "suppressed", "returned", "unsuppressed"]
    assert state(store) is AlarmState.NORMAL


async def test_what_does_not_come_after_the_cause_is_announced() -> None:
    clock = FakeClock()
    store = new_store(clock)
    desk = await desk_on(store, clock)
    desk.take([sample(STATE, 0.0), sample(FLOW, 0.0), sample(STATE, 1.0)])
    await desk.flush()
    clock.pass_s(19)
    assert await store.pass_time() == 0
    clock.pass_s(1)
    assert await store.pass_time() == 1
    assert state(store) is AlarmState.UNACKNOWLEDGED


async def test_an_alarm_is_a_cause_while_it_is_active() -> None:
    clock = FakeClock()
    store = new_store(clock)
    desk = await desk_on(store, clock)
    desk.take([sample(POWER, 0.0), sample(FLOW, 0.0)])
    await desk.flush()
    assert state(store, 2) is AlarmState.UNACKNOWLEDGED
    assert state(store) is AlarmState.SUPPRESSED_BY_DESIGN
    # nobody needs to acknowledge the consequence, and no delay is set
    store.acknowledge(2, "ada", clock.now)
    desk.take([sample(POWER, 1.0)])
    await desk.flush()
    assert state(store) is AlarmState.UNACKNOWLEDGED


async def test_a_value_that_may_not_be_trusted_ends_no_cause() -> None:
    clock = FakeClock()
    store = new_store(clock)
    desk = await desk_on(store, clock)
    desk.take([sample(STATE, 0.0), sample(STATE, 1.0, quality=BAD_SENSOR_FAILURE), sample(STATE, None)])
    await desk.flush()
    assert told(store) == ["suppressed"]


async def test_a_restart_tells_no_cause_again() -> None:
    clock = FakeClock()
    store = new_store(clock)
    desk = await desk_on(store, clock)
    desk.take([sample(STATE, 0.0), sample(POWER, 0.0), sample(FLOW, 0.0)])
    await desk.flush()
    before = list(store.journal)
    for _ in range(2):
        desk = await desk_on(store, clock)
        desk.take([sample(STATE, 0.0), sample(POWER, 0.0)])
        await desk.flush()
    assert store.journal == before
    assert desk.active == 2
    # one that ended while nobody watched
    desk.take([sample(STATE, 1.0), sample(POWER, 1.0)])
    await desk.flush()
    assert [one.number for one in store.alarms[1].holds] == [7]


async def test_a_cause_that_is_configured_no_more_holds_nothing() -> None:
    clock = FakeClock()
    store = new_store(clock)
    desk = await desk_on(store, clock)
    desk.take([sample(STATE, 0.0), sample(FLOW, 0.0)])
    desk.use_rules(RULES, [DARK])
    await desk.flush()
    clock.pass_s(20)
    await store.pass_time()
    assert state(store) is AlarmState.UNACKNOWLEDGED


async def test_an_alarm_that_stands_already_is_a_cause_at_once() -> None:
    clock = FakeClock()
    store = new_store(clock)
    desk = await desk_on(store, clock)
    desk.use_rules(RULES)
    desk.take([sample(POWER, 0.0), sample(FLOW, 0.0)])
    desk.use_rules(RULES, [DARK])
    await desk.flush()
    assert state(store) is AlarmState.SUPPRESSED_BY_DESIGN


async def test_a_disabled_rule_is_not_judged_and_is_no_cause() -> None:
    clock = FakeClock()
    store = new_store(clock)
    desk = await desk_on(store, clock)
    desk.take([sample(POWER, 0.0), sample(FLOW, 0.0)])
    desk.use_rules([LOW_FLOW, replace(NO_POWER, is_disabled=True)], store.suppressions.values())
    await desk.flush()
    assert state(store, 2) is AlarmState.RETURNED
    assert state(store) is AlarmState.UNACKNOWLEDGED
    desk.take([sample(POWER, 1.0), sample(POWER, 0.0)])
    await desk.flush()
    assert told(store, 2) == ["raised", "returned"]
