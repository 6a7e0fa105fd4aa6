"""The replay: a board of its own that plays a period of the journal again, to look at and not to act upon."""

from collections.abc import Sequence, Set
from datetime import datetime, timedelta

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QDialog, QFrame, QHBoxLayout, QLabel, QPushButton, QSlider, QTabBar, QVBoxLayout, QWidget

from control_room.core.alarms import AlarmState
from control_room.core.errors import ControlRoomError
from control_room.core.replay import Replay
from control_room.core.tags import Tag
from control_room.ui.console import Console
from control_room.ui.journal_words import happening_words
from control_room.ui.notice_bar import NoticeBar
from control_room.ui.period_choice import choice_box
from control_room.ui.replay_reading import made_ready, read_rows, tag_of
from control_room.ui.words import local, municipality_name
from db.journal_search import JournalFilter, JournalRow
from widgets.alarm_model import NOW, AlarmFilter, AlarmRow
from widgets.alarm_table import AlarmTable

TICK_MS = 100
# so many seconds of then in one of now
SPEEDS = (1, 10, 60, 600, 3600)
_SHELVES = (
    (None, "Alarms"),
    (AlarmState.SHELVED, "Shelved"),
    (AlarmState.SUPPRESSED_BY_DESIGN, "Suppressed"),
    (AlarmState.OUT_OF_SERVICE, "Out of service"),
)
_SIZE_PX = (1180, 620)
# the coloured edge, as wide as the theme makes it
_EDGE_PX, _PAD_PX = 5, 5
_TOLD = 200


class ReplayWindow(QDialog):
    """Band, slider and board. It reads once as it opens; nothing of the present ever reaches it."""

    def __init__(self, parent: QWidget, console: Console, wanted: JournalFilter) -> None:
        """Play the area and the period of `wanted`, which begins and ends."""
        super().__init__(parent)
        assert wanted.start is not None
        assert wanted.end is not None
        self._console, self._wanted = console, wanted
        self.start, self.end = wanted.start, wanted.end
        self.time: datetime = self.start
        self._replay = Replay([])
        self._tags: dict[int, Tag] = {}
        self._is_open = True
        self.setWindowTitle("Replay")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(*_SIZE_PX)
        self.table = AlarmTable(lambda _: None, lambda: self.time, self)
        self.table.left_out = frozenset({NOW})
        self.table.say_when_empty("The period is being read")
        self.notice_bar = NoticeBar(self)
        self._make_controls()
        self._lay_out()
        self._connect()
        self.table.apply_palette(console.theme.palette)
        self._allow()
        console.operations.start(self._read())

    # --- what it is made of

    def _make_controls(self) -> None:
        self.band = QLabel(f"REPLAY    not the present    {local(self.start)} to {local(self.end)}", self)
        self.band.setObjectName("replay_band")
        self.band.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.clock = QLabel(self)
        self.newest = QLabel(self)
        self.newest.setTextFormat(Qt.TextFormat.PlainText)
        self.newest.setMinimumWidth(50)
        self.play_button = self._button("Play", "Play or pause (Space)", self.play_or_pause)
        self.previous_button = self._button("Previous", "Go to what happened before (Ctrl+Left)", self.go_back)
        self.next_button = self._button("Next", "Go to what happens next (Ctrl+Right)", self.go_on)
        self.speed = choice_box(self, 6, *(f"{speed:,} ×" for speed in SPEEDS))
        self.speed.setCurrentIndex(SPEEDS.index(60))
        self.speed.setToolTip("How many seconds of then go by in one second")
        self.slider = QSlider(Qt.Orientation.Horizontal, self)
        whole_s = max(1, round((self.end - self.start).total_seconds()))
        self.slider.setRange(0, whole_s)
        self.slider.setSingleStep(max(1, whole_s // 500))
        self.slider.setPageStep(max(1, whole_s // 20))
        self.shelves = QTabBar(self, shape=QTabBar.Shape.RoundedSouth, expanding=False, drawBase=False)
        for _, title in _SHELVES:
            self.shelves.addTab(title)
        self._timer = QTimer(self, interval=TICK_MS)

    def _button(self, title: str, words: str, act: object) -> QPushButton:
        button = QPushButton(title, self)
        button.setToolTip(words)
        # Enter belongs to nothing here, and the space bar plays
        button.setAutoDefault(False)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(act)
        return button

    def _lay_out(self) -> None:
        frame = QFrame(self)
        frame.setObjectName("replay_frame")
        around = QVBoxLayout(self)
        around.setContentsMargins(0, 0, 0, 0)
        around.addWidget(frame)
        row = QHBoxLayout()
        for widget, stretch in (
            (self.play_button, 0),
            (self.previous_button, 0),
            (self.next_button, 0),
            (self.speed, 0),
            (self.slider, 1),
            (self.clock, 0),
        ):
            row.addWidget(widget, stretch)
        foot = QHBoxLayout()
        foot.addWidget(self.shelves)
        foot.addWidget(self.newest, 1, Qt.AlignmentFlag.AlignRight)
        inner = QVBoxLayout()
        inner.setContentsMargins(_PAD_PX, _PAD_PX, _PAD_PX, _PAD_PX)
        inner.addWidget(self.notice_bar)
        inner.addLayout(row)
        inner.addWidget(self.table, 1)
        inner.addLayout(foot)
        column = QVBoxLayout(frame)
        column.setContentsMargins(_EDGE_PX, 0, _EDGE_PX, _EDGE_PX)
        column.setSpacing(0)
        column.addWidget(self.band)
        column.addLayout(inner)

    def _connect(self) -> None:
        self._timer.timeout.connect(self._tick)
        self.slider.valueChanged.connect(self._on_slider)
        self.shelves.currentChanged.connect(self._refilter)
        self.finished.connect(self._stop)
        self._console.theme.changed.connect(self.table.apply_palette)
        for keys, act in (("Space", self.play_or_pause), ("Ctrl+Left", self.go_back), ("Ctrl+Right", self.go_on)):
            QShortcut(QKeySequence(keys), self).activated.connect(act)

    def _stop(self) -> None:
        self._is_open = False
        self._timer.stop()

    # --- reading

    async def _read(self) -> None:
        try:
            rows = await read_rows(self._console.operations.read, self._wanted, self._tell)
        except ControlRoomError as fault:
            if self._is_open:
                self.table.say_when_empty("The period is not known")
                self.notice_bar.show_fault("There is no replay", fault)
            return
        replay = await made_ready(rows, self._console.room.rules)
        if self._is_open:
            self._take(rows, replay)

    def _tell(self, count: int) -> bool:
        if self._is_open:
            self.table.say_when_empty(f"The period is being read: {count:,} rows")
        return self._is_open

    def _take(self, rows: Sequence[JournalRow], replay: Replay) -> None:
        tags = self._console.room.tags
        self._tags = {row.rule_id: tag_of(row, tags) for row in {row.rule_id: row for row in rows}.values()}
        self._replay = replay
        nothing = (
            "No alarms at this moment" if rows else "Nothing happened in the period, and nothing stood at its beginning"
        )
        self.table.say_when_empty(nothing)
        self.go_to(self.start)

    # --- where it stands

    def go_to(self, time: datetime) -> None:
        """Show the board as it was at a moment of the period; a moment outside means the nearest one."""
        self.time = min(max(time, self.start), self.end)
        self._show(self._replay.seek(self.time))
        self.slider.blockSignals(True)
        self.slider.setValue(round((self.time - self.start).total_seconds()))
        self.slider.blockSignals(False)
        self._say()
        self._allow()

    def _on_slider(self, seconds: int) -> None:
        self.go_to(self.start + timedelta(seconds=seconds))

    def go_on(self) -> None:
        """Go to what happens next."""
        if (time := self._replay.next_time()) is not None and time <= self.end:
            self.go_to(time)

    def go_back(self) -> None:
        """Go to what happened before what is shown as the newest."""
        self.go_to(self._replay.previous_time() or self.start)

    def play_or_pause(self) -> None:
        """Let time go by, or stop it; from the end it begins anew."""
        if self._timer.isActive():
            self._timer.stop()
        elif self.play_button.isEnabled():
            if self.time >= self.end:
                self.go_to(self.start)
            self._timer.start()
        self._allow()

    def _tick(self) -> None:
        self.go_to(self.time + timedelta(milliseconds=TICK_MS) * SPEEDS[self.speed.currentIndex()])
        if self.time >= self.end:
            self._timer.stop()
            self._allow()

    # --- what it shows

    def _show(self, rule_ids: Set[int]) -> None:
        changed = [self._row(rule_id) for rule_id in rule_ids if self._is_shown(rule_id)]
        gone = [rule_id for rule_id in rule_ids if not self._is_shown(rule_id)]
        self.table.board.change(changed, gone)

    def _is_shown(self, rule_id: int) -> bool:
        alarm = self._replay.alarms.get(rule_id)
        return alarm is not None and alarm.state is not AlarmState.NORMAL

    def _row(self, rule_id: int) -> AlarmRow:
        tag = self._tags[rule_id]
        name = municipality_name(self._console.room, tag.municipality_id)
        return AlarmRow(self._replay.alarms[rule_id], self._replay.rules[rule_id], tag, name)

    def _refilter(self) -> None:
        self.table.board.use_filter(AlarmFilter(shelf=_SHELVES[self.shelves.currentIndex()][0]))

    def _say(self) -> None:
        self.clock.setText(local(self.time))
        board = self.table.board
        for number, (shelf, title) in enumerate(_SHELVES):
            self.shelves.setTabText(number, f"{title} {board.counts[shelf]:,}")
        row = self._replay.newest
        if row is None:
            self.newest.clear()
            return
        entry = row.entry
        by = f" by {entry.person}" if entry.person else ""
        said = f": {entry.comment}" if entry.comment else ""
        words = f"{local(row.written)}  {row.rule.message}: {happening_words(entry.happening)}{by}{said}"
        self.newest.setText(words if len(words) <= _TOLD else f"{words[:_TOLD]}…")
        self.newest.setToolTip(words)

    def _allow(self) -> None:
        has_more = (time := self._replay.next_time()) is not None and time <= self.end
        is_known = self._replay.newest is not None or has_more
        self.play_button.setText("Pause" if self._timer.isActive() else "Play")
        self.play_button.setEnabled(is_known)
        self.slider.setEnabled(is_known)
        self.next_button.setEnabled(has_more)
        self.previous_button.setEnabled(self.time > self.start)
