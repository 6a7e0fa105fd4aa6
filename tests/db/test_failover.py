"""Two real servers: the primary dies, the standby is promoted, and whoever names both goes on by themselves."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import URL, Connection, text

from control_room.collector import Collector, SpoolPlace
from control_room.core.errors import CannotStart, DatabaseUnavailable
from control_room.core.plant import PlantConnection
from db.engine import make_engine, server_url, translated
from db.live_reader import LiveReader
from db.server_status import status_lines
from db.shared_server import FirstAdministrator, look, prepare
from db.stores import PostgresSampleStore
from db.tag_store import import_plant
from db.worker import DatabaseThread
from tests.db.people import count_ids
from tests.db.shared import HOST, OWNER_WORD, SharedServer, running_server, shared_server
from tests.db.test_live_reader import Listener
from tests.fakes import sample
from tests.plants import plant

pytestmark = [pytest.mark.postgresql15, pytest.mark.timeout(120)]

T = TypeVar("T")
SYNCHRONOUS = """
synchronous_standby_names = '*'
synchronous_commit = remote_apply
"""


@dataclass(slots=True)
class Pair:
    """A primary, its standby, and how programs reach whichever leads."""

    primary: SharedServer
    standby: SharedServer
    words: dict[str, str]

    def url(self, login: str) -> URL:
        """Return the URL with both servers, the certificates checked."""
        places = f"{HOST}:{self.primary.port},{HOST}:{self.standby.port}"
        query = f"sslmode=verify-full&sslrootcert={self.primary.authority.path}&target_session_attrs=read-write"
        return server_url(f"postgresql://{login}@{places}/control_room?{query}").set(password=self.words[login])

    def fail_over(self) -> None:
        """Kill the primary; whoever watches over the two promotes the standby after a while."""
        self.primary.kill()
        time.sleep(1.0)
        self.standby.promote()


@pytest.fixture
def pair() -> Iterator[Pair]:
    with running_server() as primary:
        words = prepare(primary.url(), FirstAdministrator("ada", "Ada"), "nine herons over the weir", ["station"])
        with make_engine(primary.url(), "tests").begin() as connection:
            # no driver: what was known must come back without a word from the plant
            count_ids(connection)
            import_plant(connection, replace(plant(), connections=(PlantConnection("works", "none", {}),)))
        bin_folder = primary.programs.folder
        with shared_server(primary.folder.parent / "two", bin_folder, primary.authority) as standby:
            standby.copy_from(primary, "postgres", OWNER_WORD)
            standby.start()
            primary.settle(SYNCHRONOUS)
            yield Pair(primary, standby, {login: str(word) for login, word in words.items()})


def stored(connection: Connection) -> list[float]:
    return list(connection.execute(text("SELECT value FROM sample WHERE tag_id = 1 ORDER BY source_time")).scalars())


def size_of_latest(connection: Connection) -> int:
    return int(connection.execute(text("SELECT count(*) FROM latest")).scalar_one())


@pytest.fixture
def collecting(pair: Pair) -> Iterator[DatabaseThread]:
    thread = DatabaseThread(make_engine(pair.url("collector"), "control-room collector"), "test")
    yield thread
    began = time.monotonic()
    thread.close()
    assert time.monotonic() - began < 2.0


async def insist(store: PostgresSampleStore, value: float) -> set[str]:
    """Write a sample until it is committed, as the historian does; return what was said meanwhile."""
    said = set()
    deadline = time.monotonic() + 40.0
    while True:
        try:
            await store.write_samples([sample(1, value, value)])
        except DatabaseUnavailable as fault:
            said.add(str(fault))
            assert time.monotonic() < deadline, said
            await asyncio.sleep(0.1)
        else:
            return said


@pytest.mark.expects_log("Live values")
async def test_thread_and_reader_go_on_at_the_promoted_standby(pair: Pair, collecting: DatabaseThread) -> None:
    store, listener = PostgresSampleStore(collecting), Listener()
    reader = LiveReader(make_engine(pair.url("station"), "control-room seat"), listener)
    reader.watch(frozenset({1}))
    reader.start()
    try:
        for number in range(20):
            await store.write_samples([sample(1, float(number), number)])
        listener.until(lambda: 1 in listener.told and listener.told[1].value == 19.0)
        dead = threading.Thread(target=pair.fail_over)
        dead.start()
        await asyncio.sleep(0.5)
        said = await insist(store, 20.0)
        dead.join()
        listener.until(lambda: listener.told[1].value == 20.0, 30.0)
        assert listener.connections == [True, False, True]
    finally:
        reader.close()
    # nothing that was committed is lost, and what was waiting came once
    assert await ask(collecting, stored) == [float(number) for number in range(21)]
    assert any("takes no changes, as a standby does" in words for words in said), said


async def ask(thread: DatabaseThread, question: Callable[[Connection], T]) -> T:
    return await asyncio.wrap_future(thread.submit(question))


async def test_the_newest_values_are_found_again_in_history(pair: Pair, collecting: DatabaseThread) -> None:
    store = PostgresSampleStore(collecting)
    await store.write_samples([sample(1, 1.0), sample(2, 2.0, 1), sample(2, 2.5, 2), sample(3, 3.0)])
    assert await ask(collecting, size_of_latest) == 3
    await asyncio.to_thread(pair.fail_over)
    await insist(store, 9.0)
    # an unlogged table is empty on a promoted standby: only what came since is there
    assert await ask(collecting, size_of_latest) == 1
    found = {one.tag_id: one.value for one in await store.read_latest()}
    assert found == {1: 9.0, 2: 2.5, 3: 3.0}
    assert await ask(collecting, size_of_latest) == 3


@pytest.mark.expects_log("Live values", "Waiting for the database", "cannot be written", "works")
async def test_a_collector_finds_the_newest_values_by_itself(
    pair: Pair, collecting: DatabaseThread, tmp_path: Path
) -> None:
    await PostgresSampleStore(collecting).write_samples([sample(one, float(one)) for one in (1, 2, 3)])
    stop = asyncio.Event()
    running = asyncio.create_task(
        Collector(make_engine(pair.url("collector"), "control-room collector"), stop, SpoolPlace(tmp_path)).run()
    )
    try:
        await until_so(lambda: answers(collecting, lambda one: size_of_latest(one) >= 4))
        await asyncio.to_thread(pair.fail_over)
        await until_so(lambda: answers(collecting, lambda one: size_of_latest(one) >= 4))
    finally:
        stop.set()
        await running


async def answers(thread: DatabaseThread, question: Callable[[Connection], bool]) -> bool:
    try:
        return await ask(thread, question)
    except DatabaseUnavailable:
        return False


async def until_so(is_so: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + 30.0
    while not await is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.2)


def test_only_a_standby_is_left_and_that_is_said(pair: Pair) -> None:
    pair.primary.kill()
    engine = make_engine(pair.url("station"), "tests")
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable) as said, translated(), engine.connect():
        pass
    assert time.monotonic() - began < 5.0
    assert f"does not answer ({HOST}:{pair.primary.port}: " in str(said.value)
    assert f"{HOST}:{pair.standby.port} takes no changes, as a standby does." in str(said.value)


async def test_the_status_tells_primary_and_standby(pair: Pair, collecting: DatabaseThread) -> None:
    await insist(PostgresSampleStore(collecting), 1.0)
    assert "This server leads; standbys: 1." in said_of(pair.primary)
    begin = "Standby: standby at 127.0.0.1, streaming (sync), 0 bytes and "
    until(lambda: any(line.startswith(begin) for line in said_of(pair.primary)))
    until(lambda: any("is a standby; it receives from its primary, 0.0 s" in line for line in said_of(pair.standby)))
    with pytest.raises(CannotStart, match="is a standby"):
        look(pair.standby.url(), FirstAdministrator("bob", "Bob"))
    with pytest.raises(DatabaseUnavailable, match="takes no changes"):
        prepare(pair.standby.url(database="other"), FirstAdministrator("bob", "Bob"), "x", [])


def said_of(server: SharedServer) -> list[str]:
    with make_engine(server.url(), "tests").connect() as connection:
        return list(status_lines(connection))


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20.0
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)
