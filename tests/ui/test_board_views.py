"""The board as a person arranges it: columns that are kept, filters kept as views, the area, groups by place."""

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QMenu
from pytestqt.qtbot import QtBot

from control_room.core.access import Membership, Person, Role
from control_room.core.alarms import Priority
from control_room.ui.board_memory import LONGEST_NAME, MOST_VIEWS, BoardMemory
from control_room.ui.views.alarms import AlarmsView
from tests.ui.rooms import Stage
from widgets.alarm_model import BY, COLUMNS, PLACE, RAISED, TAG, AlarmRow

OTHER = Person("kay", "Kay", frozenset({Membership(None, Role.OPERATOR)}), must_change_password=False)


@pytest.fixture
def view(stage: Stage, qtbot: QtBot) -> AlarmsView:
    return board(stage, qtbot)


def board(stage: Stage, qtbot: QtBot) -> AlarmsView:
    made = AlarmsView(stage.console)
    qtbot.addWidget(made)
    made.resize(1600, 500)
    made.show()
    if not stage.console.alarms.rows:
        stage.fill()
    return made


def item(menu: QMenu, text: str) -> QAction:
    [found] = [one for one in menu.actions() if one.text() == text]
    return found


def column_item(view: AlarmsView, column: int) -> QAction:
    return item(view.table.header.menu(), COLUMNS[column].title)


def drag(view: AlarmsView, start: QPoint, end: QPoint) -> None:
    port = view.table.header.viewport()
    QTest.mousePress(port, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
    for share in (0.3, 0.6, 1.0):
        QTest.mouseMove(port, start + (end - start) * share)
    QTest.mouseRelease(port, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, end)


# --- columns


def test_columns_are_hidden_widened_and_kept_for_the_next_time(view: AlarmsView, stage: Stage, qtbot: QtBot) -> None:
    header = view.table.header
    assert not header.isSectionHidden(TAG)
    column_item(view, TAG).trigger()
    edge = header.sectionViewportPosition(RAISED) + header.sectionSize(RAISED) - 1
    drag(view, QPoint(edge, 8), QPoint(edge + 60, 8))
    width = header.sectionSize(RAISED)
    assert header.isSectionHidden(TAG)
    assert width > COLUMNS[RAISED].width_px
    again = board(stage, qtbot)
    assert again.table.header.isSectionHidden(TAG)
    assert again.table.header.sectionSize(RAISED) == width


def test_columns_are_moved_and_put_back(view: AlarmsView, stage: Stage, qtbot: QtBot) -> None:
    header = view.table.header
    middle = [header.sectionViewportPosition(one) + header.sectionSize(one) // 2 for one in (RAISED, PLACE)]
    drag(view, QPoint(middle[0], 8), QPoint(middle[1] + 60, 8))
    assert header.visualIndex(RAISED) > header.visualIndex(PLACE)
    assert board(stage, qtbot).table.header.visualIndex(RAISED) > 1
    item(header.menu(), "First columns again").trigger()
    assert [header.visualIndex(one) for one in range(len(COLUMNS))] == list(range(len(COLUMNS)))
    assert board(stage, qtbot).table.header.visualIndex(RAISED) == 1


def test_a_click_that_sorts_arranges_nothing(view: AlarmsView) -> None:
    header = view.table.header
    at = QPoint(header.sectionViewportPosition(PLACE) + 20, 8)
    QTest.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
    assert header.sortIndicatorSection() == PLACE
    assert view.table.arrangement() == {}
    view.resize(900, 500)
    assert header.isSectionHidden(TAG)


def test_every_person_has_their_own_columns(view: AlarmsView, stage: Stage) -> None:
    header, shift = view.table.header, stage.console.shift
    column_item(view, TAG).trigger()
    first = shift.person
    shift.person = OTHER
    shift.changed.emit()
    assert not header.isSectionHidden(TAG)
    shift.person = first
    shift.changed.emit()
    assert header.isSectionHidden(TAG)


def test_what_is_always_needed_cannot_be_hidden(view: AlarmsView) -> None:
    menu = view.table.header.menu()
    assert [one.text() for one in menu.actions() if one.text() and not one.isEnabled()] == ["P", "Alarm"]


@pytest.mark.parametrize(
    "spoiled",
    [
        "no JSON",
        "[1]",
        '{"order": ["Tag", "Nowhere"], "hidden": ["P", "Alarm", 3], "widths": {"Tag": "wide", "Raised": -9}}',
        '{"widths": [1], "hidden": ["Acknowledged by"]}',
    ],
)
def test_settings_that_somebody_spoiled_cost_no_board(stage: Stage, qtbot: QtBot, spoiled: str) -> None:
    login = stage.console.shift.person.login if stage.console.shift.person else ""
    stage.console.settings.setValue(f"board/columns/{login}", spoiled)
    stage.console.settings.setValue(f"board/views/{login}", spoiled)
    made = board(stage, qtbot)
    header = made.table.header
    assert not header.isSectionHidden(0)
    assert not header.isSectionHidden(4)
    assert header.sectionSize(RAISED) >= 30
    made.views.menu().aboutToShow.emit()


def test_without_the_column_of_who_acknowledged_the_state_says_it(view: AlarmsView) -> None:
    assert not view.table.board.is_narrow
    column_item(view, BY).trigger()
    assert view.table.board.is_narrow


# --- views


def keep(view: AlarmsView, name: str) -> None:
    view.views.menu().aboutToShow.emit()
    item(view.views.menu(), "Keep the present filter…").trigger()
    assert view.views.dialog is not None
    [line] = view.views.dialog.findChildren(QLineEdit)
    line.clear()
    QTest.keyClicks(line, name)
    QTest.keyClick(line, Qt.Key.Key_Return)


def use(view: AlarmsView, name: str) -> None:
    view.views.menu().aboutToShow.emit()
    item(view.views.menu(), name).trigger()


def shown(view: AlarmsView) -> list[int]:
    return [row.rule.id for row in view.table.board.rows]


def test_a_filter_is_kept_under_a_name_and_used_again(view: AlarmsView, stage: Stage, qtbot: QtBot) -> None:
    view.priority.setCurrentIndex(1)
    view.text.setText("pump")
    view.table.sortByColumn(PLACE, Qt.SortOrder.DescendingOrder)
    wanted = shown(view)
    assert 0 < len(wanted) < len(stage.console.alarms.rows)
    keep(view, "My pumps & tanks")
    view.filter_by()
    view.table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    again = board(stage, qtbot)
    assert shown(again) != wanted
    use(again, "My pumps && tanks")
    assert shown(again) == wanted
    assert (again.priority.currentIndex(), again.text.text()) == (1, "pump")


def test_a_view_keeps_the_asset_that_navigation_chose(view: AlarmsView, stage: Stage) -> None:
    row = view.table.board.rows[5]
    stage.console.jumps.alarms_wanted.emit([row.tag.id], "Pump 9")
    wanted = shown(view)
    keep(view, "One pump")
    view.filter_by()
    use(view, "One pump")
    assert shown(view) == wanted
    assert "Pump 9" in view.only_button.text()


def test_views_are_replaced_removed_and_their_own_persons(view: AlarmsView, stage: Stage) -> None:
    keep(view, "a")
    view.priority.setCurrentIndex(2)
    keep(view, "a")
    view.filter_by()
    use(view, "a")
    assert view.priority.currentIndex() == 2
    person = stage.console.shift.person
    assert person is not None
    stage.console.shift.person = OTHER
    view.views.menu().aboutToShow.emit()
    assert [one.text() for one in view.views.menu().actions()] == ["Keep the present filter…"]
    stage.console.shift.person = person
    view.views.menu().aboutToShow.emit()
    remove = item(view.views.menu(), "Remove").menu()
    assert isinstance(remove, QMenu)
    item(remove, "a").trigger()
    assert BoardMemory(stage.console.settings).views(person.login) == {}


def test_a_view_of_a_place_that_is_gone_shows_everything(view: AlarmsView, stage: Stage) -> None:
    view.use_values({"area": ["Nowhere", ""], "priority": 99, "state": "?", "shelf": "?", "sorted_by": -3, "tags": "x"})
    assert len(shown(view)) == len(stage.console.alarms.rows)


def test_names_and_number_of_views_are_bounded(stage: Stage) -> None:
    memory = BoardMemory(stage.console.settings)
    for number in range(MOST_VIEWS + 5):
        memory.keep_view("omar", f"{number:03} " + "x" * 100, {})
    views = memory.views("omar")
    assert len(views) == MOST_VIEWS
    assert f"{MOST_VIEWS + 4:03}" in list(views)[-1]
    assert max(map(len, views)) == LONGEST_NAME


# --- area and groups


def test_the_area_is_a_municipality_or_one_of_its_sites(view: AlarmsView) -> None:
    row = view.table.board.rows[0]
    view.area.setCurrentText(row.municipality)
    assert {one.municipality for one in view.table.board.rows} == {row.municipality}
    view.area.setCurrentText(row.place)
    assert {one.place for one in view.table.board.rows} == {row.place}
    assert row in view.table.board.rows


def test_sorted_by_place_the_rows_stand_in_groups(view: AlarmsView) -> None:
    model = view.table.board
    assert not any(model.begins_group(place) for place in range(len(model.rows)))
    view.table.sortByColumn(PLACE, Qt.SortOrder.AscendingOrder)
    places = [row.place for row in model.rows]
    assert places == sorted(places)
    begins = [number for number in range(len(places)) if model.begins_group(number)]
    assert len(begins) == len(set(places)) - 1
    # within a place the board's own order
    first: list[AlarmRow] = [row for row in model.rows if row.place == places[0]]
    assert [row.rule.priority for row in first] == sorted((row.rule.priority for row in first), key=Priority)


def test_a_filter_by_site_leaves_out_the_same_site_elsewhere(view: AlarmsView) -> None:
    rows = view.table.board.rows
    stranger = replace(rows[0], municipality="Elsewhere")
    view.area.setCurrentText(rows[0].place)
    view.table.board.change([stranger], [])
    assert stranger not in view.table.board.rows


# --- keys alone


def test_the_board_is_worked_by_keys_alone(view: AlarmsView, qtbot: QtBot) -> None:
    view.activateWindow()
    view.table.setFocus()
    QTest.keyClick(view, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert view.text.hasFocus()
    QTest.keyClicks(view.text, "pump")
    assert 0 < len(shown(view)) < 40
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert len(shown(view)) == 40
    assert view.table.hasFocus()
    QTest.keyClick(view, Qt.Key.Key_2, Qt.KeyboardModifier.AltModifier)
    assert view.shelves.currentIndex() == 1
    QTest.keyClick(view, Qt.Key.Key_1, Qt.KeyboardModifier.AltModifier)
    QTest.keyClick(view.table, Qt.Key.Key_Down)
    assert view.table.chosen()
    QTest.keyClick(view, Qt.Key.Key_F10, Qt.KeyboardModifier.ShiftModifier)
    menu = view.findChild(QMenu, "deeds")
    assert menu is not None
    assert menu.isVisible()
    QTest.keyClick(menu, Qt.Key.Key_Escape)
    assert not menu.isVisible()
