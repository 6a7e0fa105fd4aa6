"""Bad-quality alarms: the device says that its value must not be used."""

from math import isfinite

from control_room.core.samples import BAD_NO_COMMUNICATION, BAD_WAITING_FOR_INITIAL, Grade, Sample, grade

# no word of the device itself: its value has not come yet, or somebody on the way says that it no longer comes
_NOT_OF_THE_DEVICE = frozenset({BAD_WAITING_FOR_INITIAL, BAD_NO_COMMUNICATION})


def is_untrusted(quality: int) -> bool:
    """Return whether a value of this quality may not be judged: bad or stale; uncertain values count as measured."""
    return grade(quality) >= Grade.STALE


def trusted_value(sample: Sample) -> float | None:
    """Return the value that may be judged, None where there is none: not a number compares as false, which ends alarms."""
    value = sample.value
    return None if value is None or is_untrusted(sample.quality) or not isfinite(value) else value


def is_of_the_device(sample: Sample) -> bool:
    """Return whether the device itself said it, its time included; what is marked on the way bears the time of the mark."""
    return grade(sample.quality) is not Grade.STALE and sample.quality not in _NOT_OF_THE_DEVICE


def is_reported_bad(quality: int, was_bad: bool) -> bool:
    """Return whether the alarm's condition holds: bad, as the device says it.

    Stale values leave it as it was, and so do those that are bad for want of communication: when a whole link is lost,
    one alarm of the link says so, not one of every tag. A value that has not come yet is no fault of the device.
    """
    of_quality = grade(quality)
    if of_quality is Grade.STALE or quality in _NOT_OF_THE_DEVICE:
        return was_bad
    return of_quality is Grade.BAD
