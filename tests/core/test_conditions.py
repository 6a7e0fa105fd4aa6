"""Deadband, delays and bad quality, as tables of samples and expected events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_room.core.alarms import AlarmKind, AlarmRule, Priority, Raised
from control_room.core.conditions import Condition, judge, settle
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


def play(rule: AlarmRule, *steps: tuple[float, float | None, int]) -> str:
    """Return '+' and '-' with the moments of the samples that made the events."""
    condition, events = Condition(), []
    for after_s, value, quality in steps:
        condition, new = judge(rule, condition, sample(1, value, after_s, quality))
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
    condition, _ = judge(DELAYED, Condition(), sample(1, 11.0))
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
