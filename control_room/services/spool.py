"""The spool: every sample goes to disk as it is received, and is forgotten when the database has it.

Writing goes into the system's page cache, which outlives a killed collector; while the database is away it is also pressed onto
the disk twice a second, on a thread that lives no longer, so that little is lost even with the machine.
"""

import errno
import logging
import os
import threading
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
from numpy.typing import NDArray

from control_room.core.ports import NumberedSamples
from control_room.core.sample_rows import NO_ROWS, newest_rows, samples_of, time_of
from control_room.core.samples import Sample, lost
from control_room.core.spool_frames import frame
from control_room.services.spool_run import SpoolRun

log = logging.getLogger(__name__)

LIMIT_BYTES = 2 * 1024**3
SEGMENT_BYTES = 4 * 1024**2
SYNC_S = 0.5
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Spool:
    """The run of this collector, and those that were left behind and taken over; all together bounded in size."""

    def __init__(self, parent: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        """Keep runs in `parent`; beyond `limit_bytes` the oldest file is dropped. Nothing is written before the first sample."""
        self._parent = parent
        self.limit_bytes = limit_bytes
        self._segment_bytes = min(SEGMENT_BYTES, max(1, limit_bytes // 8))
        self.id = uuid4()
        # made with the first sample; on a full disk perhaps later
        self._own: SpoolRun | None = None
        self.next = 0
        self._left: list[SpoolRun] = []
        self._lost: list[Sample] = []
        self._synced_s = 0.0
        self._syncing: threading.Thread | None = None
        self._closed_damaged = 0
        self.dropped = 0
        self.trouble = ""

    def find_left(self) -> list[SpoolRun]:
        """Return the runs that were left behind, held by the caller now, oldest first."""
        found = []
        with suppress(OSError):
            folders = [one for one in self._parent.iterdir() if one.is_dir()]
            for folder in sorted(folders, key=lambda one: one.stat().st_mtime):
                with suppress(OSError, ValueError):
                    if (run := SpoolRun.adopt(folder)) is not None:
                        found.append(run)
        return found

    def adopt(self, run: SpoolRun) -> None:
        """Forward what a run has left."""
        self._left.append(run)

    def open(self) -> Path:
        """Return the folder of the run of one's own, made when it is not there yet. Raises OSError."""
        return self._begun(self.next).folder

    def _begun(self, first: int) -> SpoolRun:
        """Return the own run, which begins with the number `first` when it does now."""
        if self._own is None:
            self._own = SpoolRun.create(self._parent, self.id)
            self._own.skip(first)
        return self._own

    @property
    def damaged(self) -> int:
        """Return how many samples could not be read again."""
        return self._closed_damaged + sum(one.damaged for one in self._runs())

    def _runs(self) -> list[SpoolRun]:
        return self._left if self._own is None else [*self._left, self._own]

    @property
    def size_bytes(self) -> int:
        """Return the size of all files."""
        return sum(one.size_bytes for one in self._runs())

    @property
    def filled_percent(self) -> float:
        """Return how much of the bound the files use."""
        return round(100.0 * self.size_bytes / self.limit_bytes, 1)

    def waiting(self, before: int | None = None) -> int:
        """Return how many samples on disk wait; of the own run those numbered below `before`."""
        own = 0 if self._own is None else self._own.waiting(before)
        return own + sum(one.waiting() for one in self._left)

    def keep(self, rows: NDArray[np.void]) -> tuple[int, bool]:
        """Write ROWs; return the number of the first, and whether they are on disk (else `trouble` says why not)."""
        first, count = self.next, len(rows)
        self.next += count
        try:
            self._write(frame(first, count, rows.tobytes()), count)
        except OSError as fault:
            if self._own is not None:
                self._own.skip(count)
            self._report(f"The spool cannot be written ({fault.strerror or fault}); samples are kept in memory alone.")
            return first, False
        self._report("")
        return first, True

    def _write(self, framed: bytes, count: int) -> None:
        own = self._begun(self.next - count)
        while self.size_bytes + len(framed) > self.limit_bytes and self._drop():
            pass
        while True:
            try:
                own.append(framed, count, self._segment_bytes)
            except OSError as fault:
                self._make_room(own, fault)
            else:
                return

    def _make_room(self, own: SpoolRun, fault: OSError) -> None:
        """Begin a new file where that helps, else drop the oldest; raises `fault` when neither can be done."""
        is_file_full = fault.errno == errno.EFBIG or (fault.errno in _FULL and not own.waiting())
        if is_file_full and not own.is_fresh:
            own.roll()
        elif fault.errno not in _FULL or fault.errno == errno.EFBIG or not self._drop():
            raise fault

    def _drop(self) -> bool:
        """Drop the oldest file and mark the gaps; return False when nothing can be dropped."""
        for run in self._runs():
            if (found := run.drop_oldest()) is not None:
                count, rows = found
                if count:
                    self.dropped += count
                    log.error("The spool is full: the oldest %d samples were dropped.", count)
                    self._lost += [lost(one.tag_id, one.source_time, one.arrival_time) for one in samples_of(rows)]
                self._forget_finished()
                return True
        return False

    def _report(self, trouble: str) -> None:
        if trouble and not self.trouble:
            log.error("%s", trouble)
        self.trouble = trouble

    def take_lost(self) -> list[Sample]:
        """Return once the marks that values are missing from there on."""
        found, self._lost = self._lost, []
        return found

    def batch(self, before: int, most: int) -> NumberedSamples | None:
        """Return the oldest that wait; of the own run those numbered below `before`."""
        for run in self._runs():
            found = run.rows(before if run is self._own else run.next, most)
            if found is not None:
                first, rows = found
                return NumberedSamples(run.id, first, rows, is_past=True, is_shared=run.is_shared)
        self._forget_finished()
        return None

    def oldest_time(self, before: int) -> datetime | None:
        """Return when the oldest arrived that waits."""
        found = self.batch(before, 1)
        return time_of(int(found.rows["arrival_us"][0])) if found is not None else None

    def newest_left(self) -> NDArray[np.void]:
        """Return the newest row of each tag in the runs that were left behind."""
        return newest_rows(np.concatenate([NO_ROWS, *(one.newest() for one in self._left)]))

    def done(self, run_id: UUID, first: int, last: int) -> None:
        """Forget samples that are stored."""
        for run in self._runs():
            if run.id == run_id:
                run.mark_done(first, last)
        self._forget_finished()

    def _forget_finished(self) -> None:
        for run in [one for one in self._left if not one.waiting()]:
            self._left.remove(run)
            self._closed_damaged += run.damaged
            run.close()

    def sync(self) -> None:
        """Let what was written be pressed onto the disk, no more often than each SYNC_S; does not wait for it."""
        now_s = time.monotonic()
        if now_s - self._synced_s < SYNC_S or (self._syncing is not None and self._syncing.is_alive()):
            return
        descriptor = None if self._own is None else self._own.descriptor()
        if descriptor is not None:
            self._synced_s = now_s
            self._syncing = threading.Thread(target=_sync, args=(descriptor,), name="spool-sync", daemon=True)
            self._syncing.start()

    def close(self) -> None:
        """Let go of all runs; what is not done with stays on disk."""
        if self._syncing is not None:
            self._syncing.join()
        for run in self._runs():
            run.close()
        self._left, self._own = [], None


def _sync(descriptor: int) -> None:
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
