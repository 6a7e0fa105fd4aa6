"""The import of alarm rules: what the file would change and what is wrong with it, and only then the change."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from control_room.core.errors import ControlRoomError
from control_room.core.rationalisation import Level
from control_room.core.rule_sheet import FAULTS_MAX, Difference, Fault, Known, Sheet, settings_of
from control_room.ui.console import Console
from control_room.ui.notice_bar import NoticeBar
from control_room.ui.operations import told
from control_room.ui.rule_files import FileProgress, read_rules
from control_room.ui.rule_words import difference_words
from db.rationalisation import Change, ChangeRefused, change_rules
from db.stop import Stop
from widgets.row_table import RowColumn, RowTable

_SIZE_PX = (900, 560)


class RuleImportDialog(QDialog):
    """Reads the file first (a dry run); a person then reads what would change, writes a reason and agrees."""

    def __init__(self, parent: QWidget, console: Console, path: Path, compare: Callable[[], Awaitable[Known]]) -> None:
        """Begin to read; `compare` returns what the file is compared with, and raises ControlRoomError."""
        super().__init__(parent)
        self._console, self._compare, self._path = console, compare, path
        self.sheet: Sheet | None = None
        self.stop: Stop | None = None
        self._is_sending = False
        self.setWindowTitle(f"Import alarm rules: {path.name}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(*_SIZE_PX)
        self.progress = FileProgress(self._tell_progress)
        self._make_controls()
        self._lay_out()
        console.operations.start(self._reading())

    def _make_controls(self) -> None:
        self.words = QLabel("The file is being read; nothing is changed by that.", self)
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.bar = QProgressBar(self)
        self.notice_bar = NoticeBar(self)
        self.faults: RowTable[Fault] = RowTable(_FAULTS, lambda one: (one.row, one.column, one.words), parent=self)
        self.differences: RowTable[Difference] = RowTable(
            self._columns(), lambda one: one.row, tip=self._difference_tip, parent=self
        )
        for table in (self.faults, self.differences):
            table.apply_palette(self._console.theme.palette)
            table.hide()
        self.reason = QLineEdit(self, maxLength=500, placeholderText="Why, and who agreed (management of change)")
        self.reason.setAccessibleName("Reason")
        self.reason.textChanged.connect(self._allow)
        self.import_button = QPushButton("Import", self)
        self.import_button.clicked.connect(self.send)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        for widget in (self.words, self.bar):
            column.addWidget(widget)
        for table in (self.faults, self.differences):
            column.addWidget(table, 1)
        form = QFormLayout()
        form.addRow("Reason:", self.reason)
        column.addLayout(form)
        column.addWidget(self.notice_bar)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel, self)
        buttons.addButton(self.import_button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        self.cancel_button = buttons.button(QDialogButtonBox.StandardButton.Cancel)
        column.addWidget(buttons)
        self._allow()

    def _tell_progress(self) -> None:
        self.bar.setMaximum(max(1, self.progress.whole))
        self.bar.setValue(min(self.progress.done, self.progress.whole))
        self.bar.setFormat(f"{self.progress.done:,} rows")

    async def _reading(self) -> None:
        try:
            known = await self._compare()
            self.progress.whole = len(known.lines)
            self.sheet = await read_rules(self._path, known, self.progress)
        except ControlRoomError as fault:
            self.words.setText("Nothing is changed.")
            self.notice_bar.show_fault("The file was not read", fault)
        self.bar.hide()
        if self.sheet is not None:
            self._show(self.sheet)

    def _show(self, sheet: Sheet) -> None:
        if sheet.fault_count:
            told = f", the first {FAULTS_MAX:,} of them here" if sheet.fault_count > FAULTS_MAX else ""
            self.words.setText(
                f"{sheet.rows:,} rows, {sheet.fault_count:,} faults{told}. Nothing can be imported before all are corrected."
            )
            self.faults.show_rows(sheet.faults)
            self.faults.show()
        else:
            same = sheet.rows - len(sheet.differences)
            self.words.setText(
                f"{sheet.rows:,} rows without a fault: {len(sheet.differences):,} change something, {same:,} nothing."
                " Rules that the file does not name stay as they are. All changes are made, or none."
            )
            self.differences.say_when_empty("The file says the same as the control room.")
            self.differences.show_rows(sheet.differences)
            self.differences.show()
        self._allow()

    def _allow(self) -> None:
        count = 0 if self.sheet is None or self.sheet.fault_count else len(self.sheet.differences)
        why = "" if count else "There is nothing to import."
        why = why or ("" if self.reason.text().strip() else "Write a reason first.")
        self.import_button.setText(f"Import {count:,} {'change' if count == 1 else 'changes'}" if count else "Import")
        self.import_button.setEnabled(not why and not self._is_sending)
        self.import_button.setToolTip(why)

    def send(self) -> None:
        """Make the changes, all or none of them."""
        if self.sheet is not None and not self._is_sending:
            self._is_sending, self.stop = True, Stop()
            self._console.operations.start(self._sending(self.sheet))

    async def _sending(self, sheet: Sheet) -> None:
        is_done = False
        self.bar.setMaximum(0)
        self.bar.setFormat("The changes are being stored")
        self.bar.show()
        try:
            with told(self.notice_bar, "Nothing was imported", self.import_button):
                await self._store(sheet)
                is_done = True
        finally:
            self._is_sending = False
            self.bar.hide()
            self._allow()
            if is_done:
                self.accept()

    async def _store(self, sheet: Sheet) -> None:
        changes = [_change(one) for one in sheet.differences]
        try:
            job = partial(change_rules, changes=changes, reason=self.reason.text().strip(), stop=self.stop)
            await self._console.operations.act(job)
        except ChangeRefused as fault:
            if fault.place is None:
                raise
            row = sheet.differences[fault.place].row
            raise ChangeRefused(f"Row {row:,}: {fault.args[0]}", fault.place) from fault

    def reject(self) -> None:
        # what was sent may be done already: the person reads how it ended
        if self._is_sending:
            self.give_up()
        else:
            self.progress.is_cancelled = True
            super().reject()

    def give_up(self) -> None:
        """Ask the database to give up what it stores; what it answers says whether it was in time."""
        if self.stop is not None and not self.stop.is_wanted:
            self.bar.setFormat("The import is being cancelled")
            self._console.operations.start(asyncio.to_thread(self.stop.send))

    # --- words

    def _columns(self) -> tuple[RowColumn[Difference], ...]:
        return (
            RowColumn("Row", lambda one: f"{one.row:,}", 70, key=lambda one: one.row),
            RowColumn("Alarm", lambda one: f"{one.line.tag.key} {one.line.rule.kind}", 170, share=1),
            RowColumn("Changed", lambda one: "; ".join(self._changed_words(one)), 240, share=3),
            RowColumn("To be looked at", lambda one: " ".join(one.doubts), 160, share=2),
        )

    def _changed_words(self, one: Difference) -> list[str]:
        pairs = {**one.settings, **one.record}
        before = {name: old for name, (old, _) in pairs.items()}
        after = {name: new for name, (_, new) in pairs.items()}
        return difference_words(before, after, self._console.room.tags)

    def _difference_tip(self, one: Difference) -> str:
        return "\n".join([*self._changed_words(one), *one.doubts])[:1500]


def _change(one: Difference) -> Change:
    rule = one.line.rule
    # the whole row was looked at: whatever somebody else changed of it meanwhile is told
    settings = {name: (value, value) for name, value in settings_of(rule).items()} | dict(one.settings)
    return Change(Level.RULE, rule.id, settings if one.settings else {}, one.record)


_FAULTS = (
    RowColumn[Fault]("Row", lambda one: f"{one.row:,}", 70, key=lambda one: one.row),
    RowColumn[Fault]("Column", lambda one: one.column, 160),
    RowColumn[Fault]("What is wrong", lambda one: one.words, 300, share=1),
)
