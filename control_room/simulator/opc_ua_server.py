"""The OPC UA server of one municipality, in a process of its own.

Objects: Plant / site / asset / points (EURange, EngineeringUnits or EnumStrings) and Plant / Faults with the method
trigger(kind, element, seconds). Everybody may read; whoever signs in may write and call.
"""

import asyncio
import logging
import math
import secrets
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from asyncua import ua
from asyncua.common.callback import CallbackType
from asyncua.common.node import Node
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.permission_rules import ADMIN_TYPES, SimpleRoleRuleset, User, UserRole
from asyncua.server.server import Server
from asyncua.server.user_managers import UserManager
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from cryptography.x509.oid import ExtendedKeyUsageOID

from control_room.core.plant import PlantTag
from control_room.core.samples import BAD_WAITING_FOR_INITIAL
from control_room.simulator.faults import LONGEST_FAULT_S

NAMESPACE = "urn:control-room:demo-plant"
# the plant's namespace is the first one that a server adds
_INDEX = 2
# UNECE Recommendation 20 common codes
_UNITS = {"m": "MTR", "L/s": "G51", "kW": "KWT", "%": "P1", "mg/L": "M1"}
_STOP_TIMEOUT_S = 0.3
_POLICIES = [
    ua.SecurityPolicyType.NoSecurity,
    ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
    ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
]


@dataclass(frozen=True, slots=True)
class ServerOrder:
    """What one server offers. People who write sign in with `user` and `password`; `elements`: see Outstations."""

    key: str
    name: str
    port: int
    tags: tuple[PlantTag, ...]
    elements: Mapping[str, frozenset[str]]
    user: str
    password: str
    certificates: Path

    @property
    def endpoint(self) -> str:
        """Return the server's address."""
        return f"opc.tcp://127.0.0.1:{self.port}/{self.key}"


def node_address(tag_key: str) -> str:
    """Return the NodeId of a tag as text."""
    return f"ns={_INDEX};s={tag_key}"


class _Door(UserManager):
    """Lets everybody read; whoever signs in may write, too."""

    def __init__(self, order: ServerOrder) -> None:
        self.order = order

    def get_user(
        self,
        iserver: Any,  # noqa: ARG002
        username: str | None = None,
        password: str | None = None,
        certificate: Any = None,  # noqa: ARG002
    ) -> User | None:
        """Return the reader or the writer; None refuses."""
        if username is None:
            return User(role=UserRole.User, name=None)
        is_known = username == self.order.user and secrets.compare_digest(
            (password or "").encode(), self.order.password.encode()
        )
        return User(role=UserRole.User, name=username) if is_known else None


class _Rules(SimpleRoleRuleset):
    """Refuses to write or call without a name (asyncua lets an anonymous user do both), and to change the server."""

    _NAMED = frozenset({ObjectIds.WriteRequest_Encoding_DefaultBinary, ObjectIds.CallRequest_Encoding_DefaultBinary})

    def __init__(self) -> None:
        """Keep nothing: the rules of the class above forbid to browse on."""

    def check_validity(self, user: User, action_type: ua.NodeId, body: Any) -> bool:  # noqa: ARG002
        """Return whether `user` may do it."""
        if action_type.Identifier in ADMIN_TYPES:
            return False
        return user.name is not None or action_type.Identifier not in self._NAMED


def run_server(pipe: "Connection[Any, Any]") -> None:
    """Serve what the ServerOrder that comes first asks for, until the pipe ends.

    Sends ("ready",) or ("failed", words), then ("write", tag key, value) and ("fault", kind, element, seconds).
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    try:
        asyncio.run(_serve(pipe))
    except (EOFError, OSError):
        # the parent is gone
        return


async def _serve(pipe: "Connection[Any, Any]") -> None:
    server = Server()
    # a second of work, while the plant is still calculating
    await server.init()
    order: ServerOrder = pipe.recv()
    server.iserver.user_manager = _Door(order)
    server.set_endpoint(order.endpoint)
    server.set_server_name(f"{order.name} demo plant")
    await _secure(server, order)
    nodes = await _build(server, order, pipe)
    try:
        await server.start()
    except OSError as fault:
        pipe.send(("failed", f"Port {order.port} cannot be used: {fault.strerror}."))
        return
    try:
        _listen_to_writes(server, nodes, pipe)
        pipe.send(("ready",))
        await _follow(server, nodes, pipe)
    finally:
        # it closes its connections first and then waits for its clock, which needs no patience
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await server.stop()


async def _secure(server: Server, order: ServerOrder) -> None:
    """Offer encryption with a certificate that is made once."""
    uri = f"{NAMESPACE}:{order.key}"
    await server.set_application_uri(uri)
    order.certificates.mkdir(parents=True, exist_ok=True, mode=0o700)
    key, certificate = (order.certificates / f"{order.key}.{kind}" for kind in ("pem", "der"))
    names = {"commonName": order.name, "organizationName": "Demo plant"}
    use = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    await setup_self_signed_certificate(key, certificate, uri, "localhost", use, names)
    await server.load_certificate(certificate)
    await server.load_private_key(key)
    server.set_security_policy(_POLICIES, permission_ruleset=_Rules())


def _node_id(name: str) -> ua.NodeId:
    return ua.NodeId(ua.String(name), ua.Int16(_INDEX))


async def _build(server: Server, order: ServerOrder, pipe: "Connection[Any, Any]") -> dict[str, Node]:
    index = await server.register_namespace(NAMESPACE)
    assert index == _INDEX, "tags are addressed by it"
    plant = await server.nodes.objects.add_object(_node_id("Plant"), "2:Plant")
    folders: dict[tuple[str, ...], Node] = {(): plant}
    nodes = {}
    for tag in order.tags:
        for path in ((tag.site,), (tag.site, tag.asset)):
            if path not in folders:
                folders[path] = await folders[path[:-1]].add_object(_node_id("/".join(path)), f"2:{path[-1]}")
        nodes[tag.key] = await _add_point(folders[tag.site, tag.asset], tag)
    await _add_fault_method(plant, order.elements, pipe)
    return nodes


async def _add_point(parent: Node, tag: PlantTag) -> Node:
    node = await parent.add_variable(_node_id(tag.key), f"2:{tag.name}", 0.0, ua.VariantType.Double)
    await node.write_value(_point(None, BAD_WAITING_FOR_INITIAL, None))
    if tag.states:
        words = [ua.LocalizedText(state) for state in tag.states]
        await node.add_property(_node_id(f"{tag.key}.EnumStrings"), "0:EnumStrings", words)
    else:
        await node.add_property(_node_id(f"{tag.key}.EURange"), "0:EURange", ua.Range(tag.low, tag.high))
    if tag.unit:
        await node.add_property(_node_id(f"{tag.key}.EngineeringUnits"), "0:EngineeringUnits", _unit(tag.unit))
    if tag.is_writable:
        await node.set_writable()
    return node


def _unit(unit: str) -> ua.EUInformation:
    code = _UNITS.get(unit, "C62")
    return ua.EUInformation(
        NamespaceUri="http://www.opcfoundation.org/UA/units/un/cefact",
        # the code's characters as a number (OPC UA Part 8, 5.6.3)
        UnitId=ua.Int32(int.from_bytes(code.encode(), "big")),
        DisplayName=ua.LocalizedText(unit),
        Description=ua.LocalizedText(unit),
    )


async def _add_fault_method(plant: Node, elements: Mapping[str, frozenset[str]], pipe: "Connection[Any, Any]") -> None:
    def trigger(_: ua.NodeId, *arguments: ua.Variant) -> ua.StatusCode | list[ua.Variant]:
        values = [one.Value for one in arguments]
        if [type(value) for value in values] != [str, str, float]:
            return ua.StatusCode(ua.UInt32(StatusCodes.BadTypeMismatch))
        kind, element, seconds = values
        if element not in elements.get(kind, ()) or not (math.isfinite(seconds) and 0 < seconds <= LONGEST_FAULT_S):
            return ua.StatusCode(ua.UInt32(StatusCodes.BadInvalidArgument))
        pipe.send(("fault", kind, element, seconds))
        return []

    faults = await plant.add_object(_node_id("Faults"), "2:Faults")
    arguments = [ua.VariantType.String, ua.VariantType.String, ua.VariantType.Double]
    await faults.add_method(_node_id("Faults.trigger"), "2:trigger", trigger, arguments, [])


def _listen_to_writes(server: Server, nodes: dict[str, Node], pipe: "Connection[Any, Any]") -> None:
    keys = {node.nodeid: key for key, node in nodes.items()}

    def on_write(event: Any, _: Any) -> None:
        if not event.is_external:
            return
        for written, status in zip(event.request_params.NodesToWrite, event.response_params, strict=True):
            value = written.Value.Value.Value if written.Value.Value is not None else None
            if status.is_good() and written.NodeId in keys and written.AttributeId == AttributeIds.Value:
                # no number: the device says again what holds
                pipe.send(("write", keys[written.NodeId], float(value) if value is not None else math.nan))

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
    finally:
        loop.remove_reader(pipe.fileno())


async def _write(
    server: Server, nodes: dict[str, Node], reports: Sequence[tuple[str, float | None, int]], time_s: float
) -> None:
    time = ua.DateTime.fromtimestamp(time_s, UTC)
    for key, value, quality in reports:
        await server.write_attribute_value(nodes[key].nodeid, _point(value, quality, time))


def _point(value: float | None, quality: int, time: ua.DateTime | None) -> ua.DataValue:
    variant = ua.Variant(value, ua.VariantType.Double) if value is not None else ua.Variant()
    status = ua.StatusCode(ua.UInt32(quality << 16))
    return ua.DataValue(variant, status, SourceTimestamp=time, ServerTimestamp=time)
