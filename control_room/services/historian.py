"""The historian: every sample goes to the database, in batches, in order, none twice in one run."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from itertools import islice

from control_room.core.errors import PASSING
from control_room.core.ports import SampleStore
from control_room.core.samples import Sample
from control_room.services.tasks import Commit

log = logging.getLogger(__name__)

FLUSH_S = 0.1
RETRY_S = 1.0
BATCH = 20_000
CAPACITY = 500_000


class Historian:
    """A bounded batch between the bus and the sample store."""

    def __init__(self, store: SampleStore, capacity: int = CAPACITY) -> None:
        """Keep at most `capacity` samples waiting; beyond it the oldest are dropped and counted."""
        self._store = store
        self._capacity = capacity
        self._waiting: deque[Sample] = deque()
        self._in_flight = 0
        self._commit = Commit[None]()
        self._arrived = asyncio.Event()
        self.stored = 0
        self.dropped = 0
        self.trouble = ""

    @property
    def waiting(self) -> int:
        """Return how many samples are received and not yet committed."""
        return len(self._waiting)

    def take(self, samples: Sequence[Sample]) -> None:
        """Queue samples for the next flush."""
        self._waiting.extend(samples)
        self._arrived.set()
        while len(self._waiting) - self._in_flight > self._capacity:
            # the batch in flight stands at the left end: what is dropped is the oldest behind it
            del self._waiting[self._in_flight]
            self.dropped += 1

    async def run(self) -> None:
        """Flush until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            is_done = await self.flush()
            await asyncio.sleep(FLUSH_S if is_done else RETRY_S)

    async def flush(self) -> bool:
        """Commit all that waits; return False when the database did not take it (it stays queued for the next try)."""
        try:
            while self._commit.is_running or self._waiting:
                await self._commit.run(self._write_batch)
        except PASSING as fault:
            self._report_trouble(str(fault))
            self._arrived.set()
            return False
        self._report_trouble("")
        return True

    async def _write_batch(self) -> None:
        batch = list(islice(self._waiting, BATCH))
        self._in_flight = len(batch)
        try:
            await self._store.write_samples(batch)
        finally:
            self._in_flight = 0
        for _ in batch:
            self._waiting.popleft()
        self.stored += len(batch)

    def _report_trouble(self, trouble: str) -> None:
        if trouble and not self.trouble:
            log.warning("History cannot be written: %s Samples are kept in memory meanwhile.", trouble)
        if self.trouble and not trouble:
            log.info("History is written again.")
        self.trouble = trouble
