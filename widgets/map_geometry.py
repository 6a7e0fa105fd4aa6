"""Networks as the map needs them: projected, drawn once as paths, found again by place."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import hypot, isfinite

import numpy as np
import shapely
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainterPath

from control_room.core.geo import project
from control_room.core.network import Link, LinkKind, Network, Node, NodeKind

# mains above this diameter are drawn stronger
TRUNK_M = 0.25


@dataclass(frozen=True, slots=True)
class Place:
    """One element of a network: `at` is its point (a link's middle), in metres east and SOUTH of the geometry's origin."""

    municipality_id: int
    element: str
    kind: NodeKind | LinkKind
    at: QPointF
    # screen direction of a link, for symbols that lie along it
    along: QPointF = field(default_factory=lambda: QPointF(1, 0))


@dataclass(slots=True)
class DrawnNetwork:
    """One municipality's network: thin pipes, trunk mains, and its bounds."""

    municipality_id: int
    is_schematic: bool
    thin: QPainterPath
    trunk: QPainterPath
    bounds: QRectF


class MapGeometry:
    """All networks in one plane; y grows to the south, as on the screen."""

    def __init__(self, networks: Sequence[Network]) -> None:
        """Project everything; broken elements are skipped and counted in `skipped`."""
        self.skipped = 0
        self.places: dict[tuple[int, str], Place] = {}
        self.networks: list[DrawnNetwork] = []
        self._pipes: list[Place] = []
        lines: list[shapely.LineString] = []
        self._origin = _origin(networks)
        for network in networks:
            self._add(network, lines)
        self._tree = shapely.STRtree(lines)
        self.bounds = QRectF()
        for drawn in self.networks:
            self.bounds = self.bounds.united(drawn.bounds)

    def to_plane(self, longitude_deg: float, latitude_deg: float) -> QPointF:
        """Return a place in the plane."""
        x, y = project(longitude_deg, latitude_deg)
        return QPointF(x - self._origin[0], self._origin[1] - y)

    def to_mercator(self, point: QPointF) -> tuple[float, float]:
        """Return a point of the plane in EPSG:3857 metres."""
        return point.x() + self._origin[0], self._origin[1] - point.y()

    def _add(self, network: Network, lines: list[shapely.LineString]) -> None:
        drawn = DrawnNetwork(network.municipality_id, network.is_schematic, QPainterPath(), QPainterPath(), QRectF())
        at: dict[str, QPointF] = {}
        for node in network.nodes:
            if not _is_sane(node):
                self.skipped += 1
                continue
            at[node.key] = self.to_plane(node.longitude_deg, node.latitude_deg)
            element = f"node:{node.key}"
            self.places[network.municipality_id, element] = Place(
                network.municipality_id, element, node.kind, at[node.key]
            )
        for link in network.links:
            if link.start not in at or link.end not in at:
                self.skipped += 1
                continue
            points = [at[link.start], *(self.to_plane(*vertex) for vertex in link.vertices), at[link.end]]
            self._add_link(network.municipality_id, link, points, drawn, lines)
        if at:
            xs, ys = [point.x() for point in at.values()], [point.y() for point in at.values()]
            drawn.bounds = QRectF(QPointF(min(xs), min(ys)), QPointF(max(xs), max(ys)))
            self.networks.append(drawn)

    def _add_link(
        self,
        municipality_id: int,
        link: Link,
        points: list[QPointF],
        drawn: DrawnNetwork,
        lines: list[shapely.LineString],
    ) -> None:
        element = f"link:{link.key}"
        middle, along = _middle(points)
        place = Place(municipality_id, element, link.kind, middle, along)
        self.places[municipality_id, element] = place
        path = drawn.trunk if link.diameter_m >= TRUNK_M else drawn.thin
        path.moveTo(points[0])
        for point in points[1:]:
            path.lineTo(point)
        lines.append(shapely.LineString([(point.x(), point.y()) for point in points]))
        self._pipes.append(place)

    def nearest_link(self, point: QPointF, within: float) -> Place | None:
        """Return the link nearest to a point of the plane, None beyond `within` metres."""
        if not self._pipes:
            return None
        found = self._tree.query_nearest(shapely.Point(point.x(), point.y()), max_distance=within, all_matches=False)
        return self._pipes[int(np.atleast_1d(found)[0])] if len(found) else None


def _origin(networks: Sequence[Network]) -> tuple[float, float]:
    """Return the middle of all networks, so that single-precision painting stays sharp."""
    sane = [
        project(one.longitude_deg, one.latitude_deg) for network in networks for one in network.nodes if _is_sane(one)
    ]
    if not sane:
        return 0.0, 0.0
    return sum(x for x, _ in sane) / len(sane), sum(y for _, y in sane) / len(sane)


def _is_sane(node: Node) -> bool:
    return isfinite(node.longitude_deg) and isfinite(node.latitude_deg) and abs(node.latitude_deg) <= 90


def _middle(points: Sequence[QPointF]) -> tuple[QPointF, QPointF]:
    """Return the point halfway along a polyline and the direction there, of length 1."""
    lengths = [hypot(b.x() - a.x(), b.y() - a.y()) for a, b in pairwise(points)]
    left = sum(lengths) / 2
    for start, end, length in zip(points, points[1:], lengths, strict=False):
        if left <= length and length > 0:
            along = QPointF((end.x() - start.x()) / length, (end.y() - start.y()) / length)
            return start + along * left, along
        left -= length
    return points[0], QPointF(1, 0)
