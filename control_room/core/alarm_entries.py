"""The alarm's journal: what an entry holds, and how it says what happened."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from control_room.core.alarm_events import (
    Acknowledged,
    AlarmEvent,
    Corrected,
    ProcessEvent,
    Raised,
    ReAlarmed,
    Reset,
    Returned,
    ReturnedToService,
    Shelved,
    TakenOutOfService,
    Unshelved,
)
from control_room.core.holds import Disabled, Enabled, Held, HoldEvent, HoldKind, Released


class AlarmState(StrEnum):
    """The state that people see; one that is suppressed in several ways shows the first of the last three: what people
    decided comes before what the logic did."""

    NORMAL = "NORM"
    UNACKNOWLEDGED = "UNACK"
    ACKNOWLEDGED = "ACKED"
    RETURNED = "RTNUN"
    LATCHED_UNACKNOWLEDGED = "LU"
    LATCHED_ACKNOWLEDGED = "LA"
    OUT_OF_SERVICE = "OOSRV"
    SHELVED = "SHLVD"
    SUPPRESSED_BY_DESIGN = "DSUPR"


SUPPRESSED = frozenset({AlarmState.OUT_OF_SERVICE, AlarmState.SHELVED, AlarmState.SUPPRESSED_BY_DESIGN})
TO_ACKNOWLEDGE = frozenset({AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED, AlarmState.LATCHED_UNACKNOWLEDGED})


class Trigger(StrEnum):
    """What made an alarm change."""

    PROCESS = "process"
    OPERATOR = "operator"
    TIMER = "timer"
    COMMENT = "comment"
    LOGIC = "logic"
    CONFIGURATION = "config"


class Happening(StrEnum):
    """What happened to an alarm, as the journal calls it."""

    RAISED = "raised"
    RETURNED = "returned"
    CORRECTED = "corrected"
    ACKNOWLEDGED = "acknowledged"
    RESET = "reset"
    SHELVED = "shelved"
    UNSHELVED = "unshelved"
    OUT_OF_SERVICE = "out_of_service"
    IN_SERVICE = "in_service"
    REALARMED = "realarmed"
    COMMENTED = "commented"
    SUPPRESSED = "suppressed"
    UNSUPPRESSED = "unsuppressed"
    WORK_BEGUN = "work_begun"
    WORK_ENDED = "work_ended"
    DISABLED = "disabled"
    ENABLED = "enabled"
    NOTED = "noted"
    NOTE_REMOVED = "note_removed"


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One change of an alarm, written once and never changed. `time` is the source time, aware UTC."""

    rule_id: int
    event_id: int
    happening: Happening
    previous: AlarmState
    state: AlarmState
    trigger: Trigger
    time: datetime
    value: float | None
    quality: int
    person: str = ""
    comment: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


def trigger_of(event: AlarmEvent) -> Trigger:
    """Return what made the alarm change."""
    if isinstance(event, ProcessEvent):
        return Trigger.PROCESS
    if isinstance(event, Disabled | Enabled):
        return Trigger.CONFIGURATION
    if isinstance(event, Held | Released) and _kind(event) is HoldKind.DESIGN:
        return Trigger.LOGIC
    return Trigger.OPERATOR if event.person else Trigger.TIMER


def _kind(event: HoldEvent) -> HoldKind:
    return event.hold.kind if isinstance(event, Held) else event.kind


def happening_of(event: AlarmEvent) -> Happening:
    """Return what the journal calls it."""
    if isinstance(event, Held | Released):
        return _HOLD_HAPPENINGS[type(event), _kind(event)]
    return _HAPPENINGS[type(event)]


_HOLD_HAPPENINGS = {
    (Held, HoldKind.DESIGN): Happening.SUPPRESSED,
    (Released, HoldKind.DESIGN): Happening.UNSUPPRESSED,
    (Held, HoldKind.WORK): Happening.WORK_BEGUN,
    (Released, HoldKind.WORK): Happening.WORK_ENDED,
}
_HAPPENINGS = {
    Raised: Happening.RAISED,
    Returned: Happening.RETURNED,
    Corrected: Happening.CORRECTED,
    Acknowledged: Happening.ACKNOWLEDGED,
    Reset: Happening.RESET,
    Shelved: Happening.SHELVED,
    Unshelved: Happening.UNSHELVED,
    TakenOutOfService: Happening.OUT_OF_SERVICE,
    ReturnedToService: Happening.IN_SERVICE,
    ReAlarmed: Happening.REALARMED,
    Disabled: Happening.DISABLED,
    Enabled: Happening.ENABLED,
}


def detail_of(event: AlarmEvent, process_number: int) -> dict[str, Any]:
    """Return what the journal keeps beside the columns that all have."""
    match event:
        case Raised() | Returned() | Corrected():
            return {"process_number": process_number}
        case Shelved():
            return {"until": event.until.isoformat(), "is_one_shot": event.is_one_shot}
        case TakenOutOfService():
            return {"work_order": event.work_order}
        case Held():
            hold = event.hold
            until = hold.until.isoformat() if hold.until else None
            return {"hold": hold.key, "until": until, "by": hold.person, "work_order": hold.work_order}
        case Released():
            return {"hold": f"{event.kind}:{event.number}"}
    return {}
