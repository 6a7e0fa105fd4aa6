"""The whole plant as a program: a plain OPC UA client and a plain MQTT client meet it, and it leaves nothing behind."""

import asyncio
import json
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import psutil
import pytest
from asyncua.client.client import Client
from asyncua.common.node import Node
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.security_policies import SecurityPolicyAes256Sha256RsaPss, SecurityPolicyBasic256Sha256
from asyncua.ua import uaerrors
from cryptography.x509.oid import ExtendedKeyUsageOID
from paho.mqtt.enums import CallbackAPIVersion

from control_room.core.errors import BadOption, LinkLost, WrongCredentials
from control_room.simulator.broker import run_amqtt
from control_room.simulator.children import Child, stop
from control_room.simulator.run import trigger
from tests.simulator.running import RunningPlant, end, simulate, start, wait_for

# what a small plant needs; no pump stands by, and nothing goes wrong by itself
NET3 = ("net3", "--faults", "none")


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlant]:
    running = start(tmp_path_factory.mktemp("plant"), *NET3)
    yield running
    assert "1 municipalities" in end(running)


@asynccontextmanager
async def client_of(plant: RunningPlant, *, is_named: bool = False) -> AsyncIterator[Client]:
    settings = plant.settings("opc_ua")
    client = Client(settings["endpoint"])
    client.session_timeout = 60_000
    if is_named:
        client.set_user(settings["user"])
        client.set_password(settings["password"])
    async with client:
        yield client


async def value_of(node: Node) -> float | None:
    """Return the value when its quality is good."""
    point = await node.read_data_value(raise_on_bad_status=False)
    return point.Value.Value if point.Value and point.StatusCode and point.StatusCode.is_good() else None


async def status_of(node: Node) -> str:
    point = await node.read_data_value(raise_on_bad_status=False)
    return point.StatusCode.name if point.StatusCode else ""


async def until(read: Callable[[], Any], is_right: Callable[[Any], bool], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_right(value := await read()):
        assert time.monotonic() < deadline, value
        await asyncio.sleep(0.05)


async def test_a_plain_client_reads_values_with_units_range_and_time(plant: RunningPlant) -> None:
    async with client_of(plant) as client:
        level = client.get_node(plant.address("TK01.level"))
        await until(lambda: value_of(level), lambda value: value is not None)
        point = await level.read_data_value()
        assert point.SourceTimestamp
        assert point.Value
        assert abs(point.SourceTimestamp.timestamp() - time.time()) < 15
        span = await (await level.get_child("0:EURange")).read_value()
        assert span.Low < point.Value.Value < span.High
        unit = await (await level.get_child("0:EngineeringUnits")).read_value()
        assert (unit.UnitId, unit.DisplayName.Text) == (5067858, "m")  # MTR in UNECE's table
        mode = client.get_node(plant.address("PU01.mode"))
        states = await (await mode.get_child("0:EnumStrings")).read_value()
        assert [state.Text for state in states] == ["hand", "automatic"]
        path = ["2:Plant", "2:Service reservoirs", "2:Hillcrest tank", "2:Hillcrest tank level"]
        assert await client.nodes.objects.get_child(path) == level


async def test_every_tag_of_the_document_is_served(plant: RunningPlant) -> None:
    async with client_of(plant) as client:
        addresses = [tag.address for tag in plant.plants[0].tags if tag.connection == "opc_ua"]
        for address in addresses:
            node = client.get_node(address)
            await until(lambda node=node: status_of(node), lambda status: status == "Good")  # type: ignore[misc]


async def test_a_pump_that_is_stopped_by_a_write_delivers_nothing(plant: RunningPlant) -> None:
    async with client_of(plant, is_named=True) as client:
        command, flow = (client.get_node(plant.address(f"PU02.{name}")) for name in ("command", "flow"))
        await command.write_value(1.0)
        await until(lambda: value_of(flow), lambda value: value is not None and value > 100)
        await command.write_value(0.0)
        await until(lambda: value_of(flow), lambda value: value is not None and abs(value) < 1)
        mode = client.get_node(plant.address("PU02.mode"))
        assert await mode.read_value() == 0
        await mode.write_value(1.0)


async def test_what_a_device_does_not_accept_is_corrected(plant: RunningPlant) -> None:
    async with client_of(plant, is_named=True) as client:
        setpoint = client.get_node(plant.address("PU02.speed_setpoint"))
        await setpoint.write_value(1e6)
        await until(lambda: value_of(setpoint), lambda value: value == 110)
        await setpoint.write_value(100.0)
        with pytest.raises(uaerrors.BadUserAccessDenied):
            await client.get_node(plant.address("TK01.level")).write_value(1.0)


@pytest.mark.expects_log("BadUserAccessDenied", "session timeout")
async def test_nobody_writes_or_calls_without_a_name(plant: RunningPlant) -> None:
    async with client_of(plant) as client:
        with pytest.raises(uaerrors.UaError):
            await client.get_node(plant.address("PU02.command")).write_value(0.0)
    async with client_of(plant) as client:
        with pytest.raises(uaerrors.UaError):
            await client.get_node("ns=2;s=Faults").call_method("2:trigger", "trip", "335", 5.0)
    wrong = Client(plant.settings("opc_ua")["endpoint"])
    wrong.set_user("control-room")
    wrong.set_password("guess")
    with pytest.raises(uaerrors.BadUserAccessDenied):
        await wrong.connect()


@pytest.mark.parametrize("policy", [SecurityPolicyBasic256Sha256, SecurityPolicyAes256Sha256RsaPss])
async def test_it_offers_encryption(plant: RunningPlant, policy: Any, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "own.der"
    use = [ExtendedKeyUsageOID.CLIENT_AUTH]
    await setup_self_signed_certificate(key, certificate, "urn:test", socket.gethostname(), use, {"commonName": "test"})
    settings = plant.settings("opc_ua")
    client = Client(settings["endpoint"])
    client.session_timeout = 60_000
    client.application_uri = "urn:test"
    client.set_user(settings["user"])
    client.set_password(settings["password"])
    await client.set_security(policy, certificate, key)
    async with client:
        assert await client.get_node(plant.address("PU01.mode")).read_value() in (0, 1)


@pytest.mark.expects_log("BadUserAccessDenied", "BadInvalidArgument")
async def test_a_person_triggers_faults(plant: RunningPlant) -> None:
    settings = plant.settings("opc_ua")
    named = settings["endpoint"].replace("://", f"://{settings['user']}:{settings['password']}@")
    await asyncio.to_thread(trigger, named, "bad", "TK02.level", 1.5)
    async with client_of(plant) as client:
        level = client.get_node(plant.address("TK02.level"))
        await until(lambda: status_of(level), lambda name: name == "BadSensorFailure")
        await until(lambda: status_of(level), lambda name: name == "Good")
        link = client.get_node(plant.address("service-reservoirs.link"))
        assert await value_of(link) == 0
        await asyncio.to_thread(trigger, named, "link", "service-reservoirs", 1.5)
        await until(lambda: status_of(level), lambda name: name == "BadNoCommunication")
        await until(lambda: value_of(link), lambda value: value == 1)
        await until(lambda: status_of(level), lambda name: name == "Good")
        await until(lambda: value_of(link), lambda value: value == 0)
    for kind, element, error in (("quake", "335", BadOption), ("trip", "no pump", BadOption)):
        with pytest.raises(error):
            await asyncio.to_thread(trigger, named, kind, element, 3.0)
    with pytest.raises(WrongCredentials):
        await asyncio.to_thread(trigger, settings["endpoint"], "trip", "335", 3.0)
    with pytest.raises(LinkLost):
        await asyncio.to_thread(trigger, "nowhere", "trip", "335", 3.0)


class Listener:
    """A plain MQTT client that keeps every message."""

    def __init__(self, plant: RunningPlant) -> None:
        settings = plant.settings("mqtt")
        self.messages: list[tuple[str, bytes, bool]] = []
        self.client = paho.Client(CallbackAPIVersion.VERSION2)
        self.client.on_message = lambda _, __, one: self.messages.append((one.topic, bytes(one.payload), one.retain))
        self.client.connect(settings["host"], int(settings["port"]))
        self.client.subscribe(f"{settings['base_topic']}/#", 1)

    def __enter__(self) -> "Listener":
        self.client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def values(self, address: str) -> list[float | None]:
        topic, _, path = address.partition("#")
        point, name = path.split(".")
        said = [json.loads(payload) for at, payload, _ in self.messages if at == topic]
        return [one[point][name] for one in said if point in one]


def check_devices(plant: RunningPlant) -> None:
    """Every zone speaks of tags of the document; a lost link makes the broker publish the will; it comes back."""
    addresses = {tag.address for tag in plant.plants[0].tags if tag.connection == "mqtt"}
    topics = {address.partition("#")[0] for address in addresses if "#" in address}
    assert len(topics) == 5
    assert addresses >= {topic.replace("/data", "/status") for topic in topics}
    settings = plant.settings("opc_ua")
    named = settings["endpoint"].replace("://", f"://{settings['user']}:{settings['password']}@")
    with Listener(plant) as listener:
        wait_for(lambda: topics <= {topic for topic, *_ in listener.messages})
        topic, content = next((at, json.loads(text)) for at, text, _ in listener.messages if at in topics)
        assert content.pop("q") == 192
        assert content.pop("t").endswith("Z")
        said = {f"{topic}#{point}.{name}" for point, values in content.items() for name in values}
        assert said
        assert said <= addresses
        zone, status = topic.split("/")[1], topic.replace("/data", "/status")
        wait_for(lambda: (status, b"online", True) in listener.messages)
        trigger(named, "link", zone, 2.0)
        wait_for(lambda: (status, b"offline", False) in listener.messages)
        wait_for(lambda: (status, b"online", False) in listener.messages)
        trigger(named, "bad", min(said).partition("#")[2], 5.0)
        wait_for(lambda: None in listener.values(min(said)))


@pytest.mark.mosquitto
def test_devices_speak_to_mosquitto(plant: RunningPlant) -> None:
    assert any("mosquitto" in child.name() for child in plant.children())
    check_devices(plant)


def test_devices_speak_to_a_broker_that_runs_already_such_as_the_embedded_one(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    broker = Child("broker", run_amqtt, port)
    try:
        assert broker.expect(lambda: False) == ("started", None)
        running = start(tmp_path, *NET3, "--broker-port", str(port))
        children = running.children()
        assert not any("mosquitto" in child.name() for child in children)
        try:
            check_devices(running)
        finally:
            # the largest one calculates
            max(children, key=lambda child: child.memory_info().rss).kill()
            said = running.process.communicate(timeout=10)[1]
    finally:
        stop([broker])
    # a child that dies ends the plant with a sentence
    assert running.process.returncode == 1
    assert "The plant ended unexpectedly" in said
    assert "Traceback" not in said
    _, alive = psutil.wait_procs(children, timeout=3)
    assert alive == []


def test_a_killed_simulator_leaves_nothing_behind(tmp_path: Path) -> None:
    running = start(tmp_path, *NET3)
    children = running.children()
    assert len(children) >= 4
    running.process.kill()
    running.process.communicate()
    _, alive = psutil.wait_procs(children, timeout=3)
    assert alive == []


def test_it_can_be_interrupted_while_it_starts(tmp_path: Path) -> None:
    process = simulate(tmp_path, *NET3)
    parent = psutil.Process(process.pid)
    wait_for(lambda: len(parent.children()) >= 4)
    children = parent.children(recursive=True)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=10)[1]
    assert time.monotonic() - began < 3
    assert process.returncode == 0, said
    assert "Traceback" not in said
    _, alive = psutil.wait_procs(children, timeout=3)
    assert alive == []


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    sleeper = psutil.Popen(["sleep", "60"])
    process = simulate(tmp_path, *NET3, "--parent-pid", str(sleeper.pid))
    wait_for(lambda: len(psutil.Process(process.pid).children()) >= 3)
    sleeper.kill()
    sleeper.wait()
    assert "Traceback" not in process.communicate(timeout=10)[1]
    assert process.returncode == 0


def test_what_cannot_start_says_why(tmp_path: Path) -> None:
    broken = tmp_path / "broken.inp"
    broken.write_text("[JUNCTIONS]\n A B\n", encoding="utf-8")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = str(nobody.getsockname()[1])
        cases = {
            ("atlantis",): "There is no network 'atlantis'",
            (str(broken),): "broken.inp is no usable network: Error 2",
            ("net3", "net3"): "A network is named twice",
            ("net3", "--broker-port", port): f"No MQTT broker answers on port {port}",
        }
        processes = {words: simulate(tmp_path, *arguments) for arguments, words in cases.items()}
        for words, process in processes.items():
            said = process.communicate(timeout=40)[1]
            assert words in said
            assert "Traceback" not in said
            assert process.returncode == 1
