"""The MQTT devices of the demo's plant, in a process of their own, and the broker they speak to.

Topics of one device:

| topic | retained | payload |
|---|---|---|
| `<municipality>/<device>/data` | no | `{"t": "2026-03-01T06:00:00.000+00:00", "q": 192, "<field>": number, …}` |
| `<municipality>/<device>/status` | yes | `online` or `offline`; the broker publishes `offline` as the device's last will |

`t` is the time of the measurement (ISO 8601, or milliseconds since 1970); without it the time of arrival counts. `q` is 192
good, 64 uncertain, 0 bad or 500 stale; without it the value is good. A value of `null` is no value.
"""

import json
import signal
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from control_room.core.plant import PlantTag

GOOD_Q, BAD_Q = 192, 0


@dataclass(frozen=True, slots=True)
class DevicesOrder:
    """Which devices speak to the broker on `port`: tags with their device, by municipality key."""

    port: int
    points: Mapping[str, tuple[tuple[PlantTag, str], ...]]


def topic_of(municipality: str, device: str) -> str:
    """Return the device's data topic."""
    return f"{municipality}/{device.lower()}/data"


def field_of(tag_key: str) -> str:
    """Return the tag's field in the device's payload."""
    return tag_key.partition(".")[2]


def address_of(municipality: str, device: str, tag_key: str) -> str:
    """Return the tag's address for the MQTT driver."""
    return f"{topic_of(municipality, device)}#{field_of(tag_key)}"


class _Device:
    """One outstation with a radio: a client of its own, so that its last will is real."""

    def __init__(self, port: int, municipality: str, name: str) -> None:
        self._topic = topic_of(municipality, name)
        self._status = f"{municipality}/{name.lower()}/status"
        self._port = port
        self._client: paho.Client | None = None

    def set_cut(self, is_cut: bool) -> None:
        """Lose or regain the link; a lost link says no goodbye."""
        if is_cut and self._client is not None:
            client, self._client = self._client, None
            sock = client.socket()
            client.loop_stop()
            if sock is not None:
                # without DISCONNECT, so that the broker publishes the will
                sock.close()
        elif not is_cut and self._client is None:
            self._client = self._connect()

    def _connect(self) -> paho.Client:
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=self._status.replace("/", "-"))
        client.will_set(self._status, b"offline", qos=1, retain=True)
        client.reconnect_delay_set(1, 5)
        client.on_connect = self._say_online
        client.connect_async("127.0.0.1", self._port, keepalive=10)
        client.loop_start()
        return client

    def _say_online(self, client: paho.Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        client.publish(self._status, b"online", qos=1, retain=True)

    def say(self, payload: Mapping[str, Any]) -> None:
        """Publish a payload; without a link it is lost, as on a real radio."""
        if self._client is not None:
            self._client.publish(self._topic, json.dumps(payload).encode(), qos=1)

    def close(self) -> None:
        """Say goodbye."""
        if self._client is not None:
            self._client.publish(self._status, b"offline", qos=1, retain=True)
            self._client.disconnect()
            self._client.loop_stop()


def run_devices(order: DevicesOrder, pipe: "Connection[Any, Any]") -> None:
    """Publish what the outstations report, (municipality, reports, {device: is cut}, seconds), until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    device_of = {(key, tag.key): device for key, points in order.points.items() for tag, device in points}
    devices = {
        (key, device): _Device(order.port, key, device)
        for key, points in order.points.items()
        for device in {device for _, device in points}
    }
    for one in devices.values():
        one.set_cut(False)
    pipe.send(("ready",))
    try:
        while True:
            _publish(devices, device_of, *pipe.recv())
    except (EOFError, ConnectionError):
        for one in devices.values():
            one.close()


def _publish(
    devices: Mapping[tuple[str, str], _Device],
    device_of: Mapping[tuple[str, str], str],
    municipality: str,
    reports: Sequence[tuple[str, float | None, int]],
    cut: Mapping[str, bool],
    time_s: float,
) -> None:
    for (key, name), device in devices.items():
        if key == municipality:
            device.set_cut(cut.get(name, False))
    time = datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds")
    payloads: defaultdict[tuple[str, int], dict[str, Any]] = defaultdict(lambda: {"t": time})
    for tag_key, value, quality in reports:
        device_name = device_of.get((municipality, tag_key))
        if device_name is not None:
            q = GOOD_Q if quality == 0 else BAD_Q
            payloads[device_name, q].update({"q": q, field_of(tag_key): value})
    for (name, _), payload in payloads.items():
        devices[municipality, name].say(payload)
