"""MQTT client for JSON payloads (see handbook, MQTT payloads): MQTT 5, or 3.1.1 where the broker speaks no 5.

paho's network thread brings messages to the inbox; everything else happens on the loop. One client is one attempt:
paho's own reconnecting is off, the supervisor reconnects.
"""

import asyncio
import json
import logging
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from control_room.core.errors import LinkLost, Refused, WrongCredentials
from control_room.core.options import Field
from control_room.core.ports import LINK_IS_LOST, LINK_IS_UP, Driver, DriverSpec, Item, Sink
from control_room.core.samples import (
    BAD,
    BAD_CONFIGURATION,
    BAD_DEVICE_FAILURE,
    GOOD,
    UNCERTAIN,
    UNCERTAIN_LAST_USABLE,
    UNCERTAIN_NO_COMMUNICATION_LAST_USABLE,
    Sample,
    never_seen,
    stale,
)
from drivers.inbox import Inbox

log = logging.getLogger(__name__)

CAPACITY = 100_000
PAYLOAD_LIMIT_BYTES = 1_000_000
TOPIC_LIMIT_BYTES = 65_535
CLOSE_TIMEOUT_S = 2.0
# more topics than this are subscribed by one wildcard
TOPICS_LIMIT = 500
_FAILURE = 128
# a broker of MQTT 5 says that it took a message and nobody has subscribed to it (reason 0x10)
_NOBODY = 16

FIELDS = (
    Field("host", "Host", "", is_required=True),
    Field("port", "Port", 1883, low=1, high=65_535),
    Field("user", "User name", "", "empty for anonymous"),
    Field("password", "Password", "", is_secret=True),
    Field("base_topic", "Base topic", "", "what all topics of this connection begin with"),
    Field("protocol", "Protocol", "auto", choices=("auto", "5", "3.1.1")),
    Field("use_tls", "Encrypt (TLS)", False),
    Field("ca_file", "Certificate authority", "", "file in PEM; empty for those that this machine trusts"),
    Field("keepalive_s", "Keep-alive in s", 15, low=2, high=3_600),
    Field("timeout_s", "Answer expected within seconds", 5.0, low=0.5, high=60.0),
)
# what a status topic says
_WORDS = {b"online": LINK_IS_UP, b"offline": LINK_IS_LOST}
# OPC DA qualities, which Sparkplug and most devices use
_QUALITIES = {0: BAD, 64: UNCERTAIN, 192: GOOD, 500: UNCERTAIN_NO_COMMUNICATION_LAST_USABLE}


@dataclass(frozen=True, slots=True)
class _Message:
    topic: str
    payload: bytes
    arrival_time: datetime
    is_retained: bool = False


def split_address(address: str) -> tuple[str, tuple[str, ...]]:
    """Return (topic, path into the JSON payload); without '#path' the payload itself is the number."""
    topic, _, path = address.partition("#")
    return topic, tuple(part for part in path.split(".") if part)


def status_topic(topic: str) -> str:
    """Return the device's availability topic: the sibling `status` of its data topic."""
    return f"{topic.rpartition('/')[0]}/status"


def is_topic(topic: str) -> bool:
    """Return whether a broker takes the name; for another one it closes the connection (MQTT 5.0, 1.5.4 and 4.7)."""
    try:
        size = len(topic.encode())
    except UnicodeEncodeError:
        # half of a surrogate pair
        return False
    return 0 < size <= TOPIC_LIMIT_BYTES and not any(one in topic for one in "+#\0")


class MqttDriver:
    """One attempt at one broker."""

    def __init__(self, settings: Mapping[str, Any], items: Sequence[Item]) -> None:
        """Keep the settings (checked by FIELDS) and the wanted items; addresses are 'topic#json.path'."""
        self._settings = dict(settings)
        self._items = tuple(items)
        self._session: _Session | None = None

    async def run(self, sink: Sink) -> None:
        """Subscribe and publish until cancelled. Raises LinkLost or WrongCredentials."""
        readings = Readings(self._items, sink)

        def take(messages: list[_Message]) -> None:
            sink.link_dropped(inbox.take_dropped())
            readings.take(messages)

        inbox = Inbox(take, CAPACITY)
        async with self._connected(inbox) as session:
            await session.subscribe(readings.topics(self._settings["base_topic"]))
            self._session = session
            sink.link_up()
            raise await session.lost

    async def write(self, address: str, value: float) -> None:
        """Publish {"path": value, "t": now} to the device's `command` topic and wait for the broker's acknowledgement."""
        if self._session is None:
            raise LinkLost("The link to the broker is down.", advice="Try again when the link is up.")
        topic, path = split_address(address)
        device = topic.rpartition("/")[0]
        if not is_topic(device):
            raise Refused(f"'{address}' names no device.", advice="Correct the tag's address.")
        command = {".".join(path) or "value": value, "t": datetime.now(UTC).isoformat()}
        await self._session.publish(f"{device}/command", json.dumps(command).encode())

    async def probe(self) -> str:
        """Return which protocol the broker speaks. Raises LinkLost or WrongCredentials."""
        async with self._connected(Inbox(lambda _: None, 1)) as session:
            return f"The broker answers and speaks MQTT {session.protocol}."

    @asynccontextmanager
    async def _connected(self, inbox: Inbox[_Message]) -> AsyncIterator["_Session"]:
        wanted = self._settings["protocol"]
        session = _Session(self._settings, inbox, "5" if wanted == "auto" else wanted)
        try:
            try:
                await session.connect()
            except _OtherProtocol:
                if wanted != "auto":
                    raise
                await session.close()
                session = _Session(self._settings, inbox, "3.1.1")
                await session.connect()
            yield session
        finally:
            self._session = None
            await session.close()


class _OtherProtocol(LinkLost):
    """The broker does not speak the protocol that was tried."""


class _Session:
    """A paho client on a thread of its own; what it says arrives on the loop as futures."""

    def __init__(self, settings: Mapping[str, Any], inbox: Inbox[_Message], protocol: str) -> None:
        self._settings = settings
        self._inbox = inbox
        self._loop = asyncio.get_running_loop()
        self.protocol = protocol
        self._where = f"{settings['host']}:{settings['port']}"
        self.lost: asyncio.Future[LinkLost] = self._loop.create_future()
        self._connack: asyncio.Future[int] = self._loop.create_future()
        self._ended = asyncio.Event()
        self._is_closing = False
        self._answers: dict[int, asyncio.Future[None]] = {}
        self._client = self._make()
        self._thread = threading.Thread(target=self._run, name=f"mqtt-{self._where}", daemon=True)

    def _make(self) -> paho.Client:
        version = MQTTProtocolVersion.MQTTv5 if self.protocol == "5" else MQTTProtocolVersion.MQTTv311
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=version, reconnect_on_failure=False)
        settings = self._settings
        client.connect_timeout = settings["timeout_s"]
        client.suppress_exceptions = True
        client.max_inflight_messages_set(100)
        client.max_queued_messages_set(1_000)
        if settings["user"]:
            client.username_pw_set(settings["user"], settings["password"])
        if settings["use_tls"]:
            client.tls_set(ca_certs=settings["ca_file"] or None)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        return client

    # on paho's thread

    def _run(self) -> None:
        try:
            arguments: dict[str, Any] = {"clean_start": True} if self.protocol == "5" else {}
            self._client.connect(
                self._settings["host"], self._settings["port"], self._settings["keepalive_s"], **arguments
            )
            if self._is_closing:
                # close() came before there was a socket: paho forgets it as it connects
                self._client.disconnect()
            self._client.loop_forever(retry_first_connection=False)
            reason = "the broker closed the connection"
        except (OSError, ValueError) as fault:
            reason = str(fault) or type(fault).__name__
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end, reason)

    def _on_connect(self, client: paho.Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
        self._loop.call_soon_threadsafe(self._connected, reason.value)

    def _on_disconnect(
        self, client: paho.Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Any
    ) -> None:
        self._loop.call_soon_threadsafe(self._lose, str(reason))

    def _on_message(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        self._inbox.put(_Message(message.topic, bytes(message.payload), datetime.now(UTC), message.retain))

    def _on_subscribe(
        self, client: paho.Client, userdata: Any, mid: int, reasons: list[ReasonCode], properties: Any
    ) -> None:
        refused = sum(reason.value >= _FAILURE for reason in reasons)
        self._loop.call_soon_threadsafe(self._answer, mid, refused)

    def _on_publish(self, client: paho.Client, userdata: Any, mid: int, reason: ReasonCode, properties: Any) -> None:
        if reason.value == _NOBODY:
            self._loop.call_soon_threadsafe(self._unheard, mid)
        else:
            self._loop.call_soon_threadsafe(self._answer, mid, int(reason.value >= _FAILURE))

    # on the loop

    def _connected(self, code: int) -> None:
        if not self._connack.done():
            self._connack.set_result(code)

    def _end(self, reason: str) -> None:
        self._lose(reason)
        self._ended.set()

    def _lose(self, reason: str) -> None:
        fault = LinkLost(f"{self._where}: {reason}.", advice="Check the broker and the network.")
        if not self.lost.done():
            self.lost.set_result(fault)

    def _unheard(self, mid: int) -> None:
        answer = self._answers.setdefault(mid, self._loop.create_future())
        if not answer.done():
            answer.set_exception(
                Refused("No device listens to this command.", advice="Check that the device is on line.")
            )

    def _answer(self, mid: int, refused: int) -> None:
        answer = self._answers.setdefault(mid, self._loop.create_future())
        if answer.done():
            return
        if refused:
            answer.set_exception(
                WrongCredentials(
                    f"{self._where} refused {refused} topics.", advice="Ask for the right to read them on the broker."
                )
            )
        else:
            answer.set_result(None)

    async def connect(self) -> None:
        """Connect; raises LinkLost, WrongCredentials or _OtherProtocol."""
        self._thread.start()
        waiting: list[asyncio.Future[Any]] = [self._connack, self.lost]
        timeout_s = self._settings["timeout_s"] * 2
        await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if self._connack.done():
            self._check(self._connack.result())
        elif self.lost.done():
            # a broker of the older kind may simply hang up when it reads the newer protocol's number
            kind = _OtherProtocol if "closed" in str(self.lost.result()) and self.protocol == "5" else LinkLost
            raise kind(str(self.lost.result().args[0]), advice=self.lost.result().advice)
        else:
            raise LinkLost(
                f"{self._where} does not answer as an MQTT broker.", advice="Check host, port and whether it runs."
            )

    def _check(self, code: int) -> None:
        if code == 0:
            return
        name = ReasonCode(PacketTypes.CONNACK, identifier=code).getName() if code >= _FAILURE else str(code)
        # MQTT 5: 134 bad user name or password, 135 not authorised; paho maps the older codes to these
        if code in (134, 135):
            raise WrongCredentials(
                f"{self._where} refused the user name or password.", advice="Correct them in the connection's settings."
            )
        kind = _OtherProtocol if code in (129, 130, 132) else LinkLost
        raise kind(f"{self._where} refused the connection ({name}).", advice="Look at the broker's log.")

    async def subscribe(self, topics: Sequence[str]) -> None:
        """Subscribe all topics with QoS 1; raises LinkLost, or WrongCredentials when one is refused."""
        for first in range(0, len(topics), 100):
            result, mid = self._client.subscribe([(topic, 1) for topic in topics[first : first + 100]])
            await self._acknowledged(result, mid)

    async def publish(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 1 and wait for the broker's acknowledgement."""
        sent = self._client.publish(topic, payload, qos=1)
        await self._acknowledged(sent.rc, sent.mid)

    async def _acknowledged(self, result: MQTTErrorCode, mid: int | None) -> None:
        if result != MQTTErrorCode.MQTT_ERR_SUCCESS or mid is None:
            raise LinkLost(f"{self._where}: {paho.error_string(result)}", advice="It is tried again by itself.")
        answer = self._answers.setdefault(mid, self._loop.create_future())
        try:
            async with asyncio.timeout(self._settings["timeout_s"]):
                await answer
        except TimeoutError as fault:
            raise LinkLost(f"{self._where} does not acknowledge.", advice="Check the broker.") from fault
        finally:
            self._answers.pop(mid, None)

    async def close(self) -> None:
        """Say goodbye and let the thread end; one that hangs in the network is left behind, it is a daemon."""
        if not self._thread.is_alive():
            return
        self._is_closing = True
        self._client.disconnect()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._ended.wait()
        except TimeoutError:
            log.info("%s: the network thread does not end in time", self._where)


@dataclass(slots=True)
class _Device:
    """The tags of one availability topic: what the device measures, and what tells how its link stands."""

    tag_ids: list[int] = field(default_factory=list)
    link_ids: list[int] = field(default_factory=list)


class Readings:
    """From payloads to samples."""

    def __init__(self, items: Sequence[Item], sink: Sink) -> None:
        """Take the wanted items by topic."""
        self._sink = sink
        self._newest: dict[int, Sample] = {}
        self._by_topic: defaultdict[str, list[tuple[int, tuple[str, ...]]]] = defaultdict(list)
        self._by_status: defaultdict[str, _Device] = defaultdict(_Device)
        self._broken: set[str] = set()
        for item in items:
            topic, path = split_address(item.address)
            if is_topic(topic):
                self._by_topic[topic].append((item.tag_id, path))
                device = self._by_status[status_topic(topic)]
                is_link = topic == status_topic(topic) and not path
                (device.link_ids if is_link else device.tag_ids).append(item.tag_id)
            else:
                now = datetime.now(UTC)
                sink.publish([Sample(item.tag_id, None, BAD_CONFIGURATION, now, now)])

    def topics(self, base_topic: str) -> list[str]:
        """Return what to subscribe: every topic, or one wildcard when there are very many."""
        topics = sorted({*self._by_topic, *self._by_status})
        if len(topics) > TOPICS_LIMIT and base_topic and all(topic.startswith(f"{base_topic}/") for topic in topics):
            return [f"{base_topic}/#"]
        return topics

    def take(self, messages: Sequence[_Message]) -> None:
        """Publish what the messages say; a payload that is not understood makes its tags bad."""
        samples: list[Sample] = []
        for message in messages:
            found: list[Sample] = []
            if message.topic in self._by_status and (word := message.payload.strip().lower()) in _WORDS:
                found = self._availability(message, _WORDS[word])
            elif message.topic in self._by_topic:
                found = self._read(message)
            # before the next message: a device may measure and go offline within one burst
            self._newest.update((sample.tag_id, sample) for sample in found)
            samples += found
        if samples:
            self._sink.publish(samples)

    def _read(self, message: _Message) -> list[Sample]:
        wanted = self._by_topic[message.topic]
        try:
            content = parse(message.payload)
            stated, quality = _time(content), _quality(content)
            self._broken.discard(message.topic)
        except ValueError as fault:
            if message.topic not in self._broken:
                log.warning("%s: a payload is not understood: %s", message.topic, fault)
            self._broken.add(message.topic)
            now = message.arrival_time
            return [Sample(tag_id, None, BAD_DEVICE_FAILURE, now, now) for tag_id, _ in wanted]
        if stated is None and message.is_retained:
            # the broker kept it, nobody knows how long
            quality = max(quality, UNCERTAIN_LAST_USABLE)
        time = stated or message.arrival_time
        samples = (_sample(tag_id, content, path, time, quality, message.arrival_time) for tag_id, path in wanted)
        return [sample for sample in samples if sample is not None]

    def _availability(self, message: _Message, link: float) -> list[Sample]:
        device, now = self._by_status[message.topic], message.arrival_time
        # good also when the broker kept it: a device that is gone has left its last will in its place
        links = [Sample(tag_id, link, GOOD, now, now) for tag_id in device.link_ids]
        if link == LINK_IS_UP:
            # what it measures now, it will say
            return links
        lost = (
            stale(self._newest[tag_id], now) if tag_id in self._newest else never_seen(tag_id, now)
            for tag_id in device.tag_ids
        )
        return [*links, *lost]


def parse(payload: bytes) -> Any:
    """Return the JSON content; raises ValueError for anything else."""
    if len(payload) > PAYLOAD_LIMIT_BYTES:
        raise ValueError(f"it is larger than {PAYLOAD_LIMIT_BYTES} bytes")
    try:
        return json.loads(payload)
    except RecursionError as fault:
        raise ValueError("it is nested too deeply") from fault


def _time(content: Any) -> datetime | None:
    stated = content.get("t") if isinstance(content, dict) else None
    if stated is None:
        return None
    try:
        if isinstance(stated, str):
            time = datetime.fromisoformat(stated)
            return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
        return datetime.fromtimestamp(float(stated) / 1_000, UTC)
    except (TypeError, OverflowError, OSError, ValueError) as fault:
        raise ValueError(f"its time 't' is {stated!r}") from fault


def _quality(content: Any) -> int:
    stated = content.get("q", 192) if isinstance(content, dict) else 192
    # bool is an int in Python, and True is no quality
    if type(stated) is not int or stated not in _QUALITIES:
        raise ValueError(f"its quality 'q' is {stated!r}")
    return _QUALITIES[stated]


def _sample(
    tag_id: int, content: Any, path: tuple[str, ...], time: datetime, quality: int, arrival_time: datetime
) -> Sample | None:
    """Return the sample at the path; None when this message does not speak of it."""
    for part in path:
        if not isinstance(content, dict) or part not in content:
            return None
        content = content[part]
    if isinstance(content, bool | int | float):
        try:
            value = float(content)
        except OverflowError:
            value = float("inf")
        if isfinite(value):
            return Sample(tag_id, value, quality, time, arrival_time)
    return Sample(tag_id, None, max(quality, BAD_DEVICE_FAILURE), time, arrival_time)


def _make(settings: Mapping[str, Any], items: Sequence[Item]) -> Driver:
    return MqttDriver(settings, items)


SPEC = DriverSpec("mqtt", "MQTT", FIELDS, _make)
