"""Alarm rules, their records and their changes in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from control_room.core.alarms import AlarmRule
from control_room.core.rationalisation import Level, Place, RecordBook
from control_room.core.rule_sheet import FIELD_TITLES, value_text
from control_room.core.tags import Tag
from control_room.ui.room import Room
from control_room.ui.words import municipality_name
from db.rationalisation import RuleChange

_CELL_MAX = 80


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule as the table shows it; `municipality` is its name, `words` are what a search looks at."""

    rule: AlarmRule
    tag: Tag
    municipality: str
    words: str


def make_row(rule: AlarmRule, tag: Tag, room: Room) -> RuleRow:
    """Return the row of a rule."""
    place = municipality_name(room, tag.municipality_id)
    parts = (rule.kind.value, rule.message, tag.key, tag.name, tag.site, tag.asset, place)
    return RuleRow(rule, tag, place, "\n".join(parts).casefold())


def place_words(place: Place, row: RuleRow, book: RecordBook) -> str:
    """Return what a record belongs to, seen from one rule."""
    level, key = place
    if level is Level.RULE:
        return "this alarm"
    if level is Level.TAG:
        return f"the tag {row.tag.key}"
    if level is Level.ASSET:
        return f"{'the site' if book.parents.get(key) is None else 'the asset'} {book.names.get(key, '')}".rstrip()
    return row.municipality or "the municipality"


def difference_words(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return what differs, a line for each field."""
    return [
        f"{FIELD_TITLES.get(name, name)}: {_short(old.get(name))} → {_short(new.get(name))}" for name in {**old, **new}
    ]


def _short(value: Any) -> str:
    words = " ".join(value_text(value).split())
    return (f"{words[: _CELL_MAX - 1]}…" if len(words) > _CELL_MAX else words) or "–"


def change_words(change: RuleChange) -> str:
    """Return what a change changed, in one line."""
    return "; ".join(difference_words(change.old, change.new))
