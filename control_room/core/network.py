"""The water network as nodes and links, in degrees of longitude and latitude (WGS 84, EPSG:4326)."""

from dataclasses import dataclass
from enum import StrEnum


class NodeKind(StrEnum):
    """What stands at a node."""

    JUNCTION = "junction"
    TANK = "tank"
    RESERVOIR = "reservoir"


class LinkKind(StrEnum):
    """What connects two nodes."""

    PIPE = "pipe"
    PUMP = "pump"
    VALVE = "valve"


@dataclass(frozen=True, slots=True)
class Node:
    """A point of the network; elevation in metres."""

    key: str
    kind: NodeKind
    longitude_deg: float
    latitude_deg: float
    elevation_m: float = 0.0


@dataclass(frozen=True, slots=True)
class Link:
    """A pipe, pump or valve between two nodes; `vertices` are (longitude, latitude) between its ends, in degrees."""

    key: str
    kind: LinkKind
    start: str
    end: str
    vertices: tuple[tuple[float, float], ...] = ()
    diameter_m: float = 0.0
    length_m: float = 0.0


@dataclass(frozen=True, slots=True)
class Network:
    """The network of one municipality. `is_schematic`: the coordinates are a drawing placed at an anchor, no survey."""

    municipality_id: int
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    is_schematic: bool = False
