"""What is late, what is news, and a clock that was set back."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_room.core.lateness import Known, follow
from control_room.core.samples import (
    BAD_NO_COMMUNICATION,
    BAD_SENSOR_FAILURE,
    UNCERTAIN_NO_COMMUNICATION_LAST_USABLE,
    Sample,
)
from tests.fakes import START, sample


def measured(at_s: float, arrived_s: float, quality: int = 0) -> Sample:
    return replace(sample(1, 1.0, at_s, quality), arrival_time=START + timedelta(seconds=arrived_s))


def late_ones(*samples: Sample) -> list[int]:
    known: Known | None = None
    found = []
    for number, one in enumerate(samples):
        known, is_late = follow(known, one)
        if is_late:
            found.append(number)
    return found


@pytest.mark.parametrize(
    ("samples", "late"),
    [
        ([(10, 10), (9, 11), (10, 12), (11, 13)], [1]),
        # the same moment is no earlier one
        ([(10, 10), (10, 10)], []),
        # a value that changed long ago is the present where nothing newer is known
        ([(-9000, 10), (-8000, 11)], []),
        # the bad value of a device counts as well
        ([(10, 10), (20, 20, BAD_SENSOR_FAILURE), (15, 21), (21, 21)], [2]),
        ([(10, 10), (9, 11, BAD_SENSOR_FAILURE)], [1]),
        # the collector's mark of a lost link does not: what was measured before it is news
        ([(10, 10), (30, 30, UNCERTAIN_NO_COMMUNICATION_LAST_USABLE), (29, 60)], []),
        ([(10, 10), (30, 30, BAD_NO_COMMUNICATION), (29, 60), (12, 61)], [3]),
        # a clock that was ahead
        ([(3600, 10), (10.9, 11), (12, 12)], []),
        # stored data in a burst, again and again
        ([(7200, 7200), *((n, 7201 + n / 1000) for n in range(500)), (7202, 7203)], list(range(1, 501))),
        ([(7200, 7200), *((n * 600, 7201 + n * 30) for n in range(12))], list(range(1, 13))),
    ],
)
def test_what_is_late(samples: list[tuple[float, ...]], late: list[int]) -> None:
    assert late_ones(*(measured(one[0], one[1], int(one[2]) if len(one) > 2 else 0) for one in samples)) == late


@pytest.mark.parametrize("step_s", [0.5, 1, 10, 45])
def test_a_clock_that_was_set_back_is_believed_after_a_minute(step_s: float) -> None:
    steps = [n * step_s for n in range(1, int(200 / step_s))]
    late = late_ones(measured(3600, 3600), *(measured(at, 3600 + at) for at in steps))
    assert late == [n for n, at in enumerate(steps, 1) if at - step_s < 60]


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0, 30)), min_size=1, max_size=80))
def test_no_sample_is_judged_before_one_that_was_measured_earlier(steps: list[tuple[float, float]]) -> None:
    """Within the minute in which no clock is believed: what is judged goes on in its own time."""
    arrived, samples = 0.0, []
    for back_s, pause_s in steps:
        arrived = min(59.0, arrived + pause_s)
        samples.append(measured(arrived - back_s, arrived))
    late = set(late_ones(*samples))
    judged = [one.source_time for number, one in enumerate(samples) if number not in late]
    assert judged == sorted(judged)
