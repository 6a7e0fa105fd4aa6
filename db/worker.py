"""A database thread: one connection, jobs in order, results as futures."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine

from control_room.core.errors import DatabaseUnavailable
from db.engine import translated

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Job(Generic[T]):
    work: Callable[[Connection], T]
    outcome: "Future[T]"

    def run(self, connection: Connection) -> None:
        """Run in a transaction of its own; hand over the result or the error."""
        try:
            with translated(), connection.begin():
                result = self.work(connection)
        except BaseException as fault:  # noqa: BLE001  whoever asked gets the error, whatever it is
            self.outcome.set_exception(fault)
        else:
            self.outcome.set_result(result)


class DatabaseThread:
    """Runs jobs one after the other on a thread and a connection of its own; connects again when the connection broke."""

    def __init__(self, engine: Engine, name: str) -> None:
        """Start the thread; it connects with the first job."""
        self._engine = engine
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._connection: Connection | None = None
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name=f"db-{name}", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Connection], T]) -> "Future[T]":
        """Return the future of `work(connection)`, run in a transaction of its own.

        The future raises DatabaseUnavailable, WrongCredentials, Refused or DiskFull; then nothing was committed, unless
        the connection broke during the commit itself.
        """
        outcome: Future[T] = Future()
        if self._is_closed:
            outcome.set_exception(DatabaseUnavailable("The connection to the database is closed."))
        else:
            self._jobs.put(_Job(work, outcome))
        return outcome

    def close(self) -> None:
        """Let the job that runs finish, cancel those that wait, disconnect."""
        self._is_closed = True
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self._is_closed or not job.outcome.set_running_or_notify_cancel():
                job.outcome.cancel()
                continue
            try:
                with translated():
                    connection = self._connected()
            except BaseException as fault:  # noqa: BLE001  whoever asked gets the error, whatever it is
                job.outcome.set_exception(fault)
                continue
            job.run(connection)
            self._forget_broken()
        self._disconnect()

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _forget_broken(self) -> None:
        if self._connection is not None and (self._connection.invalidated or self._connection.closed):
            self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
