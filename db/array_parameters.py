"""Columns of numbers to the database in one piece: numpy arrays as parameters of a statement, in PostgreSQL's binary form.

Format: array_recv() of PostgreSQL: dimensions, whether there are nulls, type; length and lower bound; then each item's length
and its big-endian bytes. What comes the other way is in columns.py.
"""

import struct
from typing import Any, ClassVar, NamedTuple

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.adapt import Dumper
from psycopg.pq import Format

# PostgreSQL counts from 2000-01-01, in microseconds since 1970-01-01
EPOCH_US = 946_684_800_000_000
_HEAD = struct.Struct(">5i")


class Integers(NamedTuple):
    """An array of one dimension, sent as integer[]."""

    items: NDArray[np.integer[Any]]


class Floats(NamedTuple):
    """An array of one dimension, sent as double precision[]; NaN stays NaN."""

    items: NDArray[np.float64]


class Times(NamedTuple):
    """An array of one dimension, microseconds since 1970-01-01 UTC, sent as timestamptz[]."""

    items: NDArray[np.int64]


# `oid` of the array and `item` of what it holds are identifiers in pg_type, which never change
class _ArrayDumper(Dumper):
    format = Format.BINARY
    item: ClassVar[int]
    row: ClassVar[np.dtype[np.void]]
    less: ClassVar[int] = 0

    def dump(self, obj: Integers | Floats | Times) -> bytes:
        made = np.empty(obj.items.size, self.row)
        made["size"] = self.row["value"].itemsize
        made["value"] = obj.items - self.less
        return _HEAD.pack(1, 0, self.item, made.size, 1) + made.tobytes()


class _IntegersDumper(_ArrayDumper):
    oid, item, row = 1007, 23, np.dtype([("size", ">i4"), ("value", ">i4")])


class _FloatsDumper(_ArrayDumper):
    oid, item, row = 1022, 701, np.dtype([("size", ">i4"), ("value", ">f8")])


class _TimesDumper(_ArrayDumper):
    oid, item, row = 1185, 1184, np.dtype([("size", ">i4"), ("value", ">i8")])
    less = EPOCH_US


psycopg.adapters.register_dumper(Integers, _IntegersDumper)
psycopg.adapters.register_dumper(Floats, _FloatsDumper)
psycopg.adapters.register_dumper(Times, _TimesDumper)
