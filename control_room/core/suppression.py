"""Suppression by design: while a cause is known, its consequences are told to nobody (ISA-18.2: designed suppression)."""

from dataclasses import dataclass
from datetime import datetime

from control_room.core.alarms import AlarmKind, AlarmRule, Priority


@dataclass(frozen=True, slots=True)
class Suppression:
    """While the cause is there, the alarms of `consequences` (ids of rules) are suppressed, and `delay_s` longer.

    The cause is an alarm (`rule_id`), or a condition of a tag: `kind`, `limit`, `deadband` and `on_delay_s` mean what
    they mean of an AlarmRule. `cause` says it in words.
    """

    id: int
    municipality_id: int
    name: str
    cause: str
    delay_s: float = 0.0
    rule_id: int | None = None
    tag_id: int | None = None
    kind: AlarmKind = AlarmKind.STATE
    limit: float = 0.0
    deadband: float = 0.0
    on_delay_s: float = 0.0
    consequences: frozenset[int] = frozenset()

    def watch(self) -> AlarmRule | None:
        """Return the rule that judges a tag's condition, numbered below zero, where no alarm is; None: an alarm is the cause."""
        if self.tag_id is None:
            return None
        return AlarmRule(
            -self.id,
            self.tag_id,
            self.kind,
            Priority.LOW,
            self.limit,
            self.deadband,
            self.on_delay_s,
        )


@dataclass(frozen=True, slots=True)
class CauseState:
    """What is stored of a suppression's cause: whether it is there, and how often it changed."""

    suppression_id: int
    number: int

    @property
    def is_there(self) -> bool:
        """Return whether the cause is there: it comes and goes by turns."""
        return self.number % 2 == 1


@dataclass(frozen=True, slots=True)
class CauseChange:
    """The cause came (an odd `number`) or went, for the `number`-th time."""

    suppression_id: int
    number: int
    time: datetime
