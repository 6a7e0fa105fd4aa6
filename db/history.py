"""The past of one tag, reduced in the database to what a plot can show."""

from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, TextClause, text

from control_room.core.samples import UNCERTAIN_LAST_USABLE, UNCERTAIN_NO_COMMUNICATION_LAST_USABLE, Grade
from control_room.core.trends import Floats, TrendPiece, is_trusted, of_samples

# with fewer rows than this a column, sending them all is cheaper than reducing them, and exact
RAW_ROWS_A_COLUMN = 4

# core.samples.grade in SQL
_GRADE = f"""CASE WHEN quality >= 32768 THEN {Grade.BAD:d}
    WHEN quality IN ({UNCERTAIN_NO_COMMUNICATION_LAST_USABLE}, {UNCERTAIN_LAST_USABLE}) THEN {Grade.STALE:d}
    WHEN quality >= 16384 THEN {Grade.UNCERTAIN:d} ELSE {Grade.GOOD:d} END"""

_COUNT = text("""
    SELECT count(*) FROM (SELECT FROM sample WHERE tag_id = :tag AND source_time >= :start AND source_time <= :end
        LIMIT :most) AS first_rows""")
_OK = f"({_GRADE}) <= {Grade.UNCERTAIN:d}"
_BEFORE = f"""
    SELECT extract(epoch FROM source_time) AS time_s, value, {_GRADE} AS grade
    FROM sample WHERE tag_id = :tag AND source_time < :start ORDER BY source_time DESC LIMIT 1"""
_RAW = text(f"""
    ({_BEFORE}) UNION ALL
    (SELECT extract(epoch FROM source_time), value, {_GRADE}
     FROM sample WHERE tag_id = :tag AND source_time >= :start AND source_time <= :end ORDER BY source_time)""")
# how a column ends is looked up by the index: sorting every column's samples would cost several times as much
_REDUCED = text(f"""
    WITH in_columns AS (
        SELECT min(source_time) AS first_time, max(source_time) AS last_time,
            max(source_time) FILTER (WHERE {_OK}) AS last_ok_time, min(value) FILTER (WHERE {_OK}) AS low,
            max(value) FILTER (WHERE {_OK}) AS high, max({_GRADE}) AS worst
        FROM sample WHERE tag_id = :tag AND source_time >= :start AND source_time <= :end
        GROUP BY floor(extract(epoch FROM source_time - :start) / :width_s))
    SELECT time_s, low, high, last, grade, worst FROM (
        SELECT time_s, value AS low, value AS high, value AS last, grade, grade AS worst FROM ({_BEFORE}) AS before
        UNION ALL
        SELECT extract(epoch FROM first_time), low, high,
            (SELECT value FROM sample WHERE tag_id = :tag AND source_time = last_ok_time AND {_OK} LIMIT 1),
            (SELECT max({_GRADE}) FROM sample WHERE tag_id = :tag AND source_time = last_time), worst
        FROM in_columns) AS found ORDER BY time_s""")


def read_history(connection: Connection, tag_id: int, start: datetime, end: datetime, columns: int) -> TrendPiece:
    """Return the tag's past with at most about RAW_ROWS_A_COLUMN rows for each of `columns`; times are aware UTC.

    The first row is the last sample before `start`, when there is one.
    """
    asked = {"tag": tag_id, "start": start, "end": end, "most": RAW_ROWS_A_COLUMN * columns + 1}
    count = connection.execute(_COUNT, asked).scalar() or 0
    start_s, end_s = start.timestamp(), end.timestamp()
    if count <= RAW_ROWS_A_COLUMN * columns:
        table = _table(connection, _RAW, asked, 3)
        return of_samples(tag_id, start_s, end_s, table[:, 0], table[:, 1], table[:, 2].astype(np.uint8))
    table = _table(connection, _REDUCED, {**asked, "width_s": (end_s - start_s) / columns}, 6)
    grade, worst = (table[:, number].astype(np.uint8) for number in (4, 5))
    # the sample from before the stretch is one like any other
    low, high, last = (np.where(is_trusted(worst) | (table[:, 0] >= start_s), table[:, n], np.nan) for n in (1, 2, 3))
    return TrendPiece(tag_id, start_s, end_s, table[:, 0], low, high, last, grade, worst)


def _table(connection: Connection, query: TextClause, asked: dict[str, Any], width: int) -> Floats:
    rows = connection.execute(query, asked).all()
    return np.array([[np.nan if value is None else value for value in row] for row in rows], np.float64).reshape(
        -1, width
    )
