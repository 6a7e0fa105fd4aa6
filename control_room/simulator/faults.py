"""What goes wrong in the plant: asked for by a person, or by a script that a seed repeats."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from control_room.core.tags import Quantity
from control_room.simulator.instruments import Instrument


class FaultKind(StrEnum):
    """The faults there are."""

    BURST = "burst"  # a main bursts beside a junction
    TRIP = "trip"  # a pump's protection stops it
    STUCK = "stuck"  # a sensor repeats its last value
    BAD = "bad"  # a sensor says that it is broken
    LINK = "link"  # an outstation loses its link


@dataclass(frozen=True, slots=True)
class Fault:
    """`element` is a junction for BURST, a pump for TRIP, a tag's key for STUCK and BAD, a device for LINK."""

    kind: FaultKind
    element: str
    seconds: float


# a demonstration begins with what physics shows, and shows every kind in its first minutes
_OPENING = ((8.0, FaultKind.BURST), (22.0, FaultKind.TRIP), (34.0, FaultKind.BAD), (46.0, FaultKind.LINK), (62.0, FaultKind.STUCK))
_DURATIONS_S = {
    FaultKind.BURST: (35.0, 60.0),
    FaultKind.TRIP: (25.0, 50.0),
    FaultKind.STUCK: (30.0, 60.0),
    FaultKind.BAD: (25.0, 40.0),
    FaultKind.LINK: (20.0, 40.0),
}


def script(instruments: Sequence[Instrument], offset_s: float, random: Random) -> Iterator[tuple[float, Fault]]:
    """Yield (seconds after the start, fault) for ever: one of each kind first, then seldom and by chance."""
    for after_s, kind in _OPENING:
        yield after_s + offset_s, _fault(kind, instruments, random)
    after_s = 90.0 + offset_s
    while True:
        after_s += random.uniform(40.0, 160.0)
        yield after_s, _fault(random.choice(list(FaultKind)), instruments, random)


def _fault(kind: FaultKind, instruments: Sequence[Instrument], random: Random) -> Fault:
    if kind is FaultKind.BURST:
        elements = [one.source[1] for one in instruments if one.tag.key.startswith("PL")]
    elif kind is FaultKind.TRIP:
        elements = [one.source[1] for one in instruments if one.source[2] == "TRIP"]
    elif kind is FaultKind.LINK:
        elements = sorted({one.device for one in instruments})
    else:
        elements = [one.tag.key for one in instruments if one.tag.quantity in (Quantity.PRESSURE, Quantity.FLOW)]
    return Fault(kind, random.choice(elements), random.uniform(*_DURATIONS_S[kind]))
