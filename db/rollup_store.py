"""Roll-ups in the database: which minutes are due, and having them reckoned."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, text

from control_room.core.samples import Sample
from db.worker import DatabaseThread

# the database reckons a minute 120 s after its mark at the earliest; the rest is left for the writer's commit
_MARK_HOLDS_S = 60.0

_MARK = text("SELECT mark_rollups(:tags ::int[], :minutes ::timestamptz[], :places ::int[])")
_ROLL_UP = text("SELECT roll_up(:most)")

# of a tag and a minute since 1970, when it was marked, by the monotonic clock
Marks = Mapping[tuple[int, int], float]


class DueMinutes:
    """Marks the minutes of samples as due, in the transaction that stores the samples."""

    def __init__(self) -> None:
        """Start without marks."""
        # when a tag's minute was marked, by the monotonic clock
        self._marked_s: dict[tuple[int, int], float] = {}

    def mark(self, connection: Connection, samples: Sequence[Sample], municipalities: Mapping[int, int]) -> Marks:
        """Mark the minutes that no mark of the last minute stands for; return the marks, to remember() once they are stored."""
        now_s = time.monotonic()
        minutes = {(one.tag_id, int(one.source_time.timestamp() // 60)) for one in samples}
        new = [one for one in minutes if now_s - self._marked_s.get(one, -_MARK_HOLDS_S) >= _MARK_HOLDS_S]
        if new:
            times = [datetime.fromtimestamp(60 * minute, UTC) for _, minute in new]
            places = [municipalities.get(tag, 0) for tag, _ in new]
            connection.execute(_MARK, {"tags": [tag for tag, _ in new], "minutes": times, "places": places})
        return dict.fromkeys(new, now_s)

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
