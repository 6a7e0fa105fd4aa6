"""First-out and nuisances on the board and in its panel, by clicks and keys."""

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from control_room.core.alarms import AlarmKind, AlarmRule, Priority
from control_room.core.chatter import Nuisance
from control_room.core.errors import DatabaseUnavailable
from control_room.core.expressions import parse_condition
from control_room.ui.alarm_words import rule_words
from control_room.ui.dialogs.why import WhyDialog
from control_room.ui.views.alarms import AlarmsView
from db.alarm_journal import read_load, read_nuisances
from tests.ui.gallery import FOLDER, PALETTES, SIZES
from tests.ui.rooms import Stage
from tests.widgets.alarm_rows import row as alarm_row
from widgets.alarm_table import MESSAGE, AlarmRow
from widgets.palette import DARK, Palette


@pytest.fixture
def view(stage: Stage, qtbot: QtBot) -> AlarmsView:
    made = AlarmsView(stage.console)
    qtbot.addWidget(made)
    made.resize(1400, 400)
    made.show()
    stage.fill()
    return made


def message(view: AlarmsView, rule_id: int) -> str:
    place = view.table.board.place_of(rule_id)
    assert place is not None
    words: str = view.table.board.index(place, MESSAGE).data()
    return words


def in_group(stage: Stage, rows: list[AlarmRow], first: AlarmRow) -> None:
    """Put the rows into one group, of which `first` came first."""
    room = stage.console.room
    ids = {row.rule.id for row in rows}
    grouped = {one: replace(room.rules[one], first_out_group="pump 1 trip") for one in ids}
    room.rules = {**room.rules, **grouped}
    room.take_alarms([replace(first.alarm, first_out_time=first.alarm.raised_time)], is_whole=False)
    stage.console.alarms._configured()


def neighbours(view: AlarmsView) -> list[AlarmRow]:
    rows = view.table.board.rows
    return [row for row in rows if row.tag.municipality_id == rows[0].tag.municipality_id][:3]


def test_the_first_of_a_group_is_marked_and_the_others_name_it(view: AlarmsView, stage: Stage) -> None:
    first, second, third = neighbours(view)
    in_group(stage, [first, second, third], second)
    assert message(view, second.rule.id) == f"First-out: {second.message}"
    assert message(view, first.rule.id) == first.message
    view.table.choose(first.rule.id)
    QTest.keyClick(view.table, Qt.Key.Key_F2)
    [dialog] = view.findChildren(WhyDialog)
    assert "Subsequent: in the group “pump 1 trip” came first at" in dialog.words.text()
    assert second.message in dialog.words.text()
    dialog.close()
    # whoever looks for it types it
    QTest.keyClicks(view.text, "first-out")
    assert [row.rule.id for row in view.table.board.rows] == [second.rule.id]


def test_the_first_says_so_itself_and_a_group_without_its_first_says_that(view: AlarmsView, stage: Stage) -> None:
    first, second, _ = neighbours(view)
    in_group(stage, [first, second], first)
    view.table.choose(first.rule.id)
    QTest.keyClick(view.table, Qt.Key.Key_F2)
    [dialog] = view.findChildren(WhyDialog)
    assert "First-out: it came first in the group" in dialog.words.text()
    dialog.close()
    stage.console.room.take_alarms([replace(first.alarm, first_out_time=None)], is_whole=False)
    stage.console.alarms.flush()
    view.table.choose(second.rule.id)
    QTest.keyClick(view.table, Qt.Key.Key_F2)
    last = view.findChildren(WhyDialog)[-1]
    assert "whose first has returned to normal or is set aside" in last.words.text()
    last.close()


def test_what_chatters_is_called_so_until_it_does_no_more(view: AlarmsView, stage: Stage) -> None:
    first, second, _ = neighbours(view)
    found = {first.rule.id: Nuisance.CHATTERING, second.rule.id: Nuisance.FLEETING, 999_999: Nuisance.FLEETING}
    answers = dict(stage.reading.answers)
    stage.reading.answers = {**answers, read_nuisances: lambda: found}
    view.table.choose(second.rule.id)
    view._load_timer.timeout.emit()
    assert message(view, first.rule.id) == f"Chattering: {first.message}"
    assert message(view, second.rule.id) == f"Fleeting: {second.message}"
    assert [row.rule.id for row in view.table.chosen()] == [second.rule.id]
    in_group(stage, [first, second], first)
    assert message(view, first.rule.id) == f"First-out, chattering: {first.message}"
    # nobody knows: what was said stays
    stage.reading.fault = DatabaseUnavailable("The database does not answer.")
    view._load_timer.timeout.emit()
    assert message(view, second.rule.id) == f"Fleeting: {second.message}"
    stage.reading.fault = None
    stage.reading.answers = {**answers, read_nuisances: dict}
    view._load_timer.timeout.emit()
    assert message(view, second.rule.id) == second.message
    assert (read_load, {}) in stage.reading.asked


def test_an_expression_in_words() -> None:
    tag = alarm_row(1).tag
    rule = AlarmRule(1, 1, AlarmKind.EXPRESSION, Priority.LOW, on_delay_s=5.0, expression=parse_condition("a > 5 * b"))
    assert rule_words(rule, tag, {}) == "Comes when this is true: a > 5 * b; after 5 s."
    unknown = replace(rule, expression=None)
    assert "This program does not know what it is judged by" in rule_words(unknown, tag, {})


@pytest.mark.skipif(FOLDER is None, reason="pictures are made when CONTROL_ROOM_PICTURES names a folder")
@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("size", SIZES)
def test_picture(view: AlarmsView, stage: Stage, palette: Palette, size: tuple[int, int]) -> None:
    view.resize(*size)
    first, second, third = neighbours(view)
    in_group(stage, [first, second, third], second)
    stage.console.alarms.name_nuisances({first.rule.id: Nuisance.CHATTERING, second.rule.id: Nuisance.CHATTERING})
    name = f"{size[0]}-{'night' if palette is DARK else 'day'}"
    stage.console.theme.use(palette)
    view.grab().save(str(Path(str(FOLDER)) / f"alarm-marks-{name}.png"))
    view.table.choose(first.rule.id)
    view.show_why()
    [dialog] = view.findChildren(WhyDialog)
    dialog.grab().save(str(Path(str(FOLDER)) / f"alarm-why-{name}.png"))
    dialog.close()
