"""The outstations of one municipality: they measure, report on change, obey commands and suffer faults."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

from control_room.core.plant import PlantTag
from control_room.core.ports import LINK_IS_LOST, LINK_IS_UP
from control_room.core.samples import BAD_NO_COMMUNICATION, BAD_SENSOR_FAILURE, GOOD
from control_room.core.tags import Quantity
from control_room.simulator.faults import Fault, FaultKind, Plan, script
from control_room.simulator.hydraulics import Hydraulics
from control_room.simulator.instruments import Instrument, Reading, is_worth_saying, measure
from control_room.simulator.links import LINK_CODE
from control_room.simulator.plant_model import OWN_CODES, PlantModel
from control_room.simulator.suppressions import MAINS_CODE, MAINS_HAS_FAILED, MAINS_IS_ON

# (tag key, value, quality): what a device says
Report = tuple[str, float | None, int]

_MEASURED = (Quantity.PRESSURE, Quantity.FLOW, Quantity.LEVEL)
# as much as the town needs, at 30 m: emitter flow = coefficient x sqrt(pressure) (EPANET 2.2 manual, 3.1)
_BURST_PRESSURE_M = 30.0


@dataclass(slots=True)
class _Pump:
    is_automatic: bool = True
    is_wanted: bool = True
    speed_percent: float = 100.0
    is_tripped: bool = False
    device: str = ""


@dataclass(slots=True)
class Outstations:
    """A network that runs, with its devices; `speed` is plant seconds per wall second.

    Time is given from outside, so that the same seed and the same times make the same reports.
    """

    model: PlantModel
    network: Hydraulics
    speed: float
    random: Random
    script: Iterator[Plan] = field(default_factory=lambda: iter(()))
    _start_s: int = 0
    _readings: dict[str, Reading] = field(default_factory=dict)
    _by_key: dict[str, Instrument] = field(default_factory=dict)
    _pumps: dict[str, _Pump] = field(default_factory=dict)
    _active: dict[Fault, float] = field(default_factory=dict)
    _next: Plan | None = None

    def __post_init__(self) -> None:
        self._start_s = self.network.time_s
        self._readings = {one.tag.key: Reading() for one in self.model.instruments}
        self._by_key = {one.tag.key: one for one in self.model.instruments}
        self._pumps = {
            one.source[1]: _Pump(device=one.device) for one in self.model.instruments if one.source[2] == "COMMAND"
        }
        self._next = next(self.script, None)

    @property
    def elements(self) -> Mapping[str, frozenset[str]]:
        """Return what each kind of fault can happen to."""
        return {
            FaultKind.BURST: frozenset(self.network.model.junction_name_list),
            FaultKind.TRIP: frozenset(self._pumps),
            FaultKind.LINK: frozenset(one.device for one in self.model.instruments if one.device),
            FaultKind.POWER: frozenset(one.device for one in self._pumps.values()),
            FaultKind.STUCK: frozenset(self._readings),
            FaultKind.BAD: frozenset(self._readings),
        }

    @property
    def cut(self) -> frozenset[str]:
        """Return the outstations that have lost their link."""
        return frozenset(one.element for one in self._active if one.kind is FaultKind.LINK)

    @property
    def dark(self) -> frozenset[str]:
        """Return the outstations that have lost their mains supply; their batteries let them go on to measure."""
        return frozenset(one.element for one in self._active if one.kind is FaultKind.POWER)

    def step(self, wall_s: float) -> list[Report]:
        """Bring the plant to `wall_s` seconds after the start and return what its devices report."""
        while (plan := self._next) is not None and plan.at_s <= wall_s:
            self._next = next(self.script, None)
            if victims := self._victims(plan.kind):
                self.cause(Fault(plan.kind, victims[int(plan.lot * len(victims))], plan.seconds), wall_s)
        for fault in [one for one, end_s in self._active.items() if end_s <= wall_s]:
            del self._active[fault]
            self._settle(fault)
        self.network.advance(self._start_s + wall_s * self.speed)
        if not self.network.is_balanced:
            # better an old value than a wrong one
            return []
        return [report for one in self.model.instruments for report in self._report(one, wall_s)]

    # --- faults

    def _victims(self, kind: FaultKind) -> list[str]:
        """Return what the script may let a fault happen to."""
        if kind is FaultKind.BURST:
            # where a logger stands: a burst nobody can see teaches nothing
            return [one.source[1] for one in self.model.instruments if one.tag.key.startswith("PL")]
        if kind is FaultKind.TRIP:
            return [name for name in self._pumps if self.network.read("link", name, "STATUS") > 0]
        if kind in (FaultKind.LINK, FaultKind.POWER):
            return sorted(self.elements[kind])
        return [one.tag.key for one in self.model.instruments if one.tag.quantity in _MEASURED]

    def cause(self, fault: Fault, wall_s: float) -> bool:
        """Let a fault happen until `wall_s` + its seconds; return whether its element is known."""
        if fault.element not in self.elements[fault.kind]:
            return False
        self._active[fault] = wall_s + fault.seconds
        self._settle(fault)
        return True

    def _settle(self, fault: Fault) -> None:
        """Make the network follow the faults that are active now at the element of `fault`."""
        is_active = any((one.kind, one.element) == (fault.kind, fault.element) for one in self._active)
        if fault.kind is FaultKind.BURST:
            coefficient = self.model.demand_l_per_s / math.sqrt(_BURST_PRESSURE_M)
            self.network.write("node", fault.element, "EMITTER", coefficient if is_active else 0.0)
        elif fault.kind is FaultKind.TRIP:
            self._pumps[fault.element].is_tripped = is_active
            self._drive(fault.element)
        elif fault.kind is FaultKind.POWER:
            for name, pump in self._pumps.items():
                if pump.device == fault.element:
                    self._drive(name)

    # --- what devices say

    def _report(self, instrument: Instrument, wall_s: float) -> Iterator[Report]:
        key, reading = instrument.tag.key, self._readings[instrument.tag.key]
        kinds = {one.kind for one in self._active if one.element in (key, instrument.device)}
        if FaultKind.LINK in kinds:
            if not reading.is_cut:
                reading.is_cut = True
                yield key, None, BAD_NO_COMMUNICATION
            return
        if FaultKind.STUCK in kinds and reading.value is not None:
            value, is_good = reading.value, True
        else:
            value, is_good = measure(instrument, self._truth(instrument), self.random), FaultKind.BAD not in kinds
        if reading.is_cut or is_worth_saying(instrument, reading, value, is_good, wall_s):
            reading.value, reading.is_good, reading.is_cut, reading.said_s = value, is_good, False, wall_s
            yield key, value if is_good else None, GOOD if is_good else BAD_SENSOR_FAILURE

    def _truth(self, instrument: Instrument) -> float:
        name, code = instrument.source[1:]
        if code not in OWN_CODES:
            truth = self.network.read(*instrument.source)
            return -truth if instrument.is_reversed else truth
        if code == LINK_CODE:
            return LINK_IS_LOST if name in self.cut else LINK_IS_UP
        if code == MAINS_CODE:
            return MAINS_HAS_FAILED if name in self.dark else MAINS_IS_ON
        pump = self._pumps[name]
        is_running = self.network.read("link", name, "STATUS") > 0
        return {
            "COMMAND": float(self.network.wished.get(name, is_running) if pump.is_automatic else pump.is_wanted),
            "MODE": float(pump.is_automatic),
            "TRIP": float(pump.is_tripped),
            "SPEED": pump.speed_percent if is_running else 0.0,
            "SPEED_SETPOINT": pump.speed_percent,
        }[code]

    # --- commands

    def obey(self, key: str, value: float) -> None:
        """Do what a person wrote to a writable tag; the next step calculates with it, and says what now holds.

        A value that makes no sense, and one for an outstation that has lost its link, changes nothing.
        """
        instrument = self._by_key.get(key)
        if instrument is None:
            return
        # the server shows what was written; the device has the last word
        reading = self._readings[key]
        reading.said_s, reading.is_cut = -math.inf, False
        if instrument.tag.is_writable and math.isfinite(value) and instrument.device not in self.cut:
            self._do(instrument.tag, *instrument.source[1:], value)

    def _do(self, tag: PlantTag, name: str, code: str, value: float) -> None:
        value = min(max(value, tag.low), tag.high)
        if code == "SETTING":
            self.network.write("link", name, code, value)
            return
        pump = self._pumps[name]
        if code == "COMMAND":
            # a hand on the switch takes the pump out of the automatic
            pump.is_wanted, pump.is_automatic = value > 0.5, False
        elif code == "MODE":
            is_automatic = value > 0.5
            if pump.is_automatic and not is_automatic:
                # taking it in hand changes nothing by itself
                pump.is_wanted = self.network.wished.get(name, True)
            pump.is_automatic = is_automatic
        else:
            pump.speed_percent = value
            self.network.set_speed(name, value / 100.0)
        self._drive(name)

    def _drive(self, name: str) -> None:
        pump = self._pumps[name]
        if pump.is_tripped or pump.device in self.dark:
            self.network.held[name] = False
        elif pump.is_automatic:
            self.network.held.pop(name, None)
        else:
            self.network.held[name] = pump.is_wanted


def outstations(
    model: PlantModel, network: Hydraulics, speed: float, seed: int, offset_s: float | None = None
) -> Outstations:
    """Return the outstations of a network as it stands; the script of faults starts after `offset_s`, None: never."""
    random = Random(f"{seed} {model.plant.key}")
    if offset_s is None:
        return Outstations(model, network, speed, random)
    # a random of its own: the noise of a run does not depend on its faults
    return Outstations(model, network, speed, random, script(offset_s, Random(f"faults {seed} {model.plant.key}")))
