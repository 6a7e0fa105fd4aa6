"""Rows: samples as an array of numbers, the form in which they go to disk and to the database without an object for each."""

import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from control_room.core.samples import Sample, clean

# times are microseconds since 1970-01-01 UTC; NaN stands for no value
ROW = np.dtype([("tag_id", "<i4"), ("quality", "<i4"), ("value", "<f8"), ("source_us", "<i8"), ("arrival_us", "<i8")])
NO_ROWS = np.empty(0, ROW)
_ROW = struct.Struct("<iidqq")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rows_of(samples: Sequence[Sample]) -> NDArray[np.void]:
    """Return samples as ROWs, as they are stored: a number that is not finite is no value, and bad."""
    pack = _ROW.pack
    packed = b"".join(
        [
            pack(one.tag_id, quality, value, _us(one.source_time), _us(one.arrival_time))
            for one in samples
            for value, quality in (clean(one),)
        ]
    )
    return rows_in(packed)


def time_of(time_us: int) -> datetime:
    """Return a time of a row as an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=time_us)


def _us(time: datetime) -> int:
    since = time - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def rows_in(content: bytes | memoryview) -> NDArray[np.void]:
    """Return the ROWs that bytes hold."""
    return np.frombuffer(content, ROW)


def samples_of(rows: NDArray[np.void]) -> list[Sample]:
    """Return rows as samples."""
    # many share a time
    named_us = np.unique(np.concatenate([rows["source_us"], rows["arrival_us"]])).tolist()
    times = {time_us: time_of(time_us) for time_us in named_us}
    return [
        Sample(tag_id, None if value != value else value, quality, times[source_us], times[arrival_us])
        for tag_id, quality, value, source_us, arrival_us in rows.tolist()
    ]


def newest_rows(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Return of each tag the row of the latest source time, of several the last."""
    ordered = rows[np.lexsort((rows["source_us"], rows["tag_id"]))]
    return ordered[np.flatnonzero(np.append(ordered["tag_id"][1:] != ordered["tag_id"][:-1], rows.size > 0))]


def first_rows(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Return of each tag the row of the earliest source time."""
    ordered = rows[np.lexsort((rows["source_us"], rows["tag_id"]))]
    return ordered[np.unique(ordered["tag_id"], return_index=True)[1]]
