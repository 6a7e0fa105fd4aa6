"""Hydraulics and chlorine of one network: EPANET 2.2 through WNTR's toolkit, stepped live.

Only the plant's own process imports this: WNTR takes seconds and hundreds of megabytes.
"""

import logging
import math
import re
import warnings
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from control_room.core.errors import BadNetworkFile, CannotStart
from control_room.simulator.municipalities import Municipality, Tuning

START_S = 6 * 3600  # the plant's day begins at six in the morning
DAY_S = 86_400
_FOREVER_S = 20 * 365 * DAY_S
_QUALITY_STEP_S = 300
# first-order decay; 0.5 per day in bulk is a usual figure for treated surface water
_BULK_DECAY_PER_S = -0.5 / DAY_S
# WNTR counts concentrations in kg/m3
_SOURCE_CHLORINE, _FIRST_CHLORINE = 0.0012, 0.0008
# for a file whose demands are flat: a share of the mean for each hour of the day, as ky4 and ky10 have it
_HOUSEHOLD_DAY = (
    *(0.33, 0.25, 0.21, 0.21, 0.26, 0.36, 0.53, 0.91, 1.20, 1.30, 1.34, 1.34),
    *(1.32, 1.27, 1.25, 1.25, 1.28, 1.37, 1.52, 1.70, 1.75, 1.67, 0.90, 0.48),
)
_OPEN_GLOBE_VALVE = 10.0  # minor loss coefficient, fully open (EPANET 2.2 manual, table 3.3)
_NO_FLOW_M3_PER_S = 1e-5
_LEVEL = re.compile(r"IF TANK (\S+) LEVEL (BELOW|ABOVE) (\S+) THEN (?:PUMP|PIPE|VALVE) (\S+) STATUS IS (OPEN|CLOSED)")
_TIME = re.compile(r"IF SYSTEM TIME IS (\d+):(\d+):(\d+) THEN (?:PUMP|PIPE|VALVE) (\S+) STATUS IS (OPEN|CLOSED)")


@dataclass(frozen=True, slots=True)
class LevelControl:
    """The outstation's local automatic: a link opens or closes when a tank's level (m) passes a threshold."""

    tank: str
    is_above: bool
    level_m: float
    link: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class TimeControl:
    """A link opens or closes every day at a time (seconds after midnight)."""

    time_s: int
    link: str
    is_open: bool


@dataclass(slots=True)
class Hydraulics:
    """A network that runs: values are read by EPANET's codes, in L/s, metres of head, kW and mg/L.

    `wished` is what the local automatics want of a link (is it open), `held` what a hand or a protection says instead.
    After a step that is not `is_balanced` EPANET found no solution: what it shows then means nothing.
    """

    model: Any
    engine: Any
    codes: Any
    level_controls: tuple[LevelControl, ...]
    time_controls: tuple[TimeControl, ...]
    wished: dict[str, bool]
    held: dict[str, bool] = field(default_factory=dict)
    is_balanced: bool = True
    time_s: int = 0
    _is_open: dict[str, bool] = field(default_factory=dict)
    _speeds: dict[str, float] = field(default_factory=dict)
    _nodes: dict[str, int] = field(default_factory=dict)
    _links: dict[str, int] = field(default_factory=dict)

    def read(self, kind: str, key: str, code: str) -> float:
        """Return the present value of a node's or a link's EPANET code; for kind "logic" what `derived` knows."""
        if kind == "logic":
            return self.derived(key, code)
        if kind == "node":
            return float(self.engine.ENgetnodevalue(self._index(kind, key), self.codes[code]))
        return float(self.engine.ENgetlinkvalue(self._index(kind, key), self.codes[code]))

    def derived(self, key: str, code: str) -> float:
        """Return a tank's FILL (%), a reservoir's SUPPLY (L/s), a valve's OPENING (%) or SETTING (m)."""
        if code == "FILL":
            tank = self.model.get_node(key)
            depth_m = self.read("node", key, "PRESSURE") - tank.min_level
            return float(100.0 * depth_m / (tank.max_level - tank.min_level))
        if code == "SUPPLY":
            return -self.read("node", key, "DEMAND")
        if code == "OPENING":
            return self._opening(key)
        return self.read("link", key, code)

    def _opening(self, valve: str) -> float:
        """Return the opening in % of a linear globe valve that loses so much head: K v²/2g with K = K_open/opening²."""
        link = self.model.get_link(valve)
        flow_m3_per_s = abs(self.read("link", valve, "FLOW")) / 1_000
        if flow_m3_per_s < _NO_FLOW_M3_PER_S:
            return 0.0
        speed_m_per_s = flow_m3_per_s / (math.pi * link.diameter**2 / 4)
        loss_m = self.read("node", link.start_node_name, "HEAD") - self.read("node", link.end_node_name, "HEAD")
        least_m = _OPEN_GLOBE_VALVE * speed_m_per_s**2 / (2 * 9.81)
        return 100.0 * math.sqrt(least_m / loss_m) if loss_m > least_m else 100.0

    def write(self, kind: str, key: str, code: str, value: float) -> bool:
        """Set a node's or a link's EPANET code; the next step calculates with it. Return whether EPANET takes it."""
        from wntr.epanet.exceptions import EpanetException

        put = self.engine.ENsetnodevalue if kind == "node" else self.engine.ENsetlinkvalue
        try:
            put(self._index(kind, key), self.codes[code], value)
        except EpanetException:
            return False
        return True

    def set_speed(self, pump: str, share: float) -> None:
        """Set a pump's relative speed; a pump that stands keeps it for its next start."""
        self._speeds[pump] = share
        # the toolkit starts a standing pump whose speed is set
        if self._is_open.get(pump, self.wished.get(pump, False)):
            self.write("link", pump, "SETTING", share)

    def set_step(self, step_s: int) -> None:
        """Set the length of the steps that follow."""
        self.engine.ENsettimeparam(self.codes["HYDSTEP"], step_s)

    def _index(self, kind: str, key: str) -> int:
        known = self._nodes if kind == "node" else self._links
        if key not in known:
            find = self.engine.ENgetnodeindex if kind == "node" else self.engine.ENgetlinkindex
            known[key] = int(find(key))
        return known[key]

    def advance(self, target_s: float) -> None:
        """Calculate until the plant's clock passes `target_s`. Raises CannotStart when EPANET finds no solution."""
        from wntr.epanet.exceptions import EpanetException

        try:
            while self.time_s < target_s:
                self._step()
        except EpanetException as fault:
            raise CannotStart(f"EPANET cannot go on: {fault}.", advice="Start the plant again.") from fault

    def _step(self) -> None:
        self._switch()
        self.engine.ENrunH()
        self.engine.ENrunQ()
        step_s = int(self.engine.ENnextH())
        self.engine.ENnextQ()
        self.is_balanced = not any("unbalanced" in words for words in self.engine.errcodelist)
        # the toolkit keeps every warning of its life
        self.engine.errcodelist.clear()
        for level in self.level_controls:
            if (self.read("node", level.tank, "PRESSURE") > level.level_m) == level.is_above:
                self.wished[level.link] = level.is_open
        for time in self.time_controls:
            if (self.time_s + step_s - time.time_s) // DAY_S > (self.time_s - time.time_s) // DAY_S:
                self.wished[time.link] = time.is_open
        self.time_s += step_s

    def _switch(self) -> None:
        for link, is_open in {**self.wished, **self.held}.items():
            if self._is_open.get(link) is not is_open:
                self._is_open[link] = is_open
                self.write("link", link, "STATUS", float(is_open))
                # opening a pump makes it run at full speed
                if is_open and link in self._speeds:
                    self.write("link", link, "SETTING", self._speeds[link])

    def close(self) -> None:
        """Free EPANET's project."""
        self.engine.ENcloseQ()
        self.engine.ENcloseH()
        self.engine.ENclose()


def network_file(name: str) -> Path:
    """Return the INP file of a network of the installed WNTR, or of a path. Raises BadNetworkFile."""
    if Path(name).suffix.lower() == ".inp":
        path = Path(name)
    else:
        spec = find_spec("wntr")
        folders = list(spec.submodule_search_locations or []) if spec else []
        folder = Path(folders[0], "library", "networks") if folders else Path()
        names = {one.stem.lower(): one for one in folder.glob("*.inp")}
        path = names.get(name.lower(), Path(name))
    if not path.is_file():
        raise BadNetworkFile(f"There is no network '{name}'.", advice="Use net3, ky4, ky10 or the path of an INP file.")
    return path


def open_network(name: str, about: Municipality, folder: Path, step_s: int) -> Hydraulics:
    """Return the network at time 0; working files go to `folder`. Raises BadNetworkFile."""
    path = network_file(name)
    logging.getLogger("wntr").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import wntr
        from wntr.epanet.exceptions import EpanetException

        _check(path, folder)
        try:
            model = wntr.network.WaterNetworkModel(str(path))
            return _open(model, about.tuning, folder / path.stem, step_s)
        # WNTR's reader raises whatever its parsing stumbles upon
        except (EpanetException, ValueError, KeyError, TypeError, IndexError, AttributeError, RuntimeError) as fault:
            words = str(fault).strip() or type(fault).__name__
            raise BadNetworkFile(f"{path.name} is no usable network: {words}.", advice="Correct the file.") from fault


def _check(path: Path, folder: Path) -> None:
    """Raise BadNetworkFile with EPANET's own words and the lines that it complains of."""
    import wntr.epanet.toolkit as toolkit
    from wntr.epanet.exceptions import EpanetException

    report = folder / f"{path.stem}.check.rpt"
    engine = toolkit.ENepanet(version=2.2)
    try:
        engine.ENopen(str(path), str(report), "")
    except EpanetException as fault:
        engine.ENclose()
        words = complaints(report, path) or [str(fault)]
        raise BadNetworkFile(
            f"{path.name} is no usable network: {'; '.join(words)}.", advice="Correct the file."
        ) from fault
    engine.ENclose()


def complaints(report: Path, path: Path, limit: int = 3) -> list[str]:
    """Return the first errors of an EPANET report, with the line's number in the network file where it quotes one."""
    said = [line.strip() for line in report.read_text(encoding="utf-8", errors="replace").splitlines()]
    source = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    found = []
    for number, line in enumerate(said):
        # error 200 only says that there were others
        if "Error" in line and "Error 200" not in line:
            quoted = said[number + 1] if number + 1 < len(said) else ""
            at = source.index(quoted) + 1 if line.endswith(":") and quoted in source else 0
            words = " ".join(quoted.split())
            found.append(f"{line} line {at} '{words}'" if at else line.rstrip(":"))
    return found[:limit]


def _open(model: Any, tuning: Tuning, stem: Path, step_s: int) -> Hydraulics:
    import wntr
    import wntr.epanet.toolkit as toolkit
    from wntr.epanet.util import EN

    level, time = _take_over_controls(model)
    _tune(model, tuning)
    _prepare(model, step_s)
    source = stem.with_suffix(".inp")
    wntr.network.write_inpfile(model, str(source), units="LPS", version=2.2)
    _silence(source)
    engine = toolkit.ENepanet(version=2.2)
    engine.ENopen(str(source), f"{stem}.rpt", "")
    engine.ENopenH()
    engine.ENinitH(0)
    engine.ENopenQ()
    engine.ENinitQ(0)
    wished = {name: pump.initial_status.name != "Closed" for name, pump in model.pumps()}
    speeds = {name: float(pump.base_speed) for name, pump in model.pumps() if pump.base_speed != 1.0}
    controls = _level_controls(model, tuning) or level
    return Hydraulics(model, engine, EN, controls, time, wished, _speeds=speeds)


def _silence(path: Path) -> None:
    """Keep EPANET from writing every step's warnings to a report that would grow for weeks."""
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("[REPORT]", "[REPORT]\nMESSAGES NO", 1), encoding="utf-8")


def _take_over_controls(model: Any) -> tuple[tuple[LevelControl, ...], tuple[TimeControl, ...]]:
    """Return the controls that an outstation can follow and remove them; EPANET keeps the others."""
    level, time = [], {}
    for name, control in list(model.controls()):
        if found := _LEVEL.search(str(control)):
            tank, side, level_m, link, status = found.groups()
            level.append(LevelControl(tank, side == "ABOVE", float(level_m), link, status == "OPEN"))
        elif found := _TIME.search(str(control)):
            hours, minutes, seconds, link, status = found.groups()
            # a week's programme is one day's, repeated
            at_s = (int(hours) * 3600 + int(minutes) * 60 + int(seconds)) % DAY_S
            time[at_s, link] = TimeControl(at_s, link, status == "OPEN")
        else:
            continue
        model.remove_control(name)
    return tuple(level), tuple(time.values())


def _level_controls(model: Any, tuning: Tuning) -> tuple[LevelControl, ...]:
    controls = []
    for one in tuning.automatics:
        tank = model.get_node(one.tank)
        depth_m = tank.max_level - tank.min_level
        controls.append(LevelControl(one.tank, False, tank.min_level + one.low * depth_m, one.pump, True))
        controls.append(LevelControl(one.tank, True, tank.min_level + one.high * depth_m, one.pump, False))
    return tuple(controls)


def _tune(model: Any, tuning: Tuning) -> None:
    model.options.hydraulic.demand_multiplier *= tuning.demand
    for tank, lift_m in tuning.lifts_m.items():
        model.get_node(tank).elevation += lift_m
    for name, (flow_l_per_s, head_m) in tuning.curves.items():
        pump = model.get_link(name)
        ends, status = (pump.start_node_name, pump.end_node_name), pump.initial_status
        model.remove_link(name)
        model.add_curve(f"curve-{name}", "HEAD", [(flow_l_per_s / 1_000, head_m)])
        model.add_pump(name, *ends, "HEAD", f"curve-{name}")
        model.get_link(name).initial_status = status


def _prepare(model: Any, step_s: int) -> None:
    """Make the network run for years, with a day's demand and with chlorine from its sources."""
    options = model.options
    options.time.duration = _FOREVER_S
    options.time.hydraulic_timestep = step_s
    options.time.report_timestep = 3600
    # found by trying: valves and check valves of ky10 flutter for ever when their state is looked at in every trial
    options.hydraulic.accuracy, options.hydraulic.trials, options.hydraulic.damplimit = 0.001, 200, 0.01
    options.hydraulic.checkfreq, options.hydraulic.maxcheck = 10, 100
    options.report.status = "NO"
    options.time.quality_timestep = _QUALITY_STEP_S
    options.quality.parameter = "CHEMICAL"
    options.quality.inpfile_units = "mg/L"
    options.reaction.bulk_coeff = _BULK_DECAY_PER_S
    if all(len(set(pattern.multipliers)) < 2 for _, pattern in model.patterns()):
        model.add_pattern("household-day", list(_HOUSEHOLD_DAY))
        for _, junction in model.junctions():
            for demand in junction.demand_timeseries_list:
                demand.pattern_name = "household-day"
    sources = set(model.reservoir_name_list)
    for name, node in model.nodes():
        node.initial_quality = _SOURCE_CHLORINE if name in sources else _FIRST_CHLORINE
