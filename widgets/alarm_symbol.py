"""The alarm symbol: priority by shape, digit and colour."""

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen, QPolygonF

from control_room.core.alarms import Priority
from widgets.palette import Palette

# where the digit stands in the shape, as a share of its height: a triangle's middle lies low
_DIGIT_AT = {Priority.HIGHEST: 0.5, Priority.HIGH: 0.66, Priority.MEDIUM: 0.36, Priority.LOW: 0.5}


def symbol_shape(priority: Priority, rect: QRectF) -> QPolygonF:
    """Return the priority's outline in `rect`: square, triangle, triangle on its tip, diamond."""
    left, right, top, bottom = rect.left(), rect.right(), rect.top(), rect.bottom()
    middle_x, middle_y = rect.center().x(), rect.center().y()
    corners = {
        Priority.HIGHEST: ((left, top), (right, top), (right, bottom), (left, bottom)),
        Priority.HIGH: ((middle_x, top), (right, bottom), (left, bottom)),
        Priority.MEDIUM: ((left, top), (right, top), (middle_x, bottom)),
        Priority.LOW: ((middle_x, top), (right, middle_y), (middle_x, bottom), (left, middle_y)),
    }[priority]
    return QPolygonF([QPointF(x, y) for x, y in corners])


def paint_alarm_symbol(
    painter: QPainter,
    rect: QRectF,
    priority: Priority,
    palette: Palette,
    *,
    is_active: bool = True,
    is_lit: bool = True,
) -> None:
    """Paint the symbol: hollow when the condition is gone; `is_lit` False is the dark half of the flashing."""
    is_filled = is_active and is_lit
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    inner = rect.adjusted(1.5, 1.5, -1.5, -1.5)
    # priority stays readable in every half: an alarm must not vanish for a glance that comes at the wrong moment
    colour = QColor(palette.priorities[priority] if is_active or is_lit else palette.label)
    painter.setPen(QPen(QColor(palette.symbol_outline) if is_filled else colour, 1.5 if is_filled else 2.0))
    painter.setBrush(colour if is_filled else Qt.BrushStyle.NoBrush)
    painter.drawPolygon(symbol_shape(priority, inner))
    font = QFont(painter.font())
    font.setBold(True)
    font.setPixelSize(max(8, round(rect.height() * 0.52)))
    painter.setFont(font)
    painter.setPen(QColor(palette.priority_texts[priority] if is_filled else palette.text))
    box = QRectF(rect.left(), rect.top() + rect.height() * (_DIGIT_AT[priority] - 0.5), rect.width(), rect.height())
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(int(priority)))
    painter.restore()
