"""A database thread: one connection, jobs in order, results as futures."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine, text

from control_room.core.errors import ControlRoomError, DatabaseUnavailable, OutcomeUnknown
from db.backoff import Backoff
from db.engine import CONNECT_TIMEOUT_S, translated

T = TypeVar("T")

# a connection that was idle for so long is asked whether it still lives, so that the first action after a restart of
# the server does not fail
IDLE_S = 1.0
CLOSE_TIMEOUT_S = CONNECT_TIMEOUT_S + 1.0


@dataclass(frozen=True, slots=True)
class _Job(Generic[T]):
    work: Callable[[Connection], T]
    outcome: "Future[T]"

    def run(self, connection: Connection) -> BaseException | None:
        """Run in a transaction of its own and hand over the result; return the error instead."""
        is_storing = False
        try:
            with translated(), connection.begin():
                result = self.work(connection)
                is_storing = True
        except DatabaseUnavailable as fault:
            return _unknown(fault) if is_storing else fault
        except BaseException as fault:  # noqa: BLE001  whoever asked gets the error, whatever it is
            return fault
        self.outcome.set_result(result)
        return None


def _unknown(fault: DatabaseUnavailable) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"The connection broke as the change was being stored: it may be done or not. {fault.args[0]}",
        advice="Look whether it is done when the database answers again.",
    )


class DatabaseThread:
    """Runs jobs one after the other on a thread and a connection of its own; connects again when the connection broke.

    While the database cannot be reached, attempts are 0.2 s to 1 s apart, and jobs in between fail at once.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        """Start the thread; it connects with the first job."""
        self._engine = engine
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._connection: Connection | None = None
        self._used_s = 0.0
        self._backoff = Backoff()
        self._next_attempt_s = 0.0
        self._failure: ControlRoomError | None = None
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name=f"db-{name}", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Connection], T]) -> "Future[T]":
        """Return the future of `work(connection)`, run in a transaction of its own.

        The future raises DatabaseUnavailable, WrongCredentials, Refused or DiskFull; then nothing was committed, or
        OutcomeUnknown when the connection broke during the commit itself. `work` runs a second time when the connection
        broke before that. After close() the future is cancelled.
        """
        outcome: Future[T] = Future()
        self._jobs.put(_Job(work, outcome))
        if self._is_closed:
            # the thread may be gone already; cancelling twice does no harm
            outcome.cancel()
        return outcome

    def close(self) -> None:
        """Let the job that runs finish, cancel those that wait, disconnect. A job that hangs is left behind."""
        self._is_closed = True
        self._jobs.put(None)
        self._thread.join(CLOSE_TIMEOUT_S)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self._is_closed:
                job.outcome.cancel()
            if job.outcome.set_running_or_notify_cancel():
                self._serve(job)
        self._disconnect()

    def _serve(self, job: _Job[Any]) -> None:
        fault = self._attempt(job)
        if (
            isinstance(fault, DatabaseUnavailable)
            and not isinstance(fault, OutcomeUnknown)
            and self._connection is None
        ):
            # the connection broke before anything was stored, perhaps long before: a new one does it, or says why not
            fault = self._attempt(job)
        if fault is not None:
            job.outcome.set_exception(fault)

    def _attempt(self, job: _Job[Any]) -> BaseException | None:
        """Return why the job was not done, None when it was."""
        try:
            connection = self._living()
        except BaseException as fault:  # noqa: BLE001  whoever asked gets the error, whatever it is
            return fault
        why = job.run(connection)
        self._used_s = time.monotonic()
        if _is_broken(connection):
            self._disconnect()
        return why

    def _living(self) -> Connection:
        """Return a connection that works, made anew if need be. Raises DatabaseUnavailable or WrongCredentials."""
        if self._connection is not None and time.monotonic() - self._used_s > IDLE_S and not _answers(self._connection):
            self._disconnect()
        return self._connection or self._connect()

    def _connect(self) -> Connection:
        if self._failure is not None and time.monotonic() < self._next_attempt_s:
            raise type(self._failure)(self._failure.args[0], advice=self._failure.advice)
        try:
            with translated():
                self._connection = self._engine.connect()
        except ControlRoomError as fault:
            self._failure = fault
            self._next_attempt_s = time.monotonic() + self._backoff.fail()
            raise
        self._backoff.succeed()
        self._failure = None
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            if not connection.closed and not connection.invalidated:
                # closing alone would roll back first, which a broken connection answers with an error in the log
                connection.invalidate()
            connection.close()


def _is_broken(connection: Connection) -> bool:
    # SQLAlchemy does not see what breaks during a COPY, which goes past it
    return connection.closed or connection.invalidated or bool(connection.connection.driver_connection.closed)  # type: ignore[union-attr]


def _answers(connection: Connection) -> bool:
    try:
        with translated(), connection.begin():
            connection.execute(text("SELECT 1"))
    except DatabaseUnavailable:
        return False
    return True
