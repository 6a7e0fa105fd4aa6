"""Rows of alarms for tests."""

from dataclasses import replace
from datetime import timedelta

from control_room.core.alarms import Alarm, AlarmKind, AlarmRule, Priority
from control_room.core.tags import Quantity, Tag
from tests.fakes import START
from widgets.alarm_model import AlarmRow


def row(
    rule_id: int, priority: Priority = Priority.HIGH, after_s: float = 0.0, municipality: str = "North"
) -> AlarmRow:
    """Return an active alarm that nobody has acknowledged."""
    tag = Tag(
        rule_id,
        1,
        "Hill",
        f"Tank {rule_id}",
        f"T{rule_id}",
        f"Tank {rule_id} level",
        Quantity.LEVEL,
        1,
        "",
        "m",
        decimals=2,
    )
    rule = AlarmRule(rule_id, tag.id, AlarmKind.L, priority, 1.5, message=f"Tank {rule_id} low")
    alarm = Alarm(rule_id, True, False, 1, START + timedelta(seconds=after_s), value=1.25)
    return AlarmRow(alarm, rule, tag, municipality)


def acknowledged(one: AlarmRow) -> AlarmRow:
    """Return it acknowledged."""
    return replace(one, alarm=replace(one.alarm, is_acknowledged=True, acknowledged_by="m.okafor"))
