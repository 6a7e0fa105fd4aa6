"""Alarm changes that the database has not recorded yet, in a file beside the spool's: a killed collector loses none."""

import logging
import os
from pathlib import Path

from control_room.core.spool_changes import Change, bytes_of, change_of
from control_room.core.spool_frames import frame, scan
from control_room.services.spool import Spool
from control_room.services.spool_run import CHANGES

log = logging.getLogger(__name__)


class ChangeFile:
    """Keeps changes in their order until all are recorded."""

    def __init__(self, spool: Spool) -> None:
        """Write into the folder of the spool's own run."""
        self._spool = spool
        self._file: int | None = None
        self._next = 0
        self._is_told = False

    def keep(self, change: Change) -> None:
        """Write a change; a disk that does not take it is logged, and the change lives in memory alone."""
        framed = frame(self._next, 1, bytes_of(change))
        try:
            if self._file is None:
                path = self._spool.open() / CHANGES
                self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            # one that is cut off is passed over when the file is read
            os.write(self._file, framed)
        except OSError as fault:
            if not self._is_told:
                log.error("Alarm changes cannot be kept on disk: %s", fault.strerror or fault)
            self._is_told = True
            return
        self._next += 1
        self._is_told = False

    def forget(self) -> None:
        """Empty the file: all is recorded."""
        if self._next and self._file is not None:
            os.ftruncate(self._file, 0)
        self._next = 0

    def close(self) -> None:
        """Close the file; what it holds is recorded by the next collector."""
        if self._file is not None:
            os.close(self._file)
        self._file = None


def read_changes(folder: Path) -> list[Change]:
    """Return the changes that a collector left in the folder of its run, in their order."""
    path = folder / CHANGES
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    found = scan(content)
    if found.damages:
        log.error("%d alarm changes in %s are damaged and left out.", found.damages, path)
    return [change_of(content[one.begin : one.end]) for one in found.frames]


def forget_changes(folder: Path) -> None:
    """Delete the changes of a run: they are recorded."""
    (folder / CHANGES).unlink(missing_ok=True)
