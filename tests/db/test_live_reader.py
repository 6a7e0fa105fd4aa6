"""The live reader: what changes reaches the listener soon, only what was asked for, also after the server was away."""

import threading
import time
from collections.abc import Callable, Iterator

import psutil
import pytest
from sqlalchemy import Engine, text

from control_room.core.alarms import Alarm, ProcessChange, Raised, Returned
from control_room.core.samples import Sample
from control_room.core.status import CollectorStatus, LinkState, LinkStatus
from db import live_reader
from db.alarm_journal import acknowledge
from db.embedded import EmbeddedServer
from db.live_reader import LiveReader
from db.stores import PostgresAlarmStore, PostgresSampleStore, PostgresStatusStore
from db.tag_store import import_plant
from db.worker import DatabaseThread
from tests.db.people import count_ids
from tests.fakes import START, sample
from tests.plants import plant


class Listener:
    """Keeps what it is told, and lets a test wait for it."""

    def __init__(self) -> None:
        self.told: dict[int, Sample] = {}
        self.board: dict[int, Alarm] = {}
        self.links: list[LinkStatus] = []
        self.collector: CollectorStatus | None = None
        self.connections: list[bool] = []
        self.configurations = 0
        self._changed = threading.Condition()

    def _tell(self, act: Callable[[], object]) -> None:
        with self._changed:
            act()
            self._changed.notify_all()

    def samples(self, samples: list[Sample]) -> None:
        self._tell(lambda: self.told.update({one.tag_id: one for one in samples}))

    def alarms(self, alarms: list[Alarm], is_whole: bool) -> None:
        if is_whole:
            self.board.clear()
        self._tell(lambda: self.board.update({one.rule_id: one for one in alarms}))

    def status(self, collector: CollectorStatus | None, links: list[LinkStatus]) -> None:
        self.collector, self.links = collector, links
        self._tell(lambda: None)

    def people_changed(self) -> None:
        """Nobody asks here."""

    def configuration_changed(self) -> None:
        self.configurations += 1
        self._tell(lambda: None)

    def connected(self, is_connected: bool, reason: str) -> None:
        self._tell(lambda: self.connections.append(is_connected))

    def until(self, is_so: Callable[[], object], timeout_s: float = 10.0) -> None:
        with self._changed:
            assert self._changed.wait_for(is_so, timeout_s)


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def reader(station: Engine, owner: Engine, listener: Listener) -> Iterator[LiveReader]:
    with owner.begin() as connection:
        count_ids(connection)
        import_plant(connection, plant())
    one = LiveReader(station, listener)
    one.start()
    listener.until(lambda: listener.connections)
    yield one
    began = time.monotonic()
    one.close()
    assert time.monotonic() - began < 1.0


@pytest.fixture
def thread(collector: Engine) -> Iterator[DatabaseThread]:
    one = DatabaseThread(collector, "test")
    yield one
    one.close()


async def test_only_watched_tags_are_told_and_newly_watched_ones_at_once(
    reader: LiveReader, listener: Listener, thread: DatabaseThread
) -> None:
    store = PostgresSampleStore(thread)
    reader.watch(frozenset({1}))
    await store.write_samples([sample(1, 1.0), sample(2, 2.0)])
    listener.until(lambda: 1 in listener.told)
    assert 2 not in listener.told
    reader.watch(frozenset({1, 2}))
    listener.until(lambda: 2 in listener.told)
    await store.write_samples([sample(2, 3.0, 1)])
    listener.until(lambda: listener.told[2].value == 3.0)


async def test_what_is_given_up_and_wanted_again_comes_again(
    reader: LiveReader, listener: Listener, thread: DatabaseThread
) -> None:
    await PostgresSampleStore(thread).write_samples([sample(1, 2.0)])
    reader.watch(frozenset({1}))
    listener.until(lambda: 1 in listener.told)
    for _ in range(3):
        listener.told.pop(1)
        reader.watch(frozenset())
        reader.watch(frozenset({1}))
        listener.until(lambda: 1 in listener.told)


async def test_alarms_are_told_as_they_change(
    reader: LiveReader, listener: Listener, thread: DatabaseThread, operator: Engine
) -> None:
    store = PostgresAlarmStore(thread)
    await store.record([ProcessChange(1, 1, Raised(START, 1.0, 0))])
    listener.until(lambda: 1 in listener.board and listener.board[1].is_active)
    with operator.begin() as connection:
        acknowledge(connection, [(1, 1)], "")
    listener.until(lambda: listener.board[1].is_acknowledged)
    await store.record([ProcessChange(1, 2, Returned(START, 1.0, 0))])
    listener.until(lambda: listener.board[1].state == "NORM")


async def test_the_status_is_told(reader: LiveReader, listener: Listener, thread: DatabaseThread) -> None:
    own = CollectorStatus(START, START, "host", 7, received=5)
    store = PostgresStatusStore(thread)
    assert await store.read_beat() is None
    ahead_s = await store.publish_status(own, [LinkStatus(1, LinkState.UP, START)])
    # both clocks are this machine's
    assert ahead_s is not None
    assert abs(ahead_s) < 0.3
    assert await store.read_beat() == START
    listener.until(lambda: listener.collector is not None)
    assert (listener.collector, [one.state for one in listener.links]) == (own, [LinkState.UP])


async def test_a_changed_configuration_is_told(reader: LiveReader, listener: Listener, owner: Engine) -> None:
    before = listener.configurations
    with owner.begin() as connection:
        import_plant(connection, plant(tags=4))
    listener.until(lambda: listener.configurations > before)


@pytest.mark.expects_log("Live values")
async def test_a_broken_connection_is_said_and_everything_read_again(
    reader: LiveReader, listener: Listener, thread: DatabaseThread, owner: Engine
) -> None:
    reader.watch(frozenset({1}))
    await PostgresSampleStore(thread).write_samples([sample(1, 1.0)])
    listener.until(lambda: 1 in listener.told)
    listener.told.clear()
    with owner.begin() as connection:
        # the station may not be looked at, only ended: by the server's owner
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = 'station' AND datname = current_database()"
            )
        )
    listener.until(lambda: listener.connections == [True, False, True])
    listener.until(lambda: 1 in listener.told)


@pytest.mark.expects_log("Live values")
async def test_a_server_that_stands_still_is_said_and_read_again_when_it_goes_on(
    station: Engine, listener: Listener, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_reader, "ANSWER_S", 1.0)
    monkeypatch.setattr(live_reader, "CHECK_S", 0.5)
    reader = LiveReader(station, listener)
    reader.start()
    listener.until(lambda: listener.connections == [True])
    lines = (server.data_folder / "postmaster.pid").read_text().splitlines()
    postmaster = psutil.Process(int(lines[0]))
    frozen = [postmaster, *postmaster.children()]
    for process in frozen:
        process.suspend()
    try:
        listener.until(lambda: listener.connections == [True, False], 20)
    finally:
        for process in reversed(frozen):
            process.resume()
    listener.until(lambda: listener.connections == [True, False, True], 20)
    reader.close()
