"""The past of one tag, reduced in the database to what a plot can show."""

from datetime import datetime

import numpy as np
from sqlalchemy import Connection, text

from control_room.core.samples import UNCERTAIN_LAST_USABLE, UNCERTAIN_NO_COMMUNICATION_LAST_USABLE, Grade
from control_room.core.trends import TrendPiece

# with fewer rows than this a column, sending them all is cheaper than reducing them, and exact
RAW_ROWS_A_COLUMN = 4

# core.samples.grade in SQL
_GRADE = f"""CASE WHEN quality >= 32768 THEN {Grade.BAD:d}
    WHEN quality IN ({UNCERTAIN_NO_COMMUNICATION_LAST_USABLE}, {UNCERTAIN_LAST_USABLE}) THEN {Grade.STALE:d}
    WHEN quality >= 16384 THEN {Grade.UNCERTAIN:d} ELSE {Grade.GOOD:d} END"""

_COUNT = text("""
    SELECT count(*) FROM (SELECT FROM sample WHERE tag_id = :tag AND source_time >= :start AND source_time <= :end
        LIMIT :most) AS first_rows""")
_BEFORE = f"""
    (SELECT extract(epoch FROM source_time) AS time_s, value AS low, value AS high, {_GRADE} AS grade
     FROM sample WHERE tag_id = :tag AND source_time < :start ORDER BY source_time DESC LIMIT 1)"""
_RAW = text(f"""
    {_BEFORE} UNION ALL
    (SELECT extract(epoch FROM source_time), value, value, {_GRADE}
     FROM sample WHERE tag_id = :tag AND source_time >= :start AND source_time <= :end ORDER BY source_time)""")
_REDUCED = text(f"""
    {_BEFORE} UNION ALL
    (SELECT extract(epoch FROM min(source_time)) AS time_s, min(value) FILTER (WHERE ({_GRADE}) <= {Grade.UNCERTAIN:d}),
        max(value) FILTER (WHERE ({_GRADE}) <= {Grade.UNCERTAIN:d}), max({_GRADE})
     FROM sample WHERE tag_id = :tag AND source_time >= :start AND source_time <= :end
     GROUP BY floor(extract(epoch FROM source_time - :start) / :width_s) ORDER BY 1)""")


def read_history(connection: Connection, tag_id: int, start: datetime, end: datetime, columns: int) -> TrendPiece:
    """Return the tag's past with at most about RAW_ROWS_A_COLUMN rows for each of `columns`; times are aware UTC.

    The first row is the last sample before `start`, when there is one.
    """
    asked = {"tag": tag_id, "start": start, "end": end, "most": RAW_ROWS_A_COLUMN * columns + 1}
    count = connection.execute(_COUNT, asked).scalar() or 0
    is_reduced = count > RAW_ROWS_A_COLUMN * columns
    if is_reduced:
        asked["width_s"] = (end - start).total_seconds() / columns
    rows = connection.execute(_REDUCED if is_reduced else _RAW, asked).all()
    table = np.array([(row[0], _number(row[1]), _number(row[2]), row[3]) for row in rows], dtype=np.float64).reshape(
        -1, 4
    )
    grades = table[:, 3].astype(np.uint8)
    # what may not be trusted has no place among the extremes
    low, high = (
        np.where(grades <= Grade.UNCERTAIN, table[:, i], np.nan) if not is_reduced else table[:, i] for i in (1, 2)
    )
    return TrendPiece(tag_id, start.timestamp(), end.timestamp(), table[:, 0], low, high, grades, is_reduced)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
