"""The alarm report: what a period's alarms say of the alarm system, against its targets; CSV and PDF."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import QStandardPaths, Qt
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QPushButton, QSplitter, QTabWidget, QVBoxLayout, QWidget

from control_room.core.access import Action
from control_room.core.alarm_kpis import BIN_S, Kpis, kpis
from control_room.core.alarm_load import FLOOD_ABOVE
from control_room.core.errors import ControlRoomError
from control_room.core.kpi_targets import Figure, figures
from control_room.ui.console import Console
from control_room.ui.export import Note, Page, note_of
from control_room.ui.export_row import ExportRow
from control_room.ui.notice_bar import NoticeBar
from control_room.ui.operations import told
from control_room.ui.period_choice import ANY_TIME, LAST_WEEK, PeriodChoice, choice_box
from control_room.ui.report_pages import VERDICT_WORDS, Report, bad_actors, flood_words, html, picture, write_pdf
from control_room.ui.view_spec import Place, ViewSpec
from control_room.ui.words import alarm_name
from db.alarm_figures import read_events, read_set_aside, read_standing
from widgets.bin_bars import BinBars
from widgets.palette import Palette
from widgets.row_table import RowColumn, RowTable

_ASK = "Choose a period and an area, then Make report."
_TITLES = ("figure", "value", "target", "verdict", "remark")
Actor = tuple[int, int, str]
Flood = tuple[str, str, str, str, int]


class AlarmReportView(QWidget):
    """Period and area above; figures, bars and lists below. Nothing is read before a person asks."""

    def __init__(self, console: Console) -> None:
        """Show nothing yet."""
        super().__init__()
        self._console = console
        self.report: Report | None = None
        self.notice_bar = NoticeBar(self)
        self.export_row = ExportRow(("figure", "figures"), self)
        self.period = PeriodChoice(console.room.now, self)
        # a report needs a period that begins
        self.period.box.setItemData(ANY_TIME, 0, Qt.ItemDataRole.UserRole - 1)
        self.period.box.setCurrentIndex(LAST_WEEK)
        self.period.box.setMinimumContentsLength(9)
        self.area = choice_box(self, 16)
        self.make_button = self._button("Make report", "Read the period and reckon its figures", self.make)
        self.csv_button = self._button("Export…", "Write the figures into a CSV or XLSX file", self.ask_table)
        self.pdf_button = self._button("PDF…", "Write the report with its plot into a PDF file", self.ask_pdf)
        self.head = QLabel(_ASK, self)
        self.head.setWordWrap(True)
        self.bars = BinBars(FLOOD_ABOVE, self)
        self._make_tables()
        self._lay_out()
        console.room.configuration_changed.connect(self._fill_areas)
        console.theme.changed.connect(self._dress)
        console.shift.changed.connect(self._allow)
        self._fill_areas()
        self._dress(console.theme.palette)
        self._allow()

    def _button(self, title: str, words: str, act: object) -> QPushButton:
        button = QPushButton(title, self)
        button.setToolTip(words)
        button.setProperty("words", words)
        button.clicked.connect(act)
        return button

    def _make_tables(self) -> None:
        self.figures: RowTable[Figure] = RowTable(
            (
                RowColumn("Figure", lambda one: one.title, 170, 3),
                RowColumn("Value", lambda one: one.value, 80),
                RowColumn("Target", lambda one: one.target, 110),
                RowColumn("", lambda one: VERDICT_WORDS[one.verdict], 50),
                RowColumn("Remark", lambda one: one.what, 100, 3),
            ),
            lambda one: one.title,
            is_sortable=False,
            parent=self,
        )
        self.actors: RowTable[Actor] = RowTable(
            (
                RowColumn("Alarm", lambda one: self._name(one[0]), 200, 3),
                RowColumn("Announced", lambda one: f"{one[1]:,}", 90, key=lambda one: one[1]),
                RowColumn("Why", lambda one: one[2], 110, 1),
            ),
            lambda one: one[0],
            parent=self,
        )
        self.floods: RowTable[Flood] = RowTable(
            (
                RowColumn("Begin", lambda one: one[0], 130),
                RowColumn("Minutes", lambda one: one[1], 70),
                RowColumn("Alarms", lambda one: one[2], 70),
                RowColumn("Most in 10 min", lambda one: one[3], 110),
                RowColumn("First alarm", lambda one: self._name(one[4]), 150, 1),
            ),
            lambda one: one[0],
            is_sortable=False,
            parent=self,
        )
        self.actors.activated.connect(lambda _: self._jump())
        for table, words in ((self.figures, _ASK), (self.actors, "Nothing to look after"), (self.floods, "No flood")):
            table.say_when_empty(words)

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        for widget in (self.period.box, self.area, self.make_button, self.csv_button, self.pdf_button):
            row.addWidget(widget)
        row.addWidget(self.head, 1)
        lists = QTabWidget(self)
        lists.addTab(self.actors, "Look after")
        lists.addTab(self.floods, "Floods")
        right = QSplitter(Qt.Orientation.Vertical, self)
        right.addWidget(self.bars)
        right.addWidget(lists)
        whole = QSplitter(Qt.Orientation.Horizontal, self)
        whole.addWidget(self.figures)
        whole.addWidget(right)
        whole.setStretchFactor(0, 1)
        whole.setStretchFactor(1, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(4)
        column.addLayout(row)
        for part in (self.period, self.notice_bar, self.export_row):
            column.addWidget(part)
        column.addWidget(whole, 1)

    def _dress(self, palette: Palette) -> None:
        for part in (self.figures, self.actors, self.floods, self.bars):
            part.apply_palette(palette)

    def _fill_areas(self) -> None:
        chosen = self.area.currentData()
        known = self._console.room.configuration
        sites = sorted({(tag.municipality_id, tag.site) for tag in known.tags})
        self.area.clear()
        self.area.addItem("All that I see", [0, ""])
        for one in known.municipalities:
            self.area.addItem(one.name, [one.id, ""])
            for place, site in sites:
                if place == one.id:
                    self.area.addItem(f"{one.name} › {site}", [place, site])
        self.area.setCurrentIndex(max(0, self.area.findData(chosen)))

    def _allow(self) -> None:
        is_made = self.report is not None
        for button in (self.csv_button, self.pdf_button):
            why = self._console.shift.why_nowhere(Action.VIEW) or ("" if is_made else "Make a report first.")
            button.setEnabled(not why and self.export_row.progress is None)
            button.setToolTip(why or button.property("words"))

    def _name(self, rule_id: int) -> str:
        return alarm_name(self._console.room, rule_id)

    def _jump(self) -> None:
        chosen = self.actors.chosen()
        if chosen is not None:
            self._console.open_trend(chosen[0])

    # --- the report

    def make(self) -> None:
        """Read the period and show its figures."""
        if self.period.is_empty:
            self.notice_bar.say("The first moment must come before the second.")
            return
        self._console.operations.start(self._making())

    def _wanted_period(self) -> tuple[datetime, datetime]:
        start, end = self.period.period()
        now = self._console.room.now()
        return start or now - timedelta(days=7), min(end or now, now)

    def _rules(self) -> "np.ndarray[tuple[int], np.dtype[np.int64]] | None":
        place, site = self.area.currentData()
        room = self._console.room
        if not place:
            return None
        wanted = [
            rule.id
            for rule in room.rules.values()
            if (tag := room.tags.get(rule.tag_id)) and tag.municipality_id == place and site in ("", tag.site)
        ]
        return np.array(wanted, np.int64)

    async def _making(self) -> None:
        begin, end = self._wanted_period()
        rules, area = self._rules(), self.area.currentText()
        self.head.setText("The period is being read …")
        try:
            with told(self.notice_bar, "There is no report", self.make_button):
                if begin >= end:
                    raise ControlRoomError("The period has not begun yet.", advice="Choose an earlier one.")
                read = self._console.operations.read
                events = await read(partial(read_events, begin=begin, end=end))
                standing = await read(partial(read_standing, at=end))
                aside = await read(partial(read_set_aside, at=end))
                if rules is not None:
                    known = set(rules.tolist())
                    events, standing = events.of(rules), [one for one in standing if one.rule in known]
                    aside = [one for one in aside if one[0] in known]
                states = [state for _, state in aside]
                # a second of reckoning for millions of events is not the window's
                found = await asyncio.to_thread(kpis, events, begin.timestamp(), end.timestamp(), standing, states)
                self._show(found, area)
        finally:
            self.head.setText(f"{self.report.area}, {self.report.period}" if self.report else _ASK)
            self._allow()

    def _show(self, found: Kpis, area: str) -> None:
        person = self._console.shift.person
        rows = list(figures(found))
        self.report = Report(found, rows, area, person.name if person else "nobody signed in", self._console.room.now())
        self.figures.show_rows(rows)
        self.actors.show_rows(bad_actors(found))
        self.floods.show_rows(flood_words(found))
        spans = [(one.begin_s, one.end_s) for one in found.floods]
        self.bars.show_counts(found.bins.tolist(), found.begin_s // BIN_S * BIN_S, BIN_S, spans)

    # --- files

    def ask_table(self) -> None:
        """Ask for a file, then write the figures."""
        self.export_row.ask("Export the report", self._file_name(), self.export_to)

    def ask_pdf(self) -> None:
        """Ask for a file, then write the report."""
        folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        dialog = QFileDialog(self, "Report as PDF", folder, "PDF files (*.pdf)")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("pdf")
        dialog.selectFile(self._file_name())
        dialog.fileSelected.connect(lambda path: self.write_pdf(Path(path)))
        dialog.open()

    def _file_name(self) -> str:
        return f"alarm-report-{self._console.room.now().astimezone():%Y%m%d-%H%M}"

    def write_pdf(self, path: Path) -> None:
        """Write the report that is shown."""
        if self.report is not None:
            self._console.operations.start(self._writing_pdf(self.report, path))

    async def _writing_pdf(self, report: Report, path: Path) -> None:
        # of the report that is shown now, whatever is made meanwhile
        page, bars = html(report, self._name), picture(self.bars)
        with told(self.notice_bar, "No PDF was written", self.pdf_button):
            await self._note(report)(len(report.figures))
            write_pdf(path, page, bars)
            self.notice_bar.say(f"Written to {path}")
        self._allow()

    def _note(self, report: Report) -> Note:
        return note_of(self._console.operations, "alarm report", {"period": report.period, "area": report.area})

    def export_to(self, path: Path) -> None:
        """Write the figures that are shown, then the alarms to look after and the floods."""
        self._console.operations.start(self._exporting(path))

    async def _exporting(self, path: Path) -> None:
        if self.report is None or self.export_row.progress is not None:
            return
        try:
            with told(self.notice_bar, "Nothing was exported", self.csv_button), self.export_row.busy():
                pages, note = self._pages(self.report), self._note(self.report)
                self.notice_bar.say(await self.export_row.write(_TITLES, pages, path, note))
        finally:
            self._allow()

    async def _pages(self, report: Report) -> AsyncGenerator[Page, None]:
        rows: list[Sequence[str]] = [("period", report.period, "", "", report.area)]
        rows += [(one.title, one.value, one.target, one.verdict.value, one.what) for one in report.figures]
        rows += [(self._name(rule), f"{count}", "", "act", why) for rule, count, why in bad_actors(report.found)]
        rows += [
            (
                f"flood of {begin}",
                alarms,
                "",
                "act",
                f"{minutes} min, at most {peak} in 10 min, first {self._name(rule)}",
            )
            for begin, minutes, alarms, peak, rule in flood_words(report.found)
        ]
        yield Page(rows, 100)


SPEC = ViewSpec("alarm_report", "Alarm report", "report", "Ctrl+Shift+A", Place.BOTTOM, AlarmReportView)
