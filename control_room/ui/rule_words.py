"""Alarm rules, their records and their changes in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from control_room.core.alarms import AlarmRule
from control_room.core.rationalisation import Level, Place, Record, RecordBook
from control_room.core.rule_sheet import FIELD_TITLES, value_text
from control_room.core.tags import Tag
from control_room.ui.room import Room
from control_room.ui.words import local, municipality_name
from db.rationalisation import RuleChange

_CELL_MAX = 80
_LINE_MAX = 400


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


def record_lines(record: Record) -> list[str]:
    """Return what the record tells an operator, a line for each part that is known."""
    told = (
        ("Cause", record.cause),
        ("Consequence", record.consequence),
        ("What to do", record.action),
        ("Time to respond", record.respond_min and f"{record.respond_min:g} min"),
    )
    lines = [f"{title}: {' '.join(words.split())[:_LINE_MAX]}" for title, words in told if words]
    return lines or ["Nothing is written down about cause, consequence and what to do."]


def limit_words(rule: AlarmRule, changes: Sequence[RuleChange]) -> str:
    """Return who set the rule's limit and when; `changes` are the newest first."""
    for one in changes:
        if one.level is Level.RULE and not one.is_record and one.object_id == rule.id and "limit" in one.new:
            why = f": {one.reason}" if one.reason else ""
            return f"The limit was set by {one.person}, {local(one.time)}{why}."
    return "The limit is that of the plant's import."


def difference_words(old: Mapping[str, Any], new: Mapping[str, Any], tags: Mapping[int, Tag]) -> list[str]:
    """Return what differs, a line for each field; `tags` name the ones compared with."""

    def told(name: str, value: Any) -> str:
        if name == "other_tag_id" and value is not None:
            return tags[value].key if value in tags else f"tag {value}, which is there no more"
        return _short(value)

    return [
        f"{FIELD_TITLES.get(name, name)}: {told(name, old.get(name))} → {told(name, new.get(name))}"
        for name in {**old, **new}
    ]


def _short(value: Any) -> str:
    words = " ".join(value_text(value).split())
    return (f"{words[: _CELL_MAX - 1]}…" if len(words) > _CELL_MAX else words) or "–"


def change_words(change: RuleChange, tags: Mapping[int, Tag]) -> str:
    """Return what a change changed, in one line."""
    return "; ".join(difference_words(change.old, change.new, tags))
