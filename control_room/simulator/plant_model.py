"""From a network to a plant: which instruments it has, where they stand, and what is normal there."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from control_room.core.alarms import AlarmKind, Priority
from control_room.core.network import Link, LinkKind, Node, NodeKind
from control_room.core.plant import Plant, PlantRule, PlantTag
from control_room.core.tags import Quantity
from control_room.simulator.hydraulics import Hydraulics, open_network
from control_room.simulator.instruments import Instrument

OPC_UA, MQTT = "opc_ua", "mqtt"
_BASELINE_STEP_S = 600
_MODES = ("hand", "automatic")


@dataclass(frozen=True, slots=True)
class Municipality:
    """What the demo says of a network: its people's name for it and where its coordinates lie.

    `crs` is None for a schematic network, which is drawn around `anchor_deg` (longitude, latitude), `span_deg` wide.
    """

    key: str
    name: str
    crs: str | None
    anchor_deg: tuple[float, float] = (0.0, 0.0)
    span_deg: float = 0.1
    pressures: int = 40
    flows: int = 12
    chlorines: int = 6


MUNICIPALITIES = {
    "net3": Municipality("northfield", "Northfield Water", None, (-83.35, 38.02), 0.16, pressures=24, flows=10),
    "ky4": Municipality("cedar-valley", "Cedar Valley Utilities", "EPSG:3089"),
    "ky10": Municipality("laurel-county", "Laurel County Water District", "EPSG:3089", flows=14),
}


@dataclass(frozen=True, slots=True)
class PlantModel:
    """One municipality's plant: its document without connections, its instruments, and how much water it needs (L/s)."""

    plant: Plant
    instruments: tuple[Instrument, ...]
    demand_l_per_s: float


def municipality_of(name: str) -> Municipality:
    """Return what is declared of a network, or a plain schematic one for a file of the person's own."""
    known = MUNICIPALITIES.get(name.lower())
    stem = Path(name).stem
    return known or Municipality(stem.lower(), stem, None, (-83.6, 38.0))


def build(name: str, folder: Path) -> PlantModel:
    """Return the plant of a network, with limits from a day of the healthy network. Raises BadNetworkFile."""
    about = municipality_of(name)
    network = open_network(name, folder, _BASELINE_STEP_S)
    try:
        points = list(_points(network, about))
        rows = _baseline(network, points)
        demand = float(sum(node.base_demand for _, node in network.model.junctions())) * 1_000
    finally:
        network.close()
    instruments = tuple(
        instrument
        for number, point in enumerate(points)
        if (instrument := _with_limits(point, rows[:, number])) is not None
    )
    nodes, links = _drawing(network.model, about)
    return PlantModel(Plant(about.key, about.name, (), (), nodes, links, about.crs is None), instruments, demand)


def _baseline(network: Hydraulics, points: Sequence[Instrument]) -> NDArray[np.float64]:
    """Return the truth of every point over a day, one row each ten minutes."""
    rows = []
    for time_s in range(0, 86_400, _BASELINE_STEP_S):
        network.advance(time_s)
        # logic has no truth in the network: 0 stands for it
        rows.append([0.0 if point.source[0] == "logic" else network.read(*point.source) for point in points])
    return np.array(rows[1:])


# --- which points there are


def _points(network: Hydraulics, about: Municipality) -> Iterable[Instrument]:
    model = network.model
    yield from _tank_points(model, about)
    for number, (name, pump) in enumerate(model.pumps(), 1):
        yield from _pump_points(number, name, pump, about)
    for number, (name, valve) in enumerate(model.valves(), 1):
        yield from _valve_points(number, name, valve, about)
    junctions = _spread(model, [name for name, _ in model.junctions() if not _is_station_node(name)], about.pressures)
    for number, name in enumerate(junctions, 1):
        yield _logger_point(number, name, about)
    for number, name in enumerate(junctions[:: max(1, len(junctions) // about.chlorines)][: about.chlorines], 1):
        yield _analyser_point(number, name, about)
    for number, name in enumerate(_mains(model, about.flows), 1):
        yield _flow_point(number, name, about)


def _is_station_node(name: str) -> bool:
    return name.startswith(("I-", "O-"))


def _tag(key: str, name: str, site: str, asset: str, quantity: Quantity, element: str, protocol: str, **more: Any) -> PlantTag:
    return PlantTag(key, name, site, asset, quantity, protocol, key, element=element, **more)


def _tank_points(model: Any, about: Municipality) -> Iterable[Instrument]:
    for number, (name, tank) in enumerate(model.tanks(), 1):
        asset, key, element = f"Tank {number}", f"TK{number:02}", f"node:{name}"
        level = _tag(
            f"{key}.level", f"{asset} level", "Storage", asset, Quantity.LEVEL, element, OPC_UA,
            unit="m", low=round(tank.min_level, 1), high=round(tank.max_level, 1), decimals=2,
        )  # fmt: skip
        yield Instrument(level, ("node", name, "PRESSURE"), key, noise=0.004, deadband=0.01)
        chlorine = _tag(
            f"{key}.chlorine", f"{asset} chlorine", "Storage", asset, Quantity.CHLORINE, element, MQTT,
            unit="mg/L", low=0.0, high=2.0, decimals=2,
        )  # fmt: skip
        yield Instrument(chlorine, ("node", name, "QUALITY"), key, noise=0.004, deadband=0.01, period_s=5.0)


def _pump_points(number: int, name: str, pump: Any, about: Municipality) -> Iterable[Instrument]:
    asset, key, element, site = f"Pump {number}", f"PU{number:02}", f"link:{name}", "Pumping"

    def point(
        suffix: str, words: str, quantity: Quantity, source: tuple[str, str, str], noise: float = 0.0, **more: Any
    ) -> Instrument:
        tag = _tag(f"{key}.{suffix}", f"{asset} {words}", site, asset, quantity, element, OPC_UA, **more)
        return Instrument(tag, source, key, noise=noise, deadband=2 * noise)

    running = ("stopped", "running")
    yield point("state", "state", Quantity.STATE, ("link", name, "STATUS"), states=running, high=1.0)
    yield point("trip", "protection", Quantity.OTHER, ("logic", name, "TRIP"), states=("healthy", "tripped"), high=1.0)
    yield point("flow", "flow", Quantity.FLOW, ("link", name, "FLOW"), 0.15, unit="L/s")
    yield point("power", "power", Quantity.POWER, ("link", name, "ENERGY"), 0.05, unit="kW")
    if pump.pump_type == "HEAD":
        yield point("speed", "speed", Quantity.SPEED, ("logic", name, "SPEED"), 0.02, unit="%")
        yield point(
            "speed_setpoint", "speed setpoint", Quantity.SETPOINT, ("logic", name, "SPEED_SETPOINT"),
            unit="%", is_writable=True,
        )  # fmt: skip
    for suffix, words, node in (("suction", "suction pressure", pump.start_node_name), ("discharge", "discharge pressure", pump.end_node_name)):
        yield point(suffix, words, Quantity.PRESSURE, ("node", node, "PRESSURE"), 0.05, unit="m")
    command = point("command", "command", Quantity.COMMAND, ("logic", name, "COMMAND"), states=("stop", "run"), high=1.0)
    mode = point("mode", "mode", Quantity.COMMAND, ("logic", name, "MODE"), states=_MODES, high=1.0)
    for one in (command, mode):
        yield replace(one, tag=replace(one.tag, is_writable=True))


def _valve_points(number: int, name: str, valve: Any, about: Municipality) -> Iterable[Instrument]:
    asset, key, element, site = f"Pressure reducing valve {number}", f"RV{number:02}", f"link:{name}", "Pressure control"
    states = ("closed", "open", "regulating")
    yield Instrument(
        _tag(f"{key}.position", f"{asset} position", site, asset, Quantity.POSITION, element, OPC_UA, states=states, high=2.0),
        ("link", name, "STATUS"), key,
    )  # fmt: skip
    for suffix, words, quantity, source, unit, noise in (
        ("flow", "flow", Quantity.FLOW, ("link", name, "FLOW"), "L/s", 0.1),
        ("upstream", "upstream pressure", Quantity.PRESSURE, ("node", valve.start_node_name, "PRESSURE"), "m", 0.05),
        ("downstream", "downstream pressure", Quantity.PRESSURE, ("node", valve.end_node_name, "PRESSURE"), "m", 0.05),
    ):
        tag = _tag(f"{key}.{suffix}", f"{asset} {words}", site, asset, quantity, element, OPC_UA, unit=unit)
        yield Instrument(tag, source, key, noise=noise, deadband=2 * noise)
    setpoint = _tag(
        f"{key}.setpoint", f"{asset} setpoint", site, asset, Quantity.SETPOINT, element, OPC_UA,
        unit="m", low=0.0, high=150.0, is_writable=True,
    )  # fmt: skip
    yield Instrument(setpoint, ("logic", name, "SETTING"), key)


def _logger_point(number: int, name: str, about: Municipality) -> Instrument:
    asset, key = f"Pressure logger {number}", f"PL{number:02}"
    # every third stands alone in a chamber and speaks by radio
    protocol = MQTT if number % 3 else OPC_UA
    tag = _tag(
        f"{key}.pressure", f"Pressure at {name}", _zone(number), asset, Quantity.PRESSURE, f"node:{name}", protocol, unit="m"
    )
    return Instrument(tag, ("node", name, "PRESSURE"), key, noise=0.06, deadband=0.12, period_s=5.0)


def _zone(number: int) -> str:
    return f"Zone {'ABCDEF'[(number - 1) % 6]}"


def _analyser_point(number: int, name: str, about: Municipality) -> Instrument:
    asset, key = f"Chlorine analyser {number}", f"CL{number:02}"
    tag = _tag(
        f"{key}.chlorine", f"Chlorine at {name}", "Water quality", asset, Quantity.CHLORINE, f"node:{name}", MQTT,
        unit="mg/L", low=0.0, high=2.0, decimals=2,
    )  # fmt: skip
    return Instrument(tag, ("node", name, "QUALITY"), key, noise=0.004, deadband=0.01, period_s=5.0)


def _flow_point(number: int, name: str, about: Municipality) -> Instrument:
    asset, key = f"Flow meter {number}", f"FM{number:02}"
    tag = _tag(f"{key}.flow", f"Flow in main {name}", "Trunk mains", asset, Quantity.FLOW, f"link:{name}", OPC_UA, unit="L/s")
    return Instrument(tag, ("link", name, "FLOW"), key, noise=0.08, deadband=0.16)


def _spread(model: Any, names: Sequence[str], count: int) -> list[str]:
    """Return `count` junctions far from each other (farthest-point sampling), the outermost first."""
    at = np.array([model.get_node(name).coordinates for name in names])
    chosen = [int(np.argmax(((at - at.mean(axis=0)) ** 2).sum(axis=1)))]
    nearest = np.full(len(names), np.inf)
    while len(chosen) < min(count, len(names)):
        nearest = np.minimum(nearest, ((at - at[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(np.argmax(nearest)))
    return [names[one] for one in chosen]


def _mains(model: Any, count: int) -> list[str]:
    """Return long pipes of the largest diameters, spread over the network."""
    pipes = sorted(model.pipes(), key=lambda item: (-item[1].diameter, -item[1].length))
    return [name for name, _ in pipes[: count * 6 : 6]] or [name for name, _ in pipes[:count]]


# --- what is normal


def _with_limits(point: Instrument, truth: NDArray[np.float64]) -> Instrument | None:
    """Return the point with its range and alarms from a healthy day; None where the healthy day is not physical."""
    low, high = float(truth.min()), float(truth.max())
    tag = point.tag
    if tag.quantity is Quantity.PRESSURE and low < (8.0 if tag.key.startswith("PL") else -0.5):
        # the published network has places without pressure: nobody installs an instrument there
        return None
    if tag.states:
        rules = _digital_rules(tag)
    else:
        if tag.quantity in (Quantity.PRESSURE, Quantity.FLOW, Quantity.POWER):
            bottom, top = _range(low, high)
            tag = replace(tag, low=bottom, high=top)
        rules = (*_analog_rules(tag, low, high), _bad_rule(tag))
    return replace(point, tag=replace(tag, rules=rules))


def _range(low: float, high: float) -> tuple[float, float]:
    top = max(abs(low), abs(high), 1.0) * 1.3
    step = 10 ** math.floor(math.log10(top))
    top = math.ceil(top / step) * step
    return (-top if low < -0.05 * top else 0.0), top


def _digital_rules(tag: PlantTag) -> tuple[PlantRule, ...]:
    if tag.key.endswith(".trip"):
        return (PlantRule(AlarmKind.H, Priority.HIGH, 0.5, message=f"{tag.asset} tripped"),)
    return ()


def _bad_rule(tag: PlantTag) -> PlantRule:
    return PlantRule(AlarmKind.BAD, Priority.LOW, on_delay_s=10.0, off_delay_s=5.0, message=f"{tag.name}: no valid value")


def _analog_rules(tag: PlantTag, low: float, high: float) -> tuple[PlantRule, ...]:
    make: dict[Quantity, Callable[[PlantTag, float, float], tuple[PlantRule, ...]]] = {
        Quantity.LEVEL: _level_rules,
        Quantity.PRESSURE: _pressure_rules,
        Quantity.CHLORINE: _chlorine_rules,
    }
    return make[tag.quantity](tag, low, high) if tag.quantity in make else ()


def _level_rules(tag: PlantTag, low: float, high: float) -> tuple[PlantRule, ...]:
    span = tag.high - tag.low
    bottom, top = max(low - 0.06 * span, tag.low + 0.01 * span), min(high + 0.06 * span, tag.high - 0.002 * span)
    if bottom >= low:
        bottom = low - 0.03 * span
    rules = [PlantRule(AlarmKind.L, Priority.MEDIUM, bottom, 0.02 * span, 3.0, 3.0, f"{tag.asset} level low")]
    rules.append(PlantRule(AlarmKind.LL, Priority.HIGHEST, bottom - 0.04 * span, 0.02 * span, 3.0, 3.0, f"{tag.asset} nearly empty"))
    if top > high:
        rules.append(PlantRule(AlarmKind.H, Priority.LOW, top, 0.01 * span, 3.0, 3.0, f"{tag.asset} level high"))
    return tuple(rules)


def _pressure_rules(tag: PlantTag, low: float, high: float) -> tuple[PlantRule, ...]:
    if tag.key.endswith(".suction"):
        return ()
    margin = max(1.5, 0.06 * (high - low), 0.03 * high)
    place = tag.name[0].lower() + tag.name[1:]
    return (
        PlantRule(AlarmKind.L, Priority.LOW, low - margin, 0.5, 3.0, 3.0, f"Low {place}"),
        PlantRule(AlarmKind.LL, Priority.MEDIUM, max(low - 4 * margin, 0.5), 0.5, 3.0, 3.0, f"Very low {place}"),
        PlantRule(AlarmKind.HH, Priority.LOW, high + 3 * margin, 1.0, 3.0, 3.0, f"Very high {place}"),
    )


def _chlorine_rules(tag: PlantTag, low: float, high: float) -> tuple[PlantRule, ...]:
    # 0.2 mg/L: least residual entering or within a network (40 CFR 141.72; 30 TAC 290)
    return (PlantRule(AlarmKind.L, Priority.MEDIUM, 0.2, 0.02, 10.0, 10.0, f"{tag.name}: residual below 0.2 mg/L"),)


# --- where things are


def _drawing(model: Any, about: Municipality) -> tuple[tuple[Node, ...], tuple[Link, ...]]:
    place = _placer(model, about)
    kinds = {"Junction": NodeKind.JUNCTION, "Tank": NodeKind.TANK, "Reservoir": NodeKind.RESERVOIR}
    nodes = tuple(
        Node(name, kinds[node.node_type], *place(node.coordinates), float(getattr(node, "elevation", 0.0) or 0.0))
        for name, node in model.nodes()
    )
    links = tuple(
        Link(
            name,
            LinkKind(link.link_type.lower()),
            link.start_node_name,
            link.end_node_name,
            tuple(place(vertex) for vertex in link.vertices),
            float(getattr(link, "diameter", 0.0) or 0.0),
            float(getattr(link, "length", 0.0) or 0.0),
        )
        for name, link in model.links()
    )
    return nodes, links


def _placer(model: Any, about: Municipality) -> Callable[[tuple[float, float]], tuple[float, float]]:
    if about.crs is not None:
        to_degrees = Transformer.from_crs(about.crs, "EPSG:4326", always_xy=True)
        return lambda at: _rounded(to_degrees.transform(*at))
    corners = np.array([node.coordinates for _, node in model.nodes()])
    middle, scale = (corners.min(axis=0) + corners.max(axis=0)) / 2, about.span_deg / np.ptp(corners[:, 0])
    longitude, latitude = about.anchor_deg
    # a degree of longitude is shorter than one of latitude
    squeeze = math.cos(math.radians(latitude))
    return lambda at: _rounded((longitude + (at[0] - middle[0]) * scale, latitude + (at[1] - middle[1]) * scale * squeeze))


def _rounded(at: tuple[float, float]) -> tuple[float, float]:
    # a centimetre
    return round(float(at[0]), 7), round(float(at[1]), 7)
