"""Rationalisation records and changes of alarm rules: read, changed together, and who changed what."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import psycopg
from sqlalchemy import Connection, Row, select, text
from sqlalchemy.exc import DBAPIError

from control_room.core.access import NOT_SIGNED_IN
from control_room.core.errors import Refused, SessionEnded
from control_room.core.rationalisation import NAMES, Level, Place, Record, RecordBook, Severity
from db.stop import Cancelled, Stop
from db.tables import asset, rationalisation, tag

# an import of a whole plant takes longer than anything else that a seat asks
CHANGE_TIMEOUT_S = 300
# as the columns of alarm_rule are called, by the fields of core.alarms.AlarmRule
COLUMNS: Mapping[str, str] = {
    "priority": "priority",
    "limit": "alarm_limit",
    "deadband": "deadband",
    "on_delay_s": "on_delay_s",
    "off_delay_s": "off_delay_s",
    "message": "message",
    "is_latching": "is_latching",
    "shelving_limit_s": "shelving_limit_s",
    "window_s": "window_s",
    "re_alarm_s": "re_alarm_s",
    "expression": "expression",
    "first_out_group": "first_out_group",
    "is_disabled": "is_disabled",
    "other_tag_id": "other_tag_id",
}
FIELDS: Mapping[str, str] = {column: name for name, column in COLUMNS.items()}
Pairs = Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Change:
    """What shall change at one place: value before and after, by the names of AlarmRule's and Record's fields.

    A value with the same before and after is only expected to be so still.
    """

    level: Level
    id: int
    settings: Pairs
    record: Pairs


@dataclass(frozen=True, slots=True)
class RuleChange:
    """One change as it was noted: who, when, why, and what differs; `is_record`: of a record, not of the settings."""

    id: str
    level: Level
    object_id: int
    is_record: bool
    time: datetime
    person: str
    station: str
    reason: str
    old: Mapping[str, Any]
    new: Mapping[str, Any]


class ChangeRefused(Refused):
    """The database refused the change of number `place` of those that were asked, counted from 0."""

    def __init__(self, message: str, place: int | None) -> None:
        """Keep which change it was, None for all of them."""
        super().__init__(message)
        self.place = place


def read_records(connection: Connection) -> RecordBook:
    """Return every record that the connection may see, and the tree that they are inherited down."""
    rows = connection.execute(select(rationalisation)).mappings().all()
    assets = connection.execute(select(asset.c.id, asset.c.parent_id, asset.c.name)).all()
    return RecordBook(
        records={_place(dict(row)): _record(dict(row)) for row in rows},
        assets={row.id: row.asset_id for row in connection.execute(select(tag.c.id, tag.c.asset_id))},
        parents={row.id: row.parent_id for row in assets},
        names={row.id: row.name for row in assets},
    )


def _place(row: Mapping[str, Any]) -> Place:
    for level, name in ((Level.RULE, "rule_id"), (Level.TAG, "tag_id"), (Level.ASSET, "asset_id")):
        if row[name] is not None:
            return level, row[name]
    return Level.MUNICIPALITY, row["municipality_id"]


def _record(row: Mapping[str, Any]) -> Record:
    values = {name: row[name] for name in NAMES}
    if values["severity"] is not None:
        values["severity"] = Severity(values["severity"])
    return Record(**values)


_CHANGE = text("SELECT is_done, words, place FROM change_rules(CAST(:changes AS jsonb), :reason, :only_check)")


def change_rules(
    connection: Connection,
    changes: Sequence[Change],
    reason: str,
    *,
    only_check: bool = False,
    stop: Stop | None = None,
) -> str:
    """Change rules and records, all or none of them; return the database's words.

    Raises ChangeRefused, naming the first one that is not allowed or that somebody changed meanwhile, and Cancelled when
    `stop` came in time: then nothing is changed.
    """
    connection.execute(text(f"SET LOCAL statement_timeout = {CHANGE_TIMEOUT_S * 1000}"))
    asked = {"changes": json.dumps([_asked(one) for one in changes]), "reason": reason, "only_check": only_check}
    answer = connection.execute(_CHANGE, asked).one() if stop is None else _stoppable(connection, asked, stop)
    if not answer.is_done:
        # the refusal is recorded: what undoes the transaction would undo the record
        connection.commit()
        if answer.words == NOT_SIGNED_IN:
            raise SessionEnded(answer.words)
        raise ChangeRefused(answer.words, None if answer.place is None else answer.place - 1)
    return str(answer.words)


def _stoppable(connection: Connection, asked: Mapping[str, Any], stop: Stop) -> Row[Any]:
    try:
        stop.begin(connection)
        answer = connection.execute(_CHANGE, asked).one()
    except DBAPIError as fault:
        if stop.is_wanted and isinstance(fault.orig, psycopg.errors.QueryCanceled):
            raise Cancelled from fault
        raise
    finally:
        stop.end()
    # what is not committed yet can still be given up
    stop.check()
    return answer


def _asked(change: Change) -> dict[str, Any]:
    asked: dict[str, Any] = {"level": change.level, "id": change.id}
    if change.settings:
        asked["settings"] = {COLUMNS[name]: pair for name, pair in change.settings.items()}
    if change.record:
        asked["record"] = {name: [_plain(value) for value in pair] for name, pair in change.record.items()}
    return asked


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


_READ = text("SELECT * FROM read_rule_changes(:rule_id, :count)")


def read_rule_changes(connection: Connection, rule_id: int, count: int) -> list[RuleChange]:
    """Return what was changed at a rule and at the records above it, the newest first."""
    return [
        RuleChange(
            id=str(row.id),
            level=Level(row.level),
            object_id=row.object_id,
            is_record=row.is_record,
            time=row.time,
            person=row.person,
            station=row.station,
            reason=row.reason,
            old={FIELDS.get(name, name): value for name, value in row.old.items()},
            new={FIELDS.get(name, name): value for name, value in row.new.items()},
        )
        for row in connection.execute(_READ, {"rule_id": rule_id, "count": count})
    ]


def undoing(change: RuleChange) -> Change:
    """Return the change that takes another one back; it is refused where somebody changed the same since.

    What is not set by change_rules() is left as it is.
    """
    known = NAMES if change.is_record else COLUMNS
    pairs = {name: (change.new.get(name), change.old.get(name)) for name in {*change.old, *change.new} if name in known}
    settings, record = ({}, pairs) if change.is_record else (pairs, {})
    return Change(change.level, change.object_id, settings, record)


@dataclass(frozen=True, slots=True)
class NamedRecord:
    """A record as a plant document would name it: of the municipality, a site, or the rules of a kind of a tag.

    Empty `site` and `tag`: of the municipality; `kind` with a tag only, without one: of the tag.
    """

    municipality: str
    record: Record
    site: str = ""
    tag: str = ""
    kind: str = ""


_WRITE = text("""
    INSERT INTO rationalisation (municipality_id, asset_id, tag_id, rule_id, cause, consequence, action, severity, respond_min,
        alarm_class, owner, review_date)
    SELECT m.id, a.id, CASE WHEN r.id IS NULL THEN t.id END, r.id, :cause, :consequence, :action, :severity, :respond_min,
        :alarm_class, :owner, :review_date
    FROM municipality AS m
        LEFT JOIN asset AS a ON a.municipality_id = m.id AND a.parent_id IS NULL AND a.name = :site
        LEFT JOIN tag AS t ON t.municipality_id = m.id AND t.key = :tag
        LEFT JOIN alarm_rule AS r ON r.tag_id = t.id AND r.kind = :kind
    WHERE m.key = :municipality AND (:site = '' OR a.id IS NOT NULL) AND (:tag = '' OR t.id IS NOT NULL)
        AND (:kind = '' OR r.id IS NOT NULL)
    ON CONFLICT DO NOTHING""")


def write_records(connection: Connection, records: Sequence[NamedRecord]) -> None:
    """Write records as the database's owner, where there is none yet; what is named and not there is passed over."""
    for one in records:
        names = {"municipality": one.municipality, "site": one.site, "tag": one.tag, "kind": one.kind}
        connection.execute(_WRITE, {**asdict(one.record), **names})
