"""The map's symbols: what a thing is by its shape, how it is by its filling."""

from math import atan2, degrees

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from control_room.core.samples import Grade, Sample
from control_room.core.tags import Tag
from widgets.palette import Palette


def share(tag: Tag, sample: Sample | None) -> float | None:
    """Return where the value lies in the tag's range, 0 to 1; None without a trusted value."""
    if sample is None or sample.value is None or sample.grade >= Grade.STALE or tag.high <= tag.low:
        return None
    return min(1.0, max(0.0, (sample.value - tag.low) / (tag.high - tag.low)))


def outline(palette: Palette, *, is_trusted: bool) -> QPen:
    """Return the pen of a symbol: dashed where the value may not be trusted."""
    pen = QPen(QColor(palette.text if is_trusted else palette.untrusted), 1.3)
    if not is_trusted:
        pen.setStyle(Qt.PenStyle.DashLine)
    return pen


def paint_tank(painter: QPainter, at: QPointF, size: float, level: float | None, palette: Palette) -> None:
    """Paint a tank filled to its level (0 to 1); dashed with a question mark without one."""
    box = QRectF(at.x() - size / 2, at.y() - size / 2, size, size)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(palette.raised))
    painter.drawRect(box)
    if level is not None:
        painter.setBrush(QColor(palette.water))
        painter.drawRect(QRectF(box.left(), box.bottom() - box.height() * level, box.width(), box.height() * level))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(outline(palette, is_trusted=level is not None))
    painter.drawRect(box)
    if level is None:
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "?")


def paint_reservoir(painter: QPainter, at: QPointF, size: float, palette: Palette) -> None:
    """Paint a source of water: an open basin."""
    half = size / 2
    corners = [(-half, -half * 0.7), (-half * 0.6, half * 0.7), (half * 0.6, half * 0.7), (half, -half * 0.7)]
    painter.setPen(outline(palette, is_trusted=True))
    painter.setBrush(QColor(palette.water))
    painter.drawPolygon(QPolygonF([at + QPointF(x, y) for x, y in corners]))


def paint_pump(
    painter: QPainter, at: QPointF, along: QPointF, size: float, running: bool | None, palette: Palette
) -> None:
    """Paint a pump: a disc with its direction; running is light, stopped is dark with a bar, unknown is dashed."""
    painter.save()
    painter.translate(at)
    painter.rotate(degrees(atan2(along.y(), along.x())))
    half = size / 2
    painter.setPen(outline(palette, is_trusted=running is not None))
    painter.setBrush(QColor(palette.raised if running is None else palette.lit if running else palette.unlit))
    painter.drawEllipse(QPointF(0, 0), half, half)
    if running:
        # dark on light in both themes
        painter.setBrush(QColor(palette.symbol_outline))
        painter.drawPolygon(
            QPolygonF([QPointF(-half * 0.45, -half * 0.6), QPointF(half * 0.75, 0), QPointF(-half * 0.45, half * 0.6)])
        )
    elif running is not None:
        painter.drawLine(QPointF(0, -half * 0.65), QPointF(0, half * 0.65))
    painter.restore()
    if running is None:
        painter.drawText(QRectF(at.x() - half, at.y() - half, size, size), Qt.AlignmentFlag.AlignCenter, "?")


def paint_valve(
    painter: QPainter, at: QPointF, along: QPointF, size: float, is_open: bool | None, palette: Palette
) -> None:
    """Paint a valve as a bow tie along its pipe; open is light, closed is dark, unknown is dashed."""
    painter.save()
    painter.translate(at)
    painter.rotate(degrees(atan2(along.y(), along.x())))
    x, y = size * 0.6, size * 0.4
    painter.setPen(outline(palette, is_trusted=is_open is not None))
    painter.setBrush(QColor(palette.raised if is_open is None else palette.lit if is_open else palette.unlit))
    for side in (-1, 1):
        painter.drawPolygon(QPolygonF([QPointF(0, 0), QPointF(side * x, -y), QPointF(side * x, y)]))
    painter.restore()


def paint_point(painter: QPainter, at: QPointF, size: float, colour: str | None, palette: Palette) -> None:
    """Paint a measuring point in its class's colour; hollow and dashed without a trusted value."""
    painter.setPen(outline(palette, is_trusted=colour is not None))
    painter.setBrush(QColor(colour) if colour is not None else Qt.BrushStyle.NoBrush)
    painter.drawEllipse(at, size / 2, size / 2)
