"""Navigation and map: they lead to each other and to everything else."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from control_room.core.tags import Quantity
from control_room.ui.views.connections import ConnectionsView
from control_room.ui.views.map import MapView
from control_room.ui.views.navigation import NavigationView
from tests.ui.rooms import Stage


@pytest.fixture
def navigation(stage: Stage, qtbot: QtBot) -> NavigationView:
    made = NavigationView(stage.console)
    qtbot.addWidget(made)
    made.resize(360, 700)
    made.show()
    stage.fill()
    return made


@pytest.fixture
def network_map(stage: Stage, qtbot: QtBot) -> MapView:
    made = MapView(stage.console)
    qtbot.addWidget(made)
    made.resize(900, 700)
    made.show()
    stage.fill()
    return made


def test_alarms_are_rolled_up_to_the_municipalities(navigation: NavigationView, stage: Stage) -> None:
    model = navigation.tree.model
    tags = {row.tag.id for row in stage.console.alarms.rows.values()}
    assert sum(model.branch(model.index(row, 0)).count for row in range(3)) == len(tags)


def test_what_is_seen_is_fed(navigation: NavigationView, stage: Stage, qtbot: QtBot) -> None:
    navigation.tree.select(1)
    qtbot.waitUntil(lambda: 1 in stage.console.live_tags._wanted.get("navigation", ()))


def test_the_navigations_menu_leads_on(navigation: NavigationView, stage: Stage, qtbot: QtBot) -> None:
    jumps = stage.console.jumps
    menu = navigation.menu([4, 5], "Tank 2")
    qtbot.addWidget(menu)
    actions = {action.text(): action for action in menu.actions()}
    for text, signal, told in (
        ("Open trend", jumps.trend_wanted, [[4, 5]]),
        ("Show on map", jumps.map_wanted, [4]),
        ("Show alarms", jumps.alarms_wanted, [[4, 5], "Tank 2"]),
    ):
        with qtbot.waitSignal(signal) as jumped:
            actions[text].trigger()
        assert jumped.args == told


def test_the_map_wants_the_tags_that_stand_on_it(network_map: MapView, stage: Stage) -> None:
    assert stage.console.live_tags._wanted["map"] == {tag.id for tag in stage.console.room.tags.values() if tag.element}


def test_the_map_finds_what_is_typed(network_map: MapView, stage: Stage, qtbot: QtBot) -> None:
    seen: list[tuple[int, str]] = []
    network_map.map.zoom_to_element = lambda *place: seen.append(place)  # type: ignore[method-assign]
    QTest.keyClicks(network_map.search, "tank 3 cedar")
    QTest.keyClick(network_map.search, Qt.Key.Key_Return)
    assert seen == [(2, "node:T3")]


def test_a_jump_to_the_map_zooms_to_the_tags_element(network_map: MapView, stage: Stage) -> None:
    seen: list[tuple[int, str]] = []
    network_map.map.zoom_to_element = lambda *place: seen.append(place)  # type: ignore[method-assign]
    stage.console.jumps.map_wanted.emit(1)
    assert seen == [(1, "node:T1")]


def test_a_choice_on_the_map_is_followed_by_the_tree(navigation: NavigationView, network_map: MapView) -> None:
    network_map.map.element_clicked.emit(1, "node:T2")
    chosen = navigation.tree.model.tag_of(navigation.tree.view.currentIndex())
    assert chosen is not None
    assert chosen.name == "Tank 2 level"


def test_the_list_of_connections_says_state_counters_and_reason(stage: Stage, qtbot: QtBot) -> None:
    view = ConnectionsView(stage.console)
    qtbot.addWidget(view)
    stage.fill(0)
    model = view.model
    rows = [[model.index(row, column).data() for column in range(model.columnCount())] for row in range(6)]
    down = next(row for row in rows if row[0] == "down")
    assert down[1:4] == ["Cedar Valley Utilities", "OPC UA", "OPC UA"]
    assert down[9] == "12"
    assert down[10].startswith("The server at")
    stage.console.room.take_connected(False, "The database does not answer.")
    assert {model.index(row, 0).data() for row in range(6)} == {"unknown"}
    assert model.index(0, 10).data() == "The database does not answer."


def test_the_layer_that_is_chosen_is_shown(network_map: MapView) -> None:
    seen: list[object] = []
    network_map.map.set_layer = seen.append  # type: ignore[method-assign,assignment]
    network_map.layer.setCurrentText("Chlorine")
    assert seen == [Quantity.CHLORINE]
    assert isinstance(seen[0], Quantity)


def unplaced(stage: Stage, **changes: Any) -> int:
    """Give the first tag other words and no element; return its id."""
    room = stage.console.room
    first, *others = room.configuration.tags
    tags = (replace(first, element="", **changes), *others)
    room.use_configuration(replace(room.configuration, tags=tags), room.networks)
    return first.id


@pytest.mark.parametrize(
    ("changes", "words", "elements"),
    [
        ({}, "Tank 1 level has no place on the map. The map shows Tank 1.", ["node:T1"]),
        ({"asset": "Office"}, "Tank 1 level has no place on the map. The map shows Storage.", None),
        ({"site": "Connections", "asset": "OPC UA"}, "Tank 1 level has no place on the map.", []),
        ({"site": "", "asset": ""}, "Tank 1 level has no place on the map.", []),
    ],
)
def test_a_tag_without_a_place_is_said_and_what_stands_near_it_is_shown(
    network_map: MapView,
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    words: str,
    elements: list[str] | None,
) -> None:
    tag_id = unplaced(stage, **changes)
    shown: list[str] = []
    monkeypatch.setattr(network_map.map, "zoom_to_elements", lambda _, found: shown.extend(found))
    stage.console.jumps.map_wanted.emit(tag_id)
    assert network_map.notice_bar.text() == words
    expected = [f"node:T{number}" for number in range(1, 7)] if elements is None else elements
    assert sorted(set(shown)) == expected


def test_the_words_go_with_the_next_jump_choice_or_search(network_map: MapView, stage: Stage) -> None:
    tag_id = unplaced(stage)
    acts: list[Callable[[], object]] = [
        lambda: stage.console.jumps.map_wanted.emit(3),
        lambda: network_map.map.element_clicked.emit(1, "node:T2"),
        lambda: QTest.keyClicks(network_map.search, "tank"),
    ]
    for act in acts:
        stage.console.jumps.map_wanted.emit(tag_id)
        assert network_map.notice_bar.text()
        act()
        assert not network_map.notice_bar.text()
    stage.console.jumps.map_wanted.emit(99_999)
    assert not network_map.notice_bar.text()


def test_a_search_without_an_answer_says_so(network_map: MapView) -> None:
    QTest.keyClicks(network_map.search, "nowhere")
    QTest.keyClick(network_map.search, Qt.Key.Key_Return)
    assert network_map.notice_bar.text() == "Nothing on the map answers to “nowhere”."
