"""When an alarm that stands began: late data may show that it was earlier than it was told.

Only for rules that one tag alone judges, by its value and nothing before it. What counts is the time between the newest
sample that was known before the alarm and the alarm itself. Nothing is raised or ended by it: the beginning is corrected, in
either direction while more late data comes, and never to after the beginning that was told first.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from control_room.core.alarms import LIMITS, AlarmKind, AlarmRule, Corrected
from control_room.core.rules.bad_quality import trusted_value
from control_room.core.rules.limit import is_beyond
from control_room.core.rules.state import is_in_state
from control_room.core.samples import Sample

JUDGED = LIMITS | {AlarmKind.STATE}
# of a longer gap the beginning stays as it was found so far
MOST = 2000


@dataclass(frozen=True, slots=True)
class Onset:
    """Where the beginning of an alarm stands.

    `floor`: when the newest sample before it was measured, which did not raise it. `first`: the beginning as the alarm itself
    told it. `told`: as it was told last. `late`: what came late from between them, by the time of measurement; `begun`:
    which of these began what has lasted since, None when none did.
    """

    floor: datetime
    first: Corrected
    told: datetime
    late: tuple[Sample, ...] = ()
    begun: Sample | None = None

    @property
    def event(self) -> Corrected:
        """Return the beginning as it is known now."""
        one = self.begun
        return self.first if one is None else Corrected(one.source_time, one.value, one.quality)


def look_back(rule: AlarmRule, onset: Onset, sample: Sample) -> Onset:
    """Return what is known after a late sample of the rule's tag."""
    if not onset.floor < sample.source_time < onset.first.time or trusted_value(sample) is None:
        return onset
    if len(onset.late) >= MOST:
        return onset
    if not onset.late or onset.late[-1].source_time <= sample.source_time:
        return replace(onset, late=(*onset.late, sample), begun=_begun(rule, [sample], onset.begun))
    late = sorted((*onset.late, sample), key=lambda one: one.source_time)
    return replace(onset, late=tuple(late), begun=_begun(rule, late, None))


def _begun(rule: AlarmRule, samples: Iterable[Sample], begun: Sample | None) -> Sample | None:
    for one in samples:
        value = trusted_value(one)
        if value is None:
            continue
        is_there = (
            is_in_state(rule, value) if rule.kind is AlarmKind.STATE else is_beyond(rule, value, begun is not None)
        )
        begun = (begun or one) if is_there else None
    return begun
