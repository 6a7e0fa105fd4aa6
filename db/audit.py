"""The audit, as far as the connection may read it: page by page, the newest first, and whether its chain is whole."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from db.people import act, seen_by_somebody

PAGE = 500
_READ = text("SELECT * FROM read_audit(CAST(:wanted AS jsonb), :before, :most)")
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
    """One action: who, from where, what, on what, and whether it was done or refused.

    Entries are numbered over the whole installation: `id` is None for who may not read them all.
    """

    id: int | None
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
    connection: Connection, wanted: AuditFilter, before: datetime | None = None, limit: int = PAGE
) -> list[AuditEntry]:
    """Return the newest `limit` entries that are wanted, of those from before a time.

    Of municipalities whose audit the person may not read there are none. Raises Refused without any right to read.
    """
    asked = {"wanted": _json(wanted), "before": before, "most": limit}
    return [_entry(row) for row in seen_by_somebody(connection, connection.execute(_READ, asked).all())]


def note_export(connection: Connection, what: str, wanted: Mapping[str, Any], rows: int | None) -> None:
    """Write into the audit that a person exports `what` by which filter; `rows` is None while nobody knows how many.

    Raises Refused when nobody is signed in, or without the right to read it.
    """
    asked = {"what": what, "wanted": _dumped(wanted), "rows": rows}
    act(connection, "note_export(:what, CAST(:wanted AS jsonb), CAST(:rows AS bigint))", asked)


def _json(wanted: AuditFilter) -> str:
    return _dumped(asdict(wanted))


def _dumped(wanted: Mapping[str, Any]) -> str:
    return json.dumps({name: part for name, part in wanted.items() if part not in (None, "", ())}, default=str)


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


def verify_audit(connection: Connection) -> Chain:
    """Return whether the chain of the whole database is whole. Raises Refused without the right."""
    # some ten seconds for each million of entries, more than a seat gives any other question
    connection.execute(text(f"SET LOCAL statement_timeout = {VERIFY_TIMEOUT_S * 1000}"))
    row = connection.execute(text("SELECT entries, first_broken, newest_hash FROM verify_audit()")).one()
    return Chain(row.entries, row.first_broken, row.newest_hash)
