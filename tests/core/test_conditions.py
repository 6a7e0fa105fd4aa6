"""Every kind of rule with deadband, delays and bad quality, as tables of samples and expected events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_room.core.alarms import AlarmKind, AlarmRule, Priority, Raised
from control_room.core.conditions import Condition, begin_silence, judge, settle
from control_room.core.rules.rate_of_change import Points, rate_per_min, remember
from control_room.core.samples import (
    BAD_NO_COMMUNICATION,
    BAD_SENSOR_FAILURE,
    BAD_WAITING_FOR_INITIAL,
    UNCERTAIN,
    UNCERTAIN_LAST_USABLE,
)
from tests.fakes import START, sample

HIGH = AlarmRule(1, 1, AlarmKind.H, Priority.LOW, limit=10.0, deadband=2.0)
LOW = AlarmRule(1, 1, AlarmKind.L, Priority.LOW, limit=10.0, deadband=2.0)
DELAYED = AlarmRule(1, 1, AlarmKind.H, Priority.LOW, limit=10.0, deadband=2.0, on_delay_s=5.0, off_delay_s=3.0)
BAD = AlarmRule(1, 1, AlarmKind.BAD, Priority.LOW)


def nothing(_: int) -> float | None:
    return None


def play(rule: AlarmRule, *steps: tuple[float, float | None, int]) -> str:
    """Return '+' and '-' with the moments of the samples that made the events."""
    condition, events = Condition(), []
    for after_s, value, quality in steps:
        condition, new = judge(rule, condition, sample(1, value, after_s, quality), nothing)
        events += new
    return " ".join(f"{'+' if isinstance(e, Raised) else '-'}{(e.time - START).total_seconds():g}" for e in events)


@pytest.mark.parametrize(
    ("rule", "values", "events"),
    [
        (HIGH, [9.9, 10.0], "+1"),
        (HIGH, [10.0, 8.1, 10.0, 8.0], "+0 -3"),
        (LOW, [10.1, 10.0, 11.9, 12.0], "+1 -3"),
        (HIGH, [9.0, 8.0], ""),
    ],
)
def test_deadband(rule: AlarmRule, values: list[float], events: str) -> None:
    assert play(rule, *((i, value, 0) for i, value in enumerate(values))) == events


@pytest.mark.parametrize(
    ("steps", "events"),
    [
        ([(0, 11.0), (4.9, 11.0)], ""),
        ([(0, 11.0), (5, 11.0)], "+0"),
        ([(0, 11.0), (3, 7.0), (4, 11.0), (8.9, 11.0)], ""),
        ([(0, 11.0), (5, 11.0), (6, 7.0), (8.9, 11.0)], "+0"),
        ([(0, 11.0), (5, 11.0), (6, 7.0), (9, 7.0)], "+0 -6"),
        # a delay that ran out before the value came back still counts: no alarm is lost between two samples
        ([(0, 11.0), (20, 7.0)], "+0"),
        ([(0, 11.0), (20, 7.0), (30, 7.0)], "+0 -20"),
    ],
)
def test_delays(steps: list[tuple[float, float]], events: str) -> None:
    assert play(DELAYED, *((time, value, 0) for time, value in steps)) == events


def test_a_delay_runs_out_without_a_further_sample() -> None:
    condition, _ = judge(DELAYED, Condition(), sample(1, 11.0), nothing)
    assert settle(condition, sample(1, 0, 4.9).arrival_time)[1] is None
    after, event = settle(condition, sample(1, 0, 5.0).arrival_time)
    assert after.is_active
    assert event == Raised(START, 11.0, 0)


@pytest.mark.parametrize("quality", [BAD_SENSOR_FAILURE, UNCERTAIN_LAST_USABLE, BAD_NO_COMMUNICATION])
def test_untrusted_values_neither_raise_nor_clear(quality: int) -> None:
    assert play(HIGH, (0, 99.0, quality)) == ""
    assert play(HIGH, (0, 11.0, 0), (1, 0.0, quality)) == "+0"
    assert play(HIGH, (0, 11.0, 0), (1, None, quality), (2, 7.0, 0)) == "+0 -2"


def test_bad_quality_alarm() -> None:
    steps = [(0, 1.0, 0), (1, 1.0, UNCERTAIN), (2, 1.0, UNCERTAIN_LAST_USABLE), (3, None, BAD_SENSOR_FAILURE)]
    assert play(BAD, *steps, (4, 1.0, 0)) == "+3 -4"


@pytest.mark.parametrize("lost", [UNCERTAIN_LAST_USABLE, BAD_NO_COMMUNICATION])
def test_a_lost_link_neither_raises_nor_clears_a_bad_quality_alarm(lost: int) -> None:
    assert play(BAD, (0, 1.0, 0), (1, 1.0, lost), (2, None, BAD_WAITING_FOR_INITIAL)) == ""
    assert play(BAD, (0, None, BAD_SENSOR_FAILURE), (1, None, lost), (2, 1.0, 0)) == "+0 -2"


@given(st.lists(st.floats(8.01, 11.9), min_size=1))
def test_no_chatter_inside_the_deadband(values: list[float]) -> None:
    events = play(HIGH, *((i, value, 0) for i, value in enumerate(values)))
    assert len(events.split()) <= 1


STATE = AlarmRule(1, 1, AlarmKind.STATE, Priority.LOW, limit=2.0)
RATE = AlarmRule(1, 1, AlarmKind.RATE, Priority.LOW, limit=6.0, deadband=3.0, window_s=60.0)
STALE = AlarmRule(1, 1, AlarmKind.STALE, Priority.LOW, limit=30.0, off_delay_s=5.0)
DEVIATION = AlarmRule(1, 1, AlarmKind.DEVIATION, Priority.LOW, limit=5.0, deadband=2.0, other_tag_id=2)
DISCREPANCY = AlarmRule(1, 1, AlarmKind.DISCREPANCY, Priority.LOW, other_tag_id=2, on_delay_s=10.0)


def test_a_state_that_should_not_be() -> None:
    assert play(STATE, (0, 1.0, 0), (1, 2.0, 0), (2, 3.0, 0), (3, 2.0, BAD_SENSOR_FAILURE)) == "+1 -2"


@pytest.mark.parametrize(
    ("steps", "events"),
    [
        # 0.1 a second is 6 a minute, in either direction
        ([(0, 0.0), (10, 0.9), (20, 2.0)], "+20"),
        ([(0, 0.0), (10, -1.0)], "+10"),
        ([(0, 0.0), (10, 1.0), (30, 1.9), (60, 2.9)], "+10 -60"),
        # what lies before the window counts no longer, but for the newest point of it
        ([(0, 0.0), (100, 5.0), (110, 5.5)], ""),
        # late data changes no rate that was
        ([(10, 0.0), (5, 50.0), (20, 0.5)], ""),
        ([(0, 5.0)], ""),
    ],
)
def test_rates_of_change(steps: list[tuple[float, float]], events: str) -> None:
    assert play(RATE, *((time, value, 0) for time, value in steps)) == events


@given(st.lists(st.tuples(st.floats(0.001, 30), st.floats(-1e6, 1e6)), min_size=1, max_size=300))
def test_a_rate_remembers_little_and_a_straight_line_exactly(steps: list[tuple[float, float]]) -> None:
    points: Points = ()
    straight: Points = ()
    time_s = 0.0
    for pause_s, value in steps:
        time_s += pause_s
        points = remember(points, time_s, value, 60.0)
        straight = remember(straight, time_s, 3.0 * time_s, 60.0)
        assert len(points) <= 55
        assert points[-1] == (time_s, value)
    assert [at for at, _ in points] == sorted(at for at, _ in points)
    if len(straight) > 1:
        assert rate_per_min(straight) == pytest.approx(180.0)


def test_silence_is_an_alarm_until_something_is_heard() -> None:
    condition = begin_silence(STALE, START)
    condition, event = settle(condition, sample(1, 0, 29.9).arrival_time)
    assert event is None
    condition, new = judge(STALE, condition, sample(1, 1.0, 29.95), nothing)
    assert new == []
    # a value that may not be trusted ends no silence
    condition, new = judge(STALE, condition, sample(1, 1.0, 50, BAD_NO_COMMUNICATION), nothing)
    condition, event = settle(condition, sample(1, 0, 60.0).arrival_time)
    assert isinstance(event, Raised)
    assert event.time == sample(1, 0, 59.95).arrival_time
    condition, new = judge(STALE, condition, sample(1, 2.0, 70), nothing)
    assert [type(one).__name__ for one in new] == ["Returned"]
    # and the next silence begins with what was heard last
    assert condition.due == sample(1, 0, 100).arrival_time
    _, event = settle(condition, sample(1, 0, 100).arrival_time)
    assert isinstance(event, Raised)


def play_pair(rule: AlarmRule, *steps: tuple[float, int, float, int]) -> str:
    values: dict[int, float] = {}
    condition, events = Condition(), []
    for after_s, tag_id, value, quality in steps:
        if quality == 0:
            values[tag_id] = value
        condition, new = judge(rule, condition, sample(tag_id, value, after_s, quality), values.get)
        events += new
    return " ".join(
        f"{'+' if isinstance(e, Raised) else '-'}{(e.time - START).total_seconds():g}:{e.value}" for e in events
    )


def test_deviation_from_another_tag_in_either_direction() -> None:
    steps = [(0, 1, 10.0, 0), (1, 2, 14.0, 0), (2, 2, 15.0, 0), (3, 1, 11.9, 0), (4, 1, 12.0, 0), (5, 1, 20.0, 0)]
    assert play_pair(DEVIATION, *steps) == "+2:10.0 -4:12.0 +5:20.0"


def test_a_comparison_waits_for_both_and_trusts_neither_when_it_is_bad() -> None:
    assert play_pair(DEVIATION, (0, 1, 100.0, 0), (1, 2, 0.0, BAD_SENSOR_FAILURE)) == ""
    steps = [(0, 1, 10.0, 0), (1, 2, 15.0, 0), (2, 2, 10.0, BAD_SENSOR_FAILURE), (3, 1, 10.0, 0)]
    # bad input never silently clears an alarm
    assert play_pair(DEVIATION, *steps) == "+1:10.0"


def test_a_machine_has_time_to_obey() -> None:
    obeyed = [(0, 1, 0.0, 0), (0, 2, 0.0, 0), (1, 2, 1.0, 0), (10.9, 1, 1.0, 0), (30, 1, 1.0, 0)]
    assert play_pair(DISCREPANCY, *obeyed) == ""
    not_obeyed = [(0, 1, 0.0, 0), (0, 2, 0.0, 0), (1, 2, 1.0, 0), (20, 1, 0.0, 0), (21, 2, 0.0, 0)]
    assert play_pair(DISCREPANCY, *not_obeyed) == "+1:0.0 -21:0.0"
