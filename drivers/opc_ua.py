"""OPC UA client: data change subscriptions on the services of asyncua, without its high-level Subscription.

That class keeps one object and one queue entry for every value, forgets items when a re-creation fails and may
republish for ever; here a whole notification becomes a list of samples at once, the list of wanted items is our own, and
a link that fails is thrown away and made anew by the supervisor. Sections named are of OPC UA Part 4.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil, isfinite
from typing import Any

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from control_room.core.errors import LinkLost, Refused, WrongCredentials
from control_room.core.options import Field
from control_room.core.ports import Driver, DriverSpec, Item, Sink
from control_room.core.samples import BAD, BAD_CONFIGURATION, Sample

log = logging.getLogger(__name__)

CHUNK = 1_000
KEEP_ALIVE_S = 5.0
# keep-alives that may be missing before the link counts as lost
KEEP_ALIVES_MISSED = 3
LIFETIME_S = 60.0
CLOSE_TIMEOUT_S = 2.0
_STALLED_S = 1.0
# 1601-01-01 is the zero of a DateTime (Part 6, 5.2.2.5); some servers count it in local time
_CALENDAR_BEGIN = datetime(1602, 1, 1, tzinfo=UTC)
_SEQUENCES = 0xFFFFFFFF  # numbers of messages, from 1 (5.13.1.1)
_LONGEST_GAP = 1_000  # what is longer, or goes back, comes from a server that counts in its own way
_LONGEST_QUEUE = 1_000
_OVERFLOW = 0x0480  # InfoType DataValue and the overflow bit (7.39.1)

FIELDS = (
    Field("endpoint", "Endpoint", "", "opc.tcp://host:port/path", is_required=True),
    Field("user", "User name", "", "empty for anonymous"),
    Field("password", "Password", "", is_secret=True),
    Field("publish_ms", "Publishing interval in ms", 250.0, low=50.0, high=60_000.0),
    Field("sampling_ms", "Sampling interval in ms", 100.0, low=0.0, high=60_000.0),
    Field("buffer_s", "Seconds that the server keeps while the line stalls", 10.0, low=0.0, high=3_600.0),
    Field("timeout_s", "Answer expected within seconds", 5.0, low=0.5, high=60.0),
)
_REFUSED = frozenset(
    {
        StatusCodes.BadUserAccessDenied,
        StatusCodes.BadIdentityTokenInvalid,
        StatusCodes.BadIdentityTokenRejected,
    }
)


@dataclass(frozen=True, slots=True)
class _Settings:
    endpoint: str
    user: str
    password: str
    publish_ms: float
    sampling_ms: float
    buffer_s: float
    timeout_s: float

    @property
    def queue_size(self) -> int:
        """Return how many values of an item the server is asked to keep: its own limit may be lower (5.12.1.5)."""
        kept_ms = max(self.publish_ms, self.buffer_s * 1_000)
        return min(ceil(kept_ms / max(self.sampling_ms, 1.0)) + 2, _LONGEST_QUEUE)


class OpcUaDriver:
    """One attempt at one OPC UA server."""

    def __init__(self, settings: Mapping[str, Any], items: Sequence[Item]) -> None:
        """Keep the settings (checked by FIELDS) and the wanted items; addresses are NodeIds as text."""
        self._settings = _Settings(**settings)
        self._items = tuple(items)
        self._client: Client | None = None

    async def run(self, sink: Sink) -> None:
        """Subscribe every item and publish its changes until cancelled. Raises LinkLost or WrongCredentials."""
        async with self._session() as client:
            feed = _Feed(client, self._settings, sink)
            with _translated(self._settings.endpoint):
                await feed.subscribe(self._items)
            self._client = client
            sink.link_up()
            await feed.watch()

    async def write(self, address: str, value: float) -> None:
        """Write in the node's own type, without a timestamp (many servers refuse one); raises LinkLost or Refused."""
        if self._client is None:
            raise LinkLost("The link to the server is down.", advice="Try again when the link is up.")
        try:
            node = self._client.get_node(_node_id(address))
        except (UaError, ValueError) as fault:
            raise Refused(f"'{address}' is no NodeId.", advice="Correct the tag's address.") from fault
        with _translated(self._settings.endpoint):
            try:
                kind = await node.read_data_type_as_variant_type()
                number = _as(kind, value, address)
                await node.write_attribute(AttributeIds.Value, ua.DataValue(ua.Variant(number, kind)))
            except UaStatusCodeError as fault:
                if fault.code in _CONNECTION_CODES:
                    raise
                raise Refused(
                    f"The server refused to write {address}: {_name(fault.code)}.", advice="Check the right to write."
                ) from fault

    async def probe(self) -> str:
        """Return what server answered and how many items it knows. Raises LinkLost or WrongCredentials."""
        async with self._session() as client:
            with _translated(self._settings.endpoint):
                build = await client.nodes.server.get_child(["0:ServerStatus", "0:BuildInfo", "0:ProductName"])
                product = await build.read_value()
                values = await client.uaclient.read_attributes(
                    [_node_id(item.address) for item in self._items], AttributeIds.Value
                )
        known = sum(value.StatusCode is None or not _is_unknown(value.StatusCode) for value in values)
        return f"{product} answers; it knows {known} of {len(self._items)} items."

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Client]:
        settings = self._settings
        with _translated(settings.endpoint):
            client = Client(settings.endpoint, timeout=settings.timeout_s)
            client.session_timeout = int(LIFETIME_S * 2_000)
            if settings.user:
                client.set_user(settings.user)
                client.set_password(settings.password)
        try:
            with _translated(settings.endpoint):
                async with asyncio.timeout(settings.timeout_s * 2):
                    await client.connect()
            yield client
        finally:
            self._client = None
            await _close(client)


async def _close(client: Client) -> None:
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await client.disconnect()
    except (TimeoutError, OSError, UaError):
        # what cannot be said goodbye to is simply left
        client.uaclient.disconnect_socket()


@contextmanager
def _translated(endpoint: str) -> Iterator[None]:
    try:
        yield
    except UaStatusCodeError as fault:
        if fault.code in _REFUSED:
            raise WrongCredentials(
                f"{endpoint} refused the user name or password.", advice="Correct them in the connection's settings."
            ) from fault
        raise LinkLost(f"{endpoint} answered {_name(fault.code)}.", advice="Check the server and its log.") from fault
    except TimeoutError as fault:
        raise LinkLost(
            f"{endpoint} does not answer as an OPC UA server.", advice="Check host, port and whether the server runs."
        ) from fault
    except (OSError, UaError, ValueError) as fault:
        raise LinkLost(f"{endpoint} cannot be reached ({fault}).", advice="Check host, port and network.") from fault


# integers: whether they have a sign, and their bits (Part 6, 5.1.2)
_BITS = {
    ua.VariantType.SByte: (True, 8),
    ua.VariantType.Byte: (False, 8),
    ua.VariantType.Int16: (True, 16),
    ua.VariantType.UInt16: (False, 16),
    ua.VariantType.Int32: (True, 32),
    ua.VariantType.UInt32: (False, 32),
    ua.VariantType.Int64: (True, 64),
    ua.VariantType.UInt64: (False, 64),
}
_CONNECTION_CODES = frozenset(
    {
        StatusCodes.BadConnectionClosed,
        StatusCodes.BadSessionClosed,
        StatusCodes.BadSessionIdInvalid,
        StatusCodes.BadSecureChannelClosed,
        StatusCodes.BadSubscriptionIdInvalid,
        StatusCodes.BadTimeout,
    }
)


def _name(code: int) -> str:
    return str(ua.StatusCode(ua.UInt32(code)).name)


def _node_id(address: str) -> ua.NodeId:
    return ua.NodeId.from_string(address)


def _is_unknown(status: ua.StatusCode) -> bool:
    return status.value in (StatusCodes.BadNodeIdUnknown, StatusCodes.BadNodeIdInvalid)


def _as(kind: ua.VariantType, value: float, address: str) -> bool | int | float:
    """Return the value in the node's type. Raises Refused when the type holds no such number."""
    if kind is ua.VariantType.Boolean:
        return bool(value)
    if kind in (ua.VariantType.Float, ua.VariantType.Double):
        return value
    if kind not in _BITS:
        raise Refused(f"{address} holds no number but {kind.name}.", advice="Correct the tag's address.")
    is_signed, bits = _BITS[kind]
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if is_signed else (0, 2**bits - 1)
    if not low <= value <= high:
        raise Refused(f"{address} holds numbers from {low} to {high}.", advice="Write one of these.")
    return round(value)


class _Feed:
    """One subscription: from publish responses to samples."""

    def __init__(self, client: Client, settings: _Settings, sink: Sink) -> None:
        self._client = client
        self._settings = settings
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._heard = self._loop.time()
        self._silence_s = KEEP_ALIVE_S * KEEP_ALIVES_MISSED
        self._next_sequence = 1
        self._has_gap = False
        self._nodes: dict[int, ua.NodeId] = {}
        self._lost: asyncio.Future[str] = self._loop.create_future()
        client.connection_lost_callback = self._on_lost

    async def _on_lost(self, fault: Exception) -> None:
        self._fail(str(fault) or type(fault).__name__)

    def _fail(self, reason: str) -> None:
        if not self._lost.done():
            self._lost.set_result(reason)

    async def subscribe(self, items: Sequence[Item]) -> None:
        """Create the subscription and its items; an item that the server refuses becomes a bad sample."""
        wanted = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=self._settings.publish_ms,
            RequestedMaxKeepAliveCount=max(1, round(KEEP_ALIVE_S * 1_000 / self._settings.publish_ms)),
            RequestedLifetimeCount=round(LIFETIME_S * 1_000 / self._settings.publish_ms),
            MaxNotificationsPerPublish=10_000,
            PublishingEnabled=True,
            Priority=0,
        )
        made = await self._client.uaclient.create_subscription(wanted, self._take)
        keep_alive_s = made.RevisedPublishingInterval * made.RevisedMaxKeepAliveCount / 1_000
        self._silence_s = max(keep_alive_s, 0.1) * KEEP_ALIVES_MISSED
        good = self._parse(items)
        for first in range(0, len(good), CHUNK):
            await self._add(made.SubscriptionId, good[first : first + CHUNK])

    def _parse(self, items: Sequence[Item]) -> list[Item]:
        good = []
        for item in items:
            try:
                self._nodes[item.tag_id] = _node_id(item.address)
                good.append(item)
            except (UaError, ValueError):
                self._refuse(item, BAD_CONFIGURATION, "its address is no NodeId")
        return good

    async def _add(self, subscription_id: int, items: Sequence[Item]) -> None:
        request = ua.CreateMonitoredItemsParameters(
            SubscriptionId=subscription_id,
            TimestampsToReturn=ua.TimestampsToReturn.Both,
            ItemsToCreate=[self._request(item) for item in items],
        )
        results = await self._client.uaclient.create_monitored_items(request)
        for item, result in zip(items, results, strict=True):
            if result.StatusCode.is_bad():
                self._refuse(item, result.StatusCode.value >> 16, result.StatusCode.name)

    def _request(self, item: Item) -> ua.MonitoredItemCreateRequest:
        parameters = ua.MonitoringParameters(
            ClientHandle=item.tag_id,
            SamplingInterval=self._settings.sampling_ms,
            QueueSize=self._settings.queue_size,
            DiscardOldest=True,
        )
        node = ua.ReadValueId(NodeId=self._nodes[item.tag_id], AttributeId=AttributeIds.Value)
        return ua.MonitoredItemCreateRequest(node, ua.MonitoringMode.Reporting, parameters)

    def _refuse(self, item: Item, quality: int, why: str) -> None:
        log.info("%s: item %s cannot be subscribed: %s", self._settings.endpoint, item.address, why)
        now = datetime.now(UTC)
        self._nodes.pop(item.tag_id, None)
        self._sink.publish([Sample(item.tag_id, None, quality, now, now)])

    def _take(self, result: ua.PublishResult) -> None:
        """Take a publish response, on the loop; every message, empty or not, shows that the subscription lives (5.13.1)."""
        self._heard = self._loop.time()
        message = result.NotificationMessage
        if not message.NotificationData:
            return
        if message.SequenceNumber:
            # numbers count up by one and roll over to 1; a jump means that a message was lost (5.13.1.1). asyncua's own
            # messages about a lost connection have the number 0
            if missed := (message.SequenceNumber - self._next_sequence) % _SEQUENCES:
                self._has_gap = True
                # nobody knows what was in them: at least one value each
                self._sink.link_dropped(missed if missed < _LONGEST_GAP else 1)
            self._next_sequence = message.SequenceNumber % _SEQUENCES + 1
        now = datetime.now(UTC)
        for notification in message.NotificationData:
            if isinstance(notification, ua.DataChangeNotification):
                self._publish([(item.ClientHandle, item.Value) for item in notification.MonitoredItems], now)
            elif isinstance(notification, ua.StatusChangeNotification):
                self._fail(f"the server ended the subscription: {_name(notification.Status.value)}")

    def _publish(self, values: Sequence[tuple[int, ua.DataValue]], now: datetime) -> None:
        overflows = sum(value.StatusCode.value & _OVERFLOW == _OVERFLOW for _, value in values if value.StatusCode)
        if overflows:
            self._sink.link_dropped(overflows)
        self._sink.publish([_sample(tag_id, value, now) for tag_id, value in values])

    async def watch(self) -> None:
        """Wait until the link is lost; raises LinkLost with the reason."""
        turn_s, looked = min(1.0, self._silence_s / 4), self._loop.time()
        while not self._lost.done():
            await asyncio.wait([self._lost], timeout=turn_s)
            before, looked = looked, self._loop.time()
            if looked - before > turn_s + _STALLED_S:
                # this program itself stood still: what the server sent meanwhile has not been read yet
                self._heard = looked
            if self._loop.time() - self._heard > self._silence_s:
                self._fail(f"nothing was heard for {self._silence_s:.1f} s")
            if self._has_gap:
                self._has_gap = False
                log.warning("%s: a message was lost, all values are read anew", self._settings.endpoint)
                with _translated(self._settings.endpoint):
                    await self._read_all()
        raise LinkLost(f"{self._settings.endpoint}: {self._lost.result()}.", advice="Check the server and the network.")

    async def _read_all(self) -> None:
        tag_ids = list(self._nodes)
        for first in range(0, len(tag_ids), CHUNK):
            chunk = tag_ids[first : first + CHUNK]
            values = await self._client.uaclient.read_attributes(
                [self._nodes[one] for one in chunk], AttributeIds.Value
            )
            self._publish(list(zip(chunk, values, strict=True)), datetime.now(UTC))


def _sample(tag_id: int, value: ua.DataValue, now: datetime) -> Sample:
    quality = value.StatusCode.value >> 16 if value.StatusCode is not None else 0
    number = value.Value.Value if value.Value is not None else None
    stated = (time.replace(tzinfo=UTC) for time in (value.SourceTimestamp, value.ServerTimestamp) if time is not None)
    # servers that know no time send the beginning of OPC UA's calendar
    time = next((time for time in stated if time > _CALENDAR_BEGIN), now)
    if number is not None and not (isinstance(number, bool | int | float) and isfinite(number)):
        number, quality = None, max(quality, BAD)
    if number is None and quality < BAD:
        quality = BAD
    return Sample(tag_id, None if number is None else float(number), quality, time, now)


def _make(settings: Mapping[str, Any], items: Sequence[Item]) -> Driver:
    return OpcUaDriver(settings, items)


SPEC = DriverSpec("opc_ua", "OPC UA", FIELDS, _make)
