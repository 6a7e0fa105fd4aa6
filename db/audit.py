"""The audit, as far as the connection may read it: page by page, the newest first, and whether its chain is whole."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select, text

from db.people import act, seen_by_somebody
from db.tables import audit

PAGE = 500
VERIFY_TIMEOUT_S = 600


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries: parts of person and object in any case, the exact action, from `start` up to before `end` (UTC)."""

    person: str = ""
    object: str = ""
    action: str = ""
    is_done: bool | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One action: who, from where, what, on what, and whether it was done or refused."""

    id: int
    time: datetime
    person: str
    station: str
    address: str
    action: str
    object: str
    municipality_id: int | None
    old: Mapping[str, Any] | None
    new: Mapping[str, Any] | None
    is_done: bool
    reason: str
    hash: str


@dataclass(frozen=True, slots=True)
class Chain:
    """What verify_audit() found; `first_broken` is None where every entry follows from the one before."""

    entries: int
    first_broken: int | None
    newest_hash: str


def read_audit(
    connection: Connection, wanted: AuditFilter, before: int | None = None, limit: int = PAGE
) -> list[AuditEntry]:
    """Return the newest `limit` entries that are wanted, of those with ids below `before`.

    Of municipalities whose audit the person may not read there are none. Raises Refused without any right to read.
    """
    query = select(audit).where(*_conditions(wanted)).order_by(audit.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.id < before)
    return [_entry(row) for row in seen_by_somebody(connection, connection.execute(query).all())]


def note_export(connection: Connection, wanted: AuditFilter) -> None:
    """Write into the audit that it is exported, and by which filter. Raises Refused without the right to read it."""
    parts = {name: part for name, part in asdict(wanted).items() if part not in (None, "")}
    act(connection, "note_export(CAST(:wanted AS jsonb))", {"wanted": json.dumps(parts, default=str)})


def _entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(
        id=row.id,
        time=row.time,
        person=row.person,
        station=row.station,
        address=row.address,
        action=row.action,
        object=row.object,
        municipality_id=row.municipality_id,
        old=row.old,
        new=row.new,
        is_done=row.is_done,
        reason=row.reason,
        hash=row.hash.hex(),
    )


def _conditions(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    columns = audit.c
    found: list[ColumnElement[bool]] = []
    for column, part in ((columns.person, wanted.person), (columns.object, wanted.object)):
        if part:
            # not LIKE: a person means the signs that they type
            found.append(func.strpos(func.lower(column), part.lower()) > 0)
    if wanted.action:
        found.append(columns.action == wanted.action)
    if wanted.is_done is not None:
        found.append(columns.is_done.is_(wanted.is_done))
    if wanted.start is not None:
        found.append(columns.time >= wanted.start)
    if wanted.end is not None:
        found.append(columns.time < wanted.end)
    return found


def verify_audit(connection: Connection) -> Chain:
    """Return whether the chain of the whole database is whole. Raises Refused without the right."""
    # some ten seconds for each million of entries, more than a seat gives any other question
    connection.execute(text(f"SET LOCAL statement_timeout = {VERIFY_TIMEOUT_S * 1000}"))
    row = connection.execute(text("SELECT entries, first_broken, newest_hash FROM verify_audit()")).one()
    return Chain(row.entries, row.first_broken, row.newest_hash)
