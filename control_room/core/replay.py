"""A period of the journal played again: the board as it stood at any moment of it, by the alarm's own machine."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime

from control_room.core.alarms import (
    SUPPRESSED,
    TO_ACKNOWLEDGE,
    Acknowledged,
    Alarm,
    AlarmEvent,
    AlarmRule,
    AlarmState,
    Corrected,
    Disabled,
    Enabled,
    Happening,
    Held,
    Hold,
    HoldKind,
    IllegalTransition,
    JournalEntry,
    OutOfService,
    ProcessEvent,
    Raised,
    ReAlarmed,
    Released,
    Reset,
    Returned,
    ReturnedToService,
    Shelved,
    Shelving,
    TakenOutOfService,
    Unshelved,
    step,
)
from control_room.core.first_out import with_marks

# so many rows apart the board is kept, so that a jump plays few of them
_KEPT_EVERY = 2_000

_PROCESS: Mapping[str, Callable[[datetime, float | None, int], ProcessEvent]] = {
    Happening.RAISED: Raised,
    Happening.RETURNED: Returned,
    Happening.CORRECTED: Corrected,
}
_PLAIN: Mapping[str, Callable[[datetime, str, str], AlarmEvent]] = {
    Happening.RESET: Reset,
    Happening.UNSHELVED: Unshelved,
    Happening.IN_SERVICE: ReturnedToService,
    Happening.REALARMED: ReAlarmed,
    Happening.DISABLED: Disabled,
    Happening.ENABLED: Enabled,
}


def event_of(entry: JournalEntry) -> AlarmEvent | None:
    """Return what happened to the alarm, None for a note, which changes nothing."""
    time, person, words = entry.time, entry.person, entry.comment
    if (happened := _PROCESS.get(entry.happening)) is not None:
        return happened(time, entry.value, entry.quality)
    match entry.happening:
        case Happening.ACKNOWLEDGED:
            return Acknowledged(time, entry.event_id, person, words)
        case Happening.SHELVED:
            return Shelved(time, _until(entry), person, words, entry.detail.get("is_one_shot", False))
        case Happening.OUT_OF_SERVICE:
            return TakenOutOfService(time, person, words, entry.detail.get("work_order", ""))
        case Happening.SUPPRESSED | Happening.WORK_BEGUN:
            return Held(time, _hold(entry), person)
        case Happening.UNSUPPRESSED | Happening.WORK_ENDED:
            return Released(time, *_hold_key(entry), person, words)
    make = _PLAIN.get(entry.happening)
    return make(time, person, words) if make else None


def _hold_key(entry: JournalEntry) -> tuple[HoldKind, int]:
    kind, _, number = entry.detail["hold"].partition(":")
    return HoldKind(kind), int(number)


def _hold(entry: JournalEntry) -> Hold:
    detail = entry.detail
    until = datetime.fromisoformat(detail["until"]) if detail["until"] else None
    return Hold(*_hold_key(entry), entry.time, until, entry.comment, detail["by"], detail["work_order"])


def _until(entry: JournalEntry) -> datetime:
    return datetime.fromisoformat(entry.detail["until"]) if "until" in entry.detail else entry.time


def played(alarm: Alarm, entry: JournalEntry, rule: AlarmRule) -> Alarm:
    """Return the alarm after the entry.

    Where the machine of today comes to another state, as after the rule was changed, the journal is right.
    """
    event = event_of(entry)
    if event is None:
        return alarm if alarm.state is entry.state else as_told(alarm, entry, entry.state)
    try:
        after, _ = step(alarm, event, rule)
    except IllegalTransition:
        after = alarm
    is_same = (after.state, after.event_id) == (entry.state, entry.event_id)
    return after if is_same else as_told(alarm, entry, entry.state)


def as_told(alarm: Alarm, entry: JournalEntry, state: AlarmState) -> Alarm:
    """Return the alarm in a state that the journal tells of; what it does not tell stays as it was."""
    is_aside = state in SUPPRESSED
    is_design = state is AlarmState.SUPPRESSED_BY_DESIGN
    by_design = alarm.held_by(HoldKind.DESIGN) or (Hold(HoldKind.DESIGN, 0, entry.time, None, entry.comment),)
    shelving = alarm.shelving or Shelving(entry.time, _until(entry), entry.person, entry.comment)
    service = alarm.out_of_service or OutOfService(entry.time, entry.person, entry.comment)
    return replace(
        alarm,
        event_id=entry.event_id,
        is_active=state in (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED) or (is_aside and alarm.is_active),
        is_acknowledged=state not in TO_ACKNOWLEDGE,
        is_latched=state in (AlarmState.LATCHED_UNACKNOWLEDGED, AlarmState.LATCHED_ACKNOWLEDGED),
        shelving=shelving if state is AlarmState.SHELVED else None,
        out_of_service=service if state is AlarmState.OUT_OF_SERVICE else None,
        holds=by_design if is_design else (),
        raised_time=alarm.raised_time or (None if state is AlarmState.NORMAL else entry.time),
        value=entry.value,
        quality=entry.quality,
    )


@dataclass(frozen=True, slots=True)
class ReplayRow:
    """A journal entry, when it was written (aware UTC), and the rule with limit, priority and message of then.

    First-out groups are those of a municipality.
    """

    written: datetime
    entry: JournalEntry
    rule: AlarmRule
    municipality_id: int = 0


class Replay:
    """Plays rows, in the order in which they were written, up to any moment.

    The first rows may be from before the period: what was not normal then begins as its first row says. Once it has been
    at the end, every jump costs about the same, whatever the distance.
    """

    def __init__(self, rows: Sequence[ReplayRow]) -> None:
        """Stand before the first row."""
        self._rows = rows
        self._times = [row.written for row in rows]
        self._groups = _groups(rows)
        self._place = 0
        self.alarms: dict[int, Alarm] = {}
        # as each was when it last changed
        self.rules: dict[int, AlarmRule] = {}
        self._kept: list[tuple[dict[int, Alarm], dict[int, AlarmRule]]] = [({}, {})]

    @property
    def newest(self) -> ReplayRow | None:
        """Return what happened last before the present moment of the replay."""
        return self._rows[self._place - 1] if self._place else None

    def next_time(self) -> datetime | None:
        """Return when something happens next."""
        return self._times[self._place] if self._place < len(self._rows) else None

    def previous_time(self) -> datetime | None:
        """Return when something happened before the newest moment in which something did."""
        place = bisect_left(self._times, self._times[self._place - 1]) if self._place else 0
        return self._times[place - 1] if place else None

    def seek(self, time: datetime) -> Set[int]:
        """Stand at a moment, what was written in it included; return the rule ids whose alarm may be another."""
        place = bisect_right(self._times, time)
        first, last = sorted((place, self._place))
        changed = {row.entry.rule_id for row in self._rows[first:last]}
        # the mark of the first may have gone to another
        changed.update(*(self._groups.get(rule_id, ()) for rule_id in changed))
        kept = min(place // _KEPT_EVERY, len(self._kept) - 1)
        if place < self._place or kept * _KEPT_EVERY > self._place:
            alarms, rules = self._kept[kept]
            self.alarms, self.rules, self._place = dict(alarms), dict(rules), kept * _KEPT_EVERY
        while self._place < place:
            self._play(self._rows[self._place])
        return changed

    def _play(self, row: ReplayRow) -> None:
        entry, rule_id = row.entry, row.entry.rule_id
        before = self.alarms.get(rule_id) or as_told(Alarm(rule_id), _opening(entry), entry.previous)
        after = self.alarms[rule_id] = played(before, entry, row.rule)
        if (group := self._groups.get(rule_id)) is not None:
            others = (self.alarms[one] for one in group if one != rule_id and one in self.alarms)
            self.alarms.update((one.rule_id, one) for one in with_marks(before, after, others))
        self.rules[rule_id] = row.rule
        self._place += 1
        if self._place == len(self._kept) * _KEPT_EVERY:
            self._kept.append((dict(self.alarms), dict(self.rules)))


def _groups(rows: Sequence[ReplayRow]) -> dict[int, frozenset[int]]:
    """Return of each rule in a first-out group the rules of that group."""
    groups: dict[tuple[int, str], set[int]] = {}
    for row in rows:
        if row.rule.first_out_group:
            groups.setdefault((row.municipality_id, row.rule.first_out_group), set()).add(row.rule.id)
    return {rule_id: frozenset(members) for members in groups.values() for rule_id in members}


def _opening(entry: JournalEntry) -> JournalEntry:
    """Return the entry as if it told of the occurrence before a raising."""
    is_new = entry.happening is Happening.RAISED
    return replace(entry, event_id=entry.event_id - is_new, value=None if is_new else entry.value)
