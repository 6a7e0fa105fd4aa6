"""What a tag's values come to between two moments, by the rules of OPC UA Part 13: a value holds until the next one."""

from dataclasses import dataclass

import numpy as np

from control_room.core.trends import TrendPiece, held_at, is_trusted


@dataclass(frozen=True, slots=True)
class Statistics:
    """Between two moments; NaN stands for none. `begin` and `end`: what held then, NaN where it may not be trusted.

    `average` and `deviation` (standard deviation, of the whole) are weighted by time, over what may be trusted; `trusted_share`,
    0 to 1, is how much of the time that is. `count` is None, and both are NaN, where there were too many samples to look at each.
    """

    begin: float
    end: float
    low: float
    high: float
    average: float
    deviation: float
    trusted_share: float
    count: int | None

    @property
    def difference(self) -> float:
        """Return how much more it was at the end."""
        return self.end - self.begin


NOTHING = Statistics(np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, 0.0, 0)


def statistics(piece: TrendPiece, *, is_every_sample: bool) -> Statistics:
    """Return the statistics of a piece's whole stretch; `is_every_sample`: its rows are samples, not columns of several."""
    if not piece.time_s.size or piece.end_s <= piece.start_s:
        return NOTHING
    # the row that held at the start counts from the start on
    from_s = np.clip(piece.time_s, piece.start_s, piece.end_s)
    held_s = np.diff(np.r_[from_s, piece.end_s])
    is_ok = is_trusted(piece.grade) & ~np.isnan(piece.last)
    ends = np.where(is_ok, piece.last, np.nan)
    is_inside = piece.time_s >= piece.start_s
    first = held_at(piece, piece.start_s)
    begin = np.nan if first is None else ends[first]
    seen = is_inside | (held_s > 0)
    lows, highs = piece.low[seen], piece.high[seen]
    low, high = (
        float(pick(one)) if np.isfinite(one).any() else np.nan for pick, one in ((np.nanmin, lows), (np.nanmax, highs))
    )
    weights, values = held_s[is_ok], piece.last[is_ok]
    total_s = float(weights.sum())
    average = deviation = np.nan
    if is_every_sample and total_s:
        average = float(weights @ values / total_s)
        deviation = float(np.sqrt(weights @ (values - average) ** 2 / total_s))
    share = total_s / (piece.end_s - piece.start_s)
    count = int(np.count_nonzero(is_inside)) if is_every_sample else None
    return Statistics(float(begin), float(ends[-1]), low, high, average, deviation, share, count)
