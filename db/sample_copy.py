"""Samples as the bytes of PostgreSQL's binary COPY, built as numpy arrays rather than row by row.

Format: PostgreSQL documentation, COPY, "Binary Format": every row is an int16 count of fields, then each field as an
int32 length (-1 for NULL) and its big-endian bytes. Times are microseconds since 2000-01-01 UTC.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from db.array_parameters import EPOCH_US

COLUMNS = ("tag_id", "source_time", "value", "quality", "municipality_id")
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

_KEY = [("fields", ">i2"), ("l1", ">i4"), ("tag_id", ">i4"), ("l2", ">i4"), ("time", ">i8")]
_END = [("l4", ">i4"), ("quality", ">i4"), ("l5", ">i4"), ("municipality", ">i4")]
_WITH_VALUE = np.dtype([*_KEY, ("l3", ">i4"), ("value", ">f8"), *_END])
_WITHOUT_VALUE = np.dtype([*_KEY, ("l3", ">i4"), *_END])


def copy_bytes(rows: NDArray[np.void], municipalities: NDArray[np.int32]) -> bytes:
    """Return the whole COPY stream for columns COLUMNS of ROWs and the municipality of each; NaN becomes NULL."""
    is_null = np.isnan(rows["value"])
    parts = [HEADER]
    # runs of rows with and without a value have different lengths; the order of rows is kept
    edges = [0, *(np.flatnonzero(is_null[1:] != is_null[:-1]) + 1).tolist(), len(rows)]
    for first, last in pairwise(edges):
        if first < last:
            run = slice(first, last)
            parts.append(_fields(rows[run], municipalities[run], has_value=not is_null[first]))
    return b"".join([*parts, TRAILER])


def _fields(rows: NDArray[np.void], municipalities: NDArray[np.int32], *, has_value: bool) -> bytes:
    made = np.empty(rows.size, _WITH_VALUE if has_value else _WITHOUT_VALUE)
    made["fields"] = len(COLUMNS)
    made["l1"], made["l2"], made["l3"], made["l4"], made["l5"] = 4, 8, 8 if has_value else -1, 4, 4
    made["tag_id"], made["quality"], made["municipality"] = rows["tag_id"], rows["quality"], municipalities
    made["time"] = rows["source_us"] - EPOCH_US
    if has_value:
        made["value"] = rows["value"]
    return made.tobytes()
