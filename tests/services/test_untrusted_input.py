"""What may not be trusted ends no alarm, whatever the rule; late data raises none and ends none; expressions on the desk."""

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_room.core.alarms import AlarmKind, AlarmRule, Happening, Priority
from control_room.core.expressions import parse_condition
from control_room.core.rules.bad_quality import trusted_value
from control_room.core.samples import (
    BAD_NO_COMMUNICATION,
    BAD_SENSOR_FAILURE,
    UNCERTAIN_LAST_USABLE,
    Sample,
    stale,
)
from control_room.services.alarm_desk import AlarmDesk
from tests.fakes import START, FakeAlarmStore, FakeClock, sample

LOW = Priority.LOW
RUNS_DRY = parse_condition("tag('P1.state') == 1 and tag('P1.suction') < 5")


def dry(on_s: float = 0.0, off_s: float = 0.0) -> AlarmRule:
    return AlarmRule(
        1, 1, AlarmKind.EXPRESSION, LOW, on_delay_s=on_s, off_delay_s=off_s, expression=RUNS_DRY, inputs=(1, 2)
    )


async def desk_with(rule: AlarmRule) -> tuple[AlarmDesk, FakeAlarmStore, FakeClock]:
    store, clock = FakeAlarmStore(), FakeClock()
    desk = AlarmDesk(store, clock)
    desk.use_rules([rule])
    return desk, store, clock


async def told(rule: AlarmRule, *samples: Sample) -> str:
    """Return '+' and '-' with the seconds of the samples that made the events, each with its value."""
    desk, store, clock = await desk_with(rule)
    for one in samples:
        clock.now = max(clock.now, one.arrival_time)
        desk.take([one])
        await desk.flush()
    signs = {Happening.RAISED: "+", Happening.RETURNED: "-"}
    return " ".join(
        f"{signs[one.happening]}{(one.time - START).total_seconds():g}:{one.value}" for one in store.journal
    )


@pytest.mark.parametrize(
    ("rule", "samples", "events"),
    [
        # it waits for all its inputs, and is judged by each of them
        (dry(), [(1, 1, 0)], ""),
        (dry(), [(1, 1, 0), (2, 4, 1)], "+1:1"),
        (dry(), [(2, 4, 0), (1, 0, 1), (1, 1, 2), (2, 5, 3)], "+2:1 -3:1"),
        (dry(3), [(1, 1, 0), (2, 4, 1), (2, 6, 3), (2, 4, 4), (2, 4, 8)], "+4:1"),
        (dry(0, 3), [(1, 1, 0), (2, 4, 1), (2, 6, 2), (2, 4, 4), (2, 6, 5), (2, 6, 9)], "+1:1 -5:1"),
        # one that may not be trusted leaves it as it is, also where the other alone would end it
        (dry(), [(1, 1, 0), (2, 4, 1), (2, 9, 2, BAD_SENSOR_FAILURE), (1, 0, 3), (1, 1, 4)], "+1:1"),
        (dry(), [(1, 1, 0), (2, 4, 1), (2, math.nan, 2), (2, math.inf, 3), (1, 0, 4)], "+1:1"),
        (dry(), [(1, 1, 0), (2, 4, 1), (2, 9, 2, UNCERTAIN_LAST_USABLE), (1, 0, 3), (2, 9, 4)], "+1:1 -4:0"),
        # and it does not come by one either
        (dry(), [(1, 1, 0, BAD_SENSOR_FAILURE), (2, 4, 1)], ""),
    ],
)
async def test_expressions(rule: AlarmRule, samples: list[tuple[float, ...]], events: str) -> None:
    steps = [sample(int(one[0]), one[1], one[2], int(one[3]) if len(one) > 3 else 0) for one in samples]
    assert await told(rule, *steps) == events


async def test_the_value_of_the_own_tag_is_told_also_when_the_expression_does_not_name_it() -> None:
    rule = AlarmRule(1, 7, AlarmKind.EXPRESSION, LOW, expression=RUNS_DRY, inputs=(1, 2))
    assert await told(rule, sample(7, 33.0), sample(1, 1.0), sample(2, 4.0, 1)) == "+1:33.0"


HIGH = AlarmRule(1, 1, AlarmKind.H, LOW, limit=10.0)
DELAYED = AlarmRule(1, 1, AlarmKind.H, LOW, limit=10.0, on_delay_s=5.0, off_delay_s=5.0)
OFF = AlarmRule(1, 1, AlarmKind.DEVIATION, LOW, limit=5.0, other_tag_id=2)


async def test_a_return_that_waits_is_not_believed_when_the_value_is_lost() -> None:
    steps = [sample(1, 20.0), sample(1, 20.0, 5), sample(1, 0.0, 6), sample(1, 0.0, 8, BAD_SENSOR_FAILURE)]
    assert await told(DELAYED, *steps, sample(1, None, 30, BAD_NO_COMMUNICATION)) == "+0:20.0"
    # a value that says so again begins the delay anew
    assert await told(DELAYED, *steps, sample(1, 0.0, 30), sample(1, 0.0, 36)) == "+0:20.0 -30:0.0"


async def test_what_was_compared_is_not_compared_with_its_old_value() -> None:
    steps = [sample(1, 10.0), sample(2, 20.0, 1), sample(2, None, 2, BAD_NO_COMMUNICATION), sample(1, 19.0, 3)]
    assert await told(OFF, *steps) == "+1:10.0"


def arrived(value: float, measured_s: float, arrived_s: float) -> Sample:
    at = START + timedelta(seconds=arrived_s)
    return Sample(1, value, 0, START + timedelta(seconds=measured_s), at)


async def test_late_data_raises_nothing_and_ends_nothing() -> None:
    assert await told(HIGH, arrived(1, 10, 10), arrived(99, 5, 11), arrived(1, 12, 12)) == ""
    assert await told(HIGH, arrived(99, 10, 10), arrived(1, 5, 11), arrived(99, 12, 12)) == "+10:99"
    desk, store, _ = await desk_with(HIGH)
    # a day that a device kept: measured every minute, and high half of the time
    desk.take([arrived(1, 86_400, 86_400)])
    desk.take([arrived(99.0 * (n // 60 % 2), 60 * n, 86_401 + n / 100) for n in range(1440)])
    await desk.flush()
    assert (store.journal, desk.late) == ([], 1440)


async def test_after_a_lost_link_what_changed_meanwhile_is_news() -> None:
    before = sample(1, 1.0)
    lost = stale(before, START + timedelta(seconds=30))
    assert await told(HIGH, before, lost, arrived(99, 29, 60)) == "+29:99"
    # a collector that starts anew hears of the marks first
    assert await told(HIGH, lost, arrived(99, 29, 60)) == "+29:99"


async def test_history_is_history_also_for_a_collector_that_starts_anew() -> None:
    desk, store, _ = await desk_with(HIGH)
    desk.know([sample(1, 1.0, 50), stale(sample(2, 1.0, 50), START + timedelta(seconds=90))])
    desk.take([arrived(99, 40, 100)])
    await desk.flush()
    assert (store.journal, desk.late) == ([], 1)
    # what stands since then is said again at its own time, and judged
    desk.take([arrived(99, 50, 101)])
    await desk.flush()
    assert [one.happening for one in store.journal] == [Happening.RAISED]


RULES = [
    HIGH,
    DELAYED,
    OFF,
    dry(),
    dry(2.0, 7.0),
    AlarmRule(1, 1, AlarmKind.LL, LOW, limit=-3.0, deadband=2.0, off_delay_s=3.0),
    AlarmRule(1, 1, AlarmKind.DISCREPANCY, LOW, other_tag_id=2, on_delay_s=2.0, off_delay_s=4.0),
    AlarmRule(1, 1, AlarmKind.RATE, LOW, limit=60.0, window_s=10.0, off_delay_s=2.0),
    AlarmRule(1, 1, AlarmKind.STATE, LOW, limit=1.0, off_delay_s=1.0),
    AlarmRule(1, 1, AlarmKind.STALE, LOW, limit=4.0),
]
# the first are those that matter: around them every rule turns
_VALUES = st.sampled_from([0.0, 1.0, 20.0, -20.0]) | st.sampled_from([4.0, 9.0, 1e9, math.nan, math.inf, None])
_QUALITIES = st.sampled_from([0, 0, 0, BAD_SENSOR_FAILURE, BAD_NO_COMMUNICATION, UNCERTAIN_LAST_USABLE])
_STEPS = st.lists(st.tuples(st.integers(1, 2), _VALUES, _QUALITIES, st.floats(0.0, 6.0)), min_size=2, max_size=40)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.kind}-{rule.off_delay_s:g}")
@given(_STEPS)
async def test_an_alarm_ends_only_by_values_that_may_be_trusted(
    rule: AlarmRule, steps: list[tuple[int, float | None, int, float]]
) -> None:
    """It ends with a sample, or as its off-delay runs out; either way everything that it is judged by is trusted then."""
    desk, store, clock = await desk_with(rule)
    inputs = {rule.tag_id, *rule.inputs, *([rule.other_tag_id] if rule.other_tag_id else [])}
    trusted: set[int] = set()
    told = 0

    def ended() -> bool:
        return any(one.happening is Happening.RETURNED for one in store.journal[told:])

    for tag_id, value, quality, pause_s in steps:
        # what runs out in the pause is settled by what was known before the sample came
        clock.pass_s(pause_s)
        await desk.flush()
        assert inputs <= trusted or not ended()
        told = len(store.journal)
        one = Sample(tag_id, value, quality, clock.now, clock.now)
        trusted = trusted | {tag_id} if trusted_value(one) is not None else trusted - {tag_id}
        desk.take([one])
        await desk.flush()
        assert inputs <= trusted or not ended()
        told = len(store.journal)
