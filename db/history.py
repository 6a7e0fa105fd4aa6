"""The past of one tag, reduced in the database to what a plot can show."""

from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, TextClause, text

from control_room.core.rollups import fitting_period_s
from control_room.core.trend_statistics import NOTHING, Statistics, statistics
from control_room.core.trends import Floats, TrendPiece, is_trusted, of_samples, reduce

# with fewer rows than this a column, sending them all is cheaper than reducing them, and exact
RAW_ROWS_A_COLUMN = 4
# more samples are not looked at one by one for statistics
MOST_SAMPLES = 50_000
_COLUMNS = 2_000

_RAW = text("SELECT * FROM read_samples(:tag, :start, :end, :most)")
_REDUCED = text("SELECT * FROM read_columns(:tag, :start, :end, :width_s)")
_ROLLED = text("SELECT * FROM read_rollups(:tag, :start, :end, :period_s)")


def read_history(connection: Connection, tag_id: int, start: datetime, end: datetime, columns: int) -> TrendPiece:
    """Return the tag's past with at most about RAW_ROWS_A_COLUMN rows for each of `columns`; times are aware UTC.

    The first row is the last sample before `start`, when there is one. Where a column is at least a minute wide and there
    are many samples, it is gathered from roll-ups, and from samples what is not rolled up yet: exact but for which of two
    columns a roll-up that lies in both is counted to.
    """
    asked = {"tag": tag_id, "start": start, "end": end, "most": RAW_ROWS_A_COLUMN * columns}
    start_s, end_s = start.timestamp(), end.timestamp()
    table = _table(connection, _RAW, asked, 3)
    if table.size:
        return of_samples(tag_id, start_s, end_s, table[0], table[1], table[2].astype(np.uint8))
    # there are more, or none at all
    width_s = (end_s - start_s) / columns
    if period_s := fitting_period_s(width_s):
        table = _table(connection, _ROLLED, {**asked, "period_s": period_s}, 6)
        if table.size:
            return reduce(_piece(tag_id, start_s, end_s, table), columns)
    return _piece(tag_id, start_s, end_s, _table(connection, _REDUCED, {**asked, "width_s": width_s}, 6))


def read_statistics(connection: Connection, tag_id: int, start: datetime, end: datetime) -> Statistics:
    """Return what the tag's values come to between two moments (aware UTC); see MOST_SAMPLES."""
    if end <= start:
        return NOTHING
    asked = {"tag": tag_id, "start": start, "end": end, "most": MOST_SAMPLES}
    table = _table(connection, _RAW, asked, 3)
    if table.size:
        made = of_samples(tag_id, start.timestamp(), end.timestamp(), table[0], table[1], table[2].astype(np.uint8))
        return statistics(made, is_every_sample=True)
    piece = read_history(connection, tag_id, start, end, _COLUMNS)
    return statistics(piece, is_every_sample=False) if piece.time_s.size else NOTHING


def _piece(tag_id: int, start_s: float, end_s: float, table: Floats) -> TrendPiece:
    grade, worst = (table[number].astype(np.uint8) for number in (4, 5))
    # the sample from before the stretch is one like any other
    low, high, last = (np.where(is_trusted(worst) | (table[0] >= start_s), table[n], np.nan) for n in (1, 2, 3))
    return TrendPiece(tag_id, start_s, end_s, table[0], low, high, last, grade, worst)


def _table(connection: Connection, query: TextClause, asked: dict[str, Any], width: int) -> Floats:
    found = connection.execute(query, asked).first()
    # None becomes NaN
    return np.array([] if found is None or found[0] is None else list(found), np.float64).reshape(width, -1)
