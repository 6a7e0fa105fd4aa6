"""Networks as the map needs them: projected, drawn once as paths, found again by place."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import hypot, isfinite

import numpy as np
import numpy.typing as npt
import shapely
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainterPath, QPolygonF

from control_room.core.geo import project
from control_room.core.network import Link, LinkKind, Network, Node, NodeKind

# mains above this diameter are drawn stronger
TRUNK_M = 0.25
ElementKey = tuple[int, str]
Shapes = Sequence[shapely.LineString] | npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Place:
    """One element of a network: `at` is its point (a link's middle), in metres east and SOUTH of the geometry's origin."""

    municipality_id: int
    element: str
    thing: Node | Link
    at: QPointF
    # screen direction of a link, for symbols that lie along it
    along: QPointF = field(default_factory=lambda: QPointF(1, 0))

    @property
    def key(self) -> ElementKey:
        """Return what tags name it by: municipality and element."""
        return self.municipality_id, self.element

    @property
    def kind(self) -> NodeKind | LinkKind:
        """Return what it is."""
        return self.thing.kind

    @property
    def has_symbol(self) -> bool:
        """Return whether it has a symbol of its own; pipes and junctions are lines and their ends."""
        return self.kind not in (LinkKind.PIPE, NodeKind.JUNCTION)


@dataclass(slots=True)
class DrawnNetwork:
    """One municipality's network: thin pipes, trunk mains, and its bounds."""

    municipality_id: int
    is_schematic: bool
    thin: QPainterPath
    trunk: QPainterPath
    bounds: QRectF


class PlaceIndex:
    """Places found by where their shapes lie in the plane, in a time that hardly grows with their number."""

    def __init__(self, places: Sequence[Place], shapes: Shapes) -> None:
        """Take a shape for each place."""
        self._places = list(places)
        self._tree = shapely.STRtree(shapes)

    @classmethod
    def of_points(cls, places: Iterable[Place]) -> "PlaceIndex":
        """Return an index of places by their points."""
        found = list(places)
        at = np.array([(place.at.x(), place.at.y()) for place in found], dtype=float).reshape(-1, 2)
        return cls(found, np.asarray(shapely.points(at), dtype=object).reshape(-1))

    def within(self, box: QRectF) -> list[Place]:
        """Return the places whose shapes' bounds touch a box of the plane, always in the same order."""
        found = self._tree.query(shapely.box(box.left(), box.top(), box.right(), box.bottom()))
        return [self._places[place] for place in np.sort(found)]

    def count_within(self, box: QRectF) -> int:
        """Return how many places `within` would return."""
        return len(self._tree.query(shapely.box(box.left(), box.top(), box.right(), box.bottom())))

    def nearest(self, point: QPointF, within_m: float) -> Place | None:
        """Return the place nearest to a point of the plane, None beyond `within_m` metres."""
        if not self._places:
            return None
        at = shapely.Point(point.x(), point.y())
        found = self._tree.query_nearest(at, max_distance=within_m, all_matches=False)
        return self._places[int(np.atleast_1d(found)[0])] if len(found) else None


class MapGeometry:
    """All networks in one plane; y grows to the south, as on the screen."""

    def __init__(self, networks: Sequence[Network]) -> None:
        """Project everything; broken elements are skipped and counted in `skipped`."""
        self.skipped = 0
        self.places: dict[ElementKey, Place] = {}
        self.networks: list[DrawnNetwork] = []
        self._lines: dict[ElementKey, shapely.LineString] = {}
        self._origin = _origin(networks)
        for network in networks:
            self._add(network)
        self.symbols = [place for place in self.places.values() if place.has_symbol]
        self.links = self.index_of_lines(self._lines)
        self.junctions = PlaceIndex.of_points(
            place for place in self.places.values() if place.kind is NodeKind.JUNCTION
        )
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

    def index_of_lines(self, keys: Iterable[ElementKey]) -> PlaceIndex:
        """Return an index of those of the elements that are lines."""
        found = [key for key in keys if key in self._lines]
        return PlaceIndex([self.places[key] for key in found], [self._lines[key] for key in found])

    def line(self, key: ElementKey) -> QPolygonF:
        """Return a link's line in the plane, empty when there is none."""
        line = self._lines.get(key)
        return QPolygonF() if line is None else QPolygonF([QPointF(x, y) for x, y in line.coords])

    def _add(self, network: Network) -> None:
        drawn = DrawnNetwork(network.municipality_id, network.is_schematic, QPainterPath(), QPainterPath(), QRectF())
        at: dict[str, QPointF] = {}
        for node in network.nodes:
            if not _is_sane(node):
                self.skipped += 1
                continue
            at[node.key] = self.to_plane(node.longitude_deg, node.latitude_deg)
            element = f"node:{node.key}"
            self.places[network.municipality_id, element] = Place(network.municipality_id, element, node, at[node.key])
        for link in network.links:
            if link.start not in at or link.end not in at:
                self.skipped += 1
                continue
            points = [at[link.start], *(self.to_plane(*vertex) for vertex in link.vertices), at[link.end]]
            self._add_link(network.municipality_id, link, points, drawn)
        if at:
            xs, ys = [point.x() for point in at.values()], [point.y() for point in at.values()]
            drawn.bounds = QRectF(QPointF(min(xs), min(ys)), QPointF(max(xs), max(ys)))
            self.networks.append(drawn)

    def _add_link(self, municipality_id: int, link: Link, points: list[QPointF], drawn: DrawnNetwork) -> None:
        element = f"link:{link.key}"
        middle, along = _middle(points)
        self.places[municipality_id, element] = Place(municipality_id, element, link, middle, along)
        self._lines[municipality_id, element] = shapely.LineString([(point.x(), point.y()) for point in points])
        path = drawn.trunk if link.diameter_m >= TRUNK_M else drawn.thin
        path.moveTo(points[0])
        for point in points[1:]:
            path.lineTo(point)


class LiveParts:
    """What is painted with every frame: `points` (symbols and tagged elements), and the tagged `pipes` with their `lines`."""

    def __init__(self, geometry: MapGeometry, tagged: Iterable[ElementKey]) -> None:
        """Find them among all elements; tags of elements that the networks do not know are passed over."""
        places = [geometry.places[key] for key in tagged if key in geometry.places]
        self.points = PlaceIndex.of_points([*geometry.symbols, *(one for one in places if not one.has_symbol)])
        keys = [place.key for place in places if place.kind is LinkKind.PIPE]
        self.pipes = geometry.index_of_lines(keys)
        self.lines = {key: geometry.line(key) for key in keys}


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
