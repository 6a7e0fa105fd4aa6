"""What keeps an alarm quiet beside a person's shelving of it: a suppression by design, planned work, a disabled rule.

An alarm may be held by several at once (ISA-18.2: shelved, suppressed by design and out of service are facts of their own
which may hold together); it is heard again when the last one lets go. The machine of core/alarms.py makes the steps.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class HoldKind(StrEnum):
    """What holds an alarm."""

    # a known cause, by rule: the alarm is a consequence of it
    DESIGN = "design"
    # work on the plant that was planned
    WORK = "work"


@dataclass(frozen=True, slots=True)
class Hold:
    """One thing that holds an alarm since when, and why in words: the cause, or the reason of the work.

    `number` is the id of the suppression or of the work. `until`: when it lets go; None while the cause lasts.
    """

    kind: HoldKind
    number: int
    since: datetime
    until: datetime | None
    words: str
    person: str = ""
    work_order: str = ""

    @property
    def key(self) -> str:
        """Return what names it in the alarm's row and in its journal: "design:7", "work:12"."""
        return f"{self.kind}:{self.number}"


@dataclass(frozen=True, slots=True)
class Held:
    """Something holds the alarm from now on, or until another end. No `person`: the logic did it, or the clock."""

    time: datetime
    hold: Hold
    person: str = ""

    @property
    def comment(self) -> str:
        """Return what the journal says of it."""
        return self.hold.words


@dataclass(frozen=True, slots=True)
class Released:
    """What is named lets the alarm go."""

    time: datetime
    kind: HoldKind
    number: int
    person: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Disabled:
    """The rule was taken out of the configuration's service: nothing judges it."""

    time: datetime
    person: str
    comment: str


@dataclass(frozen=True, slots=True)
class Enabled:
    """The rule is judged again."""

    time: datetime
    person: str
    comment: str = ""


HoldEvent = Held | Released
RuleEvent = Disabled | Enabled


def held_with(holds: tuple[Hold, ...], new: Hold) -> tuple[Hold, ...]:
    """Return the holds with `new` among them, in the order of their keys."""
    return tuple(sorted([*(one for one in holds if one.key != new.key), new], key=lambda one: one.key))


def held_without(holds: tuple[Hold, ...], kind: HoldKind, number: int) -> tuple[Hold, ...]:
    """Return the holds without one of them."""
    return tuple(one for one in holds if (one.kind, one.number) != (kind, number))
