"""Samples: one value of one tag at one moment, with its quality.

Quality is the upper half of an OPC UA StatusCode (severity and sub-code, OPC UA Part 4 section 7.39), a number of
16 bits. The four grades that screens show are derived from it and never stored beside it.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum
from math import isfinite

GOOD = 0x0000
GOOD_LOCAL_OVERRIDE = 0x0096
UNCERTAIN = 0x4000
UNCERTAIN_NO_COMMUNICATION_LAST_USABLE = 0x408F
UNCERTAIN_LAST_USABLE = 0x4090
UNCERTAIN_SENSOR_NOT_ACCURATE = 0x4093
UNCERTAIN_ENGINEERING_UNITS_EXCEEDED = 0x4094
BAD = 0x8000
BAD_NO_COMMUNICATION = 0x8031
BAD_WAITING_FOR_INITIAL = 0x8032
BAD_CONFIGURATION = 0x8089
BAD_NOT_CONNECTED = 0x808A
BAD_DEVICE_FAILURE = 0x808B
BAD_SENSOR_FAILURE = 0x808C
BAD_OUT_OF_SERVICE = 0x808D
BAD_DATA_LOST = 0x809D

_TEXTS = {
    GOOD: "Good",
    GOOD_LOCAL_OVERRIDE: "Good, forced by hand",
    UNCERTAIN: "Uncertain",
    UNCERTAIN_NO_COMMUNICATION_LAST_USABLE: "Stale: no communication, last usable value",
    UNCERTAIN_LAST_USABLE: "Stale: last usable value",
    UNCERTAIN_SENSOR_NOT_ACCURATE: "Uncertain: sensor not accurate",
    UNCERTAIN_ENGINEERING_UNITS_EXCEEDED: "Uncertain: outside the engineering range",
    BAD: "Bad",
    BAD_NO_COMMUNICATION: "Bad: no communication",
    BAD_WAITING_FOR_INITIAL: "Bad: waiting for the first value",
    BAD_CONFIGURATION: "Bad: configuration error",
    BAD_NOT_CONNECTED: "Bad: not connected",
    BAD_DEVICE_FAILURE: "Bad: device failure",
    BAD_SENSOR_FAILURE: "Bad: sensor failure",
    BAD_OUT_OF_SERVICE: "Bad: out of service",
    BAD_DATA_LOST: "Bad: data was lost from here on",
}
_STALE = frozenset({UNCERTAIN_NO_COMMUNICATION_LAST_USABLE, UNCERTAIN_LAST_USABLE})


class Grade(IntEnum):
    """How far a value may be trusted, best first."""

    GOOD = 0
    UNCERTAIN = 1
    STALE = 2
    BAD = 3


def grade(quality: int) -> Grade:
    """Return the grade of a 16-bit quality; severity bits 11 count as bad (OPC UA Part 4 section 7.39.1)."""
    severity = quality >> 14
    if severity == 0:
        return Grade.GOOD
    if severity == 1:
        return Grade.STALE if quality in _STALE else Grade.UNCERTAIN
    return Grade.BAD


def quality_text(quality: int) -> str:
    """Return the words for a 16-bit quality, the grade with the hexadecimal code when the sub-code has no words."""
    return _TEXTS.get(quality) or f"{grade(quality).name.capitalize()} (0x{quality:04X})"


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one tag: `value` is None when there is none; both times are aware UTC."""

    tag_id: int
    value: float | None
    quality: int
    source_time: datetime
    arrival_time: datetime

    @property
    def grade(self) -> Grade:
        """Return how far the value may be trusted."""
        return grade(self.quality)


def stale(sample: Sample, lost_time: datetime) -> Sample:
    """Return the sample as it must look since the link was lost at `lost_time`: last value kept, marked stale.

    The mark is never older than what it marks, or the value would stand as the newer one, looking alive.
    """
    time = max(lost_time, sample.source_time)
    return replace(sample, quality=UNCERTAIN_NO_COMMUNICATION_LAST_USABLE, source_time=time, arrival_time=lost_time)


def never_seen(tag_id: int, now: datetime) -> Sample:
    """Return the sample of a tag of which no value ever came."""
    return Sample(tag_id, None, BAD_WAITING_FOR_INITIAL, now, now)


def lost(tag_id: int, time: datetime, now: datetime) -> Sample:
    """Return the mark in history that values of the tag are missing from `time` on (OPC UA: Bad_DataLost)."""
    return Sample(tag_id, None, BAD_DATA_LOST, time, now)


def clean(sample: Sample) -> tuple[float, int]:
    """Return (value, quality) as stored: NaN stands for no value, and a number that is not finite is bad whatever was said."""
    if sample.value is None:
        return float("nan"), sample.quality
    if not isfinite(sample.value):
        return float("nan"), max(sample.quality, BAD)
    return sample.value, sample.quality
