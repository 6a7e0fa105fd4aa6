"""The seat asks for a comment where one is demanded, and the dialog in which that is set."""

from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLineEdit
from pytestqt.qtbot import QtBot

from control_room.core.access import Membership, Role
from control_room.core.alarms import Priority
from control_room.core.comments import EVERYWHERE, CommentBook, CommentSetting
from control_room.ui.acknowledging import NO_WORDS
from control_room.ui.dialogs.comments import CommentsDialog
from control_room.ui.dialogs.form import FormDialog
from control_room.ui.views.alarms import AlarmsView
from db.alarm_journal import AlarmAnswer, acknowledge
from db.comments import read_comments, set_comments
from tests.ui.rooms import Stage

BOOK = CommentBook(
    {
        EVERYWHERE: CommentSetting(frozenset({Priority.HIGHEST}), ("Seen", "Crew informed")),
        1: CommentSetting(frozenset({Priority.HIGH}), ("Gate closed",)),
    }
)


@pytest.fixture
def view(stage: Stage, qtbot: QtBot) -> AlarmsView:
    stage.reading.answers = {**stage.reading.answers, read_comments: lambda: BOOK}
    made = AlarmsView(stage.console)
    qtbot.addWidget(made)
    made.resize(1400, 400)
    made.show()
    stage.fill()
    made.rules.refresh()
    stage.acting.asked.clear()
    return made


def dialog(view: AlarmsView) -> FormDialog:
    [found] = view.findChildren(FormDialog)
    return found


def select_all(view: AlarmsView) -> None:
    view.table.setFocus()
    view.table.selectAll()


def test_one_question_for_a_selection(view: AlarmsView, stage: Stage) -> None:
    select_all(view)
    wanted = [(row.rule.id, row.alarm.event_id) for row in view.table.board.rows if row.needs_acknowledgement]
    QTest.keyClick(view.table, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    assert stage.acting.asked == []
    asked = dialog(view)
    standard, words = asked.editors["standard"], asked.editors["words"]
    assert isinstance(standard, QComboBox)
    assert isinstance(words, QLineEdit)
    assert [standard.itemText(number) for number in range(standard.count())] == [
        "", "Gate closed", "Seen", "Crew informed",
    ]  # fmt: skip
    QTest.mouseClick(asked.send_button, Qt.MouseButton.LeftButton)
    assert NO_WORDS in asked.notice_bar.text()
    standard.setCurrentText("Crew informed")
    QTest.keyClicks(words, "at ten")
    QTest.keyClick(words, Qt.Key.Key_Return)
    [(job, said)] = stage.acting.asked
    assert (job, said["comment"], said["occurrences"]) == (acknowledge, "Crew informed: at ten", wanted)


def test_all_visible_are_asked_for_once(view: AlarmsView, stage: Stage) -> None:
    view.table.setFocus()
    QTest.keyClick(view.table, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert view.notice_bar.isHidden()
    asked = dialog(view)
    assert asked.send_button.text() == "Acknowledge 27"
    QTest.keyClick(asked, Qt.Key.Key_Escape)
    assert stage.acting.asked == []


def test_nobody_is_asked_who_typed_one_or_where_none_is_demanded(view: AlarmsView, stage: Stage) -> None:
    view.comment.setText("on my way")
    select_all(view)
    view.acknowledge_chosen()
    view.priority.setCurrentText("4 low")
    select_all(view)
    view.acknowledge_chosen()
    assert view.findChildren(FormDialog) == []
    assert [said["comment"] for _, said in stage.acting.asked] == ["on my way", ""]


def test_a_refusal_stays_in_the_dialog_with_what_was_typed(view: AlarmsView, stage: Stage) -> None:
    def refuse(occurrences: list[tuple[int, int]], comment: str) -> list[AlarmAnswer]:
        return [AlarmAnswer(rule, event, False, "A colleague was faster.") for rule, event in occurrences]

    stage.acting.answers = {acknowledge: refuse}
    select_all(view)
    view.acknowledge_chosen()
    asked = dialog(view)
    words = asked.editors["words"]
    assert isinstance(words, QLineEdit)
    words.setText("on my way")
    asked.send()
    assert "A colleague was faster." in asked.notice_bar.text()
    assert (asked.isVisible(), words.text()) == (True, "on my way")


def sign_in(stage: Stage, place: int | None, role: Role) -> None:
    assert stage.console.shift.person is not None
    stage.console.shift.person = replace(stage.console.shift.person, memberships=frozenset({Membership(place, role)}))


def comments(view: AlarmsView) -> CommentsDialog:
    QTest.keyClick(view.table, Qt.Key.Key_K, Qt.KeyboardModifier.AltModifier)
    [found] = view.findChildren(CommentsDialog)
    return found


def test_an_engineer_sets_what_is_demanded_at_home(view: AlarmsView, stage: Stage) -> None:
    done: list[dict[str, Any]] = []
    stage.acting.answers = {set_comments: lambda **asked: done.append(asked)}
    sign_in(stage, 1, Role.ENGINEER)
    shown = comments(view)
    assert shown.place.currentText() == "Northfield Water"
    assert shown.comments.toPlainText() == "Gate closed"
    shown.boxes[Priority.LOW].click()
    shown.comments.appendPlainText("\n  Valve turned  \n")
    QTest.mouseClick(shown.save_button, Qt.MouseButton.LeftButton)
    wanted = CommentSetting(frozenset({Priority.HIGH, Priority.LOW}), ("Gate closed", "Valve turned"))
    assert done == [{"municipality_id": 1, "setting": wanted, "reason": ""}]
    assert not shown.isVisible()


def test_who_may_only_read_is_told_why(view: AlarmsView, stage: Stage) -> None:
    sign_in(stage, 1, Role.ENGINEER)
    shown = comments(view)
    shown.place.setCurrentIndex(0)
    assert not shown.save_button.isEnabled()
    assert shown.save_button.toolTip().startswith("You may not set which comments are demanded here.")
    assert shown.comments.isReadOnly()
