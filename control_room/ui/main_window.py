"""The main window: alarm banner above, views in docks, the status strip below."""

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QAction, QCloseEvent, QKeySequence, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QMenu, QMenuBar, QTabWidget, QToolBar, QVBoxLayout, QWidget

import resources
from control_room.ui.about import AboutBox
from control_room.ui.console import Console
from control_room.ui.dialogs.sounds import SoundsDialog
from control_room.ui.docks import Dock, arrange, restore_geometry, restore_state, save_layout
from control_room.ui.handbook import HandbookWindow
from control_room.ui.horn import SeatHorn
from control_room.ui.lock_watch import LockWatch
from control_room.ui.notice_bar import NoticeBar
from control_room.ui.shift_button import ShiftButton
from control_room.ui.speaker import Mute, Speaker
from control_room.ui.status_strip import StatusStrip
from control_room.ui.trouble_bar import TroubleBar
from control_room.ui.view_spec import ViewSpec, find_views
from widgets.alarm_banner import AlarmBanner
from widgets.palette import Palette

TITLE = "Control room"
_FIRST_SIZE = QSize(1600, 900)
_WIDE_PX, _ALWAYS_WORDY = 1_800, 5


class MainWindow(QMainWindow):
    """Every view of the seat. `on_close` is told that the person wants to leave; `finish` then closes for good."""

    def __init__(
        self,
        console: Console,
        on_close: Callable[[], None],
        specs: Sequence[ViewSpec] | None = None,
        speaker: Speaker | None = None,
    ) -> None:
        """Make all views; nothing is read or drawn before show(). Without a speaker nothing is heard."""
        super().__init__()
        self._console = console
        self._on_close = on_close
        self._is_finished = False
        self._is_arranged = False
        self._actions: list[tuple[QAction, str]] = []
        self._view_buttons: list[QWidget] = []
        self.handbook: HandbookWindow | None = None
        self.about: AboutBox | None = None
        self.sounds: SoundsDialog | None = None
        self.horn = SeatHorn(console.alarms, console.settings, speaker or Mute(), self)
        self.setWindowTitle(TITLE)
        self.setDockNestingEnabled(True)
        self.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.views: dict[str, QWidget] = {}
        self.docks: dict[str, Dock] = {}
        self._make_views(find_views() if specs is None else specs)
        self._make_head()
        self.strip = StatusStrip(console.room, self)
        self.statusBar().setSizeGripEnabled(False)
        self.statusBar().addWidget(self.strip, 1)
        self._connect()
        self._dress(console.theme.palette)
        if not restore_geometry(self, console.settings):
            self.resize(_FIRST_SIZE.boundedTo(self.screen().availableSize()))
        self._second = QTimer(self, interval=1000)
        self._second.timeout.connect(self._tick)

    # --- what it is made of

    def _make_views(self, specs: Sequence[ViewSpec]) -> None:
        for spec in specs:
            view = spec.make(self._console)
            self.views[spec.key] = view
            self.docks[spec.key] = Dock(spec, view, self._console.theme, self)

    def _make_head(self) -> None:
        head = QWidget(self)
        self.banner = AlarmBanner(head)
        self.trouble_bar = TroubleBar(self._console.room, head)
        self.notice_bar = NoticeBar(head)
        self._tools = QToolBar(head)
        self._tools.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        first = QHBoxLayout()
        first.setContentsMargins(0, 0, 6, 0)
        first.addWidget(self._make_menus(head), 0, Qt.AlignmentFlag.AlignVCenter)
        first.addStretch(1)
        first.addWidget(self._tools)
        self.shift_button = ShiftButton(self._console, head)
        first.addWidget(self.shift_button)
        column = QVBoxLayout(head)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(first)
        for widget in (self.banner, self.trouble_bar, self.notice_bar):
            column.addWidget(widget)
        self.setMenuWidget(head)

    def _make_menus(self, parent: QWidget) -> QMenuBar:
        bar = QMenuBar(parent)
        room_menu = bar.addMenu("&Room")
        silence = self._add(room_menu, "&Silence the horn", "silence", QKeySequence("F8"), self.silence)
        self._add(room_menu, "&Horn…", "", QKeySequence(), self.open_sounds)
        room_menu.addSeparator()
        self._add(room_menu, "&Close the control room", "", QKeySequence("Ctrl+Q"), self.close)
        view_menu = bar.addMenu("&View")
        for key, dock in self.docks.items():
            keys = QKeySequence(dock.spec.shortcut)
            act = self._add(view_menu, dock.spec.title, dock.spec.icon, keys, partial(self.bring, key))
            self._tools.addAction(act)
            self._view_buttons.append(self._tools.widgetForAction(act))
        view_menu.addSeparator()
        self._add(view_menu, "First &layout again", "layout", QKeySequence(), self.arrange_again)
        theme = self._add(view_menu, "Day or &night", "theme", QKeySequence("Ctrl+T"), self._console.theme.toggle)
        full = self._add(view_menu, "&Full screen", "full_screen", QKeySequence("F11"), self._toggle_full_screen)
        help_menu = bar.addMenu("&Help")
        book = self._add(help_menu, "&Handbook", "handbook", QKeySequence("F1"), self.open_handbook)
        self._add(help_menu, "&About", "about", QKeySequence(), self.open_about)
        self._tools.addSeparator()
        for act in (silence, theme, full, book):
            self._tools.addAction(act)
            button = self._tools.widgetForAction(act)
            button.setProperty("toolButtonStyle", Qt.ToolButtonStyle.ToolButtonIconOnly)
        return bar

    def _add(self, menu: QMenu, text: str, icon: str, keys: QKeySequence, act: Callable[[], object]) -> QAction:
        action = QAction(text, self)
        action.setShortcut(keys)
        plain = text.replace("&", "")
        action.setToolTip(f"{plain} ({keys.toString()})" if not keys.isEmpty() else plain)
        action.triggered.connect(lambda _=False: act())
        menu.addAction(action)
        self.addAction(action)
        if icon:
            self._actions.append((action, icon))
        return action

    def _connect(self) -> None:
        console = self._console
        jumps = console.jumps
        jumps.trend_wanted.connect(lambda _: self.bring("trends"))
        jumps.stretch_wanted.connect(lambda *_: self.bring("trends"))
        # before the view opens the dialog: what is brought to the front must not cover it
        jumps.rule_wanted.connect(lambda _: self.bring("rules"))
        jumps.map_wanted.connect(lambda _: self.bring("map"))
        jumps.alarms_wanted.connect(lambda *_: self.bring("alarms"))
        jumps.alarm_wanted.connect(lambda _: self.bring("alarms"))
        jumps.work_wanted.connect(lambda _: self.bring("planned_work"))
        jumps.notice_wanted.connect(self.notice_bar.say)
        jumps.tree_wanted.connect(lambda _: self.bring("navigation"))
        self.banner.alarm_clicked.connect(jumps.alarm_wanted)
        self.banner.board_wanted.connect(lambda: self.bring("alarms"))
        self.strip.links_wanted.connect(lambda: self.bring("connections"))
        self.strip.horn_wanted.connect(self.open_sounds)
        self.horn.changed.connect(self._show_horn)
        self._show_horn()
        console.alarms.changed.connect(self.banner.change)
        self.banner.change(console.alarms.rows.values(), [])
        for news in (console.room.status_changed, console.room.alarms_changed, console.room.configuration_changed):
            news.connect(self._show_trouble)
        console.blink.changed.connect(self.banner.set_blink)
        console.shift.ended.connect(self.notice_bar.say)
        self._lock_watch = LockWatch(console, self)
        self._lock_watch.locked.connect(self.notice_bar.say)
        console.theme.changed.connect(self._dress)
        self._show_trouble()

    # --- what a person does

    def bring(self, key: str) -> None:
        """Show a view and bring it to the front."""
        dock = self.docks.get(key)
        if dock is None:
            return
        dock.show()
        dock.raise_()
        self.views[key].setFocus()

    def arrange_again(self) -> None:
        """Put every view back where it stands in the first layout."""
        arrange(self, self.docks, self.width(), self.height())

    def silence(self) -> None:
        """Silence the horn; nothing is acknowledged by that."""
        self.horn.silence()

    def open_sounds(self) -> None:
        """Show the horn's dialog."""
        self.sounds = self.sounds or SoundsDialog(self, self.horn)
        self.sounds.show()
        self.sounds.raise_()

    def open_handbook(self) -> None:
        """Show the handbook in a window of its own."""
        if self.handbook is None:
            self.handbook = HandbookWindow(resources.FOLDER / "handbook", self._console.theme)
        self.handbook.show()
        self.handbook.raise_()
        self.handbook.activateWindow()

    def open_about(self) -> None:
        """Say what this is and which version."""
        self.about = self.about or AboutBox(self)
        self.about.open()

    def show_failure(self, words: str, details: str) -> None:
        """Show a notice of the error doors."""
        self.notice_bar.show_details(words, details)

    def finish(self) -> None:
        """Close for good: after this no view asks for anything any more."""
        self._is_finished = True
        self._second.stop()
        self._console.blink.stop()
        for window in (self.handbook, self.about):
            if window is not None:
                window.close()
                window.deleteLater()
        self.close()

    # --- what Qt and time do

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._is_arranged:
            self._is_arranged = True
            arrange(self, self.docks, self.width(), self.height())
            restore_state(self, self._console.settings)
            # not into a field: a key pressed by chance must do nothing
            QTimer.singleShot(0, next(iter(self.views.values())).setFocus)
        self._second.start()
        self._console.blink.start()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # no button leaves a narrow window: those of the views after the first ones lose their words
        for number, button in enumerate(self._view_buttons):
            is_wordy = self.width() >= _WIDE_PX or number < _ALWAYS_WORDY
            style = Qt.ToolButtonStyle.ToolButtonTextBesideIcon if is_wordy else Qt.ToolButtonStyle.ToolButtonIconOnly
            button.setProperty("toolButtonStyle", style)

    def closeEvent(self, event: QCloseEvent) -> None:
        save_layout(self, self._console.settings)
        if self._is_finished:
            event.accept()
            return
        # whoever built the room closes it in order and calls finish()
        event.ignore()
        self._on_close()

    def _tick(self) -> None:
        room = self._console.room
        room.tick()
        self.horn.watch(room.trouble if room.is_configured else None, room.now())
        self.strip.refresh()
        self.trouble_bar.refresh()
        self.shift_button.tick()

    def _show_horn(self) -> None:
        self.strip.show_horn(*self.horn.state())

    def _show_trouble(self) -> None:
        self.trouble_bar.refresh()
        self.banner.set_known(self._console.room.knows_alarms)

    def _toggle_full_screen(self) -> None:
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def _dress(self, palette: Palette) -> None:
        for action, name in self._actions:
            action.setIcon(self._console.theme.icon(name))
        for dock in self.docks.values():
            dock.dress(self._console.theme)
        for part in (self.banner, self.strip, self.trouble_bar):
            part.apply_palette(palette)
