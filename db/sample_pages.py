"""The samples of a tag as they are stored, page by page."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from db.columns import column, packed

_PAGE = text(
    f"SELECT {packed('times_us', 'values', 'qualities').replace('values', chr(34) + 'values' + chr(34))}"
    " FROM read_sample_page(:tag, :begin, :end, :skip, :most)"
)


@dataclass(frozen=True, slots=True, eq=False)
class SamplePage:
    """Samples in order of time: microseconds since 1970-01-01 UTC, values (NaN: none) and 16-bit qualities."""

    time_us: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.int64]


def read_sample_page(
    connection: Connection, tag_id: int, begin: datetime, end: datetime, skip: int, most: int
) -> SamplePage:
    """Return the first `most` samples from `begin` to `end`, both included, but for the first `skip`; nothing of a tag unseen."""
    asked = {"tag": tag_id, "begin": begin, "end": end, "skip": skip, "most": most}
    found = connection.execute(_PAGE, asked).first()
    times, values, qualities = (column(one) for one in found) if found is not None else (np.empty(0),) * 3
    return SamplePage(times.astype(np.int64), values, qualities.astype(np.int64))
