"""The filter above the audit: person, object, action, outcome, period. Signal changed()."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from PySide6.QtCore import QDateTime, QTimer, Signal
from PySide6.QtWidgets import QComboBox, QDateTimeEdit, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from control_room.ui.audit_words import ACTIONS, action_words
from db.audit import AuditEntry, AuditFilter

# a word that is being typed is not asked for letter by letter
_TYPING_MS = 350
_OUTCOMES = (("Any outcome", None), ("Done", True), ("Refused", False))
ANY_TIME, LAST_HOUR, TODAY, LAST_WEEK, LAST_MONTH, FROM_TO = range(6)
_PERIODS = ("Any time", "Last hour", "Today", "Last 7 days", "Last 30 days", "Between…")
_BACK = {LAST_HOUR: timedelta(hours=1), LAST_WEEK: timedelta(days=7), LAST_MONTH: timedelta(days=30)}


class AuditFilterBar(QWidget):
    """Fields in a row; more widgets join it by `row`. The two moments stand in a row of their own while they are wanted."""

    changed = Signal()

    def __init__(self, now: Callable[[], datetime], parent: QWidget) -> None:
        """Start with everything, at any time."""
        super().__init__(parent)
        self._now = now
        self.person = self._line("Person")
        self.object = self._line("Object")
        self.action = self._choice(6)
        self.outcome = self._choice(7, *(title for title, _ in _OUTCOMES))
        self.period = self._choice(4, *_PERIODS)
        self._fill_actions(ACTIONS)
        self.moments = QWidget(self)
        self.start, self.end = QDateTimeEdit(self.moments), QDateTimeEdit(self.moments)
        self.fault = QLabel(self.moments)
        self.row = QHBoxLayout()
        self._lay_out()
        self._soon = QTimer(self, singleShot=True, interval=_TYPING_MS)
        self._soon.timeout.connect(self.changed)
        self._connect()

    def _line(self, words: str) -> QLineEdit:
        line = QLineEdit(self)
        line.setPlaceholderText(words)
        line.setToolTip(f"A part of the {words.lower()}'s name, capitals or not")
        line.setClearButtonEnabled(True)
        line.setMaxLength(100)
        line.setMinimumWidth(70)
        return line

    def _choice(self, width: int, *titles: str) -> QComboBox:
        box = QComboBox(self)
        box.addItems(list(titles))
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.setMinimumContentsLength(width)
        return box

    def _lay_out(self) -> None:
        for box in (self.start, self.end):
            box.setDisplayFormat("yyyy-MM-dd HH:mm")
            box.setCalendarPopup(True)
        self.fault.setProperty("role", "label")
        moments = QHBoxLayout(self.moments)
        moments.setContentsMargins(0, 0, 0, 0)
        for widget in (
            QLabel("From", self.moments),
            self.start,
            QLabel("to before", self.moments),
            self.end,
            self.fault,
        ):
            moments.addWidget(widget)
        moments.addStretch(1)
        self.moments.hide()
        self.row.setSpacing(4)
        for line in (self.person, self.object):
            self.row.addWidget(line, 1)
        for choice in (self.action, self.outcome, self.period):
            self.row.addWidget(choice, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(self.row)
        column.addWidget(self.moments)

    def _connect(self) -> None:
        for line in (self.person, self.object):
            line.textChanged.connect(lambda _: self._soon.start())
            line.returnPressed.connect(self._at_once)
        for choice in (self.action, self.outcome):
            choice.currentIndexChanged.connect(self._at_once)
        self.period.currentIndexChanged.connect(self._on_period)
        for box in (self.start, self.end):
            box.dateTimeChanged.connect(self._on_moment)

    def _at_once(self) -> None:
        self._soon.stop()
        self.changed.emit()

    def _on_period(self, which: int) -> None:
        if which == FROM_TO:
            now = self._now().astimezone()
            self._put(self.start, now.replace(hour=0, minute=0))
            self._put(self.end, now + timedelta(minutes=1))
        self.moments.setVisible(which == FROM_TO)
        self._at_once()

    @staticmethod
    def _put(box: QDateTimeEdit, time: datetime) -> None:
        box.blockSignals(True)
        box.setDateTime(QDateTime(time.year, time.month, time.day, time.hour, time.minute, 0))
        box.blockSignals(False)

    def _on_moment(self) -> None:
        is_empty = self.start.dateTime() >= self.end.dateTime()
        self.fault.setText("The first moment must come before the second." if is_empty else "")
        if is_empty:
            self._soon.stop()
        else:
            self._soon.start()

    def note_actions(self, entries: Sequence[AuditEntry]) -> None:
        """Offer the actions of these entries too: a newer database knows more."""
        offered = [self.action.itemData(number) for number in range(self.action.count())]
        if more := sorted({entry.action for entry in entries} - set(offered)):
            self._fill_actions([*filter(None, offered), *more])

    def _fill_actions(self, actions: Sequence[str]) -> None:
        chosen = self.action.currentData()
        self.action.blockSignals(True)
        self.action.clear()
        self.action.addItem("Any action", "")
        for action in actions:
            self.action.addItem(action_words(action), action)
        self.action.setCurrentIndex(max(0, self.action.findData(chosen)))
        self.action.blockSignals(False)

    def wanted(self) -> AuditFilter:
        """Return what is wanted now."""
        start, end = self._period()
        return AuditFilter(
            self.person.text().strip(),
            self.object.text().strip(),
            self.action.currentData() or "",
            _OUTCOMES[self.outcome.currentIndex()][1],
            start,
            end,
        )

    def _period(self) -> tuple[datetime | None, datetime | None]:
        which = self.period.currentIndex()
        if which == FROM_TO:
            return _moment(self.start), _moment(self.end)
        if which == TODAY:
            return self._now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0), None
        return (self._now() - _BACK[which], None) if which in _BACK else (None, None)


def _moment(box: QDateTimeEdit) -> datetime:
    local = box.dateTime()
    return datetime.fromtimestamp(local.toSecsSinceEpoch()).astimezone()
