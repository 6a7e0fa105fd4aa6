"""Bad-quality alarms: the device says that its value must not be used."""

from control_room.core.samples import BAD_WAITING_FOR_INITIAL, Grade, grade


def is_untrusted(quality: int) -> bool:
    """Return whether a value of this quality may not be judged: bad or stale; uncertain values count as measured."""
    return grade(quality) >= Grade.STALE


def is_reported_bad(quality: int, was_bad: bool) -> bool:
    """Return whether the alarm's condition holds: bad, as the device says it.

    Stale values leave it as it was: when a whole link is lost, one alarm of the link says so, not one of every tag. A
    value that has not come yet is no fault of the device.
    """
    of_quality = grade(quality)
    if of_quality is Grade.STALE or quality == BAD_WAITING_FOR_INITIAL:
        return was_bad
    return of_quality is Grade.BAD
