"""The journal: everything that ever happened to alarms, searched and read page by page, exported."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QLabel, QMenu, QPushButton, QVBoxLayout, QWidget

from control_room.core.access import Action
from control_room.core.errors import ControlRoomError
from control_room.ui.console import Console
from control_room.ui.export import note_of
from control_room.ui.export_row import ExportRow
from control_room.ui.journal_export import journal_pages
from control_room.ui.journal_filter import JournalFilterBar
from control_room.ui.journal_words import TITLES, happening_words, place_words, tip, value_words
from control_room.ui.notice_bar import NoticeBar
from control_room.ui.operations import told
from control_room.ui.replay_window import ReplayWindow
from control_room.ui.view_spec import Place, ViewSpec
from control_room.ui.words import local
from db.journal_search import PAGE, JournalFilter, JournalRow, search_journal
from widgets.row_table import RowColumn, RowTable

# what wakes the board wakes the journal, at most so often
NEWS_MS = 1000
_READING = "The journal is being read."
_EXPORT = "Write every row that the filter matches into a CSV or XLSX file; the audit notes it"
_REPLAY = "Play the period of the area again on a board of its own"
_NO_REPLAY = "A replay needs a period that begins: choose one."
_NOTHING = "Nothing in the journal matches the filter."


class JournalView(QWidget):
    """Filter and table; never asks a second question before the first is answered, and then only the newest."""

    def __init__(self, console: Console) -> None:
        """Read nothing before it is shown."""
        super().__init__()
        self._console = console
        self._is_reading = self._is_stale = False
        # the pages from the newest to the one in front, each by the number of the row that comes before it
        self._pages: list[int | None] = [None]
        self._has_older = False
        self.filter = JournalFilterBar(console.room.now, self)
        self.notice_bar = NoticeBar(self)
        self.table: RowTable[JournalRow] = RowTable(
            self._columns(), lambda one: one.id, tip=self._tip, is_sortable=False, parent=self
        )
        self.table.say_when_empty(_READING)
        self.export_row = ExportRow(("row", "rows"), self)
        self._make_controls()
        self._lay_out()
        self._connect()
        self.table.apply_palette(console.theme.palette)
        self._configured()
        self._allow()

    # --- what it is made of

    def _columns(self) -> Sequence[RowColumn[JournalRow]]:
        room = self._console.room
        return (
            RowColumn("Time", lambda one: local(one.commit_time), 162),
            RowColumn("Happening", lambda one: happening_words(one.happening), 130),
            RowColumn("P", lambda one: str(one.priority), 30),
            RowColumn("Place", lambda one: place_words(one, room.municipalities), 150, 4),
            RowColumn("Tag", lambda one: one.tag_name, 110, 2),
            RowColumn("Alarm", lambda one: one.message, 120, 4),
            RowColumn("Value", lambda one: value_words(one, room.tags), 90),
            RowColumn("Person", lambda one: one.person, 90, 1),
            RowColumn("Comment", lambda one: one.comment, 120, 4),
        )

    def _tip(self, row: JournalRow) -> str:
        room = self._console.room
        return tip(row, room.municipalities, room.tags)

    def _make_controls(self) -> None:
        self.count = QLabel(self)
        self.count.setProperty("role", "label")
        self.newer_button = self._button("Newer", "Show the page of newer rows", self.show_newer)
        self.older_button = self._button("Older", "Show the page of older rows", self.show_older)
        self.refresh_button = self._button("Refresh", "Show the newest rows", self.show_newest)
        self.export_button = self._button("Export…", _EXPORT, self.ask_where)
        self.replay_button = self._button("Replay…", _REPLAY, self.open_replay)
        self.new_button = self._button(
            "", "Show what came since; until then what you read stays where it is", self.show_newest
        )
        self.new_button.hide()
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._news = QTimer(self, singleShot=True, interval=NEWS_MS)

    def _button(self, title: str, words: str, act: object) -> QPushButton:
        button = QPushButton(title, self)
        button.setToolTip(words)
        button.clicked.connect(act)
        return button

    def _lay_out(self) -> None:
        for widget in (self.newer_button, self.count, self.older_button, self.refresh_button, self.new_button):
            self.filter.more.addWidget(widget)
        for widget in (self.export_button, self.replay_button):
            self.filter.more.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(4)
        for part in (self.filter, self.export_row, self.notice_bar):
            column.addWidget(part)
        column.addWidget(self.table, 1)
        self.setFocusProxy(self.table)

    def _connect(self) -> None:
        self._soon.timeout.connect(self._read)
        self._news.timeout.connect(self._look)
        self._console.room.alarms_changed.connect(self._on_news)
        self.filter.changed.connect(self.show_newest)
        self._console.room.configuration_changed.connect(self._configured)
        self._console.theme.changed.connect(self.table.apply_palette)
        self._console.shift.changed.connect(self._allow)
        self.table.activated.connect(lambda _: self._jump("trend"))
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.customContextMenuRequested.connect(self._open_menu)

    # --- ways to elsewhere

    def _configured(self) -> None:
        self.filter.show_areas(self._console.room.configuration)

    def _open_menu(self, place: QPoint) -> None:
        if self.table.chosen() is not None:
            self.menu().popup(self.table.viewport().mapToGlobal(place))

    def menu(self) -> QMenu:
        """Return what may be looked at of the chosen row."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Open trend", partial(self._jump, "trend"))
        menu.addAction("Show on map", partial(self._jump, "map"))
        menu.addAction("Show on the board", partial(self._jump, "board"))
        return menu

    def _jump(self, where: str) -> None:
        chosen, jumps, room = self.table.chosen(), self._console.jumps, self._console.room
        if chosen is None:
            return
        if chosen.tag_id not in room.tags:
            self.notice_bar.say(f"{chosen.tag_name} is retired: its history is all that is left.")
        elif where == "trend":
            jumps.trend_wanted.emit([chosen.tag_id])
        elif where == "map":
            jumps.map_wanted.emit(chosen.tag_id)
        else:
            jumps.alarms_wanted.emit([chosen.tag_id], chosen.tag_name)

    # --- pages

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._read_soon()

    def show_newest(self) -> None:
        """Read the newest page of what is wanted."""
        self._pages = [None]
        self.table.clearSelection()
        self._read_soon()

    def show_older(self) -> None:
        """Read the page that comes after this one."""
        if self._has_older and not self._is_reading:
            self._pages.append(self.table.rows[-1].id)
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
        self._is_stale = True
        if not self._is_reading:
            self._is_reading = True
            self._console.operations.start(self._reading())

    async def _reading(self) -> None:
        try:
            while self._is_stale:
                self._is_stale = False
                self.count.setText("reading …")
                with told(self.notice_bar, "The journal was not read"):
                    await self._read_page(self.filter.wanted(), tuple(self._pages))
        finally:
            self._is_reading = False
            self._allow()

    async def _read_page(self, wanted: JournalFilter, pages: tuple[int | None, ...]) -> None:
        job = partial(search_journal, wanted=wanted, before=pages[-1], limit=PAGE + 1)
        try:
            rows = await self._console.operations.read(job)
        except ControlRoomError as fault:
            self.table.say_when_empty(f"Not known: {fault}")
            self.count.setText("not known")
            raise
        # what was asked meanwhile comes next
        if not self._is_stale:
            self._show(rows, len(pages) - 1)

    def _show(self, rows: Sequence[JournalRow], page: int) -> None:
        self._has_older = len(rows) > PAGE
        self.new_button.hide()
        self.table.show_rows(rows[:PAGE])
        self.table.say_when_empty(_NOTHING)
        self.table.scrollToTop()
        first = PAGE * page + 1
        last = first + len(self.table.rows) - 1
        self.count.setText(f"{first:,}–{last:,}" if rows else "none")
        self._allow()

    # --- what comes while it is open

    def _on_news(self) -> None:
        if self.isVisible() and not self._news.isActive():
            self._news.start()

    def _shows_present(self) -> bool:
        end = self.filter.wanted().end
        return self._pages == [None] and (end is None or end > self._console.room.now())

    def _look(self) -> None:
        if self._is_reading:
            self._news.start()
        elif self.isVisible() and self._shows_present():
            self._is_reading = True
            self._console.operations.start(self._looking())

    async def _looking(self) -> None:
        rows: Sequence[JournalRow] = ()
        job = partial(search_journal, wanted=self.filter.wanted(), before=None, limit=PAGE + 1)
        # that the database is away is told by the trouble bar; when it is back the alarms are news
        try:
            with suppress(ControlRoomError):
                rows = await self._console.operations.read(job)
        finally:
            self._is_reading = False
        if self._is_stale:
            # the person asked for something else meanwhile
            self._read()
        elif self._shows_present():
            self._take_news(rows)

    def _take_news(self, rows: Sequence[JournalRow]) -> None:
        newest = self.table.rows[0].id if self.table.rows else 0
        many = sum(row.id > newest for row in rows)
        is_being_read = self.table.chosen() is not None or self.table.verticalScrollBar().value() > 0
        if many and not is_being_read:
            self._show(rows, 0)
        elif many:
            self.new_button.setText(f"{PAGE:,}+ new" if many > PAGE else f"{many:,} new")
            self.new_button.show()

    def _allow(self) -> None:
        self.newer_button.setEnabled(len(self._pages) > 1)
        self.older_button.setEnabled(self._has_older)
        why = self._console.shift.why_nowhere(Action.VIEW)
        self.export_button.setEnabled(self.export_row.progress is None and not why)
        self.export_button.setToolTip(why or _EXPORT)
        has_start = self.filter.wanted().start is not None
        self.replay_button.setEnabled(has_start)
        self.replay_button.setToolTip(_REPLAY if has_start else _NO_REPLAY)

    # --- the replay

    def open_replay(self) -> None:
        """Open a board of its own that plays the period and the area of the filter."""
        wanted = self.filter.wanted()
        if wanted.start is not None and not self.filter.period.is_empty:
            end = wanted.end or self._console.room.now()
            ReplayWindow(self, self._console, replace(wanted, end=end)).show()

    # --- the export

    def ask_where(self) -> None:
        """Ask for a file, then export."""
        name = f"journal-{self._console.room.now().astimezone():%Y%m%d-%H%M}"
        self.export_row.ask("Export the journal", name, self.export_to)

    def export_to(self, path: Path) -> None:
        """Write everything that the filter matches now."""
        self._console.operations.start(self._exporting(path))

    async def _exporting(self, path: Path) -> None:
        if self.export_row.progress is not None:
            return
        room = self._console.room
        try:
            with told(self.notice_bar, "Nothing was exported", self.export_button), self.export_row.busy():
                wanted, operations = self.filter.wanted(), self._console.operations
                pages = journal_pages(operations.read, wanted, room.municipalities, room.tags)
                note = note_of(operations, "journal", asdict(wanted))
                self.notice_bar.say(await self.export_row.write(TITLES, pages, path, note))
        finally:
            self._allow()


SPEC = ViewSpec("journal", "Journal", "journal", "Ctrl+8", Place.BOTTOM, JournalView)
