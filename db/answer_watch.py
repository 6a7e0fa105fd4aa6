"""A watch over connections whose server owes an answer: libpq waits for ever while only the server's process stands still."""

import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import psycopg

LOOK_S = 1.0


class AnswerWatch:
    """Breaks the connections when an answer takes longer than `limit_s`; whoever waits gets an OperationalError then."""

    def __init__(self, connections: Sequence["psycopg.Connection[tuple[object, ...]]"], limit_s: float) -> None:
        """Watch connections that are open now, from __enter__ to __exit__."""
        self._connections = tuple(connections)
        self._limit_s = limit_s
        self._asked_s: float | None = None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="db-answers", daemon=True)

    def __enter__(self) -> "AnswerWatch":
        """Begin to watch."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End, before the connections are closed."""
        self._is_over.set()
        self._thread.join()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Tell that the server is asked something."""
        self._asked_s = time.monotonic()
        try:
            yield
        finally:
            self._asked_s = None

    def _watch(self) -> None:
        while not self._is_over.wait(LOOK_S):
            asked_s = self._asked_s
            if asked_s is not None and time.monotonic() - asked_s > self._limit_s:
                for one in self._connections:
                    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(one.fileno())) as line:
                        line.shutdown(socket.SHUT_RDWR)
