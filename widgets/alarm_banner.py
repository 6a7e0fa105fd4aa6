"""The alarm banner: how many alarms of each priority, and the newest that nobody has acknowledged."""

from collections.abc import Callable, Iterable

from PySide6.QtCore import QLineF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from control_room.core.alarms import Priority
from widgets.alarm_model import AlarmRow, time_text
from widgets.alarm_symbol import paint_alarm_symbol
from widgets.palette import LIGHT, Palette
from widgets.sorted_rows import SortedRows

HEIGHT = 40
SYMBOL = 22
_COUNT_WIDTH = 64
_WORDS_WIDTH = 164
_ENTRY_WIDTH = 330
_MOST_ENTRIES = 6
_WAITING_WIDTH = 168


class AlarmBanner(QWidget):
    """One line on every layout; a click on an entry, or Enter for the newest, leads to the board."""

    alarm_clicked = Signal(int)
    board_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        """Start without alarms."""
        super().__init__(parent)
        # what nobody set aside, and of it what nobody acknowledged, the newest first
        self._heard = _sorted(lambda row: not row.alarm.is_suppressed)
        self._waiting = _sorted(lambda row: not row.alarm.is_suppressed and row.needs_acknowledgement)
        self._newest: list[AlarmRow] = []
        self._palette = LIGHT
        self._is_lit = True
        self._is_known = False
        self.setFixedHeight(HEIGHT)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName("Alarm banner")

    def sizeHint(self) -> QSize:
        return QSize(900, HEIGHT)

    def change(self, changed: Iterable[AlarmRow], gone: Iterable[int]) -> None:
        """Take alarms that are new or other, and the rule ids of those that are gone."""
        self._heard.change(changed, gone)
        self._waiting.change(changed, gone)
        count = len(self._waiting)
        self._newest = [self._waiting[place] for place in range(min(count, _MOST_ENTRIES))]
        words = "\n".join(
            f"{time_text(row.alarm.raised_time)}  {row.municipality}: {row.message}" for row in self._newest
        )
        self.setToolTip(words or "No alarm waits for an acknowledgement.")
        self.setAccessibleDescription(words)
        self.update()

    def set_known(self, is_known: bool) -> None:
        """Say whether the alarms are known at all; no alarms is something else than no knowledge."""
        if is_known is not self._is_known:
            self._is_known = is_known
            self.update()

    def text(self) -> str:
        """Return the words beside the counts."""
        if not self._is_known:
            return "not up to date" if len(self._heard) else "alarms not known"
        if count := len(self._waiting):
            return f"{count:,} to acknowledge"
        return "none to acknowledge"

    def entries(self) -> list[int]:
        """Return the rule ids of the entries, the newest first."""
        return [row.rule.id for row in self._newest]

    def set_blink(self, is_lit: bool) -> None:
        """Flash the symbols of what is not acknowledged."""
        self._is_lit = is_lit
        if self._newest:
            self.update()

    def apply_palette(self, palette: Palette) -> None:
        """Use the theme's colours."""
        self._palette = palette
        self.update()

    def _entries_left(self) -> int:
        return 12 + _COUNT_WIDTH * len(Priority) + _WAITING_WIDTH

    def _places(self) -> list[tuple[QRectF, AlarmRow]]:
        left = self._entries_left()
        room = max(1, (self.width() - left - 8) // _ENTRY_WIDTH)
        width = (self.width() - left - 8) / room
        return [
            (QRectF(left + number * width, 0, width, HEIGHT), row) for number, row in enumerate(self._newest[:room])
        ]

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self._palette.raised))
        painter.setPen(QColor(self._palette.border))
        painter.drawLine(0, HEIGHT - 1, self.width(), HEIGHT - 1)
        for number, priority in enumerate(Priority):
            self._paint_count(painter, 12 + number * _COUNT_WIDTH, priority)
        painter.setPen(QColor(self._palette.label))
        box = QRectF(12 + _COUNT_WIDTH * len(Priority), 0, _WORDS_WIDTH, HEIGHT)
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self.text())
        for place, row in self._places():
            self._paint_entry(painter, place, row)
        if self.hasFocus():
            painter.setPen(QPen(QColor(self._palette.selection), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))
        painter.end()

    def _paint_count(self, painter: QPainter, left: float, priority: Priority) -> None:
        count = self._heard.counts[priority]
        top = (HEIGHT - SYMBOL) / 2
        if count:
            is_lit = self._is_lit or not self._waiting.counts[priority]
            paint_alarm_symbol(painter, QRectF(left, top, SYMBOL, SYMBOL), priority, self._palette, is_lit=is_lit)
        painter.setPen(QColor(self._palette.text if count else self._palette.faint))
        words = f"{count:,}" if count else f"P{int(priority)}: {0 if self._is_known else '?'}"
        box = QRectF(left + (SYMBOL + 5 if count else 0), 0, _COUNT_WIDTH, HEIGHT)
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, words)

    def _paint_entry(self, painter: QPainter, place: QRectF, row: AlarmRow) -> None:
        painter.setPen(QColor(self._palette.border))
        painter.drawLine(QLineF(place.left(), place.top() + 8, place.left(), place.bottom() - 8))
        symbol = QRectF(place.left() + 8, (HEIGHT - SYMBOL) / 2, SYMBOL, SYMBOL)
        is_active, is_lit = row.alarm.is_active, self._is_lit
        paint_alarm_symbol(painter, symbol, row.rule.priority, self._palette, is_active=is_active, is_lit=is_lit)
        text = place.adjusted(SYMBOL + 14, 3, -6, -3)
        metrics = painter.fontMetrics()
        lines = (f"{time_text(row.alarm.raised_time)}  {row.municipality}", row.message)
        for number, (line, colour) in enumerate(zip(lines, (self._palette.label, self._palette.text), strict=True)):
            painter.setPen(QColor(colour))
            box = QRectF(text.left(), text.top() + number * text.height() / 2, text.width(), text.height() / 2)
            shown = metrics.elidedText(line, Qt.TextElideMode.ElideRight, int(box.width()))
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        for place, row in self._places():
            if place.contains(event.position()):
                self.alarm_clicked.emit(row.rule.id)
                return
        self.board_wanted.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            super().keyPressEvent(event)
        elif self._newest:
            self.alarm_clicked.emit(self._newest[0].rule.id)
        else:
            self.board_wanted.emit()


def _sorted(accepts: Callable[[AlarmRow], bool]) -> SortedRows[AlarmRow]:
    return SortedRows(
        lambda row: row.rule.id, lambda row: (-row.raised_s(), row.rule.id), accepts, lambda row: row.rule.priority
    )
