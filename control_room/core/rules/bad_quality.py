"""Bad-quality alarms: the tag's value may not be trusted."""

from control_room.core.samples import Grade, grade


def is_untrusted(quality: int) -> bool:
    """Return whether a 16-bit quality is bad or stale; uncertain values still count as measured."""
    return grade(quality) >= Grade.STALE
