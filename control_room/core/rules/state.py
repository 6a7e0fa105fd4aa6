"""Digital alarms: a tag is in a state in which it should not be."""

from control_room.core.alarms import AlarmRule


def is_in_state(rule: AlarmRule, value: float) -> bool:
    """Return whether the value is the state that the rule's limit names by its number."""
    return round(value) == round(rule.limit)
