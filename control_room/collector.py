"""The collector: drivers → bus → historian and alarm desk. The table of contents of the headless process.

Several may run; one leads (a PostgreSQL advisory lock), the others stand by.
"""

import asyncio
import logging
import os
import random
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Engine

from control_room.core.alarms import Alarm
from control_room.core.errors import PASSING, DatabaseUnavailable
from control_room.core.ports import Item, SampleStore, StatusStore
from control_room.core.sample_rows import samples_of
from control_room.core.samples import Grade, Sample, stale
from control_room.core.spool_changes import still_news
from control_room.core.status import CollectorStatus, LinkStatus
from control_room.core.system_tags import SAMPLES_LOST, SPOOL_FILLED
from control_room.core.tags import Connection
from control_room.local_server import LocalServer
from control_room.services.alarm_desk import AlarmDesk
from control_room.services.bus import Bus
from control_room.services.change_file import ChangeFile, forget_changes, read_changes
from control_room.services.historian import Historian
from control_room.services.links import Links
from control_room.services.rollups import Rollups
from control_room.services.self_watch import OwnState, self_watch_spec
from control_room.services.spool import LIMIT_BYTES, Spool
from control_room.services.spool_run import SpoolRun
from control_room.services.supervisor import Supervisor
from db.engine import make_engine, server_url
from db.leader import Leadership
from db.live_reader import LiveReader
from db.rollup_store import PostgresRollupStore
from db.stores import (
    PostgresAlarmStore,
    PostgresConfigurationStore,
    PostgresSampleStore,
    PostgresStatusStore,
)
from db.worker import DatabaseThread
from drivers.find import find_drivers

log = logging.getLogger(__name__)
T = TypeVar("T")

BEAT_S = 1.0
RETRY_S = 1.0


def utc_now() -> datetime:
    """Return the present time, aware UTC."""
    return datetime.now(UTC)


@dataclass(slots=True)
class _ConfigurationBell:
    """Rings on the loop when the database says that the configuration changed, and after every connect."""

    loop: asyncio.AbstractEventLoop
    changed: asyncio.Event
    reached: asyncio.Event

    def samples(self, samples: list[Sample]) -> None:
        """Ignore: the collector is where samples come from."""

    def alarms(self, alarms: list[Alarm], is_whole: bool) -> None:
        """Ignore: not asked for."""

    def status(self, collector: CollectorStatus | None, links: list[LinkStatus]) -> None:
        """Ignore: the collector is who says it."""

    def configuration_changed(self) -> None:
        """Wake the loop."""
        self.loop.call_soon_threadsafe(self.changed.set)

    def people_changed(self) -> None:
        """Ignore: people are the seats' business."""

    def connected(self, is_connected: bool, reason: str) -> None:
        """Read the configuration anew after every connect: a change may have been missed."""
        if is_connected:
            self.configuration_changed()
            self.loop.call_soon_threadsafe(self.reached.set)


@dataclass(frozen=True, slots=True)
class SpoolPlace:
    """Where samples wait on disk while the database is away, and how much at most."""

    folder: Path
    limit_bytes: int = LIMIT_BYTES

    def spool(self) -> Spool:
        """Return a spool there."""
        return Spool(self.folder / "spool", self.limit_bytes)


async def take_over(spool: Spool, run: SpoolRun, store: SampleStore, level: int = logging.WARNING) -> bool:
    """Let `spool` forward what a run has left; return False when it belongs to another database and stays where it is."""
    mark = await store.read_spool(run.id)
    if mark is None:
        log.log(level, "The samples in %s belong to another database; they are left there.", run.folder)
        run.close()
        return False
    for first, last in mark.stored:
        run.mark_done(first, last)
    run.is_shared = not mark.is_last
    spool.adopt(run)
    return True


class Collector:
    """Everything that one collector process owns, built in order and closed in reverse."""

    def __init__(self, engine: Engine, stop: asyncio.Event, place: SpoolPlace) -> None:
        """Build without starting; `stop` ends run(), `place` is where samples wait on disk."""
        self._stop = stop
        self._started = utc_now()
        self._writer = DatabaseThread(engine, "writer")
        self._reader = DatabaseThread(engine, "reader")
        # of its own: neither samples nor alarms wait for it
        self._roller = DatabaseThread(engine, "rollups")
        self._rollups = Rollups(PostgresRollupStore(self._roller))
        self._samples = PostgresSampleStore(self._writer)
        self._configuration = PostgresConfigurationStore(self._reader)
        self._status: StatusStore = PostgresStatusStore(self._reader)
        self._spool = place.spool()
        self._historian = Historian(self._samples, self._spool)
        self._alarms = PostgresAlarmStore(self._reader)
        self._changes = ChangeFile(self._spool)
        self._desk = AlarmDesk(self._alarms, utc_now, self._changes)
        self._bus = Bus([self._historian.take, self._desk.take])
        self._own = OwnState(lambda: self._historian.is_away, more=self._readings())
        own = self_watch_spec(self._own, utc_now)
        self._specs = find_drivers() | {own.key: own}
        self._links = Links(self._supervisor)
        self._changed = asyncio.Event()
        self._reached = asyncio.Event()
        bell = _ConfigurationBell(asyncio.get_running_loop(), self._changed, self._reached)
        self._listener = LiveReader(engine, bell, frozenset({"configuration"}))
        self._message = ""

    def _readings(self) -> Mapping[str, Callable[[], float]]:
        return {
            SPOOL_FILLED: lambda: self._spool.filled_percent if self._historian.spooled else 0.0,
            SAMPLES_LOST: lambda: float(self._historian.dropped),
        }

    def _supervisor(self, connection: Connection, items: tuple[Item, ...]) -> Supervisor:
        return Supervisor(
            connection, self._specs.get(connection.driver), items, self._bus.publish, utc_now, random.Random()
        )

    async def run(self) -> None:
        """Take over what is stored, collect until told to stop, mark everything stale and close."""
        try:
            await self._until_answered(self._configuration.check_schema)
            await self._take_over()
            await self._until_answered(self._desk.load)
            self._own.gap.found(await self._until_answered(self._status.read_beat))
            await self._mark_gap()
            self._listener.start()
            parts = [asyncio.create_task(part) for part in (self._historian.run(), self._desk.run(), self._beat())]
            parts += [asyncio.create_task(self._follow_configuration()), asyncio.create_task(self._keep_latest())]
            parts.append(asyncio.create_task(self._rollups.run()))
            stopped = asyncio.create_task(self._stop.wait())
            await asyncio.wait([stopped, *parts], return_when=asyncio.FIRST_COMPLETED)
            await _cancel([stopped, *parts])
        finally:
            await self._close()

    async def _until_answered(self, ask: Callable[[], Awaitable[T]]) -> T:
        is_told = False
        while True:
            try:
                return await ask()
            except PASSING as fault:
                if not is_told:
                    log.warning("Waiting for the database: %s", fault)
                is_told = True
                await asyncio.sleep(RETRY_S)

    async def _take_over(self) -> None:
        """Record the alarm changes and forward the samples that collectors before this one left on disk."""
        for run in self._spool.find_left():
            if await self._until_answered(partial(take_over, self._spool, run, self._samples)):
                await self._until_answered(partial(self._record_left, run))
        self._historian.take_over()
        await self._until_answered(partial(self._samples.begin_spool, self._spool.id))

    async def _record_left(self, run: SpoolRun) -> None:
        changes = read_changes(run.folder)
        if run.is_shared:
            changes = still_news(changes, await self._alarms.read_alarms())
        await self._alarms.record(changes)
        forget_changes(run.folder)

    async def _mark_gap(self) -> None:
        """Mark values that an earlier collector left behind as stale since it last received anything."""
        stored = {one.tag_id: one for one in await self._until_answered(self._samples.read_latest)}
        for one in samples_of(self._spool.newest_left()):
            if one.tag_id not in stored or one.source_time >= stored[one.tag_id].source_time:
                stored[one.tag_id] = one
        known = list(stored.values())
        self._desk.know(known)
        last = max((sample.arrival_time for sample in known), default=self._started)
        self._bus.publish([stale(one, last) for one in known if one.grade < Grade.STALE])

    async def _follow_configuration(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            configuration = await self._until_answered(self._configuration.read_configuration)
            self._desk.use_rules(configuration.rules, configuration.suppressions)
            await self._links.apply(configuration)

    async def _keep_latest(self) -> None:
        """Find the newest values again in history: a server that crashed or was promoted has lost that unlogged table."""
        while True:
            await self._reached.wait()
            self._reached.clear()
            await self._until_answered(self._samples.read_latest)

    async def _beat(self) -> None:
        while True:
            await self._publish_status()
            await asyncio.sleep(BEAT_S)

    async def _publish_status(self) -> None:
        try:
            ahead_s = await self._status.publish_status(self._own_status(), self._links.statuses(utc_now()))
        except PASSING:
            # the historian tells of the trouble; the beat simply comes back when it is over
            return
        self._own.drift.take(ahead_s)

    def _own_status(self) -> CollectorStatus:
        return CollectorStatus(
            beat_time=utc_now(),
            started_time=self._started,
            host=socket.gethostname(),
            process_id=os.getpid(),
            received=self._bus.received,
            stored=self._historian.stored,
            dropped=self._historian.dropped,
            waiting=self._historian.waiting,
            spooled=self._historian.spooled,
            spool_bytes=self._spool.size_bytes if self._historian.spooled else 0,
            spool_limit_bytes=self._spool.limit_bytes,
            oldest_time=self._historian.oldest_time,
            message=self._message or self._historian.trouble or self._desk.trouble,
        )

    async def _close(self) -> None:
        await self._links.stop()
        now = utc_now()
        self._bus.publish([stale(one, now) for one in self._bus.newest.values() if one.grade < Grade.STALE])
        await self._historian.flush()
        await self._desk.flush()
        self._message = "stopped"
        await self._publish_status()
        self._listener.close()
        self._roller.close()
        self._reader.close()
        self._writer.close()
        self._changes.close()
        self._spool.close()


async def _cancel(tasks: list[asyncio.Task[T]]) -> None:
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome


async def _lead(leadership: Leadership, stop: asyncio.Event, place: SpoolPlace, store: SampleStore) -> None:
    """Wait until this process leads or is told to stop; forward meanwhile what collectors here have left on disk."""
    is_told = False
    while not stop.is_set():
        try:
            if await leadership.claim():
                return
            words = "Standing by: another collector leads."
            await forward_left(place, store)
        except PASSING as fault:
            words = f"Waiting for the database: {fault}"
        if not is_told:
            log.warning(words)
        is_told = True
        await _pause(stop, RETRY_S)


async def forward_left(place: SpoolPlace, store: SampleStore) -> None:
    """Store for about a second what collectors that are gone have left; raises what the store raises."""
    spool = place.spool()
    try:
        for run in spool.find_left():
            # alarm changes wait until this process leads: whoever leads counts them
            await take_over(spool, run, store, logging.DEBUG)
        # not for longer: it must go on to ask whether it leads
        await Historian(store, spool).forward(RETRY_S)
    finally:
        spool.close()


async def _follow(leadership: Leadership, stop: asyncio.Event) -> None:
    """Return when another collector took the lead, or when told to stop."""
    while not stop.is_set():
        await _pause(stop, RETRY_S)
        try:
            if not await leadership.claim():
                log.warning("Another collector leads now; this one stands by.")
                return
        except DatabaseUnavailable:
            # while the database is away from everybody, nobody can take the lead
            continue


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def collect(url: URL, place: SpoolPlace) -> None:
    """Collect until SIGTERM or SIGINT. Raises WrongCredentials when the database refuses this program."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    engine = make_engine(url, "control-room collector")
    thread = DatabaseThread(engine, "leader")
    leadership = Leadership(thread)
    forwarding = DatabaseThread(engine, "standby")
    store = PostgresSampleStore(forwarding)
    try:
        while not stop.is_set():
            await _lead(leadership, stop, place, store)
            if not stop.is_set():
                await _collect_while_leading(engine, leadership, stop, place)
    finally:
        thread.close()
        forwarding.close()


async def _collect_while_leading(
    engine: Engine, leadership: Leadership, stop: asyncio.Event, place: SpoolPlace
) -> None:
    ends = asyncio.Event()
    collecting = asyncio.create_task(Collector(engine, ends, place).run())
    leading = asyncio.create_task(_follow(leadership, stop))
    await asyncio.wait([collecting, leading], return_when=asyncio.FIRST_COMPLETED)
    ends.set()
    leading.cancel()
    await collecting


def run_collector(
    data_folder: Path, server: str | None, *, is_for_seats: bool = False, limit_bytes: int = LIMIT_BYTES
) -> int:
    """Collect into the named server, or into this machine's own database; return the exit code.

    `is_for_seats`: started by a seat, so the last seat ends it. At most `limit_bytes` wait on disk. Raises CannotStart with
    advice.
    """
    place = SpoolPlace(data_folder, limit_bytes)
    if server is not None:
        asyncio.run(collect(server_url(server), place))
        return 0
    local = LocalServer.open(data_folder, log.info, "collector" if is_for_seats else "recorder")
    try:
        asyncio.run(collect(local.url("collector"), place))
    finally:
        local.close()
    return 0
