"""The demo's plant as a whole: one process calculates, one per municipality serves OPC UA, one plays the MQTT devices.

The parent only passes on. Every child ends when its pipe does, so that nothing stays behind however the parent ends.
"""

import json
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from secrets import token_urlsafe
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from control_room.core.errors import BadOption, LinkLost, PortInUse, WrongCredentials
from control_room.core.plant import Plant, PlantConnection, as_document
from control_room.simulator.broker import find_mosquitto, run_amqtt, run_mosquitto, wait_until_open
from control_room.simulator.children import Child, Ended, raise_failed, stop
from control_room.simulator.faults import LONGEST_FAULT_S, FaultKind
from control_room.simulator.hydraulics import network_file
from control_room.simulator.links import link_points
from control_room.simulator.mqtt_devices import DevicesOrder, address_of, run_devices, status_address
from control_room.simulator.municipalities import municipality_of
from control_room.simulator.opc_ua_server import ServerOrder, node_address, run_server
from control_room.simulator.plant_model import PlantModel
from control_room.simulator.plant_process import PlantOrder, run_plant
from control_room.simulator.points import MQTT, OPC_UA

Report = Callable[[str], None]

_CHECK_S = 0.5
_BROKER_PORT = 1883
_BROKER_START_S, _BROKER_ANSWER_S = 10.0, 3.0
_PORTS = 200
_PUBLISH_MS = 250
_SESSION_MS = 60_000


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """What to simulate; `speed` is plant seconds per second, `opc_ua_port` the first port to try (0: any).

    `document`: where to write the list of plant documents once all servers answer. `broker_port`: a broker that runs
    already. `faults`: "script" or "none". `parent_pid`: end when that process is gone. `state_folder`: certificates.
    """

    municipalities: tuple[str, ...] = ("net3", "ky4", "ky10")
    speed: float = 60.0
    seed: int = 1
    document: Path | None = None
    broker_port: int | None = None
    opc_ua_port: int = 4840
    faults: str = "script"
    parent_pid: int | None = None
    state_folder: Path = Path()


@dataclass(slots=True)
class _Plant:
    """Everything that runs."""

    options: SimulateOptions
    ended: threading.Event
    engine: Child
    servers: list[Child] = field(default_factory=list)
    devices: Child | None = None
    broker: Child | None = None
    broker_pid: int | None = None
    by_key: dict[str, Child] = field(default_factory=dict)
    protocols: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def children(self) -> list[Child]:
        """Return every child of ours that must live."""
        return [self.engine, *self.servers, *(one for one in (self.devices, self.broker) if one is not None)]

    def is_ending(self) -> bool:
        """Return whether a signal came or the parent is gone."""
        parent = self.options.parent_pid
        return self.ended.is_set() or (parent is not None and not psutil.pid_exists(parent))


def simulate(options: SimulateOptions, report: Report) -> int:
    """Run the plant until SIGTERM, SIGINT or the end of `parent_pid`; return the exit code.

    Raises CannotStart or BadNetworkFile when it cannot begin or go on. Only the main thread may call it.
    """
    _check(options)
    ended = threading.Event()
    before = {number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    if options.broker_port is not None:
        wait_until_open(options.broker_port, _BROKER_ANSWER_S, ended.is_set)
    report("Calculating the networks …")
    try:
        with TemporaryDirectory(prefix="control-room-plant-", ignore_cleanup_errors=True) as folder:
            return _run(_open(options, ended, Path(folder)), report)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(plant: _Plant, report: Report) -> int:
    try:
        _start(plant, report)
        return _pass_on(plant, report)
    except Ended:
        # what still starts has nothing to tidy up; the broker's keeper ends the broker
        for child in plant.children:
            if child is not plant.broker:
                child.process.kill()
        return 0
    finally:
        stop(plant.children)
        _stop_orphan(plant.broker_pid)


def _check(options: SimulateOptions) -> None:
    """Raise what can be said before anything starts."""
    if not options.municipalities:
        raise BadOption("There is no network to simulate.", advice="Name one, such as net3.")
    for name in options.municipalities:
        network_file(name)
    if len({municipality_of(name).key for name in options.municipalities}) < len(options.municipalities):
        raise BadOption("A network is named twice.", advice="Name each network once.")


def _open(options: SimulateOptions, ended: threading.Event, folder: Path) -> _Plant:
    order = PlantOrder(options.municipalities, options.speed, options.seed, options.faults == "script", folder)
    return _Plant(options, ended, Child("The plant", run_plant, order))


def _start(plant: _Plant, report: Report) -> None:
    port = _start_broker(plant)
    # everybody waits for the plant: the others may not take the processor from it while it loads its libraries, and
    # load theirs while it calculates
    plant.engine.expect(plant.is_ending)
    plant.servers += [Child(f"The OPC UA server of {name}", run_server) for name in plant.options.municipalities]
    plant.devices = devices = Child("The MQTT devices", run_devices)
    _, models, elements = plant.engine.expect(plant.is_ending)
    orders = _start_servers(plant, models, elements)
    _start_devices(plant, devices, models, port)
    for server in plant.servers:
        server.expect(plant.is_ending)
    documents = [_document(model, order, port) for model, order in zip(models, orders, strict=True)]
    if plant.options.document is not None:
        _write_document(plant.options.document, documents)
    plant.engine.send(("go",))
    tags = sum(len(one.tags) for one in documents)
    report(f"The plant runs: {len(documents)} municipalities, {tags} tags, MQTT on port {port}.")
    for one in orders:
        report(f"{one.name}: {one.endpoint}")


def _start_broker(plant: _Plant) -> int:
    options = plant.options
    if options.broker_port is not None:
        return options.broker_port
    port = _free_port(_BROKER_PORT if options.opc_ua_port else 0)
    program = find_mosquitto()
    if program is not None:
        plant.broker = Child("The MQTT broker", run_mosquitto, program, options.state_folder, port)
    else:
        plant.broker = Child("The MQTT broker", run_amqtt, port)
    _, plant.broker_pid = plant.broker.expect(plant.is_ending)
    wait_until_open(port, _BROKER_START_S, plant.is_ending)
    return port


def _start_servers(
    plant: _Plant, models: list[PlantModel], elements: dict[str, dict[str, frozenset[str]]]
) -> list[ServerOrder]:
    wanted = plant.options.opc_ua_port
    orders: list[ServerOrder] = []
    for server, model in zip(plant.servers, models, strict=True):
        key = model.plant.key
        order = ServerOrder(
            key=key,
            name=model.plant.name,
            port=_free_port(max(wanted, *(one.port + 1 for one in orders)) if wanted and orders else wanted),
            tags=tuple(one.tag for one in model.instruments if one.tag.connection == OPC_UA),
            elements=elements[key],
            user="control-room",
            password=token_urlsafe(12),
            certificates=plant.options.state_folder / "certificates",
        )
        plant.by_key[key] = server
        server.send(order)
        orders.append(order)
    return orders


def _start_devices(plant: _Plant, devices: Child, models: list[PlantModel], port: int) -> None:
    points = [(model.plant.key, one) for model in models for one in model.instruments]
    plant.protocols = {(key, one.tag.key): one.tag.connection for key, one in points}
    outstations = {(key, one.tag.key): (key, one.device) for key, one in points if one.tag.connection == MQTT}
    devices.send(DevicesOrder(port, outstations))
    devices.expect(plant.is_ending)


def _document(model: PlantModel, order: ServerOrder, broker_port: int) -> Plant:
    key = model.plant.key
    server = {
        "endpoint": order.endpoint,
        "user": order.user,
        "password": order.password,
        "publish_ms": _PUBLISH_MS,
    }
    broker = {"host": "127.0.0.1", "port": broker_port, "user": "", "password": "", "base_topic": key}
    tags = tuple(
        replace(
            one.tag,
            address=node_address(one.tag.key)
            if one.tag.connection == OPC_UA
            else address_of(key, one.device, one.tag.key),
        )
        for one in model.instruments
    )
    links = (
        replace(one.tag, address=status_address(key, one.source[1])) for one in link_points(model.instruments, MQTT)
    )
    connections = (PlantConnection(OPC_UA, OPC_UA, server), PlantConnection(MQTT, MQTT, broker))
    return replace(model.plant, connections=connections, tags=(*tags, *links))


def _write_document(path: Path, documents: list[Plant]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)
    # it holds the passwords of the plant's servers
    draft.touch(mode=0o600)
    draft.write_text(json.dumps([as_document(one) for one in documents]), encoding="utf-8")
    draft.replace(path)


def _free_port(wanted: int) -> int:
    """Return `wanted` or the next free port above it; 0 means any."""
    for port in range(wanted, min(wanted + _PORTS, 65_536)) if wanted else (0,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise PortInUse(f"No port from {wanted} on is free.", advice="Name another one with --opc-ua-port.")


def _pass_on(plant: _Plant, report: Report) -> int:
    keys: dict[Connection[Any, Any], str] = {child.pipe: key for key, child in plant.by_key.items()}
    sentinels: dict[int, Child] = {child.process.sentinel: child for child in plant.children}
    waiting: list[Any] = [plant.engine.pipe, *keys, *sentinels]
    while not plant.is_ending():
        for ready in wait(waiting, timeout=_CHECK_S):
            if isinstance(ready, Connection):
                if (message := _receive(ready)) is None:
                    # its end of the pipe is closed; the sentinel tells who it was
                    waiting.remove(ready)
                else:
                    _route(plant, keys.get(ready), message)
            elif not plant.is_ending():
                report(f"{sentinels[int(str(ready))].name} ended unexpectedly; the plant stops.")
                return 1
    return 0


def _receive(pipe: "Connection[Any, Any]") -> tuple[Any, ...] | None:
    try:
        message: tuple[Any, ...] = pipe.recv()
    except (EOFError, OSError):
        return None
    return message


def _route(plant: _Plant, key: str | None, message: tuple[Any, ...]) -> None:
    raise_failed(message)
    if key is not None:
        # ("write", tag, value) or ("fault", kind, element, seconds) of one server
        plant.engine.send((message[0], key, *message[1:]))
        return
    _, of, reports, cut, time_s = message
    by_opc_ua = [one for one in reports if plant.protocols[of, one[0]] == OPC_UA]
    by_mqtt = [one for one in reports if plant.protocols[of, one[0]] == MQTT]
    if by_opc_ua:
        plant.by_key[of].send((by_opc_ua, time_s))
    # also when nothing is to be said: a link may be lost
    assert plant.devices is not None
    plant.devices.send((of, by_mqtt, cut, time_s))


def _stop_orphan(pid: int | None) -> None:
    """End Mosquitto when the process that watches it was killed."""
    if pid is None:
        return
    try:
        orphan = psutil.Process(pid)
        if "mosquitto" in orphan.name():
            orphan.terminate()
    except psutil.NoSuchProcess:
        return


def trigger(endpoint: str, kind: str, element: str, seconds: float) -> None:
    """Cause a fault in a plant that runs; raises BadOption for what it does not know, LinkLost when it does not answer.

    The endpoint carries the name and password of the plant's document: opc.tcp://user:password@host:port/path.
    """
    import asyncio

    from asyncua import ua
    from asyncua.client.client import Client
    from asyncua.ua import uaerrors

    if seconds > LONGEST_FAULT_S:
        raise BadOption(f"No fault lasts {seconds:g} s.", advice=f"Give at most {LONGEST_FAULT_S:g} s.")
    if kind not in list(FaultKind):
        raise BadOption(f"There is no fault '{kind}'.", advice=f"Use one of {', '.join(FaultKind)}.")

    async def call() -> None:
        client = Client(endpoint)
        client.session_timeout = _SESSION_MS
        async with client:
            faults = client.get_node("ns=2;s=Faults")
            await faults.call_method("2:trigger", kind, element, ua.Variant(seconds, ua.VariantType.Double))

    try:
        asyncio.run(call())
    except uaerrors.BadInvalidArgument as fault:
        raise BadOption(f"The plant has no '{element}' for the fault '{kind}'.", advice="See its document.") from fault
    except (uaerrors.BadUserAccessDenied, uaerrors.BadIdentityTokenRejected) as fault:
        raise WrongCredentials("The plant refused it.", advice="Use opc.tcp://user:password@host:port/path.") from fault
    except (OSError, TimeoutError, ValueError, uaerrors.UaError) as fault:
        raise LinkLost(f"The plant did not take it: {fault}.", advice="Check the endpoint.") from fault
