"""The demo's plant as a whole: one process calculates, one per municipality serves OPC UA, one plays the MQTT devices.

The parent only passes on. Every child ends when its pipe does, so that nothing stays behind however the parent ends.
"""

import json
import multiprocessing
import queue
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psutil

from control_room.core.errors import BadNetworkFile, BadOption, CannotStart, LinkLost
from control_room.core.plant import Plant, PlantConnection, as_document
from control_room.simulator.broker import find_mosquitto, run_amqtt, run_mosquitto, wait_until_open
from control_room.simulator.faults import FaultKind
from control_room.simulator.mqtt_devices import DevicesOrder, address_of, run_devices
from control_room.simulator.opc_ua_server import ServerOrder, node_address, run_server
from control_room.simulator.plant_model import MQTT, OPC_UA, PlantModel
from control_room.simulator.plant_process import PlantOrder, run_plant

Report = Callable[[str], None]

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 3.0
PARENT_CHECK_S = 0.5
# reports that may wait for a consumer that does not keep up; then the oldest are dropped
WAITING = 100


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """What to simulate; `speed` is plant seconds per second, `opc_ua_port` the first port to try (0: any)."""

    municipalities: tuple[str, ...]
    speed: float
    seed: int
    document: Path | None
    broker_port: int | None
    opc_ua_port: int
    faults: str
    parent_pid: int | None
    state_folder: Path


class _Child:
    """A child process with a pipe; what it is sent waits in a bounded queue, so that it cannot block the others."""

    def __init__(self, target: Callable[..., None], *arguments: Any, name: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process: BaseProcess = context.Process(target=target, args=(*arguments, other), name=name, daemon=True)
        self.process.start()
        other.close()
        self._waiting: queue.Queue[Any] = queue.Queue(WAITING)
        threading.Thread(target=self._pass_on, daemon=True, name=f"to {name}").start()

    def _pass_on(self) -> None:
        while (message := self._waiting.get()) is not None:
            try:
                self.pipe.send(message)
            except (OSError, ValueError):
                # the child is gone; the parent sees it by its sentinel
                return

    def send(self, message: Any) -> None:
        """Send without waiting; when the child does not keep up, the oldest message is dropped."""
        try:
            self._waiting.put_nowait(message)
        except queue.Full:
            self._waiting.get_nowait()
            self._waiting.put_nowait(message)

    def expect(self, what: str) -> tuple[Any, ...]:
        """Return the child's next message; raises CannotStart with its words when it failed or says nothing."""
        try:
            if not self.pipe.poll(START_TIMEOUT_S):
                raise CannotStart(f"The {what} did not start in {START_TIMEOUT_S:g} s.", advice="Try again.")
            message = self.pipe.recv()
        except (EOFError, OSError) as fault:
            raise CannotStart(f"The {what} ended while starting.", advice="See the log.") from fault
        return tuple(message)

    def stop(self) -> None:
        """End the child: by the end of its pipe, else by force."""
        self.send(None)
        self.pipe.close()

    def join(self) -> None:
        """Wait for the end, then make it."""
        self.process.join(STOP_TIMEOUT_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


@dataclass(slots=True)
class _Plant:
    """Everything that runs."""

    options: SimulateOptions
    engine: _Child
    models: list[PlantModel]
    servers: dict[str, _Child] = field(default_factory=dict)
    devices: _Child | None = None
    broker: _Child | None = None
    protocols: dict[tuple[str, str], str] = field(default_factory=dict)

    def children(self) -> list[_Child]:
        """Return every child of ours that must live."""
        return [self.engine, *self.servers.values(), *(one for one in (self.devices, self.broker) if one is not None)]


def simulate(options: SimulateOptions, report: Report) -> int:
    """Run the plant until SIGTERM, SIGINT or the end of `parent_pid`; return the exit code.

    Raises CannotStart or BadNetworkFile when it cannot begin.
    """
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    report("Calculating the networks …")
    order = PlantOrder(options.municipalities, options.speed, options.seed, options.faults == "script")
    engine = _Child(run_plant, order, name="plant")
    plant = _Plant(options, engine, [])
    try:
        _start(plant, report)
        return _pass_on(plant, ended, report)
    finally:
        _stop(plant)


def _start(plant: _Plant, report: Report) -> None:
    kind, content = plant.engine.expect("plant")
    if kind == "failed":
        raise BadNetworkFile(str(content))
    plant.models = content
    port = _start_broker(plant)
    documents = [_start_server(plant, model, port) for model in plant.models]
    _start_devices(plant, port)
    if plant.options.document is not None:
        _write_document(plant.options.document, documents)
    tags = sum(len(one.tags) for one in documents)
    report(f"The plant runs: {len(documents)} municipalities, {tags} tags, MQTT on port {port}.")


def _start_broker(plant: _Plant) -> int:
    options = plant.options
    if options.broker_port is not None:
        wait_until_open(options.broker_port)
        return options.broker_port
    port = _free_port(1883)
    program = find_mosquitto()
    target = partial(run_mosquitto, program, options.state_folder) if program else run_amqtt
    plant.broker = _Child(target, port, name="broker")
    wait_until_open(port)
    return port


def _start_server(plant: _Plant, model: PlantModel, broker_port: int) -> Plant:
    key = model.plant.key
    wanted = plant.options.opc_ua_port
    tags = tuple(one.tag for one in model.instruments if one.tag.connection == OPC_UA)
    password = secrets.token_urlsafe(12)
    port = _free_port(wanted + len(plant.servers) if wanted else 0)
    order = ServerOrder(key, model.plant.name, port, tags, "control-room", password)
    server = _Child(run_server, order, name=f"opc-ua-{key}")
    plant.servers[key] = server
    first = server.expect("OPC UA server")
    if first[0] == "failed":
        raise CannotStart(str(first[1]), advice="Name another one with --opc-ua-port.")
    return _document(model, order, broker_port)


def _document(model: PlantModel, order: ServerOrder, broker_port: int) -> Plant:
    key = model.plant.key
    connections = (
        PlantConnection(
            OPC_UA, OPC_UA, {"endpoint": order.endpoint, "user": order.user, "password": order.password}
        ),
        PlantConnection(MQTT, MQTT, {"host": "127.0.0.1", "port": broker_port, "base_topic": key}),
    )
    tags = tuple(
        replace(
            one.tag,
            address=node_address(one.tag.key) if one.tag.connection == OPC_UA else address_of(key, one.device, one.tag.key),
        )
        for one in model.instruments
    )
    return replace(model.plant, connections=connections, tags=tags)


def _start_devices(plant: _Plant, port: int) -> None:
    points = {
        model.plant.key: tuple((one.tag, one.device) for one in model.instruments if one.tag.connection == MQTT)
        for model in plant.models
    }
    plant.protocols = {
        (model.plant.key, one.tag.key): one.tag.connection for model in plant.models for one in model.instruments
    }
    plant.devices = _Child(run_devices, DevicesOrder(port, points), name="mqtt-devices")
    plant.devices.expect("MQTT devices")


def _write_document(path: Path, documents: list[Plant]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.draft")
    # it holds the passwords of the plant's servers
    draft.touch(mode=0o600)
    draft.write_text(json.dumps([as_document(one) for one in documents]), encoding="utf-8")
    draft.replace(path)


def _free_port(wanted: int) -> int:
    """Return `wanted` or the next free port above it; 0 means any."""
    for port in range(wanted, wanted + 200 if wanted else 1):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise CannotStart(f"No port from {wanted} to {wanted + 199} is free.", advice="Name another one with --opc-ua-port.")


def _pass_on(plant: _Plant, ended: threading.Event, report: Report) -> int:
    keys: Mapping[Connection[Any, Any], str] = {child.pipe: key for key, child in plant.servers.items()}
    pipes = [plant.engine.pipe, *keys]
    sentinels = [child.process.sentinel for child in plant.children()]
    while not ended.is_set():
        ready = wait([*pipes, *sentinels], timeout=PARENT_CHECK_S)
        if any(one in sentinels for one in ready) and not ended.is_set():
            dead = next(one for one in plant.children() if not one.process.is_alive())
            report(f"The process '{dead.process.name}' ended unexpectedly; the plant stops.")
            return 1
        for pipe in (one for one in ready if isinstance(one, Connection)):
            _route(plant, keys.get(pipe), pipe.recv())
        if plant.options.parent_pid is not None and not psutil.pid_exists(plant.options.parent_pid):
            return 0
    return 0


def _route(plant: _Plant, key: str | None, message: tuple[Any, ...]) -> None:
    if key is not None:
        # ("write", tag, value) or ("fault", kind, element, seconds) of one server
        plant.engine.send((message[0], key, *message[1:]))
        return
    _, of, reports, cut, time_s = message
    by_opc_ua = [one for one in reports if plant.protocols[of, one[0]] == OPC_UA]
    plant.servers[of].send((by_opc_ua, time_s))
    if plant.devices is not None:
        plant.devices.send((of, reports, cut, time_s))


def _stop(plant: _Plant) -> None:
    children = plant.children()
    plant.engine.send(("stop",))
    for child in children:
        child.stop()
    for child in children:
        child.join()


def trigger(endpoint: str, kind: str, element: str, seconds: float) -> None:
    """Cause a fault in a plant that runs; raises BadOption for an unknown kind, LinkLost when the plant refuses.

    The endpoint carries the name and password of the plant's document: opc.tcp://user:password@host:port/path.
    """
    import asyncio

    from asyncua import ua
    from asyncua.client.client import Client
    from asyncua.ua.uaerrors import UaError

    if kind not in list(FaultKind):
        raise BadOption(f"There is no fault '{kind}'.", advice=f"Use one of {', '.join(FaultKind)}.")

    async def call() -> None:
        async with Client(endpoint) as client:
            faults = client.get_node("ns=2;s=Faults")
            await faults.call_method("2:trigger", kind, element, ua.Variant(seconds, ua.VariantType.Double))

    try:
        asyncio.run(call())
    except (OSError, TimeoutError, UaError) as fault:
        raise LinkLost(f"The plant did not take it: {fault}.", advice="Check endpoint, name and password.") from fault
