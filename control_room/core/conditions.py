"""From samples to Raised and Returned: deadband first, then the on- and off-delay.

On-delay: the raw condition must hold without a break; off-delay: it must be gone without a break (ISA-18.2 clause 10).
A sample that may not be trusted never changes a limit condition (it neither raises nor silently clears an alarm), but
it breaks no delay that is running either: the last trusted value stands.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from control_room.core.alarms import AlarmKind, AlarmRule, Raised, Returned
from control_room.core.rules.bad_quality import is_reported_bad, is_untrusted
from control_room.core.rules.limit import is_beyond
from control_room.core.samples import Sample


@dataclass(frozen=True, slots=True)
class Condition:
    """Where a rule stands: `is_active` after the delays, `is_raw` before them.

    `due` is the moment at which `is_active` follows `is_raw`, None when they agree. `changed` is the source time of the
    sample that made `is_raw` what it is, with its value and quality.
    """

    is_active: bool = False
    is_raw: bool = False
    due: datetime | None = None
    changed: datetime | None = None
    value: float | None = None
    quality: int = 0


def judge(rule: AlarmRule, condition: Condition, sample: Sample) -> tuple[Condition, list[Raised | Returned]]:
    """Return where the rule stands after `sample`, and the events on the way: a delay that ran out before the sample
    came counts before it, and without a delay the sample's own change counts at once."""
    condition, earlier = settle(condition, sample.arrival_time)
    condition, own = settle(_follow(rule, condition, sample), sample.arrival_time)
    return condition, [event for event in (earlier, own) if event is not None]


def _follow(rule: AlarmRule, condition: Condition, sample: Sample) -> Condition:
    is_raw = _raw(rule, condition, sample)
    if is_raw == condition.is_raw:
        return condition
    if is_raw == condition.is_active:
        return replace(condition, is_raw=is_raw, due=None)
    delay_s = rule.on_delay_s if is_raw else rule.off_delay_s
    return Condition(
        is_active=condition.is_active,
        is_raw=is_raw,
        due=sample.arrival_time + timedelta(seconds=delay_s),
        changed=sample.source_time,
        value=sample.value,
        quality=sample.quality,
    )


def settle(condition: Condition, now: datetime) -> tuple[Condition, Raised | Returned | None]:
    """Return the condition with a delay that has run out by `now` applied, and the event that this makes."""
    if condition.due is None or condition.due > now or condition.changed is None:
        return condition, None
    kind = Raised if condition.is_raw else Returned
    event = kind(condition.changed, condition.value, condition.quality)
    return replace(condition, is_active=condition.is_raw, due=None), event


def _raw(rule: AlarmRule, condition: Condition, sample: Sample) -> bool:
    if rule.kind is AlarmKind.BAD:
        return is_reported_bad(sample.quality, condition.is_raw)
    if sample.value is None or is_untrusted(sample.quality):
        return condition.is_raw
    return is_beyond(rule, sample.value, condition.is_raw)
