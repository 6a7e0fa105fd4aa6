"""Which instruments a network gets: every tank, pump and valve, and a spread of pressures, flows and chlorines."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from control_room.core.plant import PlantTag
from control_room.core.tags import Quantity
from control_room.simulator.instruments import Instrument
from control_room.simulator.municipalities import Municipality

OPC_UA, MQTT = "opc_ua", "mqtt"
_STORAGE, _PRESSURE_CONTROL = "Service reservoirs", "Pressure control"
# how far from the middle, as a share of the typical distance, a place still is in the centre
_CENTRE = 0.6
_COMPASS = ("East", "North", "West", "South")


def points(model: Any, about: Municipality) -> Iterator[Instrument]:
    """Yield every instrument that the network could have, without ranges and alarms."""
    yield from _sources(model, about)
    for number, (name, tank) in enumerate(model.tanks(), 1):
        yield from _tank(number, name, tank, about)
    yield from _pumps(model, about)
    for number, (name, valve) in enumerate(model.valves(), 1):
        if valve.valve_type == "PRV":
            yield from _valve(number, name, valve, about)
    yield from _field(model, about)


class _Site:
    """A place with its outstation: makes instruments whose names begin with what stands there."""

    def __init__(
        self, site: str, asset: str, title: str, key: str, element: str, protocol: str = OPC_UA, outstation: str = ""
    ) -> None:
        self._fixed: dict[str, Any] = {"site": site, "asset": asset, "connection": protocol, "element": element}
        self._title, self._key = title, key
        self._device = (outstation or site).lower().replace(" ", "-")

    def point(
        self, suffix: str, words: str, quantity: Quantity, source: tuple[str, str, str], noise: float = 0.0, **more: Any
    ) -> Instrument:
        """Return an instrument, with a deadband of 2.5 times its noise; `more` are fields of its tag."""
        key = f"{self._key}.{suffix}"
        tag = PlantTag(key=key, name=f"{self._title} {words}", quantity=quantity, address=key, **self._fixed, **more)
        return Instrument(tag, source, self._device, noise, 2.5 * noise)


def _sources(model: Any, about: Municipality) -> Iterator[Instrument]:
    for number, name in enumerate(model.reservoir_name_list, 1):
        title = about.sources.get(name, f"Source {number}")
        place = _Site(title, "Source", title, f"SO{number:02}", f"node:{name}")
        yield place.point("supply", "supply", Quantity.FLOW, ("logic", name, "SUPPLY"), 0.2, unit="L/s")


def _tank(number: int, name: str, tank: Any, about: Municipality) -> Iterator[Instrument]:
    title = about.tanks.get(name, f"Tank {number}")
    place = _Site(_STORAGE, title, title, f"TK{number:02}", f"node:{name}")
    bottom, top = round(tank.min_level, 2), round(tank.max_level, 2)
    level, fill = ("node", name, "PRESSURE"), ("logic", name, "FILL")
    yield place.point("level", "level", Quantity.LEVEL, level, 0.003, unit="m", low=bottom, high=top, decimals=2)
    yield place.point("fill", "fill", Quantity.OTHER, fill, 0.05, unit="%", low=0.0, high=100.0)
    yield place.point("inflow", "inflow", Quantity.FLOW, ("node", name, "DEMAND"), 0.1, unit="L/s")
    yield place.point("chlorine", "chlorine", Quantity.CHLORINE, ("node", name, "QUALITY"), 0.003, **_CHLORINE)


_CHLORINE: dict[str, Any] = {"unit": "mg/L", "low": 0.0, "high": 2.0, "decimals": 2}


def _pumps(model: Any, about: Municipality) -> Iterator[Instrument]:
    counts: defaultdict[str, int] = defaultdict(int)
    for number, (name, pump) in enumerate(model.pumps(), 1):
        station = about.works.get(name, f"Pumping station {number}")
        counts[station] += 1
        asset = f"Pump {counts[station]}"
        title = f"{station} {asset.lower()}"
        yield from _pump(_Site(station, asset, title, f"PU{number:02}", f"link:{name}"), name, pump)


def _pump(place: _Site, name: str, pump: Any) -> Iterator[Instrument]:
    running, on_off, modes = ("stopped", "running"), ("stop", "run"), ("hand", "automatic")
    yield place.point("state", "state", Quantity.STATE, ("link", name, "STATUS"), states=running, high=1.0)
    tripped = ("healthy", "tripped")
    yield place.point("trip", "protection", Quantity.OTHER, ("logic", name, "TRIP"), states=tripped, high=1.0)
    yield place.point("flow", "flow", Quantity.FLOW, ("link", name, "FLOW"), 0.1, unit="L/s")
    yield place.point("power", "power", Quantity.POWER, ("link", name, "ENERGY"), 0.05, unit="kW")
    for suffix, node in (("suction", pump.start_node_name), ("discharge", pump.end_node_name)):
        source = ("node", node, "PRESSURE")
        yield place.point(suffix, f"{suffix} pressure", Quantity.PRESSURE, source, 0.05, unit="m")
    if pump.pump_type == "HEAD":
        percent: dict[str, Any] = {"unit": "%", "low": 0.0, "high": 110.0, "decimals": 0}
        yield place.point("speed", "speed", Quantity.SPEED, ("logic", name, "SPEED"), **percent)
        setpoint = ("logic", name, "SPEED_SETPOINT")
        yield place.point("speed_setpoint", "speed setpoint", Quantity.SETPOINT, setpoint, is_writable=True, **percent)
    for suffix, code, states in (("command", "COMMAND", on_off), ("mode", "MODE", modes)):
        source = ("logic", name, code)
        yield place.point(suffix, suffix, Quantity.COMMAND, source, states=states, high=1.0, is_writable=True)


def _valve(number: int, name: str, valve: Any, about: Municipality) -> Iterator[Instrument]:
    title = f"{about.valves.get(name, str(number))} pressure reducing valve"
    place = _Site(_PRESSURE_CONTROL, title, title, f"RV{number:02}", f"link:{name}")
    opening = ("logic", name, "OPENING")
    yield place.point("position", "position", Quantity.POSITION, opening, 0.2, unit="%", low=0.0, high=100.0)
    yield place.point("flow", "flow", Quantity.FLOW, ("link", name, "FLOW"), 0.05, unit="L/s")
    for suffix, node in (("upstream", valve.start_node_name), ("downstream", valve.end_node_name)):
        source = ("node", node, "PRESSURE")
        yield place.point(suffix, f"{suffix} pressure", Quantity.PRESSURE, source, 0.05, unit="m")
    span: dict[str, Any] = {"unit": "m", "low": 0.0, "high": 150.0}
    yield place.point("setpoint", "setpoint", Quantity.SETPOINT, ("logic", name, "SETTING"), is_writable=True, **span)


def _field(model: Any, about: Municipality) -> Iterator[Instrument]:
    """Yield what stands in streets: loggers and analysers that speak by the radio of their zone, flow meters by a wire."""
    zone = _zones(model)
    ends = {node for _, link in _machines(model) for node in (link.start_node_name, link.end_node_name)}
    chosen = _spread(model, [name for name in model.junction_name_list if name not in ends], about.loggers)
    for number, name in enumerate(chosen, 1):
        place = _street(zone[name], f"logger {number}", f"PL{number:02}", f"node:{name}", MQTT)
        yield place.point("pressure", "pressure", Quantity.PRESSURE, ("node", name, "PRESSURE"), 0.06, unit="m")
    for number, name in enumerate(chosen[:: max(1, len(chosen) // about.analysers)][: about.analysers], 1):
        place = _street(zone[name], f"analyser {number}", f"CL{number:02}", f"node:{name}", MQTT)
        yield place.point("chlorine", "chlorine", Quantity.CHLORINE, ("node", name, "QUALITY"), 0.003, **_CHLORINE)
    for number, name in enumerate(_mains(model, about.meters), 1):
        at = zone[model.get_link(name).end_node_name]
        place = _street(at, f"main {number}", f"FM{number:02}", f"link:{name}", OPC_UA, f"{at} mains")
        yield place.point("flow", "flow", Quantity.FLOW, ("link", name, "FLOW"), 0.08, unit="L/s")


def _street(zone: str, what: str, key: str, element: str, protocol: str, outstation: str = "") -> _Site:
    return _Site(zone, what.capitalize(), f"{zone} {what}", key, element, protocol, outstation)


def _machines(model: Any) -> Iterable[tuple[str, Any]]:
    return [*model.pumps(), *model.valves()]


def _zones(model: Any) -> dict[str, str]:
    """Return the zone of every node: the centre or a quarter of the compass."""
    names = list(model.node_name_list)
    at = np.array([model.get_node(name).coordinates for name in names], dtype=float)
    away = at - np.median(at, axis=0)
    distance = np.hypot(away[:, 0], away[:, 1])
    quarter = np.round(np.arctan2(away[:, 1], away[:, 0]) / (np.pi / 2)).astype(int) % 4
    is_central = distance <= _CENTRE * np.median(distance)
    return {
        name: "Centre zone" if central else f"{_COMPASS[way]} zone"
        for name, central, way in zip(names, is_central, quarter, strict=True)
    }


def _spread(model: Any, names: Sequence[str], count: int) -> list[str]:
    """Return `count` junctions far from each other (farthest-point sampling), the outermost first."""
    if not names:
        return []
    at = np.array([model.get_node(name).coordinates for name in names], dtype=float)
    chosen = [int(np.argmax(((at - at.mean(axis=0)) ** 2).sum(axis=1)))]
    nearest = np.full(len(names), np.inf)
    while len(chosen) < min(count, len(names)):
        nearest = np.minimum(nearest, ((at - at[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(np.argmax(nearest)))
    return [names[one] for one in chosen]


def _mains(model: Any, count: int) -> list[str]:
    """Return pipes of the largest diameters, the longer before the shorter, spread over that order."""
    pipes = sorted(model.pipes(), key=lambda item: (-item[1].diameter, -item[1].length))
    names = [name for name, _ in pipes]
    step = max(1, min(6, len(names) // max(1, count)))
    return names[: count * step : step]
