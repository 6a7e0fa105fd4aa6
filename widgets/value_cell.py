"""A value in a list: one that may not be trusted stands in a dashed frame, with its mark and its age."""

from collections.abc import Iterable
from datetime import datetime

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPen

from control_room.core.samples import Grade, Sample
from control_room.core.tags import Tag
from widgets.palette import Palette
from widgets.quality import MARKS, age_text, value_text

_PAD_PX = 6


def aged_text(tag: Tag, sample: Sample | None, now: datetime) -> str:
    """Return value, unit and mark, and for a value that is not fed any more how long it has not been."""
    words = value_text(tag, sample)
    if sample is not None and sample.grade is Grade.STALE:
        return f"{words} · {age_text((now - sample.source_time).total_seconds())}"
    return words


def fitting(metrics: QFontMetrics, words: Iterable[str], width_px: float) -> str:
    """Return the first of `words` that fits, else an ellipsis: a number that was cut is a wrong number."""
    return next((one for one in words if metrics.horizontalAdvance(one) <= width_px), "…")


def paint_value(
    painter: QPainter,
    box: QRectF,
    tag: Tag,
    sample: Sample | None,
    now: datetime,
    palette: Palette,
    *,
    is_selected: bool,
) -> None:
    """Paint the value right-aligned in `box`."""
    is_trusted = sample is not None and sample.grade <= Grade.UNCERTAIN
    text = aged_text(tag, sample, now)
    plain = palette.text if is_trusted else palette.untrusted
    painter.setPen(QColor(palette.selection_text if is_selected else plain))
    room = box.adjusted(_PAD_PX, 0, -_PAD_PX, 0)
    metrics = painter.fontMetrics()
    mark = MARKS[sample.grade] if sample is not None else ""
    number = f"{mark} {tag.text(sample.value)}".strip() if sample is not None else ""
    shown = fitting(metrics, (text, value_text(tag, sample), number), room.width())
    painter.drawText(room, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, shown)
    if sample is not None and not is_trusted:
        width = min(metrics.horizontalAdvance(shown) + 8, room.width() + 8)
        pen = QPen(painter.pen().color(), 1)
        pen.setDashPattern([3, 2])
        painter.setPen(pen)
        painter.drawRect(QRectF(room.right() - width + 4, box.top() + 2.5, width, box.height() - 5))
