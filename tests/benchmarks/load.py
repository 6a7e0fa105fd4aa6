"""Plants that only make load: an OPC UA server and MQTT devices at a set rate, each in a process of its own."""

import asyncio
import json
import logging
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from multiprocessing.connection import Connection
from typing import Any

import paho.mqtt.client as paho
from asyncua import ua
from asyncua.server.server import Server
from paho.mqtt.enums import CallbackAPIVersion

from control_room.core.alarms import AlarmKind, Priority
from control_room.core.plant import Plant, PlantConnection, PlantRule, PlantTag
from control_room.core.tags import Quantity

TICK_S = 0.05


class Load:
    """A running plant: `start()` makes the load, `stop()` ends it and returns how many values were sent."""

    def __init__(self, pipe: "Connection[Any, Any]") -> None:
        self._pipe = pipe

    def start(self) -> None:
        """Begin."""
        self._pipe.send("start")

    def stop(self) -> int:
        """End; return how many values were sent."""
        self._pipe.send("stop")
        return int(self._pipe.recv())


@contextmanager
def running(target: Callable[..., None], *arguments: Any) -> Iterator[Load]:
    """Run a plant in a process of its own."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=target, args=(*arguments, theirs), daemon=True)
    process.start()
    assert ours.poll(120), "the load did not start"
    ours.recv()
    try:
        yield Load(ours)
    finally:
        process.kill()
        process.join()


def opc_ua_load(port: int, tags: int, rate: int, pipe: "Connection[Any, Any]") -> None:
    """Change `tags` variables in turn, `rate` times a second in all."""
    logging.disable(logging.CRITICAL)
    asyncio.run(_opc_ua_load(port, tags, rate, pipe))


async def _opc_ua_load(port: int, tags: int, rate: int, pipe: "Connection[Any, Any]") -> None:
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/load")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace("urn:load")
    nodes = [
        (await server.nodes.objects.add_variable(ua.NodeId(ua.String(f"v{n}"), ua.Int16(index)), f"v{n}", 0.0)).nodeid
        for n in range(tags)
    ]
    async with server:
        pipe.send("ready")
        while not pipe.poll():
            await asyncio.sleep(TICK_S)
        pipe.recv()
        sent, began = 0, time.monotonic()
        while not pipe.poll():
            await asyncio.sleep(TICK_S)
            due = int((time.monotonic() - began) * rate)
            for number in range(sent, due):
                value = ua.DataValue(
                    ua.Variant(float(number + 1), ua.VariantType.Double), SourceTimestamp=ua.DateTime.now(UTC)
                )
                await server.write_attribute_value(nodes[number % tags], value)
            sent = due
        pipe.send(sent)
        # the last values must still be fetched
        await asyncio.sleep(60)


def mqtt_load(port: int, tags: int, rate: int, pipe: "Connection[Any, Any]") -> None:
    """Publish one value a message with QoS 1, `rate` times a second in all."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(20_000)
    client.connect("127.0.0.1", port)
    client.loop_start()
    pipe.send("ready")
    pipe.recv()
    sent, began = 0, time.monotonic()
    while not pipe.poll():
        time.sleep(TICK_S)
        due = int((time.monotonic() - began) * rate)
        for number in range(sent, due):
            payload = json.dumps({"t": time.time() * 1_000, "q": 192, "value": float(number + 1)})
            client.publish(f"load/d{number % tags}/data", payload, qos=1)
        sent = due
    pipe.send(sent)
    time.sleep(60)


def load_plant(protocol: str, port: int, tags: int) -> Plant:
    """Return the document of a load: tags with four limits each, none of which is ever passed."""
    settings: dict[str, Any] = {
        "endpoint": f"opc.tcp://127.0.0.1:{port}/load",
        "publish_ms": 100.0,
        "sampling_ms": 20.0,
    }
    if protocol == "mqtt":
        settings = {"host": "127.0.0.1", "port": port, "base_topic": "load"}
    address = "ns=2;s=v{}" if protocol == "opc_ua" else "load/d{}/data#value"
    rules = tuple(
        PlantRule(kind, Priority.LOW, limit, 1.0, 1.0, 1.0)
        for kind, limit in ((AlarmKind.HH, 2e12), (AlarmKind.H, 1e12), (AlarmKind.L, -1e12), (AlarmKind.LL, -2e12))
    )
    return Plant(
        key=f"load-{protocol}",
        name=f"Load {protocol}",
        connections=(PlantConnection("load", protocol, settings),),
        tags=tuple(
            PlantTag(
                f"T{n:05}",
                f"Tag {n}",
                "Load",
                f"Group {n // 100}",
                Quantity.FLOW,
                "load",
                address.format(n),
                "L/s",
                rules=rules,
            )
            for n in range(tags)
        ),
    )
