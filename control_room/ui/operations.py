"""Operations: database jobs asked for by views, awaited on the GUI's loop, never blocking it."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from sqlalchemy import Connection

from control_room.core.errors import ControlRoomError, OutcomeUnknown
from control_room.ui.notice_bar import NoticeBar

T = TypeVar("T")
Work = Coroutine[Any, Any, None]


class JobThread(Protocol):
    """Runs jobs elsewhere, in order: db.worker.DatabaseThread."""

    def submit(self, work: Callable[[Connection], T], /) -> "Future[T]":
        """Return the future of `work(connection)`."""


class Operations:
    """What views ask of the database: reads on one thread, acts on another, so that no read delays an act."""

    def __init__(
        self,
        reading: JobThread,
        acting: JobThread,
        start: Callable[[Work], object] | None = None,
    ) -> None:
        """Use both threads; `start` runs a coroutine, by default as a task."""
        self._reading = reading
        self._acting = acting
        self._start = start or self._start_task
        self._tasks: set[asyncio.Task[None]] = set()

    async def read(self, job: Callable[[Connection], T]) -> T:
        """Return what the job reads. Raises ControlRoomError."""
        return await asyncio.wrap_future(self._reading.submit(job))

    async def act(self, job: Callable[[Connection], T]) -> T:
        """Return what the job did. Raises ControlRoomError."""
        return await asyncio.wrap_future(self._acting.submit(job))

    def start(self, work: Work) -> None:
        """Run a coroutine from a slot; what it raises reaches the loop's exception handler."""
        self._start(work)

    async def close(self) -> None:
        """Cancel what still runs and wait for its end."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start_task(self, work: Work) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            task.get_loop().call_exception_handler({"message": "An operation failed.", "exception": fault})


@contextmanager
def told(banner: NoticeBar, what: str, *controls: QWidget) -> Iterator[None]:
    """Disable the controls meanwhile; tell an error as `what` was not done, why, and advice; nothing typed is lost."""
    banner.clear()
    for control in controls:
        control.setEnabled(False)
        control.setCursor(Qt.CursorShape.BusyCursor)
    try:
        yield
    except OutcomeUnknown as fault:
        banner.show_fault("Perhaps done", fault)
    except ControlRoomError as fault:
        banner.show_fault(what, fault)
    finally:
        for control in controls:
            control.setEnabled(True)
            control.unsetCursor()
