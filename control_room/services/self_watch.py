"""The collector watches itself: a connection whose other side is this process, kept by a supervisor as every other is."""

import asyncio
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509

from control_room.core.errors import Refused
from control_room.core.options import Field
from control_room.core.ports import Driver, DriverSpec, Item, Sink
from control_room.core.samples import BAD, BAD_CONFIGURATION, GOOD, Sample
from control_room.core.system_tags import (
    ABSENCE,
    CERTIFICATE_LEFT,
    CLOCK_AHEAD,
    COLLECTOR,
    DATABASE_AWAY,
    DISK_FREE,
    DISK_LEFT,
)
from control_room.services.absence import Gap
from control_room.services.disk_forecast import DiskForecast

Clock = Callable[[], datetime]
PERIOD_S = 2.0
_FOLDER = Field("folder", "Folder", "/", help="A folder on the disk to watch.", is_required=True)
_CERTIFICATE = Field("certificate", "Certificate", "", help="A PEM file whose expiry is watched.", is_file=True)


class Absence:
    """For how long something has been away, as far as anybody looked."""

    def __init__(self, is_away: Callable[[], bool], clock: Clock) -> None:
        """Ask `is_away` at every look; `clock` returns aware UTC."""
        self._is_away = is_away
        self._clock = clock
        self._since: datetime | None = None

    def seconds(self) -> float:
        """Return the whole seconds since it was first seen away; 0 while it is there."""
        if not self._is_away():
            self._since = None
            return 0.0
        now = self._clock()
        self._since = self._since or now
        return float(int((now - self._since).total_seconds()))


def free_percent(folder: str) -> float:
    """Return the free part of the disk that holds `folder`, in tenths of a per cent. Raises OSError."""
    usage = shutil.disk_usage(folder)
    return round(100.0 * usage.free / usage.total, 1)


def left_days(certificate: Path, now: datetime) -> float:
    """Return the whole days until the PEM file's first certificate expires, negative after. Raises OSError, ValueError."""
    expires = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    return float((expires - now) // timedelta(days=1))


class Drift:
    """How far the collector's clock is ahead of the server's, as the last answer told."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._ahead_s: float | None = None

    def take(self, ahead_s: float | None) -> None:
        """Take what an answer told; None: its way was too long to tell."""
        if ahead_s is not None:
            self._ahead_s = ahead_s

    def seconds(self) -> float:
        """Return it in tenths of a second. Raises ValueError before the first answer."""
        if self._ahead_s is None:
            raise ValueError("The server has not told its time yet.")
        return round(self._ahead_s, 1)


@dataclass(frozen=True, slots=True)
class OwnState:
    """What the collector knows of itself: whether the database is away, how its clock goes, when none was there, how its disk
    fills, and `more` readings by address."""

    is_database_away: Callable[[], bool]
    drift: Drift = field(default_factory=Drift)
    gap: Gap = field(default_factory=Gap)
    more: Mapping[str, Callable[[], float]] = field(default_factory=dict)
    forecast: DiskForecast = field(default_factory=DiskForecast)


class SelfWatch:
    """Publishes what changed of the collector's own state, every `PERIOD_S`."""

    def __init__(self, folder: str, certificate: str, items: Sequence[Item], own: OwnState, clock: Clock) -> None:
        """Watch `items` by their addresses, those of core.system_tags."""
        self._items = tuple(items)
        self._gap = own.gap
        self._readings: Mapping[str, Callable[[], float]] = {
            DISK_FREE: lambda: free_percent(folder),
            DISK_LEFT: lambda: own.forecast.days(clock(), shutil.disk_usage(folder).free),
            DATABASE_AWAY: Absence(own.is_database_away, clock).seconds,
            CLOCK_AHEAD: own.drift.seconds,
            ABSENCE: lambda: 0.0,
            CERTIFICATE_LEFT: lambda: left_days(Path(certificate), clock()),
            **own.more,
        }
        self._clock = clock
        self._newest: dict[int, tuple[float | None, int]] = {}

    async def run(self, sink: Sink) -> None:
        """Say link_up, then publish until cancelled."""
        sink.link_up()
        sink.publish(self._gap.samples(self._items, self._clock()))
        while True:
            sink.publish(self.look())
            await asyncio.sleep(PERIOD_S)

    async def write(self, address: str, value: float) -> None:
        """Refuse: nothing of it can be set."""
        del value
        raise Refused(f"{address} of the collector cannot be written.", advice="It is measured.")

    async def probe(self) -> str:
        """Return that the collector answers."""
        return "The collector answers itself."

    def look(self) -> list[Sample]:
        """Return the samples of what changed since the last look."""
        now, found = self._clock(), []
        for item in self._items:
            said = self._read(item.address)
            if self._newest.get(item.tag_id) != said:
                self._newest[item.tag_id] = said
                found.append(Sample(item.tag_id, *said, now, now))
        return found

    def _read(self, address: str) -> tuple[float | None, int]:
        reading = self._readings.get(address)
        if reading is None:
            return None, BAD_CONFIGURATION
        try:
            return reading(), GOOD
        except (OSError, ValueError):
            return None, BAD


def self_watch_spec(own: OwnState, clock: Clock) -> DriverSpec:
    """Return the protocol of the collector's own tags; known only in its process."""

    def make(settings: Mapping[str, Any], items: Sequence[Item]) -> Driver:
        return SelfWatch(settings["folder"], settings["certificate"], items, own, clock)

    return DriverSpec(COLLECTOR, "Collector", (_FOLDER, _CERTIFICATE), make)
