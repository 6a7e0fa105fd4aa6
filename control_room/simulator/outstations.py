"""The outstations of one municipality: they measure, report on change, obey commands and suffer faults."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from control_room.core.samples import BAD_NO_COMMUNICATION, BAD_SENSOR_FAILURE, GOOD
from control_room.simulator.faults import Fault, FaultKind, script
from control_room.simulator.hydraulics import START_S, Hydraulics
from control_room.simulator.instruments import Instrument, Reading, is_worth_saying, measure
from control_room.simulator.plant_model import PlantModel

# (tag key, value, quality): what a device says
Report = tuple[str, float | None, int]


@dataclass(slots=True)
class _Pump:
    is_automatic: bool = True
    command: float = 1.0
    speed_percent: float = 100.0
    is_tripped: bool = False


@dataclass(slots=True)
class Outstations:
    """A network that runs, with its devices; `speed` is plant seconds per wall second."""

    model: PlantModel
    network: Hydraulics
    speed: float
    random: Random
    has_script: bool
    offset_s: float = 0.0
    _readings: dict[str, Reading] = field(default_factory=dict)
    _pumps: dict[str, _Pump] = field(default_factory=dict)
    _active: dict[Fault, float] = field(default_factory=dict)
    _next: tuple[float, Fault] | None = None
    _script: Iterator[tuple[float, Fault]] | None = None

    def __post_init__(self) -> None:
        self._readings = {one.tag.key: Reading() for one in self.model.instruments}
        self._pumps = {one.source[1]: _Pump() for one in self.model.instruments if one.source[2] == "COMMAND"}
        self.network.advance(START_S)
        if self.has_script:
            self._script = script(self.model.instruments, self.offset_s, self.random)
            self._next = next(self._script)

    def step(self, wall_s: float) -> list[Report]:
        """Bring the plant to `wall_s` seconds after the start and return what its devices report."""
        self._play_script(wall_s)
        for fault in [one for one, end_s in self._active.items() if end_s <= wall_s]:
            del self._active[fault]
            self._heal(fault)
        hands = {name for name, pump in self._pumps.items() if not pump.is_automatic or pump.is_tripped}
        self.network.advance(START_S + wall_s * self.speed, hands)
        return [report for one in self.model.instruments for report in self._report(one, wall_s)]

    def _play_script(self, wall_s: float) -> None:
        while self._script is not None and self._next is not None and self._next[0] <= wall_s:
            self.cause(self._next[1], wall_s)
            self._next = next(self._script)

    def cause(self, fault: Fault, wall_s: float) -> bool:
        """Let a fault happen until `wall_s` + its seconds; return whether its element is known."""
        if fault.element not in self._elements(fault.kind):
            return False
        self._active[fault] = wall_s + fault.seconds
        if fault.kind is FaultKind.BURST:
            # as much as the town needs, at 30 m: emitter flow = coefficient x sqrt(pressure) (EPANET manual, 3.1)
            self.network.write("node", fault.element, "EMITTER", self.model.demand_l_per_s / 30.0**0.5)
        elif fault.kind is FaultKind.TRIP:
            self._pumps[fault.element].is_tripped = True
            self.network.write("link", fault.element, "STATUS", 0.0)
        return True

    def _elements(self, kind: FaultKind) -> set[str]:
        if kind is FaultKind.BURST:
            return {name for name, _ in self.network.model.junctions()}
        if kind is FaultKind.TRIP:
            return set(self._pumps)
        if kind is FaultKind.LINK:
            return {one.device for one in self.model.instruments}
        return set(self._readings)

    def _heal(self, fault: Fault) -> None:
        if fault.kind is FaultKind.BURST:
            self.network.write("node", fault.element, "EMITTER", 0.0)
        elif fault.kind is FaultKind.TRIP:
            pump = self._pumps[fault.element]
            pump.is_tripped = False
            self.network.write("link", fault.element, "STATUS", 1.0 if pump.is_automatic else pump.command)

    def is_cut(self, device: str) -> bool:
        """Return whether the device has lost its link."""
        return any(one.kind is FaultKind.LINK and one.element == device for one in self._active)

    def _report(self, instrument: Instrument, wall_s: float) -> Iterator[Report]:
        key, reading = instrument.tag.key, self._readings[instrument.tag.key]
        kinds = {one.kind for one in self._active if one.element in (key, instrument.device)}
        if FaultKind.LINK in kinds:
            if reading.is_good:
                reading.is_good = False
                yield key, None, BAD_NO_COMMUNICATION
            return
        if FaultKind.STUCK in kinds and reading.value is not None:
            value, is_good = reading.value, True
        else:
            value, is_good = measure(instrument, self._truth(instrument), self.random), FaultKind.BAD not in kinds
        if is_worth_saying(instrument, reading, value, is_good, wall_s):
            reading.value, reading.is_good, reading.said_s = value, is_good, wall_s
            yield key, value if is_good else None, GOOD if is_good else BAD_SENSOR_FAILURE

    def _truth(self, instrument: Instrument) -> float:
        kind, name, code = instrument.source
        if kind != "logic":
            value = self.network.read(kind, name, code)
            # EPANET: 0 to 2 are kinds of closed, 3 open, 4 active; the toolkit gives 0 or 1 for the link's status
            return value
        pump = self._pumps.get(name)
        if pump is None:
            return self.network.read("link", name, "SETTING")
        is_running = self.network.read("link", name, "STATUS") > 0
        return {
            "COMMAND": float(is_running) if pump.is_automatic else pump.command,
            "MODE": float(pump.is_automatic),
            "TRIP": float(pump.is_tripped),
            "SPEED": pump.speed_percent if is_running else 0.0,
            "SPEED_SETPOINT": pump.speed_percent,
        }[code]

    def obey(self, key: str, value: float) -> None:
        """Do what a person wrote to a writable tag; the next step calculates with it."""
        instrument = next(one for one in self.model.instruments if one.tag.key == key)
        _, name, code = instrument.source
        pump = self._pumps.get(name)
        if pump is None:
            self.network.write("link", name, "SETTING", value)
        elif code == "COMMAND":
            # a hand on the switch takes the pump out of the automatic
            pump.command, pump.is_automatic = value, False
            if not pump.is_tripped:
                self.network.write("link", name, "STATUS", value)
        elif code == "MODE":
            pump.is_automatic = value > 0.5
        elif code == "SPEED_SETPOINT":
            pump.speed_percent = min(max(value, 0.0), 100.0)
            self.network.write("link", name, "SETTING", pump.speed_percent / 100.0)
