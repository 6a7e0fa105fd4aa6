"""The board's columns moved, hidden and shown by keys, and remembered."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from control_room.ui.board_memory import BoardMemory
from control_room.ui.views.alarms import AlarmsView
from tests.ui.rooms import Stage
from widgets.alarm_model import COLUMNS, PLACE, RAISED, SYMBOL
from widgets.column_list import ColumnList


@pytest.fixture
def view(stage: Stage, qtbot: QtBot) -> AlarmsView:
    made = AlarmsView(stage.console)
    qtbot.addWidget(made)
    made.resize(1800, 400)
    made.show()
    stage.fill()
    return made


def columns(view: AlarmsView, qtbot: QtBot) -> ColumnList:
    view.table.setFocus()
    QTest.keyClick(view.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    [found] = view.findChildren(ColumnList)
    qtbot.waitUntil(found.isActiveWindow)
    return found


def test_a_column_is_moved_by_keys_and_stays_so(view: AlarmsView, stage: Stage, qtbot: QtBot) -> None:
    listed = columns(view, qtbot)
    listed.list.setCurrentRow(RAISED)
    QTest.keyClick(listed.list, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    assert view.table.header.visualIndex(RAISED) == PLACE
    assert listed.list.currentRow() == PLACE
    assert BoardMemory(stage.console.settings).columns("m.okafor")["order"][1:3] == ["Place", "Raised"]
    again = AlarmsView(stage.console)
    qtbot.addWidget(again)
    assert again.table.header.visualIndex(RAISED) == PLACE
    QTest.keyClick(listed.list, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert view.table.header.in_order() == list(range(len(COLUMNS)))


def test_at_the_end_a_column_stays(view: AlarmsView, qtbot: QtBot) -> None:
    listed = columns(view, qtbot)
    assert not listed.left_button.isEnabled()
    QTest.keyClick(listed.list, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    listed.list.setCurrentRow(len(COLUMNS) - 1)
    assert not listed.right_button.isEnabled()
    QTest.keyClick(listed.list, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    assert view.table.header.in_order() == list(range(len(COLUMNS)))


def test_space_hides_what_may_be_hidden(view: AlarmsView, qtbot: QtBot) -> None:
    listed = columns(view, qtbot)
    for row in (PLACE, SYMBOL):
        listed.list.setCurrentRow(row)
        QTest.keyClick(listed.list, Qt.Key.Key_Space)
    assert view.table.isColumnHidden(PLACE)
    assert not view.table.isColumnHidden(SYMBOL)
    listed.list.setCurrentRow(PLACE)
    QTest.keyClick(listed.list, Qt.Key.Key_Space)
    assert not view.table.isColumnHidden(PLACE)
    assert view.table.columnWidth(PLACE) >= 30


def test_the_menu_of_the_heads_leads_there(view: AlarmsView, qtbot: QtBot) -> None:
    menu = view.table.header.menu()
    qtbot.addWidget(menu)
    next(action for action in menu.actions() if action.text() == "Arrange by keys…").trigger()
    [listed] = view.findChildren(ColumnList)
    assert listed.list.count() == len(COLUMNS)
