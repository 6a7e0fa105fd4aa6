"""The alarm journal, searched by the database as far as the connection may see it: page by page, the newest first; and how
the board stood at a moment."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

PAGE = 200
_OPENING = text("SELECT * FROM read_opening(CAST(:wanted AS jsonb), :at)")
_SEARCH = text("SELECT * FROM search_journal(CAST(:wanted AS jsonb), :before, :most)")


@dataclass(frozen=True, slots=True)
class JournalFilter:
    """Which rows: what is empty bounds nothing.

    `text`: every word occurs in tag, place and message, or every word in the comment; capitals or not. `site` and `asset` are
    names within the municipality. `person`: a part of the user name. From `start` up to before `end` (aware UTC), by when
    it was written.
    """

    text: str = ""
    municipality_id: int | None = None
    site: str = ""
    asset: str = ""
    person: str = ""
    kinds: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One row of the journal with the tag that it is of; `id` is when it was written, in microseconds since 1970.

    `source_time`: when it happened in the plant, as the device or the person's station said. `value`, `limit` in the tag's
    unit.
    """

    id: int
    commit_time: datetime
    source_time: datetime
    rule_id: int
    event_id: int
    happening: str
    previous_state: str
    state: str
    value: float | None
    quality: int
    limit: float
    priority: int
    message: str
    person: str
    station: str
    comment: str
    detail: Mapping[str, Any]
    municipality_id: int
    tag_id: int
    tag_key: str
    tag_name: str
    site: str
    asset: str


def search_journal(
    connection: Connection, wanted: JournalFilter, before: int | None = None, limit: int = PAGE
) -> list[JournalRow]:
    """Return the newest `limit` rows that are wanted, of those with a number less than `before`."""
    rows = connection.execute(_SEARCH, {"wanted": _json(wanted), "before": before, "most": limit})
    # the columns come in the order of the fields
    return [JournalRow(*row) for row in rows]


def read_opening(connection: Connection, area: JournalFilter, at: datetime) -> list[JournalRow]:
    """Return how the board of an area stood at a moment: of each rule that was not normal the newest rows before, at most
    20, all of them the newest first. Only the area counts of the filter."""
    asked = JournalFilter(municipality_id=area.municipality_id, site=area.site, asset=area.asset)
    return [JournalRow(*row) for row in connection.execute(_OPENING, {"wanted": _json(asked), "at": at})]


def _json(wanted: JournalFilter) -> str:
    asked = {
        "text": wanted.text.strip(),
        "municipality": wanted.municipality_id,
        "site": wanted.site,
        "asset": wanted.asset,
        "person": wanted.person.strip(),
        "kinds": wanted.kinds,
        "start": wanted.start,
        "end": wanted.end,
    }
    return json.dumps({name: part for name, part in asked.items() if part not in (None, "", ())}, default=str)
