"""Plants that only make load: an OPC UA server and MQTT devices at a set rate, each in a process of its own."""

import asyncio
import json
import logging
import multiprocessing
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC
from multiprocessing.connection import Connection
from typing import Any

import paho.mqtt.client as paho
from asyncua import ua
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.server import Server
from paho.mqtt.enums import CallbackAPIVersion

from control_room.core.alarms import AlarmKind, Priority
from control_room.core.plant import Plant, PlantConnection, PlantRule, PlantTag
from control_room.core.tags import Quantity

TICK_S = 0.05
# InfoType DataValue and the overflow bit of a status code
OVERFLOW = 0x0480


class Load:
    """A running plant: `start()` makes the load, `stop()` ends it."""

    def __init__(self, pipe: "Connection[Any, Any]") -> None:
        self._pipe = pipe

    def start(self) -> None:
        """Begin."""
        self._pipe.send("start")

    def stop(self) -> tuple[int, int]:
        """End; return how many values were sent, and how many of them the plant threw away because nobody fetched them."""
        self._pipe.send("stop")
        sent, overflowed = self._pipe.recv()
        return sent, overflowed


@contextmanager
def running(target: Callable[..., None], *arguments: Any) -> Iterator[Load]:
    """Run a plant in a process of its own."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=target, args=(*arguments, theirs), daemon=True)
    process.start()
    assert ours.poll(400), "the load did not start"
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


class _Overflows:
    """Counts what the server throws out of full queues, and flags it as Part 4, 7.39.1 asks: asyncua does neither."""

    def __init__(self) -> None:
        self.count = 0
        self._enqueue = InternalSubscription._enqueue_event
        InternalSubscription._enqueue_event = self._counted()  # type: ignore[method-assign, assignment]

    def _counted(self) -> Callable[..., Awaitable[None]]:
        async def enqueue(own: InternalSubscription, item: int, event: Any, size: int, queue: dict[int, Any]) -> None:
            is_full = size != 0 and len(queue.get(item, ())) >= size
            await self._enqueue(own, item, event, size, queue)
            if is_full:
                self.count += 1
                # a value of its own: the address space holds the one that was written
                oldest = queue[item][0]
                flagged = replace(oldest.Value, StatusCode=ua.StatusCode(ua.UInt32(OVERFLOW)))
                queue[item][0] = replace(oldest, Value=flagged)

        return enqueue


async def _opc_ua_load(port: int, tags: int, rate: int, pipe: "Connection[Any, Any]") -> None:
    overflows = _Overflows()
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
        pipe.send((sent, overflows.count))
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
    pipe.send((sent, 0))
    time.sleep(60)


# none of them is ever passed
_FAR_LIMITS = tuple(
    PlantRule(kind, Priority.LOW, limit, 1.0, 1.0, 1.0)
    for kind, limit in ((AlarmKind.HH, 2e12), (AlarmKind.H, 1e12), (AlarmKind.L, -1e12), (AlarmKind.LL, -2e12))
)


def load_plant(protocol: str, port: int, tags: int, rules: tuple[PlantRule, ...] = _FAR_LIMITS) -> Plant:
    """Return the document of a load: tags with these rules each."""
    settings: dict[str, Any] = {
        "endpoint": f"opc.tcp://127.0.0.1:{port}/load",
        "publish_ms": 100.0,
        "sampling_ms": 20.0,
    }
    if protocol == "mqtt":
        settings = {"host": "127.0.0.1", "port": port, "base_topic": "load"}
    address = "ns=2;s=v{}" if protocol == "opc_ua" else "load/d{}/data#value"
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
