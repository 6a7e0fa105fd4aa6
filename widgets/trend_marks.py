"""What is drawn over the lines of a trend: limits as they were at the time, and moments with their names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPen

from control_room.core.limit_history import LimitStep
from control_room.core.trends import Floats
from widgets.palette import LIGHT, Palette
from widgets.trend_lines import Line, TrendLines

# names of moments that lie close together stand below each other
_NAMES_AT = (0.95, 0.87, 0.79, 0.71)


@dataclass(frozen=True, slots=True)
class LimitLine:
    """One limit over time; `words` return how it is called at a value. `is_shown`: the picture is made to hold it."""

    words: Callable[[float], str]
    steps: Sequence[LimitStep]
    is_shown: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened at `time_s` (since 1970, UTC)."""

    time_s: float
    words: str


class TrendMarks:
    """Limits and moments over one plot, whose height is 0 to 1."""

    def __init__(self, plot: pg.PlotItem) -> None:
        """Mark nothing."""
        self._plot = plot
        self._palette = LIGHT
        self._moments: list[pg.InfiniteLine] = []
        self._names: list[pg.TextItem] = []
        self._lines = TrendLines()
        plot.addItem(self._lines, ignoreBounds=True)

    def names(self) -> list[str]:
        """Return what is written at limits that are seen."""
        return [one.toPlainText() for one in self._names if one.isVisible()]

    def moments(self) -> list[tuple[float, str]]:
        """Return what is marked, as (time in s, words)."""
        return [(float(one.value()), one.label.format) for one in self._moments]

    def apply_palette(self, palette: Palette) -> None:
        """Use the theme's colours."""
        self._palette = palette
        self.show_moments([Moment(*one) for one in self.moments()])

    def show_moments(self, moments: Sequence[Moment]) -> None:
        """Mark these moments and no others."""
        for line in self._moments:
            self._plot.removeItem(line)
        self._moments = [self._moment(number, one) for number, one in enumerate(moments)]

    def _moment(self, number: int, moment: Moment) -> pg.InfiniteLine:
        colour = QColor(self._palette.text)
        look = {
            "position": _NAMES_AT[number % len(_NAMES_AT)],
            "color": colour,
            "movable": False,
            # on whichever side there is room
            "anchors": [(0, 0.5), (1, 0.5)],
        }
        line = pg.InfiniteLine(
            moment.time_s, angle=90, pen=QPen(colour, 0), movable=False, label=moment.words, labelOpts=look
        )
        self._plot.addItem(line, ignoreBounds=True)
        return line

    def show_limits(
        self, limits: Sequence[LimitLine], place: Callable[[Floats], Floats], start_s: float, end_s: float
    ) -> None:
        """Draw limits between the times; `place` returns the height of values."""
        for number in range(len(self._lines.lines)):
            self._lines.remove_pen(number)
        for name in self._names:
            name.hide()
        seen = [
            (one, *clipped)
            for one in limits
            for step in one.steps
            if (clipped := _clipped(step, start_s, end_s)) is not None
        ]
        for number, one in enumerate(limits):
            mine = [(step, a, b) for owner, step, a, b in seen if owner is one]
            x = np.array([edge for _, a, b in mine for edge in (a, b)])
            y = place(np.array([step.limit for step, _, _ in mine for _ in (0, 1)]))
            self._lines.show_line((number, 0), Line(x, y, self._limit_pen()))
        for number, (one, step, _, until_s) in enumerate(seen):
            self._name(number, one.words(step.limit), until_s, float(place(np.array([step.limit]))[0]))

    def _limit_pen(self) -> QPen:
        return QPen(QColor(self._palette.label), 0, Qt.PenStyle.DashLine)

    def _name(self, number: int, words: str, at_s: float, height: float) -> None:
        if number == len(self._names):
            self._names.append(pg.TextItem(anchor=(1, 1)))
            self._plot.addItem(self._names[-1], ignoreBounds=True)
        name = self._names[number]
        name.setText(words, QColor(self._palette.label))
        # above the line where there is room
        name.setAnchor((1, 0 if height > _NAMES_AT[-1] else 1))
        name.setPos(at_s, height)
        name.setVisible(0 <= height <= 1)


def _clipped(step: LimitStep, start_s: float, end_s: float) -> tuple[LimitStep, float, float] | None:
    begin_s, until_s = max(step.start_s, start_s), min(step.end_s, end_s)
    return (step, begin_s, until_s) if begin_s < until_s else None


def shown_limits(limits: Sequence[LimitLine], start_s: float, end_s: float) -> list[float]:
    """Return the values between the times of the limits that the picture must hold."""
    return [step.limit for one in limits if one.is_shown for step in one.steps if _clipped(step, start_s, end_s)]
