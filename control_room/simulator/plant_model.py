"""From a network to a plant: which instruments it has, where they stand, and what is normal there."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from control_room.core.plant import Plant
from control_room.simulator.drawing import drawing
from control_room.simulator.hydraulics import DAY_S, START_S, Hydraulics, open_network
from control_room.simulator.instruments import Instrument
from control_room.simulator.joint_rules import with_joint_rules
from control_room.simulator.limits import with_limits
from control_room.simulator.links import LINK_CODE, link_points
from control_room.simulator.municipalities import municipality_of
from control_room.simulator.points import OPC_UA, points
from control_room.simulator.suppressions import MAINS_CODE, mains_points, suppressions

# the outstations' own: command, mode, protection, speed, link, mains supply
OWN_CODES = frozenset({"COMMAND", "MODE", "TRIP", "SPEED", "SPEED_SETPOINT", LINK_CODE, MAINS_CODE})
_SETTLING_DAYS, _SETTLING_STEP_S = 2, 1_800
_STEP_S = 900


@dataclass(frozen=True, slots=True)
class PlantModel:
    """One municipality's plant: its document without connections, its instruments, and how much water it needs."""

    plant: Plant
    instruments: tuple[Instrument, ...]
    demand_l_per_s: float


def build(name: str, folder: Path) -> tuple[PlantModel, Hydraulics]:
    """Return a network's plant and the network itself at START_S of a day.

    The network first runs until it has forgotten how it began; ranges and limits come from the days after that.
    Raises BadNetworkFile.
    """
    about = municipality_of(name)
    network = open_network(name, about, folder, _SETTLING_STEP_S)
    possible = list(points(network.model, about))
    network.advance(_SETTLING_DAYS * DAY_S)
    days = _healthy_days(network, possible, about.healthy_days)
    limited = (with_limits(one, days[:, number]) for number, one in enumerate(possible))
    truth = {one.tag.key: days[:, number] for number, one in enumerate(possible)}
    chosen = with_joint_rules([one for one in limited if one is not None], truth)
    nodes, links = drawing(network.model, about)
    chosen += tuple(mains_points(chosen))
    known = tuple(suppressions(chosen))
    plant = Plant(about.key, about.name, (), (), nodes, links, about.crs is None, known)
    # some files have sources of negative demand
    demand = about.tuning.demand * 1_000 * sum(max(node.base_demand, 0.0) for _, node in network.model.junctions())
    return PlantModel(plant, (*chosen, *link_points(chosen, OPC_UA)), float(demand)), network


def _healthy_days(network: Hydraulics, possible: Sequence[Instrument], days: int) -> NDArray[np.float64]:
    """Return the truth of every instrument for `days` days from START_S to START_S, one row for each step."""
    start_s = network.time_s + START_S
    network.advance(start_s)
    network.set_step(_STEP_S)
    rows = []
    for time_s in range(start_s + _STEP_S, start_s + days * DAY_S + 1, _STEP_S):
        network.advance(time_s)
        rows.append([0.0 if one.source[2] in OWN_CODES else network.read(*one.source) for one in possible])
    return np.array(rows)
