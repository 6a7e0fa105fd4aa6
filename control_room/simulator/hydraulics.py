"""Hydraulics and chlorine of one network: EPANET 2.2 through WNTR's toolkit, stepped live.

Only the plant's own process imports this: WNTR takes seconds and hundreds of megabytes.
"""

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from control_room.core.errors import BadNetworkFile

START_S = 6 * 3600  # the plant's day begins at six in the morning
_FOREVER_S = 20 * 365 * 86_400
_QUALITY_STEP_S = 300
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
    """A network that runs: values are read by EPANET's codes, in L/s, metres of head, kW and mg/L."""

    model: Any
    engine: Any
    codes: Any
    level_controls: tuple[LevelControl, ...]
    time_controls: tuple[TimeControl, ...]
    time_s: int = 0
    _nodes: dict[str, int] = field(default_factory=dict)
    _links: dict[str, int] = field(default_factory=dict)

    def read(self, kind: str, key: str, code: str) -> float:
        """Return the present value of a node's or a link's EPANET code."""
        if kind == "node":
            return float(self.engine.ENgetnodevalue(self._index(kind, key), self.codes[code]))
        return float(self.engine.ENgetlinkvalue(self._index(kind, key), self.codes[code]))

    def write(self, kind: str, key: str, code: str, value: float) -> None:
        """Set a node's or a link's EPANET code; the next step calculates with it."""
        if kind == "node":
            self.engine.ENsetnodevalue(self._index(kind, key), self.codes[code], value)
        else:
            self.engine.ENsetlinkvalue(self._index(kind, key), self.codes[code], value)

    def _index(self, kind: str, key: str) -> int:
        known = self._nodes if kind == "node" else self._links
        if key not in known:
            find = self.engine.ENgetnodeindex if kind == "node" else self.engine.ENgetlinkindex
            known[key] = int(find(key))
        return known[key]

    def advance(self, target_s: float, hands_off: Iterable[str] = ()) -> None:
        """Calculate until the plant's clock passes `target_s`; links in `hands_off` are not moved by local automatics."""
        excepted = set(hands_off)
        while self.time_s < target_s:
            self.engine.ENrunH()
            self.engine.ENrunQ()
            self._automatics(excepted)
            step_s = int(self.engine.ENnextH())
            self.engine.ENnextQ()
            if step_s <= 0:
                return
            self._time_automatics(self.time_s, self.time_s + step_s, excepted)
            self.time_s += step_s

    def _automatics(self, excepted: set[str]) -> None:
        for rule in self.level_controls:
            level_m = self.read("node", rule.tank, "PRESSURE")
            if rule.link not in excepted and (level_m > rule.level_m) == rule.is_above:
                self.write("link", rule.link, "STATUS", float(rule.is_open))

    def _time_automatics(self, from_s: int, to_s: int, excepted: set[str]) -> None:
        for rule in self.time_controls:
            days = (to_s - rule.time_s) // 86_400 - (from_s - rule.time_s) // 86_400
            if days and rule.link not in excepted:
                self.write("link", rule.link, "STATUS", float(rule.is_open))

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


def open_network(name: str, folder: Path, step_s: int) -> Hydraulics:
    """Return the network, calculated up to START_S; working files go to `folder`. Raises BadNetworkFile."""
    path = network_file(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import wntr
        import wntr.epanet.toolkit as toolkit
        from wntr.epanet.exceptions import EpanetException
        from wntr.epanet.util import EN

        try:
            model = wntr.network.WaterNetworkModel(str(path))
            return _open(model, wntr, toolkit, EN, folder / path.stem, step_s)
        # WNTR's reader raises whatever its parsing stumbles upon
        except (EpanetException, ValueError, KeyError, TypeError, IndexError, AttributeError, RuntimeError) as fault:
            words = str(fault).strip() or type(fault).__name__
            raise BadNetworkFile(f"{path.name} is no usable network: {words}.", advice="Correct the file.") from fault


def _open(model: Any, wntr: Any, toolkit: Any, codes: Any, stem: Path, step_s: int) -> Hydraulics:
    controls = [str(control) for _, control in model.controls()]
    level, time = _parse(controls)
    for name in list(model.control_name_list):
        model.remove_control(name)
    _prepare(model, step_s)
    wntr.network.write_inpfile(model, f"{stem}.inp", units="LPS", version=2.2)
    engine = toolkit.ENepanet(version=2.2)
    engine.ENopen(f"{stem}.inp", f"{stem}.rpt", "")
    engine.ENopenH()
    engine.ENinitH(0)
    engine.ENopenQ()
    engine.ENinitQ(0)
    return Hydraulics(model, engine, codes, level, time)


def _parse(controls: Iterable[str]) -> tuple[tuple[LevelControl, ...], tuple[TimeControl, ...]]:
    level, time = [], {}
    for words in controls:
        if found := _LEVEL.search(words):
            tank, side, level_m, link, status = found.groups()
            level.append(LevelControl(tank, side == "ABOVE", float(level_m), link, status == "OPEN"))
        elif found := _TIME.search(words):
            hours, minutes, seconds, link, status = found.groups()
            # a week's programme is one day's, repeated
            at_s = (int(hours) * 3600 + int(minutes) * 60 + int(seconds)) % 86_400
            time[at_s, link] = TimeControl(at_s, link, status == "OPEN")
    return tuple(level), tuple(time.values())


def _prepare(model: Any, step_s: int) -> None:
    """Make the network run for years, with a day's pattern and chlorine from its sources."""
    options = model.options
    options.time.duration = _FOREVER_S
    options.time.hydraulic_timestep = step_s
    options.time.report_timestep = 3600
    options.time.quality_timestep = max(step_s, _QUALITY_STEP_S)
    options.quality.parameter = "CHEMICAL"
    options.quality.inpfile_units = "mg/L"
    # first-order decay per second; 0.5 per day in bulk is a usual figure for treated surface water
    options.reaction.bulk_coeff = -0.5 / 86_400
    sources = {name for name, _ in model.reservoirs()}
    for name, node in model.nodes():
        # wntr counts concentrations in kg/m3
        node.initial_quality = 0.0012 if name in sources else 0.0008
