"""Roll-ups by the rules of OPC UA Part 13, reckoned by hand."""

import numpy as np
import pytest

from control_room.core.rollups import Rollup, combine, fitting_period_s, of_period
from control_room.core.samples import Grade


def rolled(
    *rows: tuple[float, float | None, int],
    start_s: float = 0,
    before: tuple[float, int] | None = None,
    period_s: float = 60,
) -> Rollup:
    columns = np.array([(at, np.nan if value is None else value, grade) for at, value, grade in rows]).T
    found = of_period(start_s, period_s, columns[0], columns[1], columns[2].astype(np.uint8), before)
    assert found is not None
    return found


def test_values_are_weighted_by_how_long_they_held() -> None:
    found = rolled((0, 1, 0), (15, 5, 0), (45, 3, 0))
    # 1 for 15 s, 5 for 30 s, 3 for 15 s
    assert found.average == pytest.approx((15 + 150 + 45) / 60)
    assert (found.low, found.low_time_s, found.high, found.high_time_s) == (1, 0, 5, 15)
    assert (found.first, found.last, found.count, found.good_s, found.bad_s) == (1, 3, 3, 60, 0)


def test_what_held_before_counts_from_the_first_moment_and_is_no_sample_of_the_period() -> None:
    found = rolled((30, 4, 0), before=(10, 0))
    assert found.average == pytest.approx(7)
    assert (found.low, found.high, found.count, found.good_s) == (4, 4, 1, 60)


def test_time_before_the_very_first_sample_counts_as_nothing() -> None:
    found = rolled((30, 4, 0))
    assert (found.average, found.good_s, found.bad_s) == (4, 30, 0)


def test_bad_stale_and_missing_values_are_no_extremes_and_bad_time() -> None:
    found = rolled((0, 1, 0), (20, 99, Grade.BAD), (30, -99, Grade.STALE), (40, None, 0), (50, 2, Grade.UNCERTAIN))
    assert found.average == pytest.approx((20 + 20) / 30)
    assert (found.low, found.high, found.first, found.last) == (1, 2, 1, 2)
    assert (found.good_s, found.uncertain_s, found.bad_s) == (20, 10, 30)
    assert (found.grade, found.worst) == (Grade.UNCERTAIN, Grade.BAD)


def test_nothing_usable_gives_no_value() -> None:
    found = rolled((10, 5, Grade.BAD))
    assert np.isnan([found.low, found.high, found.average, found.first, found.last]).all()
    assert (found.count, found.bad_s) == (1, 50)


def test_no_sample_gives_no_rollup() -> None:
    none = np.array([])
    assert of_period(0, 60, none, none, none.astype(np.uint8), (1, 0)) is None


def test_an_hour_of_minutes_is_an_hour_of_samples() -> None:
    random = np.random.default_rng(7)
    for _ in range(20):
        time_s = np.unique(random.integers(3_600, 7_200, 40)).astype(float)
        values, grades = (
            random.normal(size=time_s.size),
            random.choice([0, 0, 0, 1, 2, 3], time_s.size).astype(np.uint8),
        )
        head_s = 1_800.0
        held = (5.0, int(random.integers(0, 4)))
        before = rolled((head_s, *held), start_s=head_s)
        parts, holds = [], held
        for start_s in range(3_600, 7_200, 60):
            own = (time_s >= start_s) & (time_s < start_s + 60)
            if found := of_period(start_s, 60, time_s[own], values[own], grades[own], holds):
                parts.append(found)
                holds = (float(values[own][-1]), int(grades[own][-1]))
        found, whole = combine(3_600, 3_600, parts, 60, before), of_period(3_600, 3_600, time_s, values, grades, held)
        assert whole is not None
        for name in Rollup.__slots__:
            assert getattr(found, name) == pytest.approx(getattr(whole, name), nan_ok=True), name


@pytest.mark.parametrize(
    ("width_s", "period_s"), [(1, None), (59.9, None), (60, 60), (3_599, 900), (15_768, 3_600), (1e6, 86_400)]
)
def test_the_longest_period_that_fits_a_column(width_s: float, period_s: int | None) -> None:
    assert fitting_period_s(width_s) == period_s
