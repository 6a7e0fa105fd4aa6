"""Deviation alarms: a value is too far from its setpoint, or from what another instrument measures."""

from control_room.core.alarms import AlarmRule


def is_off(rule: AlarmRule, value: float, other: float, was_off: bool) -> bool:
    """Return whether the values lie at least `limit` apart, in the tag's unit; off again at `limit` - `deadband`.

    OPC UA Part 9, 5.8.20 (exclusive deviation), both directions in one.
    """
    distance = abs(value - other)
    return distance > rule.limit - rule.deadband if was_off else distance >= rule.limit
