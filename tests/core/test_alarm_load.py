"""The load meter: what counts, and where a flood begins and ends."""

from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_room.core.alarm_load import FLOOD_ABOVE, FLOOD_ENDS_BELOW, WINDOW_S, AlarmLoad, load
from tests.fakes import START


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def load_at(announced: list[tuple[datetime, int]], now: datetime) -> AlarmLoad:
    times_s = np.array([time.timestamp() for time, _ in announced], np.float64)
    return load(times_s, np.array([many for _, many in announced], np.int64), now.timestamp())


@pytest.mark.parametrize(
    ("announced", "now", "expected"),
    [
        ([], 0, AlarmLoad(0)),
        ([(0, 3), (5, 2)], 6, AlarmLoad(5)),
        ([(0, 3), (5, 2)], 10, AlarmLoad(2)),
        # ten are not yet a flood
        ([(0, 10)], 1, AlarmLoad(10)),
        ([(0, 10), (1, 1)], 2, AlarmLoad(11, at(1), 11)),
        ([(0, 10), (1, 30), (5, 1)], 6, AlarmLoad(41, at(1), 41)),
        # it lasts until fewer than five
        ([(0, 11), (9, 5)], 10.5, AlarmLoad(5, at(0), 16)),
        ([(0, 11), (9, 4)], 10.5, AlarmLoad(4)),
        # and may end between two alarms
        ([(0, 11), (20, 6)], 21, AlarmLoad(6)),
        ([(0, 11), (20, 11)], 21, AlarmLoad(11, at(20), 11)),
    ],
)
def test_loads(announced: list[tuple[float, int]], now: float, expected: AlarmLoad) -> None:
    assert load_at([(at(minutes), many) for minutes, many in announced], at(now)) == expected


@given(st.lists(st.tuples(st.floats(0, 12), st.integers(1, 12)), max_size=60), st.floats(0, 15))
def test_the_count_is_that_of_the_window_and_a_flood_is_one(steps: list[tuple[float, int]], rest: float) -> None:
    minutes, announced = 0.0, []
    for pause, many in steps:
        minutes += pause
        announced.append((at(minutes), many))
    now = at(minutes + rest)
    found = load_at(announced, now)
    assert found.count == sum(many for time, many in announced if now - timedelta(seconds=WINDOW_S) < time <= now)
    if found.flood_since is None:
        assert found.count <= FLOOD_ABOVE
    else:
        assert found.count >= FLOOD_ENDS_BELOW
        assert found.peak > FLOOD_ABOVE
        assert found.flood_since <= now
