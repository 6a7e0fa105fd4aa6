"""The way to give up what the database is doing for one thread, from another thread."""

from contextlib import suppress
from queue import Empty, SimpleQueue

import psycopg
from sqlalchemy import Connection

from control_room.core.errors import ControlRoomError

_SEND_S = 5.0


class Cancelled(ControlRoomError):
    """The person gave it up in time: nothing of it was stored."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("It was cancelled in time.")


class Stop:
    """Belongs to one transaction. Whoever holds the one token of `_turn` may speak: the work ends only after a word in flight.

    So a word that comes late never stops what the connection does next for somebody else.
    """

    def __init__(self) -> None:
        """Wait for the work to begin."""
        self.is_wanted = False
        self._driver: psycopg.Connection[object] | None = None
        self._turn: SimpleQueue[None] = SimpleQueue()

    def begin(self, connection: Connection) -> None:
        """Let it be given up from now on; raises Cancelled when it was already."""
        self._driver = connection.connection.driver_connection
        self._turn.put(None)
        self.check()

    def check(self) -> None:
        """Raise Cancelled when it is to be given up."""
        if self.is_wanted:
            raise Cancelled

    def end(self) -> None:
        """Let it be given up no longer."""
        self._turn.get()

    def send(self) -> None:
        """Tell the server to give it up; waits for the network, so never on the GUI thread."""
        self.is_wanted = True
        with suppress(Empty):
            self._turn.get_nowait()
            try:
                # who cannot be told goes on, and the answer says that it was done
                with suppress(psycopg.Error):
                    assert self._driver is not None
                    self._driver.cancel_safe(timeout=_SEND_S)
            finally:
                self._turn.put(None)
