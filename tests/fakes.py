"""Fakes of the ports: real behaviour in memory, and faults on demand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import isfinite
from uuid import UUID

from control_room.core.alarms import (
    Acknowledged,
    Alarm,
    AlarmEvent,
    AlarmKind,
    AlarmRule,
    AlarmState,
    Disabled,
    Enabled,
    Held,
    Hold,
    HoldKind,
    JournalEntry,
    Priority,
    ProcessChange,
    ReAlarmed,
    Released,
    Unshelved,
    step,
)
from control_room.core.errors import DatabaseUnavailable
from control_room.core.number_ranges import NumberRanges
from control_room.core.ports import NumberedSamples, SpoolMark
from control_room.core.sample_rows import samples_of
from control_room.core.samples import BAD, GOOD, Sample
from control_room.core.suppression import CauseChange, CauseState, Suppression

PLAIN_RULE = AlarmRule(1, 1, AlarmKind.H, Priority.LOW)
START = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)


@dataclass
class FakeClock:
    """A clock that stands until somebody moves it."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def pass_s(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


def sample(tag_id: int, value: float | None, after_s: float = 0.0, quality: int = GOOD) -> Sample:
    """Return a sample that was measured and arrived `after_s` seconds after START."""
    time = START + timedelta(seconds=after_s)
    return Sample(tag_id, value, quality, time, time)


def refuse_when(is_away: bool) -> None:
    """Raise what a store raises while its database is away."""
    if is_away:
        raise DatabaseUnavailable("The database does not answer.", advice="Wait.")


@dataclass
class FakeSampleStore:
    """Keeps batches in memory; `is_away` makes it refuse, as a database that does not answer does."""

    batches: list[list[Sample]] = field(default_factory=list)
    is_away: bool = False
    shown: list[Sample] = field(default_factory=list)
    spools: dict[UUID, NumberRanges] = field(default_factory=dict)

    async def write_samples(self, samples: Sequence[Sample]) -> None:
        refuse_when(self.is_away)
        self.batches.append(list(samples))
        self.shown += samples

    async def begin_spool(self, spool_id: UUID) -> None:
        refuse_when(self.is_away)
        self.spools[spool_id] = NumberRanges()

    async def read_spool(self, spool_id: UUID) -> SpoolMark | None:
        refuse_when(self.is_away)
        stored = self.spools.get(spool_id)
        return None if stored is None else SpoolMark(stored.ranges, spool_id == list(self.spools)[-1])

    async def write_numbered(self, batch: NumberedSamples) -> None:
        refuse_when(self.is_away)
        stored = self.spools.setdefault(batch.spool_id, NumberRanges())
        new = [
            one
            for first, last in stored.missing(batch.first, batch.last)
            for one in samples_of(batch.rows[first - batch.first : last - batch.first + 1])
        ]
        stored.add(batch.first, batch.last)
        self.batches.append([one for one in new if not (batch.is_shared and one in self.samples)])
        self.shown += samples_of(batch.newest)
        self.shown += [] if batch.is_past else samples_of(batch.rows)

    async def read_latest(self) -> list[Sample]:
        refuse_when(self.is_away)
        newest: dict[int, Sample] = {}
        for one in self.shown:
            known = newest.get(one.tag_id)
            if known is None or one.source_time >= known.source_time:
                newest[one.tag_id] = one
        return [_clean(one) for one in newest.values()]

    @property
    def samples(self) -> list[Sample]:
        return [one for batch in self.batches for one in batch]


def _clean(one: Sample) -> Sample:
    if one.value is None or isfinite(one.value):
        return one
    return replace(one, value=None, quality=max(one.quality, BAD))


@dataclass
class FakeAlarmStore:
    """Keeps alarms and journal in memory, by the state machine."""

    alarms: dict[int, Alarm] = field(default_factory=dict)
    journal: list[JournalEntry] = field(default_factory=list)
    rules: dict[int, AlarmRule] = field(default_factory=dict)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    is_away: bool = False
    suppressions: dict[int, Suppression] = field(default_factory=dict)
    causes: dict[int, int] = field(default_factory=dict)
    ends: dict[int, datetime] = field(default_factory=dict)

    async def read_causes(self) -> list[CauseState]:
        refuse_when(self.is_away)
        return [CauseState(number, self.causes.get(number, 0)) for number in self.suppressions]

    async def read_alarms(self) -> list[Alarm]:
        refuse_when(self.is_away)
        return list(self.alarms.values())

    async def record(self, changes: Sequence[ProcessChange | CauseChange]) -> None:
        refuse_when(self.is_away)
        for one in changes:
            if isinstance(one, CauseChange):
                self._take_cause(one)
            elif one.number > self.alarms.get(one.rule_id, Alarm(one.rule_id)).process_number:
                self.act(one.rule_id, one.event)

    def _take_cause(self, change: CauseChange) -> None:
        number = change.suppression_id
        if change.number <= self.causes.get(number, 0):
            return
        self.causes[number] = change.number
        self.ends.pop(number, None)
        suppression = self.suppressions[number]
        if change.number % 2 == 0:
            self.ends[number] = self.clock() + timedelta(seconds=suppression.delay_s)
        if change.number % 2 == 1 or suppression.delay_s:
            for rule_id in sorted(suppression.consequences):
                hold = Hold(HoldKind.DESIGN, number, self.clock(), self.ends.get(number), suppression.cause)
                self.act(rule_id, Held(self.clock(), hold))
        self._release()

    def _release(self) -> int:
        """Let go what a cause held for its time."""
        count = 0
        for number, end in list(self.ends.items()):
            if end <= self.clock():
                del self.ends[number]
                for rule_id in sorted(self.suppressions[number].consequences):
                    words = self.suppressions[number].cause
                    self.act(rule_id, Released(self.clock(), HoldKind.DESIGN, number, comment=words))
                    count += 1
        return count

    def act(self, rule_id: int, event: AlarmEvent) -> None:
        rule = self.rules.get(rule_id, PLAIN_RULE)
        self._step(rule_id, event, rule)
        if isinstance(event, Disabled | Enabled):
            self.rules[rule_id] = replace(rule, is_disabled=isinstance(event, Disabled))

    def _step(self, rule_id: int, event: AlarmEvent, rule: AlarmRule) -> None:
        alarm, entry = step(self.alarms.get(rule_id, Alarm(rule_id)), event, rule)
        if entry is not None:
            self.alarms[rule_id] = alarm
            self.journal.append(entry)

    def acknowledge(self, rule_id: int, person: str, time: datetime, comment: str = "") -> None:
        self.act(rule_id, Acknowledged(time, self.alarms[rule_id].event_id, person, comment))

    async def pass_time(self) -> int:
        refuse_when(self.is_away)
        due: list[tuple[int, AlarmEvent]] = []
        for one in self.alarms.values():
            again_s = self.rules.get(one.rule_id, PLAIN_RULE).re_alarm_s
            if one.shelving and one.shelving.until <= self.clock():
                due.append((one.rule_id, Unshelved(self.clock(), comment="The time ran out.")))
            since = one.acknowledged_time if one.state is AlarmState.ACKNOWLEDGED and again_s else None
            if since is not None and since + timedelta(seconds=again_s) <= self.clock():
                due.append((one.rule_id, ReAlarmed(self.clock(), comment="It still stands.")))
        for rule_id, event in due:
            self.act(rule_id, event)
        return len(due) + self._release()
