"""Ingest: values/s from an OPC UA server and from MQTT to committed rows, CPU per 1,000 values and loss.

Beside the collector stands the bare way in the same run: asyncua's own subscription iterator, or paho's callback, and one
`INSERT` with executemany for what has come in 200 ms, without alarms and without newest values.
"""

import asyncio
import json
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import psutil
import psycopg
from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.subscription import DataChangeEvent
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import Engine, text

from control_room.simulator.broker import find_mosquitto
from db.embedded import EmbeddedServer, open_embedded
from db.engine import make_engine
from db.participants import Participants
from db.schema import upgrade
from db.tag_store import import_plant
from tests.benchmarks.load import Load, load_plant, mqtt_load, opc_ua_load, running
from tests.servers import free_port, mosquitto

TAGS = 2_500
RATES = (1_000, 5_000)
SETTLE_S = 3.0


def run(seconds: float, rates: list[int] | None) -> list[dict[str, Any]]:
    """Return a row for each protocol, rate and way."""
    rows = []
    with server() as running_server:
        for rate in rates or RATES:
            for protocol in ("opc_ua", "mqtt"):
                for way, measure in (("collector", _collector), ("bare", _bare)):
                    with plant(protocol, rate) as (load, port):
                        rows.append(
                            {
                                "protocol": protocol,
                                "rate": rate,
                                "way": way,
                                **measure(running_server, load, protocol, port, seconds),
                            }
                        )
    for row in rows:
        bare = next(
            one
            for one in rows
            if one["way"] == "bare" and (one["protocol"], one["rate"]) == (row["protocol"], row["rate"])
        )
        row["cpu_ratio_to_bare"] = row["cpu_ms_per_1000"] / bare["cpu_ms_per_1000"]
    return rows


@contextmanager
def server() -> Iterator[EmbeddedServer]:
    """Run a database of our own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        found = open_embedded(Path(name), lambda _: None)
        # a collector that is its last user would stop it
        Participants(Path(name)).join("seat")
        upgrade(found.url("postgres"), found.credentials.passwords())
        try:
            yield found
        finally:
            found.stop()


@contextmanager
def plant(protocol: str, rate: int) -> Iterator[tuple[Load, int]]:
    """Run a plant of TAGS tags that changes `rate` values a second."""
    port = free_port()
    if protocol == "opc_ua":
        with running(opc_ua_load, port, TAGS, rate) as load:
            yield load, port
        return
    program = find_mosquitto()
    assert program, "the benchmark needs Mosquitto"
    lines = "allow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0"
    with (
        tempfile.TemporaryDirectory() as name,
        mosquitto(Path(program), port, Path(name), lines),
        running(mqtt_load, port, TAGS, rate) as load,
    ):
        yield load, port


class CpuClock:
    """CPU seconds of processes, children included, since the start."""

    def __init__(self, processes: list[psutil.Process]) -> None:
        self._processes = processes
        self._before = self._sum()

    def _sum(self) -> float:
        total = 0.0
        for process in self._processes:
            for one in (process, *process.children(recursive=True)):
                times = one.cpu_times()
                total += times.user + times.system
        return total

    def seconds(self) -> float:
        """Return what was used."""
        return self._sum() - self._before


def postmaster(found: EmbeddedServer) -> psutil.Process:
    """Return the database's process."""
    return psutil.Process(int((found.data_folder / "postmaster.pid").read_text().splitlines()[0]))


@contextmanager
def collector(found: EmbeddedServer) -> Iterator[psutil.Process]:
    """Run a collector process."""
    folder = found.data_folder.parent
    command = [sys.executable, "-m", "control_room", "collect", "--data-folder", str(folder)]
    with subprocess.Popen(command) as process:
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(20)


def wait_for_values(engine: Engine, tags: int, timeout_s: float = 60) -> None:
    """Return when every tag has a good value."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with engine.connect() as connection:
            if (connection.execute(text("SELECT count(*) FROM latest WHERE quality = 0")).scalar() or 0) >= tags:
                return
        time.sleep(0.1)
    raise TimeoutError("not every tag has a value")


def prepare(found: EmbeddedServer, protocol: str, port: int) -> Engine:
    """Empty the tables and import the load's document."""
    engine = make_engine(found.url("postgres"), "benchmark")
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE sample, latest"))
        connection.execute(text("UPDATE tag SET is_retired = true"))
        connection.execute(text("UPDATE connection SET is_enabled = false"))
        import_plant(connection, load_plant(protocol, port, TAGS))
        connection.execute(
            text(
                "UPDATE connection SET is_enabled = true"
                " WHERE municipality_id = (SELECT id FROM municipality WHERE key = :key)"
            ),
            {"key": f"load-{protocol}"},
        )
    return engine


def _collector(found: EmbeddedServer, load: Load, protocol: str, port: int, seconds: float) -> dict[str, Any]:
    engine = prepare(found, protocol, port)
    with collector(found) as process:
        if protocol == "opc_ua":
            wait_for_values(engine, TAGS)
        else:
            time.sleep(5)
        with engine.connect() as connection:
            before = connection.execute(text("SELECT count(*) FROM sample WHERE quality = 0")).scalar() or 0
        own, database = CpuClock([process]), CpuClock([postmaster(found)])
        load.start()
        time.sleep(seconds)
        own_s, database_s = own.seconds(), database.seconds()
        sent, _ = load.stop()
        time.sleep(SETTLE_S)
    with engine.connect() as connection:
        stored = (connection.execute(text("SELECT count(*) FROM sample WHERE quality = 0")).scalar() or 0) - before
    return _row(sent, stored, seconds, own_s, database_s)


def _row(sent: int, stored: int, seconds: float, own_s: float, database_s: float) -> dict[str, Any]:
    return {
        "stored_per_s": stored / seconds,
        "lost": sent - stored,
        "cpu_ms_per_1000": 1e6 * (own_s + database_s) / max(1, sent),
        "of_it_database": 1e6 * database_s / max(1, sent),
    }


def _bare(found: EmbeddedServer, load: Load, protocol: str, port: int, seconds: float) -> dict[str, Any]:
    url = found.url("postgres")
    plain = psycopg.connect(host=url.host, port=url.port, user=url.username, password=url.password, dbname=url.database)
    plain.execute("DROP TABLE IF EXISTS bare")
    plain.execute("CREATE TABLE bare (tag_id int, source_time timestamptz, value float8, quality int)")
    plain.execute("CREATE INDEX ON bare (tag_id, source_time)")
    plain.commit()
    act: Callable[..., Any] = _bare_opc_ua if protocol == "opc_ua" else _bare_mqtt
    own, database = CpuClock([psutil.Process()]), CpuClock([postmaster(found)])
    sent = asyncio.run(act(plain, load, port, seconds))
    own_s, database_s = own.seconds(), database.seconds()
    stored = plain.execute("SELECT count(*) FROM bare WHERE value > 0").fetchone()
    plain.close()
    return _row(sent, int(stored[0]) if stored else 0, seconds, own_s, database_s)


def _insert(plain: "psycopg.Connection[Any]", rows: list[tuple[Any, ...]]) -> None:
    with plain.cursor() as cursor:
        cursor.executemany("INSERT INTO bare VALUES (%s, %s, %s, %s)", rows)
    plain.commit()
    rows.clear()


async def _bare_opc_ua(plain: "psycopg.Connection[Any]", load: Load, port: int, seconds: float) -> int:
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    rows: list[tuple[Any, ...]] = []
    async with Client(f"opc.tcp://127.0.0.1:{port}/load") as client:
        subscription = await client.create_subscription(100, None, queue_maxsize=100_000)
        nodes = [client.get_node(f"ns=2;s=v{n}") for n in range(TAGS)]
        ids = {node.nodeid: n for n, node in enumerate(nodes)}
        await subscription.subscribe_data_change(nodes, queuesize=10, sampling_interval=ua.Double(20))
        load.start()
        ends, flush = time.monotonic() + seconds + SETTLE_S, time.monotonic()
        sent = 0
        while time.monotonic() < ends:
            if not sent and time.monotonic() > ends - SETTLE_S:
                sent, _ = load.stop()
            event = await subscription.next_event(timeout=0.1)
            if isinstance(event, DataChangeEvent):
                value = event.data.monitored_item.Value
                rows.append((ids[event.node.nodeid], value.SourceTimestamp, value.Value.Value, 0))
            if rows and time.monotonic() > flush + 0.2:
                await asyncio.to_thread(_insert, plain, rows)
                flush = time.monotonic()
        _insert(plain, rows)
    return sent


async def _bare_mqtt(plain: "psycopg.Connection[Any]", load: Load, port: int, seconds: float) -> int:
    arrived: list[tuple[Any, ...]] = []

    def on_message(_: Any, __: Any, message: Any) -> None:
        content = json.loads(message.payload)
        time_ = datetime.fromtimestamp(content["t"] / 1_000, UTC)
        arrived.append((int(message.topic.split("/")[1][1:]), time_, content["value"], 0))

    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_message = on_message
    client.connect("127.0.0.1", port)
    client.subscribe("load/#", 1)
    client.loop_start()
    await asyncio.sleep(0.5)
    load.start()
    ends, sent = time.monotonic() + seconds + SETTLE_S, 0
    while time.monotonic() < ends:
        await asyncio.sleep(0.2)
        if not sent and time.monotonic() > ends - SETTLE_S:
            sent, _ = load.stop()
        rows, arrived[:] = arrived[:], []
        if rows:
            await asyncio.to_thread(_insert, plain, rows)
    client.loop_stop()
    return sent
