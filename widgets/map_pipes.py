"""Measured pipes: a line that grows with its value, and what is abnormal about it.

No arrow says where the water goes: a tag does not say which way its meter is built in, and a wrong arrow is worse than none.
"""

from dataclasses import dataclass
from math import isfinite

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from control_room.core.alarms import AlarmState, Priority
from control_room.core.samples import Grade, Sample
from control_room.core.tags import Quantity, Tag
from widgets.map_symbols import share
from widgets.palette import Palette

# pixels of the smallest and of the largest value: near, and where the whole network is in view
NEAR_PX = (2.5, 7.0)
FAR_PX = (1.8, 4.0)


@dataclass(frozen=True, slots=True)
class PipeLook:
    """How a measured pipe is drawn: `part` of its range (None: not to be trusted), and its alarm."""

    part: float | None
    alarm: tuple[Priority, AlarmState] | None = None


def look_of(tag: Tag, sample: Sample | None, alarm: tuple[Priority, AlarmState] | None) -> PipeLook:
    """Return how a pipe with this tag and value is drawn; a flow counts by its amount, whichever way it goes."""
    if tag.quantity is not Quantity.FLOW:
        return PipeLook(share(tag, sample), alarm)
    most = max(abs(tag.low), abs(tag.high))
    if sample is None or sample.value is None or sample.grade >= Grade.STALE or not isfinite(sample.value) or not most:
        return PipeLook(None, alarm)
    return PipeLook(min(1.0, abs(sample.value) / most), alarm)


def paint_pipe(
    painter: QPainter, line: QPolygonF, look: PipeLook, span_px: tuple[float, float], palette: Palette
) -> None:
    """Paint the pipe in its value's class of tone and width; dashed without a trusted value."""
    steps = len(palette.scale)
    step = min(steps - 1, int((look.part or 0.0) * steps))
    width = span_px[0] + (span_px[1] - span_px[0]) * step / (steps - 1)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if look.alarm is not None:
        _paint_alarm(painter, line, look.alarm, width, palette)
    # the edge also hides the plain pipe of the picture below
    _stroke(painter, line, palette.panel if look.part is None else palette.label, width + 1.6)
    if look.part is None:
        _stroke(painter, line, palette.untrusted, width, [2.4, 1.6])
    else:
        _stroke(painter, line, palette.scale[step], width)


def _paint_alarm(
    painter: QPainter, line: QPolygonF, alarm: tuple[Priority, AlarmState], width: float, palette: Palette
) -> None:
    """Paint the alarm as a band around the pipe; hollow when the condition is gone. It does not flash: its symbol does."""
    priority, state = alarm
    is_active = state is not AlarmState.RETURNED
    if is_active:
        _stroke(painter, line, palette.symbol_outline, width + 9.0)
    _stroke(painter, line, palette.priorities[priority], width + 7.4)
    if not is_active:
        _stroke(painter, line, palette.panel, width + 4.0)


def _stroke(painter: QPainter, line: QPolygonF, colour: str, width: float, dashes: list[float] | None = None) -> None:
    pen = QPen(QColor(colour), width)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    if dashes:
        pen.setDashPattern(dashes)
    painter.setPen(pen)
    painter.drawPolyline(line)
