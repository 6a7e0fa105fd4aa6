"""Two cursors in a trend, A and B: lines that a person moves, and what lies between them."""

from datetime import datetime

import pyqtgraph as pg
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor

from widgets.palette import Palette

_STYLES = {"A": Qt.PenStyle.DashLine, "B": Qt.PenStyle.DashDotLine}
# a key moves a cursor by so much of what is seen
_STEP = 0.005


class TrendCursors(QObject):
    """Hidden at first; signals `moved` when a cursor has come to stand."""

    moved = Signal()

    def __init__(self, plot: pg.PlotItem, parent: QObject) -> None:
        """Belong to a plot whose horizontal axis is seconds since 1970."""
        super().__init__(parent)
        self._plot = plot
        self.lines: dict[str, pg.InfiniteLine] = {}
        # what is known between them of each tag: cells of the legend, and a tip
        self.cells: dict[int, tuple[list[str], str]] = {}
        for name in _STYLES:
            line = pg.InfiniteLine(angle=90, movable=True, label=name, labelOpts={"position": 0.96, "movable": False})
            line.hide()
            line.sigPositionChangeFinished.connect(self.moved)
            plot.addItem(line, ignoreBounds=True)
            self.lines[name] = line

    @property
    def is_shown(self) -> bool:
        """Return whether they are there."""
        return bool(self.lines["A"].isVisible())

    def show(self, is_shown: bool) -> None:
        """Show them, where they are not seen at a third and two thirds of what is; or hide them."""
        begin_s, end_s = self._plot.getViewBox().viewRange()[0]
        for number, line in enumerate(self.lines.values(), 1):
            if is_shown and not begin_s <= line.value() <= end_s:
                line.setValue(begin_s + number * (end_s - begin_s) / 3)
            line.setVisible(is_shown)
        self.moved.emit()

    def step(self, name: str, direction: int) -> None:
        """Move one by a step to the left (-1) or the right (1)."""
        begin_s, end_s = self._plot.getViewBox().viewRange()[0]
        line = self.lines[name]
        line.setValue(line.value() + direction * _STEP * (end_s - begin_s))
        self.moved.emit()

    @property
    def stretch_s(self) -> tuple[float, float]:
        """Return the earlier and the later moment, in seconds since 1970."""
        first_s, second_s = sorted(float(line.value()) for line in self.lines.values())
        return first_s, second_s

    def words(self) -> str:
        """Return how far they are apart, and both moments in local time."""
        at_s = {name: float(line.value()) for name, line in self.lines.items()}
        moments = [f"{name} {datetime.fromtimestamp(one).astimezone():%Y-%m-%d %H:%M:%S}" for name, one in at_s.items()]
        return f"Δt {duration_words(at_s['B'] - at_s['A'])}   {moments[0]}   {moments[1]}"

    def apply_palette(self, palette: Palette) -> None:
        """Use the theme's colours."""
        for name, line in self.lines.items():
            line.setPen(pg.mkPen(QColor(palette.text), width=1, style=_STYLES[name]))
            line.setHoverPen(pg.mkPen(QColor(palette.text), width=2, style=_STYLES[name]))
            line.label.setColor(QColor(palette.text))
            line.label.fill = pg.mkBrush(QColor(palette.panel))


def duration_words(seconds: float) -> str:
    """Return a duration with its sign, in days, hours, minutes and seconds to the tenth: '-1 h 02 min 03.4 s'."""
    tenths = round(abs(seconds) * 10)
    days, rest = divmod(tenths, 864_000)
    hours, rest = divmod(rest, 36_000)
    minutes, rest = divmod(rest, 600)
    parts = [f"{days} d"] * bool(days) + [f"{hours} h"] * bool(days or hours)
    parts += [f"{minutes:02d} min" if parts else f"{minutes} min"] * bool(parts or minutes)
    parts.append(f"{rest / 10:04.1f} s" if parts else f"{rest / 10:.1f} s")
    return ("-" if seconds < 0 and tenths else "") + " ".join(parts)
