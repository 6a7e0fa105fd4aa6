"""The network map: found by name and by place, honest about what it cannot draw or trust."""

from datetime import UTC, datetime
from math import nan, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from pytestqt.qtbot import QtBot

from control_room.core.alarms import AlarmState, Priority
from control_room.core.network import Link, LinkKind, Network, Node, NodeKind
from control_room.core.samples import BAD_SENSOR_FAILURE, GOOD, Sample
from control_room.core.tags import Municipality, Quantity, Tag
from widgets.map_geometry import MapGeometry
from widgets.network_map import FAR_M_PER_PX, LAYERS, NetworkMap
from widgets.palette import DARK

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NODES = (
    Node("R", NodeKind.RESERVOIR, -84.02, 38.02),
    Node("T", NodeKind.TANK, -84.0, 38.0),
    Node("J", NodeKind.JUNCTION, -83.99, 38.01),
)
LINKS = (
    Link("PU", LinkKind.PUMP, "R", "T"),
    Link("P1", LinkKind.PIPE, "T", "J", ((-83.995, 38.0),), 0.3, 1_000.0),
)
TOWN = Network(1, NODES, LINKS)
MUNICIPALITIES = [Municipality(1, "town", "Town Water"), Municipality(2, "far", "Far Water")]


def tag(tag_id: int, element: str, quantity: Quantity, states: tuple[str, ...] = ()) -> Tag:
    return Tag(
        tag_id,
        1,
        "Site",
        f"Asset {tag_id}",
        f"K{tag_id}",
        f"Name {tag_id}",
        quantity,
        1,
        "",
        "m",
        states=states,
        element=element,
    )


TAGS = [
    tag(1, "node:T", Quantity.LEVEL),
    tag(2, "link:PU", Quantity.STATE, ("stopped", "running")),
    tag(3, "node:J", Quantity.PRESSURE),
]


@pytest.fixture
def town(qtbot: QtBot) -> NetworkMap:
    one = NetworkMap(clock=lambda: NOW)
    one.resize(800, 600)
    qtbot.addWidget(one)
    one.show()
    one.show_networks([TOWN], MUNICIPALITIES)
    one.set_tags(TAGS)
    one.flush()
    return one


def at(town: NetworkMap, element: str) -> QPoint:
    return town._to_screen(town._geometry.places[1, element].at).toPoint()


def test_a_click_finds_the_element_under_it(town: NetworkMap, qtbot: QtBot) -> None:
    for element in ("node:T", "link:PU", "node:J"):
        with qtbot.waitSignal(town.element_clicked) as clicked:
            qtbot.mouseClick(town, Qt.MouseButton.LeftButton, pos=at(town, element))
        assert clicked.args == [1, element]


def test_a_pipe_is_found_beside_its_line_and_not_far_from_it(town: NetworkMap) -> None:
    middle = QPointF(at(town, "link:P1"))
    found = town.place_at(middle + QPointF(2, 2))
    assert found is not None
    assert found.element == "link:P1"
    assert town.place_at(QPointF(5, 5)) is None


def test_a_double_click_opens_the_tag(town: NetworkMap, qtbot: QtBot) -> None:
    with qtbot.waitSignal(town.tag_activated) as opened:
        qtbot.mouseDClick(town, Qt.MouseButton.LeftButton, pos=at(town, "node:J"))
    assert opened.args == [3]


def test_dragging_moves_and_the_wheel_zooms_about_the_cursor(town: NetworkMap, qtbot: QtBot) -> None:
    before = town._to_plane(QPointF(400, 300))
    qtbot.mousePress(town, Qt.MouseButton.LeftButton, pos=QPoint(400, 300))
    qtbot.mouseMove(town, QPoint(450, 340))
    town._look_at(town._centre, town._m_per_px)
    qtbot.mouseRelease(town, Qt.MouseButton.LeftButton, pos=QPoint(450, 340))
    scale = town._m_per_px
    qtbot.keyClick(town, Qt.Key.Key_Plus)
    assert town._m_per_px < scale
    qtbot.keyClick(town, Qt.Key.Key_0)
    assert town._to_plane(QPointF(400, 300)).x() == pytest.approx(before.x(), abs=1.0)


def test_the_tooltip_says_value_quality_and_age(town: NetworkMap) -> None:
    town.show_samples([Sample(1, 4.5, BAD_SENSOR_FAILURE, NOW, NOW)])
    words = town.words(town._geometry.places[1, "node:T"])
    assert "Town Water" in words
    assert "sensor failure" in words


def test_it_is_searched_by_id_tag_and_asset(town: NetworkMap) -> None:
    assert [hit.element for hit in town.search("pu")] == ["link:PU"]
    assert [hit.element for hit in town.search("name 3")] == ["node:J"]
    assert town.search("asset 1")[0].element == "node:T"
    assert town.search("") == []
    assert town.search("nothing like it") == []


def test_zooming_to_an_element_brings_it_into_the_middle(town: NetworkMap) -> None:
    town.zoom_to_element(1, "node:J")
    middle = QPointF(town.width() / 2, town.height() / 2)
    assert (town._to_screen(town._geometry.places[1, "node:J"].at) - middle).manhattanLength() < 1
    town.zoom_to_element(1, "node:unknown")


def test_everything_is_painted_in_every_state_and_theme(town: NetworkMap) -> None:
    states = (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED, AlarmState.RETURNED)
    town.show_alarms({one.id: (Priority(one.id), state) for one, state in zip(TAGS, states, strict=True)})
    for quality in (GOOD, BAD_SENSOR_FAILURE, 0x408F):
        town.show_samples([Sample(one.id, 1.0, quality, NOW, NOW) for one in TAGS])
        for m_per_px in (2.0, 30.0, 2 * FAR_M_PER_PX):
            town._look_at(town._centre, m_per_px)
            town.set_blink(quality == GOOD)
            town.flush()
    town.apply_palette(DARK)
    town.flush()


def test_no_network_is_said(qtbot: QtBot) -> None:
    empty = NetworkMap()
    qtbot.addWidget(empty)
    empty.show()
    empty.show_networks([], [])
    empty.flush()
    assert empty.place_at(QPointF(1, 1)) is None


def test_broken_elements_are_counted_and_the_rest_is_drawn() -> None:
    broken = (*NODES, Node("X", NodeKind.JUNCTION, nan, 1.0))
    links = (*LINKS, Link("P2", LinkKind.PIPE, "T", "missing"), Link("P3", LinkKind.PIPE, "X", "T"))
    geometry = MapGeometry([Network(1, broken, links)])
    assert geometry.skipped == 3
    assert (1, "link:P1") in geometry.places


def test_all_nodes_at_one_place_do_not_break_it(qtbot: QtBot) -> None:
    nodes = tuple(Node(key, NodeKind.JUNCTION, -84.0, 38.0) for key in "AB")
    one = NetworkMap()
    qtbot.addWidget(one)
    one.show()
    one.show_networks([Network(1, nodes, (Link("P", LinkKind.PIPE, "A", "B"),))], MUNICIPALITIES)
    one.flush()


@given(st.lists(st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1)), min_size=3, max_size=12), st.data())
def test_the_nearest_link_is_the_nearest(offsets: list[tuple[float, float]], data: st.DataObject) -> None:
    nodes = tuple(Node(str(n), NodeKind.JUNCTION, -84 + x, 38 + y) for n, (x, y) in enumerate(offsets))
    links = tuple(Link(f"P{n}", LinkKind.PIPE, str(n), str(n + 1)) for n in range(len(nodes) - 1))
    geometry = MapGeometry([Network(1, nodes, links)])
    x, y = (data.draw(st.floats(-10_000, 10_000)) for _ in range(2))
    found = geometry.nearest_link(QPointF(x, y), 1e9)
    assert found is not None
    ends = {key: geometry.places[1, f"node:{key}"].at for key in map(str, range(len(nodes)))}
    distances = {f"link:P{n}": _distance(QPointF(x, y), ends[str(n)], ends[str(n + 1)]) for n in range(len(links))}
    assert distances[found.element] == pytest.approx(min(distances.values()), abs=0.1)


def _distance(point: QPointF, start: QPointF, end: QPointF) -> float:
    along = end - start
    length2 = QPointF.dotProduct(along, along)
    share = 0.0 if length2 == 0 else min(1.0, max(0.0, QPointF.dotProduct(point - start, along) / length2))
    gap = point - (start + along * share)
    return sqrt(QPointF.dotProduct(gap, gap))


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_can_be_painted(town: NetworkMap, layer: str) -> None:
    town.resize(900, 600)
    town.zoom_to_all()
    town.set_layer(LAYERS[layer])
    assert not town.grab().isNull()
