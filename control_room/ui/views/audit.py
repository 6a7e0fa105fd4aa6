"""The audit: who did what, filtered and page by page, with what changed, an export and the check of the chain."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from control_room.core.access import Action
from control_room.core.errors import ControlRoomError, Refused
from control_room.ui.audit_export import Act, audit_pages
from control_room.ui.audit_filter import AuditFilterBar
from control_room.ui.audit_words import TITLES, action_words, chain_words, detail, municipality_words, outcome, tip
from control_room.ui.console import Console
from control_room.ui.export import note_of
from control_room.ui.export_row import ExportRow
from control_room.ui.notice_bar import NoticeBar
from control_room.ui.operations import told
from control_room.ui.people_words import Places
from control_room.ui.view_spec import Place, ViewSpec
from control_room.ui.words import local
from db.audit import PAGE, AuditEntry, read_audit, verify_audit
from db.municipalities import list_municipalities
from widgets.palette import Palette
from widgets.row_table import RowColumn, RowTable

_READING = "The audit is being read."
_NOTHING = "No entry matches the filter."
_DETAIL_PX = 340
_BUTTON_PAD_PX = 20
# a narrower view has no room for the detail beside the table: the tips say it, or the person opens it
_WIDE_PX = 1300


class AuditView(QWidget):
    """Filter, table and detail; reads as the signed-in person, who sees only what they may."""

    def __init__(self, console: Console) -> None:
        """Read nothing before it is shown."""
        super().__init__()
        self._console = console
        self._places: Places = {}
        self._login = self._present_login()
        self._is_reading = self._is_stale = False
        # the pages from the newest to the one in front, each by the time of the entry that comes before it
        self._pages: list[datetime | None] = [None]
        self._has_older = False
        self._is_detail_chosen = False
        self.filter = AuditFilterBar(console.room.now, self)
        self.notice_bar = NoticeBar(self)
        self.table: RowTable[AuditEntry] = RowTable(self._columns(), lambda one: one.hash, tip=tip, is_sortable=False)
        self._make_controls()
        self._lay_out()
        self._connect()
        self._dress(console.theme.palette)
        self._on_shift()

    # --- what it is made of

    def _columns(self) -> Sequence[RowColumn[AuditEntry]]:
        return (
            RowColumn("Time", lambda one: local(one.time), 162),
            RowColumn("Person", lambda one: one.person, 84, 1),
            RowColumn("Station", lambda one: one.station, 76, 1),
            RowColumn("Address", lambda one: one.address, 92, 1),
            RowColumn("Action", lambda one: action_words(one.action), 110, 1),
            RowColumn("Object", lambda one: one.object, 96, 2),
            RowColumn("Municipality", lambda one: municipality_words(one, self._places), 110, 4),
            RowColumn("Outcome", outcome, 84),
            RowColumn("Reason", lambda one: one.reason, 130, 6),
        )

    def _make_controls(self) -> None:
        self.count = QLabel(self)
        self.count.setProperty("role", "label")
        self.newer_button = self._button("Newer", "Show the page of newer entries", self.show_newer)
        self.older_button = self._button("Older", "Show the page of older entries", self.show_older)
        self.refresh_button = self._button("Refresh", "Show the newest entries", self.show_newest)
        self.detail_button = self._button(
            "Detail", "Show the chosen entry with old and new values", self._toggle_detail
        )
        self.detail_button.setCheckable(True)
        self.verify_button = self._button(
            "Verify chain", "Check that no entry was changed, removed or added afterwards", self.verify
        )
        self.export_button = self._button(
            "Export…", "Write every entry that the filter matches into a file", self.ask_where
        )
        self.detail = QPlainTextEdit(self)
        self.detail.setReadOnly(True)
        self.detail.setPlaceholderText("Choose an entry.")
        self.export_row = ExportRow(("entry", "entries"), self)
        self._soon = QTimer(self, singleShot=True, interval=0)

    def _button(self, title: str, words: str, act: object) -> QPushButton:
        button = QPushButton(title, self)
        button.setToolTip(words)
        button.setProperty("words", words)
        # the style's least width leaves a narrow row no room
        button.setMaximumWidth(button.fontMetrics().horizontalAdvance(title) + _BUTTON_PAD_PX)
        button.clicked.connect(act)
        return button

    def _lay_out(self) -> None:
        for widget in (
            self.newer_button,
            self.count,
            self.older_button,
            self.refresh_button,
            self.detail_button,
            self.verify_button,
            self.export_button,
        ):
            self.filter.row.addWidget(widget)
        self.split = QSplitter(Qt.Orientation.Horizontal, self)
        self.split.addWidget(self.table)
        self.split.addWidget(self.detail)
        self.split.setStretchFactor(0, 1)
        self.split.setChildrenCollapsible(False)
        self.split.setSizes([900, _DETAIL_PX])
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(4)
        for part in (self.filter, self.export_row, self.notice_bar):
            column.addWidget(part)
        column.addWidget(self.split, 1)
        self.setFocusProxy(self.table)

    def _connect(self) -> None:
        self._soon.timeout.connect(self._read)
        self.filter.changed.connect(self.show_newest)
        self.table.chosen_changed.connect(self._show_detail)
        self._console.shift.changed.connect(self._on_shift)
        self._console.theme.changed.connect(self._dress)

    # --- what it shows

    def _present_login(self) -> str:
        person = self._console.shift.person
        return person.login if person else ""

    def _why_not(self) -> str:
        return self._console.shift.why_nowhere(Action.READ_AUDIT)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._read_soon()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if not self._is_detail_chosen:
            self.detail_button.setChecked(self.width() >= _WIDE_PX)
            self.detail.setVisible(self.detail_button.isChecked())

    def _toggle_detail(self) -> None:
        self._is_detail_chosen = True
        self.detail.setVisible(self.detail_button.isChecked())

    def _on_shift(self) -> None:
        login = self._present_login()
        if login != self._login or self._why_not():
            self._login = login
            self._forget()
        self._allow()
        self._read_soon()

    def _forget(self) -> None:
        """Leave nothing of what another person may see."""
        self._places, self._pages, self._has_older = {}, [None], False
        self.export_row.cancel()
        self.notice_bar.clear()
        self.table.show_rows([])
        self.count.clear()
        self.table.say_when_empty(self._why_not() or _READING)

    def _allow(self) -> None:
        why = self._why_not()
        is_exporting = self.export_row.progress is not None
        for button, is_possible in (
            (self.newer_button, len(self._pages) > 1),
            (self.older_button, self._has_older),
            (self.refresh_button, True),
            (self.verify_button, True),
            (self.export_button, not is_exporting),
        ):
            button.setEnabled(is_possible and not why)
            button.setToolTip(why or button.property("words"))

    def _show_detail(self) -> None:
        chosen = self.table.chosen()
        self.detail.setPlainText(detail(chosen, self._places) if chosen else "")

    # --- pages

    def show_newest(self) -> None:
        """Read the newest page of what is wanted."""
        self._pages = [None]
        self._read_soon()

    def show_older(self) -> None:
        """Read the page that comes after this one."""
        if self._has_older:
            self._pages.append(self.table.rows[-1].time)
            self._read_soon()

    def show_newer(self) -> None:
        """Read the page that comes before this one."""
        if len(self._pages) > 1:
            self._pages.pop()
            self._read_soon()

    def _read_soon(self) -> None:
        if self.isVisible():
            self._soon.start()

    def _read(self) -> None:
        if self._why_not():
            return
        self._is_stale = True
        if not self._is_reading:
            self._is_reading = True
            self._console.operations.start(self._reading())

    async def _reading(self) -> None:
        controls = (self.refresh_button, self.older_button, self.newer_button)
        try:
            while self._is_stale and not self._why_not():
                self._is_stale = False
                with told(self.notice_bar, "The audit was not read", *controls):
                    await self._read_page(self._login)
        finally:
            self._is_reading = False
            self._allow()

    async def _read_page(self, login: str) -> None:
        act = self._console.operations.act
        try:
            places = await act(partial(list_municipalities))
            job = partial(read_audit, wanted=self.filter.wanted(), before=self._pages[-1], limit=PAGE + 1)
            rows = await act(job)
        except ControlRoomError as fault:
            self.table.say_when_empty(f"Not known: {fault}")
            raise
        # what another person asked for is not for this one
        if login == self._login:
            self._places = {one.id: one for one in places}
            self._show(rows)

    def _show(self, rows: Sequence[AuditEntry]) -> None:
        self._has_older = len(rows) > PAGE
        self.table.show_rows(rows[:PAGE])
        self.table.say_when_empty(_NOTHING)
        self.table.scrollToTop()
        self.filter.note_actions(rows)
        first = PAGE * (len(self._pages) - 1) + 1
        last = first + len(self.table.rows) - 1
        self.count.setText(f"{first:,}–{last:,}" if rows else "none")
        self.count.setToolTip(
            f"Entries {first:,} to {last:,} of what the filter matches, the newest first" if rows else ""
        )

    # --- the chain

    def verify(self) -> None:
        """Check the chain of the whole database."""
        self._console.operations.start(self._verifying())

    async def _verifying(self) -> None:
        try:
            with told(self.notice_bar, "The chain was not checked", self.verify_button):
                words = chain_words(await self._console.operations.act(partial(verify_audit)))
                self.notice_bar.show_details(words, words)
        finally:
            self._allow()

    # --- the export

    def ask_where(self) -> None:
        """Ask for a file, then export."""
        name = f"audit-{self._console.room.now().astimezone():%Y%m%d-%H%M}"
        self.export_row.ask("Export the audit", name, self.export_to)

    def export_to(self, path: Path) -> None:
        """Write everything that the filter matches now."""
        self._console.operations.start(self._exporting(path))

    async def _exporting(self, path: Path) -> None:
        if self.export_row.progress is not None:
            return
        try:
            with told(self.notice_bar, "Nothing was exported", self.export_button), self.export_row.busy():
                wanted = self.filter.wanted()
                note = note_of(self._console.operations, "audit", asdict(wanted))
                pages = audit_pages(self._act_as(self._login), wanted, self._places)
                self.notice_bar.say(await self.export_row.write(TITLES, pages, path, note))
        finally:
            self._allow()

    def _act_as(self, login: str) -> Act:
        async def act(job: partial[list[AuditEntry]]) -> list[AuditEntry]:
            if login != self._login:
                raise Refused("The person at this station has changed.")
            return await self._console.operations.act(job)

        return act

    def _dress(self, palette: Palette) -> None:
        self.table.apply_palette(palette)


SPEC = ViewSpec("audit", "Audit", "audit", "Ctrl+7", Place.BOTTOM, AuditView)
