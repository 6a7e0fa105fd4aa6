"""One run of a spool on disk: the samples that one collector received since its start, numbered, in a folder of its own.

The folder's lock dies with its holder: what a killed collector left behind can be taken over, what a living one writes cannot.
"""

import os
import shutil
from bisect import bisect_right
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from control_room.core.number_ranges import NumberRanges
from control_room.core.sample_rows import NO_ROWS, first_rows, newest_rows, rows_in
from control_room.core.spool_frames import Frame, scan

CHANGES = "changes"
_LOCK = "lock"
_SEGMENT = "samples-"


@dataclass(slots=True)
class _Segment:
    path: Path
    first: int
    size_bytes: int


class SpoolRun:
    """The samples of one run in files of some megabytes, and which of them are done with: stored, lost, or never on disk."""

    def __init__(self, folder: Path, lock: int) -> None:
        """Read what stands in `folder`, of which `lock` is held."""
        self.folder = folder
        self.id = UUID(folder.name)
        self.done = NumberRanges()
        # another collector has led since: it may have stored the same
        self.is_shared = False
        self.damaged = 0
        self._lock = lock
        self._segments = [_Segment(*one) for one in sorted(_segments(folder))]
        self._file: int | None = None
        self._read: tuple[Path, int, bytes, tuple[Frame, ...]] | None = None
        self.next = self._end()
        if self._segments:
            # what was deleted was done with
            self.done.add(0, self._segments[0].first - 1)

    @classmethod
    def create(cls, parent: Path, run_id: UUID) -> "SpoolRun":
        """Begin a run. Raises OSError."""
        folder = parent / str(run_id)
        folder.mkdir(parents=True, exist_ok=True)
        if (lock := _locked(folder)) is None:
            raise BlockingIOError(f"{folder} is held by another program")
        return cls(folder, lock)

    @classmethod
    def adopt(cls, folder: Path) -> "SpoolRun | None":
        """Take over a run that was left behind; None while its collector lives. Raises OSError."""
        lock = _locked(folder)
        return None if lock is None else cls(folder, lock)

    def _end(self) -> int:
        """Return the number after the last row on disk."""
        for segment in reversed(self._segments):
            if frames := self._frames(segment)[1]:
                return frames[-1].first + frames[-1].count
        return self._segments[0].first if self._segments else 0

    @property
    def is_fresh(self) -> bool:
        """Return whether the next frame will be the first of its file."""
        return self._file is None or self._segments[-1].size_bytes == 0

    @property
    def size_bytes(self) -> int:
        """Return the size of its files."""
        return sum(one.size_bytes for one in self._segments)

    def waiting(self, before: int | None = None) -> int:
        """Return how many rows on disk, of those numbered below `before`, are not done with."""
        end = self.next if before is None else min(before, self.next)
        return end - self.done.count(0, end - 1)

    def append(self, framed: bytes, count: int, segment_bytes: int) -> None:
        """Write a frame of `count` rows; raises OSError, and then nothing of it stands in a file."""
        if self._file is None or self._segments[-1].size_bytes >= segment_bytes:
            self.roll()
        assert self._file is not None
        segment = self._segments[-1]
        try:
            written = 0
            while written < len(framed):
                written += os.write(self._file, framed[written:])
        except OSError:
            # what was written halfway would be read as damaged
            with suppress(OSError):
                os.ftruncate(self._file, segment.size_bytes)
            raise
        segment.size_bytes += len(framed)
        self.next += count

    def roll(self) -> None:
        """Go on in a new file. Raises OSError."""
        path = self.folder / f"{_SEGMENT}{self.next:020d}"
        # appending: after a write that was cut off, the next one stands where the file ends
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._close_file()
        self._file = file
        if self._segments and self._segments[-1].path == path:
            return
        self._segments.append(_Segment(path, self.next, 0))
        self._clear()

    def skip(self, count: int) -> None:
        """Give numbers to rows that are not on disk."""
        self.done.add(self.next, self.next + count - 1)
        self.next += count

    def mark_done(self, first: int, last: int) -> None:
        """Forget rows; files of which nothing is left to do are deleted."""
        self.done.add(first, last)
        self._clear()

    def _clear(self) -> None:
        if len(self._segments) < 2:
            return
        ends = [*(one.first for one in self._segments[1:]), self.next]
        kept = []
        for segment, end in zip(self._segments, ends, strict=True):
            if segment is self._segments[-1] or self.done.missing(segment.first, end - 1):
                kept.append(segment)
            else:
                segment.path.unlink(missing_ok=True)
        self._segments = kept

    def rows(self, before: int, most: int) -> tuple[int, NDArray[np.void]] | None:
        """Return the number of the first row below `before` that waits, and it with up to `most` that follow; None without."""
        while missing := self.done.missing(0, min(before, self.next) - 1):
            first, last = missing[0]
            content, frames = self._frames_with(first)
            at = next((number for number, one in enumerate(frames) if one.first + one.count > first), len(frames))
            if at < len(frames) and frames[at].first <= first:
                return first, _joined(content, frames[at:], first, min(last, first + most - 1))
            # nothing whole stands there: what was has been damaged
            end = frames[at].first if at < len(frames) else self._end_of(first)
            self._lose(first, min(last, end - 1))
        return None

    def _lose(self, first: int, last: int) -> None:
        self.damaged += last - first + 1
        self.mark_done(first, last)

    def _place(self, number: int) -> int:
        return bisect_right(self._segments, number, key=lambda one: one.first) - 1

    def _end_of(self, number: int) -> int:
        place = self._place(number) + 1
        return self._segments[place].first if place < len(self._segments) else self.next

    def _frames_with(self, number: int) -> tuple[bytes, tuple[Frame, ...]]:
        place = self._place(number)
        return self._frames(self._segments[place]) if place >= 0 else (b"", ())

    def _frames(self, segment: _Segment) -> tuple[bytes, tuple[Frame, ...]]:
        if self._read is None or self._read[:2] != (segment.path, segment.size_bytes):
            try:
                content = segment.path.read_bytes()
            except OSError:
                # a disk that cannot be read has lost it
                content = b""
            self._read = (segment.path, segment.size_bytes, content, scan(content).frames)
        return self._read[2:]

    def newest(self) -> NDArray[np.void]:
        """Return of each tag the newest row on disk."""
        found = NO_ROWS
        for segment in self._segments:
            found = newest_rows(np.concatenate([found, _all_rows(*self._frames(segment))]))
        return found

    def drop_oldest(self) -> tuple[int, NDArray[np.void]] | None:
        """Delete the oldest file; return how many rows that waited are lost, and of each tag the first. None: it is in use."""
        if len(self._segments) < (1 if self._file is None else 2):
            return None
        segment = self._segments[0]
        end = self._segments[1].first if len(self._segments) > 1 else self.next
        content, frames = self._frames(segment)
        missing = self.done.missing(segment.first, end - 1)
        parts = [
            _joined(content, [one], max(first, one.first), min(last, one.first + one.count - 1))
            for first, last in missing
            for one in frames
            if one.first <= last and one.first + one.count > first
        ]
        segment.path.unlink(missing_ok=True)
        self._segments.pop(0)
        self.done.add(segment.first, end - 1)
        count = sum(last - first + 1 for first, last in missing)
        return count, first_rows(np.concatenate([NO_ROWS, *parts]))

    def descriptor(self) -> int | None:
        """Return a file descriptor of what is being written, the caller's own; None when nothing is."""
        return None if self._file is None else os.dup(self._file)

    def close(self) -> None:
        """Let go of the folder; without anything left to do it is deleted."""
        self._close_file()
        changes = self.folder / CHANGES
        if not self.waiting() and not (changes.exists() and changes.stat().st_size):
            shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file = None


def _segments(folder: Path) -> list[tuple[Path, int, int]]:
    found = [(path, path.name.removeprefix(_SEGMENT)) for path in folder.glob(f"{_SEGMENT}*")]
    return [(path, int(number), path.stat().st_size) for path, number in found if number.isdecimal()]


def _joined(content: bytes, frames: "tuple[Frame, ...] | list[Frame]", first: int, last: int) -> NDArray[np.void]:
    """Return the rows numbered `first` to `last` of frames that follow each other, as far as they do."""
    parts, expected = [], frames[0].first
    for one in frames:
        if one.first != expected or one.first > last:
            break
        rows = rows_in(memoryview(content)[one.begin : one.end])
        parts.append(rows[max(0, first - one.first) : last - one.first + 1])
        expected = one.first + one.count
    return np.concatenate(parts)


def _all_rows(content: bytes, frames: tuple[Frame, ...]) -> NDArray[np.void]:
    return rows_in(b"".join([content[one.begin : one.end] for one in frames]))


def _locked(folder: Path) -> int | None:
    """Return the folder's lock, held until it is closed, None when another holds it. Raises OSError."""
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
