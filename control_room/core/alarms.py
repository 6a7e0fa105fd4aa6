"""The alarm state machine: `step(alarm, event, rule) -> (alarm, entry or None)`, pure.

States and transitions follow ANSI/ISA-18.2-2016 and IEC 62682. Facts are kept apart (is the condition present, was it
acknowledged, is it latched, shelved, held, out of service); the state that people see is derived from them. The database has
the same machine as its function step_alarm() and lets nobody past it; a test walks both side by side.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from control_room.core.alarm_entries import (
    SUPPRESSED,
    TO_ACKNOWLEDGE,
    AlarmState,
    Happening,
    JournalEntry,
    Trigger,
    detail_of,
    happening_of,
    trigger_of,
)
from control_room.core.alarm_events import (
    Acknowledged,
    AlarmEvent,
    Corrected,
    PersonEvent,
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
from control_room.core.expressions import Expression
from control_room.core.holds import (
    Disabled,
    Enabled,
    Held,
    Hold,
    HoldEvent,
    HoldKind,
    Released,
    RuleEvent,
    held_with,
    held_without,
)

# the whole machine is imported from here
__all__ = [
    "LIMITS",
    "PAIRED",
    "SUPPRESSED",
    "TO_ACKNOWLEDGE",
    "Acknowledged",
    "Alarm",
    "AlarmEvent",
    "AlarmKind",
    "AlarmRule",
    "AlarmState",
    "Corrected",
    "Disabled",
    "Enabled",
    "Happening",
    "Held",
    "Hold",
    "HoldKind",
    "IllegalTransition",
    "JournalEntry",
    "OutOfService",
    "PersonEvent",
    "Priority",
    "ProcessChange",
    "ProcessEvent",
    "Raised",
    "ReAlarmed",
    "Released",
    "Reset",
    "Returned",
    "ReturnedToService",
    "Shelved",
    "Shelving",
    "TakenOutOfService",
    "Trigger",
    "Unshelved",
    "is_legal",
    "step",
]


class AlarmKind(StrEnum):
    """What an alarm watches."""

    HH = "HH"
    H = "H"
    L = "L"
    LL = "LL"
    BAD = "BAD"
    STATE = "STATE"
    DISCREPANCY = "DISC"
    DEVIATION = "DEV"
    RATE = "ROC"
    STALE = "STALE"
    EXPRESSION = "EXPR"


# what watches a value of the tag itself
LIMITS = frozenset({AlarmKind.HH, AlarmKind.H, AlarmKind.L, AlarmKind.LL})
# what compares a tag with another one
PAIRED = frozenset({AlarmKind.DISCREPANCY, AlarmKind.DEVIATION})


class Priority(IntEnum):
    """How urgent an alarm is, most urgent first."""

    HIGHEST = 1
    HIGH = 2
    MEDIUM = 3
    LOW = 4


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """One alarm of one tag. What `limit` means depends on the kind, and each kind's file in core/rules says it.

    HH, H, L, LL: a value, and `deadband` as well, in the tag's unit. DEV: how far from `other_tag_id`. ROC: units per minute
    over `window_s`. STATE: the number of a state. STALE: seconds. BAD, DISC and EXPR have none.
    `expression`: of EXPR, what raises it when it is true; `inputs` are the tags that it names, in its order.
    `first_out_group`: of those of one name in a municipality the first to come is marked; empty: none.
    `on_delay_s`: the condition must hold without break for so long before the alarm is raised.
    `off_delay_s`: the condition must be gone without break for so long before it returns.
    `is_latching`: when the condition is gone the alarm stays until a person resets it.
    `shelving_limit_s`: the longest that it may be shelved at once; 0: not at all.
    `re_alarm_s`: so long after its acknowledgement it is announced again, if it still stands; 0: never.
    `is_disabled`: a change of the configuration took it out of service; nothing judges it.
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
    is_latching: bool = False
    shelving_limit_s: float = 28_800.0
    other_tag_id: int | None = None
    window_s: float = 60.0
    re_alarm_s: float = 0.0
    expression: Expression | None = None
    inputs: tuple[int, ...] = ()
    first_out_group: str = ""
    is_disabled: bool = False


@dataclass(frozen=True, slots=True)
class Shelving:
    """Who set an alarm aside until when, and why; `is_one_shot`: or until it returns to normal, whichever is first."""

    since: datetime
    until: datetime
    person: str
    reason: str
    is_one_shot: bool = False


@dataclass(frozen=True, slots=True)
class OutOfService:
    """Who took an alarm out of service, and why; `work_order` may be empty."""

    since: datetime
    person: str
    reason: str
    work_order: str = ""


@dataclass(frozen=True, slots=True)
class StickyNote:
    """What a person left on an alarm for all who come after; it stays until somebody removes it."""

    words: str
    person: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Alarm:
    """The facts of one alarm. `event_id` counts the occurrences: 0 means never raised. `value`, `quality`: at raising.

    `process_number` counts what the process did to it: what is told twice is done once. `first_out_time`: when it was raised as
    the first of its group, which core.first_out says; None: another was.
    """

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
    is_latched: bool = False
    shelving: Shelving | None = None
    out_of_service: OutOfService | None = None
    process_number: int = 0
    first_out_time: datetime | None = None
    holds: tuple[Hold, ...] = ()
    note: StickyNote | None = None

    @property
    def is_suppressed(self) -> bool:
        """Return whether nobody is told of it now."""
        return self.shelving is not None or self.out_of_service is not None or bool(self.holds)

    def held_by(self, kind: HoldKind) -> tuple[Hold, ...]:
        """Return what of one kind holds it."""
        return tuple(one for one in self.holds if one.kind is kind)

    @property
    def is_first_out(self) -> bool:
        """Return whether it was the first of its group and is still on the board."""
        return self.first_out_time is not None and not self.is_suppressed and self.state is not AlarmState.NORMAL

    @property
    def state(self) -> AlarmState:
        """Return the state derived from the facts."""
        if self.out_of_service is not None:
            return AlarmState.OUT_OF_SERVICE
        if self.shelving is not None or self.held_by(HoldKind.WORK):
            return AlarmState.SHELVED
        if self.holds:
            return AlarmState.SUPPRESSED_BY_DESIGN
        if self.is_active:
            return AlarmState.ACKNOWLEDGED if self.is_acknowledged else AlarmState.UNACKNOWLEDGED
        if self.is_latched:
            return AlarmState.LATCHED_ACKNOWLEDGED if self.is_acknowledged else AlarmState.LATCHED_UNACKNOWLEDGED
        return AlarmState.NORMAL if self.is_acknowledged else AlarmState.RETURNED


@dataclass(frozen=True, slots=True)
class ProcessChange:
    """What the process did to an alarm, for the `number`-th time."""

    rule_id: int
    number: int
    event: ProcessEvent


class IllegalTransition(ValueError):
    """The event is not allowed in the alarm's state; the text says why."""


_PLAIN = AlarmRule(0, 0, AlarmKind.H, Priority.LOW)
_IS_DISABLED = "It is disabled in the configuration."
_QUIET = "It is shelved, suppressed or out of service: there is nothing to acknowledge."


def step(alarm: Alarm, event: AlarmEvent, rule: AlarmRule = _PLAIN) -> tuple[Alarm, JournalEntry | None]:
    """Return the alarm after `event` and its journal entry, or None for an event that changes nothing.

    Raises IllegalTransition for what a person may not do to the alarm as it is, with words for that person: among them
    an acknowledgement of an occurrence that is no longer the current one (ISA-18.2: an acknowledgement never hides a new
    alarm; compare OPC UA Bad_EventIdUnknown).
    """
    after = _after(alarm, event, rule)
    return (alarm, None) if after is alarm else (after, _entry(alarm, after, event))


def is_legal(alarm: Alarm, event: AlarmEvent, rule: AlarmRule) -> bool:
    """Return whether step() takes the event: what a person may be offered."""
    try:
        step(alarm, event, rule)
    except IllegalTransition:
        return False
    return True


def _after(alarm: Alarm, event: AlarmEvent, rule: AlarmRule) -> Alarm:
    if isinstance(event, ProcessEvent):
        return alarm if rule.is_disabled else _processed(alarm, event, rule)
    if isinstance(event, Held | Released):
        return _held(alarm, event, rule)
    if isinstance(event, Disabled | Enabled):
        return _configured(alarm, event, rule)
    return _decided(alarm, event, rule)


def _decided(alarm: Alarm, event: PersonEvent | ReAlarmed, rule: AlarmRule) -> Alarm:
    match event:
        case ReAlarmed():
            _demand(alarm.state is AlarmState.ACKNOWLEDGED, "It does not stand acknowledged.")
            return _heard_again(alarm)
        case Acknowledged():
            return _acknowledged(alarm, event)
        case Reset():
            return _reset(alarm)
        case Shelved():
            return _shelved(alarm, event, rule)
        case Unshelved():
            _demand(alarm.shelving is not None, "It is not shelved.")
            return _heard_again(replace(alarm, shelving=None))
        case TakenOutOfService():
            return _taken_out_of_service(alarm, event, rule)
        case ReturnedToService():
            _demand(alarm.out_of_service is not None, "It is in service.")
            return _heard_again(replace(alarm, out_of_service=None))


def _demand(is_met: bool, words: str) -> None:
    if not is_met:
        raise IllegalTransition(words)


def _processed(alarm: Alarm, event: ProcessEvent, rule: AlarmRule) -> Alarm:
    match event:
        case Raised():
            return _raised(alarm, event)
        case Returned():
            return _returned(alarm, event, rule)
        case Corrected():
            return _corrected(alarm, event)


def _corrected(alarm: Alarm, event: Corrected) -> Alarm:
    """Return the alarm with another beginning, and nothing else changed."""
    if not alarm.is_active or event.time == alarm.raised_time:
        return alarm
    return replace(
        alarm,
        # an odd number: the condition holds
        process_number=alarm.process_number + 2,
        raised_time=event.time,
        value=event.value,
        quality=event.quality,
    )


def _raised(alarm: Alarm, event: Raised) -> Alarm:
    if alarm.is_active:
        return alarm
    return replace(
        alarm,
        is_active=True,
        # what is suppressed is told to nobody, so nobody can acknowledge it
        is_acknowledged=alarm.is_suppressed,
        is_latched=False,
        event_id=alarm.event_id + 1,
        process_number=alarm.process_number + 1,
        raised_time=event.time,
        returned_time=None,
        acknowledged_time=None,
        acknowledged_by="",
        value=event.value,
        quality=event.quality,
    )


def _returned(alarm: Alarm, event: Returned, rule: AlarmRule) -> Alarm:
    if not alarm.is_active:
        return alarm
    # value and quality stay those of raising: the board says why the alarm came; the journal has both
    return replace(
        alarm,
        is_active=False,
        is_latched=rule.is_latching and not alarm.is_suppressed,
        shelving=None if alarm.shelving and alarm.shelving.is_one_shot else alarm.shelving,
        process_number=alarm.process_number + 1,
        returned_time=event.time,
    )


def _acknowledged(alarm: Alarm, event: Acknowledged) -> Alarm:
    again = "The alarm has been raised again since. Look at the new occurrence first."
    _demand(event.event_id == alarm.event_id, again)
    _demand(not alarm.is_suppressed, _QUIET)
    _demand(not alarm.is_acknowledged, f"{alarm.acknowledged_by or 'Somebody'} acknowledged it already.")
    return replace(alarm, is_acknowledged=True, acknowledged_time=event.time, acknowledged_by=event.person)


def _reset(alarm: Alarm) -> Alarm:
    _demand(alarm.is_latched, "It is not latched, or its condition is still there.")
    _demand(alarm.is_acknowledged, "Acknowledge it first.")
    return replace(alarm, is_latched=False)


def _shelved(alarm: Alarm, event: Shelved, rule: AlarmRule) -> Alarm:
    _demand(not rule.is_disabled, _IS_DISABLED)
    _demand(alarm.out_of_service is None, "It is out of service.")
    _demand(rule.shelving_limit_s > 0, "This alarm may not be shelved.")
    _demand(event.until > event.time, "The shelving must end in the future.")
    longest = f"This alarm may be shelved for at most {rule.shelving_limit_s / 60:.0f} min."
    _demand(event.until - event.time <= timedelta(seconds=rule.shelving_limit_s), longest)
    _demand(bool(event.comment.strip()), "A reason is needed.")
    shelving = Shelving(event.time, event.until, event.person, event.comment, event.is_one_shot)
    return replace(alarm, shelving=shelving, is_acknowledged=True, is_latched=False)


def _taken_out_of_service(alarm: Alarm, event: TakenOutOfService, rule: AlarmRule) -> Alarm:
    _demand(not rule.is_disabled, _IS_DISABLED)
    _demand(alarm.out_of_service is None, "It is out of service already.")
    _demand(bool(event.comment.strip()), "A reason is needed.")
    taken = OutOfService(event.time, event.person, event.comment, event.work_order)
    return replace(alarm, out_of_service=taken, is_acknowledged=True, is_latched=False)


def _held(alarm: Alarm, event: HoldEvent, rule: AlarmRule) -> Alarm:
    if isinstance(event, Released):
        left = held_without(alarm.holds, event.kind, event.number)
        _demand(len(left) < len(alarm.holds), "Nothing of that kind holds it.")
        return _heard_again(replace(alarm, holds=left))
    _demand(not rule.is_disabled, _IS_DISABLED)
    new = event.hold
    known = next((one for one in alarm.holds if one.key == new.key), None)
    if known is not None:
        if known.until == new.until:
            return alarm
        # the same one with another end
        new = replace(new, since=known.since)
    return replace(alarm, holds=held_with(alarm.holds, new), is_acknowledged=True, is_latched=False)


def _configured(alarm: Alarm, event: RuleEvent, rule: AlarmRule) -> Alarm:
    if isinstance(event, Enabled):
        _demand(rule.is_disabled, "It is enabled.")
        # what is abnormal now is announced as soon as it is judged again
        return replace(alarm)
    _demand(not rule.is_disabled, "It is disabled already.")
    _demand(bool(event.comment.strip()), "A reason is needed.")
    return replace(
        alarm,
        is_active=False,
        is_acknowledged=True,
        is_latched=False,
        shelving=None,
        out_of_service=None,
        holds=(),
        process_number=alarm.process_number + alarm.is_active,
        returned_time=event.time if alarm.is_active else alarm.returned_time,
    )


def _heard_again(alarm: Alarm) -> Alarm:
    """Return the alarm announced as new when its condition holds and nothing else suppresses it."""
    if alarm.is_suppressed or not alarm.is_active:
        return alarm
    return replace(
        alarm, is_acknowledged=False, event_id=alarm.event_id + 1, acknowledged_time=None, acknowledged_by=""
    )


def _entry(before: Alarm, after: Alarm, event: AlarmEvent) -> JournalEntry:
    measured = event if isinstance(event, ProcessEvent) else after
    detail = detail_of(event, after.process_number)
    if isinstance(event, Corrected) and before.raised_time is not None:
        detail["was"] = before.raised_time.isoformat()
    return JournalEntry(
        rule_id=after.rule_id,
        event_id=after.event_id,
        happening=happening_of(event),
        previous=before.state,
        state=after.state,
        trigger=trigger_of(event),
        time=event.time,
        value=measured.value,
        quality=measured.quality,
        person="" if isinstance(event, ProcessEvent) else event.person,
        comment="" if isinstance(event, ProcessEvent) else event.comment,
        detail=detail,
    )
