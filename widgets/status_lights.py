"""Lights of the status bar: state by shape and word, not by colour alone."""

from enum import Enum

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from control_room.core.alarms import Priority
from widgets.palette import LIGHT, Palette

_LAMP_PX = 12
_GAP_PX = 6
_MARGIN_PX = 6


class Light(Enum):
    """What a light says."""

    OK = "ok"
    WAITING = "waiting"
    TROUBLE = "trouble"
    OFF = "off"


def paint_light(painter: QPainter, box: QRectF, light: Light, palette: Palette) -> None:
    """Paint a lamp: a filled disc is well, a ring waits, a triangle is in trouble, a dash is off."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(palette.text), 1.5))
    inner = box.adjusted(1, 1, -1, -1)
    if light is Light.OK:
        painter.setBrush(QColor(palette.label))
        painter.drawEllipse(inner)
    elif light is Light.WAITING:
        painter.drawEllipse(inner)
    elif light is Light.TROUBLE:
        # the amber of the second priority: a blind control room is as urgent
        painter.setBrush(QColor(palette.priorities[Priority.HIGH]))
        painter.drawPolygon(
            QPolygonF([QPointF(inner.center().x(), inner.top()), inner.bottomRight(), inner.bottomLeft()])
        )
    else:
        painter.drawLine(QPointF(inner.left(), inner.center().y()), QPointF(inner.right(), inner.center().y()))
    painter.restore()


def light_pixmap(light: Light, palette: Palette) -> QPixmap:
    """Return the lamp as a small picture for tables."""
    pixmap = QPixmap(_LAMP_PX + 2, _LAMP_PX + 2)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    paint_light(painter, QRectF(1, 1, _LAMP_PX, _LAMP_PX), light, palette)
    painter.end()
    return pixmap


class StatusLight(QWidget):
    """A lamp with a name and a line below it; the tooltip says the rest. Signal clicked()."""

    clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        """Start off and without words."""
        super().__init__(parent)
        self._palette = LIGHT
        self._light: Light | None = Light.OFF
        self._title = ""
        self._detail = ""
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)

    @property
    def light(self) -> Light | None:
        """Return what the lamp shows, None for no lamp."""
        return self._light

    def text(self) -> str:
        """Return name and detail."""
        return f"{self._title}: {self._detail}" if self._detail else self._title

    def show_state(self, light: Light | None, title: str, detail: str = "", explanation: str = "") -> None:
        """Show a state with a name, a line of detail and a tooltip."""
        if (light, title, detail) != (self._light, self._title, self._detail):
            self._light, self._title, self._detail = light, title, detail
            self.setAccessibleName(self.text())
            self.updateGeometry()
            self.update()
        self.setToolTip(explanation)

    def apply_palette(self, palette: Palette) -> None:
        """Use the theme's colours."""
        self._palette = palette
        self.update()

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        words = max(metrics.horizontalAdvance(self._title), metrics.horizontalAdvance(self._detail))
        return QSize(words + self._left_px() + _MARGIN_PX + 2, 2 * metrics.height() + 2)

    minimumSizeHint = sizeHint

    def _left_px(self) -> int:
        return _MARGIN_PX + (_LAMP_PX + _GAP_PX if self._light is not None else 0)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.clicked.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        metrics, line_px = painter.fontMetrics(), self.height() // 2
        left = self._left_px()
        room_px = self.width() - left - 2
        if self._light is not None:
            top = (line_px - _LAMP_PX) / 2 + 1
            paint_light(painter, QRectF(_MARGIN_PX, top, _LAMP_PX, _LAMP_PX), self._light, self._palette)
        for row, (words, colour) in enumerate(((self._title, self._palette.text), (self._detail, self._palette.label))):
            painter.setPen(QColor(colour))
            shown = metrics.elidedText(words, Qt.TextElideMode.ElideRight, room_px)
            painter.drawText(left, row * line_px, room_px, line_px, Qt.AlignmentFlag.AlignVCenter, shown)
        painter.end()
