"""The live reader: woken by NOTIFY, it asks for what changed, at most ten times a second, on a thread of its own.

A notification carries no data: what a seat may see is decided by the rights of the connection that reads.
"""

import logging
import select as sockets
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Protocol

import psycopg
from sqlalchemy import Connection, Engine, select, text

from control_room.core.alarms import Alarm
from control_room.core.errors import ControlRoomError
from control_room.core.samples import Sample
from control_room.core.status import CollectorStatus, LinkState, LinkStatus
from db.answer_watch import AnswerWatch
from db.backoff import Backoff
from db.engine import translated
from db.schema import require_schema
from db.stores import as_alarm, as_sample
from db.tables import collector_status, link_status

log = logging.getLogger(__name__)

# "process" tells of values and alarms alike: it must not tell one municipality that another one has an alarm
CHANNELS = frozenset({"process", "status", "configuration", "people"})
PERIOD_S = 0.1
_LATEST = text("SELECT * FROM read_latest(:wanted ::int[], :after, :new ::int[])")
_ALARMS = text("SELECT * FROM read_alarms(:after)")
# longest wait before it looks whether the connection still lives
CHECK_S = 2.0
# longest wait for an answer
ANSWER_S = 10.0


class LiveListener(Protocol):
    """Takes what changed; called on the reader's thread, so it must only hand over."""

    def samples(self, samples: list[Sample]) -> None:
        """Take the newest sample of each watched tag that changed."""

    def alarms(self, alarms: list[Alarm], is_whole: bool) -> None:
        """Take changed alarms, those that became normal included; `is_whole`: all that are not normal."""

    def status(self, collector: CollectorStatus | None, links: list[LinkStatus]) -> None:
        """Take the collector's and the links' status."""

    def configuration_changed(self) -> None:
        """Learn that municipalities, connections, tags or rules changed."""

    def people_changed(self) -> None:
        """Learn that somebody signed in or out, failed to, or that people's rights changed."""

    def connected(self, is_connected: bool, reason: str) -> None:
        """Learn that the database answers, or why it does not; once per change."""


class LiveReader:
    """Keeps one listener up to date until closed; connects again by itself."""

    def __init__(self, engine: Engine, listener: LiveListener, channels: frozenset[str] = CHANNELS) -> None:
        """Prepare to read what `channels` tell of; start() begins."""
        self._channels = channels
        self._engine = engine
        self._listener = listener
        self._wanted: frozenset[int] = frozenset()
        # what was given up since the last reading: wanted again, it must come again
        self._given_up: deque[frozenset[int]] = deque()
        self._is_closing = False
        # a byte in this pipe ends every wait: watch() and close() must not wait for the next notification
        self._bell, self._ringer = socket.socketpair()
        self._ringer.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="db-live", daemon=True)
        self._is_connected: bool | None = None

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def watch(self, tag_ids: frozenset[int]) -> None:
        """Deliver these tags from now on; what is newly wanted comes at once."""
        self._given_up.append(self._wanted - tag_ids)
        self._wanted = tag_ids
        self._ring()

    def close(self) -> None:
        """End the thread."""
        self._is_closing = True
        self._ring()
        if self._thread.is_alive():
            self._thread.join()
        self._bell.close()
        self._ringer.close()

    def _ring(self) -> None:
        # a full pipe is rung already, and a closed one has nobody to wake
        with suppress(OSError):
            self._ringer.send(b"!")

    def _run(self) -> None:
        backoff = Backoff()
        while not self._is_closing:
            try:
                with translated():
                    self._listen()
            except ControlRoomError as fault:
                if self._is_connected:
                    backoff.succeed()
                self._say_connected(False, str(fault))
                self._wait_bell(backoff.fail())

    def _wait_bell(self, seconds: float) -> None:
        if sockets.select([self._bell], [], [], seconds)[0]:
            self._bell.recv(4096)

    def _say_connected(self, is_connected: bool, reason: str) -> None:
        if is_connected is not self._is_connected:
            self._is_connected = is_connected
            log.log(logging.INFO if is_connected else logging.WARNING, "Live values: %s", reason or "connected")
            self._listener.connected(is_connected, reason)

    def _listen(self) -> None:
        engine = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as listening, engine.connect() as reading:
            require_schema(reading)
            for channel in sorted(self._channels):
                listening.execute(text(f"LISTEN {channel}"))
            ears = listening.connection.driver_connection
            eyes = reading.connection.driver_connection
            assert isinstance(ears, psycopg.Connection)
            assert isinstance(eyes, psycopg.Connection)
            with AnswerWatch((ears, eyes), ANSWER_S) as watch:
                _LiveRead(self, reading, ears, watch).follow()


class _LiveRead:
    """One connection's worth of reading: what was delivered so far."""

    def __init__(
        self,
        reader: LiveReader,
        connection: Connection,
        ears: "psycopg.Connection[tuple[object, ...]]",
        watch: AnswerWatch,
    ) -> None:
        self._reader = reader
        self._listener = reader._listener
        self._connection = connection
        self._ears = ears
        self._watch = watch
        self._latest_seq = 0
        self._alarm_seq = -1
        self._known: frozenset[int] = frozenset()

    def follow(self) -> None:
        """Read everything once, then what notifications tell of, until the reader closes or the connection breaks."""
        self._reader._say_connected(True, "")
        heard = set(self._reader._channels)
        while not self._reader._is_closing:
            started = time.monotonic()
            with self._watch.asking():
                self._read(heard)
            self._reader._wait_bell(max(0.0, PERIOD_S - (time.monotonic() - started)))
            heard = self._hear()

    def _hear(self) -> set[str]:
        """Wait for a notification, the bell or the time to look whether the connection lives; return channels heard."""
        reader, ears = self._reader, self._ears
        heard = {one.channel for one in ears.notifies(timeout=0)}
        if not heard and not reader._is_closing and not self._is_watch_changed():
            sources: list[int] = [ears.fileno(), reader._bell.fileno()]
            ready = sockets.select(sources, [], [], CHECK_S)[0]
            reader._wait_bell(0)
            heard = {one.channel for one in ears.notifies(timeout=0)}
            if not ready:
                with self._watch.asking():
                    ears.execute("SELECT 1")
        return heard

    def _read(self, heard: set[str]) -> None:
        if "process" in heard or self._is_watch_changed():
            self._read_samples()
        if "process" in heard:
            self._read_alarms()
        if "status" in heard:
            self._read_status()
        if "configuration" in heard:
            self._listener.configuration_changed()
        if "people" in heard:
            self._listener.people_changed()

    def _is_watch_changed(self) -> bool:
        return bool(self._reader._given_up) or self._reader._wanted != self._known

    def _read_samples(self) -> None:
        given_up = self._reader._given_up
        while given_up:
            self._known -= given_up.popleft()
        wanted = self._reader._wanted
        new = wanted - self._known
        asked = {"wanted": list(wanted), "new": list(new), "after": self._latest_seq}
        rows = self._connection.execute(_LATEST, asked).all()
        self._known = wanted
        if rows:
            self._latest_seq = max(self._latest_seq, *(row.seq for row in rows))
            self._listener.samples([as_sample(row) for row in rows])

    def _read_alarms(self) -> None:
        is_whole = self._alarm_seq < 0
        # what becomes normal between two reads must be told as well: remember where this reading began
        newest = self._connection.execute(text("SELECT newest_alarm_seq()")).scalar_one() if is_whole else 0
        rows = self._connection.execute(_ALARMS, {"after": self._alarm_seq}).all()
        self._alarm_seq = newest if is_whole else max([row.seq for row in rows], default=self._alarm_seq)
        if rows or is_whole:
            self._listener.alarms([as_alarm(row) for row in rows], is_whole)

    def _read_status(self) -> None:
        own = self._connection.execute(select(collector_status)).first()
        links = self._connection.execute(select(link_status).order_by(link_status.c.connection_id))
        collector = None
        if own is not None:
            fields = {name: getattr(own, name) for name in CollectorStatus.__dataclass_fields__}
            collector = CollectorStatus(**fields)
        self._listener.status(
            collector,
            [
                LinkStatus(
                    **{**{n: getattr(row, n) for n in LinkStatus.__dataclass_fields__}, "state": LinkState(row.state)}
                )
                for row in links
            ],
        )
