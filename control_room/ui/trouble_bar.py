"""The trouble bar: says in one line that nothing on screen is live, why, and since when."""

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from control_room.ui.room import Room
from control_room.ui.words import age
from widgets.palette import LIGHT, Palette
from widgets.status_lights import Light, paint_light

_HEIGHT_PX = 30


class TroubleBar(QWidget):
    """Hidden while everything is fed; else dark on light or light on dark, unlike anything else on screen."""

    def __init__(self, room: Room, parent: QWidget | None = None) -> None:
        """Follow the room."""
        super().__init__(parent)
        self._room = room
        self._words = ""
        self._palette = LIGHT
        self.setFixedHeight(_HEIGHT_PX)
        self.refresh()

    def text(self) -> str:
        """Return what it says, empty when hidden."""
        return self._words

    def refresh(self) -> None:
        """Say what is so now."""
        trouble = self._room.trouble
        self._words = ""
        if trouble is not None and self._room.is_configured:
            since = f"{trouble.since.astimezone():%H:%M:%S}"
            lasting = age(self._room.now(), trouble.since)
            # what matters most comes first: on a narrow screen the end is cut
            self._words = f"NOT LIVE for {lasting}; values and alarms are those of {since}. {trouble.words}"
        elif trouble is not None:
            self._words = f"NOT LIVE: {trouble.words} The room comes up by itself when it can."
        self.setVisible(trouble is not None)
        self.setAccessibleName(self._words)
        self.setToolTip(self._words)
        self.update()

    def apply_palette(self, palette: Palette) -> None:
        """Use the theme's colours."""
        self._palette = palette
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(400, _HEIGHT_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self._palette.text))
        paint_light(painter, QRectF(10, (_HEIGHT_PX - 16) / 2, 16, 16), Light.TROUBLE, self._palette)
        font = painter.font()
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(QColor(self._palette.ground))
        box = self.rect().adjusted(34, 0, -8, 0)
        words = painter.fontMetrics().elidedText(self._words, Qt.TextElideMode.ElideRight, box.width())
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, words)
        painter.end()
