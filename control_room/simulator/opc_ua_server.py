"""The OPC UA server of one municipality, in a process of its own."""

import asyncio
import logging
import secrets
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from multiprocessing.connection import Connection
from typing import Any

from asyncua import ua
from asyncua.common.callback import CallbackType
from asyncua.common.node import Node
from asyncua.crypto.permission_rules import SimpleRoleRuleset, User, UserRole
from asyncua.server.server import Server
from asyncua.server.user_managers import UserManager
from asyncua.ua.object_ids import ObjectIds

from control_room.core.plant import PlantTag

NAMESPACE = "urn:control-room:demo-plant"
# UNECE Recommendation 20 common codes
_UNITS = {"m": "MTR", "L/s": "G51", "kW": "KWT", "%": "P1", "mg/L": "M1"}


@dataclass(frozen=True, slots=True)
class ServerOrder:
    """What one server offers; people who write sign in with `user` and `password`."""

    key: str
    name: str
    port: int
    tags: tuple[PlantTag, ...]
    user: str
    password: str

    @property
    def endpoint(self) -> str:
        """Return the server's address."""
        return f"opc.tcp://127.0.0.1:{self.port}/{self.key}"


def node_address(tag_key: str) -> str:
    """Return the NodeId of a tag as text; the plant's namespace is the first one that a server adds."""
    return f"ns=2;s={tag_key}"


class _Door(UserManager):
    """Lets everybody read; whoever signs in may write, too."""

    def __init__(self, order: ServerOrder) -> None:
        self.order = order

    def get_user(
        self, iserver: Any, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> User | None:
        """Return the reader or the writer; None refuses."""
        if username is None:
            return User(role=UserRole.User, name=None)
        is_known = username == self.order.user and secrets.compare_digest(password or "", self.order.password)
        return User(role=UserRole.User, name=username) if is_known else None


class _Rules(SimpleRoleRuleset):
    """Refuses to write or call without a name."""

    def __init__(self) -> None:
        """Keep nothing."""

    _CHANGING = frozenset(
        ua.NodeId(ua.Int32(number))
        for number in (
            ObjectIds.WriteRequest_Encoding_DefaultBinary,
            ObjectIds.CallRequest_Encoding_DefaultBinary,
        )
    )

    def check_validity(self, user: User, action_type: ua.NodeId, body: Any) -> bool:
        """Return whether `user` may do it."""
        return user.name is not None or action_type not in self._CHANGING


def run_server(order: ServerOrder, pipe: "Connection[Any, Any]") -> None:
    """Serve until the pipe ends. Sends ("ready",), ("failed", words), ("write", tag key, value) and ("fault", ...)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    try:
        asyncio.run(_serve(order, pipe))
    except OSError as fault:
        pipe.send(("failed", f"Port {order.port} cannot be used: {fault.strerror}."))


async def _serve(order: ServerOrder, pipe: "Connection[Any, Any]") -> None:
    server = Server(user_manager=_Door(order))
    await server.init()
    server.set_endpoint(order.endpoint)
    server.set_server_name(f"{order.name} demo plant")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity], permission_ruleset=_Rules())
    nodes = await _build(server, order, pipe)
    async with server:
        _listen_to_writes(server, nodes, pipe)
        pipe.send(("ready",))
        await _follow(server, nodes, pipe)


def _node_id(name: str, index: int) -> ua.NodeId:
    return ua.NodeId(ua.String(name), ua.Int16(index))


async def _build(server: Server, order: ServerOrder, pipe: "Connection[Any, Any]") -> dict[str, Node]:
    index = await server.register_namespace(NAMESPACE)
    plant = await server.nodes.objects.add_object(index, "Plant")
    folders: dict[tuple[str, ...], Node] = {}
    nodes = {}
    for tag in order.tags:
        parent = plant
        for depth, name in enumerate((tag.site, tag.asset), 1):
            path = (tag.site, tag.asset)[:depth]
            if path not in folders:
                folders[path] = await parent.add_object(_node_id("/".join(path), index), name)
            parent = folders[path]
        nodes[tag.key] = await _add_point(parent, index, tag)
    await _add_fault_method(plant, index, pipe)
    return nodes


async def _add_point(parent: Node, index: int, tag: PlantTag) -> Node:
    node = await parent.add_variable(_node_id(tag.key, index), tag.name, 0.0, ua.VariantType.Double)
    waiting = ua.DataValue(ua.Variant(0.0, ua.VariantType.Double), ua.StatusCode(ua.UInt32(0x80320000)))
    await node.write_value(waiting)
    await node.add_property(index, "EURange", ua.Range(tag.low, tag.high))
    if tag.unit:
        code = _UNITS.get(tag.unit, "C62")
        unit = ua.EUInformation(
            NamespaceUri="http://www.opcfoundation.org/UA/units/un/cefact",
            UnitId=ua.Int32(int.from_bytes(code.encode(), "big")),
            DisplayName=ua.LocalizedText(tag.unit),
            Description=ua.LocalizedText(tag.unit),
        )
        await node.add_property(index, "EngineeringUnits", unit)
    if tag.is_writable:
        await node.set_writable()
    return node


async def _add_fault_method(plant: Node, index: int, pipe: "Connection[Any, Any]") -> None:
    def trigger(parent: ua.NodeId, kind: ua.Variant, element: ua.Variant, seconds: ua.Variant) -> list[ua.Variant]:
        pipe.send(("fault", str(kind.Value), str(element.Value), float(seconds.Value)))
        return []

    faults = await plant.add_object(_node_id("Faults", index), "Faults")
    arguments = [ua.VariantType.String, ua.VariantType.String, ua.VariantType.Double]
    await faults.add_method(_node_id("Faults.trigger", index), "trigger", trigger, arguments, [])


def _listen_to_writes(server: Server, nodes: dict[str, Node], pipe: "Connection[Any, Any]") -> None:
    keys = {node.nodeid: key for key, node in nodes.items()}

    def on_write(event: Any, _: Any) -> None:
        if not event.is_external:
            return
        for written, status in zip(event.request_params.NodesToWrite, event.response_params, strict=True):
            if status.is_good() and written.NodeId in keys and written.Value.Value is not None:
                pipe.send(("write", keys[written.NodeId], float(written.Value.Value.Value)))

    server.subscribe_server_callback(CallbackType.PostWrite, on_write)


async def _follow(server: Server, nodes: dict[str, Node], pipe: "Connection[Any, Any]") -> None:
    """Write what the outstations report until the pipe ends."""
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    loop.add_reader(pipe.fileno(), arrived.set)
    try:
        while True:
            await arrived.wait()
            arrived.clear()
            while pipe.poll():
                await _write(server, nodes, *pipe.recv())
    except (EOFError, ConnectionError):
        return
    finally:
        loop.remove_reader(pipe.fileno())


async def _write(
    server: Server, nodes: dict[str, Node], reports: Sequence[tuple[str, float | None, int]], time_s: float
) -> None:
    time = ua.DateTime.fromtimestamp(time_s, UTC)
    for key, value, quality in reports:
        variant = ua.Variant(value, ua.VariantType.Double) if value is not None else ua.Variant()
        status = ua.StatusCode(ua.UInt32(quality << 16))
        point = ua.DataValue(variant, status, SourceTimestamp=time, ServerTimestamp=time)
        await server.write_attribute_value(nodes[key].nodeid, point)
