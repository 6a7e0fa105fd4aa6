"""Notes that stay: key and menu, the mark in the row, tooltip, panel and filter."""

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from control_room.core.access import Membership, Role
from control_room.core.alarms import StickyNote
from control_room.core.errors import Refused
from control_room.ui.dialogs.form import FormDialog
from control_room.ui.dialogs.why import WhyDialog
from control_room.ui.views.alarms import AlarmsView
from db.comments import set_note
from tests.ui.rooms import Stage
from widgets.alarm_model import MESSAGE, AlarmRow

WORDS = "Valve sticks, call the fitter"


@pytest.fixture
def view(stage: Stage, qtbot: QtBot) -> AlarmsView:
    made = AlarmsView(stage.console)
    qtbot.addWidget(made)
    made.resize(1400, 400)
    made.show()
    stage.fill()
    stage.acting.answers = {set_note: lambda rule_id, expected, words: "Done."}
    return made


def chosen(view: AlarmsView, place: int = 0) -> AlarmRow:
    view.table.selectRow(place)
    view.table.setFocus()
    return view.table.chosen()[0]


def with_note(view: AlarmsView, stage: Stage) -> AlarmRow:
    """Let the database tell of a note on the first row."""
    row = view.table.board.rows[0]
    note = StickyNote(WORDS, "eva", stage.clock.now)
    stage.console.room.take_alarms([replace(row.alarm, note=note)], is_whole=False)
    stage.console.alarms.flush()
    return view.table.board.rows[0]


def press(view: AlarmsView) -> FormDialog:
    modifiers = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    QTest.keyClick(view.table, Qt.Key.Key_N, modifiers)
    [found] = view.findChildren(FormDialog)
    return found


def line(dialog: FormDialog) -> QLineEdit:
    found = dialog.editors["words"]
    assert isinstance(found, QLineEdit)
    return found


def deeds(view: AlarmsView, qtbot: QtBot) -> dict[str, QAction]:
    menu = view.menu(view.table.chosen())
    qtbot.addWidget(menu)
    return {action.text(): action for action in menu.actions()}


def test_a_note_is_left_by_key(view: AlarmsView, stage: Stage) -> None:
    row = chosen(view)
    dialog = press(view)
    QTest.keyClicks(line(dialog), WORDS)
    QTest.keyClick(line(dialog), Qt.Key.Key_Return)
    assert stage.acting.asked == [(set_note, {"rule_id": row.rule.id, "expected": "", "words": WORDS})]


def test_a_note_is_seen_in_row_tooltip_panel_and_filter(view: AlarmsView, stage: Stage, qtbot: QtBot) -> None:
    row = with_note(view, stage)
    index = view.table.board.index(0, MESSAGE)
    assert str(index.data()).startswith("Has a note: ")
    assert f"{WORDS}" in index.data(Qt.ItemDataRole.ToolTipRole)
    assert "note of eva, " in index.data(Qt.ItemDataRole.ToolTipRole)
    panel = WhyDialog(view, stage.console, row)
    qtbot.addWidget(panel)
    assert WORDS in panel.words.text()
    view.text.setText("fitter sticks")
    assert [one.rule.id for one in view.table.board.rows] == [row.rule.id]


def test_a_note_is_changed_and_removed(view: AlarmsView, stage: Stage, qtbot: QtBot) -> None:
    row = with_note(view, stage)
    chosen(view)
    deeds(view, qtbot)["Remove the note"].trigger()
    deeds(view, qtbot)["Change the note that stays…"].trigger()
    [dialog] = view.findChildren(FormDialog)
    assert line(dialog).text() == WORDS
    line(dialog).setText("   ")
    dialog.send()
    assert dialog.isVisible()
    line(dialog).setText("Valve is new")
    dialog.send()
    assert [said for _, said in stage.acting.asked] == [
        {"rule_id": row.rule.id, "expected": WORDS, "words": ""},
        {"rule_id": row.rule.id, "expected": WORDS, "words": "Valve is new"},
    ]


def test_who_may_not_reads_why(view: AlarmsView, stage: Stage, qtbot: QtBot) -> None:
    with_note(view, stage)
    assert stage.console.shift.person is not None
    viewer = frozenset({Membership(None, Role.VIEWER)})
    stage.console.shift.person = replace(stage.console.shift.person, memberships=viewer)
    chosen(view)
    action = deeds(view, qtbot)["Remove the note"]
    assert (action.isEnabled(), action.toolTip()[:12]) == (False, "You may not ")
    view.notes.edit(view.table.chosen()[0])
    assert view.notice_bar.text().startswith("You may not comment on alarms here.")


def test_many_rows_have_no_note_in_common(view: AlarmsView, qtbot: QtBot) -> None:
    view.table.selectAll()
    assert not [title for title in deeds(view, qtbot) if "note that stays" in title]


def test_what_is_refused_is_told_and_kept(view: AlarmsView, stage: Stage) -> None:
    stage.acting.fault = Refused("Somebody else changed the note meanwhile. It says: pump is loud")
    chosen(view)
    dialog = press(view)
    line(dialog).setText(WORDS)
    dialog.send()
    assert "pump is loud" in dialog.notice_bar.text()
    assert line(dialog).text() == WORDS


def test_pictures_of_a_note(view: AlarmsView, stage: Stage, gallery: Path) -> None:
    with_note(view, stage)
    chosen(view)
    assert view.grab().save(str(gallery / "alarm-note.png"))
    dialog = press(view)
    assert dialog.grab().save(str(gallery / "alarm-note-dialog.png"))
