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
