"""The alarm board: acknowledging, what the database answers, jumps."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLineEdit, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from control_room.core.alarm_load import AlarmLoad
from control_room.core.alarms import AlarmKind, AlarmRule, Happening, OutOfService, Priority, Shelving
from control_room.core.comments import EVERYWHERE
from control_room.core.errors import DatabaseUnavailable, OutcomeUnknown
from control_room.ui.alarm_words import rule_words
from control_room.ui.dialogs.form import FormDialog
from control_room.ui.dialogs.why import WhyDialog
from control_room.ui.operations import Work
from control_room.ui.views.alarms import AlarmsView
from db.alarm_journal import (
    AlarmAnswer,
    Note,
    Occurrence,
    acknowledge,
    comment,
    read_occurrences,
    shelve,
    unshelve,
)
from tests.ui.rooms import COMMENTS, Stage
from tests.widgets.alarm_rows import row as alarm_row
from widgets.alarm_model import BY, STATE, AlarmRow


@pytest.fixture
def view(stage: Stage, qtbot: QtBot) -> AlarmsView:
    made = AlarmsView(stage.console)
    qtbot.addWidget(made)
    made.resize(1400, 400)
    made.show()
    stage.fill()
    return made


def asked(stage: Stage) -> list[tuple[int, int]]:
    [(_, words)] = stage.acting.asked
    occurrences: list[tuple[int, int]] = words["occurrences"]
    return occurrences


def select(view: AlarmsView, *places: int) -> list[tuple[int, int]]:
    rows = [view.table.board.rows[place] for place in places]
    for row in rows:
        model = view.table.selectionModel()
        index = view.table.board.index(view.table.board.rows.index(row), 0)
        model.select(index, model.SelectionFlag.Select | model.SelectionFlag.Rows)
    return [(row.rule.id, row.alarm.event_id) for row in rows if row.needs_acknowledgement]


def test_the_board_holds_every_alarm_that_is_not_normal(view: AlarmsView, stage: Stage, qtbot: QtBot) -> None:
    assert {row.rule.id for row in view.table.board.rows} == set(stage.console.room.alarms)
    order = [row.rule.priority for row in view.table.board.rows]
    assert order == sorted(order)
    assert set(order) == set(Priority)
    qtbot.waitUntil(lambda: bool(stage.console.live_tags._wanted.get("alarms")))
    assert stage.console.live_tags._wanted["alarms"] == {row.tag.id for row in view.table.seen(30)}


def test_ctrl_k_acknowledges_the_occurrences_that_are_selected(view: AlarmsView, stage: Stage, qtbot: QtBot) -> None:
    wanted = select(view, 0, 1, 2, 3)
    view.comment.setText("  seen  ")
    QTest.keyClick(view.table, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    assert asked(stage) == wanted
    [(job, words)] = stage.acting.asked
    assert (job, words["comment"]) == (acknowledge, "seen")
    assert view.comment.text() == ""
    assert view.notice_bar.text() == ""


def test_the_button_waits_for_something_to_acknowledge(view: AlarmsView, stage: Stage, qtbot: QtBot) -> None:
    assert not view.acknowledge_button.isEnabled()
    place = next(number for number, row in enumerate(view.table.board.rows) if row.needs_acknowledgement)
    [wanted] = select(view, place)
    QTest.mouseClick(view.acknowledge_button, Qt.MouseButton.LeftButton)
    assert asked(stage) == [wanted]


def test_all_visible_are_acknowledged_after_one_question(view: AlarmsView, stage: Stage, qtbot: QtBot) -> None:
    view.area.setCurrentText("Northfield Water")
    view.state.setCurrentText("unacknowledged")
    shown = [(row.rule.id, row.alarm.event_id) for row in view.table.board.rows]
    assert 0 < len(shown) < 30
    QTest.mouseClick(view.all_button, Qt.MouseButton.LeftButton)
    assert stage.acting.asked == []
    assert view.notice_bar.text() == f"Acknowledge all {len(shown)} visible alarms?"
    # what is raised while the question stands is not meant by its answer
    late = replace(next(iter(stage.console.room.alarms.values())), event_id=99, is_active=True, is_acknowledged=False)
    stage.console.room.take_alarms([late], False)
    stage.console.alarms.flush()
    QTest.mouseClick(view.notice_bar.confirm_button, Qt.MouseButton.LeftButton)
    assert asked(stage) == shown


def test_a_question_that_is_cancelled_does_nothing(view: AlarmsView, stage: Stage, qtbot: QtBot) -> None:
    view.ask_all()
    QTest.mouseClick(view.notice_bar.dismiss_button, Qt.MouseButton.LeftButton)
    assert (stage.acting.asked, view.notice_bar.text()) == ([], "")


def test_a_second_press_before_the_answer_asks_nothing(view: AlarmsView, stage: Stage) -> None:
    started: list[Work] = []
    stage.console.operations._start = started.append
    select(view, 0, 1, 2)
    for _ in range(2):
        QTest.keyClick(view.table, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    assert len(started) == 1
    started[0].close()


def test_every_refusal_is_told_with_its_alarm(view: AlarmsView, stage: Stage) -> None:
    def refuse(occurrences: list[tuple[int, int]], comment: str) -> list[AlarmAnswer]:
        words = "The alarm has been raised again since. Look at the new occurrence first."
        return [AlarmAnswer(rule, event, number != 0, words) for number, (rule, event) in enumerate(occurrences)]

    stage.acting.answers = {acknowledge: refuse}
    wanted = select(view, 0, 1, 2, 3, 4, 5)
    view.acknowledge_chosen()
    message = stage.console.alarms.rows[wanted[0][0]].message
    assert view.notice_bar.text().startswith(
        f"{len(wanted) - 1} acknowledged, 1 not.\n{message}: The alarm has been raised"
    )


def test_when_the_database_is_away_nothing_typed_is_lost(view: AlarmsView, stage: Stage) -> None:
    stage.acting.fault = DatabaseUnavailable("The database does not answer.", advice="Wait, it is tried again.")
    select(view, 0, 1, 2)
    view.comment.setText("on my way")
    view.acknowledge_chosen()
    assert view.notice_bar.text() == "Nothing was acknowledged: The database does not answer. Wait, it is tried again."
    assert view.comment.text() == "on my way"
    assert view.acknowledge_button.isEnabled()
    assert len(view.table.chosen()) == 3


def test_filters_say_how_much_they_hide(view: AlarmsView) -> None:
    view.text.setText("no such alarm")
    assert view.table.empty_words == "No alarm matches the filter"
    assert view.counts.text() == "0 of 40 shown, 0 to ack."
    view.text.clear()
    assert view.counts.text() == "40 shown, 27 to ack."


def test_an_empty_board_says_no_alarms_only_when_it_knows(view: AlarmsView, stage: Stage) -> None:
    stage.console.room.take_alarms([], True)
    stage.console.alarms.flush()
    assert view.table.empty_words == "No alarms"
    stage.console.room.take_connected(False, "The database does not answer.")
    assert view.table.empty_words == "No alarms known: The database does not answer."


def test_a_jump_to_an_alarm_that_the_filter_hides_clears_the_filter(view: AlarmsView, stage: Stage) -> None:
    rule_id = view.table.board.rows[5].rule.id
    view.text.setText("no such alarm")
    stage.console.jumps.alarm_wanted.emit(rule_id)
    assert view.text.text() == ""
    assert [row.rule.id for row in view.table.chosen()] == [rule_id]


def test_the_menu_leads_to_trend_map_and_tree(view: AlarmsView, stage: Stage, qtbot: QtBot) -> None:
    select(view, 0)
    tag_id = view.table.chosen()[0].tag.id
    jumps = stage.console.jumps
    menu = view.menu(view.table.chosen())
    qtbot.addWidget(menu)
    actions = {action.text(): action for action in menu.actions()}
    for text, signal, told in (
        ("Open trend", jumps.trend_wanted, [[tag_id]]),
        ("Show on map", jumps.map_wanted, [tag_id]),
        ("Show in navigation", jumps.tree_wanted, [tag_id]),
    ):
        with qtbot.waitSignal(signal) as jumped:
            actions[text].trigger()
        assert jumped.args == told


def test_keys_mean_nothing_while_the_board_is_not_in_front(view: AlarmsView, stage: Stage, qtbot: QtBot) -> None:
    select(view, 0, 1)
    window, other = QWidget(), QLineEdit()
    qtbot.addWidget(window)
    column = QVBoxLayout(window)
    for widget in (view, other):
        column.addWidget(widget)
    window.show()
    other.setFocus()
    QTest.keyClick(other, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    view.setParent(None)
    assert stage.acting.asked == []


def test_a_question_is_answered_by_enter_and_the_focus_goes_back(view: AlarmsView, stage: Stage) -> None:
    view.table.setFocus()
    QTest.keyClick(view.table, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert view.notice_bar.confirm_button.hasFocus()
    QTest.keyClick(view.notice_bar.confirm_button, Qt.Key.Key_Return)
    assert len(asked(stage)) == 27
    assert view.table.hasFocus()


def test_a_comment_of_what_was_refused_stays(view: AlarmsView, stage: Stage) -> None:
    def refuse(occurrences: list[tuple[int, int]], comment: str) -> list[AlarmAnswer]:
        return [AlarmAnswer(rule, event, False, "A colleague was faster.") for rule, event in occurrences]

    stage.acting.answers = {acknowledge: refuse}
    select(view, 0, 1)
    view.comment.setText("on my way")
    view.acknowledge_chosen()
    assert view.comment.text() == "on my way"


def test_the_alarms_of_some_tags_are_shown_until_the_person_has_seen_enough(view: AlarmsView, stage: Stage) -> None:
    tag = view.table.board.rows[0].tag
    view.text.setText("something else")
    stage.console.jumps.alarms_wanted.emit([tag.id], tag.asset)
    assert {row.tag.id for row in view.table.board.rows} == {tag.id}
    assert view.only_button.text() == f"{tag.asset}  ✕"
    QTest.mouseClick(view.only_button, Qt.MouseButton.LeftButton)
    assert len(view.table.board.rows) == 40
    assert view.only_button.isHidden()


def test_no_alarms_is_not_said_before_they_were_read(view: AlarmsView, stage: Stage) -> None:
    room = stage.console.room
    room.take_alarms([], True)
    room.take_connected(False, "The database does not answer.")
    room.take_connected(True, "")
    stage.console.alarms.flush()
    assert (room.knows_alarms, view.table.empty_words) == (False, "The alarms are being read")
    room.take_alarms([], True)
    assert (room.knows_alarms, view.table.empty_words) == (True, "No alarms")


# --- what is set aside


def set_aside(stage: Stage, *rows: AlarmRow) -> None:
    """Let the database say that the first is shelved and the others are out of service."""
    now = stage.console.room.now()
    shelving = Shelving(now, now + timedelta(minutes=23), "ada", "Test: pump 3")
    service = OutOfService(now, "eva", "Maintenance", "WO 17")
    first, *others = (row.alarm for row in rows)
    stage.console.room.take_alarms(
        [
            replace(first, shelving=shelving, is_acknowledged=True),
            *(replace(one, out_of_service=service, is_acknowledged=True) for one in others),
        ],
        is_whole=False,
    )
    stage.console.alarms.flush()


def deeds(view: AlarmsView, qtbot: QtBot) -> dict[str, QAction]:
    menu = view.menu(view.table.chosen())
    qtbot.addWidget(menu)
    return {action.text(): action for action in menu.actions()}


def test_what_is_set_aside_leaves_the_board_and_is_one_click_away(view: AlarmsView, stage: Stage) -> None:
    rows = list(view.table.board.rows[:3])
    count = len(view.table.board.rows)
    set_aside(stage, *rows)
    assert len(view.table.board.rows) == count - 3
    assert [view.shelves.tabText(number) for number in range(4)] == [
        f"Alarms {count - 3}",
        "Shelved 1",
        "Suppressed 0",
        "Out of service 2",
    ]
    view.shelves.setCurrentIndex(1)
    [shelved] = view.table.board.rows
    assert shelved.rule.id == rows[0].rule.id
    assert view.table.board.text(shelved, STATE) == "23 min left"
    assert view.table.board.text(shelved, BY) == "ada: Test: pump 3"
    assert "shelved until" in view.table.board.explanation(shelved, STATE)
    view.shelves.setCurrentIndex(3)
    assert {row.rule.id for row in view.table.board.rows} == {row.rule.id for row in rows[1:]}
    assert "work order WO 17" in view.table.board.explanation(view.table.board.rows[0], STATE)


def test_what_is_set_aside_presses_nobody(view: AlarmsView, stage: Stage) -> None:
    rows = list(view.table.board.rows)
    set_aside(stage, *rows)
    assert all(row.alarm.is_suppressed for row in stage.console.alarms.rows.values())
    assert stage.console.alarms.marks == {}
    assert view.table.board.rows == []
    assert "No alarms" in view._empty_words()
    view.show_alarm(rows[0].rule.id)
    assert [row.rule.id for row in view.table.chosen()] == [rows[0].rule.id]


def test_shelving_asks_for_time_and_reason(view: AlarmsView, stage: Stage, qtbot: QtBot) -> None:
    done: list[dict[str, Any]] = []

    def answer(**asked: Any) -> list[AlarmAnswer]:
        done.append(asked)
        return [AlarmAnswer(rule, event, True, "Done.") for rule, event in asked["occurrences"]]

    stage.acting.answers = {shelve: answer}
    select(view, 0, 1)
    wanted = [(row.rule.id, row.alarm.event_id) for row in view.table.chosen()]
    deeds(view, qtbot)["Shelve…"].trigger()
    [dialog] = view.findChildren(FormDialog)
    for key, words in (("time", "2 h"), ("reason", "Other")):
        editor = dialog.editors[key]
        assert isinstance(editor, QComboBox)
        editor.setCurrentText(words)
    dialog.send()
    assert "Another reason needs words" in dialog.notice_bar.text()
    words_line = dialog.editors["words"]
    assert isinstance(words_line, QLineEdit)
    words_line.setText("ice on the weir")
    dialog.send()
    assert done == [{"occurrences": wanted, "minutes": 120, "is_one_shot": False, "comment": "Other: ice on the weir"}]
    assert not dialog.isVisible()


def test_a_refused_shelving_stays_in_its_dialog(view: AlarmsView, stage: Stage, qtbot: QtBot) -> None:
    words = "This alarm may be shelved for at most 10 min."

    def refuse(**asked: Any) -> list[AlarmAnswer]:
        return [AlarmAnswer(rule, event, False, words) for rule, event in asked["occurrences"]]

    stage.acting.answers = {shelve: refuse}
    select(view, 0)
    deeds(view, qtbot)["Shelve…"].trigger()
    [dialog] = view.findChildren(FormDialog)
    dialog.send()
    assert words in dialog.notice_bar.text()
    assert dialog.isVisible()
    dialog.reject()


def test_the_menu_offers_what_the_alarm_and_the_person_allow(view: AlarmsView, stage: Stage, qtbot: QtBot) -> None:
    select(view, 0)
    offered = deeds(view, qtbot)
    assert {"Shelve…", "Take out of service…"} <= offered.keys()
    assert not {"Reset", "Take back from the shelf", "Return to service"} & offered.keys()
    assert offered["Shelve…"].isEnabled()
    # this person is operator
    assert not offered["Take out of service…"].isEnabled()
    assert "It needs the role supervisor or engineer" in offered["Take out of service…"].toolTip()
    row = view.table.chosen()[0]
    latched = replace(row.alarm, is_active=False, is_acknowledged=True, is_latched=True)
    stage.console.room.take_alarms([latched], is_whole=False)
    stage.console.alarms.flush()
    view.table.choose(row.rule.id)
    assert "Reset" in deeds(view, qtbot)


def test_what_is_shelved_is_taken_back_with_the_comment(view: AlarmsView, stage: Stage, qtbot: QtBot) -> None:
    done: list[dict[str, Any]] = []

    def answer(**asked: Any) -> list[AlarmAnswer]:
        done.append(asked)
        return []

    stage.acting.answers = {unshelve: answer}
    row = view.table.board.rows[0]
    set_aside(stage, row)
    view.show_alarm(row.rule.id)
    view.comment.setText("pump is back")
    deeds(view, qtbot)["Take back from the shelf"].trigger()
    assert done == [{"occurrences": [(row.rule.id, row.alarm.event_id)], "comment": "pump is back"}]


def test_no_more_are_shelved_at_once_than_a_person_can_answer_for(view: AlarmsView, stage: Stage, qtbot: QtBot) -> None:
    rows = [view.table.board.rows[0]] * 21
    menu = view.menu(rows)
    qtbot.addWidget(menu)
    [action] = [one for one in menu.actions() if one.text() == "Shelve…"]
    assert not action.isEnabled()
    assert "At most 20" in action.toolTip()


# --- the load meter


def test_the_load_is_asked_for_and_a_flood_is_said(view: AlarmsView, stage: Stage) -> None:
    assert view.load.text() == "– in 10 min"
    view._load_timer.timeout.emit()
    assert view.load.text() == "4 in 10 min"
    view.show_load(AlarmLoad(37, stage.console.room.now(), 52))
    assert view.load.text().startswith("Flood since")
    assert view.load.text().endswith(": 37 in 10 min")
    assert view.load.font().bold()
    view.show_load(AlarmLoad(3))
    assert not view.load.font().bold()


def test_a_load_that_nobody_knows_is_not_shown_as_calm(view: AlarmsView, stage: Stage) -> None:
    view.show_load(AlarmLoad(0))
    stage.reading.fault = DatabaseUnavailable("The database does not answer.")
    view._load_timer.timeout.emit()
    assert view.load.text() == "– in 10 min"


# --- why


def test_why_tells_rule_neighbours_and_past(view: AlarmsView, stage: Stage, qtbot: QtBot) -> None:
    row = view.table.board.rows[0]
    came = row.alarm.raised_time
    assert came is not None
    near = [one for one in view.table.board.rows[1:] if one.tag.municipality_id == row.tag.municipality_id][:2]
    stage.console.room.take_alarms(
        [replace(one.alarm, raised_time=came - timedelta(seconds=20 * n)) for n, one in enumerate(near, 1)],
        is_whole=False,
    )
    stage.console.alarms.flush()
    asked_for: list[tuple[int, int]] = []

    def past(rule_id: int, count: int) -> list[Occurrence]:
        asked_for.append((rule_id, count))
        notes = (
            Note(came, "ada", Happening.ACKNOWLEDGED, ""),
            Note(came, "eva", Happening.COMMENTED, "ice on the weir"),
        )
        return [
            Occurrence(2, came, None, 4.0, 5.0, notes),
            Occurrence(1, came - timedelta(hours=3), came - timedelta(hours=2), 4.5, 5.0, ()),
        ]

    stage.reading.answers = {**stage.reading.answers, read_occurrences: past}
    view.table.choose(row.rule.id)
    QTest.keyClick(view.table, Qt.Key.Key_F2)
    [dialog] = view.findChildren(WhyDialog)
    words = dialog.words.text()
    assert row.message in words
    assert "Comes at" in words
    lines = words.splitlines()
    order = [number for number, line in enumerate(lines) if any(one.message in line for one in near)]
    assert max(order) < next(number for number, line in enumerate(lines) if "this one" in line)
    assert asked_for == [(row.rule.id, 5)]
    board = dialog.table.board
    texts = [[column.text(one) for column in board.columns] for one in board.rows]
    assert [one[1] for one in texts] == ["goes on", "60 min"]
    assert [one[4] for one in texts] == ["2 by ada, eva", "nothing"]
    assert "ada acknowledged it" in dialog.notes.text()
    assert "eva wrote: ice on the weir" in dialog.notes.text()
    dialog.table.selectRow(1)
    assert dialog.notes.text() == ""
    dialog.close()


def test_why_says_when_the_past_cannot_be_read(view: AlarmsView, stage: Stage, qtbot: QtBot) -> None:
    stage.reading.fault = DatabaseUnavailable("The database does not answer.", advice="Wait.")
    view.table.choose(view.table.board.rows[0].rule.id)
    view.show_why()
    [dialog] = view.findChildren(WhyDialog)
    assert "The database does not answer" in dialog.notice_bar.text()
    dialog.close()


def test_a_note_needs_words_and_names_the_occurrence(view: AlarmsView, stage: Stage, qtbot: QtBot) -> None:
    done: list[dict[str, Any]] = []

    def answer(**asked: Any) -> list[AlarmAnswer]:
        done.append(asked)
        return [AlarmAnswer(rule, event, True, "Commented.") for rule, event in asked["occurrences"]]

    stage.acting.answers = {comment: answer}
    select(view, 0)
    row = view.table.chosen()[0]
    deeds(view, qtbot)["Write a note…"].trigger()
    [dialog] = view.findChildren(FormDialog)
    dialog.send()
    assert not done
    line = dialog.editors["words"]
    assert isinstance(line, QLineEdit)
    line.setText("ice on the weir")
    dialog.send()
    assert done == [{"occurrences": [(row.rule.id, row.alarm.event_id)], "comment": "ice on the weir"}]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (
            AlarmRule(1, 1, AlarmKind.H, Priority.LOW, 5.0, 0.5, 3.0),
            "Comes at 5.00 m or more; returns 0.50 m inside; after 3 s.",
        ),
        (
            AlarmRule(1, 1, AlarmKind.LL, Priority.LOW, 1.0, off_delay_s=2.0),
            "Comes at 1.00 m or less; returns after 2 s.",
        ),
        (AlarmRule(1, 1, AlarmKind.BAD, Priority.LOW), "Comes when the device says that its value must not be used."),
        (AlarmRule(1, 1, AlarmKind.STALE, Priority.LOW, 60.0), "Comes when nothing was heard for 60 s."),
        (
            AlarmRule(1, 1, AlarmKind.DEVIATION, Priority.LOW, 2.0, other_tag_id=2),
            "Comes when it is 2.00 m or more away from Tank 2 level.",
        ),
        (
            AlarmRule(1, 1, AlarmKind.DISCREPANCY, Priority.LOW, other_tag_id=9),
            "Comes when it differs from another tag.",
        ),
        (
            AlarmRule(1, 1, AlarmKind.RATE, Priority.LOW, 0.5, is_latching=True),
            "Comes when it changes by 0.50 m a minute or more, over 60 s; stays until it is reset.",
        ),
    ],
)
def test_a_rule_in_words(rule: AlarmRule, words: str) -> None:
    tags = {number: alarm_row(number).tag for number in (1, 2)}
    assert rule_words(rule, tags[1], tags) == words


def test_standard_comments_are_offered_by_any_of_their_words(view: AlarmsView) -> None:
    view.rules.refresh()
    completer = view.comment.completer()
    assert completer is not None
    completer.setCompletionPrefix("INFORMED")
    assert [completer.currentCompletion(), completer.completionCount()] == ["Crew informed", 1]
    completer.setCompletionPrefix("")
    assert completer.completionCount() == len(COMMENTS.settings[EVERYWHERE].comments)


def test_what_may_be_done_is_not_told_as_not_done(view: AlarmsView, stage: Stage) -> None:
    stage.acting.fault = OutcomeUnknown("The connection broke as the change was being stored.", advice="Look.")
    select(view, 0, 1, 2)
    view.acknowledge_chosen()
    assert view.notice_bar.text().startswith("Perhaps done")
    assert "Nothing was acknowledged" not in view.notice_bar.text()
