"""The network map: found by name and by place, honest about what it cannot draw or trust."""

from dataclasses import replace
from datetime import UTC, datetime
from math import nan, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage
from pytestqt.qtbot import QtBot

from control_room.core.alarms import AlarmState, Priority
from control_room.core.network import Link, LinkKind, Network, Node, NodeKind
from control_room.core.samples import BAD_SENSOR_FAILURE, GOOD, UNCERTAIN_NO_COMMUNICATION_LAST_USABLE, Sample
from control_room.core.tags import Municipality, Quantity, Tag
from widgets.map_geometry import MapGeometry
from widgets.map_labels import TakenRoom
from widgets.map_pipes import PipeLook, look_of
from widgets.map_words import measures
from widgets.network_map import FAR_M_PER_PX, LAYERS, MOST_DOTS, NetworkMap
from widgets.palette import DARK, LIGHT

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
    found = geometry.links.nearest(QPointF(x, y), 1e9)
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


# --- measured pipes

FLOW = replace(tag(9, "link:P1", Quantity.FLOW), low=-50.0, high=200.0, unit="L/s")
BAND = {priority: QColor(LIGHT.priorities[priority]).rgb() for priority in Priority}


def flow(value: float | None, quality: int = GOOD) -> Sample:
    return Sample(FLOW.id, value, quality, NOW, NOW)


@pytest.mark.parametrize(
    ("sample", "part"),
    [
        (flow(100.0), 0.5),
        (flow(-100.0), 0.5),
        (flow(0.0), 0.0),
        (flow(900.0), 1.0),
        (flow(None), None),
        (flow(nan), None),
        (flow(100.0, BAD_SENSOR_FAILURE), None),
        (flow(100.0, UNCERTAIN_NO_COMMUNICATION_LAST_USABLE), None),
        (None, None),
    ],
)
def test_a_flow_counts_by_its_amount_and_only_when_it_is_trusted(sample: Sample | None, part: float | None) -> None:
    assert look_of(FLOW, sample, None) == PipeLook(part)


def test_other_quantities_of_a_pipe_count_by_their_share_of_the_range() -> None:
    pressure = replace(FLOW, quantity=Quantity.PRESSURE)
    assert look_of(pressure, flow(75.0), None).part == pytest.approx(0.5)
    assert look_of(replace(FLOW, low=0.0, high=0.0), flow(75.0), None).part is None


@pytest.fixture
def main(town: NetworkMap) -> NetworkMap:
    town.set_tags([*TAGS, FLOW])
    return town


def across(main: NetworkMap) -> list[int]:
    """Return the colours of the map on a short line across the pipe, some way from its middle, where nothing else is."""
    main.flush()
    place = main._geometry.places[1, "link:P1"]
    at = main._to_screen(place.at) + place.along * 60
    image: QImage = main.grab().toImage()
    return [
        image.pixel(round(at.x() - place.along.y() * n), round(at.y() + place.along.x() * n)) for n in range(-9, 10)
    ]


def test_a_pipe_grows_with_its_value(main: NetworkMap) -> None:
    main._look_at(main._geometry.places[1, "link:P1"].at, 5.0)
    ground, widths = QColor(LIGHT.panel).rgb(), []
    for value in (5.0, 60.0, 195.0):
        main.show_samples([flow(value)])
        seen = across(main)
        assert not set(seen) & set(BAND.values())
        widths.append(sum(colour != ground for colour in seen))
    assert widths == sorted(set(widths))


def test_a_pipe_without_a_trusted_value_is_dashed(main: NetworkMap) -> None:
    place = main._geometry.places[1, "link:P1"]
    main._look_at(place.at, 5.0)
    gaps = {}
    for quality in (GOOD, BAD_SENSOR_FAILURE):
        main.show_samples([flow(100.0, quality)])
        main.flush()
        image, ground = main.grab().toImage(), QColor(LIGHT.panel).rgb()
        points = [(main._to_screen(place.at) + place.along * n).toPoint() for n in range(40, 100)]
        gaps[quality] = sum(image.pixel(point) == ground for point in points)
    assert gaps[GOOD] == 0
    assert gaps[BAD_SENSOR_FAILURE] > 10


@pytest.mark.parametrize("priority", Priority)
def test_an_alarm_lies_as_a_band_around_its_pipe_and_is_hollow_when_it_is_over(
    main: NetworkMap, priority: Priority
) -> None:
    main._look_at(main._geometry.places[1, "link:P1"].at, 5.0)
    main.show_samples([flow(100.0)])
    counts = []
    for state in (AlarmState.ACKNOWLEDGED, AlarmState.RETURNED):
        main.show_alarms({FLOW.id: (priority, state)})
        counts.append(across(main).count(BAND[priority]))
    assert counts[0] > counts[1] >= 0
    main.show_alarms({})
    assert BAND[priority] not in across(main)


def test_the_band_of_an_alarm_does_not_flash(main: NetworkMap) -> None:
    main._look_at(main._geometry.places[1, "link:P1"].at, 5.0)
    main.show_alarms({FLOW.id: (Priority.HIGHEST, AlarmState.UNACKNOWLEDGED)})
    seen = []
    for is_lit in (True, False):
        main.set_blink(is_lit)
        seen.append(across(main))
    assert seen[0] == seen[1]


def test_only_measured_pipes_are_painted_live(main: NetworkMap) -> None:
    assert set(main._live.lines) == {(1, "link:P1")}
    main.set_tags(TAGS)
    assert not main._live.lines
    main.set_tags([replace(FLOW, element="link:gone")])
    main.flush()
    assert not main._live.lines


def test_a_pipes_label_is_the_layers_quantity_or_else_its_flow(main: NetworkMap) -> None:
    place = main._geometry.places[1, "link:P1"]
    assert main._shown_tag(place) == FLOW
    pressure = tag(10, "link:P1", Quantity.PRESSURE)
    main.set_tags([FLOW, pressure])
    assert main._shown_tag(place) == pressure
    main.set_layer(Quantity.CHLORINE)
    assert main._shown_tag(place) == FLOW
    main.set_tags([tag(11, "link:P1", Quantity.OTHER)])
    assert main._shown_tag(place) == tag(11, "link:P1", Quantity.OTHER)


def test_a_pipe_that_is_found_is_marked_though_nothing_is_measured_there(town: NetworkMap) -> None:
    town.zoom_to_element(1, "link:P1")
    marked = across(town)
    town._selected = None
    assert marked.count(QColor(LIGHT.panel).rgb()) < across(town).count(QColor(LIGHT.panel).rgb())


# --- junctions and words


def test_a_junction_without_a_tag_is_found_where_its_dot_is_drawn(town: NetworkMap) -> None:
    town.set_tags(TAGS[:2])
    town._look_at(town._geometry.places[1, "node:J"].at, 5.0)
    town.flush()
    found = town.place_at(QPointF(at(town, "node:J")) + QPointF(2, 2))
    assert found is not None
    assert town.words(found).splitlines() == ["Junction J — Town Water", "Elevation 0.0 m"]
    dot = town.grab().toImage().pixel(at(town, "node:J"))
    assert dot == QColor(LIGHT.label).rgb()
    town._look_at(town._geometry.places[1, "node:J"].at, 50.0)
    town.flush()
    found = town.place_at(QPointF(at(town, "node:J")))
    assert found is None or found.element != "node:J"


def test_many_junctions_have_no_dots(qtbot: QtBot) -> None:
    nodes = tuple(Node(f"J{n}", NodeKind.JUNCTION, -84.0 + n * 1e-5, 38.0) for n in range(MOST_DOTS + 1))
    one = NetworkMap()
    qtbot.addWidget(one)
    one.show_networks([Network(1, nodes, ())], MUNICIPALITIES)
    one.zoom_to_all()
    one.flush()
    assert not one._has_dots
    one._look_at(one._geometry.places[1, "node:J3"].at, 0.1)
    one.flush()
    assert one._has_dots


def test_a_symbol_is_found_before_the_junction_beside_it(town: NetworkMap) -> None:
    nodes = (*NODES, Node("J2", NodeKind.JUNCTION, -84.0, 38.00001))
    town.show_networks([Network(1, nodes, LINKS)], MUNICIPALITIES)
    town.zoom_to_element(1, "node:T")
    town.flush()
    found = town.place_at(QPointF(at(town, "node:J2")))
    assert found is not None
    assert found.element == "node:T"


def test_a_pipe_says_its_measures_and_its_value(main: NetworkMap) -> None:
    place = main._geometry.places[1, "link:P1"]
    main.show_samples([flow(12.34)])
    lines = main.words(place).splitlines()
    assert lines[:2] == ["Pipe P1 — Town Water", "Diameter 300 mm, length 1,000 m"]
    assert "12.3 L/s" in lines
    main.set_tags([])
    assert main.words(place).splitlines() == lines[:2]


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (Node("N", NodeKind.TANK, 0, 0, 231.44), "Elevation 231.4 m"),
        (Link("L", LinkKind.PIPE, "A", "B", (), 0.1016, 4.26), "Diameter 102 mm, length 4.3 m"),
        (Link("L", LinkKind.VALVE, "A", "B", (), 0.2), "Diameter 200 mm"),
        (Link("L", LinkKind.PUMP, "A", "B"), ""),
    ],
)
def test_measures_are_said_as_far_as_they_are_known(thing: Node | Link, words: str) -> None:
    assert measures(thing) == words


# --- several elements, labels, names


def test_several_elements_are_shown_together(town: NetworkMap) -> None:
    assert town.has_place(1, "node:T")
    assert not town.has_place(1, "")
    town.zoom_to_elements(1, ["node:T", "node:J", "node:unknown"])
    for element in ("node:T", "node:J"):
        assert town.rect().contains(at(town, element))
    centre = town._centre
    town.zoom_to_elements(1, ["node:unknown"])
    assert town._centre == centre
    town.zoom_to_elements(1, ["node:R", "node:R"])
    assert town._selected == (1, "node:R")


BOXES = st.builds(QRectF, *[st.floats(-200, 600)] * 2, *[st.floats(1, 150)] * 2)


@given(st.lists(BOXES, max_size=20), BOXES)
def test_room_is_free_where_no_box_lies(taken: list[QRectF], box: QRectF) -> None:
    room = TakenRoom(QRectF(0, 0, 400, 400))
    for one in taken:
        room.take(one)
    assert room.is_free(box) is not any(box.intersects(one) for one in taken)


@given(st.floats(10, 390), st.floats(10, 390), st.booleans())
def test_a_label_lies_beside_its_symbol_and_in_the_view(x: float, y: float, is_flat: bool) -> None:
    view, symbol = QRectF(0, 0, 400, 400), QRectF(x - 10, y - 10, 20, 20)
    room = TakenRoom(view)
    room.take(symbol)
    box = room.beside(QPointF(x, y), 20, 50, 16, QPointF(1, 0) if is_flat else QPointF())
    assert box is not None
    assert view.contains(box)
    assert not box.intersects(symbol)


def test_long_names_of_neighbours_do_not_lie_on_each_other(town: NetworkMap) -> None:
    other = Network(2, tuple(replace(one, longitude_deg=one.longitude_deg + 0.02) for one in NODES), ())
    town.show_networks([TOWN, other], [Municipality(n, str(n), "Very long name of a district " * 9) for n in (1, 2)])
    town.zoom_to_all()
    boxes = [box for _, _, box in town._place_names(TakenRoom(QRectF(town.rect())))]
    assert len(boxes) == 2
    assert not boxes[0].intersects(boxes[1])
    assert all(box.width() < town.width() for box in boxes)
