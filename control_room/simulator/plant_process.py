"""The plant's own process: all networks, calculated live; the only one that loads WNTR.

It speaks through one pipe. Out: ("plants", [PlantModel]), ("failed", words), then each tick ("reports", municipality
key, [(tag key, value, quality)], {device: is cut}, time in seconds since 1970). In: ("write", municipality key, tag key,
value), ("fault", municipality key, kind, element, seconds), ("stop",).
"""

import signal
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from control_room.core.errors import ControlRoomError
from control_room.simulator.faults import Fault, FaultKind
from control_room.simulator.hydraulics import open_network
from control_room.simulator.outstations import Outstations
from control_room.simulator.plant_model import PlantModel, build

TICK_S = 1.0


@dataclass(frozen=True, slots=True)
class PlantOrder:
    """What the plant's process is to calculate; `speed` is plant seconds per second."""

    networks: tuple[str, ...]
    speed: float
    seed: int
    has_faults: bool


def run_plant(order: PlantOrder, pipe: "Connection[Any, Any]") -> None:
    """Run until told to stop or until the parent is gone (the pipe's end)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with TemporaryDirectory(prefix="control-room-plant-") as name:
        try:
            stations = _open(order, Path(name), pipe)
        except ControlRoomError as fault:
            pipe.send(("failed", str(fault)))
            return
        try:
            _live(stations, pipe)
        except (EOFError, BrokenPipeError):
            # the parent is gone: nobody is left to calculate for
            return


def _open(order: PlantOrder, folder: Path, pipe: "Connection[Any, Any]") -> dict[str, Outstations]:
    step_s = max(1, min(300, round(order.speed * TICK_S)))
    models: list[PlantModel] = []
    stations = {}
    for number, network in enumerate(order.networks):
        for part in ("day", "live"):
            (folder / part).mkdir(exist_ok=True)
        model = build(network, folder / "day")
        models.append(model)
        stations[model.plant.key] = Outstations(
            model,
            open_network(network, folder / "live", step_s),
            order.speed,
            Random(f"{order.seed} {model.plant.key}"),
            order.has_faults,
            # the municipalities do not suffer all at once
            offset_s=7.0 * number,
        )
    pipe.send(("plants", models))
    return stations


def _live(stations: dict[str, Outstations], pipe: "Connection[Any, Any]") -> None:
    start = time.monotonic()
    tick = 0
    while True:
        wall_s = time.monotonic() - start
        for key, station in stations.items():
            reports = station.step(wall_s)
            cut = {device: station.is_cut(device) for device in {one.device for one in station.model.instruments}}
            pipe.send(("reports", key, reports, cut, time.time()))
        tick += 1
        # a machine that is too slow skips ticks instead of falling behind for ever
        while start + tick * TICK_S < time.monotonic():
            tick += 1
        while pipe.poll(max(0.0, start + tick * TICK_S - time.monotonic())):
            if not _obey(pipe.recv(), stations, time.monotonic() - start):
                return


def _obey(order: tuple[Any, ...], stations: dict[str, Outstations], wall_s: float) -> bool:
    match order:
        case ("write", key, tag, value):
            stations[key].obey(tag, value)
        case ("fault", key, kind, element, seconds):
            stations[key].cause(Fault(FaultKind(kind), element, seconds), wall_s)
        case ("stop",):
            return False
    return True
