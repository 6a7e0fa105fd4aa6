"""Roll-ups in the database: which minutes are due, and having them reckoned."""

import asyncio
import time
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from db.array_parameters import Integers, Times
from db.worker import DatabaseThread

# the database reckons a minute 120 s after its mark at the earliest; the rest is left for the writer's commit
_MARK_HOLDS_S = 60.0

_MINUTE_US = 60_000_000
_BEFORE_YEAR_1 = 2**31

_MARK = text("SELECT mark_rollups(:tags ::int[], :minutes ::timestamptz[], :places ::int[])")
_ROLL_UP = text("SELECT roll_up(:most)")

# of a tag's minute, when it was marked, by the monotonic clock
Marks = Mapping[int, float]


class DueMinutes:
    """Marks the minutes of samples as due, in the transaction that stores the samples."""

    def __init__(self) -> None:
        """Start without marks."""
        # when a tag's minute was marked, by the monotonic clock
        self._marked_s: dict[int, float] = {}

    def mark(self, connection: Connection, rows: NDArray[np.void], municipalities: NDArray[np.int32]) -> Marks:
        """Mark minutes that no mark of the last minute stands for; return the marks, to remember() once they are stored."""
        now_s = time.monotonic()
        minutes = rows["source_us"] // _MINUTE_US
        # tag and minute as one number: datetime's minutes have 33 bits when they count from long before the year 1
        keys, firsts = np.unique(
            (rows["tag_id"].astype(np.uint64) << np.uint64(33)) | (minutes + _BEFORE_YEAR_1).astype(np.uint64),
            return_index=True,
        )
        new = [number for number, key in enumerate(keys.tolist()) if self._is_due(key, now_s)]
        if new:
            at = firsts[new]
            marked = {"tags": rows["tag_id"][at], "places": municipalities[at]}
            connection.execute(
                _MARK,
                {name: Integers(items) for name, items in marked.items()}
                | {"minutes": Times(minutes[at] * _MINUTE_US)},
            )
        return dict.fromkeys(keys[new].tolist(), now_s)

    def _is_due(self, key: int, now_s: float) -> bool:
        return now_s - self._marked_s.get(key, -_MARK_HOLDS_S) >= _MARK_HOLDS_S

    def remember(self, marks: Marks) -> None:
        """Take marks that were committed: for a minute they need not be made again."""
        if marks:
            now_s = time.monotonic()
            self._marked_s = {one: at_s for one, at_s in self._marked_s.items() if now_s - at_s < _MARK_HOLDS_S}
            self._marked_s |= marks


class PostgresRollupStore:
    """Has the database reckon what is due."""

    def __init__(self, thread: DatabaseThread) -> None:
        """Work on `thread`, which nobody else waits for."""
        self._thread = thread

    async def roll_up(self, most: int) -> int:
        """Reckon at most `most` marks in one transaction; return how many there were."""
        done = await asyncio.wrap_future(
            self._thread.submit(lambda connection: connection.execute(_ROLL_UP, {"most": most}).scalar_one())
        )
        return int(done)
