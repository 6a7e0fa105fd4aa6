"""Stretches of the past as a plot needs them: the lowest and the highest value of every pixel column."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from control_room.core.samples import Grade

Floats = NDArray[np.float64]
Grades = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class TrendPiece:
    """One tag's past between `start_s` and `end_s` (seconds since 1970, UTC).

    Row i covers the column or the sample at `time_s[i]` (ascending): `low[i]` and `high[i]` are the extremes of its
    trusted values, NaN when there are none; `grade[i]` is the worst Grade in it. A value holds until the next row. The
    first row may lie before `start_s`: it is the value that held when the stretch began.
    """

    tag_id: int
    start_s: float
    end_s: float
    time_s: Floats
    low: Floats
    high: Floats
    grade: Grades
    is_reduced: bool = False


def reduce(piece: TrendPiece, columns: int) -> TrendPiece:
    """Return the piece with at most about `columns` + 1 rows; never hides an extreme, never invents a value.

    Rows are gathered in equal columns of time; each keeps the time of its first row, the extremes and the worst grade.
    """
    count = piece.time_s.size
    if count <= columns or columns < 1:
        return piece
    width_s = (piece.end_s - piece.start_s) / columns or 1.0
    column = np.floor((piece.time_s - piece.start_s) / width_s).astype(np.int64)
    first = np.flatnonzero(np.r_[True, column[1:] != column[:-1]])
    low, high = (
        np.fmin.reduceat(piece.low, first),
        np.fmax.reduceat(piece.high, first),
    )
    worst = np.maximum.reduceat(piece.grade, first)
    return TrendPiece(piece.tag_id, piece.start_s, piece.end_s, piece.time_s[first], low, high, worst, is_reduced=True)


def is_trusted(grade: Grades) -> NDArray[np.bool_]:
    """Return where values may be drawn as measured: good or uncertain."""
    return grade <= Grade.UNCERTAIN


@dataclass(frozen=True, slots=True)
class Polyline:
    """What a plot draws of a piece: `time_s` and the height of the trusted line and of the untrusted one, NaN breaks."""

    time_s: Floats
    trusted: Floats
    untrusted: Floats


def as_steps(piece: TrendPiece, until_s: float) -> Polyline:
    """Return the piece as steps, for a value holds until the next one; the last one holds until `until_s`.

    Where values may not be trusted, the last trusted one is carried on in `untrusted` and `trusted` is broken; before
    the first trusted value there is nothing. Reduced rows are drawn from their low to their high.
    """
    count = piece.time_s.size
    time_s = np.repeat(piece.time_s, 3)
    heights = np.empty(count * 3)
    ok = is_trusted(piece.grade) & ~np.isnan(piece.low)
    heights[0::3], heights[1::3] = piece.low, piece.high
    # the third point of each row holds its height until the next row begins
    heights[2::3] = piece.high
    time_s[2::3] = np.r_[piece.time_s[1:], max(until_s, piece.time_s[-1])] if count else time_s[2::3]
    is_ok = np.repeat(ok, 3)
    trusted = np.where(is_ok, heights, np.nan)
    untrusted = np.where(is_ok, np.nan, _carried(piece.high, ok).repeat(3))
    return Polyline(time_s, trusted, untrusted)


def _carried(values: Floats, is_ok: NDArray[np.bool_]) -> Floats:
    """Return each row's last value that was ok, NaN before the first."""
    rows = np.where(is_ok, np.arange(values.size), -1)
    newest = np.maximum.accumulate(rows) if rows.size else rows
    return np.where(newest >= 0, values[np.maximum(newest, 0)], np.nan)


def held_at(piece: TrendPiece, time_s: float) -> int | None:
    """Return the row whose value held at `time_s`, None before the first."""
    row = int(np.searchsorted(piece.time_s, time_s, side="right")) - 1
    return row if row >= 0 else None
