"""Expression alarms: what several tags say together is true, and should not be."""

from collections.abc import Callable

from control_room.core.alarms import AlarmRule


def holds(rule: AlarmRule, values: Callable[[int], float | None]) -> bool | None:
    """Return whether the rule's expression is true with the newest values of its inputs.

    None when it has no value: one input is not there or may not be trusted, or it divides by zero.
    """
    if rule.expression is None:
        return None
    result = rule.expression.value([values(tag_id) for tag_id in rule.inputs])
    return None if result is None else result != 0.0
