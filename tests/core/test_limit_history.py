"""What a limit was at the time."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import inf

from hypothesis import given
from hypothesis import strategies as some

from control_room.core.limit_history import LimitChange, LimitStep, SeenLimit, limit_steps

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOON_S = NOON.timestamp()


def change(minute: int, old: float, new: float) -> LimitChange:
    return LimitChange(NOON + timedelta(minutes=minute), old, new)


def test_without_a_change_the_present_limit_always_held() -> None:
    assert limit_steps(3.0, []) == [LimitStep(-inf, inf, 3.0)]


def test_changes_are_steps_in_whatever_order_they_come() -> None:
    assert limit_steps(3.0, [change(10, 2.0, 3.0), change(0, 1.0, 2.0)]) == [
        LimitStep(-inf, NOON_S, 1.0),
        LimitStep(NOON_S, NOON_S + 600, 2.0),
        LimitStep(NOON_S + 600, inf, 3.0),
    ]


def test_what_the_journal_saw_counts_where_a_note_is_missing() -> None:
    seen = SeenLimit(NOON_S - 60, 0.5)
    assert [one.limit for one in limit_steps(3.0, [change(0, 1.0, 3.0)], seen)] == [0.5, 3.0]
    assert [one.limit for one in limit_steps(3.0, [], seen)] == [0.5]


@given(some.lists(some.tuples(some.integers(-900, 900), some.floats(0, 9)), max_size=8), some.floats(0, 9))
def test_the_steps_cover_all_time_without_overlap(noted: list[tuple[int, float]], present: float) -> None:
    steps = limit_steps(present, [change(minute, old, 0.0) for minute, old in noted])
    assert (steps[0].start_s, steps[-1].end_s, steps[-1].limit) == (-inf, inf, present)
    assert all(before.end_s == after.start_s for before, after in pairwise(steps))
