"""The map's legend: the tones of the measuring points and the widths of the measured pipes, from low to high."""

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPolygonF

from widgets.map_pipes import NEAR_PX, PipeLook, paint_pipe
from widgets.map_symbols import paint_point
from widgets.palette import Palette

WIDTH_PX = 326.0
_ROW_PX = 20.0
_FIRST_PX = 80.0
_STEP_PX = 26.0
_BAD_PX = 216.0


def legend_box(corner: QPointF, *, has_pipes: bool) -> QRectF:
    """Return where the legend stands with its lower right corner at `corner`."""
    height = 2 + _ROW_PX * (3 if has_pipes else 2)
    return QRectF(corner.x() - WIDTH_PX, corner.y() - height, WIDTH_PX, height)


def paint_legend(painter: QPainter, box: QRectF, layer: str, palette: Palette, *, has_pipes: bool) -> None:
    """Paint the legend into the box that `legend_box` gave."""
    ground = QColor(palette.raised)
    ground.setAlpha(235)
    painter.setPen(QColor(palette.border))
    painter.setBrush(ground)
    painter.drawRoundedRect(box, 4, 4)
    painter.setPen(QColor(palette.text))
    rows = [QRectF(box.left() + 8, box.top() + 1 + n * _ROW_PX, WIDTH_PX - 16, _ROW_PX) for n in range(3)]
    painter.drawText(rows[0], Qt.AlignmentFlag.AlignVCenter, "Share of the range, 0 to 100 %")
    _paint_row(painter, rows[1], layer, palette, is_pipe=False)
    if has_pipes:
        _paint_row(painter, rows[2], "Pipe flow", palette, is_pipe=True)


def _paint_row(painter: QPainter, row: QRectF, words: str, palette: Palette, *, is_pipe: bool) -> None:
    painter.setPen(QColor(palette.text))
    painter.drawText(row, Qt.AlignmentFlag.AlignVCenter, words)
    bad = QRectF(row.left() + _BAD_PX + 14, row.top(), row.width() - _BAD_PX - 14, row.height())
    painter.drawText(bad, Qt.AlignmentFlag.AlignVCenter, "bad or stale")
    steps = len(palette.scale)
    for step, x in enumerate([_FIRST_PX + n * _STEP_PX for n in range(steps)] + [_BAD_PX]):
        at = QPointF(row.left() + x, row.center().y())
        is_bad = step == steps
        if is_pipe:
            piece = QPolygonF([at - QPointF(10, 0), at + QPointF(10, 0)])
            paint_pipe(painter, piece, PipeLook(None if is_bad else (step + 0.5) / steps), NEAR_PX, palette)
        else:
            paint_point(painter, at, 11, None if is_bad else palette.scale[step], palette)
