"""The shift: who is signed in at this seat and what they may do there. The picture stays, whoever comes and goes."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, Protocol, TypeVar

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QWindow
from sqlalchemy import Connection

from control_room.core.access import NOT_SIGNED_IN, Action, Person, why_not
from control_room.core.errors import ControlRoomError, Refused, SessionEnded, WrongCredentials
from control_room.core.passwords import faults
from control_room.ui.operations import JobThread
from db.people import (
    change_password,
    my_password_history,
    report_failed_sign_in,
    sign_in_wait_s,
    sign_out,
    who_am_i,
)

T = TypeVar("T")

IDLE_LOCK_S = 15 * 60.0
LOCKED = "The station is locked. Unlock it first."
MUST_CHANGE = "The password must be changed first."
WRONG = "The user name or the password is wrong."
_ACTIVITY = {QEvent.Type.KeyPress, QEvent.Type.MouseButtonPress, QEvent.Type.Wheel, QEvent.Type.MouseMove}


class PersonThread(JobThread, Protocol):
    """A database thread that acts as one person: db.worker.DatabaseThread on db.people.open_person."""

    def close(self) -> None:
        """End it."""


class Shift(QObject):
    """Signs people in and out; acts on the database as whoever is signed in, or says why nobody can.

    Signals: changed(), after every change of person, rights or lock; ended(words): the server ended the session.
    """

    changed = Signal()
    ended = Signal(str)
    _lost = Signal(object, str)

    def __init__(
        self,
        open_thread: Callable[[str, str], PersonThread],
        reading: JobThread,
        common_passwords: Callable[[], frozenset[str]],
        now: Callable[[], datetime],
        parent: QObject | None = None,
    ) -> None:
        """Begin with nobody; `open_thread(login, password)` acts as a person, `reading` as this station."""
        super().__init__(parent)
        self._open, self._reading, self._common, self._now = open_thread, reading, common_passwords, now
        self._thread: PersonThread | None = None
        self._touched = now()
        self.idle_lock_s = IDLE_LOCK_S
        self.person: Person | None = None
        self.locked: Person | None = None
        # what other threads find out is told on this one
        self._lost.connect(self._on_lost, Qt.ConnectionType.QueuedConnection)

    def why_not(self, action: Action, municipality_id: int | None = None) -> str:
        """Return why nobody at this seat may act there, empty when the person may; the server says the same."""
        if self.person is None:
            return LOCKED if self.locked else NOT_SIGNED_IN
        if self.person.must_change_password:
            return MUST_CHANGE
        return why_not(self.person, action, municipality_id)

    def why_nowhere(self, action: Action) -> str:
        """Return why the person may act in no municipality, empty when they may in one at least."""
        if self.person is not None and self.person.may_somewhere(action) and not self.person.must_change_password:
            return ""
        return self.why_not(action)

    def why_in_none(self, action: Action, municipality_ids: Iterable[int]) -> str:
        """Return why the person may act in none of the municipalities, empty when they may in one or there are none."""
        refusals = [self.why_not(action, place) for place in set(municipality_ids)]
        return "" if not refusals or "" in refusals else refusals[0]

    def submit(self, work: Callable[[Connection], T], /) -> "Future[T]":
        """Run a job as the person; the future raises Refused when nobody is signed in."""
        if self._thread is None:
            refused: Future[T] = Future()
            refused.set_exception(Refused(LOCKED if self.locked else NOT_SIGNED_IN))
            return refused
        future = self._thread.submit(work)
        future.add_done_callback(partial(self._look, self._thread))
        return future

    async def sign_in(self, login: str, password: str) -> None:
        """Let a person begin; who was signed in before is signed out. Raises Refused or DatabaseUnavailable."""
        login = login.strip()
        wait_s = await self._ask_station(partial(sign_in_wait_s, login=login))
        if wait_s > 0:
            raise Refused(f"Too many failed tries. Wait {_wait(wait_s)}.")
        thread = self._open(login, password)
        try:
            person = await asyncio.wrap_future(thread.submit(partial(who_am_i)))
        except asyncio.CancelledError:
            thread.close()
            raise
        except ControlRoomError as fault:
            await asyncio.to_thread(thread.close)
            if isinstance(fault, WrongCredentials):
                await self._ask_station(partial(report_failed_sign_in, login=login))
                raise Refused(WRONG, advice="Both are told apart by capitals.") from fault
            raise
        await self._leave("another person signs in")
        self._thread, self.person, self.locked = thread, person, None
        self._touched = self._now()
        self.changed.emit()

    async def sign_out(self) -> None:
        """End the person's session; the picture stays."""
        thread, self.locked = self._let_go(), None
        self.changed.emit()
        await self._end(thread, "sign out")

    async def lock(self) -> None:
        """Let nobody act until the person, or another one, has given a password."""
        if self.person is None:
            return
        self.locked = self.person
        thread = self._let_go()
        # at once: a job that takes long may not keep the station open
        self.changed.emit()
        await self._end(thread, "lock")

    async def change_password(self, password: str) -> None:
        """Change the person's own password. Raises Refused with everything that is wrong with it."""
        person = self.person
        if person is None:
            raise Refused(NOT_SIGNED_IN)
        history = await asyncio.wrap_future(self.submit(partial(my_password_history)))
        self.judge(password, person.login, history)
        await asyncio.wrap_future(self.submit(partial(change_password, login=person.login, password=password)))
        # the old password does not open a new connection any more
        await self.sign_in(person.login, password)

    def judge(self, password: str, login: str, history: Sequence[str] = ()) -> None:
        """Raise Refused with everything that is wrong with a new password."""
        if wrong := faults(password, login, self._common(), history):
            raise Refused(" ".join(wrong))

    async def close(self) -> None:
        """End the session, last of all."""
        await self._leave("the seat closes")

    def touch(self) -> None:
        """Note that the person is there."""
        self._touched = self._now()

    def is_idle(self) -> bool:
        """Return whether nobody has touched the seat for so long that it must be locked."""
        return self.person is not None and (self._now() - self._touched).total_seconds() > self.idle_lock_s

    def watch(self, window: QWindow | None) -> None:
        """Note keys and mouse of a window that a person has come to.

        A filter on the whole application would see every event of every widget, which costs a fifth of the seat's time.
        """
        if window is not None:
            self.touch()
            window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Note keys and mouse of a watched window."""
        if event.type() in _ACTIVITY:
            self.touch()
        return False

    def _let_go(self) -> PersonThread | None:
        thread, self._thread, self.person = self._thread, None, None
        return thread

    async def _leave(self, reason: str) -> None:
        await self._end(self._let_go(), reason)

    async def _end(self, thread: PersonThread | None, reason: str) -> None:
        if thread is None:
            return
        # a server that is away ends the session with the connection
        with suppress(ControlRoomError):
            await asyncio.wrap_future(thread.submit(partial(sign_out, reason=reason)))
        await asyncio.to_thread(thread.close)

    async def _ask_station(self, job: Callable[[Connection], T]) -> T:
        return await asyncio.wrap_future(self._reading.submit(job))

    def _look(self, thread: PersonThread, future: "Future[Any]") -> None:
        fault = None if future.cancelled() else future.exception()
        if isinstance(fault, SessionEnded | WrongCredentials):
            self._lost.emit(thread, str(fault))

    def _on_lost(self, thread: PersonThread, words: str) -> None:
        # what comes late of the person before is nothing to the one who is signed in now
        if thread is not self._thread:
            return
        self._thread = None
        self.person = self.locked = None
        self.changed.emit()
        self.ended.emit(words)
        # its job has just failed, so that nothing of it has to be waited for
        thread.close()


def _wait(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
