"""What every driver keeps to, whichever protocol it speaks: each against a real other side in a process of its own.

A new driver needs a rig in RIGS: how its other side is run, what to connect to there, and how a value there changes.
"""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import paho.mqtt.client as paho
import pytest
from asyncua import ua
from asyncua.client.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from control_room.core.errors import LinkLost, Refused
from control_room.core.options import check
from control_room.core.ports import Driver, Item
from control_room.core.samples import Grade
from drivers.find import find_drivers
from system_packages import find_mosquitto
from tests.drivers.conftest import RememberingSink
from tests.fakes import START
from tests.servers import Process, free_port, mosquitto, opc_ua_server

TAG = 7
LOST_WITHIN_S = 5.0
CANCELLED_WITHIN_S = 1.0
# paho's thread looks once in a second whether it should end
CONNECTING_CANCELLED_WITHIN_S = 3.0
Say = Callable[[float, datetime], Awaitable[None]]


class Rig(Protocol):
    """The other side of one protocol: `address` is known there; nobody can write to the `unknown` ones."""

    marks: tuple[pytest.MarkDecorator, ...]
    address: str
    unknown: tuple[str, ...]

    def settings(self, port: int) -> dict[str, Any]:
        """Return what a driver needs to reach the other side on the port."""

    def serve(self, port: int, folder: Path) -> AbstractContextManager[Process]:
        """Run the other side; `folder` is for its files."""

    def device(self, port: int) -> AbstractAsyncContextManager[Say]:
        """Return what gives `address` a value that was measured at a time."""


class OpcUaRig(Rig):
    """An OPC UA server."""

    marks = ()
    address = "ns=2;s=v1"
    unknown = ("ns=2;s=missing", "ns=9;i=4", "no node id at all")

    def settings(self, port: int) -> dict[str, Any]:
        return {"endpoint": _endpoint(port), "publish_ms": 50.0, "sampling_ms": 0.0, "timeout_s": 2.0}

    def serve(self, port: int, folder: Path) -> AbstractContextManager[Process]:
        return opc_ua_server(port)

    @asynccontextmanager
    async def device(self, port: int) -> AsyncIterator[Say]:
        async with Client(_endpoint(port)) as client:
            node = client.get_node(self.address)

            async def say(value: float, time: datetime) -> None:
                source_time = ua.DateTime.fromtimestamp(time.timestamp(), UTC)
                await node.write_value(
                    ua.DataValue(ua.Variant(value, ua.VariantType.Double), SourceTimestamp=source_time)
                )

            yield say


def _endpoint(port: int) -> str:
    return f"opc.tcp://127.0.0.1:{port}/test"


class MqttRig(Rig):
    """An MQTT broker."""

    marks = (pytest.mark.mosquitto,)
    address = "town/a/data#level"
    unknown = ("town/nobody/data#level", "town/+/data#level", "town/\0/data#level", "")

    def settings(self, port: int) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": port, "base_topic": "town", "timeout_s": 2.0}

    def serve(self, port: int, folder: Path) -> AbstractContextManager[Process]:
        program = find_mosquitto()
        assert program is not None
        return mosquitto(program, port, folder)

    @asynccontextmanager
    async def device(self, port: int) -> AsyncIterator[Say]:
        client, is_connected = paho.Client(CallbackAPIVersion.VERSION2), threading.Event()
        client.on_connect = lambda *_: is_connected.set()
        client.connect("127.0.0.1", port)
        client.loop_start()
        assert is_connected.wait(5)

        async def say(value: float, time: datetime) -> None:
            payload = json.dumps({"level": value, "t": time.isoformat()})
            client.publish("town/a/data", payload, qos=1).wait_for_publish(5)

        yield say
        client.disconnect()
        client.loop_stop()


RIGS: Mapping[str, Rig] = {"opc_ua": OpcUaRig(), "mqtt": MqttRig()}


def rig_of(key: str) -> Rig:
    """Return the driver's rig; fail the test without one."""
    if key not in RIGS:
        pytest.fail(
            f"Driver '{key}' has no contract rig: add one to RIGS in tests/contracts/test_drivers.py.", pytrace=False
        )
    return RIGS[key]


def marks_of(key: str) -> tuple[pytest.MarkDecorator, ...]:
    return RIGS[key].marks if key in RIGS else ()


@dataclass(frozen=True, slots=True)
class OtherSide:
    """A running other side of one driver."""

    key: str
    port: int
    process: Process

    def driver(self) -> Driver:
        return driver_to(self.key, self.port)

    def device(self) -> AbstractAsyncContextManager[Say]:
        return rig_of(self.key).device(self.port)


def driver_to(key: str, port: int) -> Driver:
    """Return a driver of one item, which the other side on the port knows."""
    spec, rig = find_drivers()[key], rig_of(key)
    return spec.make(check(spec.fields, rig.settings(port)), [Item(TAG, rig.address)])


@pytest.fixture(params=[pytest.param(key, marks=marks_of(key)) for key in sorted(find_drivers())])
def key(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def other_side(key: str, tmp_path: Path) -> Iterator[OtherSide]:
    port = free_port()
    with rig_of(key).serve(port, tmp_path) as process:
        yield OtherSide(key, port, process)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Return a port that refuses, and that nobody else can take meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


@asynccontextmanager
async def running(driver: Driver, sink: RememberingSink) -> AsyncIterator["asyncio.Task[None]"]:
    """Run the driver; the body begins when its link is up."""
    task = asyncio.create_task(driver.run(sink))
    up = asyncio.create_task(sink.until(lambda: sink.ups))
    try:
        await asyncio.wait([task, up], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
        await up
        yield task
    finally:
        for one in (up, task):
            one.cancel()
        await asyncio.gather(up, task, return_exceptions=True)


def unknown_addresses() -> Iterator[Any]:
    """Yield a case for every driver and address that it must not write to."""
    for key in sorted(find_drivers()):
        for address in RIGS[key].unknown if key in RIGS else ("",):
            yield pytest.param(key, address, marks=marks_of(key))


@asynccontextmanager
async def silent_server() -> AsyncIterator[tuple[int, asyncio.Event]]:
    """Return the port of what takes connections and never says a word, and what is set when one has come."""
    has_come = asyncio.Event()
    writers: list[asyncio.StreamWriter] = []

    def take(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        has_come.set()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], has_come
        for writer in writers:
            writer.close()


def test_every_driver_has_a_rig_and_every_rig_a_driver() -> None:
    for key in find_drivers():
        rig_of(key)
    assert RIGS.keys() <= find_drivers().keys()


def test_a_driver_without_a_rig_fails_with_clear_words() -> None:
    with pytest.raises(
        pytest.fail.Exception, match=r"'pigeon' has no contract rig: add one to RIGS in tests/contracts"
    ):
        rig_of("pigeon")


async def test_whatever_changes_once_the_link_is_up_arrives_good_and_with_its_time(
    other_side: OtherSide, sink: RememberingSink
) -> None:
    said = [(number + 0.5, START + timedelta(seconds=number)) for number in range(10)]
    begin = datetime.now(UTC)
    async with running(other_side.driver(), sink), other_side.device() as say:
        for value, time in said:
            await say(value, time)
        await sink.until(lambda: (one := sink.newest(TAG)) is not None and one.value == said[-1][0])
    # some protocols first bring the value that stood there before
    changes = sink.samples[-len(said) :]
    assert [(one.value, one.source_time) for one in changes] == said
    assert {(one.tag_id, one.grade, one.source_time.utcoffset()) for one in changes} == {
        (TAG, Grade.GOOD, timedelta(0))
    }
    assert all(begin <= one.arrival_time <= datetime.now(UTC) for one in sink.samples)
    assert (sink.ups, sink.dropped) == (1, 0)


async def test_a_broken_link_is_lost_with_advice(other_side: OtherSide, sink: RememberingSink) -> None:
    driver = other_side.driver()
    async with running(driver, sink) as task:
        other_side.process.kill()
        with pytest.raises(LinkLost) as fault:
            async with asyncio.timeout(LOST_WITHIN_S):
                await task
    assert fault.value.advice
    assert sink.ups == 1
    with pytest.raises(LinkLost):
        await driver.write(rig_of(other_side.key).address, 1.0)


async def test_a_refused_endpoint_is_a_lost_link_with_advice(key: str, closed_port: int, sink: RememberingSink) -> None:
    for attempt in (driver_to(key, closed_port).run(sink), driver_to(key, closed_port).probe()):
        with pytest.raises(LinkLost) as fault:
            async with asyncio.timeout(LOST_WITHIN_S):
                await attempt
        assert fault.value.advice
    assert (sink.ups, sink.samples) == (0, [])


async def test_a_driver_that_is_cancelled_ends_within_a_second(other_side: OtherSide, sink: RememberingSink) -> None:
    async with running(other_side.driver(), sink) as task:
        task.cancel()
        await asyncio.wait([task], timeout=CANCELLED_WITHIN_S)
        assert task.cancelled()


@pytest.mark.parametrize("key", sorted(find_drivers()), indirect=True)
async def test_a_driver_that_is_cancelled_while_it_connects_ends_soon(key: str, sink: RememberingSink) -> None:
    async with silent_server() as (port, has_come):
        task = asyncio.create_task(driver_to(key, port).run(sink))
        async with asyncio.timeout(LOST_WITHIN_S):
            await has_come.wait()
        task.cancel()
        await asyncio.wait([task], timeout=CONNECTING_CANCELLED_WITHIN_S)
        is_in_time = task.cancelled()
        await asyncio.wait([task])
    assert is_in_time
    assert sink.ups == 0


@pytest.mark.parametrize(("key", "address"), list(unknown_addresses()), indirect=["key"])
async def test_writing_to_an_unknown_address_is_refused(
    other_side: OtherSide, address: str, sink: RememberingSink
) -> None:
    driver = other_side.driver()
    async with running(driver, sink) as task:
        with pytest.raises(Refused):
            await driver.write(address, 1.0)
        # a mistaken address must not cost the link
        assert not task.done()


async def test_writing_without_a_link_is_a_lost_link_with_advice(key: str, closed_port: int) -> None:
    with pytest.raises(LinkLost) as fault:
        await driver_to(key, closed_port).write(rig_of(key).address, 1.0)
    assert fault.value.advice


async def test_what_answers_a_probe_is_said_in_a_sentence(other_side: OtherSide) -> None:
    assert (await other_side.driver().probe()).endswith(".")
