"""Replays a journal: what the alarms are by what it tells alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from control_room.core.alarms import Alarm, AlarmEvent, AlarmRule, Disabled, Enabled, JournalEntry, step
from control_room.core.replay import event_of


def rule_after(rule: AlarmRule, event: AlarmEvent) -> AlarmRule:
    """Return the rule as the event leaves it."""
    return replace(rule, is_disabled=isinstance(event, Disabled)) if isinstance(event, Disabled | Enabled) else rule


def replayed(journal: Sequence[JournalEntry], known: Mapping[int, AlarmRule]) -> dict[int, Alarm]:
    """Return the alarms as the journal alone tells of them; `known` are the rules as they were at first."""
    found: dict[int, Alarm] = {}
    rules = dict(known)
    for entry in journal:
        before, event = found.get(entry.rule_id, Alarm(entry.rule_id)), event_of(entry)
        assert event is not None
        found[entry.rule_id], again = step(before, event, rules[entry.rule_id])
        rules[entry.rule_id] = rule_after(rules[entry.rule_id], event)
        assert again is not None
        assert (again.state, again.event_id) == (entry.state, entry.event_id)
    return found
