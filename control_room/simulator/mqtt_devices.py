"""The MQTT devices of the demo's plant, in a process of their own: one client for each outstation with a radio.

| topic | retained | payload |
|---|---|---|
| `<municipality>/<outstation>/data` | no | `{"t": "2026-03-01T06:00:00.000Z", "q": 192, "PL07": {"pressure": 41.3}}` |
| `<municipality>/<outstation>/status` | yes | `online` or `offline`; `offline` also as the outstation's last will |

`t` is the time of the measurement: ISO 8601 with its zone, or milliseconds since 1970; without it the time of arrival
counts. `q` is the quality of all values of the message: 192 good, 64 uncertain, 0 bad, 500 stale; without it 192.
A message carries what has something new to say, any number of values as members of objects; `null` is no value.

A tag's address is the data topic and the path to its value: `northfield/north-zone/data#PL07.pressure`. The status
topic is the sibling `status` of the data topic: when it says `offline`, the values of the data topic are stale. It is
also the address of the tag that tells how the outstation's link stands.
"""

import json
import signal
import socket
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

GOOD_Q, BAD_Q = 192, 0
_WAITING_MESSAGES = 1_000
_Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class DevicesOrder:
    """Which outstations speak to the broker on `port`: (municipality, outstation) of each (municipality, tag key)."""

    port: int
    outstations: Mapping[tuple[str, str], _Place]


def address_of(municipality: str, device: str, tag_key: str) -> str:
    """Return the tag's address for an MQTT client."""
    return f"{municipality}/{device}/data#{tag_key}"


def status_address(municipality: str, device: str) -> str:
    """Return the address of the outstation's link for an MQTT client."""
    return f"{municipality}/{device}/status"


class _Outstation:
    """One outstation with a radio: a client of its own, so that its last will is real."""

    def __init__(self, port: int, municipality: str, name: str) -> None:
        self._topic, self._status = f"{municipality}/{name}/data", status_address(municipality, name)
        self._port = port
        self._client: paho.Client | None = None
        self.set_cut(False)

    def set_cut(self, is_cut: bool) -> None:
        """Lose or regain the link; a lost link says no goodbye."""
        if is_cut and self._client is not None:
            client, self._client = self._client, None
            wire = client.socket()
            client.loop_stop()
            if isinstance(wire, socket.socket):
                # without DISCONNECT, so that the broker publishes the will
                wire.close()
        elif not is_cut and self._client is None:
            self._client = self._connect()

    def _connect(self) -> paho.Client:
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=self._status.replace("/", "-"))
        client.will_set(self._status, b"offline", qos=1, retain=True)
        client.reconnect_delay_set(1, 5)
        # what cannot be sent for long is lost, as on a real radio
        client.max_queued_messages_set(_WAITING_MESSAGES)
        client.on_connect = self._say_online
        client.connect_async("127.0.0.1", self._port, keepalive=10)
        client.loop_start()
        return client

    def _say_online(self, client: paho.Client, *_: Any) -> None:
        client.publish(self._status, b"online", qos=1, retain=True)

    def say(self, payload: Mapping[str, Any]) -> None:
        """Publish a payload; without a link it is lost."""
        if self._client is not None:
            self._client.publish(self._topic, json.dumps(payload).encode(), qos=1)

    def say_goodbye(self) -> None:
        """Tell that it ends, and end the session."""
        if self._client is not None:
            self._client.publish(self._status, b"offline", qos=1, retain=True)
            self._client.disconnect()

    def join(self) -> None:
        """Wait for the client's thread; one whose broker is gone ends with the process."""
        if self._client is not None and self._client.is_connected():
            self._client.loop_stop()


def run_devices(pipe: "Connection[Any, Any]") -> None:
    """Publish for the outstations of the DevicesOrder that comes first, until the pipe ends.

    Each further message is (municipality, reports, outstations without link, seconds since 1970).
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    outstations: dict[_Place, _Outstation] = {}
    try:
        order: DevicesOrder = pipe.recv()
        outstations = {place: _Outstation(order.port, *place) for place in set(order.outstations.values())}
        pipe.send(("ready",))
        while True:
            _publish(outstations, order, *pipe.recv())
    except (EOFError, OSError):
        for one in outstations.values():
            one.say_goodbye()
        for one in outstations.values():
            one.join()


def _publish(
    outstations: Mapping[_Place, _Outstation],
    order: DevicesOrder,
    municipality: str,
    reports: Sequence[tuple[str, float | None, int]],
    cut: frozenset[str],
    time_s: float,
) -> None:
    for (key, name), outstation in outstations.items():
        if key == municipality:
            outstation.set_cut(name in cut)
    for (place, _), payload in payloads(order, municipality, reports, time_s).items():
        outstations[place].say(payload)


def payloads(
    order: DevicesOrder, municipality: str, reports: Sequence[tuple[str, float | None, int]], time_s: float
) -> dict[tuple[_Place, int], dict[str, Any]]:
    """Return the payload of each outstation and quality."""
    time = datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    made: defaultdict[tuple[_Place, int], dict[str, Any]] = defaultdict(dict)
    for tag_key, value, quality in reports:
        q = GOOD_Q if quality == 0 else BAD_Q
        payload = made[order.outstations[municipality, tag_key], q]
        payload.update(t=time, q=q)
        point, _, name = tag_key.partition(".")
        payload.setdefault(point, {})[name] = value
    return made
