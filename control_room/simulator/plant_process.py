"""The plant's own process: all networks, calculated live; the only one that loads WNTR.

It speaks through one pipe. Out: ("loaded",), ("plants", [PlantModel], {municipality: {fault kind: elements}}) or
("failed", error); after ("go",) each tick ("reports", municipality, [(tag key, value, quality)], outstations without
link, seconds since 1970). In: ("write", municipality, tag key, value), ("fault", municipality, kind, element, seconds).
"""

import os
import shutil
import signal
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from control_room.core.errors import ControlRoomError
from control_room.simulator.faults import Fault, FaultKind
from control_room.simulator.outstations import Outstations, outstations
from control_room.simulator.plant_model import build

TICK_S = 0.5
# EPANET's steps are never longer: tanks and chlorine would become coarse
_LONGEST_STEP_S = 300
# a machine that slept does not make up for it
_LATEST_S = 3.0
# the municipalities do not suffer all at once
_FAULT_OFFSET_S = 7.0


@dataclass(frozen=True, slots=True)
class PlantOrder:
    """What the plant's process is to calculate, working in `folder`; `speed` is plant seconds per second."""

    networks: tuple[str, ...]
    speed: float
    seed: int
    has_faults: bool
    folder: Path


def run_plant(order: PlantOrder, pipe: "Connection[Any, Any]") -> None:
    """Run until the parent is gone (the pipe's end)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        import wntr.epanet.toolkit  # noqa: F401  # takes a second and a half

        pipe.send(("loaded",))
        stations = open_stations(order)
        elements = {key: one.elements for key, one in stations.items()}
        pipe.send(("plants", [one.model for one in stations.values()], elements))
        _obey(pipe.recv(), stations, 0.0)
        _live(stations, pipe)
    except ControlRoomError as fault:
        pipe.send(("failed", fault))
    except (EOFError, OSError):
        # the parent is gone: nobody is left to calculate for, nor to tidy up
        shutil.rmtree(order.folder, ignore_errors=True)
        # with WNTR's libraries the interpreter takes a second to take leave
        os._exit(0)


def open_stations(order: PlantOrder) -> dict[str, Outstations]:
    """Return the outstations by municipality, ready to step in ticks of TICK_S; raises BadNetworkFile."""
    stations: dict[str, Outstations] = {}
    for number, name in enumerate(order.networks):
        model, network = build(name, order.folder)
        network.set_step(max(1, min(_LONGEST_STEP_S, round(order.speed * TICK_S))))
        offset_s = _FAULT_OFFSET_S * number if order.has_faults else None
        stations[model.plant.key] = outstations(model, network, order.speed, order.seed, offset_s)
    return stations


def _live(stations: dict[str, Outstations], pipe: "Connection[Any, Any]") -> None:
    start = time.monotonic()
    tick = 0
    while True:
        tick += 1
        late_s = time.monotonic() - start - tick * TICK_S
        if late_s > _LATEST_S:
            start += late_s
        while pipe.poll(max(0.0, start + tick * TICK_S - time.monotonic())):
            _obey(pipe.recv(), stations, tick * TICK_S)
        for key, station in stations.items():
            reports = station.step(tick * TICK_S)
            pipe.send(("reports", key, reports, station.cut, time.time()))


def _obey(order: tuple[Any, ...], stations: dict[str, Outstations], wall_s: float) -> None:
    match order:
        case ("write", key, tag, value):
            stations[key].obey(tag, value)
        case ("fault", key, kind, element, seconds):
            stations[key].cause(Fault(FaultKind(kind), element, seconds), wall_s)
