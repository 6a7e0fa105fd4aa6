"""The ports: what services need of drivers and of the database, so that they know neither.

Every coroutine of a store raises DatabaseUnavailable when PostgreSQL does not answer; then nothing of it was stored.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from control_room.core.alarms import Alarm, AlarmRule, ProcessChange
from control_room.core.options import Field
from control_room.core.sample_rows import NO_ROWS
from control_room.core.samples import Sample
from control_room.core.status import CollectorStatus, LinkStatus
from control_room.core.suppression import CauseChange, CauseState, Suppression
from control_room.core.tags import Connection, Municipality, Tag

# a tag with this address tells how its connection stands: LINK_IS_UP or LINK_IS_LOST, said by the supervisor itself
LINK_ADDRESS = "$link"
LINK_IS_UP, LINK_IS_LOST = 0.0, 1.0


@dataclass(frozen=True, slots=True)
class Item:
    """One tag as a driver knows it."""

    tag_id: int
    address: str


class Sink(Protocol):
    """Takes what a driver brings; called on the collector's loop."""

    def publish(self, samples: Sequence[Sample]) -> None:
        """Take samples in the order of their arrival."""

    def link_up(self) -> None:
        """Say that the link stands and all items that the other side knows are subscribed."""

    def link_dropped(self, count: int) -> None:
        """Say that `count` values were lost before they could become samples."""


class Driver(Protocol):
    """One attempt at one link: made anew by the supervisor for every attempt, never used again."""

    async def run(self, sink: Sink) -> None:
        """Connect, say link_up, publish until cancelled. Raises LinkLost (with advice) when the link fails or breaks."""

    async def write(self, address: str, value: float) -> None:
        """Write `value` to the point at `address`, return when the other side took it. Raises LinkLost or Refused."""

    async def probe(self) -> str:
        """Connect once, return a sentence on what answered, disconnect. Raises LinkLost."""


@dataclass(frozen=True, slots=True)
class DriverSpec:
    """A protocol: what a `drivers/x.py` declares as SPEC. `make(settings, items)` takes checked settings."""

    key: str
    title: str
    fields: tuple[Field, ...]
    make: Callable[[Mapping[str, Any], Sequence[Item]], Driver]


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that the collector must watch."""

    municipalities: tuple[Municipality, ...]
    connections: tuple[Connection, ...]
    tags: tuple[Tag, ...]
    rules: tuple[AlarmRule, ...]
    suppressions: tuple[Suppression, ...] = ()


class ConfigurationStore(Protocol):
    """Reads the configuration."""

    async def read_configuration(self) -> Configuration:
        """Return the whole configuration."""


@dataclass(frozen=True, slots=True, eq=False)
class NumberedSamples:
    """ROWs of the run `spool_id` of a spool, numbered from `first` on: what has a number is stored once.

    `newest`: rows that are to be seen as the newest of their tags although their turn in history comes later. `is_past`: what
    is newest is not asked. `is_shared`: another collector may have stored the same samples.
    """

    spool_id: UUID
    first: int
    rows: NDArray[np.void]
    newest: NDArray[np.void] = field(default_factory=NO_ROWS.copy)
    is_past: bool = False
    is_shared: bool = False

    @property
    def last(self) -> int:
        """Return the number of the last sample."""
        return self.first + len(self.rows) - 1


@dataclass(frozen=True, slots=True)
class SpoolMark:
    """What the database has of a run: ranges of numbers, first and last; and whether no other collector has led since."""

    stored: tuple[tuple[int, int], ...]
    is_last: bool


class SampleStore(Protocol):
    """Keeps every sample."""

    async def begin_spool(self, spool_id: UUID) -> None:
        """Take note that a collector leads from now on, whose samples are numbered by this run."""

    async def read_spool(self, spool_id: UUID) -> SpoolMark | None:
        """Return what is stored of a run; None when it never led here: its samples belong to another database."""

    async def write_numbered(self, batch: NumberedSamples) -> None:
        """Commit samples as write_samples() does, but for those that are stored already, and that their numbers are."""

    async def write_samples(self, samples: Sequence[Sample]) -> None:
        """Commit all samples to history and the newest of each tag to `latest`, in one transaction."""

    async def read_latest(self) -> list[Sample]:
        """Return the newest stored sample of each tag that ever had one."""


class ChangeKeeper(Protocol):
    """Keeps on disk what the alarm store has not recorded yet."""

    def keep(self, change: ProcessChange | CauseChange) -> None:
        """Keep one more, behind the others."""

    def forget(self) -> None:
        """Let go of all: the store has recorded them."""


class RollupStore(Protocol):
    """Reckons history's roll-ups."""

    async def roll_up(self, most: int) -> int:
        """Reckon at most `most` of what is due, in one transaction; return how much that was."""


class AlarmStore(Protocol):
    """Keeps alarms and their journal."""

    async def read_alarms(self) -> list[Alarm]:
        """Return every alarm that was ever raised, shelved, held or out of service."""

    async def read_causes(self) -> list[CauseState]:
        """Return what is known of the cause of every suppression."""

    async def record(self, changes: Sequence[ProcessChange | CauseChange]) -> None:
        """Commit in their order, in one transaction, what the process did to alarms, each with its journal row, and which
        causes came and went, with what that does to their consequences. What was told before, as after an answer that was
        lost, is done once; what people did to the alarm meanwhile stays."""

    async def pass_time(self) -> int:
        """Take back what is shelved for its time, let go what a cause or planned work held for its time, begin work that was
        planned for now, and announce again what stands acknowledged for too long, all by the store's own clock; return how
        many steps alarms took by that."""


class StatusStore(Protocol):
    """Publishes what the status bar shows."""

    async def publish_status(self, collector: CollectorStatus, links: Sequence[LinkStatus]) -> float | None:
        """Replace the collector's and the links' status; return how many seconds this clock is ahead of the server's.

        None: the answer's way was too long to tell.
        """

    async def read_beat(self) -> datetime | None:
        """Return when a collector said last that it is there, None for never."""
