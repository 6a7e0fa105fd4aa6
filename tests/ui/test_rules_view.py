"""The view Alarm rules and a rule's dialog: search, edit with real keys, what is inherited, what others changed; pictures."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit, QPlainTextEdit
from pytestqt.qtbot import QtBot

from control_room.core.access import Action, Membership, Person, Role, refusal
from control_room.core.alarms import AlarmKind, AlarmRule, Priority
from control_room.core.errors import Refused
from control_room.core.expressions import parse_condition
from control_room.core.ports import Configuration
from control_room.core.rationalisation import Level, Record, RecordBook, Severity
from control_room.ui.dialogs.rule import RuleDialog
from control_room.ui.dialogs.why import WhyDialog
from control_room.ui.main_window import MainWindow
from control_room.ui.views.alarms import AlarmsView
from control_room.ui.views.rules import RulesView
from db.rationalisation import Change, RuleChange, change_rules, read_records, read_rule_changes
from tests.fakes import START
from tests.ui.gallery import PALETTES, SIZES
from tests.ui.rooms import Stage
from widgets.palette import Palette

EMIL = Person("emil", "Emil Novak", frozenset({Membership(None, Role.ENGINEER)}))
LEFT = Qt.MouseButton.LeftButton


class Rules:
    """The database's functions about rules, in memory."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.book = RecordBook(
            records={
                (Level.MUNICIPALITY, 1): Record(owner="Operations", alarm_class="supply", severity=Severity.MAJOR),
                (Level.ASSET, 7): Record(consequence="Zones A and B lose pressure", respond_min=20.0),
            },
            assets={1: 8},
            parents={7: None, 8: 7},
            names={7: "Storage", 8: "Tank 1"},
        )
        self.changes: list[RuleChange] = []
        self.done: list[tuple[list[Change], str]] = []
        self.refusal: Refused | None = None
        answers: Any = stage.reading.answers
        answers |= {read_records: lambda: self.book, read_rule_changes: lambda rule_id, count: self.changes}
        acting: Any = stage.acting.answers
        acting[change_rules] = self.change

    def change(self, changes: list[Change], reason: str) -> str:
        self.done.append((changes, reason))
        return "Changed."


@pytest.fixture
def rules(stage: Stage) -> Rules:
    stage.fill()
    stage.console.shift.person = EMIL
    return Rules(stage)


@pytest.fixture
def view(stage: Stage, rules: Rules, qtbot: QtBot) -> RulesView:
    made = RulesView(stage.console)
    qtbot.addWidget(made)
    made.resize(1400, 420)
    made.show()
    qtbot.waitUntil(lambda: not made._turn.isActive())
    return made


@pytest.fixture
def dialog(view: RulesView) -> RuleDialog:
    """Return the dialog of the alarm L of the first tank, opened by a person."""
    row = next(n for n, one in enumerate(view.table.rows) if one.rule.kind is AlarmKind.L and one.tag.id == 1)
    view.table.selectRow(row)
    QTest.mouseClick(view.open_button, LEFT)
    assert view.dialog is not None
    return view.dialog


def search(view: RulesView, words: str, qtbot: QtBot) -> None:
    view.search.clear()
    QTest.keyClicks(view.search, words)
    qtbot.waitUntil(lambda: not view._soon.isActive())


def type_into(editor: Any, words: str) -> None:
    if isinstance(editor, QComboBox):
        editor.setCurrentText(words)
        return
    editor.setFocus()
    editor.selectAll()
    QTest.keyClick(editor, Qt.Key.Key_Backspace)
    QTest.keyClicks(editor, words)


def setting(dialog: RuleDialog, name: str) -> QLineEdit:
    editor = dialog.settings_page.editors[name]
    assert isinstance(editor, QLineEdit)
    return editor


# --- the view


def test_every_rule_is_in_the_table_and_a_search_finds_it(view: RulesView, stage: Stage, qtbot: QtBot) -> None:
    every = len(stage.console.room.rules)
    assert (len(view.table.rows), view.count.text()) == (every, f"{every:,} rules")
    search(view, "tank 1 level LOW northfield", qtbot)
    assert [one.rule.message for one in view.table.rows] == ["Tank 1 level low"]
    assert view.count.text() == f"1 of {every:,} rules"
    search(view, "no such words", qtbot)
    assert (view.table.rows, view.table.empty_words) == ([], "No rule has these words.")


def test_a_hundred_thousand_rules_are_searched(view: RulesView, stage: Stage, qtbot: QtBot) -> None:
    known = stage.console.room.configuration
    many = [replace(known.rules[n % 500], id=n + 1, message=f"Rule number {n}") for n in range(100_000)]
    stage.console.room.use_configuration(
        Configuration(known.municipalities, known.connections, known.tags, tuple(many)), ()
    )
    qtbot.waitUntil(lambda: view.count.text() == "100,000 rules")
    search(view, "number 99999", qtbot)
    assert [one.rule.message for one in view.table.rows] == ["Rule number 99999"]


def test_enter_opens_and_a_reader_only_reads(view: RulesView, stage: Stage) -> None:
    stage.console.shift.person = replace(EMIL, memberships=frozenset({Membership(None, Role.OPERATOR)}))
    stage.console.shift.changed.emit()
    view.table.selectRow(0)
    assert view.open_button.text() == "Show…"
    QTest.keyClick(view.table, Qt.Key.Key_Return)
    assert view.dialog is not None
    QTest.keyClicks(setting(view.dialog, "limit"), "9")
    assert not view.dialog.save_button.isEnabled()
    assert view.dialog.save_button.toolTip() == refusal(Action.CONFIGURE)
    assert setting(view.dialog, "limit").text() == "7.2"


# --- the dialog


def test_a_limit_is_changed_with_a_reason(dialog: RuleDialog, rules: Rules) -> None:
    assert dialog.save_button.toolTip() == "Nothing is changed yet."
    type_into(setting(dialog, "limit"), "1.5")
    assert (dialog.save_button.isEnabled(), dialog.save_button.toolTip()) == (False, "Write a reason first.")
    QTest.keyClicks(dialog.reason, "agreed with the shift")
    QTest.mouseClick(dialog.save_button, LEFT)
    [(changes, reason)] = rules.done
    [change] = changes
    assert (change.level, reason) == (Level.RULE, "agreed with the shift")
    assert change.settings["limit"] == (pytest.approx(1.2), 1.5)
    # what is not changed is only expected to be so still
    assert change.settings["deadband"] == (0.0, 0.0)
    assert change.record == {}
    assert dialog.notice_bar.text().startswith("Changed.")
    assert (dialog.reason.text(), dialog.save_button.isEnabled()) == ("", False)


@pytest.mark.parametrize(
    ("name", "typed", "words"),
    [
        ("limit", "0.1", "The limit LL (0.4) must be below L (0.1)."),
        ("limit", "1,5", "Limit must be a number from -1e+15 to 1e+15 with a decimal point, is “1,5”."),
        ("deadband", "-1", "Deadband must be a number from 0 to 1e+12 with a decimal point, is “-1”."),
        ("on_delay_s", "90000", "On-delay (s) must be a number from 0 to 86400 with a decimal point, is “90000”."),
        ("limit", "", "Limit must be a number from -1e+15 to 1e+15 with a decimal point, is “”."),
    ],
)
def test_what_is_wrong_is_said_while_typing(dialog: RuleDialog, name: str, typed: str, words: str) -> None:
    QTest.keyClicks(dialog.reason, "x")
    type_into(setting(dialog, name), typed)
    assert dialog.settings_page.notes[name].text() == words
    assert not dialog.settings_page.notes[name].isHidden()
    assert (dialog.save_button.isEnabled(), dialog.save_button.toolTip()) == (False, words)
    type_into(setting(dialog, name), "1")
    assert dialog.settings_page.notes[name].isHidden()
    assert dialog.save_button.isEnabled()


def test_a_value_of_the_record_says_where_it_comes_from(dialog: RuleDialog, rules: Rules) -> None:
    places = [dialog.place_box.itemText(n) for n in range(dialog.place_box.count())]
    assert places == ["this alarm", "the tag Tank1.level", "the asset Tank 1", "the site Storage", "Northfield Water"]
    notes = {name: note.text() for name, note in dialog.record_page.notes.items() if note.text()}
    assert notes == {
        "consequence": "Holds: Zones A and B lose pressure, from the site Storage",
        "severity": "Holds: major, from Northfield Water",
        "respond_min": "Holds: 20, from the site Storage",
        "alarm_class": "Holds: supply, from Northfield Water",
        "owner": "Holds: Operations, from Northfield Water",
    }
    owner = dialog.record_page.editors["owner"]
    type_into(owner, "Hill crew")
    assert dialog.record_page.notes["owner"].text() == "Instead of: Operations, from Northfield Water"
    action = dialog.record_page.editors["action"]
    assert isinstance(action, QPlainTextEdit)
    type_into(action, "Start pump 2")
    type_into(dialog.record_page.editors["review_date"], "2027-03-31")
    QTest.keyClicks(dialog.reason, "review of May")
    QTest.mouseClick(dialog.save_button, LEFT)
    [([change], _)] = rules.done
    assert (change.level, change.settings) == (Level.RULE, {})
    assert {name: after for name, (before, after) in change.record.items() if before != after} == {
        "owner": "Hill crew",
        "action": "Start pump 2",
        "review_date": date(2027, 3, 31),
    }


def test_the_record_of_the_site_holds_for_all_below(dialog: RuleDialog, rules: Rules) -> None:
    dialog.place_box.setCurrentText("the site Storage")
    assert dialog.record_page.typed("respond_min") == "20"
    assert dialog.record_page.notes["respond_min"].text() == ""
    type_into(dialog.record_page.editors["respond_min"], "5")
    # L is of priority 3, as it should be for 3 to 10 min; the grid is asked as one types
    assert "means priority" not in dialog.doubt.text()
    type_into(dialog.record_page.editors["respond_min"], "2")
    assert "A major consequence with 2 min to respond means priority 2, not 3." in dialog.doubt.text()
    QTest.keyClicks(dialog.reason, "measured")
    QTest.mouseClick(dialog.save_button, LEFT)
    [([change], _)] = rules.done
    assert (change.level, change.id, change.record["respond_min"]) == (Level.ASSET, 7, (20.0, 2.0))


def test_a_change_by_somebody_else_is_told_and_what_was_typed_stays(dialog: RuleDialog, stage: Stage) -> None:
    type_into(setting(dialog, "deadband"), "0.3")
    known = stage.console.room.configuration
    changed = tuple(replace(one, limit=1.1) if one.id == dialog._rule.id else one for one in known.rules)
    stage.console.room.use_configuration(replace(known, rules=changed), ())
    assert "Somebody else changed this rule meanwhile: Limit: 1.2" in dialog.notice_bar.text()
    assert setting(dialog, "deadband").text() == "0.3"
    QTest.mouseClick(dialog.notice_bar.confirm_button, LEFT)
    assert (setting(dialog, "limit").text(), setting(dialog, "deadband").text()) == ("1.1", "0")


def test_a_refusal_of_the_database_is_said_and_nothing_typed_is_lost(dialog: RuleDialog, stage: Stage) -> None:
    stage.acting.fault = Refused("Somebody else changed this rule meanwhile: alarm_limit is 5 now. Look at it again.")
    type_into(setting(dialog, "limit"), "1.5")
    QTest.keyClicks(dialog.reason, "why")
    QTest.mouseClick(dialog.save_button, LEFT)
    assert dialog.notice_bar.text().startswith("Not changed: Somebody else changed this rule meanwhile")
    assert (setting(dialog, "limit").text(), dialog.reason.text()) == ("1.5", "why")
    assert dialog.save_button.isEnabled()


def with_expression(stage: Stage) -> AlarmRule:
    """Return a rule with an expression that the room knows from now on, of the first tag."""
    known = stage.console.room.configuration
    text = "tag('Tank1.level') > 3"
    rule = AlarmRule(9001, 1, AlarmKind.EXPRESSION, Priority.LOW, message="Together", expression=parse_condition(text))
    grouped = tuple(replace(one, first_out_group="Pump 1 trip") if one.id == 2 else one for one in known.rules)
    stage.console.room.use_configuration(replace(known, rules=(*grouped, rule)), ())
    return rule


@pytest.fixture
def joint(view: RulesView, stage: Stage, qtbot: QtBot) -> RuleDialog:
    rule = with_expression(stage)
    qtbot.waitUntil(lambda: not view._turn.isActive())
    search(view, "together", qtbot)
    view.table.selectRow(0)
    QTest.keyClick(view.table, Qt.Key.Key_Return)
    assert view.dialog is not None
    assert view.dialog._rule == rule
    return view.dialog


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("tag('Tank9.level') > 3", "names 'Tank9.level', which is no tag of this plant, at character 1"),
        ("tag('Tank1.level') >", "is not understood"),
        ("tag('Tank1.level') + 1", "gives a number"),
        ("tag('Tank1.level') > tag('Pump1.flow')", "together in tag('Tank1.level') > tag('Pump1.flow')"),
        ("exec('x')", "calls something else"),
        ("", "is empty"),
    ],
)
def test_an_expression_is_checked_while_typing(joint: RuleDialog, stage: Stage, typed: str, words: str) -> None:
    known = stage.console.room
    assert known.tags[1].unit == "m"
    other = next(one for one in known.tags.values() if one.unit not in ("", "m") and one.municipality_id == 1)
    typed, words = (text.replace("Pump1.flow", other.key) for text in (typed, words))
    QTest.keyClicks(joint.reason, "x")
    type_into(joint.settings_page.editors["expression"], typed)
    note = joint.settings_page.notes["expression"]
    assert words in note.text()
    assert (joint.save_button.isEnabled(), joint.save_button.toolTip()) == (False, note.text())


def test_expression_group_and_disabling_are_saved(joint: RuleDialog, rules: Rules) -> None:
    type_into(joint.settings_page.editors["expression"], "tag('Tank1.level') > 4")
    group = setting(joint, "first_out_group")
    type_into(group, "Pump 9")
    assert "alone it is always the first" in joint.settings_page.notes["first_out_group"].text()
    type_into(group, "Pump 1 trip")
    assert joint.settings_page.notes["first_out_group"].isHidden()
    completer = group.completer()
    assert completer is not None
    model = completer.model()
    assert model is not None
    assert [model.index(n, 0).data() for n in range(model.rowCount())] == ["Pump 1 trip"]
    disabled = joint.settings_page.editors["is_disabled"]
    assert isinstance(disabled, QCheckBox)
    disabled.setFocus()
    QTest.keyClick(disabled, Qt.Key.Key_Space)
    QTest.keyClicks(joint.reason, "agreed")
    QTest.mouseClick(joint.save_button, LEFT)
    [([change], _)] = rules.done
    assert {name: pair for name, pair in change.settings.items() if pair[0] != pair[1]} == {
        "expression": ("tag('Tank1.level') > 3", "tag('Tank1.level') > 4"),
        "first_out_group": ("", "Pump 1 trip"),
        "is_disabled": (False, True),
    }


def test_a_plain_rule_has_no_expression(dialog: RuleDialog) -> None:
    assert "expression" not in dialog.settings_page.editors
    assert {"first_out_group", "is_disabled"} <= dialog.settings_page.editors.keys()


def noted(dialog: RuleDialog) -> RuleChange:
    old, new = {"limit": 1.0}, {"limit": 1.2}
    return RuleChange("a", Level.RULE, dialog._rule.id, False, START, "mona", "desk-1", "as reviewed", old, new)


def test_a_change_is_shown_and_taken_back_with_a_reason(dialog: RuleDialog, rules: Rules) -> None:
    rules.changes = [noted(dialog)]
    dialog.read_again()
    dialog.tabs.setCurrentIndex(2)
    cells = [dialog.table.board.data(dialog.table.board.index(0, n)) for n in range(1, 5)]
    assert cells == ["mona", "this alarm", "Limit: 1 → 1.2", "as reviewed"]
    assert dialog.undo_button.toolTip() == "Choose a change first."
    dialog.table.selectRow(0)
    assert dialog.undo_button.toolTip() == "Write a reason first."
    QTest.keyClicks(dialog.reason, "it came too often")
    QTest.mouseClick(dialog.undo_button, LEFT)
    assert rules.done == [([Change(Level.RULE, dialog._rule.id, {"limit": (1.2, 1.0)}, {})], "it came too often")]
    assert setting(dialog, "limit").text() == "1"


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("size", SIZES)
def test_pictures(
    window: MainWindow, stage: Stage, rules: Rules, gallery: Path, palette: Palette, size: tuple[int, int], qtbot: QtBot
) -> None:
    if stage.console.theme.palette is not palette:
        stage.console.theme.toggle()
    window.resize(*size)
    window.bring("rules")
    view = window.views["rules"]
    assert isinstance(view, RulesView)
    qtbot.waitUntil(lambda: len(view.table.rows) > 0)
    search(view, "tank 1 level low northfield", qtbot)
    view.table.selectRow(0)
    view.open()
    assert view.dialog is not None
    rules.changes = [noted(view.dialog)]
    view.dialog.read_again()
    name = f"rules-{size[0]}-{'day' if palette is PALETTES[0].values[0] else 'night'}"
    type_into(setting(view.dialog, "limit"), "0.1")
    for tab in range(3):
        view.dialog.tabs.setCurrentIndex(tab)
        assert view.dialog.grab().save(str(gallery / f"{name}-dialog-{tab}.png"))
    view.dialog.close()
    with_expression(stage)
    qtbot.waitUntil(lambda: not view._turn.isActive())
    search(view, "together", qtbot)
    view.table.selectRow(0)
    view.open()
    type_into(view.dialog.settings_page.editors["expression"], "tag('Tank1.level') > 3 and tag('Tank9.level') > 2")
    qtbot.wait(50)
    assert view.dialog.grab().save(str(gallery / f"{name}-dialog-expression.png"))
    search(view, "", qtbot)
    assert window.grab().save(str(gallery / f"{name}.png"))
    assert view.dialog.height() <= 700


@pytest.mark.parametrize("is_engineer", [True, False])
def test_an_alarm_and_its_panel_lead_to_its_rule(is_engineer: bool, stage: Stage, rules: Rules, qtbot: QtBot) -> None:
    board, view = AlarmsView(stage.console), RulesView(stage.console)
    for one in (board, view):
        qtbot.addWidget(one)
    stage.fill()
    omar = Person("omar", "Omar Haddad", frozenset({Membership(None, Role.OPERATOR)}))
    stage.console.shift.person = EMIL if is_engineer else omar
    row = board.table.board.rows[3]
    menu = board.menu([row])
    qtbot.addWidget(menu)
    [action] = [one for one in menu.actions() if one.text() == "Change the rule…"]
    panel = WhyDialog(board, stage.console, row)
    for control in (action, panel.rule_button):
        assert control.isEnabled() == is_engineer
        assert is_engineer or control.toolTip() == refusal(Action.CONFIGURE)
    action.trigger()
    assert (view.dialog is not None) == is_engineer
    if view.dialog is not None:
        assert view.dialog.windowTitle() == f"Alarm rule: {row.tag.key} {row.rule.kind}"
        view.dialog.close()
    panel.close()
    stage.console.jumps.rule_wanted.emit(99_999)
    assert "configured no more" in view.notice_bar._words.text()


def test_the_tag_compared_with_is_checked_while_typing_and_saved(
    view: RulesView, stage: Stage, rules: Rules, qtbot: QtBot, gallery: Path
) -> None:
    room = stage.console.room
    own = room.tags[1]
    town = [one for one in room.tags.values() if one.municipality_id == own.municipality_id and one.id != own.id]
    first, second, *_ = (one for one in town if one.unit == own.unit)
    odd = next(one for one in town if one.unit not in ("", own.unit))
    keys = {one.key for one in town}
    strange = next(
        one for one in room.tags.values() if one.key not in keys and one.municipality_id != own.municipality_id
    )
    known = room.configuration
    rule = AlarmRule(9002, 1, AlarmKind.DEVIATION, Priority.LOW, 2.0, message="Apart", other_tag_id=first.id)
    room.use_configuration(replace(known, rules=(*known.rules, rule)), ())
    qtbot.waitUntil(lambda: not view._turn.isActive())
    search(view, "apart", qtbot)
    view.table.selectRow(0)
    QTest.keyClick(view.table, Qt.Key.Key_Return)
    dialog = view.dialog
    assert dialog is not None
    line = setting(dialog, "other_tag_id")
    assert line.text() == first.key
    QTest.keyClicks(dialog.reason, "the other gauge is the better one")
    for typed, words in (
        ("", "needs another tag to compare with"),
        (strange.key, "must be the key of a tag of this municipality"),
        (odd.key, f"compares {own.unit} with {odd.unit}"),
    ):
        type_into(line, typed)
        assert words in dialog.settings_page.notes["other_tag_id"].text()
        assert not dialog.save_button.isEnabled()
    assert dialog.grab().save(str(gallery / "rule-compared-with.png"))
    type_into(line, second.key)
    QTest.mouseClick(dialog.save_button, LEFT)
    [([change], _)] = rules.done
    assert change.settings["other_tag_id"] == (first.id, second.id)
