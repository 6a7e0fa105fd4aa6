"""Bars of counts in equal stretches of time, with the stretches marked that are above a limit, and spans shaded."""

from collections.abc import Sequence
from datetime import datetime

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from control_room.core.alarms import Priority
from widgets.palette import LIGHT, Palette

_LEFT_PX, _BOTTOM_PX, _TOP_PX, _RIGHT_PX = 44, 22, 10, 8
_LEAST_STEP_PX = 90


class BinBars(QWidget):
    """Counts from `begin_s` (seconds since 1970) in stretches of `width_s`; `limit` is drawn as a line."""

    def __init__(self, limit: int, parent: QWidget | None = None) -> None:
        """Start with nothing."""
        super().__init__(parent)
        self._limit = limit
        self._palette = LIGHT
        self._begin_s, self._width_s = 0.0, 1.0
        self._counts: Sequence[int] = ()
        self._spans: Sequence[tuple[float, float]] = ()
        self.setMouseTracking(True)
        self.setMinimumHeight(110)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_counts(
        self, counts: Sequence[int], begin_s: float, width_s: float, spans: Sequence[tuple[float, float]] = ()
    ) -> None:
        """Show counts; `spans` (from, to in seconds since 1970) are shaded."""
        self._counts, self._begin_s, self._width_s, self._spans = counts, begin_s, width_s, spans
        self.setAccessibleName(f"{sum(counts):,} alarms, at most {max(counts, default=0):,} at once")
        self.update()

    def apply_palette(self, palette: Palette) -> None:
        """Use the theme's colours."""
        self._palette = palette
        self.update()

    def words_at(self, x: float) -> str:
        """Return what the bar at a place is, empty beside the bars."""
        room_px = self.width() - _LEFT_PX - _RIGHT_PX
        place = int((x - _LEFT_PX) / room_px * len(self._counts)) if room_px > 0 else -1
        if not 0 <= place < len(self._counts) or x < _LEFT_PX:
            return ""
        return f"{self._time(place):%d %b %H:%M}: {self._counts[place]:,}"

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        QToolTip.showText(event.globalPosition().toPoint(), self.words_at(event.position().x()), self)

    def _time(self, place: float) -> datetime:
        return datetime.fromtimestamp(self._begin_s + place * self._width_s).astimezone()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self.paint(painter, QRectF(self.rect()), self._palette)
        painter.end()

    def paint(self, painter: QPainter, box: QRectF, palette: Palette) -> None:
        """Paint the bars into a box of any device."""
        painter.save()
        painter.translate(box.topLeft())
        area = QRectF(_LEFT_PX, _TOP_PX, box.width() - _LEFT_PX - _RIGHT_PX, box.height() - _TOP_PX - _BOTTOM_PX)
        most = max(max(self._counts, default=0), self._limit) * 1.1
        self._paint_spans(painter, area, palette)
        self._paint_bars(painter, area, most, palette)
        self._paint_scale(painter, area, most, palette)
        painter.restore()

    def _paint_spans(self, painter: QPainter, area: QRectF, palette: Palette) -> None:
        whole_s = self._width_s * max(1, len(self._counts))
        shade = QColor(palette.priorities[Priority.HIGH])
        shade.setAlpha(60)
        for start_s, end_s in self._spans:
            left, right = (
                area.left() + area.width() * min(1.0, max(0.0, (one - self._begin_s) / whole_s))
                for one in (start_s, end_s)
            )
            painter.fillRect(QRectF(left, area.top(), max(2.0, right - left), area.height()), shade)

    def _paint_bars(self, painter: QPainter, area: QRectF, most: float, palette: Palette) -> None:
        if not len(self._counts):
            return
        # with more stretches than pixels each pixel shows its greatest
        columns = min(len(self._counts), max(1, int(area.width())))
        step = len(self._counts) / columns
        width = area.width() / columns
        for number in range(columns):
            count = max(self._counts[int(number * step) : max(int(number * step) + 1, int((number + 1) * step))])
            if count:
                height = area.height() * count / most
                bar = QRectF(area.left() + number * width, area.bottom() - height, max(1.0, width * 0.9), height)
                painter.fillRect(bar, QColor(palette.text if count > self._limit else palette.pens[0]))

    def _paint_scale(self, painter: QPainter, area: QRectF, most: float, palette: Palette) -> None:
        painter.setPen(QPen(QColor(palette.label), 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        for count in (self._limit, max(self._counts, default=0)):
            y = area.bottom() - area.height() * count / most
            place = QRectF(0, y - 8, _LEFT_PX - 4, 16)
            painter.drawText(place, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{count:,}")
        painter.setPen(QPen(QColor(palette.label), 1, Qt.PenStyle.DashLine))
        y = area.bottom() - area.height() * self._limit / most
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        if not len(self._counts):
            return
        steps = max(1, int(area.width() // _LEAST_STEP_PX))
        days = len(self._counts) * self._width_s > 3 * 86_400
        for number in range(steps):
            time = self._time(number * len(self._counts) / steps)
            words = f"{time:%d %b}" if days else f"{time:%d %b %H:%M}"
            painter.drawText(QPointF(area.left() + area.width() * number / steps, area.bottom() + 15), words)
