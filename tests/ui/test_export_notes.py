"""Whatever is exported is noted in the audit first: without the note there is no file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from control_room.core.errors import Refused
from control_room.ui.views.alarm_report import AlarmReportView
from control_room.ui.views.journal import JournalView
from control_room.ui.views.rules import RulesView
from db.audit import note_export
from tests.ui.books import keep_books
from tests.ui.office import OfficeThread
from tests.ui.rooms import Stage

Export = tuple[Callable[[Path], None], QPushButton, Callable[[], str]]
NOTES: dict[str, tuple[str, list[int | None]]] = {
    "journal": ("journal", [None, 12]),
    "report": ("alarm report", [None, 13]),
    "pdf": ("alarm report", [13]),
    "rules": ("alarm rules", [3]),
}


def opened(name: str, stage: Stage, qtbot: QtBot) -> Export:
    """Return a view's export, its button, and what it says."""
    if name == "journal":
        keep_books(stage, 12)
        journal = JournalView(stage.console)
        shown: Any = journal
        export, button = journal.export_to, journal.export_button
    elif name == "rules":
        rules = RulesView(stage.console)
        rules.search.setText("Tank1.level northfield")
        shown, export, button = rules, rules.transfer.export_to, rules.transfer.export_button
    else:
        report = AlarmReportView(stage.console)
        shown = report
        export, button = (
            (report.export_to, report.csv_button) if name == "report" else (report.write_pdf, report.pdf_button)
        )
    qtbot.addWidget(shown)
    shown.show()
    stage.fill()
    if name in ("report", "pdf"):
        shown.make()
    if name == "rules":
        qtbot.waitUntil(lambda: len(shown.table.rows) > 0)
    return export, button, shown.notice_bar.text


@pytest.mark.parametrize("name", NOTES)
def test_an_export_is_noted_with_filter_and_count(name: str, stage: Stage, qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / ("out.pdf" if name == "pdf" else "out.csv")
    seen: list[tuple[str, int | None, bool]] = []
    answers: Any = stage.acting.answers
    answers[note_export] = lambda what, wanted, rows: seen.append((what, rows, path.exists()))
    export, _, _ = opened(name, stage, qtbot)
    export(path)
    assert path.exists()
    what, counts = NOTES[name]
    assert [one[0] for one in seen] == [what] * len(counts)
    assert [one[2] for one in seen] == [False] * len(counts)
    assert [one[1] is None for one in seen] == [one is None for one in counts]
    assert (seen[-1][1] or 0) > 0


@pytest.mark.parametrize("name", NOTES)
def test_without_the_note_there_is_no_file(name: str, stage: Stage, qtbot: QtBot, tmp_path: Path) -> None:
    def refuse(what: str, wanted: object, rows: int | None) -> None:
        raise Refused("The audit is full.")

    stage.acting = stage.console.operations._acting = OfficeThread({note_export: refuse})
    export, _, said = opened(name, stage, qtbot)
    export(tmp_path / "out.csv")
    assert list(tmp_path.glob("out*")) == []
    assert "The audit is full." in said()


def test_a_note_that_fails_at_the_end_leaves_no_file(stage: Stage, qtbot: QtBot, tmp_path: Path) -> None:
    def refuse(what: str, wanted: object, rows: int | None) -> None:
        if rows is not None:
            raise Refused("The session ended.")

    stage.acting = stage.console.operations._acting = OfficeThread({note_export: refuse})
    export, _, _ = opened("journal", stage, qtbot)
    export(tmp_path / "out.csv")
    assert list(tmp_path.glob("out*")) == []


@pytest.mark.parametrize("name", NOTES)
def test_nobody_signed_in_exports_nothing(name: str, stage: Stage, qtbot: QtBot) -> None:
    _, button, _ = opened(name, stage, qtbot)
    assert button.isEnabled()
    stage.console.shift.person = None
    stage.console.shift.changed.emit()
    assert (button.isEnabled(), button.toolTip()) == (False, "Nobody is signed in. Sign in first.")
