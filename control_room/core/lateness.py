"""Late data: a sample that was measured before what is known of its tag is history, and judged by no alarm rule.

A device that sends what it stored, or a link that delivers in another order, would raise an old alarm as new or end one that
holds. Only what the device itself said counts as known: the collector's own marks of a lost link bear the collector's time, and
what was measured just before them is news. A clock that somebody set back would make everything late: when late
samples go on at the pace of a clock for a while, they are the present.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from control_room.core.rules.bad_quality import is_of_the_device
from control_room.core.samples import Sample

# a clock that was set back is believed after so long
BELIEVED_AFTER = timedelta(seconds=60)
# stored data comes in a burst, many times faster than it was measured
_SLOWEST, _FASTEST = 0.5, 2.0


@dataclass(frozen=True, slots=True)
class Known:
    """When the newest of a tag was measured, no later than it arrived; `late`: the first of the late samples since."""

    time: datetime
    late: Sample | None = None


def follow(known: Known | None, sample: Sample) -> tuple[Known | None, bool]:
    """Return what is known after `sample`, and whether it is late."""
    if known is not None and sample.source_time < known.time:
        known = _follow_late(known, sample)
        if known.late is not None:
            return known, True
    if not is_of_the_device(sample):
        return known, False
    # a time in the future would make late what comes after it
    return Known(min(sample.source_time, sample.arrival_time)), False


def _follow_late(known: Known, sample: Sample) -> Known:
    first = known.late
    if first is None:
        return Known(known.time, sample)
    waited, went = sample.arrival_time - first.arrival_time, sample.source_time - first.source_time
    if not _SLOWEST * waited <= went + timedelta(seconds=1) or went - timedelta(seconds=1) > _FASTEST * waited:
        # no clock goes so
        return Known(known.time, sample)
    return Known(sample.source_time) if waited >= BELIEVED_AFTER else known
