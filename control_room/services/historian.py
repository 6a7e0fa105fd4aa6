"""The historian: every sample goes to the database, in batches, each once; what the database does not take waits on disk.

Everything is on disk before it is in memory. When a write fails, what waits is let go from memory; when the database is back,
what arrives is written first, and what was set aside behind it.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from control_room.core.errors import PASSING
from control_room.core.ports import NumberedSamples, SampleStore
from control_room.core.sample_rows import NO_ROWS, newest_rows, rows_of, samples_of, time_of
from control_room.core.samples import BAD_DATA_LOST, Sample, lost
from control_room.services.spool import Spool
from control_room.services.tasks import Commit

log = logging.getLogger(__name__)

FLUSH_S = 0.1
RETRY_S = 0.5
SLOW_S = 2.0
BATCH = 20_000
PAST_BATCH = 10_000
CAPACITY = 200_000
_PARTS = 200


@dataclass(frozen=True, slots=True, eq=False)
class _Chunk:
    """Samples that were received at once, numbered from `first` on."""

    first: int
    rows: NDArray[np.void]
    is_on_disk: bool

    @property
    def end(self) -> int:
        return self.first + len(self.rows)


class Historian:
    """Memory and spool between the bus and the sample store."""

    def __init__(self, store: SampleStore, spool: Spool, capacity: int = CAPACITY) -> None:
        """Keep at most about `capacity` samples in memory; beyond it those on disk are read again when their turn comes."""
        self._store = store
        self._spool = spool
        self._capacity = capacity
        self._chunks: deque[_Chunk] = deque()
        self._in_memory = 0
        self._in_flight = 0
        # of what was let go from memory, the newest of each tag: to be seen before its turn in history comes
        self._newest: list[NDArray[np.void]] = []
        # where values are missing that were nowhere but in memory
        self._gaps: dict[int, Sample] = {}
        self._commit = Commit[None]()
        self._began_s: float | None = None
        self._arrived = asyncio.Event()
        self._trouble = ""
        self._dropped = 0
        self.stored = 0

    @property
    def dropped(self) -> int:
        """Return how many samples were lost since the start."""
        return self._dropped + self._spool.dropped + self._spool.damaged

    @property
    def waiting(self) -> int:
        """Return how many samples are received and not yet committed."""
        return self._in_memory + self.spooled

    @property
    def spooled(self) -> int:
        """Return how many samples wait on disk alone."""
        being_written = sum(len(one.rows) for one in islice(self._chunks, self._in_flight) if one.is_on_disk)
        return self._spool.waiting(self._first_in_memory()) - being_written

    @property
    def oldest_time(self) -> datetime | None:
        """Return when the oldest sample arrived that waits."""
        on_disk = self._spool.oldest_time(self._first_in_memory())
        times = [time_of(int(one.rows["arrival_us"][0])) for one in islice(self._chunks, 1)]
        return min([*times, on_disk] if on_disk is not None else times, default=None)

    @property
    def trouble(self) -> str:
        """Return why samples wait, or why they are not on disk; empty when all is well."""
        if self._trouble:
            return self._trouble
        if self._waits_s() > SLOW_S:
            return f"The database is slow: it has been storing for {self._waits_s():.0f} s."
        return self._spool.trouble

    @property
    def is_away(self) -> bool:
        """Return whether the database does not take samples, or too slowly."""
        return bool(self._trouble) or self._waits_s() > SLOW_S

    def _waits_s(self) -> float:
        return 0.0 if self._began_s is None else time.monotonic() - self._began_s

    def _first_in_memory(self) -> int:
        """Return the number of the first sample in memory, behind those that are being written, that is on disk too."""
        behind = islice(self._chunks, self._in_flight, None)
        return next((one.first for one in behind if one.is_on_disk), self._spool.next)

    def take_over(self) -> None:
        """Let the newest values that an earlier collector left on disk be seen first of all."""
        self._newest.append(self._spool.newest_left())
        self._arrived.set()

    def take(self, samples: Sequence[Sample]) -> None:
        """Write samples to disk and queue them for the next flush."""
        if not samples:
            return
        self._keep(samples)
        while gaps := self._spool.take_lost():
            self._keep(gaps)
        self._let_go()
        if self.trouble:
            self._spool.sync()
        self._arrived.set()

    def _keep(self, samples: Sequence[Sample]) -> None:
        rows = rows_of(samples)
        first, is_on_disk = self._spool.keep(rows)
        self._chunks.append(_Chunk(first, rows, is_on_disk))
        self._in_memory += len(rows)

    def _let_go(self) -> None:
        """Keep memory bounded: the oldest go first, but for those that are being written."""
        while self._in_memory > self._capacity and len(self._chunks) > self._in_flight + 1:
            chunk = self._chunks[self._in_flight]
            del self._chunks[self._in_flight]
            self._in_memory -= len(chunk.rows)
            if chunk.is_on_disk:
                self._set_newest(chunk.rows)
            else:
                self._lose(chunk.rows)

    def _lose(self, rows: NDArray[np.void]) -> None:
        for one in samples_of(rows):
            self._dropped += one.quality != BAD_DATA_LOST
            known = self._gaps.get(one.tag_id)
            if known is None or one.source_time < known.source_time:
                self._gaps[one.tag_id] = lost(one.tag_id, one.source_time, one.arrival_time)

    def _set_newest(self, rows: NDArray[np.void]) -> None:
        self._newest.append(rows)
        # looking for the newest once for many is as good as each time, and far cheaper
        if len(self._newest) > _PARTS:
            self._newest_waiting()

    def _newest_waiting(self) -> NDArray[np.void]:
        """Return of what was let go the newest row of each tag, which then stand alone for it."""
        if len(self._newest) > 1:
            self._newest = [newest_rows(np.concatenate(self._newest))]
        return self._newest[0] if self._newest else NO_ROWS

    async def run(self) -> None:
        """Flush, and forward what was set aside, until cancelled."""
        while True:
            if not self.spooled:
                await self._arrived.wait()
            self._arrived.clear()
            if await self.flush() and await self.forward(FLUSH_S):
                await asyncio.sleep(0 if self.spooled else FLUSH_S)
            else:
                await asyncio.sleep(RETRY_S)
                self._spool.sync()

    async def flush(self) -> bool:
        """Commit all in memory; return False when the database did not take it (it waits for the next try)."""
        try:
            while self._commit.is_running or self._chunks or self._gaps:
                await self._commit.run(self._write_live)
        except PASSING as fault:
            self._set_aside(str(fault))
            return False
        return True

    async def forward(self, seconds: float) -> bool:
        """Commit what was set aside, for about so long; return False when the database did not take it."""
        ends_s = time.monotonic() + seconds
        try:
            while self.spooled and time.monotonic() < ends_s:
                await self._commit.run(self._write_past)
        except PASSING as fault:
            self._set_aside(str(fault))
            return False
        return True

    async def _write_live(self) -> None:
        if self._gaps:
            gaps, self._gaps = list(self._gaps.values()), {}
            self._keep(gaps)
        chunks = self._in_order()
        self._in_flight = len(chunks)
        rows = np.concatenate([chunk.rows for chunk in chunks])
        batch = NumberedSamples(self._spool.id, chunks[0].first, rows, self._newest_waiting())
        try:
            await self._write(batch)
        finally:
            self._in_flight = 0
        for chunk in chunks:
            self._chunks.popleft()
            self._in_memory -= len(chunk.rows)

    def _in_order(self) -> list[_Chunk]:
        """Return the oldest in memory whose numbers follow each other, a batch at most."""
        found: list[_Chunk] = []
        count = 0
        for chunk in self._chunks:
            if found and (count + len(chunk.rows) > BATCH or chunk.first != found[-1].end):
                break
            found.append(chunk)
            count += len(chunk.rows)
        return found

    async def _write_past(self) -> None:
        batch = self._spool.batch(self._first_in_memory(), PAST_BATCH)
        if batch is None:
            return
        if self._newest:
            newest = self._newest_waiting()
            batch = NumberedSamples(batch.spool_id, batch.first, batch.rows, newest, True, batch.is_shared)
        await self._write(batch)

    async def _write(self, batch: NumberedSamples) -> None:
        self._began_s = time.monotonic()
        try:
            await self._store.write_numbered(batch)
        finally:
            self._began_s = None
        self._report_trouble("")
        self._spool.done(batch.spool_id, batch.first, batch.last)
        if batch.spool_id == self._spool.id:
            # what another collector left behind was not received here: beside `received` it would look like too much
            self.stored += len(batch.rows)
        # what was let go meanwhile stands behind, or is merged with these and shown once more
        self._newest = [one for one in self._newest if one is not batch.newest]

    def _set_aside(self, trouble: str) -> None:
        self._report_trouble(trouble)
        for chunk in self._chunks:
            if chunk.is_on_disk:
                self._in_memory -= len(chunk.rows)
                self._set_newest(chunk.rows)
        self._chunks = deque(chunk for chunk in self._chunks if not chunk.is_on_disk)
        self._spool.sync()
        self._arrived.set()

    def _report_trouble(self, trouble: str) -> None:
        if trouble and not self._trouble:
            log.warning("History cannot be written: %s Samples are kept on disk meanwhile.", trouble)
        if self._trouble and not trouble:
            log.info("History is written again.")
        self._trouble = trouble
