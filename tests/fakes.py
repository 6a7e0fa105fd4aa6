"""Fakes of the ports: real behaviour in memory, and faults on demand."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from control_room.core.alarms import Acknowledged, Alarm, JournalEntry, Trigger
from control_room.core.errors import DatabaseUnavailable
from control_room.core.samples import GOOD, Sample

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


@dataclass
class FakeSampleStore:
    """Keeps batches in memory; `is_away` makes it refuse, as a database that does not answer does."""

    batches: list[list[Sample]] = field(default_factory=list)
    is_away: bool = False

    async def write_samples(self, samples: Sequence[Sample]) -> None:
        if self.is_away:
            raise DatabaseUnavailable("The database does not answer.", advice="Wait.")
        self.batches.append(list(samples))

    async def read_latest(self) -> list[Sample]:
        newest = {one.tag_id: one for batch in self.batches for one in batch}
        return list(newest.values())

    @property
    def samples(self) -> list[Sample]:
        return [one for batch in self.batches for one in batch]


@dataclass
class FakeAlarmStore:
    """Keeps alarms and journal in memory, with the database's rule that an acknowledgement stays."""

    alarms: dict[int, Alarm] = field(default_factory=dict)
    journal: list[JournalEntry] = field(default_factory=list)
    is_away: bool = False

    async def read_alarms(self) -> list[Alarm]:
        return list(self.alarms.values())

    async def record(self, changes: Sequence[tuple[Alarm, JournalEntry]]) -> None:
        if self.is_away:
            raise DatabaseUnavailable("The database does not answer.", advice="Wait.")
        for alarm, entry in changes:
            known = self.alarms.get(alarm.rule_id)
            if known is not None and known.event_id == alarm.event_id and known.is_acknowledged:
                kept = replace(alarm, is_acknowledged=True, acknowledged_by=known.acknowledged_by)
                self.alarms[alarm.rule_id] = kept
            else:
                self.alarms[alarm.rule_id] = alarm
            self.journal.append(entry)

    def acknowledge(self, rule_id: int, person: str, time: datetime) -> None:
        alarm = self.alarms[rule_id]
        after = replace(alarm, is_acknowledged=True, acknowledged_by=person, acknowledged_time=time)
        self.alarms[rule_id] = after
        self.journal.append(
            JournalEntry(
                rule_id, alarm.event_id, alarm.state, after.state, Trigger.OPERATOR, time, alarm.value, 0, person
            )
        )

    async def read_acknowledgements(self, after: int) -> tuple[list[tuple[int, Acknowledged]], int]:
        found = [
            (entry.rule_id, Acknowledged(entry.time, entry.event_id, entry.person, entry.comment))
            for number, entry in enumerate(self.journal)
            if number > after and entry.trigger is Trigger.OPERATOR
        ]
        return found, len(self.journal) - 1
