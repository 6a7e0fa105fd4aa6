"""Replays a journal: what the alarms are by what it tells alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from control_room.core.alarms import (
    Acknowledged,
    Alarm,
    AlarmEvent,
    AlarmRule,
    Disabled,
    Enabled,
    Happening,
    Held,
    Hold,
    HoldKind,
    JournalEntry,
    Raised,
    ReAlarmed,
    Released,
    Reset,
    Returned,
    ReturnedToService,
    Shelved,
    TakenOutOfService,
    Unshelved,
    step,
)


def rule_after(rule: AlarmRule, event: AlarmEvent) -> AlarmRule:
    """Return the rule as the event leaves it."""
    return replace(rule, is_disabled=isinstance(event, Disabled)) if isinstance(event, Disabled | Enabled) else rule


def replayed(journal: Sequence[JournalEntry], known: Mapping[int, AlarmRule]) -> dict[int, Alarm]:
    """Return the alarms as the journal alone tells of them; `known` are the rules as they were at first."""
    found: dict[int, Alarm] = {}
    rules = dict(known)
    for entry in journal:
        before, event = found.get(entry.rule_id, Alarm(entry.rule_id)), event_of(entry)
        found[entry.rule_id], again = step(before, event, rules[entry.rule_id])
        rules[entry.rule_id] = rule_after(rules[entry.rule_id], event)
        assert again is not None
        assert (again.state, again.event_id) == (entry.state, entry.event_id)
    return found


def event_of(entry: JournalEntry) -> AlarmEvent:
    """Return what happened, as the entry tells it."""
    time, person, words = entry.time, entry.person, entry.comment
    match entry.happening:
        case Happening.RAISED:
            return Raised(time, entry.value, entry.quality)
        case Happening.RETURNED:
            return Returned(time, entry.value, entry.quality)
        case Happening.ACKNOWLEDGED:
            return Acknowledged(time, entry.event_id, person, words)
        case Happening.SHELVED:
            until = datetime.fromisoformat(entry.detail["until"])
            return Shelved(time, until, person, words, entry.detail["is_one_shot"])
        case Happening.OUT_OF_SERVICE:
            return TakenOutOfService(time, person, words, entry.detail["work_order"])
        case Happening.SUPPRESSED | Happening.WORK_BEGUN:
            end = entry.detail["until"]
            kind, number = _hold_of(entry)
            until = end and datetime.fromisoformat(end)
            hold = Hold(kind, number, time, until, words, entry.detail["by"], entry.detail["work_order"])
            return Held(time, hold, person)
        case Happening.UNSUPPRESSED | Happening.WORK_ENDED:
            return Released(time, *_hold_of(entry), person, words)
    plain: dict[Happening, Callable[[datetime, str, str], AlarmEvent]] = {
        Happening.RESET: Reset,
        Happening.UNSHELVED: Unshelved,
        Happening.IN_SERVICE: ReturnedToService,
        Happening.REALARMED: ReAlarmed,
        Happening.DISABLED: Disabled,
        Happening.ENABLED: Enabled,
    }
    return plain[entry.happening](time, person, words)


def _hold_of(entry: JournalEntry) -> tuple[HoldKind, int]:
    kind, _, number = entry.detail["hold"].partition(":")
    return HoldKind(kind), int(number)
