"""Fakes of the ports: real behaviour in memory, and faults on demand."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import isfinite

from control_room.core.alarms import Acknowledged, Alarm, JournalEntry, Trigger, step
from control_room.core.errors import DatabaseUnavailable
from control_room.core.samples import BAD, GOOD, Sample

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

    async def write_samples(self, samples: Sequence[Sample]) -> None:
        refuse_when(self.is_away)
        self.batches.append(list(samples))

    async def read_latest(self) -> list[Sample]:
        refuse_when(self.is_away)
        newest: dict[int, Sample] = {}
        for one in self.samples:
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
    """Keeps alarms and journal in memory, with the database's rule that an acknowledgement stays."""

    alarms: dict[int, Alarm] = field(default_factory=dict)
    journal: list[JournalEntry] = field(default_factory=list)
    is_away: bool = False

    async def read_alarms(self) -> list[Alarm]:
        refuse_when(self.is_away)
        return list(self.alarms.values())

    async def record(self, changes: Sequence[tuple[Alarm, JournalEntry]]) -> None:
        refuse_when(self.is_away)
        for said, entry in changes:
            before = self.alarms.get(said.rule_id, Alarm(said.rule_id))
            after = _changed(before, said)
            if after is not before:
                self.alarms[said.rule_id] = after
                self.journal.append(replace(entry, event_id=after.event_id, previous=before.state, state=after.state))

    def acknowledge(self, rule_id: int, person: str, time: datetime, comment: str = "") -> None:
        alarm = self.alarms[rule_id]
        self.alarms[rule_id], entry = step(alarm, Acknowledged(time, alarm.event_id, person, comment))
        assert entry is not None
        self.journal.append(entry)

    async def read_acknowledgements(self, after: int) -> tuple[list[tuple[int, Acknowledged]], int]:
        refuse_when(self.is_away)
        found = [
            (entry.rule_id, Acknowledged(entry.time, entry.event_id, entry.person, entry.comment))
            for number, entry in enumerate(self.journal, 1)
            if 0 <= after < number and entry.trigger is Trigger.OPERATOR
        ]
        return found, len(self.journal)


def _changed(before: Alarm, said: Alarm) -> Alarm:
    """Return the alarm after what a collector says, `before` itself when it says nothing new."""
    if before.raised_time is None or said.raised_time is None:
        return said
    if said.is_active:
        is_new = said.event_id > before.event_id or said.raised_time > before.raised_time
        return replace(said, event_id=max(said.event_id, before.event_id + 1)) if is_new else before
    if before.is_active and said.raised_time >= before.raised_time:
        return replace(before, is_active=False, raised_time=said.raised_time, returned_time=said.returned_time)
    return before
