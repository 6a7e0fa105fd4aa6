"""Limit alarms HH, H, L, LL with a deadband of their own."""

from control_room.core.alarms import AlarmKind, AlarmRule

_HIGH = frozenset({AlarmKind.H, AlarmKind.HH})


def is_beyond(rule: AlarmRule, value: float, was_beyond: bool) -> bool:
    """Return whether `value` (in the tag's unit) lies beyond the limit, given whether the one before did.

    High: on at value >= limit, off at value <= limit - deadband; low is the mirror image (OPC UA Part 9, 5.8.18).
    """
    if rule.kind in _HIGH:
        return value > rule.limit - rule.deadband if was_beyond else value >= rule.limit
    return value < rule.limit + rule.deadband if was_beyond else value <= rule.limit
