"""The demo's municipalities: what their networks are called, where they lie and how they are made to live.

The networks are published examples. Net3 runs as it is. ky4 and ky10 are static: their pumps deliver constant power,
some tanks lie off the hydraulic grade and never move, and in ky10 the demand exceeds what the pumps lift, so that half
of its tanks run dry within a day and pressures fall to -190 m. `Tuning` says what the demo changes; with it every tank
breathes and no customer's pressure is negative, for weeks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Automatic:
    """A pump's level control: on below `low`, off above `high`, both as shares of the tank's usable depth."""

    pump: str
    tank: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Tuning:
    """What is changed in a network.

    `demand` multiplies every demand; `lifts_m` raises tanks; `curves` gives pumps a head curve through one point (L/s,
    m), taken from their operating point at constant power; `automatics`, if any, replace the file's level controls.
    """

    demand: float = 1.0
    lifts_m: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    automatics: tuple[Automatic, ...] = ()


@dataclass(frozen=True, slots=True)
class Municipality:
    """What the demo says of a network.

    `crs` is None for a schematic network, which is drawn around `anchor_deg` (longitude, latitude), `span_deg` wide.
    `works` names the stations by their pumps' ids, `tanks`, `valves` and `sources` name single elements; what is not
    named is numbered. `loggers`, `meters` and `analysers` are how many pressures, flows and chlorines are measured,
    `healthy_days` how long the network is watched to learn what is normal.
    """

    key: str
    name: str
    crs: str | None = None
    anchor_deg: tuple[float, float] = (-83.6, 38.0)
    span_deg: float = 0.12
    works: Mapping[str, str] = field(default_factory=dict)
    tanks: Mapping[str, str] = field(default_factory=dict)
    valves: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    loggers: int = 50
    meters: int = 16
    analysers: int = 8
    healthy_days: int = 2
    tuning: Tuning = Tuning()


def _numbered(prefix: str, names: Mapping[int, str]) -> dict[str, str]:
    return {f"{prefix}{number}": name for number, name in names.items()}


NORTHFIELD = Municipality(
    key="northfield",
    name="Northfield Water",
    anchor_deg=(-83.35, 38.02),
    span_deg=0.16,
    works={"10": "Lake Works", "335": "River Works"},
    tanks={"1": "Hillcrest tank", "2": "Mill Lane tank", "3": "Northgate tank"},
    sources={"River": "River Works", "Lake": "Lake Works"},
    loggers=40,
    meters=14,
)
CEDAR_VALLEY = Municipality(
    key="cedar-valley",
    name="Cedar Valley Utilities",
    crs="EPSG:3089",
    works=_numbered("~@Pump-", {1: "Cedar Valley Treatment Works", 2: "Cedar Valley Treatment Works"}),
    tanks=_numbered("T-", {1: "Quarry tank", 2: "Orchard tank", 3: "Beacon tank", 4: "Fairview tank"}),
    sources={"R-1": "Cedar Valley Treatment Works"},
    loggers=60,
    meters=20,
    tuning=Tuning(
        lifts_m={"T-1": 22.0, "T-2": 11.5},
        curves={"~@Pump-1": (109.9, 103.8), "~@Pump-2": (36.6, 104.1)},
        automatics=(Automatic("~@Pump-1", "T-3", 0.35, 0.85), Automatic("~@Pump-2", "T-4", 0.5, 0.95)),
    ),
)
LAUREL = Municipality(
    key="laurel-county",
    name="Laurel County Water District",
    crs="EPSG:3089",
    works=_numbered(
        "~@Pump-",
        {
            1: "Laurel Raw Water Intake",
            2: "Laurel Treatment Works",
            3: "Laurel Treatment Works",
            4: "Laurel Treatment Works",
            5: "Ridge Road Booster",
            6: "Stony Fork Booster",
            7: "Middle Fork Booster",
            8: "Salem Booster",
            9: "Highland Booster",
            10: "Buckhorn Booster",
            11: "Ashland Road Booster",
            12: "Pine Grove Booster",
            13: "Meadow Booster",
        },
    ),
    tanks=_numbered(
        "T-",
        {
            1: "Meadow tank",
            2: "Riverside tank",
            3: "Salem Road tank",
            4: "Highland tank",
            5: "Eastgate tank",
            6: "Courthouse tank",
            7: "Works clear well",
            8: "Middle Fork tank",
            9: "Stony Fork tank",
            10: "Ridge Road tank",
            11: "Chapel Hill tank",
            12: "Pine Grove tank",
            13: "Salem tank",
        },
    ),
    valves=_numbered("~@RV-", {1: "Salem", 2: "Depot Street", 3: "Highland", 4: "Ashland Road", 5: "Buckhorn"}),
    sources={"R-1": "Laurel Treatment Works", "R-2": "Laurel Raw Water Intake"},
    loggers=60,
    meters=20,
    # its tanks do not repeat themselves every day
    healthy_days=6,
    tuning=Tuning(
        demand=0.35,
        lifts_m={"T-2": 25.0, "T-3": -18.0, "T-5": 3.0, "T-6": 6.0, "T-11": 5.9},
        curves={
            "~@Pump-1": (159.5, 2.39),
            "~@Pump-2": (21.9, 83.4),
            "~@Pump-3": (25.6, 83.3),
            "~@Pump-4": (21.9, 83.4),
            "~@Pump-5": (7.08, 53.7),
            "~@Pump-6": (22.1, 60.5),
            "~@Pump-7": (75.7, 40.2),
            "~@Pump-8": (8.82, 43.1),
            "~@Pump-9": (12.9, 59.1),
            "~@Pump-10": (5.55, 132.8),
            "~@Pump-11": (15.0, 101.2),
            "~@Pump-12": (12.5, 39.6),
            "~@Pump-13": (8.83, 43.1),
        },
        automatics=(
            Automatic("~@Pump-2", "T-7", 0.55, 0.9),
            Automatic("~@Pump-3", "T-7", 0.45, 0.8),
            Automatic("~@Pump-4", "T-6", 0.8, 0.95),
            Automatic("~@Pump-5", "T-10", 0.55, 0.9),
            Automatic("~@Pump-6", "T-9", 0.55, 0.9),
            Automatic("~@Pump-7", "T-8", 0.55, 0.9),
            Automatic("~@Pump-8", "T-13", 0.55, 0.9),
            Automatic("~@Pump-9", "T-4", 0.55, 0.9),
            Automatic("~@Pump-10", "T-12", 0.65, 0.9),
            Automatic("~@Pump-12", "T-12", 0.55, 0.9),
            Automatic("~@Pump-13", "T-1", 0.55, 0.9),
        ),
    ),
)


def municipality_of(network: str) -> Municipality:
    """Return what is declared of a network, or a plain schematic one for a file of the person's own."""
    known = {"net3": NORTHFIELD, "ky4": CEDAR_VALLEY, "ky10": LAUREL}
    stem = Path(network).stem
    return known.get(network.lower()) or Municipality(stem.lower().replace(" ", "-"), stem)
