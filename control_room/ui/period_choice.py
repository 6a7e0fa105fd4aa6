"""The choice of a period: any time, the last hours and days, or between two moments."""

from collections.abc import Callable
from datetime import datetime, timedelta

from PySide6.QtCore import QDateTime, Signal
from PySide6.QtWidgets import QComboBox, QDateTimeEdit, QHBoxLayout, QLabel, QWidget

ANY_TIME, LAST_HOUR, TODAY, LAST_WEEK, LAST_MONTH, FROM_TO = range(6)
_PERIODS = ("Any time", "Last hour", "Today", "Last 7 days", "Last 30 days", "Between…")
_BACK = {LAST_HOUR: timedelta(hours=1), LAST_WEEK: timedelta(days=7), LAST_MONTH: timedelta(days=30)}


def choice_box(parent: QWidget, width: int, *titles: str) -> QComboBox:
    """Return a box that asks for room for so many characters, whatever is in it."""
    box = QComboBox(parent)
    box.addItems(list(titles))
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(width)
    return box


class PeriodChoice(QWidget):
    """The two moments, shown while they are wanted; `box` chooses and stands where its owner puts it.

    Signals changed(): another period; moment_changed(): a moment that may go on being typed.
    """

    changed = Signal()
    moment_changed = Signal()

    def __init__(self, now: Callable[[], datetime], parent: QWidget) -> None:
        """Start with any time."""
        super().__init__(parent)
        self._now = now
        self.box = choice_box(parent, 4, *_PERIODS)
        self.start, self.end = QDateTimeEdit(self), QDateTimeEdit(self)
        self.fault = QLabel(self)
        self.fault.setProperty("role", "label")
        moments = QHBoxLayout(self)
        moments.setContentsMargins(0, 0, 0, 0)
        for widget in (QLabel("From", self), self.start, QLabel("to before", self), self.end, self.fault):
            moments.addWidget(widget)
        moments.addStretch(1)
        for moment in (self.start, self.end):
            moment.setDisplayFormat("yyyy-MM-dd HH:mm")
            moment.setCalendarPopup(True)
            moment.dateTimeChanged.connect(self._on_moment)
        self.box.currentIndexChanged.connect(self._on_period)
        self.hide()

    def _on_period(self, which: int) -> None:
        if which == FROM_TO:
            now = self._now().astimezone()
            self.put(now.replace(hour=0, minute=0), now + timedelta(minutes=1))
        self.setVisible(which == FROM_TO)
        self.changed.emit()

    def put(self, start: datetime, end: datetime) -> None:
        """Set both moments, in local time to the minute, and tell nobody."""
        for moment, time in ((self.start, start), (self.end, end)):
            moment.blockSignals(True)
            moment.setDateTime(QDateTime(time.year, time.month, time.day, time.hour, time.minute, 0))
            moment.blockSignals(False)

    def _on_moment(self) -> None:
        self.fault.setText("The first moment must come before the second." if self.is_empty else "")
        self.moment_changed.emit()

    @property
    def is_empty(self) -> bool:
        """Return whether no moment is between the two."""
        return self.box.currentIndex() == FROM_TO and self.start.dateTime() >= self.end.dateTime()

    def period(self) -> tuple[datetime | None, datetime | None]:
        """Return from when up to before when (aware), None where nothing bounds it."""
        which = self.box.currentIndex()
        if which == FROM_TO:
            return _moment(self.start), _moment(self.end)
        if which == TODAY:
            return self._now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0), None
        return (self._now() - _BACK[which], None) if which in _BACK else (None, None)


def _moment(box: QDateTimeEdit) -> datetime:
    local = box.dateTime()
    return datetime.fromtimestamp(local.toSecsSinceEpoch()).astimezone()
