"""Where a network's elements are, in degrees of longitude and latitude."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from pyproj import Transformer

from control_room.core.network import Link, LinkKind, Node, NodeKind
from control_room.simulator.municipalities import Municipality

_Place = Callable[[tuple[float, float]], tuple[float, float]]
_KINDS = {"Junction": NodeKind.JUNCTION, "Tank": NodeKind.TANK, "Reservoir": NodeKind.RESERVOIR}


def drawing(model: Any, about: Municipality) -> tuple[tuple[Node, ...], tuple[Link, ...]]:
    """Return the network's nodes and links in WGS 84."""
    place = _placer(model, about)
    nodes = tuple(
        Node(name, _KINDS[node.node_type], *place(node.coordinates), float(getattr(node, "elevation", 0.0) or 0.0))
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


def _placer(model: Any, about: Municipality) -> _Place:
    if about.crs is not None:
        to_degrees = Transformer.from_crs(about.crs, "EPSG:4326", always_xy=True)
        return lambda at: _rounded(*to_degrees.transform(*at))
    corners = np.array([node.coordinates for _, node in model.nodes()], dtype=float)
    middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
    scale = about.span_deg / max(float(np.ptp(corners, axis=0).max()), 1e-9)
    longitude, latitude = about.anchor_deg
    # a degree of longitude is shorter than one of latitude
    squeeze = math.cos(math.radians(latitude))
    return lambda at: _rounded(
        longitude + (at[0] - middle[0]) * scale, latitude + (at[1] - middle[1]) * scale * squeeze
    )


def _rounded(longitude: float, latitude: float) -> tuple[float, float]:
    # a centimetre
    return round(float(longitude), 7), round(float(latitude), 7)
