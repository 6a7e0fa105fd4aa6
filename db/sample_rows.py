"""Samples as the bytes of PostgreSQL's binary COPY, built as numpy arrays rather than row by row.

Format: PostgreSQL documentation, COPY, "Binary Format": every row is an int16 count of fields, then each field as an
int32 length (-1 for NULL) and its big-endian bytes. Times are microseconds since 2000-01-01 UTC.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from control_room.core.samples import Sample, clean

COLUMNS = ("tag_id", "source_time", "value", "quality", "municipality_id")
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_KEY = [("fields", ">i2"), ("l1", ">i4"), ("tag_id", ">i4"), ("l2", ">i4"), ("time", ">i8")]
_END = [("l4", ">i4"), ("quality", ">i4"), ("l5", ">i4"), ("municipality", ">i4")]
_WITH_VALUE = np.dtype([*_KEY, ("l3", ">i4"), ("value", ">f8"), *_END])
_WITHOUT_VALUE = np.dtype([*_KEY, ("l3", ">i4"), *_END])


def copy_bytes(samples: Sequence[Sample], municipalities: Mapping[int, int]) -> bytes:
    """Return the whole COPY stream for columns COLUMNS; values that are no finite number become NULL and bad.

    `municipalities`: by tag; what belongs to none gets 0, which nobody may see.
    """
    ids, times, values, qualities = _columns(samples)
    places = np.fromiter((municipalities.get(one.tag_id, 0) for one in samples), np.int32, len(samples))
    is_null = np.isnan(values)
    parts = [HEADER]
    # runs of rows with and without a value have different lengths; the order of rows is kept
    edges = [0, *(np.flatnonzero(is_null[1:] != is_null[:-1]) + 1).tolist(), len(samples)]
    for first, last in pairwise(edges):
        run = slice(first, last)
        if first < last:
            columns = (ids[run], times[run], values[run], qualities[run], places[run])
            parts.append(_rows(*columns, has_value=not is_null[first]))
    return b"".join([*parts, TRAILER])


def _columns(
    samples: Sequence[Sample],
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64], NDArray[np.int32]]:
    count = len(samples)
    ids = np.fromiter((one.tag_id for one in samples), np.int32, count)
    times = np.fromiter(((one.source_time - _EPOCH) // _MICROSECOND for one in samples), np.int64, count)
    values = np.fromiter((clean(one)[0] for one in samples), np.float64, count)
    qualities = np.fromiter((clean(one)[1] for one in samples), np.int32, count)
    return ids, times, values, qualities


def _rows(
    ids: NDArray[np.int32],
    times: NDArray[np.int64],
    values: NDArray[np.float64],
    qualities: NDArray[np.int32],
    places: NDArray[np.int32],
    *,
    has_value: bool,
) -> bytes:
    rows = np.empty(ids.size, _WITH_VALUE if has_value else _WITHOUT_VALUE)
    rows["fields"] = len(COLUMNS)
    rows["l1"], rows["l2"], rows["l3"], rows["l4"], rows["l5"] = 4, 8, 8 if has_value else -1, 4, 4
    rows["tag_id"], rows["time"], rows["quality"], rows["municipality"] = ids, times, qualities, places
    if has_value:
        rows["value"] = values
    return rows.tobytes()
