"""Alarm rules out to a file and in again: the two buttons, the progress, and what is known for the comparison."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QStandardPaths, Qt
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QProgressBar, QPushButton, QWidget

from control_room.core.access import Action
from control_room.core.alarms import AlarmRule
from control_room.core.rationalisation import RecordBook
from control_room.core.rule_sheet import Known, Line
from control_room.ui.console import Console
from control_room.ui.dialogs.rule_import import RuleImportDialog
from control_room.ui.export import note_of
from control_room.ui.notice_bar import NoticeBar
from control_room.ui.operations import told
from control_room.ui.room import Room
from control_room.ui.rule_files import FileProgress, write_rules
from control_room.ui.rule_words import RuleRow
from db.rationalisation import read_records

CSV, XLSX = "CSV files (*.csv)", "Excel files (*.xlsx)"
_PORTION = 2000


class RuleTransfer(QWidget):
    """The progress of an export, hidden while there is none; its owner places the two buttons."""

    def __init__(
        self,
        console: Console,
        notice_bar: NoticeBar,
        rows: Callable[[], Sequence[RuleRow]],
        search: Callable[[], str],
        parent: QWidget,
    ) -> None:
        """Export what `rows` returns, which `search` found."""
        super().__init__(parent)
        self._view = parent
        self._console, self._notice_bar, self._rows, self._search = console, notice_bar, rows, search
        self._progress: FileProgress | None = None
        self.dialog: RuleImportDialog | None = None
        self.export_button = QPushButton("Export…", parent)
        self.import_button = QPushButton("Import…", parent)
        self.bar = QProgressBar(self)
        self.cancel_button = QPushButton("Cancel export", self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.bar, 1)
        row.addWidget(self.cancel_button)
        self.export_button.clicked.connect(self.ask_where)
        self.import_button.clicked.connect(self.ask_which)
        self.cancel_button.clicked.connect(self.cancel)
        self.hide()

    def allow(self) -> None:
        """Let a person do what is possible now, and say why the rest is not."""
        why = self._console.shift.why_nowhere(Action.CONFIGURE)
        self.import_button.setEnabled(not why)
        self.import_button.setToolTip(why or "Read rules and records from a file; first it is shown what would change")
        empty = "" if self._rows() else "There is no rule to export."
        empty = self._console.shift.why_nowhere(Action.VIEW) or empty
        self.export_button.setEnabled(not empty and self._progress is None)
        self.export_button.setToolTip(empty or "Write the rules that are shown, with their records, into a file")

    # --- out

    def ask_where(self) -> None:
        """Ask for a file, then export."""
        dialog = self._file_dialog("Export alarm rules")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("xlsx")
        dialog.filterSelected.connect(lambda kind: dialog.setDefaultSuffix("csv" if kind == CSV else "xlsx"))
        dialog.selectFile(f"alarm-rules-{self._console.room.now().astimezone():%Y%m%d-%H%M}.xlsx")
        dialog.fileSelected.connect(lambda path: self.export_to(Path(path)))
        dialog.open()

    def _file_dialog(self, title: str) -> QFileDialog:
        folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        dialog = QFileDialog(self._view, title, folder)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setNameFilters([XLSX, CSV])
        return dialog

    def export_to(self, path: Path) -> None:
        """Write the rules that are shown now."""
        if self._progress is None:
            self._progress = FileProgress(self._tell)
            self._console.operations.start(self._exporting(path, self._progress))

    def cancel(self) -> None:
        """Give the export up; nothing of it stays."""
        if self._progress is not None:
            self._progress.is_cancelled = True

    async def _exporting(self, path: Path, progress: FileProgress) -> None:
        self._tell()
        self.show()
        rows = list(self._rows())
        try:
            with told(self._notice_bar, "Nothing was exported", self.export_button):
                book = await self._console.operations.read(partial(read_records))
                lines = await make_lines(self._console.room, book, [row.rule for row in rows])
                note = note_of(self._console.operations, "alarm rules", {"search": self._search()})
                await note(len(lines))
                is_done = await write_rules(path, lines, progress)
                self._notice_bar.say(
                    f"{len(lines):,} rules exported to {path}"
                    if is_done
                    else "The export was cancelled; no file was made."
                )
        finally:
            self._progress = None
            self.hide()
            self.allow()

    def _tell(self) -> None:
        if self._progress is not None:
            self.bar.setMaximum(max(1, self._progress.whole))
            self.bar.setValue(self._progress.done)
            self.bar.setFormat(f"{self._progress.done:,} rules written")

    # --- in

    def ask_which(self) -> None:
        """Ask for a file, then show what it would change."""
        dialog = self._file_dialog("Import alarm rules")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setNameFilters(["Tables (*.xlsx *.csv)"])
        dialog.fileSelected.connect(lambda path: self.import_from(Path(path)))
        dialog.open()

    def import_from(self, path: Path) -> None:
        """Show what the file would change."""
        self.dialog = RuleImportDialog(self._view, self._console, path, self._known)
        self.dialog.open()

    async def _known(self) -> Known:
        book = await self._console.operations.read(partial(read_records))
        room = self._console.room
        lines = await make_lines(room, book, room.configuration.rules)
        by_tag: dict[int, list[AlarmRule]] = {}
        ids: dict[int, dict[str, int]] = {}
        for tag in room.tags.values():
            ids.setdefault(tag.municipality_id, {})[tag.key] = tag.id
        for one in lines:
            by_tag.setdefault(one.tag.id, []).append(one.rule)
        return Known({(one.place, one.tag.key, one.rule.kind.value): one for one in lines}, by_tag, room.tags, ids)


async def make_lines(room: Room, book: RecordBook, rules: Sequence[AlarmRule]) -> list[Line]:
    """Return the rows of the rules; the screen gets its turn in between."""
    lines = []
    for number, rule in enumerate(rules):
        tag = room.tags.get(rule.tag_id)
        place = room.municipalities.get(tag.municipality_id) if tag else None
        if tag is not None and place is not None:
            other = room.tags.get(rule.other_tag_id or 0)
            held = book.held(tag.municipality_id, tag.id, rule.id)
            lines.append(Line(place.key, tag, rule, held, other.key if other else ""))
        if number % _PORTION == 0:
            await asyncio.sleep(0)
    return lines
