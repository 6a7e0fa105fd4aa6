"""The error doors: whatever a bug lets escape is told once, with details to copy, and the room goes on."""

import asyncio
import logging
import sys
import threading
import traceback
from types import TracebackType
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

log = logging.getLogger(__name__)


class ErrorDoors(QObject):
    """Hangs in the three doors by which errors leave: slots, the loop's callbacks and tasks, threads.

    Signal noticed(words, details): once per fingerprint (kind of error and place).
    """

    noticed = Signal(str, str)
    _met = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        """Prepare; hang() begins."""
        super().__init__(parent)
        self.counts: dict[str, int] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._before = (sys.excepthook, threading.excepthook)
        # errors of other threads are counted on this one
        self._met.connect(self._notice, Qt.ConnectionType.QueuedConnection)

    def hang(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Take over all three doors."""
        self._before = (sys.excepthook, threading.excepthook)
        sys.excepthook = self.slot_failed
        threading.excepthook = self.thread_failed
        self._loop = loop
        if loop is not None:
            loop.set_exception_handler(self.loop_failed)

    def take_down(self) -> None:
        """Give the doors back."""
        sys.excepthook, threading.excepthook = self._before
        if self._loop is not None:
            self._loop.set_exception_handler(None)

    def slot_failed(self, kind: type[BaseException], fault: BaseException, trace: TracebackType | None) -> None:
        """Take an error of a slot or a timer."""
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, fault, trace)
            return
        self._met.emit(fault)

    def thread_failed(self, what: threading.ExceptHookArgs) -> None:
        """Take an error of a thread."""
        if what.exc_value is not None and not isinstance(what.exc_value, SystemExit):
            self._met.emit(what.exc_value)

    def loop_failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Take an error of a callback or a lost task."""
        self._met.emit(context.get("exception") or RuntimeError(str(context.get("message"))))

    def _notice(self, fault: BaseException) -> None:
        place = traceback.extract_tb(fault.__traceback__)[-1:]
        where = f"{place[0].filename}:{place[0].lineno}" if place else ""
        fingerprint = f"{type(fault).__name__} {where}"
        self.counts[fingerprint] = self.counts.get(fingerprint, 0) + 1
        if self.counts[fingerprint] > 1:
            return
        details = "".join(traceback.format_exception(fault))
        log.error("A part of the program failed:\n%s", details)
        self.noticed.emit(
            f"A part of the program failed ({type(fault).__name__}: {str(fault)[:120]}). The control room goes on; "
            "please send the details to those who maintain it.",
            details,
        )
