"""Words and marks that are the same in every widget: of values that may not be trusted, of alarms, of ages."""

from datetime import datetime

from control_room.core.alarms import AlarmState
from control_room.core.samples import Grade, Sample, quality_text
from control_room.core.tags import Tag

# of drags between views: tag ids, separated by commas
TAG_MIME = "application/x-control-room-tag"
STATE_WORDS = {
    AlarmState.NORMAL: "normal",
    AlarmState.UNACKNOWLEDGED: "unacknowledged",
    AlarmState.ACKNOWLEDGED: "acknowledged",
    AlarmState.RETURNED: "returned",
    AlarmState.LATCHED_UNACKNOWLEDGED: "latched, unackn.",
    AlarmState.LATCHED_ACKNOWLEDGED: "latched",
    AlarmState.OUT_OF_SERVICE: "out of service",
    AlarmState.SHELVED: "shelved",
    AlarmState.SUPPRESSED_BY_DESIGN: "suppressed",
}
MARKS = {Grade.GOOD: "", Grade.UNCERTAIN: "~", Grade.STALE: "?", Grade.BAD: "?"}


def age_text(seconds: float) -> str:
    """Return an age as a person says it: '4 s', '3 min', '2 h', '5 d'."""
    seconds = max(0.0, seconds)
    for limit, size, unit in ((100, 1, "s"), (6_000, 60, "min"), (172_800, 3_600, "h")):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def value_text(tag: Tag, sample: Sample | None) -> str:
    """Return the value with its unit and quality mark, as it may stand in a list; never a plain number that is not true."""
    if sample is None:
        return "…"
    number = tag.text(sample.value)
    unit = f" {tag.unit}" if tag.unit and sample.value is not None else ""
    mark = MARKS[sample.grade]
    return f"{mark} {number}{unit}" if mark else f"{number}{unit}"


def explanation(tag: Tag, sample: Sample | None, now: datetime) -> str:
    """Return the tooltip: name, value, quality in words, age and where it comes from."""
    lines = [f"{tag.name}  ({tag.key})"]
    if sample is None:
        lines.append("No value has arrived yet.")
    else:
        age = age_text((now - sample.source_time).total_seconds())
        lines.append(f"{tag.text(sample.value)} {tag.unit}".rstrip())
        lines.append(f"{quality_text(sample.quality)}, since {age}")
        # of a stale value nobody knows any more when it was measured, only since when it is not fed
        words = "not fed since" if sample.grade is Grade.STALE else "measured"
        lines.append(f"{words} {sample.source_time.astimezone():%Y-%m-%d %H:%M:%S}")
    lines.append(f"{tag.site} › {tag.asset}")
    return "\n".join(lines)
