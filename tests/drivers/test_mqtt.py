"""The MQTT driver against real brokers, and its payloads against anything that may come."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion

from control_room.core.errors import LinkLost, WrongCredentials
from control_room.core.options import check
from control_room.core.ports import LINK_IS_LOST, LINK_IS_UP, Item
from control_room.core.samples import BAD_CONFIGURATION, GOOD, UNCERTAIN, Grade
from control_room.simulator.broker import run_amqtt
from drivers.mqtt import SPEC, MqttDriver, Readings, _Message, is_topic
from tests.drivers.conftest import RememberingSink
from tests.servers import free_port, mosquitto, wait_for_port

ITEMS = [Item(1, "town/a/data#level"), Item(2, "town/a/data#deep.flow"), Item(3, "town/plain"), Item(4, "")]


def driver(port: int, items: list[Item] | None = None, **settings: Any) -> MqttDriver:
    given = {"host": "127.0.0.1", "port": port, "base_topic": "town", "timeout_s": 2.0}
    return MqttDriver(check(SPEC.fields, {**given, **settings}), ITEMS[:3] if items is None else items)


@asynccontextmanager
async def running(one: MqttDriver, sink: RememberingSink) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(one.run(sink))
    try:
        up = asyncio.create_task(sink.until(lambda: sink.ups))
        await asyncio.wait([task, up], return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if task.done():
            await task
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Device:
    """A plain paho client."""

    def __init__(self, port: int) -> None:
        self.heard: list[paho.MQTTMessage] = []
        self.client = paho.Client(CallbackAPIVersion.VERSION2)
        self.client.on_message = lambda _, __, message: self.heard.append(message)
        connected, self._subscribed = threading.Event(), threading.Event()
        self.client.on_connect = lambda *_: connected.set()
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert connected.wait(5)

    def listen(self, topic: str) -> None:
        self.client.subscribe(topic, 1)
        assert self._subscribed.wait(5)

    def say(self, topic: str, payload: Any, *, retain: bool = False) -> None:
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.client.publish(topic, raw, qos=1, retain=retain).wait_for_publish(5)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.mark.mosquitto
async def test_values_arrive_with_time_and_quality(mosquitto_path: Path, tmp_path: Path, sink: RememberingSink) -> None:
    port = free_port()
    with mosquitto(mosquitto_path, port, tmp_path):
        async with running(driver(port), sink):
            device = Device(port)
            device.say("town/a/data", {"t": "2026-03-01T06:00:00Z", "q": 64, "level": 1.5, "deep": {"flow": 7}})
            device.say("town/plain", 3.25)
            await sink.until(lambda: len(sink.samples) == 3)
            device.close()
    level, flow, plain = sink.samples
    assert (level.tag_id, level.value, level.quality) == (1, 1.5, UNCERTAIN)
    assert level.source_time == datetime(2026, 3, 1, 6, tzinfo=UTC)
    assert (flow.value, plain.value, plain.quality) == (7.0, 3.25, GOOD)
    assert plain.source_time == plain.arrival_time


@pytest.mark.mosquitto
async def test_what_the_broker_kept_is_as_old_as_it_says_and_stale_when_it_says_nothing(
    mosquitto_path: Path, tmp_path: Path, sink: RememberingSink
) -> None:
    port = free_port()
    with mosquitto(mosquitto_path, port, tmp_path):
        device = Device(port)
        device.say("town/a/data", {"t": "2026-03-01T06:00:00Z", "level": 1.5}, retain=True)
        device.say("town/plain", 3.25, retain=True)
        async with running(driver(port), sink):
            await sink.until(lambda: len(sink.samples) == 2)
            device.say("town/plain", 3.5, retain=True)
            await sink.until(lambda: len(sink.samples) == 3)
        device.close()
    dated, undated = sorted(sink.samples[:2], key=lambda one: one.tag_id)
    assert (dated.grade, dated.source_time) == (Grade.GOOD, datetime(2026, 3, 1, 6, tzinfo=UTC))
    assert (undated.value, undated.grade) == (3.25, Grade.STALE)
    assert (sink.samples[2].value, sink.samples[2].grade) == (3.5, Grade.GOOD)


@pytest.mark.mosquitto
async def test_a_device_that_goes_offline_turns_stale(
    mosquitto_path: Path, tmp_path: Path, sink: RememberingSink
) -> None:
    port = free_port()
    with mosquitto(mosquitto_path, port, tmp_path):
        async with running(driver(port), sink):
            device = Device(port)
            device.say("town/a/data", {"level": 1.5})
            device.say("town/a/status", b"offline")
            await sink.until(lambda: len(sink.samples) == 3)
            device.close()
    assert [(one.tag_id, one.value, one.grade) for one in sink.samples[1:]] == [
        (1, 1.5, Grade.STALE),
        (2, None, Grade.BAD),
    ]


@pytest.mark.mosquitto
@pytest.mark.expects_log("not understood")
async def test_rubbish_makes_its_tags_bad_until_it_is_good_again(
    mosquitto_path: Path, tmp_path: Path, sink: RememberingSink
) -> None:
    port = free_port()
    with mosquitto(mosquitto_path, port, tmp_path):
        async with running(driver(port), sink):
            device = Device(port)
            for payload in (b"{broken", b"\xff\xfe", {"q": "fine", "level": 1}, {"t": "yesterday", "level": 1}):
                device.say("town/a/data", payload)
            device.say("town/a/data", {"level": float("nan"), "deep": {"flow": [1]}})
            device.say("town/a/data", {"level": 2})
            await sink.until(lambda: sink.samples and sink.samples[-1].value == 2.0)
            device.close()
    assert all(one.grade is Grade.BAD and one.value is None for one in sink.samples[:-1])


@pytest.mark.mosquitto
async def test_a_killed_broker_is_a_lost_link(mosquitto_path: Path, tmp_path: Path, sink: RememberingSink) -> None:
    port = free_port()
    with mosquitto(mosquitto_path, port, tmp_path) as broker:
        async with running(driver(port), sink) as task:
            broker.kill()
            async with asyncio.timeout(5):
                with pytest.raises(LinkLost):
                    await task


@pytest.mark.mosquitto
@pytest.mark.parametrize("protocol", ["auto", "5", "3.1.1"])
async def test_who_is_refused_reads_it(
    mosquitto_path: Path, tmp_path: Path, sink: RememberingSink, protocol: str
) -> None:
    port = free_port()
    with mosquitto(mosquitto_path, port, tmp_path, "allow_anonymous false"), pytest.raises(WrongCredentials):
        await driver(port, user="ada", password="wrong", protocol=protocol).run(sink)


@pytest.mark.mosquitto
async def test_writing_reaches_the_device(mosquitto_path: Path, tmp_path: Path, sink: RememberingSink) -> None:
    port = free_port()
    with mosquitto(mosquitto_path, port, tmp_path):
        device = Device(port)
        device.listen("town/a/command")
        one = driver(port)
        async with running(one, sink):
            await one.write("town/a/data#level", 4.5)
            async with asyncio.timeout(5):
                while not device.heard:
                    await asyncio.sleep(0.01)
        device.close()
    [command] = device.heard
    content = json.loads(command.payload)
    assert content.pop("level") == 4.5
    assert datetime.fromisoformat(content.pop("t")).utcoffset() is not None
    assert (content, command.qos, command.retain) == ({}, 1, False)


async def test_nobody_there_is_a_lost_link_with_advice(sink: RememberingSink) -> None:
    with pytest.raises(LinkLost) as fault:
        await driver(free_port()).run(sink)
    assert fault.value.advice


@pytest.mark.filterwarnings("ignore")
async def test_an_older_broker_is_spoken_to_in_its_own_protocol(sink: RememberingSink) -> None:
    import multiprocessing

    port = free_port()
    ours, theirs = multiprocessing.Pipe()
    broker = multiprocessing.get_context("spawn").Process(target=run_amqtt, args=(port, theirs), daemon=True)
    broker.start()
    theirs.close()
    wait_for_port(port)
    assert await driver(port).probe() == "The broker answers and speaks MQTT 3.1.1."
    async with running(driver(port), sink):
        device = Device(port)
        device.say("town/plain", 3.25)
        await sink.until(lambda: sink.samples)
        device.close()
    ours.close()
    broker.join(5)
    assert broker.exitcode == 0


def readings(sink: RememberingSink) -> Readings:
    return Readings(ITEMS, sink)


@pytest.mark.parametrize(
    ("topic", "is_one"),
    [
        ("town/a", True),
        ("ä/ß", True),
        ("t" * 65_535, True),
        ("", False),
        ("town/+", False),
        ("town/#", False),
        ("town/\0", False),
        ("ä" * 32_768, False),
        ("\ud800", False),
    ],
)
def test_what_a_broker_takes_as_a_topic(topic: str, is_one: bool) -> None:
    assert is_topic(topic) == is_one


async def test_who_is_cancelled_before_the_socket_is_there_leaves_no_thread(
    mosquitto_path: Path, tmp_path: Path, sink: RememberingSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_connect, connect = threading.Event(), paho.Client.connect

    def slowly(*arguments: Any, **named: Any) -> Any:
        may_connect.wait(5)
        return connect(*arguments, **named)

    monkeypatch.setattr(paho.Client, "connect", slowly)
    port = free_port()
    with mosquitto(mosquitto_path, port, tmp_path):
        task = asyncio.create_task(driver(port).run(sink))
        while not (threads := [one for one in threading.enumerate() if one.name.startswith("mqtt-")]):
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.sleep(0.1)
        may_connect.set()
        await asyncio.wait([task])
        for one in threads:
            await asyncio.to_thread(one.join, 5)
        assert not any(one.is_alive() for one in threads)


async def test_an_item_without_a_topic_looks_bad(sink: RememberingSink) -> None:
    readings(sink)
    assert [(one.tag_id, one.quality) for one in sink.samples] == [(4, BAD_CONFIGURATION)]


LINK = Item(5, "town/a/status")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (b"online", [(5, LINK_IS_UP, Grade.GOOD)]),
        (b" Offline\n", [(5, LINK_IS_LOST, Grade.GOOD), (1, None, Grade.BAD)]),
        # a device may have a number at that topic
        (b"3", [(5, 3.0, Grade.STALE)]),
        (b'{"value": 3}', [(5, None, Grade.BAD)]),
    ],
)
def test_a_status_topic_tells_how_the_link_stands(word: bytes, said: list[tuple[int, float | None, Grade]]) -> None:
    sink: Any = RememberingSink()
    parsed = Readings([ITEMS[0], LINK], sink)
    parsed.take([_Message("town/a/status", word, datetime.now(UTC), is_retained=True)])
    assert [(one.tag_id, one.value, one.grade) for one in sink.samples] == said


def test_a_data_topic_does_not_tell_how_a_link_stands() -> None:
    sink: Any = RememberingSink()
    parsed = Readings([Item(1, "town/a/status#state"), ITEMS[2]], sink)
    parsed.take([_Message("town/a/status", b'{"state": 2}', datetime.now(UTC))])
    assert [(one.tag_id, one.value, one.grade) for one in sink.samples] == [(1, 2.0, Grade.GOOD)]


@pytest.mark.mosquitto
async def test_who_is_offline_when_the_link_comes_up_is_known_to_be(
    mosquitto_path: Path, tmp_path: Path, sink: RememberingSink
) -> None:
    port = free_port()
    with mosquitto(mosquitto_path, port, tmp_path):
        device = Device(port)
        device.say("town/a/status", b"offline", retain=True)
        async with running(driver(port, [LINK]), sink):
            await sink.until(lambda: sink.samples)
            device.say("town/a/status", b"online", retain=True)
            await sink.until(lambda: len(sink.samples) == 2)
        device.close()
    assert [(one.value, one.quality) for one in sink.samples] == [(LINK_IS_LOST, GOOD), (LINK_IS_UP, GOOD)]


async def test_very_many_topics_become_one_wildcard(sink: RememberingSink) -> None:
    many = Readings([Item(n, f"town/d{n}/data#x") for n in range(300)], sink)
    assert many.topics("town") == ["town/#"]
    assert len(many.topics("")) == 600


@pytest.mark.expects_log("not understood")
@given(
    payload=st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["t", "q", "level", "deep", "flow"]), x),
    ).map(lambda x: json.dumps(x).encode())
)
def test_no_payload_raises_or_makes_a_number_of_what_is_none(payload: bytes) -> None:
    class Sink:
        def publish(self, samples: Any) -> None:
            self.samples = list(samples)

    sink: Any = Sink()
    parsed = Readings(ITEMS[:3], sink)
    sink.samples = []
    parsed.take([_Message("town/a/data", payload, datetime.now(UTC))])
    for one in sink.samples:
        if one.grade is Grade.GOOD:
            content = json.loads(payload)
            found = content["level"] if one.tag_id == 1 else content["deep"]["flow"]
            assert float(found) == one.value
