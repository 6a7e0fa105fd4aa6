"""A trend on paper: heading, the plot in the colours of the day, and its pens; as PDF, SVG, PNG or printed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QMarginsF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPageLayout, QPageSize, QPainter, QPdfWriter, QPen

from control_room.ui.table_files import draft_of
from widgets.palette import LIGHT
from widgets.trend_plot import TrendPlot
from widgets.trend_words import PenWords

# a landscape page in points; pictures have so many pixels for each
PAGE = QSizeF(842.0, 595.0)
_PIXELS = 2.5
_PAPER = replace(LIGHT, panel="#ffffff")
_MARGIN, _LINE, _SWATCH = 36.0, 13.0, 22.0
_COLUMNS = (0.0, 52.0, 430.0, 500.0, 580.0, 660.0)
_HEAD = ("", "Tag", "Unit", "Lowest", "Highest", "At the end")
KINDS = {".pdf": "PDF files (*.pdf)", ".png": "Pictures (*.png)", ".svg": "Vector graphics (*.svg)"}


@dataclass(frozen=True, slots=True)
class Sheet:
    """What stands on the page beside the plot: name of the group, municipalities, who made it and when (aware)."""

    title: str
    places: Sequence[str]
    person: str
    made: datetime


def period_words(plot: TrendPlot) -> str:
    """Return the stretch that is seen, in local time with its distance from UTC at both ends."""
    begin, end = (datetime.fromtimestamp(one).astimezone() for one in plot.stretch_s)
    return f"{begin:%Y-%m-%d %H:%M:%S %z} to {end:%Y-%m-%d %H:%M:%S %z}"


def paint(painter: QPainter, page: QRectF, plot: TrendPlot, sheet: Sheet) -> None:
    """Draw the sheet into `page`, whatever its unit is; its width is taken as that of PAGE."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(page.topLeft())
    painter.scale(page.width() / PAGE.width(), page.width() / PAGE.width())
    height = page.height() * PAGE.width() / page.width()
    inside = QRectF(0, 0, PAGE.width(), height).marginsRemoved(QMarginsF(_MARGIN, _MARGIN, _MARGIN, _MARGIN))
    pens = plot.pen_words(_PAPER)
    begin = _heading(painter, inside, plot, sheet)
    below = _LINE * (len(pens) + 1.5)
    picture = QRectF(inside.left(), begin, inside.width(), max(120.0, inside.bottom() - below - begin))
    plot.render_on(painter, picture, _PAPER)
    _legend(painter, inside.left(), picture.bottom() + _LINE, pens)
    painter.restore()


def _heading(painter: QPainter, inside: QRectF, plot: TrendPlot, sheet: Sheet) -> float:
    painter.setPen(QColor(Qt.GlobalColor.black))
    painter.setFont(_font(14, is_bold=True))
    painter.drawText(
        QRectF(inside.left(), inside.top(), inside.width(), 18), Qt.AlignmentFlag.AlignVCenter, sheet.title
    )
    painter.setFont(_font(8))
    made = f"Made by {sheet.person}, {sheet.made.astimezone():%Y-%m-%d %H:%M %z}"
    for number, words in enumerate((f"{', '.join(sheet.places)} · {period_words(plot)}", made)):
        line = QRectF(inside.left(), inside.top() + 20 + number * 11, inside.width(), 11)
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, words)
    return inside.top() + 46


def _legend(painter: QPainter, left: float, top: float, pens: Sequence[PenWords]) -> None:
    painter.setFont(_font(7, is_bold=True))
    _cells(painter, left, top, _HEAD)
    painter.setFont(_font(8))
    for number, pen in enumerate(pens, 1):
        middle = top + number * _LINE
        painter.setPen(QPen(QColor(pen.colour), 2.0))
        painter.drawLine(int(left), int(middle + _LINE / 2), int(left + _SWATCH), int(middle + _LINE / 2))
        painter.setPen(QColor(Qt.GlobalColor.black))
        painter.drawText(QRectF(left + _SWATCH + 4, middle, 24, _LINE), Qt.AlignmentFlag.AlignVCenter, pen.number)
        _cells(painter, left, middle, ("", pen.name, pen.unit, pen.lowest, pen.highest, pen.last))


def _cells(painter: QPainter, left: float, top: float, cells: Sequence[str]) -> None:
    ends = (*_COLUMNS[1:], PAGE.width() - 2 * _MARGIN)
    for begin, end, words in zip(_COLUMNS, ends, cells, strict=True):
        width = end - begin - 6
        short = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideMiddle, int(width))
        painter.drawText(QRectF(left + begin, top, width, _LINE), Qt.AlignmentFlag.AlignVCenter, short)


def _font(points: int, *, is_bold: bool = False) -> QFont:
    font = QFont()
    # the painter's unit is a point of the page whatever it draws on
    font.setPixelSize(points)
    font.setBold(is_bold)
    return font


def drawn(kind: str, plot: TrendPlot, sheet: Sheet) -> Callable[[Path], None]:
    """Draw the sheet as a file of a kind of KINDS; return what writes it, on any thread, raising OSError.

    The file appears when it is complete.
    """
    content = {".png": _png, ".svg": _svg}.get(kind, _pdf)(plot, sheet)

    def write(path: Path) -> None:
        draft = draft_of(path)
        try:
            draft.write_bytes(content())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    return write


def _png(plot: TrendPlot, sheet: Sheet) -> Callable[[], bytes]:
    image = QImage((PAGE * _PIXELS).toSize(), QImage.Format.Format_RGB32)
    image.fill(0xFFFFFFFF)
    painter = QPainter(image)
    paint(painter, QRectF(image.rect()), plot, sheet)
    painter.end()

    def content() -> bytes:
        with _Buffer() as buffer:
            image.save(buffer, "PNG")  # type: ignore[call-overload]  # its description names no device
            return buffer.content()

    return content


def _svg(plot: TrendPlot, sheet: Sheet) -> Callable[[], bytes]:
    from PySide6.QtSvg import QSvgGenerator

    with _Buffer() as buffer:
        generator = QSvgGenerator()
        generator.setOutputDevice(buffer)
        generator.setSize(PAGE.toSize())
        generator.setViewBox(QRectF(0, 0, PAGE.width(), PAGE.height()))
        generator.setTitle(sheet.title)
        painter = QPainter(generator)
        paint(painter, QRectF(0, 0, PAGE.width(), PAGE.height()), plot, sheet)
        painter.end()
        found = buffer.content()
    return lambda: found


def _pdf(plot: TrendPlot, sheet: Sheet) -> Callable[[], bytes]:
    with _Buffer() as buffer:
        writer = QPdfWriter(buffer)
        writer.setPageLayout(page_layout())
        writer.setTitle(sheet.title)
        painter = QPainter(writer)
        paint(painter, QRectF(painter.viewport()), plot, sheet)
        painter.end()
        found = buffer.content()
    return lambda: found


def page_layout() -> QPageLayout:
    """Return a landscape A4 page; its margins are the sheet's own."""
    return QPageLayout(QPageSize(QPageSize.PageSizeId.A4), QPageLayout.Orientation.Landscape, QMarginsF())


class _Buffer(QBuffer):
    def __enter__(self) -> "_Buffer":
        self.open(QIODevice.OpenModeFlag.WriteOnly)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def content(self) -> bytes:
        return bytes(self.data().data())
