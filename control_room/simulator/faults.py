"""What goes wrong in the plant: asked for by a person, or by a script that a seed repeats."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from control_room.core.plant import LINK_ALARM_DELAY_S

LONGEST_FAULT_S = 86_400.0


class FaultKind(StrEnum):
    """The faults there are."""

    BURST = "burst"  # a main bursts beside a junction
    TRIP = "trip"  # a pump's protection stops it
    STUCK = "stuck"  # a sensor repeats its last value
    BAD = "bad"  # a sensor says that it is broken
    LINK = "link"  # an outstation loses its link
    POWER = "power"  # a station with pumps loses its mains supply


@dataclass(frozen=True, slots=True)
class Fault:
    """`element` is a junction for BURST, a pump for TRIP, a tag's key for STUCK and BAD, an outstation for LINK and POWER."""

    kind: FaultKind
    element: str
    seconds: float


# a demonstration begins with what physics shows, and shows every kind in its first minutes
_OPENING = (
    (6.0, FaultKind.BURST),
    (24.0, FaultKind.TRIP),
    (36.0, FaultKind.BAD),
    (48.0, FaultKind.LINK),
    (62.0, FaultKind.STUCK),
    (72.0, FaultKind.POWER),
)
_DURATIONS_S = {
    FaultKind.BURST: (35.0, 60.0),
    FaultKind.TRIP: (25.0, 50.0),
    FaultKind.STUCK: (30.0, 60.0),
    FaultKind.BAD: (25.0, 40.0),
    FaultKind.POWER: (30.0, 50.0),
    # longer than its alarm waits
    FaultKind.LINK: (LINK_ALARM_DELAY_S + 15.0, LINK_ALARM_DELAY_S + 30.0),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """A fault of the script: when it happens (seconds after the start), for how long, and a lot in [0, 1) for where."""

    at_s: float
    kind: FaultKind
    seconds: float
    lot: float


def script(offset_s: float, random: Random) -> Iterator[Plan]:
    """Yield faults for ever: one of each kind first, then seldom and by chance."""
    for at_s, kind in _OPENING:
        yield _plan(at_s + offset_s, kind, random)
    at_s = 100.0 + offset_s
    while True:
        at_s += random.uniform(90.0, 240.0)
        yield _plan(at_s, random.choice(list(FaultKind)), random)


def _plan(at_s: float, kind: FaultKind, random: Random) -> Plan:
    return Plan(at_s, kind, random.uniform(*_DURATIONS_S[kind]), random.random())
