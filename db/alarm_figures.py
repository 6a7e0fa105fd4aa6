"""What a report of a period is reckoned from."""

from datetime import UTC, datetime

import numpy as np
from sqlalchemy import Connection, text

from control_room.core.alarm_kpis import Events, Standing
from control_room.core.alarms import AlarmState
from db.columns import column, packed

# some 40 bytes each, and a second or two of reckoning
MOST_EVENTS = 2_000_000
_EVENTS = text(
    f"SELECT {packed('times_s', 'rules', 'occurrences', 'deeds', 'priorities')} FROM read_alarm_events(:begin, :end, :most)"
)
_ASIDE = text("SELECT rule_id, state FROM read_set_aside(:at)")
_STANDING = text("SELECT rule_id, since FROM read_standing(:at)")


def read_events(connection: Connection, begin: datetime, end: datetime) -> Events:
    """Return what happened to the alarms that this connection may see, in time order. Raises Refused beyond MOST_EVENTS."""
    found = connection.execute(_EVENTS, {"begin": begin, "end": end, "most": MOST_EVENTS}).one()
    times_s, *others = (column(one) for one in found)
    return Events(times_s, *(one.astype(np.int64) for one in others))


def read_standing(connection: Connection, at: datetime) -> list[Standing]:
    """Return which alarms were abnormal and not set aside at a moment, and since when."""
    rows = connection.execute(_STANDING, {"at": at})
    return [Standing(row.rule_id, row.since.astimezone(UTC).timestamp()) for row in rows]


def read_set_aside(connection: Connection, at: datetime) -> list[tuple[int, AlarmState]]:
    """Return which alarms (rule ids) were shelved, suppressed or out of service at a moment."""
    return [(row.rule_id, AlarmState(row.state)) for row in connection.execute(_ASIDE, {"at": at})]
