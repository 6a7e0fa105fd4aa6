"""The trend plot: live and past in one picture, bad values never drawn as measured.

All pens share one view whose height is 0 to 1; every unit has an axis of its own, and digital pens have lanes below. What
is drawn was reduced to the pixels before; pens are one pixel wide, because wider ones cost three times as much.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from time import time

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QDragEnterEvent, QDropEvent, QKeyEvent, QPainter
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from control_room.core.alarms import AlarmKind
from control_room.core.samples import Grade, Sample, quality_text
from control_room.core.tags import Tag
from control_room.core.trend_statistics import Statistics
from control_room.core.trends import Floats, TrendPiece, as_steps, held_at, seen_extremes
from widgets.palette import LIGHT, Palette
from widgets.quality import MARKS, TAG_MIME, age_text
from widgets.trend_axis import UnitAxis, calm_range
from widgets.trend_bar import SPANS_S, TrendBar
from widgets.trend_cursors import TrendCursors
from widgets.trend_legend import REMOVE_COLUMN, LegendRow, TrendLegend
from widgets.trend_lines import Line, TrendLines, line_pen
from widgets.trend_marks import LimitLine, Moment, TrendMarks, shown_limits
from widgets.trend_pens import Pen
from widgets.trend_words import PenWords, cursor_words, pen_words, present_limit, statistics_words, why_empty

DRAW_MS = 200
HISTORY_DELAY_MS = 150
# what came late, and what other seats' clocks do, is in the history only: a live plot reads it again now and then
REREAD_S = 30.0
REREAD_SHARE = 0.02
REREAD_LATE_S = 2.0
UNIT_AXES = 3
LANE = 0.09
# a plot on paper is as if it were so wide
PAPER_PX = 1_300


class TrendPlot(QWidget):
    """Pens over time. `clock` returns the present in seconds since 1970."""

    history_wanted = Signal(int, float, float, int)
    # of a tag between two moments in seconds since 1970; answered by show_statistics()
    statistics_wanted = Signal(int, float, float)
    tag_dropped = Signal(int)
    pens_changed = Signal()

    def __init__(
        self, parent: QWidget | None = None, clock: Callable[[], float] = time, *, is_fixed: bool = False
    ) -> None:
        """Start live, with the last 5 minutes and no pens; `is_fixed`: a person cannot choose pens, nor go live."""
        super().__init__(parent)
        self._clock, self._is_fixed = clock, is_fixed
        self._pens: dict[int, Pen] = {}
        self._limits: dict[int, Sequence[LimitLine]] = {}
        self._ranges: dict[str, tuple[float, float]] = {}
        self._focus: int | None = None
        self._palette = LIGHT
        self._span_s = SPANS_S["5 min"]
        self._is_live = True
        self._is_moving_itself = False
        self._cursor_s: float | None = None
        self._needs_drawing = True
        self._reread_s = 0.0
        self._drawn_until_s = 0.0
        self._drawn: dict[int, list[tuple[TrendPiece, float]]] = {}
        self.setAcceptDrops(not is_fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._build()
        self._drawing = QTimer(self)
        self._drawing.setInterval(DRAW_MS)
        self._drawing.timeout.connect(self._draw_if_seen)
        self._drawing.start()
        self._asking = QTimer(self)
        self._asking.setSingleShot(True)
        self._asking.setInterval(HISTORY_DELAY_MS)
        self._asking.timeout.connect(self._ask_history)
        self.apply_palette(LIGHT)
        self.flush()

    # --- what it is made of

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(4)
        self._bar = TrendBar(self, has_live=not self._is_fixed)
        self._bar.show_span_s(self._span_s)
        self._bar.span_wanted.connect(self.set_span_s)
        self._bar.live_wanted.connect(self._on_live)
        self._bar.cursors_wanted.connect(self._show_cursors)
        column.addWidget(self._bar)
        self._build_plot()
        column.addWidget(self._view, 1)
        self._build_legend()
        column.addWidget(self._legend)

    def _build_plot(self) -> None:
        self._time_axis = pg.DateAxisItem(orientation="bottom")
        self._view = pg.PlotWidget(self, axisItems={"bottom": self._time_axis})
        self._plot: pg.PlotItem = self._view.getPlotItem()
        # the plot's own left axis would show the shared height; its place is the first unit's
        self._plot.hideAxis("left")
        self._plot.layout.removeItem(self._plot.getAxis("left"))
        self._plot.hideButtons()
        self._plot.setMenuEnabled(False)
        # pyqtgraph makes it a window of its own, which nobody would ever take away
        self._plot.ctrlMenu.setParent(self._view, self._plot.ctrlMenu.windowFlags())
        self._box = self._plot.getViewBox()
        self._box.setMouseEnabled(x=True, y=False)
        self._box.disableAutoRange()
        self._box.setYRange(0, 1, padding=0)
        self._box.sigXRangeChanged.connect(self._on_range)
        self._axes = [UnitAxis() for _ in range(UNIT_AXES)]
        for number, axis in enumerate(self._axes):
            # columns of pyqtgraph's own layout: the view is in column 1, so further axes go to its right
            self._plot.layout.addItem(axis, 2, 0 if number == 0 else 2 + number)
            if number:
                axis.orientation = "right"
            axis.hide()
        self._build_marks()

    def _build_marks(self) -> None:
        self._lines = TrendLines()
        self._plot.addItem(self._lines, ignoreBounds=True)
        self._cursor = pg.InfiniteLine(angle=90, movable=False)
        self._plot.addItem(self._cursor, ignoreBounds=True)
        self._marks = TrendMarks(self._plot)
        self._cursors = TrendCursors(self._plot, self)
        self._cursors.moved.connect(self._ask_statistics)
        self._hint = QLabel(self._view)
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._hint.setWordWrap(True)
        self._hint.setMargin(24)
        self._hint.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._view.scene().sigMouseMoved.connect(self._on_mouse)
        self._view.installEventFilter(self)
        self._view.setAcceptDrops(False)

    def _build_legend(self) -> None:
        self._legend = TrendLegend(self)
        self._legend.setColumnHidden(REMOVE_COLUMN, self._is_fixed)
        self._legend.focus_wanted.connect(lambda tag_id: self.bring_forward(None if self._focus == tag_id else tag_id))
        self._legend.removal_wanted.connect(self.remove_pen)

    # --- what others tell it

    def add_pen(self, tag: Tag) -> None:
        """Add a tag's line, in the first free colour; its past is asked for."""
        if tag.id in self._pens:
            self.bring_forward(tag.id)
            return
        taken = {pen.colour_number for pen in self._pens.values()}
        number = next(n for n in range(len(self._pens) + 1) if n not in taken)
        self._pens[tag.id] = Pen(tag, number, self._clock())
        self._show_legend()
        self._asking.start()
        self._ask_statistics()
        self.pens_changed.emit()

    def remove_pen(self, tag_id: int) -> None:
        """Take a line away."""
        if self._pens.pop(tag_id, None) is None:
            return
        self._lines.remove_pen(tag_id)
        self._focus = None if self._focus == tag_id else self._focus
        self._show_legend()
        self.pens_changed.emit()

    def pens(self) -> list[int]:
        """Return the tag ids in the order of their adding."""
        return list(self._pens)

    def show_sample(self, sample: Sample) -> None:
        """Take a live sample; it is drawn with the next picture."""
        pen = self._pens.get(sample.tag_id)
        if pen is not None:
            if pen.take(sample):
                self._reread_s = min(self._reread_s, self._clock() + REREAD_LATE_S)
            self._needs_drawing = True

    def show_history(self, piece: TrendPiece) -> None:
        """Take a stretch of the past."""
        pen = self._pens.get(piece.tag_id)
        if pen is not None:
            pen.history, pen.state = piece, ""
            self._needs_drawing = True

    def show_loading(self, tag_id: int) -> None:
        """Say that the past is on its way, when some of the picture is not known yet."""
        pen = self._pens.get(tag_id)
        if pen is not None and (pen.history is None or pen.history.start_s > self.stretch_s[0]):
            self._say(tag_id, "loading …")

    def show_failure(self, tag_id: int, words: str) -> None:
        """Say why the past could not be read."""
        self._say(tag_id, words)

    def _say(self, tag_id: int, words: str) -> None:
        if tag_id in self._pens:
            self._pens[tag_id].state = words
            self._needs_drawing = True

    def read_again(self) -> None:
        """Take the past from history again: what came live meanwhile was not what was measured."""
        for pen in self._pens.values():
            pen.forget_live(self._clock())
        self._asking.start()

    def set_tag(self, tag: Tag, limits: list[tuple[AlarmKind, float]]) -> None:
        """Take a tag's configuration and alarm limits; the limits of the pen in focus are drawn."""
        self.show_limits(tag.id, [present_limit(tag, kind, limit) for kind, limit in limits])
        pen = self._pens.get(tag.id)
        if pen is not None and pen.tag != tag:
            pen.tag = tag
            self._show_legend()
        self._needs_drawing = True

    def show_limits(self, tag_id: int, limits: Sequence[LimitLine]) -> None:
        """Take a tag's limits as they were; they are drawn while its pen is in focus."""
        self._limits[tag_id] = limits
        self._needs_drawing = True

    def show_moments(self, moments: Sequence[Moment]) -> None:
        """Mark these moments and no others."""
        self._marks.show_moments(moments)

    def show_stretch(self, start_s: float, end_s: float) -> None:
        """Leave the present and show this stretch of the past."""
        self._set_live(False)
        self._box.setXRange(start_s, end_s, padding=0)
        self.flush()
        self._asking.start()

    def bring_forward(self, tag_id: int | None) -> None:
        """Bring a pen to the front with its limits."""
        self._focus = tag_id
        self._show_legend()
        self.flush()

    def set_span_s(self, span_s: float) -> None:
        """Show so many seconds, ending where the picture ends now."""
        self._span_s = span_s
        self._bar.show_span_s(span_s)
        if not self._is_live:
            end_s = self._box.viewRange()[0][1]
            self._box.setXRange(end_s - span_s, end_s, padding=0)
        self.flush()
        self._asking.start()

    def go_live(self) -> None:
        """Follow the clock again."""
        self._set_live(True)
        self.flush()
        self._asking.start()

    @property
    def is_live(self) -> bool:
        """Return whether the right edge is now."""
        return self._is_live

    def apply_palette(self, palette: Palette) -> None:
        """Use the theme's colours."""
        self._palette = palette
        self._view.setBackground(QColor(palette.panel))
        for axis in (self._time_axis, *self._axes):
            axis.setPen(QColor(palette.border))
            axis.setTextPen(QColor(palette.label))
        self._plot.showGrid(x=True, y=False, alpha=0.25)
        self._cursor.setPen(pg.mkPen(QColor(palette.text), width=1))
        self._hint.setStyleSheet(f"color: {palette.label}; font-size: 15px;")
        self._marks.apply_palette(palette)
        self._cursors.apply_palette(palette)
        self._show_legend()
        self._needs_drawing = True

    # --- what the person does

    def _on_live(self, is_live: bool) -> None:
        if is_live:
            self.go_live()
        else:
            self._set_live(False)

    def _set_live(self, is_live: bool) -> None:
        self._is_live = is_live
        self._bar.live_button.setChecked(is_live)
        self._needs_drawing = True

    def _on_range(self) -> None:
        if self._is_moving_itself:
            return
        start_s, end_s = self._box.viewRange()[0]
        self._span_s = end_s - start_s
        self._bar.show_span_s(self._span_s)
        self._set_live(False)
        self._asking.start()

    def _on_mouse(self, position: QPointF) -> None:
        inside = self._plot.sceneBoundingRect().contains(position)
        self._cursor_s = float(self._box.mapSceneToView(position).x()) if inside else None
        self._show_cursor()

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        """Forget the cursor when the mouse leaves the plot."""
        if event.type() == QEvent.Type.Leave:
            self._cursor_s = None
            self._show_cursor()
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        start_s, end_s = self._box.viewRange()[0]
        step_s, middle_s = (end_s - start_s) / 4, (start_s + end_s) / 2
        moves = {
            Qt.Key.Key_Left: (start_s - step_s, end_s - step_s),
            Qt.Key.Key_Right: (start_s + step_s, end_s + step_s),
            Qt.Key.Key_Plus: (middle_s - step_s, middle_s + step_s),
            Qt.Key.Key_Minus: (middle_s - 4 * step_s, middle_s + 4 * step_s),
        }
        key = Qt.Key(event.key())
        sideways = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        held = {Qt.KeyboardModifier.ShiftModifier: "A", Qt.KeyboardModifier.ControlModifier: "B"}
        name = held.get(event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier)
        if key in sideways and name and self._cursors.is_shown:
            self._cursors.step(name, sideways[key])
        elif key == Qt.Key.Key_C and not event.modifiers() and not self._is_fixed:
            self._bar.cursors_button.toggle()
        elif key in moves:
            self._box.setXRange(*moves[key], padding=0)
        elif key in (Qt.Key.Key_L, Qt.Key.Key_End) and not self._is_fixed:
            self.go_live()
        else:
            super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasFormat(TAG_MIME):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        for word in bytes(event.mimeData().data(TAG_MIME).data()).decode().split(","):
            self.tag_dropped.emit(int(word))
        event.acceptProposedAction()

    # --- history

    def _ask_history(self) -> None:
        start_s, end_s = self.stretch_s
        self._reread_s = self._clock() + max(REREAD_S, self._span_s * REREAD_SHARE)
        for tag_id in self._pens:
            self.history_wanted.emit(tag_id, start_s, end_s, self._columns())

    def _columns(self) -> int:
        return max(200, int(self._box.width()))

    @property
    def stretch_s(self) -> tuple[float, float]:
        """Return what is seen, from when to when, in seconds since 1970."""
        if self._is_live:
            now_s = self._clock()
            return now_s - self._span_s, now_s
        start_s, end_s = self._box.viewRange()[0]
        return float(start_s), float(end_s)

    # --- drawing

    def _draw_if_seen(self) -> None:
        if not self.isVisible():
            return
        if self._is_live and self._pens and self._clock() >= self._reread_s:
            self._ask_history()
        # without news a live plot only moves, and by less than a pixel nobody sees it
        is_moved = self._is_live and self._clock() - self._drawn_until_s >= self._span_s / self._columns()
        if self._needs_drawing or is_moved:
            self.flush()

    def flush(self) -> None:
        """Draw now what is known."""
        self._needs_drawing = False
        start_s, end_s = self.stretch_s
        self._drawn_until_s = end_s
        self._is_moving_itself = True
        self._box.setXRange(start_s, end_s, padding=0)
        self._is_moving_itself = False
        known_until_s = min(end_s, self._clock())
        pieces = {tag_id: pen.pieces(start_s, known_until_s, self._columns()) for tag_id, pen in self._pens.items()}
        self._drawn = pieces
        self._hint.setText(why_empty(self._pens.values(), pieces))
        self._hint.setVisible(bool(self._hint.text()))
        self._choose_ranges(pieces, start_s)
        lanes = [tag_id for tag_id, pen in self._pens.items() if pen.is_digital]
        # lanes alone have the whole height
        top = 0 if lanes and len(lanes) == len(self._pens) else 1
        self._box.setYRange(-LANE * len(lanes) - 0.02 * bool(lanes), top, padding=0)
        for tag_id, pen in self._pens.items():
            self._draw_pen(pen, pieces[tag_id], lanes)
        self._show_axes(len(lanes))
        self._marks.show_limits(self._limits_seen(), self._limit_place, start_s, end_s)
        self._fill_legend()

    def _choose_ranges(self, pieces: dict[int, list[tuple[TrendPiece, float]]], start_s: float) -> None:
        needed: dict[str, list[float]] = {}
        for tag_id, pen in self._pens.items():
            for piece, _ in pieces[tag_id] if not pen.is_digital else ():
                needed.setdefault(pen.tag.unit, []).extend(seen_extremes(piece, start_s))
        if self._focus is not None and (unit := self._pens[self._focus].tag.unit) in needed:
            needed[unit].extend(shown_limits(self._limits_seen(), *self.stretch_s))
        for unit, values in needed.items():
            if values:
                self._ranges[unit] = calm_range(self._ranges.get(unit), min(values), max(values))

    def _draw_pen(self, pen: Pen, pieces: list[tuple[TrendPiece, float]], lanes: list[int]) -> None:
        steps = [as_steps(piece, until_s) for piece, until_s in pieces]
        gap = np.array([np.nan])
        x = np.concatenate([part for one in steps for part in (one.time_s, gap)] or [gap])
        heights = (
            np.concatenate([part for one in steps for part in (getattr(one, kind), gap)] or [gap])
            for kind in ("trusted", "untrusted")
        )
        y, y_lost = (self._place(pen, height, lanes) for height in heights)
        alpha = 70 if self._focus is not None and self._focus != pen.tag.id else 255
        dotted, solid = Qt.PenStyle.DotLine, Qt.PenStyle.SolidLine
        self._lines.show_line((pen.tag.id, 1), Line(x, y_lost, line_pen(self._palette.untrusted, alpha, dotted)))
        self._lines.show_line((pen.tag.id, 0), Line(x, y, line_pen(self._colour(pen), alpha, solid), self._name(pen)))

    def _place(self, pen: Pen, height: Floats, lanes: list[int]) -> Floats:
        if pen.is_digital:
            top = max(1.0, float(len(pen.tag.states) - 1))
            bottom = -LANE * (lanes.index(pen.tag.id) + 1)
            return bottom + height / top * LANE * 0.7
        low, high = self._ranges.get(pen.tag.unit, (0.0, 1.0))
        return (height - low) / (high - low)

    def _colour(self, pen: Pen) -> str:
        return self._palette.pens[pen.colour_number % len(self._palette.pens)]

    def _name(self, pen: Pen) -> str:
        return str(pen.colour_number + 1) if len(self._pens) > 1 else ""

    def _units(self) -> list[str]:
        """Return the units in the order of their axes; the focused pen's is always among those that have one."""
        units = list(dict.fromkeys(pen.tag.unit for pen in self._pens.values() if not pen.is_digital))
        focused = self._pens.get(self._focus) if self._focus is not None else None
        if focused is not None and focused.tag.unit in units[UNIT_AXES:]:
            units.remove(focused.tag.unit)
            units.insert(UNIT_AXES - 1, focused.tag.unit)
        return units

    def _show_axes(self, lanes: int) -> None:
        units = self._units()
        bottom = -LANE * lanes - 0.02 * bool(lanes)
        for number, axis in enumerate(self._axes):
            if number >= len(units) or units[number] not in self._ranges:
                axis.hide()
                continue
            low, high = self._ranges[units[number]]
            axis.show_range(low, low + bottom * (high - low), high, units[number] or "—")
            axis.show()

    def _limits_seen(self) -> Sequence[LimitLine]:
        pen = self._pens.get(self._focus) if self._focus is not None else None
        return self._limits.get(pen.tag.id, ()) if pen is not None and not pen.is_digital else ()

    def _limit_place(self, limits: Floats) -> Floats:
        return self._place(self._pens[self._focus], limits, []) if self._focus is not None else limits

    # --- two cursors

    def _show_cursors(self, are_shown: bool) -> None:
        self._cursors.show(are_shown)
        self._legend.show_between(are_shown)
        self._show_cursor()

    def _ask_statistics(self) -> None:
        if self._cursors.is_shown:
            start_s, end_s = self._cursors.stretch_s
            for tag_id in self._pens:
                self._cursors.cells[tag_id] = ["…"] * 8, ""
                # nothing is known of what is yet to come
                self.statistics_wanted.emit(tag_id, start_s, min(end_s, self._clock()))
            self._fill_legend()

    def show_statistics(self, tag_id: int, found: Statistics | None) -> None:
        """Take what was wanted of a tag, None when it could not be read."""
        if tag_id in self._pens:
            self._cursors.cells[tag_id] = statistics_words(self._pens[tag_id].tag, found)
            self._fill_legend()

    # --- on paper

    def render_on(self, painter: QPainter, place: QRectF, palette: Palette) -> None:
        """Draw what is seen, without the cursor, into a rectangle of the painter, in its shape and in other colours."""
        usual, size = self._palette, self._view.size()
        self.apply_palette(palette)
        self._view.resize(PAPER_PX, round(PAPER_PX * place.height() / place.width()))
        self._plot.layout.activate()
        self._lines.scale_px = painter.transform().mapRect(place).width() / PAPER_PX
        self.flush()
        self._cursor.hide()
        self._view.render(painter, place, self._view.rect())
        self._lines.scale_px = 1.0
        self._view.resize(size)
        self.apply_palette(usual)
        self.flush()

    def pen_words(self, palette: Palette) -> list[PenWords]:
        """Return what is written of each pen beside the plot in these colours."""
        colours = {tag_id: palette.pens[pen.colour_number % len(palette.pens)] for tag_id, pen in self._pens.items()}
        pens = self._pens.items()
        return [pen_words(pen, colours[one], self._drawn.get(one, ()), self.stretch_s) for one, pen in pens]

    # --- legend and cursor

    def _show_legend(self) -> None:
        pens = self._pens.values()
        self._legend.show_rows(
            [LegendRow(pen.tag, self._colour(pen), pen.tag.id == self._focus, self._name(pen)) for pen in pens]
        )
        self._needs_drawing = True

    def _fill_legend(self) -> None:
        for pen in self._pens.values():
            if self._cursors.is_shown:
                self._legend.show_statistics(pen.tag.id, *self._cursors.cells.get(pen.tag.id, ([], "")))
            sample, words = pen.newest, pen.state
            if sample is None:
                self._legend.show_now(pen.tag.id, "…", words)
                continue
            if not words and sample.grade is not Grade.GOOD:
                age = age_text(self._clock() - sample.source_time.timestamp())
                words = f"{quality_text(sample.quality)}, {age}"
            self._legend.show_now(pen.tag.id, f"{MARKS[sample.grade]} {pen.tag.text(sample.value)}".strip(), words)
        self._show_cursor()

    def _show_cursor(self) -> None:
        self._cursor.setVisible(self._cursor_s is not None)
        if self._cursor_s is not None:
            self._cursor.setValue(self._cursor_s)
        if self._cursors.is_shown:
            self._bar.say(self._cursors.words())
        elif self._cursor_s is None:
            self._bar.say("")
        else:
            self._bar.say(f"{datetime.fromtimestamp(self._cursor_s).astimezone():%Y-%m-%d %H:%M:%S}")
        for pen in self._pens.values():
            self._legend.show_at_cursor(pen.tag.id, self._at_cursor(pen))

    def _at_cursor(self, pen: Pen) -> str:
        if self._cursor_s is None or self._cursor_s > self._clock():
            return ""
        for piece, until_s in self._drawn.get(pen.tag.id, ()):
            row = held_at(piece, self._cursor_s)
            if row is None or self._cursor_s > until_s:
                continue
            return cursor_words(pen.tag, piece, row, self._cursor_s, self._columns())
        return "no data"

    def resizeEvent(self, event: object) -> None:
        self._legend.leave_room(self.height())
        self._hint.setGeometry(self._view.rect())
        self._asking.start()
