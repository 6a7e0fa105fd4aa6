"""Why this alarm: what raises it, what came first around it, its trend, how often it came before and what was done."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QPushButton,
    QScrollArea,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from control_room.core.access import Action
from control_room.core.errors import ControlRoomError
from control_room.ui.alarm_words import first_out_words, lasted_words, note_words, rule_words
from control_room.ui.console import Console
from control_room.ui.dialogs.onset_trend import OnsetTrend, past_onset, present_onset
from control_room.ui.notice_bar import NoticeBar
from control_room.ui.rule_words import limit_words, record_lines
from control_room.ui.suppression_words import suppression_words
from control_room.ui.words import local
from db.alarm_journal import Occurrence, read_occurrences
from db.rationalisation import read_records, read_rule_changes
from widgets.alarm_model import AlarmRow, time_text
from widgets.hold_words import sticky_lines
from widgets.row_table import RowColumn, RowTable

SHOWN = 5
# what came so long before may be the cause
BEFORE, AFTER = timedelta(minutes=2), timedelta(seconds=30)
_TOLD = 6
CHANGES_READ = 200
_SIZE_PX = (1240, 640)
_WORDS_PX = 420


class WhyDialog(QDialog):
    """One alarm's panel; it stays open beside the board. What is read comes when it comes."""

    def __init__(self, parent: QWidget, console: Console, row: AlarmRow) -> None:
        """Show what is known, and ask for the past."""
        super().__init__(parent)
        self._console, self._row, self._is_closed = console, row, False
        self.setWindowTitle(f"Why: {row.message}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(*_SIZE_PX)
        self.words = _words_label(self, self._words())
        self.record = _words_label(self)
        self.notice_bar = NoticeBar(self)
        self.trend = OnsetTrend(self, console, row)
        self.table: RowTable[Occurrence] = RowTable(
            self._columns(), lambda one: one.event_id, tip=note_words, is_sortable=False, parent=self
        )
        self.table.apply_palette(console.theme.palette)
        self.table.say_when_empty("The past is being read")
        # a cell has room for one line, and what was done is what the next one needs
        self.notes = _words_label(self)
        self.table.chosen_changed.connect(self._show_chosen)
        self._lay_out()
        self.trend.show_onset(present_onset(row))
        console.operations.start(self._read())
        console.operations.start(self._read_limits())

    def _lay_out(self) -> None:
        words = _column(self.words, self.record, QWidget())
        told = QScrollArea(self, widgetResizable=True)
        told.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        told.setWidget(words)
        split = QSplitter(Qt.Orientation.Horizontal, self)
        split.addWidget(told)
        past = QSplitter(Qt.Orientation.Vertical, split)
        past.addWidget(self.trend)
        past.addWidget(_column(self.table, self.notes))
        past.setSizes([400, 200])
        split.setSizes([_WORDS_PX, _SIZE_PX[0] - _WORDS_PX])
        for one in (split, past):
            one.setChildrenCollapsible(False)
        whole = QVBoxLayout(self)
        whole.addWidget(self.notice_bar)
        whole.addWidget(split, 1)
        whole.addWidget(self._buttons())

    def _buttons(self) -> QDialogButtonBox:
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        jumps, tag_id = self._console.jumps, self._row.tag.id
        for title, jump in (
            ("Open in trends", self.trend.open_in_trends),
            ("Show on map", lambda: jumps.map_wanted.emit(tag_id)),
        ):
            button = QPushButton(title, self)
            button.clicked.connect(jump)
            buttons.addButton(button, QDialogButtonBox.ButtonRole.ActionRole)
        self.rule_button = QPushButton("Change the rule…", self)
        self.rule_button.clicked.connect(lambda: jumps.rule_wanted.emit(self._row.rule.id))
        buttons.addButton(self.rule_button, QDialogButtonBox.ButtonRole.ActionRole)
        self._console.shift.changed.connect(self._allow)
        self._allow()
        buttons.rejected.connect(self.close)
        return buttons

    def _allow(self) -> None:
        why_not = self._console.shift.why_not(Action.CONFIGURE, self._row.tag.municipality_id)
        self.rule_button.setEnabled(not why_not)
        self.rule_button.setToolTip(why_not or "Open its settings, its record and its changes")

    def _columns(self) -> Sequence[RowColumn[Occurrence]]:
        tag = self._row.tag
        return (
            RowColumn("Came", lambda one: local(one.raised_time), 178),
            RowColumn("Lasted", lasted_words, 80),
            RowColumn("At", lambda one: tag.text(one.value), 90),
            RowColumn("Limit then", lambda one: tag.text(one.limit), 90),
            RowColumn("What was done", _shortly, 200, share=1),
        )

    def _words(self) -> str:
        row, room = self._row, self._console.room
        others = self._console.alarms.rows.values()
        parts = [
            f"{row.message}\n{row.place} › {row.tag.asset}, {row.tag.name} ({row.tag.key}), priority {int(row.rule.priority)}",
            *sticky_lines(row.alarm),
            rule_words(row.rule, row.tag, room.tags),
            first_out_words(row, others),
            *suppression_words(room, self._console.alarms.rows, row),
            self._around(),
        ]
        return "\n\n".join(part for part in parts if part)

    def _around(self) -> str:
        """Return what of the same municipality came shortly before and after, the first first."""
        came = self._row.alarm.raised_time
        if came is None:
            return "It has not come yet."
        near = [
            row
            for row in self._console.alarms.rows.values()
            if row.tag.municipality_id == self._row.tag.municipality_id
            and row.alarm.raised_time is not None
            and came - BEFORE <= row.alarm.raised_time <= came + AFTER
        ]
        near.sort(key=lambda row: (row.raised_s(), row.rule.id))
        if len(near) < 2:
            return "Nothing else of this municipality on the board came about the same time."
        lines = [f"{time_text(row.alarm.raised_time)}  {row.message}{self._mark(row)}" for row in near[:_TOLD]]
        more = [f"and {len(near) - _TOLD:,} more"] if len(near) > _TOLD else []
        return "\n".join(["What came about the same time, the first first:", *lines, *more])

    def _mark(self, row: AlarmRow) -> str:
        return "   ← this one" if row.rule.id == self._row.rule.id else ""

    async def _read(self) -> None:
        try:
            job = partial(read_occurrences, rule_id=self._row.rule.id, count=SHOWN)
            found = await self._console.operations.read(job)
            words = await self._record_words()
        except ControlRoomError as fault:
            if not self._is_closed:
                self.table.say_when_empty("The past is not known")
                self.notice_bar.show_fault("The past cannot be read", fault)
            return
        if self._is_closed:
            return
        self.record.setText(words)
        self.table.say_when_empty("The journal knows of no time when it came")
        self.table.show_rows(found)
        self.table.selectRow(0)

    async def _record_words(self) -> str:
        tag, rule = self._row.tag, self._row.rule
        book = await self._console.operations.read(partial(read_records))
        job = partial(read_rule_changes, rule_id=rule.id, count=CHANGES_READ)
        changes = await self._console.operations.read(job)
        record = record_lines(book.held(tag.municipality_id, tag.id, rule.id).record)
        return "\n".join([*record, limit_words(rule, changes)])

    async def _read_limits(self) -> None:
        try:
            await self.trend.read_limits()
        except ControlRoomError as fault:
            # where the past cannot be read either, that is told
            if not self._is_closed and not self.notice_bar.text():
                self.notice_bar.show_fault("The limits of then cannot be read", fault)

    def _show_chosen(self) -> None:
        chosen = self.table.chosen()
        self.notes.setText("" if chosen is None else note_words(chosen))
        if chosen is not None:
            self.trend.show_onset(past_onset(chosen))

    def done(self, result: int) -> None:
        self._is_closed = True
        self.trend.close_reads()
        super().done(result)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._is_closed = True
        self.trend.close_reads()
        super().closeEvent(event)


def _column(*widgets: QWidget) -> QWidget:
    whole = QWidget()
    column = QVBoxLayout(whole)
    column.setContentsMargins(4, 0, 4, 0)
    for one in widgets:
        column.addWidget(one, int(not isinstance(one, QLabel)))
    return whole


def _shortly(one: Occurrence) -> str:
    people = list(dict.fromkeys(note.person for note in one.notes))
    return f"{len(one.notes)} by {', '.join(people)}" if people else "nothing"


def _words_label(parent: QWidget, words: str = "") -> QLabel:
    label = QLabel(words, parent)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
