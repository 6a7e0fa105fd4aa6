"""What leaves the trends: the page in every form, the samples; noted first, and nothing half."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtPrintSupport import QPrinter, QPrintPreviewDialog
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from control_room.core.errors import Refused
from control_room.ui.views.trends import TrendsView
from db.audit import note_export
from db.sample_pages import SamplePage, read_sample_page
from tests.ui.office import OfficeThread
from tests.ui.rooms import Stage


def some_samples(tag_id: int, begin: Any, end: Any, skip: int, most: int) -> SamplePage:
    begin_us = int(begin.timestamp() * 1e6)
    value = np.array([tag_id, np.nan, 2.5])
    return SamplePage(begin_us + np.arange(3) * 1_000_000, value, np.array([0, 0x808C, 0]))


@pytest.fixture
def notes(stage: Stage) -> list[tuple[str, Any, int | None]]:
    made: list[tuple[str, Any, int | None]] = []
    answers: Any = stage.acting.answers
    answers[note_export] = lambda what, wanted, rows: made.append((what, wanted, rows))
    reading: Any = stage.reading.answers
    reading[read_sample_page] = some_samples
    return made


@pytest.fixture
def view(stage: Stage, qtbot: QtBot, notes: object) -> TrendsView:
    stage.console.settings.setValue("trends/groups", '[{"name": "Tanks / north", "tags": [1, 3]}]')
    made = TrendsView(stage.console)
    qtbot.addWidget(made)
    made.resize(900, 600)
    made.show()
    stage.fill(0)
    return made


@pytest.mark.parametrize(
    ("end", "begins"), [(".pdf", b"%PDF"), (".png", b"\x89PNG"), (".svg", b"<?xml"), ("", b"%PDF")]
)
def test_the_page_is_written_in_every_form_and_noted(
    end: str, begins: bytes, view: TrendsView, notes: list[Any], tmp_path: Path, qtbot: QtBot
) -> None:
    path = tmp_path / f"trend{end}"
    palette = view.plots()[0]._palette
    view.outlet.write_page(path)
    qtbot.waitUntil(path.exists)
    assert path.read_bytes().startswith(begins)
    assert path.stat().st_size > 3_000
    assert [(what, sorted(wanted), rows) for what, wanted, rows in notes] == [
        ("trend", ["end", "municipality_id", "start", "tags"], None)
    ]
    assert view.plots()[0]._palette is palette
    assert view.plots()[0].is_live
    qtbot.waitUntil(lambda: str(path) in view.notice_bar.text())
    assert list(tmp_path.glob("trend*")) == [path]


def test_samples_are_exported_pen_after_pen(view: TrendsView, notes: list[Any], tmp_path: Path, qtbot: QtBot) -> None:
    path = tmp_path / "trend.csv"
    view.outlet.export_to(path)
    qtbot.waitUntil(path.exists)
    lines = path.read_text("utf-8-sig").splitlines()
    assert lines[0].startswith("time_utc,time_local,municipality,site")
    assert len(lines) == 7
    assert lines[1].split(",")[7] == "1.0"
    assert lines[2].split(",")[7] == ""
    assert lines[2].endswith("Bad: sensor failure")
    assert [rows for _, _, rows in notes] == [None, 6]
    qtbot.waitUntil(lambda: "6 samples exported" in view.notice_bar.text())


def test_without_the_note_there_is_no_file(view: TrendsView, stage: Stage, tmp_path: Path, qtbot: QtBot) -> None:
    def refuse(what: str, wanted: object, rows: int | None) -> None:
        raise Refused("The audit is full.")

    stage.acting = stage.console.operations._acting = OfficeThread({note_export: refuse})
    for act in (view.outlet.write_page, view.outlet.export_to):
        act(tmp_path / "trend.csv")
        qtbot.waitUntil(lambda: "The audit is full." in view.notice_bar.text())
    view.outlet.ask_print()
    assert view.findChildren(QPrintPreviewDialog) == []
    assert list(tmp_path.glob("trend*")) == []


def test_a_folder_that_is_not_there_is_told(view: TrendsView, tmp_path: Path, qtbot: QtBot) -> None:
    view.outlet.write_page(tmp_path / "nowhere" / "trend.png")
    qtbot.waitUntil(lambda: "The file cannot be written" in view.notice_bar.text())
    assert view.outlet.button.isEnabled()


def test_the_printer_gets_the_page(view: TrendsView, notes: list[Any], tmp_path: Path) -> None:
    chosen = view._chosen()
    assert chosen is not None
    dialog = view.outlet.preview(chosen)
    dialog.target.setOutputFormat(QPrinter.OutputFormat.PdfFormat)
    dialog.target.setOutputFileName(str(tmp_path / "printed.pdf"))
    dialog.draw(dialog.target)
    assert (tmp_path / "printed.pdf").read_bytes().startswith(b"%PDF")
    dialog.close()


def test_a_cancelled_export_leaves_no_file(view: TrendsView, stage: Stage, tmp_path: Path) -> None:
    def read(**asked: Any) -> SamplePage:
        QTest.mouseClick(view.outlet.export_row.cancel_button, Qt.MouseButton.LeftButton)
        return some_samples(**asked)

    stage.reading.answers = {**stage.reading.answers, read_sample_page: read}
    view.outlet.export_to(tmp_path / "trend.xlsx")
    assert view.notice_bar.text() == "The export was cancelled; no file was made."
    assert list(tmp_path.glob("trend*")) == []


def test_without_lines_or_people_nothing_is_offered(view: TrendsView, stage: Stage) -> None:
    assert view.outlet.button.isEnabled()
    for tag_id in view.plots()[0].pens():
        view.plots()[0].remove_pen(tag_id)
    assert not view.outlet.button.isEnabled()
    assert view.outlet.button.toolTip() == "There is no line to export."
