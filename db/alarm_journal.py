"""What people do to alarms, and what is written of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, text

from control_room.core.alarm_load import AlarmLoad, load
from control_room.core.alarms import AlarmState, Happening, Trigger
from db.tables import alarm_journal


@dataclass(frozen=True, slots=True)
class AlarmAnswer:
    """What the database says to one act on one alarm; `words` are for the person."""

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
    happening: Happening
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


Occurrences = Sequence[tuple[int, int]]


def acknowledge(connection: Connection, occurrences: Occurrences, comment: str) -> list[AlarmAnswer]:
    """Acknowledge (rule id, event id) occurrences, each with its own answer. Raises Refused without the right."""
    return _act(connection, "acknowledge_alarms(:rules, :events, :words)", occurrences, comment)


def reset(connection: Connection, occurrences: Occurrences, comment: str) -> list[AlarmAnswer]:
    """Let go of latched alarms whose condition is gone. Raises Refused without the right."""
    return _act(connection, "reset_alarms(:rules, :events, :words)", occurrences, comment)


def shelve(
    connection: Connection, occurrences: Occurrences, comment: str, minutes: int, *, is_one_shot: bool
) -> list[AlarmAnswer]:
    """Set alarms aside for so many minutes; `is_one_shot`: at most until they return. Raises Refused without the right."""
    call = "shelve_alarms(:rules, :events, :minutes, :is_one_shot, :words)"
    return _act(connection, call, occurrences, comment, minutes=minutes, is_one_shot=is_one_shot)


def unshelve(connection: Connection, occurrences: Occurrences, comment: str) -> list[AlarmAnswer]:
    """Take shelved alarms back; what is still abnormal is announced as new. Raises Refused without the right."""
    return _act(connection, "unshelve_alarms(:rules, :events, :words)", occurrences, comment)


def take_out_of_service(
    connection: Connection, occurrences: Occurrences, comment: str, work_order: str
) -> list[AlarmAnswer]:
    """Take alarms out of service until somebody returns them. Raises Refused without the right."""
    call = "take_out_of_service(:rules, :events, :work_order, :words)"
    return _act(connection, call, occurrences, comment, work_order=work_order)


def return_to_service(connection: Connection, occurrences: Occurrences, comment: str) -> list[AlarmAnswer]:
    """Return alarms to service; what is still abnormal is announced as new. Raises Refused without the right."""
    return _act(connection, "return_to_service(:rules, :events, :words)", occurrences, comment)


def _act(
    connection: Connection, call: str, occurrences: Occurrences, comment: str, **more: object
) -> list[AlarmAnswer]:
    asked = {
        "rules": [rule_id for rule_id, _ in occurrences],
        "events": [event_id for _, event_id in occurrences],
        "words": comment,
        **more,
    }
    call = call.replace(":rules", ":rules ::int[]").replace(":events", ":events ::bigint[]")
    rows = connection.execute(text(f"SELECT * FROM {call}"), asked)
    return [AlarmAnswer(row.rule_id, row.event_id, row.is_done, row.answer) for row in rows]


_ANNOUNCED = text("""
    SELECT to_timestamp(10 * floor(extract(epoch FROM commit_time) / 10) + 10) AS time, count(*) AS many
    FROM alarm_journal WHERE commit_time > now() - interval '2 hours' AND state = 'UNACK'
        AND happening IN ('raised', 'unshelved', 'in_service')
    GROUP BY 1 ORDER BY 1""")


def read_load(connection: Connection) -> AlarmLoad:
    """Return the load of the alarms that this connection may see, by the database's clock, to 10 s."""
    rows = connection.execute(_ANNOUNCED).all()
    now: datetime = connection.execute(text("SELECT now()")).scalar_one()
    return load([(row.time, row.many) for row in rows], max([now, *(row.time for row in rows)]))


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
            happening=Happening(row.happening),
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
