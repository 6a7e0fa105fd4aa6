"""The people: who is on shift, accounts and roles, stations, municipalities; as the signed-in person may see them."""

from functools import partial
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QStackedWidget,
    QTabBar,
    QVBoxLayout,
    QWidget,
)

from control_room.core.errors import ControlRoomError
from control_room.ui.console import Console
from control_room.ui.dialogs.form import FormDialog
from control_room.ui.notice_bar import NoticeBar
from control_room.ui.operations import told
from control_room.ui.people_pages import Deed, Known, Page, make_pages
from control_room.ui.view_spec import Place, ViewSpec
from db.municipalities import list_municipalities
from widgets.palette import Palette

CHOOSE = "Choose a row first."
_READING = "The list is being read."
# several words about people in one moment are one reading
_SOON_MS = 50


class PeopleView(QWidget):
    """Tabs over tables; what a person may not see or do is said in place of a list and in the buttons' tips."""

    def __init__(self, console: Console) -> None:
        """Read nothing before it is shown."""
        super().__init__()
        self._console = console
        self._known = Known()
        self._login = self._present_login()
        self._is_reading = self._is_stale = False
        self.pages = make_pages(console, self._known)
        self.notice_bar = NoticeBar(self)
        self.tabs = QTabBar(self)
        self.tables = QStackedWidget(self)
        self.filter = QLineEdit(self)
        self.refresh_button = QPushButton("Refresh", self)
        self.buttons: list[list[QPushButton]] = [
            [self._button(page, deed) for deed in page.deeds] for page in self.pages
        ]
        self._soon = QTimer(self, singleShot=True, interval=_SOON_MS)
        self._lay_out()
        self._connect()
        self._dress(console.theme.palette)
        self._show_page()

    def _button(self, page: Page[Any], deed: Deed[Any]) -> QPushButton:
        button = QPushButton(deed.title(None), self)
        button.clicked.connect(lambda _=False: self._open(page, deed))
        return button

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(4)
        self.tabs.setExpanding(False)
        self.tabs.setDrawBase(False)
        row.addWidget(self.tabs)
        self.filter.setPlaceholderText("Filter by words")
        self.filter.setClearButtonEnabled(True)
        self.filter.setMinimumWidth(90)
        row.addWidget(self.filter, 1)
        for page, buttons in zip(self.pages, self.buttons, strict=True):
            self.tabs.addTab(page.title)
            self.tables.addWidget(page.table)
            for button in buttons:
                row.addWidget(button)
        row.addWidget(self.refresh_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self.notice_bar)
        column.addWidget(self.tables, 1)
        self.setFocusProxy(self.tabs)

    def _connect(self) -> None:
        self.tabs.currentChanged.connect(self._show_page)
        self.filter.textChanged.connect(self._refilter)
        self.refresh_button.clicked.connect(self.refresh)
        self._soon.timeout.connect(self._read)
        for page in self.pages:
            page.table.chosen_changed.connect(self._allow)
        self._console.shift.changed.connect(self._on_shift)
        # told on the reader's thread, heard on this one
        self._console.live_tags.people_told.connect(self.refresh, Qt.ConnectionType.QueuedConnection)
        self._console.theme.changed.connect(self._dress)

    @property
    def page(self) -> Page[Any]:
        """Return the page in front."""
        return self.pages[self.tabs.currentIndex()]

    def _present_login(self) -> str:
        person = self._console.shift.person
        return person.login if person else ""

    # --- what it shows

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()

    def refresh(self) -> None:
        """Read the list in front anew, soon, when anybody looks at it."""
        if self.isVisible():
            self._soon.start()

    def _on_shift(self) -> None:
        login = self._present_login()
        if login != self._login:
            self._login = login
            self._forget()
        self._show_page()

    def _forget(self) -> None:
        """Leave nothing of what another person may see, nor a dialog that they left open."""
        self._known.places = {}
        self.notice_bar.clear()
        for page in self.pages:
            page.table.show_rows([])
        for dialog in self.findChildren(QDialog):
            dialog.close()

    def _show_page(self) -> None:
        self.tables.setCurrentIndex(self.tabs.currentIndex())
        for page, buttons in zip(self.pages, self.buttons, strict=True):
            for button in buttons:
                button.setVisible(page is self.page)
            if self._why_not(page):
                page.table.show_rows([])
        self.page.table.say_when_empty(self._why_not(self.page) or _READING)
        self._refilter()
        self._allow()
        self.refresh()

    def _refilter(self) -> None:
        self.page.table.use_filter(self.filter.text())

    def _why_not(self, page: Page[Any]) -> str:
        return self._console.shift.why_nowhere(page.right)

    def _allow(self) -> None:
        page, row = self.page, self.page.table.chosen()
        self.refresh_button.setEnabled(not self._is_reading and not self._why_not(page))
        self.refresh_button.setToolTip(self._why_not(page) or "Read the list again")
        for deed, button in zip(page.deeds, self.buttons[self.tabs.currentIndex()], strict=True):
            why = self._console.shift.why_nowhere(deed.right)
            if not why and deed.needs_row:
                why = CHOOSE if row is None else deed.why_not(row)
            button.setText(deed.title(row))
            button.setEnabled(not why)
            button.setToolTip(why or deed.tip)

    def _read(self) -> None:
        if self._why_not(self.page) or not self.isVisible():
            return
        if self._is_reading:
            self._is_stale = True
            return
        self._is_reading = True
        self._console.operations.start(self._reading())

    async def _reading(self) -> None:
        try:
            self._is_stale = True
            while self._is_stale and not self._why_not(self.page):
                self._is_stale = False
                await self._read_page(self.page, self._login)
        finally:
            self._is_reading = False
            self._allow()

    async def _read_page(self, page: Page[Any], login: str) -> None:
        with told(self.notice_bar, f"{page.title}: the list was not read", self.refresh_button):
            try:
                places = await self._console.operations.act(partial(list_municipalities))
                rows = await self._console.operations.act(page.read)
            except ControlRoomError as fault:
                page.table.say_when_empty(f"Not known: {fault}")
                raise
            # what another person asked for is not for this one
            if login == self._login:
                self._known.places = {one.id: one for one in places}
                page.table.show_rows(rows)
                page.table.say_when_empty("Nothing matches the filter." if rows else page.none)

    # --- what a person does

    def _open(self, page: Page[Any], deed: Deed[Any]) -> None:
        self.notice_bar.clear()
        dialog: FormDialog = deed.open(self, page.table.chosen())
        dialog.accepted.connect(self.refresh)
        dialog.open()

    def _dress(self, palette: Palette) -> None:
        for page in self.pages:
            page.table.apply_palette(palette)


SPEC = ViewSpec("people", "People", "people", "Ctrl+6", Place.BOTTOM, PeopleView)
