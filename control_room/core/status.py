"""What the collector says of itself and of its links, for the status bar that tells the truth."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class LinkState(StrEnum):
    """How a link to the plant stands."""

    CONNECTING = "connecting"
    UP = "up"
    DOWN = "down"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """One connection's state since when and why, with its counters since the collector's start.

    `lag_ms` is the median of arrival minus source time in the last interval, None without values.
    """

    connection_id: int
    state: LinkState
    since: datetime
    reason: str = ""
    last_good_time: datetime | None = None
    values_per_s: float = 0.0
    lag_ms: float | None = None
    received: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class CollectorStatus:
    """The collector's heartbeat; counts since its start. `waiting` samples are received and not yet committed.

    `spooled` of them wait on the collector's disk for their turn, `spool_bytes` of at most `spool_limit_bytes`. `oldest_time`:
    when the oldest that waits arrived.
    """

    beat_time: datetime
    started_time: datetime
    host: str
    process_id: int
    received: int = 0
    stored: int = 0
    dropped: int = 0
    waiting: int = 0
    message: str = ""
    spooled: int = 0
    spool_bytes: int = 0
    spool_limit_bytes: int = 0
    oldest_time: datetime | None = None
