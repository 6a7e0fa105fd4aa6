"""What the seat says of an audit entry: on screen, in its detail, and as a row of an export."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from control_room.ui.people_words import Places, place_word
from control_room.ui.table_files import Cell
from db.audit import AuditEntry, Chain

# what the functions of the database write; more come with later versions
ACTIONS = (
    "sign_in",
    "resume",
    "sign_out",
    "lock",
    "lock_account",
    "change_password",
    "acknowledge",
    "comment",
    "write_note",
    "remove_note",
    "set_comments",
    "disable_alarm",
    "enable_alarm",
    "begin_work",
    "extend_work",
    "end_work",
    "configure",
    "create_person",
    "set_membership",
    "enable",
    "disable",
    "reset_password",
    "end_session",
    "create_station",
    "save_municipality",
    "export_audit",
    "export_journal",
    "export_alarm_report",
    "export_alarm_rules",
    "export_trend",
)
_WORDS = {"set_membership": "change roles", "resume": "resume session"}
TITLES = (
    "id",
    "time_utc",
    "time_local",
    "person",
    "station",
    "address",
    "action",
    "object",
    "municipality",
    "outcome",
    "reason",
    "old",
    "new",
    "hash",
)


def action_words(action: str) -> str:
    """Return an action as people say it."""
    return _WORDS.get(action, action.replace("_", " "))


def outcome(entry: AuditEntry) -> str:
    """Return how it ended."""
    return "done" if entry.is_done else "refused"


def municipality_words(entry: AuditEntry, places: Places) -> str:
    """Return the municipality that it concerns; none: all of them, or the installation."""
    return "" if entry.municipality_id is None else place_word(places, entry.municipality_id)


def changes(entry: AuditEntry) -> list[tuple[str, Any, Any]]:
    """Return (key, old, new) of what differs; what a new value does not name has not changed."""
    old, new = _mapping(entry.old), _mapping(entry.new)
    if entry.new is None:
        return [(key, value, None) for key, value in old.items()]
    return [(key, old.get(key), value) for key, value in new.items() if key not in old or old[key] != value]


def _mapping(value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    return value if isinstance(value, Mapping) else {"value": value}


def change_lines(entry: AuditEntry) -> list[str]:
    """Return the changes, one a line: "name: old → new"."""
    return [_change_line(key, old, new, has_old=entry.old is not None) for key, old, new in changes(entry)]


def _change_line(key: str, old: Any, new: Any, *, has_old: bool) -> str:
    return f"{key}: {_pretty(old)} → {_pretty(new)}" if has_old else f"{key}: {_pretty(new)}"


def _pretty(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    holds = value if isinstance(value, list) else [value]
    is_long = any(isinstance(one, Mapping) for one in holds)
    return json.dumps(value, ensure_ascii=False, indent=2 if is_long else None)


def detail(entry: AuditEntry, places: Places) -> str:
    """Return everything of an entry, as lines."""
    lines = [
        f"Entry {entry.id:,}: {action_words(entry.action)}, {outcome(entry)}",
        f"{entry.time.astimezone():%Y-%m-%d %H:%M:%S.%f %Z}"[:64],
        f"{entry.time.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f} UTC",
        f"Person: {entry.person or '–'}",
        f"Station: {entry.station or '–'}, address {entry.address}",
        f"Object: {entry.object or '–'}",
        f"Municipality: {municipality_words(entry, places) or '–'}",
    ]
    if entry.reason:
        lines.append(f"Reason: {entry.reason}")
    if changed := change_lines(entry):
        lines += ["", "Changed:" if entry.old is not None else "Values:", *changed]
    return "\n".join([*lines, "", f"Hash: {entry.hash}"])


def tip(entry: AuditEntry) -> str:
    """Return what differs and why, short enough for a tooltip."""
    lines = [f"{action_words(entry.action)} {entry.object}: {outcome(entry)}", entry.reason, *change_lines(entry)]
    return "\n".join(line for line in lines if line)[:1500]


def chain_words(chain: Chain) -> str:
    """Return what the check of the chain found."""
    count = f"{chain.entries:,} {'entry' if chain.entries == 1 else 'entries'}"
    newest = f"newest hash {chain.newest_hash}" if chain.newest_hash else "no hash yet"
    if chain.first_broken is None:
        return f"The chain is whole: {count}, {newest}."
    return (
        f"THE CHAIN IS BROKEN, first at row {chain.first_broken:,} of {count}; {newest}. Somebody changed, removed or added "
        "entries with the owner's rights. Keep a copy of the database and tell whoever answers for its security."
    )


def cells(entry: AuditEntry, places: Places) -> tuple[Cell, ...]:
    """Return what an export writes of an entry."""
    return (
        entry.id,
        utc_text(entry.time),
        entry.time,
        entry.person,
        entry.station,
        entry.address,
        entry.action,
        entry.object,
        municipality_words(entry, places),
        outcome(entry),
        entry.reason,
        _json(entry.old),
        _json(entry.new),
        entry.hash,
    )


def utc_text(time: datetime) -> str:
    """Return the moment as ISO 8601 in UTC, to the microsecond."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _json(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)
