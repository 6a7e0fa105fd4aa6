"""The instruments of the demo's plant: what each measures, and how it turns the truth into what a device says."""

import math
from dataclasses import dataclass
from random import Random

from control_room.core.plant import PlantTag


@dataclass(frozen=True, slots=True)
class Instrument:
    """One point: `source` names where the truth comes from, as (kind, EPANET id, code name).

    Kinds: "node" and "link" read EPANET's value of that code; "logic" is derived from that, or the
    outstation's own (command, mode, trip). `device` is its outstation; none for what the front end knows by itself.
    `noise` is the standard deviation and `deadband` the change that is reported, both in the tag's unit; a point with
    `period_s` is also reported when nothing changed for so long (wall time). One that `is_reversed` is built in
    against the direction that the network file gives the pipe.
    """

    tag: PlantTag
    source: tuple[str, str, str]
    device: str
    noise: float = 0.0
    deadband: float = 0.0
    period_s: float = 10.0
    is_reversed: bool = False


@dataclass(slots=True)
class Reading:
    """What an instrument last said."""

    value: float | None = None
    is_good: bool = True
    is_cut: bool = False
    said_s: float = -math.inf


def measure(instrument: Instrument, truth: float, random: Random) -> float:
    """Return the truth with noise, rounded as the device shows it; a discrete point has neither."""
    if instrument.tag.states:
        return float(round(truth))
    noisy = truth + random.gauss(0.0, instrument.noise) if instrument.noise else truth
    # at least one digit more than screens show
    return round(noisy, instrument.tag.decimals + 1)


def is_worth_saying(instrument: Instrument, reading: Reading, value: float, is_good: bool, now_s: float) -> bool:
    """Return whether the device reports now: on change beyond the deadband or of quality, or because it is time."""
    if reading.value is None or is_good != reading.is_good or now_s - reading.said_s >= instrument.period_s:
        return True
    change = abs(value - reading.value)
    return change > 0 if instrument.tag.states else change > instrument.deadband
