"""What happens to an alarm: what the process does, what people decide, what the clock brings."""

from dataclasses import dataclass
from datetime import datetime

from control_room.core.holds import HoldEvent, RuleEvent


@dataclass(frozen=True, slots=True)
class Raised:
    """The condition became true, after deadband and delay."""

    time: datetime
    value: float | None
    quality: int


@dataclass(frozen=True, slots=True)
class Returned:
    """The condition became false, after deadband and delay."""

    time: datetime
    value: float | None
    quality: int


@dataclass(frozen=True, slots=True)
class Corrected:
    """The condition that still holds became true at another time than was told: late data showed it."""

    time: datetime
    value: float | None
    quality: int


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A person acknowledged the occurrence `event_id`."""

    time: datetime
    event_id: int
    person: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Reset:
    """A person let go of a latched alarm."""

    time: datetime
    person: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Shelved:
    """A person set the alarm aside, or set another end."""

    time: datetime
    until: datetime
    person: str
    comment: str
    is_one_shot: bool = False


@dataclass(frozen=True, slots=True)
class Unshelved:
    """A person took the alarm back, or its time ran out: nobody did."""

    time: datetime
    person: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class TakenOutOfService:
    """A person took the alarm out of service."""

    time: datetime
    person: str
    comment: str
    work_order: str = ""


@dataclass(frozen=True, slots=True)
class ReturnedToService:
    """A person returned the alarm to service."""

    time: datetime
    person: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class ReAlarmed:
    """It was acknowledged and still stands: it is announced again."""

    time: datetime
    person: str = ""
    comment: str = ""


ProcessEvent = Raised | Returned | Corrected
PersonEvent = Acknowledged | Reset | Shelved | Unshelved | TakenOutOfService | ReturnedToService
AlarmEvent = ProcessEvent | PersonEvent | ReAlarmed | HoldEvent | RuleEvent
