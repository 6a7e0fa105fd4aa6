"""The simulator's child processes: each has a pipe and ends when the pipe does, so that none outlives its parent."""

import multiprocessing
import queue
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from control_room.core.errors import CannotStart, ControlRoomError

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 2.0
_POLL_S = 0.2
# reports that may wait for a consumer that does not keep up; then the oldest are dropped
_WAITING = 100


class Ended(Exception):
    """The simulator is to end while it is still starting."""


class Child:
    """A child process with a pipe; what it is sent waits in a bounded queue, so that it cannot block the others."""

    def __init__(self, name: str, target: Callable[..., None], *arguments: Any) -> None:
        """Start `target(*arguments, pipe)` in a process."""
        context = multiprocessing.get_context("spawn")
        self.name = name
        self.pipe: Connection[Any, Any]
        self.pipe, other = context.Pipe()
        self.process: BaseProcess = context.Process(target=target, args=(*arguments, other), name=name, daemon=True)
        self.process.start()
        other.close()
        self._waiting: queue.Queue[Any] = queue.Queue(_WAITING)
        self._sender = threading.Thread(target=self._pass_on, daemon=True, name=f"to {name}")
        self._sender.start()

    def _pass_on(self) -> None:
        while (message := self._waiting.get()) is not None:
            # a child that is gone gets nothing; the parent sees it by its sentinel
            with suppress(OSError):
                self.pipe.send(message)
        # nobody but this thread may close it: a pipe that is closed while it sends breaks
        self.pipe.close()

    def send(self, message: Any) -> None:
        """Send without waiting; when the child does not keep up, the oldest message is dropped."""
        while True:
            try:
                self._waiting.put_nowait(message)
            except queue.Full:
                self._drop_oldest()
            else:
                return

    def _drop_oldest(self) -> bool:
        """Return whether there was one; the sender may have been faster."""
        try:
            self._waiting.get_nowait()
        except queue.Empty:
            return False
        return True

    def close(self) -> None:
        """Close the pipe as soon as the message that is on its way is through."""
        while self._drop_oldest():
            continue
        self.send(None)

    def expect(self, is_ending: Callable[[], bool]) -> tuple[Any, ...]:
        """Return the child's next message; raises Ended, or CannotStart (or its own error) when it failed."""
        deadline = time.monotonic() + START_TIMEOUT_S
        try:
            while not self.pipe.poll(_POLL_S):
                if is_ending():
                    raise Ended
                if time.monotonic() > deadline:
                    raise CannotStart(f"{self.name} did not start in {START_TIMEOUT_S:g} s.", advice="Try again.")
            message: tuple[Any, ...] = self.pipe.recv()
        except (EOFError, OSError) as fault:
            raise CannotStart(f"{self.name} ended while starting.", advice="See the log.") from fault
        raise_failed(message)
        return message

    def join(self, deadline: float) -> None:
        """Wait for the end until `deadline` (monotonic seconds), then make it."""
        self.process.join(max(0.0, deadline - time.monotonic()))
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self._sender.join(STOP_TIMEOUT_S)


def raise_failed(message: tuple[Any, ...]) -> None:
    """Raise what a child's ("failed", error or words) says."""
    if message[0] == "failed":
        raise message[1] if isinstance(message[1], ControlRoomError) else CannotStart(str(message[1]))


def stop(children: Iterable[Child]) -> None:
    """End all children by the end of their pipes, else by force."""
    deadline = time.monotonic() + STOP_TIMEOUT_S
    for child in children:
        child.close()
    for child in children:
        child.join(deadline)
