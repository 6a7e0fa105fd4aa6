"""What people do to alarms, and what is written of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, text

from control_room.core.alarms import AlarmState, Trigger
from db.tables import alarm_journal


@dataclass(frozen=True, slots=True)
class AckAnswer:
    """What the database says to one acknowledgement; `words` are for the person."""

    rule_id: int
    event_id: int
    is_done: bool
    words: str


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One row of the alarm journal."""

    id: int
    rule_id: int
    event_id: int
    previous: AlarmState
    state: AlarmState
    trigger: Trigger
    source_time: datetime
    commit_time: datetime
    value: float | None
    limit: float
    person: str
    station: str
    comment: str


def acknowledge(connection: Connection, occurrences: Sequence[tuple[int, int]], comment: str) -> list[AckAnswer]:
    """Acknowledge (rule id, event id) occurrences, each with its own answer. Raises Refused without the right."""
    rows = connection.execute(
        text("SELECT * FROM acknowledge_alarms(:rules ::int[], :events ::bigint[], :words)"),
        {
            "rules": [rule_id for rule_id, _ in occurrences],
            "events": [event_id for _, event_id in occurrences],
            "words": comment,
        },
    )
    return [AckAnswer(row.rule_id, row.event_id, row.is_done, row.answer) for row in rows]


def read_journal(connection: Connection, *, limit: int = 200, rule_id: int | None = None) -> list[JournalRow]:
    """Return the newest rows first, of one alarm or of all."""
    columns = alarm_journal.c
    query = select(alarm_journal).order_by(columns.id.desc()).limit(limit)
    if rule_id is not None:
        query = query.where(columns.rule_id == rule_id)
    return [
        JournalRow(
            id=row.id,
            rule_id=row.rule_id,
            event_id=row.event_id,
            previous=AlarmState(row.previous_state),
            state=AlarmState(row.state),
            trigger=Trigger(row.trigger),
            source_time=row.source_time,
            commit_time=row.commit_time,
            value=row.value,
            limit=row.alarm_limit,
            person=row.person,
            station=row.station,
            comment=row.comment,
        )
        for row in connection.execute(query)
    ]
