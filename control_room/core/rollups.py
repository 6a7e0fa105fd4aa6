"""Roll-ups: what a stretch of a tag's samples comes to, by the rules of OPC UA Part 13 (aggregates).

A value holds until the next one (stepped), also into the next period: what held when a period begins counts from its first
moment on. Good and uncertain values are used; how long each held is kept apart, so that either setting of
TreatUncertainAsBad can be applied. Stale and bad time is bad. Time before the very first sample counts as nothing.
Periods are [start, end) in UTC. The database reckons the same in `roll_up`; a test compares the two.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from control_room.core.samples import Grade
from control_room.core.trends import Floats, Grades, is_trusted

# a minute, a quarter, an hour, a day
PERIODS_S = (60, 900, 3_600, 86_400)


@dataclass(frozen=True, slots=True)
class Rollup:
    """One period of one tag with at least one sample in it; times are seconds since 1970, NaN stands for no usable value.

    `grade` is how the period ends and `worst` the worst of its samples; `last` holds after the period while `grade` is trusted.
    """

    start_s: float
    first_time_s: float
    low: float
    low_time_s: float
    high: float
    high_time_s: float
    average: float
    first: float
    last: float
    count: int
    good_s: float
    uncertain_s: float
    bad_s: float
    grade: int
    worst: int


@dataclass(frozen=True, slots=True)
class _Holding:
    """A value that holds: how high, how far trusted, how long."""

    value: float
    grade: int
    held_s: float


def of_period(
    start_s: float, period_s: float, time_s: Floats, values: Floats, grades: Grades, before: tuple[float, int] | None
) -> Rollup | None:
    """Return the roll-up of the samples of a period, times ascending; `before`: value and grade that held at its start.

    None without a sample. NaN is no value, and bad.
    """
    if not time_s.size:
        return None
    grades = np.where(np.isnan(values), np.uint8(Grade.BAD), grades)
    held_s = np.diff(np.r_[time_s, start_s + period_s])
    holdings = [_Holding(*one) for one in zip(values.tolist(), grades.tolist(), held_s.tolist(), strict=True)]
    if before is not None:
        holdings.insert(0, _Holding(*before, float(time_s[0]) - start_s))
    used = np.flatnonzero(is_trusted(grades))
    lowest, highest = (used[pick(values[used])] if used.size else None for pick in (np.argmin, np.argmax))
    at = [(np.nan, np.nan) if one is None else (float(values[one]), float(time_s[one])) for one in (lowest, highest)]
    first, last = (float(values[used[one]]) if used.size else np.nan for one in (0, -1))
    return Rollup(
        start_s, float(time_s[0]), *at[0], *at[1], _average(holdings), first, last, time_s.size,
        *_durations(holdings), int(grades[-1]), int(grades.max()),
    )  # fmt: skip


def combine(start_s: float, period_s: float, parts: Sequence[Rollup], part_s: float, before: Rollup | None) -> Rollup:
    """Return the roll-up of a period from those of its parts, each `part_s` long, ascending, at least one.

    Parts without samples are not there: what held goes on holding. `before` is the last part before the period.
    """
    ends = [one.start_s for one in parts[1:]] + [start_s + period_s]
    holdings = [] if before is None else [_Holding(before.last, before.grade, parts[0].start_s - start_s)]
    for one, end_s in zip(parts, ends, strict=True):
        used_s = one.good_s + one.uncertain_s
        holdings += [
            _Holding(one.average, Grade.GOOD, one.good_s),
            _Holding(one.average, Grade.UNCERTAIN, one.uncertain_s),
        ]
        holdings += [_Holding(np.nan, Grade.BAD, one.bad_s)] if used_s or one.bad_s else []
        holdings.append(_Holding(one.last, one.grade, end_s - one.start_s - part_s))
    used = [one for one in parts if not np.isnan(one.low)]
    lowest = min(used, key=lambda one: one.low, default=parts[0])
    highest = max(used, key=lambda one: one.high, default=parts[0])
    return Rollup(
        start_s, parts[0].first_time_s, lowest.low, lowest.low_time_s, highest.high, highest.high_time_s, _average(holdings),
        used[0].first if used else np.nan, used[-1].last if used else np.nan, sum(one.count for one in parts),
        *_durations(holdings), parts[-1].grade, max(one.worst for one in parts),
    )  # fmt: skip


def _average(holdings: Sequence[_Holding]) -> float:
    used = [one for one in holdings if one.grade <= Grade.UNCERTAIN and one.held_s > 0]
    total_s = sum(one.held_s for one in used)
    return sum(one.value * one.held_s for one in used) / total_s if total_s else np.nan


def _durations(holdings: Sequence[_Holding]) -> tuple[float, float, float]:
    good_s, uncertain_s = (sum(one.held_s for one in holdings if one.grade == kind) for kind in (0, 1))
    return good_s, uncertain_s, sum(one.held_s for one in holdings) - good_s - uncertain_s


def fitting_period_s(width_s: float) -> int | None:
    """Return the longest period that still gives every column of `width_s` one roll-up, None where only samples do."""
    return max((one for one in PERIODS_S if one <= width_s), default=None)
