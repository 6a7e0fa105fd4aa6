"""What leaves the trends: the plot as a page, printed or as a file, and the samples behind it; each noted in the audit."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PySide6.QtCore import QRectF, QStandardPaths, Qt
from PySide6.QtGui import QPainter
from PySide6.QtPrintSupport import QPrinter, QPrintPreviewDialog
from PySide6.QtWidgets import QFileDialog, QMenu, QToolButton, QWidget

from control_room.core.access import Action
from control_room.core.errors import ControlRoomError
from control_room.ui.console import Console
from control_room.ui.export import note_of
from control_room.ui.export_row import ExportRow
from control_room.ui.notice_bar import NoticeBar
from control_room.ui.operations import told
from control_room.ui.trend_export import TITLES, trend_pages
from control_room.ui.trend_sheet import KINDS, Sheet, drawn, page_layout, paint
from control_room.ui.words import municipality_name
from widgets.trend_plot import TrendPlot

_WORDS = "Print the trend, or write it or its samples into a file"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The trend in front: its plot and what its group is called."""

    plot: TrendPlot
    title: str


class SheetPreview(QPrintPreviewDialog):
    """The page as the printer would get it; the printer lives as long as the dialog."""

    def __init__(self, chosen: Chosen, sheet: Sheet, parent: QWidget) -> None:
        """Start with the page of the printer that the system prefers."""
        self.target = QPrinter(QPrinter.PrinterMode.HighResolution)
        self.target.setPageLayout(page_layout())
        self.target.setDocName(chosen.title)
        super().__init__(self.target, parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._chosen, self._sheet = chosen, sheet
        self.paintRequested.connect(self.draw)

    def draw(self, onto: QPrinter) -> None:
        """Draw the page."""
        painter = QPainter(onto)
        paint(painter, QRectF(painter.viewport()), self._chosen.plot, self._sheet)
        painter.end()


class TrendOutlet:
    """A button with a menu, and the row that shows how far an export is."""

    def __init__(self, console: Console, chosen: Callable[[], Chosen | None], notice_bar: NoticeBar) -> None:
        """Act on what `chosen` returns, None while no trend is there; `notice_bar` is told what came of it."""
        self._console, self._chosen, self._notice_bar = console, chosen, notice_bar
        self._parent = notice_bar.parentWidget() or notice_bar
        self.export_row = ExportRow(("sample", "samples"), self._parent)
        self.button = QToolButton(self._parent)
        self.button.setText("Export")
        self.button.setAutoRaise(True)
        self.button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.button)
        menu.addAction("Print…", self.ask_print)
        menu.addAction("Page as PDF, PNG or SVG…", self.ask_page)
        menu.addAction("Samples as CSV or XLSX…", self.ask_samples)
        self.button.setMenu(menu)
        console.shift.changed.connect(self.allow)
        self.allow()

    def allow(self) -> None:
        """Offer what may be done now."""
        chosen = self._chosen()
        why = self._console.shift.why_nowhere(Action.VIEW) or (
            "" if chosen is not None and chosen.plot.pens() else "There is no line to export."
        )
        self.button.setEnabled(not why and self.export_row.progress is None)
        self.button.setToolTip(why or _WORDS)

    # --- the page

    def ask_page(self) -> None:
        """Ask for a file, then write the page."""
        chosen = self._chosen()
        if chosen is None:
            return
        folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        dialog = QFileDialog(self._parent, "Trend as a page", folder, ";;".join(KINDS.values()))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        ends = {words: end for end, words in KINDS.items()}
        dialog.filterSelected.connect(lambda words: dialog.setDefaultSuffix(ends[words].lstrip(".")))
        dialog.setDefaultSuffix("pdf")
        dialog.selectFile(_file_name(chosen.title))
        dialog.fileSelected.connect(lambda path: self.write_page(Path(path)))
        dialog.open()

    def write_page(self, path: Path) -> None:
        """Write the page as the kind that the name's end says."""
        if (chosen := self._chosen()) is not None:
            self._console.operations.start(self._writing_page(chosen, path))

    async def _writing_page(self, chosen: Chosen, path: Path) -> None:
        with told(self._notice_bar, "Nothing was written", self.button):
            write = drawn(path.suffix.lower(), chosen.plot, self._sheet(chosen))
            await self._note(chosen)
            try:
                await asyncio.to_thread(write, path)
            except OSError as fault:
                raise ControlRoomError(
                    f"The file cannot be written: {fault.strerror}.", advice="Choose another folder or name."
                ) from fault
            self._notice_bar.say(f"The trend was written to {path}")
        self.allow()

    def ask_print(self) -> None:
        """Note it, then show what the printer would get."""
        if (chosen := self._chosen()) is not None:
            self._console.operations.start(self._printing(chosen))

    async def _printing(self, chosen: Chosen) -> None:
        with told(self._notice_bar, "Nothing was printed", self.button):
            await self._note(chosen)
            self.preview(chosen).open()
        self.allow()

    def preview(self, chosen: Chosen) -> "SheetPreview":
        """Return the dialog in which a person chooses the printer."""
        return SheetPreview(chosen, self._sheet(chosen), self._parent)

    def _sheet(self, chosen: Chosen) -> Sheet:
        room, person = self._console.room, self._console.shift.person
        places = dict.fromkeys(room.tags[one].municipality_id for one in chosen.plot.pens() if one in room.tags)
        return Sheet(
            chosen.title,
            [municipality_name(room, one) for one in places],
            person.name if person is not None else "",
            datetime.now(UTC),
        )

    async def _note(self, chosen: Chosen) -> None:
        await note_of(self._console.operations, "trend", self._wanted(chosen))(None)

    def _wanted(self, chosen: Chosen) -> dict[str, Any]:
        begin, end = _stretch(chosen.plot)
        tags = self._console.room.tags
        towns = {tags[one].municipality_id for one in chosen.plot.pens() if one in tags}
        town = {"municipality_id": towns.pop()} if len(towns) == 1 else {}
        return {"tags": chosen.plot.pens(), "start": begin, "end": end, **town}

    # --- the samples

    def ask_samples(self) -> None:
        """Ask for a file, then export the samples of what is seen."""
        if (chosen := self._chosen()) is not None:
            self.export_row.ask("Export samples", _file_name(chosen.title), self.export_to)

    def export_to(self, path: Path) -> None:
        """Write every sample of the stretch that is seen, as CSV or XLSX by the name's end."""
        if (chosen := self._chosen()) is not None:
            self._console.operations.start(self._exporting(chosen, path))

    async def _exporting(self, chosen: Chosen, path: Path) -> None:
        if self.export_row.progress is not None:
            return
        room, operations = self._console.room, self._console.operations
        try:
            with told(self._notice_bar, "Nothing was exported", self.button), self.export_row.busy():
                tags = [room.tags[one] for one in chosen.plot.pens() if one in room.tags]
                pens = [(tag, municipality_name(room, tag.municipality_id)) for tag in tags]
                pages = trend_pages(operations.read, pens, *_stretch(chosen.plot))
                note = note_of(operations, "trend", self._wanted(chosen))
                self._notice_bar.say(await self.export_row.write(TITLES, pages, path, note))
        finally:
            self.allow()


def _stretch(plot: TrendPlot) -> tuple[datetime, datetime]:
    begin, end = (datetime.fromtimestamp(one, UTC) for one in plot.stretch_s)
    return begin, end


def _file_name(title: str) -> str:
    """Return the title as a file may be called on any system."""
    return "".join(one if one.isalnum() or one in " -_" else "_" for one in title).strip() or "trend"
