"""The reduction never hides an extreme and never invents a value; steps never draw what may not be trusted."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from control_room.core.trends import TrendPiece, as_steps, held_at, of_samples, reduce

rows = st.lists(
    st.tuples(st.floats(0, 999), st.floats(-1e6, 1e6), st.sampled_from([0, 0, 0, 1, 2, 3])),
    min_size=1,
    max_size=300,
    unique_by=lambda row: row[0],
)


def piece(content: list[tuple[float, float, int]], end_s: float = 1_000.0) -> TrendPiece:
    ordered = sorted(content, key=lambda row: row[0])
    time_s, values, grades = (np.array(column) for column in zip(*ordered, strict=True))
    return of_samples(1, 0.0, end_s, time_s.astype(float), values.astype(float), grades.astype(np.uint8))


@given(rows, st.integers(1, 60))
def test_a_reduction_keeps_extremes_worst_grade_and_order(
    content: list[tuple[float, float, int]], columns: int
) -> None:
    whole = piece(content)
    less = reduce(whole, columns)
    assert less.time_s.size <= columns + 1 or less is whole
    assert np.all(np.diff(less.time_s) >= 0)
    assert set(less.time_s) <= set(whole.time_s)
    trusted = [value for _, value, grade in content if grade <= 1]
    drawn = np.r_[less.low, less.high]
    drawn = drawn[~np.isnan(drawn)]
    if trusted:
        assert (drawn.min(), drawn.max()) == (min(trusted), max(trusted))
        assert set(drawn) <= set(trusted)
    else:
        assert drawn.size == 0
    assert less.worst.max() == whole.worst.max()
    assert less.grade[-1] == whole.grade[-1]


@given(rows, st.integers(1, 60))
def test_a_reduction_holds_what_the_last_sample_of_a_column_left(
    content: list[tuple[float, float, int]], columns: int
) -> None:
    whole = piece(content)
    full, less = as_steps(whole, 1_000.0), as_steps(reduce(whole, columns), 1_000.0)
    # the end of every column's held part is where the next row begins
    for time_s, trusted, untrusted in zip(less.time_s[3::4], less.trusted[3::4], less.untrusted[3::4], strict=True):
        before = np.flatnonzero(full.time_s[2::4] < time_s)
        if before.size:
            row = 4 * before[-1] + 2
            assert np.array_equal([trusted, untrusted], [full.trusted[row], full.untrusted[row]], equal_nan=True)


def test_a_value_holds_until_the_next_and_the_last_until_the_end() -> None:
    line = as_steps(piece([(10, 1.0, 0), (20, 2.0, 0)]), until_s=30.0)
    assert line.time_s.tolist() == [10, 10, 10, 20, 20, 20, 20, 30]
    assert line.trusted.tolist() == [1, 1, 1, 1, 2, 2, 2, 2]
    assert np.isnan(line.untrusted).all()


def test_what_may_not_be_trusted_carries_the_last_trusted_value_on_another_line() -> None:
    line = as_steps(piece([(0, 9.0, 3), (10, 1.0, 0), (20, 5.0, 2), (30, 2.0, 0)]), until_s=40.0)
    assert np.isnan(line.trusted[:4]).all()
    assert np.isnan(line.untrusted[:4]).all()
    assert line.untrusted[10:12].tolist() == [1, 1]
    assert np.isnan(line.trusted[8:12]).all()
    assert line.trusted[12:].tolist() == [2, 2, 2, 2]


def test_a_bad_sample_does_not_hide_its_column_and_the_last_one_decides_what_is_held() -> None:
    whole = piece([(1, 1.0, 0), (2, 9.0, 0), (3, 5.0, 3), (4, 4.0, 0), (600, 7.0, 0), (601, 7.0, 3)])
    less = reduce(whole, 2)
    assert (less.low[0], less.high[0], less.last[0]) == (1.0, 9.0, 4.0)
    assert (less.worst.tolist(), less.grade.tolist()) == ([3, 3], [0, 3])
    line = as_steps(less, 1_000.0)
    assert line.trusted[:4].tolist() == [1, 9, 4, 4]
    assert line.untrusted[6:].tolist() == [7, 7]


def test_nothing_is_drawn_of_nothing() -> None:
    empty = np.array([])
    assert as_steps(of_samples(1, 0, 1, empty, empty, empty.astype(np.uint8)), 5.0).time_s.size == 0


def test_which_row_held_at_a_time() -> None:
    rows_ = piece([(10, 1.0, 0), (20, 2.0, 0)])
    assert [held_at(rows_, time_s) for time_s in (9.9, 10, 19.9, 20, 99)] == [None, 0, 0, 1, 1]
