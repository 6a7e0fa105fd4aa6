"""Planned work: what is asked, what is shown, who is reminded; suppressed alarms on the board and in their panel."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from control_room.core.access import Membership, Person, Role
from control_room.core.alarms import Hold, HoldKind
from control_room.core.errors import Refused
from control_room.core.ports import Configuration
from control_room.core.suppression import Suppression
from control_room.ui.dialogs.disabled import DisabledDialog
from control_room.ui.dialogs.form import FormDialog
from control_room.ui.dialogs.why import WhyDialog
from control_room.ui.views.alarms import AlarmsView
from control_room.ui.views.navigation import NavigationView
from control_room.ui.views.planned_work import PlannedWorkView
from control_room.ui.work_words import begin_of
from db.alarm_journal import AlarmAnswer, disable, enable
from db.planned_work import PlannedWork, WorkPlace, begin_work, end_work, extend_work, read_places, read_works
from tests.fakes import START
from tests.ui.rooms import Stage
from widgets.alarm_model import BY, STATE

PLACES = [
    WorkPlace(1, 10, None, "Pumping"),
    WorkPlace(1, 11, 10, "Pump 1"),
    WorkPlace(2, 20, None, "Pumping"),
    WorkPlace(2, 21, 20, "Pump 1"),
]
HOUR = timedelta(hours=1)
GOING = PlannedWork(5, 1, 11, "WO 17", "valve is exchanged", "m.okafor", "desk 1", START, START + HOUR, START)
LATER = replace(
    GOING, id=6, asset_id=10, person="eva", begin_time=START + HOUR, end_time=START + 3 * HOUR, begun_time=None
)


def sign_in(stage: Stage, *memberships: Membership) -> None:
    stage.console.shift.person = Person("m.okafor", "Miriam Okafor", frozenset(memberships))
    stage.console.shift.changed.emit()


@pytest.fixture
def works(stage: Stage) -> list[PlannedWork]:
    """Return what the database says is worked on; it may be changed."""
    found: list[PlannedWork] = []
    done: dict[Any, Callable[..., Any]] = {
        begin_work: lambda **_: "Begun: 3 alarms are held.",
        end_work: lambda **_: "Ended.",
        extend_work: lambda **_: "It has another end.",
    }
    stage.acting.answers = {**stage.acting.answers, **done}
    stage.reading.answers = {**stage.reading.answers, read_works: lambda: list(found), read_places: lambda: PLACES}
    return found


@pytest.fixture
def view(stage: Stage, works: list[PlannedWork], qtbot: QtBot) -> PlannedWorkView:
    stage.fill()
    sign_in(stage, Membership(None, Role.SUPERVISOR))
    made = PlannedWorkView(stage.console)
    qtbot.addWidget(made)
    made.resize(1400, 300)
    made.show()
    made.read()
    return made


def form(view: QWidget) -> FormDialog:
    [dialog] = [one for one in view.findChildren(FormDialog) if one.isVisible()]
    return dialog


def line(dialog: FormDialog, key: str) -> QLineEdit:
    editor = dialog.editors[key]
    assert isinstance(editor, QLineEdit)
    return editor


def choice(dialog: FormDialog, key: str) -> QComboBox:
    editor = dialog.editors[key]
    assert isinstance(editor, QComboBox)
    return editor


def press(button: QWidget) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def acted(stage: Stage) -> tuple[Any, dict[str, Any]]:
    return stage.acting.asked[-1]


def test_work_is_planned_for_a_place_and_a_time(view: PlannedWorkView, stage: Stage, works: list[PlannedWork]) -> None:
    press(view.plan_button)
    dialog = form(view)
    names = [choice(dialog, "place").itemText(n) for n in range(choice(dialog, "place").count())]
    assert "Northfield Water" in names
    assert "Northfield Water › Pumping › Pump 1" in names
    choice(dialog, "place").setCurrentText("Northfield Water › Pumping › Pump 1")
    choice(dialog, "time").setCurrentText("4 h")
    QTest.keyClicks(line(dialog, "work_order"), "WO 17")
    QTest.keyClicks(line(dialog, "words"), "valve")
    works.append(GOING)
    press(dialog.send_button)
    assert acted(stage) == (
        begin_work,
        {
            "place": PLACES[1],
            "begin_time": None,
            "minutes": 240,
            "work_order": "WO 17",
            "reason": "Maintenance: valve",
        },
    )
    assert view.notice_bar.text() == "Begun: 3 alarms are held."
    assert [one.id for one in view.table.rows] == [5]


def test_what_is_no_moment_is_said_in_the_form_and_what_was_typed_stays(view: PlannedWorkView, stage: Stage) -> None:
    press(view.plan_button)
    dialog = form(view)
    line(dialog, "begin").setText("tomorrow")
    QTest.keyClicks(line(dialog, "words"), "valve")
    press(dialog.send_button)
    assert "“tomorrow” is no moment" in dialog.notice_bar.text()
    assert line(dialog, "words").text() == "valve"
    assert stage.acting.asked == []


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("now", None),
        ("", None),
        ("23:59", START.astimezone().replace(hour=23, minute=59)),
        ("00:00", START.astimezone().replace(hour=0, minute=0) + timedelta(days=1)),
        ("2026-03-02 08:15", datetime(2026, 3, 2, 8, 15).astimezone()),
    ],
)
def test_a_clock_time_is_the_next_one(words: str, found: datetime | None) -> None:
    assert begin_of(words, START) == (found and found.astimezone(UTC))


def test_who_may_only_shelve_plans_work_on_assets(
    view: PlannedWorkView, stage: Stage, works: list[PlannedWork]
) -> None:
    sign_in(stage, Membership(1, Role.OPERATOR))
    press(view.plan_button)
    places = choice(form(view), "place")
    assert [places.itemText(n) for n in range(places.count())] == ["Northfield Water › Pumping › Pump 1"]
    form(view).reject()
    works += [GOING, LATER]
    view.read()
    view.table.selectRow(0)
    assert view.end_button.isEnabled()
    view.table.selectRow(1)
    assert not view.end_button.isEnabled()
    assert "You may not take alarms out of service" in view.end_button.toolTip()
    sign_in(stage, Membership(1, Role.VIEWER))
    assert not view.plan_button.isEnabled()
    assert "You may not shelve alarms here" in view.plan_button.toolTip()


def test_the_navigation_leads_to_the_smallest_place_that_has_all(
    view: PlannedWorkView, stage: Stage, qtbot: QtBot
) -> None:
    navigation = NavigationView(stage.console)
    qtbot.addWidget(navigation)
    tags = [one for one in stage.console.room.tags.values() if one.municipality_id == 1 and one.site == "Pumping"]
    of_pump = [one.id for one in tags if one.asset == "Pump 1"]

    def choose(tag_ids: list[int]) -> None:
        menu = navigation.menu(tag_ids, "words")
        qtbot.addWidget(menu)
        next(one for one in menu.actions() if one.text() == "Plan work here…").trigger()

    for wanted, place in (
        (of_pump, "Northfield Water › Pumping › Pump 1"),
        ([one.id for one in tags], "Northfield Water › Pumping"),
        ([one.id for one in stage.console.room.tags.values() if one.municipality_id == 1], "Northfield Water"),
    ):
        choose(wanted)
        assert choice(form(view), "place").currentText() == place
        form(view).reject()
    sign_in(stage, Membership(1, Role.OPERATOR))
    choose([one.id for one in tags])
    assert "You may not take alarms out of service here" in view.notice_bar.text()
    choose(of_pump)
    assert choice(form(view), "place").currentText() == "Northfield Water › Pumping › Pump 1"


def test_the_list_tells_what_is_left_and_how_many_alarms_are_held(
    view: PlannedWorkView, stage: Stage, works: list[PlannedWork]
) -> None:
    works += [GOING, LATER]
    hold = Hold(HoldKind.WORK, 5, START, START + HOUR, "valve is exchanged", "m.okafor", "WO 17")
    some = list(stage.console.room.alarms.values())[:3]
    stage.console.room.take_alarms([replace(one, holds=(hold,), is_acknowledged=True) for one in some], False)
    stage.clock.pass_s(1_800)
    view.read()
    texts = [[column.text(row) for column in view.table.board.columns] for row in view.table.rows]
    assert [(row[0], row[6], row[7]) for row in texts] == [
        ("Northfield Water › Pumping › Pump 1", "30 min left", "3"),
        ("Northfield Water › Pumping", "begins in 30 min", "0"),
    ]
    assert view.count.text() == "1 going on, 1 planned"


def test_another_end_and_the_end(view: PlannedWorkView, stage: Stage, works: list[PlannedWork]) -> None:
    works.append(GOING)
    view.read()
    assert view.end_button.toolTip() == "Choose a work first."
    view.table.selectRow(0)
    press(view.extend_button)
    choice(form(view), "time").setCurrentText("8 h")
    press(form(view).send_button)
    assert acted(stage) == (extend_work, {"work_id": 5, "minutes": 480, "reason": "Maintenance"})
    press(view.end_button)
    QTest.keyClicks(line(form(view), "words"), "done")
    works.clear()
    press(form(view).send_button)
    assert acted(stage) == (end_work, {"work_id": 5, "reason": "done"})
    assert list(view.table.rows) == []


def test_what_another_seat_ended_is_said_and_leaves_the_list(
    view: PlannedWorkView, stage: Stage, works: list[PlannedWork]
) -> None:
    works.append(GOING)
    view.read()
    view.table.selectRow(0)
    press(view.end_button)
    works.clear()
    stage.acting.fault = Refused("eva ended it already.")
    press(form(view).send_button)
    assert "eva ended it already." in form(view).notice_bar.text()
    assert list(view.table.rows) == []


def test_who_planned_it_is_reminded_once_before_each_end(
    view: PlannedWorkView, stage: Stage, works: list[PlannedWork]
) -> None:
    said: list[str] = []
    stage.console.jumps.notice_wanted.connect(said.append)
    works += [GOING, replace(GOING, id=7, person="eva"), LATER]
    stage.clock.pass_s(44 * 60)
    view.read()
    assert said == []
    stage.clock.pass_s(2 * 60)
    view.read()
    view.read()
    [words] = said
    assert words.startswith("Planned work on Northfield Water › Pumping › Pump 1 ends at ")
    assert "14 min left" in words
    # another end is another reminder
    works[0] = replace(GOING, end_time=GOING.end_time + timedelta(minutes=10))
    view.read()
    stage.clock.pass_s(10 * 60)
    view.read()
    assert len(said) == 2


# --- suppressed alarms


def with_cause(known: Configuration) -> Configuration:
    """Return the configuration with a suppression: the first rule is a cause of the next eight."""
    cause = Suppression(3, 1, "pump 1", "Pump 1 is stopped", 20.0, rule_id=1, consequences=frozenset(range(2, 10)))
    return replace(known, suppressions=(cause,))


@pytest.fixture
def board(stage: Stage, qtbot: QtBot) -> AlarmsView:
    made = AlarmsView(stage.console)
    qtbot.addWidget(made)
    made.resize(1400, 400)
    made.show()
    stage.fill(change=with_cause)
    return made


def suppress(stage: Stage, count: int = 2, until: datetime | None = None) -> None:
    hold = Hold(HoldKind.DESIGN, 3, START - HOUR, until, "Pump 1 is stopped")
    some = list(stage.console.room.alarms.values())[:count]
    stage.console.room.take_alarms([replace(one, holds=(hold,), is_acknowledged=True) for one in some], False)
    stage.console.alarms.flush()


def test_what_is_suppressed_is_one_click_away_with_its_cause(board: AlarmsView, stage: Stage) -> None:
    before = board.shelves.tabText(0)
    suppress(stage)
    assert board.shelves.tabText(2) == "Suppressed 2"
    assert board.shelves.tabText(0) != before
    QTest.mouseClick(board.shelves, Qt.MouseButton.LeftButton, pos=board.shelves.tabRect(2).center())
    row = board.table.board.rows[0]
    assert board.table.board.text(row, STATE) == "since 60 min"
    assert board.table.board.text(row, BY) == "Pump 1 is stopped"
    assert "as long as: Pump 1 is stopped" in board.table.board.explanation(row, STATE)
    assert not row.needs_acknowledgement
    suppress(stage, until=stage.clock.now + timedelta(seconds=17))
    assert board.table.board.text(board.table.board.rows[0], STATE) == "17 s left"
    board.text.setText("no such thing")
    assert board._empty_words() == "No alarm matches the filter"


def test_why_names_what_an_alarm_suppresses_and_what_suppresses_it(
    board: AlarmsView, stage: Stage, qtbot: QtBot
) -> None:
    suppress(stage)
    rows = stage.console.alarms.rows
    held = [row for row in rows.values() if row.alarm.holds]
    cause = replace(held[0], rule=stage.console.room.rules[1], alarm=replace(held[0].alarm, rule_id=1, holds=()))
    panel = WhyDialog(board, stage.console, cause)
    qtbot.addWidget(panel)
    assert "Suppressed by it now, as known consequences (2):" in panel.words.text()
    assert held[1].message in panel.words.text()
    consequence = WhyDialog(board, stage.console, held[0])
    qtbot.addWidget(consequence)
    assert "Nobody is told of it:\nsuppressed since" in consequence.words.text()
    stage.console.room.take_alarms([replace(row.alarm, holds=()) for row in held], False)
    stage.console.alarms.flush()
    quiet = WhyDialog(board, stage.console, cause)
    qtbot.addWidget(quiet)
    assert "While it stands, nobody is told of its known consequences (8):" in quiet.words.text()
    assert "and 2 more" in quiet.words.text()


# --- disabled alarms


def test_an_engineer_disables_with_a_reason_and_enables_again(
    board: AlarmsView, view: PlannedWorkView, stage: Stage, qtbot: QtBot
) -> None:
    sign_in(stage, Membership(None, Role.ENGINEER))

    def done(occurrences: list[tuple[int, int]], comment: str) -> list[AlarmAnswer]:
        return [AlarmAnswer(rule_id, event_id, True, "Done.") for rule_id, event_id in occurrences]

    stage.acting.answers = {**stage.acting.answers, disable: done, enable: done}
    board.table.selectRow(0)
    [row] = board.table.chosen()
    menu = board.menu([row])
    qtbot.addWidget(menu)
    next(one for one in menu.actions() if one.text() == "Disable…").trigger()
    press(form(board).send_button)
    occurrence = [(row.rule.id, row.alarm.event_id)]
    assert acted(stage) == (disable, {"occurrences": occurrence, "comment": "Maintenance"})
    known = stage.console.room.configuration
    rules = tuple(replace(one, is_disabled=one.id == row.rule.id) for one in known.rules)
    stage.console.room.use_configuration(replace(known, rules=rules), ())
    view.read()
    assert view.disabled_button.text() == "Disabled alarms 1…"
    press(view.disabled_button)
    [dialog] = view.findChildren(DisabledDialog)
    assert [rule.id for rule in dialog.table.rows] == [row.rule.id]
    assert dialog.enable_button.toolTip() == "Choose an alarm first."
    dialog.table.selectRow(0)
    press(dialog.enable_button)
    assert acted(stage) == (enable, {"occurrences": [(row.rule.id, 0)], "comment": ""})
    sign_in(stage, Membership(None, Role.OPERATOR))
    assert "You may not configure" in dialog.enable_button.toolTip()
