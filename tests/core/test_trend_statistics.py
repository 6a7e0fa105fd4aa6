"""Statistics between two moments, against a slow reckoning of every millisecond's value."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_room.core.trend_statistics import NOTHING, statistics
from control_room.core.trends import of_samples

ROWS = st.lists(
    st.tuples(st.integers(-20, 100), st.integers(-50, 50) | st.none(), st.sampled_from([0, 0, 1, 2, 3])),
    min_size=1,
    max_size=12,
    unique_by=lambda row: row[0],
)


@given(ROWS)
def test_a_value_counts_as_long_as_it_holds(rows: list[tuple[int, int | None, int]]) -> None:
    rows = sorted(rows, key=lambda row: row[0])
    # as a read gives it: one row from before the stretch at most
    before = [row for row in rows if row[0] < 0][-1:]
    rows = before + [row for row in rows if row[0] >= 0]
    time_s = np.array([float(at) for at, _, _ in rows])
    values = np.array([np.nan if value is None else float(value) for _, value, _ in rows])
    grades = np.array([3 if value is None else grade for _, value, grade in rows], np.uint8)
    found = statistics(of_samples(1, 0.0, 100.0, time_s, values, grades), is_every_sample=True)
    held: list[float] = []
    for second in range(100):
        earlier = [number for number, row in enumerate(rows) if row[0] <= second]
        if earlier and grades[earlier[-1]] <= 1:
            held.append(float(values[earlier[-1]]))
    at_end = [float(values[number]) for number, row in enumerate(rows) if row[0] == 100 and grades[number] <= 1]
    assert found.trusted_share == pytest.approx(len(held) / 100)
    assert found.count == sum(row[0] >= 0 for row in rows)
    if held:
        assert found.average == pytest.approx(np.mean(held))
        assert found.deviation == pytest.approx(np.std(held), abs=1e-6)
    else:
        assert np.isnan(found.average)
    if held or at_end:
        assert (found.low, found.high) == (min(held + at_end), max(held + at_end))


def test_what_holds_at_both_moments_and_the_difference() -> None:
    made = of_samples(1, 10.0, 20.0, np.array([3.0, 12.0]), np.array([1.0, 4.5]), np.zeros(2, np.uint8))
    found = statistics(made, is_every_sample=True)
    assert (found.begin, found.end, found.difference) == (1.0, 4.5, 3.5)
    assert found.average == pytest.approx((2 * 1.0 + 8 * 4.5) / 10)


def test_of_columns_only_extremes_and_ends_are_told() -> None:
    made = of_samples(1, 10.0, 20.0, np.array([3.0, 12.0]), np.array([1.0, 4.5]), np.zeros(2, np.uint8))
    found = statistics(made, is_every_sample=False)
    assert (found.low, found.high, found.count) == (1.0, 4.5, None)
    assert np.isnan(found.average)


def test_without_samples_there_is_nothing() -> None:
    nothing = np.empty(0)
    made = of_samples(1, 0.0, 9.0, nothing, nothing, nothing.astype(np.uint8))
    assert statistics(made, is_every_sample=True) is NOTHING
