"""Alarm rules out to files and in again, with real clicks: the dry run, faults, all or nothing, cancelled, harmless."""

import csv
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from control_room.core.access import Action, Membership, Person, Role, refusal
from control_room.core.rationalisation import Level
from control_room.core.rule_sheet import TITLES
from control_room.ui import rule_files
from control_room.ui.dialogs.rule_import import RuleImportDialog
from control_room.ui.operations import Work
from control_room.ui.rule_files import FileProgress
from control_room.ui.views.rules import RulesView
from db.rationalisation import Change, ChangeRefused, change_rules
from db.stop import Cancelled, Stop
from tests.ui.gallery import PALETTES
from tests.ui.rooms import Stage
from widgets.palette import LIGHT, Palette

EMIL = Person("emil", "Emil Novak", frozenset({Membership(None, Role.ENGINEER)}))
LEFT = Qt.MouseButton.LeftButton
EVIL = "=cmd|' /C calc'!A0"


@pytest.fixture
def done(stage: Stage) -> list[tuple[list[Change], str]]:
    """Fill the stage, sign an engineer in; return what is asked of the database."""
    asked: list[tuple[list[Change], str]] = []
    stage.fill()
    stage.console.shift.person = EMIL
    answers: Any = stage.acting.answers

    def change(changes: list[Change], reason: str, stop: Stop) -> str:
        asked.append((changes, reason))
        return "Changed."

    answers[change_rules] = change
    return asked


@pytest.fixture
def view(stage: Stage, done: list[object], qtbot: QtBot) -> RulesView:
    made = RulesView(stage.console)
    qtbot.addWidget(made)
    made.resize(1400, 420)
    made.show()
    qtbot.waitUntil(lambda: not made._turn.isActive())
    return made


@pytest.fixture(params=["csv", "xlsx"])
def path(request: pytest.FixtureRequest, view: RulesView, tmp_path: Path) -> Path:
    """Return a file with every rule, as the export writes it."""
    made = tmp_path / f"rules.{request.param}"
    view.transfer.export_to(made)
    assert "rules exported to" in view.notice_bar.text()
    return made


def csv_rows(path: Path) -> list[list[Any]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.reader(file))


def change(path: Path, edit: Callable[[list[list[Any]]], object]) -> None:
    """Edit the rows of a file, as somebody would with a spreadsheet."""
    if path.suffix == ".csv":
        rows: list[list[Any]] = csv_rows(path)
        edit(rows)
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
        return
    rows = [list(row) for row in load_workbook(path).worksheets[0].iter_rows(values_only=True)]
    edit(rows)
    book = Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    book.save(path)


def put(row: int, title: str, value: Any) -> Callable[[list[list[Any]]], None]:
    def edit(rows: list[list[Any]]) -> None:
        rows[row - 1][TITLES.index(title)] = value

    return edit


def opened(view: RulesView, path: Path) -> RuleImportDialog:
    view.transfer.import_from(path)
    assert view.transfer.dialog is not None
    return view.transfer.dialog


def test_what_was_exported_changes_nothing(view: RulesView, path: Path, stage: Stage) -> None:
    dialog = opened(view, path)
    every = len(stage.console.room.rules)
    assert dialog.words.text().startswith(f"{every:,} rows without a fault: 0 change something, {every:,} nothing.")
    assert (dialog.import_button.isEnabled(), dialog.import_button.toolTip()) == (False, "There is nothing to import.")


def test_the_difference_is_shown_before_it_is_made(
    view: RulesView, path: Path, done: list[tuple[list[Change], str]]
) -> None:
    change(path, put(3, "Limit", 1.5))
    change(path, put(3, "Cause", "Outlet open"))
    dialog = opened(view, path)
    [row] = dialog.differences.rows
    cells = [dialog.differences.board.data(dialog.differences.board.index(0, n)) for n in range(3)]
    assert cells[:2] == ["3", "Tank1.level L"]
    assert cells[2].endswith(" → 1.5; Cause: – → Outlet open")
    assert (done, dialog.import_button.toolTip()) == ([], "Write a reason first.")
    QTest.keyClicks(dialog.reason, "yearly review")
    assert dialog.import_button.text() == "Import 1 change"
    QTest.mouseClick(dialog.import_button, LEFT)
    [([made], reason)] = done
    assert (made.level, made.id, reason) == (Level.RULE, row.line.rule.id, "yearly review")
    assert made.settings["limit"][1] == 1.5
    assert made.record == {"cause": (None, "Outlet open")}
    assert not dialog.isVisible()


def test_every_fault_has_row_and_column_and_nothing_is_imported(view: RulesView, path: Path) -> None:
    change(path, put(2, "Priority", 7))
    change(path, put(3, "Deadband", "a bit"))
    change(path, put(4, "Tag", "No.such"))
    dialog = opened(view, path)
    found = [(one.row, one.column) for one in dialog.faults.rows]
    assert found == [(2, "Priority"), (3, "Deadband"), (4, "Tag")]
    assert "3 faults" in dialog.words.text()
    QTest.keyClicks(dialog.reason, "why")
    assert not dialog.import_button.isEnabled()


def test_what_the_database_refuses_names_the_row(view: RulesView, path: Path, stage: Stage) -> None:
    stage.acting.fault = ChangeRefused("Somebody else changed this rule meanwhile.", 1)
    change(path, put(2, "On-delay (s)", 5))
    change(path, put(9, "On-delay (s)", 5))
    dialog = opened(view, path)
    QTest.keyClicks(dialog.reason, "why")
    QTest.mouseClick(dialog.import_button, LEFT)
    assert dialog.notice_bar.text() == "Nothing was imported: Row 9: Somebody else changed this rule meanwhile."
    assert (dialog.isVisible(), dialog.import_button.isEnabled(), dialog.reason.text()) == (True, True, "why")


def test_no_cell_is_a_formula_and_the_words_come_back(view: RulesView, path: Path, stage: Stage, qtbot: QtBot) -> None:
    change(path, put(2, "Message", f"'{EVIL}"))
    dialog = opened(view, path)
    assert dict(dialog.differences.rows[0].settings)["message"][1] == EVIL
    known = stage.console.room.configuration
    first = view.table.rows[0].rule
    evil = replace(known, rules=tuple(replace(one, message=EVIL) if one == first else one for one in known.rules))
    stage.console.room.use_configuration(evil, ())
    qtbot.waitUntil(lambda: view.table.rows[0].rule.message == EVIL)
    view.transfer.export_to(path)
    if path.suffix == ".xlsx":
        sheet = load_workbook(path).worksheets[0]
        assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "inlineStr", "n"}
        words = sheet.cell(2, TITLES.index("Message") + 1).value
    else:
        words = csv_rows(path)[1][TITLES.index("Message")]
    assert words == f"'{EVIL}"
    assert opened(view, path).differences.rows == []


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"PK\x03\x04 broken", b'"', b"\x00" * 100])
@pytest.mark.parametrize("name", ["rules.csv", "rules.xlsx"])
def test_a_file_of_another_kind_is_said(view: RulesView, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    dialog = opened(view, tmp_path / name)
    assert dialog.notice_bar.text() or dialog.faults.rows
    assert not dialog.import_button.isEnabled()


def test_a_file_that_is_not_there_or_too_large_is_said(
    view: RulesView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "cannot be read" in opened(view, tmp_path / "none.csv").notice_bar.text()
    monkeypatch.setattr(rule_files, "UNPACKED_MAX_BYTES", 10)
    with zipfile.ZipFile(tmp_path / "bomb.xlsx", "w") as packed:
        packed.writestr("a", "x" * 100)
    assert "too large when unpacked" in opened(view, tmp_path / "bomb.xlsx").notice_bar.text()
    monkeypatch.setattr(rule_files, "SIZE_MAX_BYTES", 10)
    assert "larger than 10 bytes" in opened(view, tmp_path / "bomb.xlsx").notice_bar.text()


@pytest.mark.parametrize("name", ["rules.csv", "rules.xlsx"])
def test_what_is_cancelled_leaves_nothing(
    view: RulesView, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancelled(self: FileProgress, done: int) -> None:
        # as if the person had pressed the button during the second row
        self.is_cancelled = done > 1
        if self.is_cancelled:
            raise rule_files.Stopped

    (tmp_path / name).write_text("before")
    monkeypatch.setattr(FileProgress, "step", cancelled)
    view.transfer.export_to(tmp_path / name)
    assert view.notice_bar.text() == "The export was cancelled; no file was made."
    assert [(one.name, one.read_text()) for one in tmp_path.glob("rules*")] == [(name, "before")]


def test_a_storing_is_cancelled_and_the_dialog_stays(
    view: RulesView, path: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(path, put(2, "On-delay (s)", 5))
    dialog = opened(view, path)
    QTest.keyClicks(dialog.reason, "why")
    sent: list[Stop] = []

    def send(self: Stop) -> None:
        sent.append(self)

    monkeypatch.setattr(Stop, "send", send)
    waiting: list[Work] = []
    run, stage.console.operations._start = stage.console.operations._start, waiting.append
    QTest.mouseClick(dialog.import_button, LEFT)
    assert (dialog.cancel_button.isEnabled(), dialog._is_sending) == (True, True)
    QTest.mouseClick(dialog.cancel_button, LEFT)
    storing, giving_up = waiting
    run(giving_up)
    assert sent == [dialog.stop]
    stage.acting.fault = Cancelled()
    run(storing)
    assert dialog.notice_bar.text() == "Nothing was imported: It was cancelled in time."
    assert (dialog.isVisible(), dialog.import_button.isEnabled(), dialog.reason.text()) == (True, True, "why")


def test_only_engineers_import_and_everybody_exports(view: RulesView, stage: Stage) -> None:
    stage.console.shift.person = Person("omar", "Omar", frozenset({Membership(None, Role.OPERATOR)}))
    stage.console.shift.changed.emit()
    assert (view.transfer.import_button.isEnabled(), view.transfer.export_button.isEnabled()) == (False, True)
    assert view.transfer.import_button.toolTip() == refusal(Action.CONFIGURE)


def test_the_buttons_ask_for_a_file(view: RulesView, qtbot: QtBot) -> None:
    for button, title in ((view.transfer.export_button, "Export"), (view.transfer.import_button, "Import")):
        QTest.mouseClick(button, LEFT)
        [dialog] = view.findChildren(QFileDialog)
        assert dialog.windowTitle() == f"{title} alarm rules"
        dialog.reject()
        qtbot.waitUntil(lambda: view.findChildren(QFileDialog) == [])


@pytest.mark.parametrize("palette", PALETTES)
def test_pictures(view: RulesView, path: Path, stage: Stage, gallery: Path, palette: Palette) -> None:
    if stage.console.theme.palette is not palette:
        stage.console.theme.toggle()
    name = f"rule-import-{path.suffix[1:]}-{'day' if palette is LIGHT else 'night'}"
    change(path, put(3, "Limit", 1.5))
    change(path, put(4, "Cause", "Outlet open"))
    assert opened(view, path).grab().save(str(gallery / f"{name}-differences.png"))
    change(path, put(2, "Priority", 7))
    change(path, put(9, "Deadband", "a bit"))
    assert opened(view, path).grab().save(str(gallery / f"{name}-faults.png"))
