"""What people do to alarms, and what is written of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import Connection, text

from control_room.core.alarm_load import AlarmLoad, load
from control_room.core.alarms import Happening
from control_room.core.chatter import Nuisance, Turn, nuisances


@dataclass(frozen=True, slots=True)
class AlarmAnswer:
    """What the database says to one act on one alarm; `words` are for the person."""

    rule_id: int
    event_id: int
    is_done: bool
    words: str


@dataclass(frozen=True, slots=True)
class Note:
    """What a person did to an occurrence, and their words."""

    time: datetime
    person: str
    happening: Happening
    comment: str


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time that an alarm came: when and at what value and limit, when it went, and what people did.

    No `raised_time`: nobody was told as it came, because it was shelved or out of service before.
    """

    event_id: int
    raised_time: datetime | None
    returned_time: datetime | None
    value: float | None
    limit: float
    notes: tuple[Note, ...]


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


def disable(connection: Connection, occurrences: Occurrences, comment: str) -> list[AlarmAnswer]:
    """Take rules out of the configuration's service: nothing judges them. Raises Refused without the right."""
    return _act(connection, "disable_alarms(:rules, :words)", occurrences, comment)


def enable(connection: Connection, occurrences: Occurrences, comment: str) -> list[AlarmAnswer]:
    """Let disabled rules be judged again. Raises Refused without the right."""
    return _act(connection, "enable_alarms(:rules, :words)", occurrences, comment)


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


_ANNOUNCED = text("SELECT * FROM read_announced(now() - interval '2 hours')")


def read_load(connection: Connection) -> AlarmLoad:
    """Return the load of the alarms that this connection may see, by the database's clock, to 10 s."""
    rows = connection.execute(_ANNOUNCED).all()
    now: datetime = connection.execute(text("SELECT now()")).scalar_one()
    times_s = np.array([row.time.timestamp() for row in rows], np.float64)
    return load(times_s, np.array([row.many for row in rows], np.int64), max([now.timestamp(), *times_s[-1:].tolist()]))


# so long after it was one, a nuisance is still called so
NUISANCE_FOR = timedelta(minutes=10)
_TURNS = text("SELECT * FROM read_turns(now() - :past, 5000)")


def read_nuisances(connection: Connection) -> dict[int, Nuisance]:
    """Return by rule id which alarms chatter or are fleeting, of those that this connection may see."""
    rows = connection.execute(_TURNS, {"past": NUISANCE_FOR}).all()
    now: datetime = connection.execute(text("SELECT now()")).scalar_one()
    turns = (Turn(row.rule_id, Happening(row.happening), row.source_time) for row in rows)
    return nuisances(turns, max([now, *(row.source_time for row in rows)]))


# of a rule that chatters only the newest rows are looked at
_OCCURRENCES = text("""
    WITH newest AS (SELECT * FROM read_journal(:rule_id, 2000))
    SELECT event_id, coalesce((array_agg(source_time ORDER BY id DESC) FILTER (WHERE happening = 'corrected'))[1],
            min(source_time) FILTER (WHERE happening = 'raised')) AS raised_time,
        max(source_time) FILTER (WHERE happening = 'returned') AS returned_time,
        (array_agg(value ORDER BY id) FILTER (WHERE happening <> 'returned'))[1] AS value,
        (array_agg(alarm_limit ORDER BY id))[1] AS alarm_limit,
        array_agg(source_time ORDER BY id) FILTER (WHERE person <> '') AS times,
        array_agg(person ORDER BY id) FILTER (WHERE person <> '') AS people,
        array_agg(happening ORDER BY id) FILTER (WHERE person <> '') AS happenings,
        array_agg(comment ORDER BY id) FILTER (WHERE person <> '') AS comments
    FROM newest GROUP BY event_id ORDER BY event_id DESC LIMIT :count""")


def read_occurrences(connection: Connection, rule_id: int, count: int) -> list[Occurrence]:
    """Return the newest occurrences of an alarm, the newest first, with what people did then."""
    rows = connection.execute(_OCCURRENCES, {"rule_id": rule_id, "count": count})
    return [
        Occurrence(
            event_id=row.event_id,
            raised_time=row.raised_time,
            returned_time=row.returned_time,
            value=row.value,
            limit=row.alarm_limit,
            notes=tuple(
                Note(time, person, Happening(happening), comment)
                for time, person, happening, comment in zip(
                    row.times or (), row.people or (), row.happenings or (), row.comments or (), strict=True
                )
            ),
        )
        for row in rows
    ]


def comment(connection: Connection, occurrences: Occurrences, comment: str) -> list[AlarmAnswer]:
    """Write a note to each of the occurrences. Raises Refused without the right."""
    call = text("SELECT is_done, answer FROM comment_alarm(:rule, :event, :words)")
    answers = []
    for rule_id, event_id in occurrences:
        row = connection.execute(call, {"rule": rule_id, "event": event_id, "words": comment}).one()
        answers.append(AlarmAnswer(rule_id, event_id, row.is_done, row.answer))
    return answers
