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
    trusted values and `last[i]` the last of them, NaN when there are none; `worst[i]` is the worst Grade in it and
    `grade[i]` that of its last sample, which holds until the next row. The first row may lie before `start_s`: it is the
    value that held when the stretch began.
    """

    tag_id: int
    start_s: float
    end_s: float
    time_s: Floats
    low: Floats
    high: Floats
    last: Floats
    grade: Grades
    worst: Grades


def of_samples(tag_id: int, start_s: float, end_s: float, time_s: Floats, values: Floats, grades: Grades) -> TrendPiece:
    """Return the piece with a row for every sample; arrays of the same length, times ascending, NaN for no value."""
    # what may not be trusted has no place among the extremes
    heights = np.where(is_trusted(grades), values, np.nan)
    return TrendPiece(tag_id, start_s, end_s, time_s, heights, heights, heights, grades, grades)


def join(first: TrendPiece, second: TrendPiece) -> TrendPiece:
    """Return both, one after the other; of the second only what is later than the first's last row."""
    later = second.time_s > first.time_s[-1] if first.time_s.size else np.ones(second.time_s.size, np.bool_)
    arrays = (
        np.r_[getattr(first, name), getattr(second, name)[later]]
        for name in ("time_s", "low", "high", "last", "grade", "worst")
    )
    return TrendPiece(first.tag_id, first.start_s, second.end_s, *arrays)


def reduce(piece: TrendPiece, columns: int) -> TrendPiece:
    """Return the piece with at most about `columns` + 1 rows; never hides an extreme, never invents a value.

    Rows are gathered in equal columns of time; each keeps the time of its first row, the extremes, and how it ends.
    """
    count = piece.time_s.size
    if count <= columns or columns < 1:
        return piece
    width_s = (piece.end_s - piece.start_s) / columns or 1.0
    column = np.floor((piece.time_s - piece.start_s) / width_s).astype(np.int64)
    first = np.flatnonzero(np.r_[True, column[1:] != column[:-1]])
    ends = np.r_[first[1:], count] - 1
    low, high = np.fmin.reduceat(piece.low, first), np.fmax.reduceat(piece.high, first)
    last = np.where(np.isnan(low), np.nan, _carried(piece.last)[ends])
    worst = np.maximum.reduceat(piece.worst, first)
    return TrendPiece(
        piece.tag_id, piece.start_s, piece.end_s, piece.time_s[first], low, high, last, piece.grade[ends], worst
    )


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

    Every row has four points: its low, its high, its last value, and that again when the next row begins. Where values
    may not be trusted, the last trusted one is carried on in `untrusted` and `trusted` is broken; before the first
    trusted value there is nothing.
    """
    count = piece.time_s.size
    time_s, trusted, untrusted = np.repeat(piece.time_s, 4), np.empty(count * 4), np.full(count * 4, np.nan)
    if count:
        time_s[3::4] = np.r_[piece.time_s[1:], max(until_s, piece.time_s[-1])]
    trusted[0::4], trusted[1::4] = piece.low, piece.high
    is_ok = is_trusted(piece.grade)
    held, lost = np.where(is_ok, piece.last, np.nan), np.where(is_ok, np.nan, _carried(piece.last))
    trusted[2::4] = trusted[3::4] = held
    untrusted[2::4] = untrusted[3::4] = lost
    return Polyline(time_s, trusted, untrusted)


def _carried(values: Floats) -> Floats:
    """Return each row's last number, NaN before the first."""
    rows = np.where(np.isnan(values), -1, np.arange(values.size))
    newest = np.maximum.accumulate(rows) if rows.size else rows
    return np.where(newest >= 0, values[np.maximum(newest, 0)], np.nan)


def held_at(piece: TrendPiece, time_s: float) -> int | None:
    """Return the row whose value held at `time_s`, None before the first."""
    row = int(np.searchsorted(piece.time_s, time_s, side="right")) - 1
    return row if row >= 0 else None


def seen_extremes(piece: TrendPiece, start_s: float) -> list[float]:
    """Return the lowest and the highest trusted value from `start_s` on, that which held then included; none: empty."""
    seen = piece.time_s >= start_s
    first = held_at(piece, start_s)
    if first is not None:
        seen[first] = True
    values = np.r_[piece.low[seen], piece.high[seen]]
    values = values[~np.isnan(values)]
    return [float(values.min()), float(values.max())] if values.size else []
