"""Columns of numbers from the database in one piece.

An array that the driver takes apart becomes an object for every number, made in one call during which no other thread of the
program runs: 50,000 numbers hold up a seat's window for three frames. PostgreSQL's own binary form of an array goes into numpy as
it is.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# dimensions, whether there are nulls, type; length and lower bound of each dimension: array_send() of PostgreSQL
_HEAD = np.dtype(">i4")
_HEAD_ITEMS = 5
# the types' object identifiers in pg_type, which never change
_TYPES = {20: ">i8", 21: ">i2", 23: ">i4", 700: ">f4", 701: ">f8"}


def packed(*arrays: str) -> str:
    """Return what to select instead of these arrays (SQL), so that column() can read them."""
    return ", ".join(f"array_send({one}) AS {one}" for one in arrays)


def column(packed_array: bytes | None) -> NDArray[Any]:
    """Return an array of one dimension, of numbers without nulls; None is an empty one. Raises ValueError for another."""
    if packed_array is None:
        return np.empty(0)
    head = np.frombuffer(packed_array, _HEAD, 3)
    if head[0] == 0:
        return np.empty(0)
    if head[0] != 1 or head[1]:
        raise ValueError("Only arrays of one dimension without nulls are columns.")
    kind = np.dtype(_TYPES[int(head[2])])
    items = np.frombuffer(
        packed_array, np.dtype([("size", ">i4"), ("value", kind)]), offset=_HEAD.itemsize * _HEAD_ITEMS
    )
    return items["value"].astype(kind.newbyteorder("="))
