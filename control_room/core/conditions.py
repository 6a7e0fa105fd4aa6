"""From samples to Raised and Returned: the rule's own file first, then the on- and off-delay.

On-delay: the raw condition must hold without a break; off-delay: it must be gone without a break (ISA-18.2 clause 10).
A sample that may not be trusted never changes a condition but that of bad quality (it neither raises nor silently clears an
alarm), and it breaks no on-delay that is running: the last trusted value stands. A return that is waiting for its off-delay is
not believed any more; the delay begins anew with a trusted value that says so.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from control_room.core.alarms import PAIRED, AlarmKind, AlarmRule, Raised, Returned
from control_room.core.rules.bad_quality import is_reported_bad, trusted_value
from control_room.core.rules.deviation import is_off
from control_room.core.rules.discrepancy import differs
from control_room.core.rules.expression import holds
from control_room.core.rules.limit import is_beyond
from control_room.core.rules.rate_of_change import Points, is_too_fast, rate_per_min, remember
from control_room.core.rules.stale import expected_until
from control_room.core.rules.state import is_in_state
from control_room.core.samples import Sample

# the newest value of a tag, None where there is none that may be trusted
Values = Callable[[int], float | None]


@dataclass(frozen=True, slots=True)
class Condition:
    """Where a rule stands: `is_active` after the delays, `is_raw` before them.

    `due` is the moment at which `is_active` follows `is_raw`, None when they agree. `changed` is the source time of the
    sample that made `is_raw` what it is, with its value and quality. `points`: what a rate of change remembers.
    """

    is_active: bool = False
    is_raw: bool = False
    due: datetime | None = None
    changed: datetime | None = None
    value: float | None = None
    quality: int = 0
    points: Points = ()


def judge(
    rule: AlarmRule, condition: Condition, sample: Sample, values: Values
) -> tuple[Condition, list[Raised | Returned]]:
    """Return where the rule stands after `sample`, and the events on the way: a delay that ran out before the sample
    came counts before it, and without a delay the sample's own change counts at once.

    `values` knows the sample already; a rule that compares two tags is judged by samples of both, one with an expression
    by samples of all that it names.
    """
    condition, earlier = settle(condition, sample.arrival_time)
    condition, own = settle(_follow(rule, condition, sample, values), sample.arrival_time)
    if rule.kind is AlarmKind.STALE and isinstance(own, Returned):
        condition = _silent_from(rule, sample)
    return condition, [event for event in (earlier, own) if event is not None]


def begin_silence(rule: AlarmRule, now: datetime) -> Condition:
    """Return where a STALE rule stands when nothing was heard yet: the silence begins now."""
    due = expected_until(rule, now)
    return Condition(is_raw=True, due=due, changed=due)


def _follow(rule: AlarmRule, condition: Condition, sample: Sample, values: Values) -> Condition:
    if rule.kind is AlarmKind.BAD:
        return _turn(rule, condition, sample, is_reported_bad(sample.quality, condition.is_raw), sample.value)
    value = trusted_value(sample)
    if value is None:
        return _unconfirmed(condition)
    if rule.kind is AlarmKind.STALE:
        return _heard(rule, condition, sample)
    if rule.kind in PAIRED:
        return _compare(rule, condition, sample, values)
    if rule.kind is AlarmKind.EXPRESSION:
        is_true = holds(rule, values)
        return (
            _unconfirmed(condition) if is_true is None else _turn(rule, condition, sample, is_true, values(rule.tag_id))
        )
    if rule.kind is AlarmKind.RATE:
        points = remember(condition.points, sample.source_time.timestamp(), value, rule.window_s)
        is_raw = is_too_fast(rule, rate_per_min(points), condition.is_raw)
        return _turn(rule, replace(condition, points=points), sample, is_raw, value)
    is_raw = is_in_state(rule, value) if rule.kind is AlarmKind.STATE else is_beyond(rule, value, condition.is_raw)
    return _turn(rule, condition, sample, is_raw, value)


def _unconfirmed(condition: Condition) -> Condition:
    """Return the condition after a value that says nothing: an alarm whose return waits for its off-delay stays."""
    if condition.is_active and not condition.is_raw:
        return replace(condition, is_raw=True, due=None)
    return condition


def _compare(rule: AlarmRule, condition: Condition, sample: Sample, values: Values) -> Condition:
    own, other = values(rule.tag_id), None if rule.other_tag_id is None else values(rule.other_tag_id)
    if own is None or other is None:
        return _unconfirmed(condition)
    was = condition.is_raw
    is_raw = differs(own, other) if rule.kind is AlarmKind.DISCREPANCY else is_off(rule, own, other, was)
    return _turn(rule, condition, sample, is_raw, own)


def _heard(rule: AlarmRule, condition: Condition, sample: Sample) -> Condition:
    """Return the condition after a value came: an alarm ends at once, and the next silence begins."""
    if condition.is_active:
        return _turn(replace(rule, off_delay_s=0.0), condition, sample, False, sample.value)
    return _silent_from(rule, sample)


def _silent_from(rule: AlarmRule, sample: Sample) -> Condition:
    due = expected_until(rule, sample.arrival_time)
    return Condition(is_raw=True, due=due, changed=due, value=sample.value, quality=sample.quality)


def _turn(rule: AlarmRule, condition: Condition, sample: Sample, is_raw: bool, value: float | None) -> Condition:
    if is_raw == condition.is_raw:
        return condition
    if is_raw == condition.is_active:
        return replace(condition, is_raw=is_raw, due=None)
    delay_s = rule.on_delay_s if is_raw else rule.off_delay_s
    return replace(
        condition,
        is_raw=is_raw,
        due=sample.arrival_time + timedelta(seconds=delay_s),
        changed=sample.source_time,
        value=value,
        quality=sample.quality,
    )


def settle(condition: Condition, now: datetime) -> tuple[Condition, Raised | Returned | None]:
    """Return the condition with a delay that has run out by `now` applied, and the event that this makes."""
    if condition.due is None or condition.due > now or condition.changed is None:
        return condition, None
    kind = Raised if condition.is_raw else Returned
    event = kind(condition.changed, condition.value, condition.quality)
    return replace(condition, is_active=condition.is_raw, due=None), event
