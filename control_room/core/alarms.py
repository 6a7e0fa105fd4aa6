"""The alarm state machine: `step(alarm, event) -> (alarm, entry or None)`, pure.

States and transitions follow ANSI/ISA-18.2-2016 and IEC 62682. Facts are kept apart (is the condition present, was it
acknowledged); the state that people see is derived from them, so that shelving, suppression and latching can be added
as further facts.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum, StrEnum


class AlarmKind(StrEnum):
    """What an alarm watches."""

    HH = "HH"
    H = "H"
    L = "L"
    LL = "LL"
    BAD = "BAD"


class Priority(IntEnum):
    """How urgent an alarm is, most urgent first."""

    HIGHEST = 1
    HIGH = 2
    MEDIUM = 3
    LOW = 4


class AlarmState(StrEnum):
    """The state that people see."""

    NORMAL = "NORM"
    UNACKNOWLEDGED = "UNACK"
    ACKNOWLEDGED = "ACKED"
    RETURNED = "RTNUN"


class Trigger(StrEnum):
    """What made an alarm change."""

    PROCESS = "process"
    OPERATOR = "operator"
    COMMENT = "comment"


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """One limit or bad-quality alarm of one tag. `limit` and `deadband` are in the tag's unit; BAD has no limit.

    `on_delay_s`: the condition must hold without break for so long before the alarm is raised.
    `off_delay_s`: the condition must be gone without break for so long before it returns.
    """

    id: int
    tag_id: int
    kind: AlarmKind
    priority: Priority
    limit: float = 0.0
    deadband: float = 0.0
    on_delay_s: float = 0.0
    off_delay_s: float = 0.0
    message: str = ""


@dataclass(frozen=True, slots=True)
class Alarm:
    """The facts of one alarm. `event_id` counts the occurrences: 0 means never raised. `value`, `quality`: at raising."""

    rule_id: int
    is_active: bool = False
    is_acknowledged: bool = True
    event_id: int = 0
    raised_time: datetime | None = None
    returned_time: datetime | None = None
    acknowledged_time: datetime | None = None
    acknowledged_by: str = ""
    value: float | None = None
    quality: int = 0

    @property
    def state(self) -> AlarmState:
        """Return the state derived from the facts (ISA-18.2 states A to D)."""
        if self.is_active:
            return AlarmState.ACKNOWLEDGED if self.is_acknowledged else AlarmState.UNACKNOWLEDGED
        return AlarmState.NORMAL if self.is_acknowledged else AlarmState.RETURNED


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
class Acknowledged:
    """A person acknowledged the occurrence `event_id`."""

    time: datetime
    event_id: int
    person: str
    comment: str = ""


AlarmEvent = Raised | Returned | Acknowledged


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One change of an alarm, written once and never changed. `time` is the source time, aware UTC."""

    rule_id: int
    event_id: int
    previous: AlarmState
    state: AlarmState
    trigger: Trigger
    time: datetime
    value: float | None
    quality: int
    person: str = ""
    comment: str = ""


class IllegalTransition(ValueError):
    """The event is not allowed in the alarm's state; the text says why."""


def step(alarm: Alarm, event: AlarmEvent) -> tuple[Alarm, JournalEntry | None]:
    """Return the alarm after `event` and its journal entry, or None for an event that changes nothing.

    Raises IllegalTransition for an acknowledgement of an occurrence that is no longer the current one or that was
    acknowledged before (ISA-18.2: an acknowledgement never hides a new alarm; compare OPC UA Bad_EventIdUnknown).
    """
    match event:
        case Raised():
            after = _raised(alarm, event)
        case Returned():
            after = _returned(alarm, event)
        case Acknowledged():
            after = _acknowledged(alarm, event)
    if after is alarm:
        return alarm, None
    return after, _entry(alarm, after, event)


def _raised(alarm: Alarm, event: Raised) -> Alarm:
    if alarm.is_active:
        return alarm
    return Alarm(
        rule_id=alarm.rule_id,
        is_active=True,
        is_acknowledged=False,
        event_id=alarm.event_id + 1,
        raised_time=event.time,
        value=event.value,
        quality=event.quality,
    )


def _returned(alarm: Alarm, event: Returned) -> Alarm:
    if not alarm.is_active:
        return alarm
    # value and quality stay those of raising: the board says why the alarm came; the journal has both
    return replace(alarm, is_active=False, returned_time=event.time)


def _acknowledged(alarm: Alarm, event: Acknowledged) -> Alarm:
    if event.event_id != alarm.event_id:
        raise IllegalTransition("The alarm has been raised again since. Look at the new occurrence first.")
    if alarm.is_acknowledged:
        raise IllegalTransition(f"{alarm.acknowledged_by or 'Somebody'} acknowledged it already.")
    return replace(alarm, is_acknowledged=True, acknowledged_time=event.time, acknowledged_by=event.person)


def _entry(before: Alarm, after: Alarm, event: AlarmEvent) -> JournalEntry:
    is_operator = isinstance(event, Acknowledged)
    measured = after if isinstance(event, Acknowledged) else event
    return JournalEntry(
        rule_id=after.rule_id,
        event_id=after.event_id,
        previous=before.state,
        state=after.state,
        trigger=Trigger.OPERATOR if is_operator else Trigger.PROCESS,
        time=event.time,
        value=measured.value,
        quality=measured.quality,
        person=event.person if isinstance(event, Acknowledged) else "",
        comment=event.comment if isinstance(event, Acknowledged) else "",
    )
