"""The lines of all pens as one item of the plot: a PlotDataItem for each costs three times as much before it paints."""

from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen

from control_room.core.trends import Floats

_NAME_PX = (14, 3)
# every time and every height that a plot can show: it is never asked which part of it changed
_EVERYWHERE = QRectF(-1e12, -1e3, 2e12, 2e3)


@dataclass(slots=True)
class Line:
    """What is drawn of one pen: times in s since 1970, heights in the plot's own scale, NaN where the line breaks.

    `name` is written at its end.
    """

    x: Floats
    y: Floats
    pen: QPen
    # colours alone do not tell lines apart for everybody
    name: str = ""
    path: QPainterPath | None = None


class TrendLines(pg.GraphicsObject):  # type: ignore[misc]  # pyqtgraph comes without types
    """Lines in the order in which they were first shown; those shown last are on top."""

    def __init__(self) -> None:
        """Show nothing."""
        super().__init__()
        self.lines: dict[tuple[int, int], Line] = {}
        # pixels of what is drawn on for each of the view's: more than one on paper
        self.scale_px = 1.0

    def show_line(self, key: tuple[int, int], line: Line) -> None:
        """Draw a line in place of an earlier one of that key."""
        if np.isfinite(line.y).any():
            line.path = pg.arrayToQPath(line.x, line.y, connect="finite")
        self.lines[key] = line
        self.update()

    def remove_pen(self, tag_id: int) -> None:
        """Draw the lines of a pen no longer."""
        self.lines = {key: line for key, line in self.lines.items() if key[0] != tag_id}
        self.update()

    def boundingRect(self) -> QRectF:
        """Return a rectangle around everything."""
        return _EVERYWHERE

    def paint(self, painter: QPainter, *_: object) -> None:
        """Draw the lines."""
        for line in self.lines.values():
            if line.path is not None:
                painter.setPen(self._scaled(line.pen))
                painter.drawPath(line.path)
        ends = [(line, painter.transform().map(_end(line))) for line in self.lines.values() if line.path and line.name]
        for line, end in ends:
            painter.setPen(line.pen)
            painter.resetTransform()
            painter.translate(end)
            painter.scale(self.scale_px, self.scale_px)
            painter.drawText(-QPointF(*_NAME_PX), line.name)

    def _scaled(self, pen: QPen) -> QPen:
        if self.scale_px == 1.0:
            return pen
        scaled = QPen(pen)
        scaled.setWidthF(self.scale_px)
        scaled.setCosmetic(True)
        return scaled


def _end(line: Line) -> QPointF:
    last = int(np.flatnonzero(np.isfinite(line.y))[-1])
    return QPointF(float(line.x[last]), float(line.y[last]))


def line_pen(name: str, alpha: int, style: Qt.PenStyle) -> QPen:
    """Return a pen of a colour by name; `alpha` 0 to 255."""
    colour = QColor(name)
    colour.setAlpha(alpha)
    # a width of 0 is one pixel at any scale
    return QPen(colour, 0, style)
