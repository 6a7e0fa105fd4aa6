"""Store and forward on the real PostgreSQL: whoever dies, whatever is full or cut, history holds what the source sent, once."""

import asyncio
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from sqlalchemy import URL, Engine, text

from control_room.collector import SpoolPlace
from control_room.core.samples import BAD_DATA_LOST
from control_room.services.historian import Historian
from control_room.services.spool import Spool
from db.embedded import EmbeddedServer, open_embedded
from db.engine import make_engine
from db.schema import upgrade
from db.stores import PostgresSampleStore
from db.tag_store import import_plant
from db.worker import DatabaseThread
from tests.db.people import count_ids
from tests.db.proxy import Proxy
from tests.db.spool_child import TAGS, sent
from tests.plants import plant

pytestmark = pytest.mark.timeout(120)
AWAY = ("History cannot be written", "The spool")


@pytest.fixture
def owner_engine(owner: Engine) -> Engine:
    with owner.begin() as connection:
        count_ids(connection)
        import_plant(connection, plant(tags=TAGS))
    return owner


def stored(owner: Engine) -> list[int]:
    with owner.connect() as connection:
        return [int(one) for one in connection.execute(text("SELECT value FROM sample ORDER BY value")).scalars()]


def newest(owner: Engine) -> dict[int, int]:
    with owner.connect() as connection:
        rows = connection.execute(text("SELECT tag_id, value FROM latest"))
        return {row.tag_id: int(row.value) for row in rows}


def newest_sent(end: int) -> dict[int, int]:
    return {sent(number).tag_id: number for number in range(end)}


class Source:
    """Sends values to a historian without a pause, as a plant does."""

    def __init__(self, historian: Historian) -> None:
        self._historian = historian
        self.end = 0

    async def run(self) -> None:
        while True:
            self._historian.take([sent(number) for number in range(self.end, self.end + 10)])
            self.end += 10
            await asyncio.sleep(0.002)


@asynccontextmanager
async def collecting(url: URL, spool: Spool) -> AsyncIterator[tuple[Source, Historian]]:
    """Run a source and a historian; at the end all that was sent is stored."""
    thread = DatabaseThread(make_engine(url, "test"), "test")
    store = PostgresSampleStore(thread)
    await store.begin_spool(spool.id)
    historian = Historian(store, spool)
    source = Source(historian)
    sending, storing = asyncio.create_task(source.run()), asyncio.create_task(historian.run())
    try:
        yield source, historian
        sending.cancel()
        async with asyncio.timeout(60):
            while historian.waiting:
                await asyncio.sleep(0.02)
    finally:
        for one in (sending, storing):
            one.cancel()
        await asyncio.gather(sending, storing, return_exceptions=True)
        thread.close()
        spool.close()


# --- the collector is killed


def start_child(url: URL, folder: Path, first: int | None) -> "subprocess.Popen[str]":
    words = [url.render_as_string(hide_password=False), str(folder), *([] if first is None else [str(first)])]
    return subprocess.Popen([sys.executable, "-m", "tests.db.spool_child", *words], stdout=subprocess.PIPE, text=True)


def kill_after(child: "subprocess.Popen[str]", lines: int, more_s: float) -> tuple[int, int]:
    """Kill the child after so many lines and a little longer; return up to where it had received, and had begun to."""
    assert child.stdout is not None
    said = [child.stdout.readline() for _ in range(lines)]
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(more_s)
    child.kill()
    said += child.stdout.readlines()
    child.stdout.close()
    child.wait()
    numbers = {
        word: [int(one) for one in re.findall(rf"{word} (\d+)\n", "".join(said))] for word in ("sending", "received")
    }
    return numbers["received"][-1], numbers["sending"][-1]


def test_a_killed_collector_loses_nothing_and_stores_nothing_twice(
    owner_engine: Engine, collector_url: URL, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    # fifty times in all, on both servers, at moments of their own
    chance, end = random.Random(request.node.name), 0
    must, may = set[int](), set[int]()
    for _ in range(25):
        child = start_child(collector_url, tmp_path, end)
        received, begun = kill_after(child, chance.randrange(2, 300), chance.random() / 20)
        must |= set(range(end, received))
        may |= set(range(end, begun))
        end = begun
    child = start_child(collector_url, tmp_path, None)
    assert child.stdout is not None
    child.stdout.close()
    assert child.wait(60) == 0
    found = stored(owner_engine)
    assert len(found) == len(set(found))
    assert must <= set(found) <= may
    assert newest(owner_engine) == {tag: max(n for n in found if sent(n).tag_id == tag) for tag in range(1, TAGS + 1)}
    assert not list((tmp_path / "spool").iterdir())


# --- PostgreSQL is killed, and its disk is full


@contextmanager
def own_server(folder: Path | None = None) -> Iterator[EmbeddedServer]:
    with tempfile.TemporaryDirectory(prefix="control-room-test-") as name:
        Path(name).chmod(0o755)
        running = open_embedded(folder or Path(name), lambda _: None)
        upgrade(running.url("postgres"), running.credentials.passwords())
        engine = make_engine(running.url("postgres"), "owner")
        with engine.begin() as connection:
            count_ids(connection)
            import_plant(connection, plant(tags=TAGS))
        engine.dispose()
        try:
            yield running
        finally:
            running.stop()


def kill(server: EmbeddedServer) -> None:
    """Kill the server's process and all that belong to it, and wait until they are gone."""
    head = psutil.Process(int((server.data_folder / "postmaster.pid").read_text().splitlines()[0]))
    all_of_it = [*head.children(), head]
    for one in all_of_it:
        # what belongs to it may be gone by itself
        with suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(all_of_it, timeout=10)


@pytest.mark.expects_log(*AWAY)
async def test_a_killed_postgresql_costs_no_sample(tmp_path: Path) -> None:
    with own_server() as server:
        engine = make_engine(server.url("postgres"), "owner")
        async with collecting(server.url("collector"), SpoolPlace(tmp_path).spool()) as (source, historian):
            for _ in range(3):
                await asyncio.sleep(0.7)
                await asyncio.to_thread(kill, server)
                await asyncio.sleep(1.5)
                assert historian.spooled
                assert historian.is_away
                await asyncio.to_thread(server.restart)
        assert stored(engine) == list(range(source.end))
        assert historian.dropped == 0
        engine.dispose()


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """Return the folder of a file system of two megabytes."""
    with tempfile.TemporaryDirectory(prefix="control-room-test-") as name:
        Path(name).chmod(0o755)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=777", "tmpfs", name], check=False).returncode:
            pytest.skip("no file system can be mounted here")
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", "-l", name], check=True)


def fill(path: Path) -> None:
    """Write a file until the disk is full."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        with suppress(OSError):
            while os.write(file, bytes(4096)):
                pass
    finally:
        os.close(file)


@pytest.mark.expects_log(*AWAY)
async def test_a_full_disk_of_the_database_costs_no_sample(tmp_path: Path, small_disk: Path) -> None:
    with own_server() as server:
        engine = make_engine(server.url("postgres"), "owner")
        place = small_disk / "space"
        place.mkdir()
        if server.programs.account is not None:
            os.chown(place, server.programs.account.uid, server.programs.account.gid)
        with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(text(f"CREATE TABLESPACE small LOCATION '{place}'"))
            # where the values of that day go
            connection.execute(text("SELECT ensure_sample_partitions('2026-03-01', '2026-03-01')"))
            connection.execute(text("ALTER TABLE sample_20260301 SET TABLESPACE small"))
        ballast = small_disk / "ballast"
        async with collecting(server.url("collector"), SpoolPlace(tmp_path).spool()) as (source, historian):
            fill(ballast)
            async with asyncio.timeout(20):
                while "No space is left" not in historian.trouble:
                    await asyncio.sleep(0.02)
            await asyncio.sleep(0.3)
            ballast.unlink()
        assert stored(engine) == list(range(source.end))
        with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(text("ALTER TABLE sample_20260301 SET TABLESPACE pg_default"))
            connection.execute(text("DROP TABLESPACE small"))
        engine.dispose()


# --- the collector's own disk


@pytest.mark.expects_log(*AWAY)
async def test_a_full_disk_of_the_collector_drops_the_oldest_and_says_so(
    owner_engine: Engine, collector_url: URL, small_disk: Path
) -> None:
    spool = Spool(small_disk)
    spool._segment_bytes = 100_000
    proxy = Proxy(collector_url.port or 0)
    await proxy.start()
    async with collecting(collector_url.set(port=proxy.port), spool) as (source, historian):
        await asyncio.sleep(0.3)
        await proxy.cut()
        async with asyncio.timeout(60):
            while not historian.dropped:
                await asyncio.sleep(0.02)
                # time passes faster than in the test
                for _ in range(50):
                    historian.take([sent(number) for number in range(source.end, source.end + 10)])
                    source.end += 10
        await proxy.start()
    await proxy.stop()
    found = stored_good(owner_engine)
    assert len(found) == len(set(found))
    lost = sorted(set(range(source.end)) - set(found))
    # what was committed as the wire broke counts as lost when it is dropped before the database is asked
    assert 0 < len(lost) <= historian.dropped
    # one stretch, the oldest since the database went away
    assert lost == list(range(lost[0], lost[-1] + 1))
    with owner_engine.connect() as connection:
        asked = text("SELECT tag_id, min(source_time) AS time FROM sample WHERE quality = :lost GROUP BY tag_id")
        marks = {row.tag_id: row.time for row in connection.execute(asked, {"lost": BAD_DATA_LOST})}
    begins = {sent(number).tag_id: sent(number).source_time for number in reversed(lost)}
    assert marks.keys() == begins.keys()
    assert all(marks[tag_id] <= time for tag_id, time in begins.items())


def stored_good(owner: Engine) -> list[int]:
    with owner.connect() as connection:
        found = connection.execute(text("SELECT value FROM sample WHERE quality = 0"))
        return [int(one) for one in found.scalars()]


@pytest.mark.expects_log(*AWAY)
async def test_a_limit_of_the_size_of_files_costs_no_sample(
    owner_engine: Engine, collector_url: URL, tmp_path: Path
) -> None:
    proxy = Proxy(collector_url.port or 0)
    await proxy.start()
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    async with collecting(collector_url.set(port=proxy.port), SpoolPlace(tmp_path).spool()) as (source, historian):
        await proxy.cut()
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
        try:
            await asyncio.sleep(1.0)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        await proxy.start()
    await proxy.stop()
    assert signal.getsignal(signal.SIGXFSZ) == handler
    assert stored(owner_engine) == list(range(source.end))
    assert historian.dropped == 0


# --- the network is cut, or still


@pytest.mark.expects_log(*AWAY)
async def test_a_cut_network_costs_no_sample(owner_engine: Engine, collector_url: URL, tmp_path: Path) -> None:
    proxy, chance = Proxy(collector_url.port or 0), random.Random(3)
    await proxy.start()
    async with collecting(collector_url.set(port=proxy.port), SpoolPlace(tmp_path).spool()) as (source, _):
        for _ in range(6):
            await asyncio.sleep(0.2 + chance.random() / 5)
            await proxy.cut()
            await asyncio.sleep(0.3)
            await proxy.start()
        # answers get lost: what was committed is not known to be
        for _ in range(3):
            await asyncio.sleep(1.0 + chance.random() / 5)
            proxy.hold()
            await asyncio.sleep(0.2)
            await proxy.cut()
            proxy.release()
            await proxy.start()
    await proxy.stop()
    assert stored(owner_engine) == list(range(source.end))
    assert newest(owner_engine) == newest_sent(source.end)


@pytest.mark.expects_log(*AWAY)
async def test_a_still_network_is_called_slow(owner_engine: Engine, collector_url: URL, tmp_path: Path) -> None:
    proxy = Proxy(collector_url.port or 0)
    await proxy.start()
    async with collecting(collector_url.set(port=proxy.port), SpoolPlace(tmp_path).spool()) as (source, historian):
        await asyncio.sleep(0.3)
        proxy.hold()
        await asyncio.sleep(5.0)
        assert "slow" in historian.trouble
        assert historian.oldest_time is not None
        proxy.release()
    await proxy.stop()
    assert stored(owner_engine) == list(range(source.end))
