"""The network map: pipes, tanks, pumps and valves with their live values and alarms.

Plain pipes are painted once into a picture somewhat larger than the view; moving the map moves the picture, and it is
painted anew when the map rests. Measured pipes, symbols and labels are few and painted live.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import cosh, floor, log10

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFont,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QPolygonF,
    QResizeEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QToolTip, QWidget

from control_room.core.alarms import TO_ACKNOWLEDGE, AlarmState, Priority
from control_room.core.geo import EARTH_RADIUS_M
from control_room.core.network import Link, LinkKind, Network, NodeKind
from control_room.core.samples import Grade, Sample
from control_room.core.tags import Municipality, Quantity, Tag
from widgets.alarm_symbol import paint_alarm_symbol
from widgets.map_geometry import DrawnNetwork, ElementKey, LiveParts, MapGeometry, Place
from widgets.map_labels import TakenRoom
from widgets.map_legend import legend_box, paint_legend
from widgets.map_pipes import FAR_PX, NEAR_PX, look_of, paint_pipe
from widgets.map_symbols import paint_point, paint_pump, paint_reservoir, paint_tank, paint_valve, share
from widgets.map_words import words_of
from widgets.palette import LIGHT, Palette
from widgets.quality import value_text

REDRAW_MS = 200
REST_MS = 90
MARGIN = 0.3
ZOOM_STEP = 1.25
HIT_PX = 13.0
PIPE_HIT_PX = 6.0
JUNCTION_HIT_PX = 7.0
NAMES_PX = 40
NAMES_FONT_PX = 15
NAME_WIDTH_PX = 250.0
# what the scale and the legend need at the lower edge
FOOT_PX = 74
SCALE_PX = 120.0
MARGIN_M = 150.0
# metres a pixel: nearer than this labels appear, farther than that only the municipality's name and alarms remain
LABELS_M_PER_PX = 60.0
FAR_M_PER_PX = 110.0
# where thicker pipes and larger symbols have room
NEAR_M_PER_PX = 15.0
# nearer than this, junctions have dots and can be pointed at while no more than so many lie in the picture
DETAIL_M_PER_PX = 25.0
MOST_DOTS = 500
DOT_PX = 2.4
LAYERS = {
    "Pressure": Quantity.PRESSURE,
    "Flow": Quantity.FLOW,
    "Level": Quantity.LEVEL,
    "Chlorine": Quantity.CHLORINE,
    "Power": Quantity.POWER,
}
_MAIN = {NodeKind.TANK: Quantity.LEVEL, LinkKind.PUMP: Quantity.STATE, LinkKind.VALVE: Quantity.POSITION}
AlarmMark = tuple[Priority, AlarmState]


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer of the search."""

    municipality_id: int
    element: str
    words: str


class NetworkMap(QWidget):
    """The map itself; what stands around it (search, choosers) is the view's."""

    element_clicked = Signal(int, str)
    tag_activated = Signal(int)
    menu_wanted = Signal(list, QPoint)

    def __init__(
        self, parent: QWidget | None = None, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Start without networks."""
        super().__init__(parent)
        self._clock = clock
        self._geometry = MapGeometry(())
        self._names: dict[int, str] = {}
        self._tags: dict[ElementKey, list[Tag]] = {}
        self._live = LiveParts(self._geometry, ())
        self._has_dots = False
        self._tag_ids: set[int] = set()
        self._samples: dict[int, Sample] = {}
        self._alarms: Mapping[int, AlarmMark] = {}
        self._layer = Quantity.PRESSURE
        self._palette = LIGHT
        self._is_lit = True
        self._selected: ElementKey | None = None
        self._centre = QPointF(0, 0)
        self._m_per_px = 50.0
        # nobody has chosen a view yet
        self._is_untouched = True
        self._picture = QPixmap()
        self._picture_centre = QPointF()
        self._picture_scale = 0.0
        self._pressed: QPointF | None = None
        self._is_dragging = False
        self._rest = self._timer(REST_MS, self._repaint_picture)
        self._redraw = self._timer(REDRAW_MS, self.update)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(240, 160)
        self.setAccessibleName("Network map")

    def _timer(self, interval_ms: int, act: Callable[[], None]) -> QTimer:
        timer = QTimer(self, singleShot=True, interval=interval_ms)
        timer.timeout.connect(act)
        return timer

    # --- what others tell it

    def show_networks(self, networks: Sequence[Network], municipalities: Sequence[Municipality]) -> None:
        """Show these networks."""
        self._geometry = MapGeometry(networks)
        self._names = {one.id: one.name for one in municipalities}
        self._live = LiveParts(self._geometry, self._tags)
        self._fit_first()
        self._repaint_picture()

    def set_tags(self, tags: Sequence[Tag]) -> None:
        """Take the tags that belong to elements."""
        by_element: defaultdict[ElementKey, list[Tag]] = defaultdict(list)
        for tag in tags:
            if tag.element:
                by_element[tag.municipality_id, tag.element].append(tag)
        self._tags = dict(by_element)
        self._tag_ids = {tag.id for found in by_element.values() for tag in found}
        self._live = LiveParts(self._geometry, self._tags)
        self.update()

    def tag_ids(self) -> frozenset[int]:
        """Return the tags whose values the map shows."""
        return frozenset(self._tag_ids)

    def show_samples(self, samples: Iterable[Sample]) -> None:
        """Take new values; they are painted with the next picture."""
        self._samples.update((sample.tag_id, sample) for sample in samples if sample.tag_id in self._tag_ids)
        if not self._redraw.isActive():
            self._redraw.start()

    def show_alarms(self, alarms: Mapping[int, AlarmMark]) -> None:
        """Take the most urgent alarm of each tag that has one."""
        self._alarms = alarms
        self.update()

    def set_blink(self, is_lit: bool) -> None:
        """Flash the symbols of what is not acknowledged."""
        self._is_lit = is_lit
        if any(state in TO_ACKNOWLEDGE for _, state in self._alarms.values()):
            self.update()

    def set_layer(self, quantity: Quantity) -> None:
        """Choose what the measuring points show."""
        self._layer = quantity
        self.update()

    def apply_palette(self, palette: Palette) -> None:
        """Use the theme's colours."""
        self._palette = palette
        self._repaint_picture()

    def flush(self) -> None:
        """Paint everything now."""
        self._repaint_picture()
        self.repaint()

    # --- where it looks

    def zoom_to_all(self) -> None:
        """Show every network."""
        self._fit(self._geometry.bounds)

    def zoom_to_municipality(self, municipality_id: int) -> None:
        """Show one network."""
        for drawn in self._geometry.networks:
            if drawn.municipality_id == municipality_id:
                self._fit(drawn.bounds)

    def zoom_to_element(self, municipality_id: int, element: str) -> None:
        """Show and select one element; nothing happens when it is not there."""
        place = self._geometry.places.get((municipality_id, element))
        if place is not None:
            self._selected = place.key
            self._look_at(place.at, min(self._m_per_px, 8.0))

    def zoom_to_elements(self, municipality_id: int, elements: Iterable[str]) -> None:
        """Show several elements together; one alone is also selected."""
        found = {one for one in elements if self.has_place(municipality_id, one)}
        if len(found) == 1:
            self.zoom_to_element(municipality_id, found.pop())
        elif found:
            margin = QRectF(-MARGIN_M, -MARGIN_M, 2 * MARGIN_M, 2 * MARGIN_M)
            bounds = QRectF()
            for one in found:
                bounds = bounds.united(margin.translated(self._geometry.places[municipality_id, one].at))
            self._selected = None
            self._fit(bounds)

    def has_place(self, municipality_id: int, element: str) -> bool:
        """Return whether an element stands on the map."""
        return (municipality_id, element) in self._geometry.places

    def search(self, text: str, limit: int = 12) -> list[Hit]:
        """Return elements whose id, tags, assets or municipality contain every word."""
        words = text.lower().split()
        found = []
        for municipality_id, element in self._geometry.places if words else ():
            tags = self._tags.get((municipality_id, element), [])
            key = element.partition(":")[2]
            name = self._names.get(municipality_id, "")
            said = f"{key} {name} " + " ".join(f"{tag.name} {tag.key} {tag.asset}" for tag in tags)
            if all(word in said.lower() for word in words):
                title = tags[0].asset if tags else element.replace(":", " ")
                found.append(
                    (not tags, key.lower() != words[0], Hit(municipality_id, element, f"{title} — {key}, {name}"))
                )
        found.sort(key=lambda one: one[:2])
        return [hit for _, _, hit in found[:limit]]

    def _fit_first(self) -> None:
        """Until the person chooses a view: all networks, or the first one when together they would be specks."""
        if not self._is_untouched or not self._geometry.networks:
            return
        self.zoom_to_all()
        if self._m_per_px >= FAR_M_PER_PX:
            self._fit(self._geometry.networks[0].bounds)
        self._is_untouched = True

    def _fit(self, bounds: QRectF) -> None:
        if bounds.isNull() or not self.width():
            return
        # room for the names above the networks, for the scale and the legend below them
        height = max(1, self.height() - NAMES_PX - FOOT_PX)
        m_per_px = max(bounds.width() / self.width(), bounds.height() / height, 0.05) * 1.1
        self._look_at(bounds.center() + QPointF(0, (FOOT_PX - NAMES_PX) / 2 * m_per_px), m_per_px)

    def _look_at(self, centre: QPointF, m_per_px: float) -> None:
        self._is_untouched = False
        self._centre = centre
        self._m_per_px = min(max(m_per_px, 0.05), 20_000.0)
        self._rest.start()
        self.update()

    def _to_screen(self, point: QPointF) -> QPointF:
        return QPointF(
            (point.x() - self._centre.x()) / self._m_per_px + self.width() / 2,
            (point.y() - self._centre.y()) / self._m_per_px + self.height() / 2,
        )

    def _to_plane(self, point: QPointF) -> QPointF:
        return QPointF(
            (point.x() - self.width() / 2) * self._m_per_px + self._centre.x(),
            (point.y() - self.height() / 2) * self._m_per_px + self._centre.y(),
        )

    def _on_screen(self, line: QPolygonF) -> QPolygonF:
        """Return a line of the plane as it lies on the screen."""
        scale = 1 / self._m_per_px
        left, top = self.width() / 2 - self._centre.x() * scale, self.height() / 2 - self._centre.y() * scale
        return QTransform(scale, 0, 0, scale, left, top).map(line)

    def _view(self, margin_px: float) -> QRectF:
        """Return what is in view, in the plane."""
        corner = self._to_plane(QPointF(-margin_px, -margin_px))
        width, height = (side + 2 * margin_px for side in (self.width(), self.height()))
        return QRectF(corner.x(), corner.y(), width * self._m_per_px, height * self._m_per_px)

    # --- the plain pipes' picture

    def _repaint_picture(self) -> None:
        self._rest.stop()
        ratio = self.devicePixelRatioF()
        width, height = (round(side * (1 + 2 * MARGIN) * ratio) for side in (self.width(), self.height()))
        picture = QPixmap(max(1, width), max(1, height))
        picture.setDevicePixelRatio(ratio)
        picture.fill(QColor(self._palette.panel))
        painter = QPainter(picture)
        scale = 1 / self._m_per_px
        view = QTransform()
        view.translate(width / ratio / 2, height / ratio / 2)
        view.scale(scale, scale)
        view.translate(-self._centre.x(), -self._centre.y())
        painter.setTransform(view)
        seen = view.inverted()[0].mapRect(QRectF(0, 0, width / ratio, height / ratio))
        # smooth lines cost little once there are few of them in the view
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, self._m_per_px < LABELS_M_PER_PX)
        for drawn in self._geometry.networks:
            if drawn.bounds.intersects(seen):
                self._paint_pipes(painter, drawn)
        self._paint_junctions(painter, seen)
        painter.end()
        self._picture, self._picture_centre, self._picture_scale = picture, QPointF(self._centre), self._m_per_px
        self.update()

    def _paint_pipes(self, painter: QPainter, drawn: DrawnNetwork) -> None:
        is_near = self._m_per_px < 12
        for path, near_width in ((drawn.thin, 1.4), (drawn.trunk, 3.0)):
            pen = QPen(QColor(self._palette.line), near_width if is_near else 1.0)
            pen.setCosmetic(True)
            painter.setPen(pen)
            painter.drawPath(path)

    def _paint_junctions(self, painter: QPainter, seen: QRectF) -> None:
        """Paint a dot for every junction while there are few of them."""
        junctions = self._geometry.junctions
        is_near = self._m_per_px < DETAIL_M_PER_PX
        self._has_dots = is_near and junctions.count_within(seen) <= MOST_DOTS
        if self._has_dots:
            pen = QPen(QColor(self._palette.label), 2 * DOT_PX)
            pen.setCosmetic(True)
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
            painter.drawPoints([place.at for place in junctions.within(seen)])

    # --- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self._palette.panel))
        if not self._geometry.networks:
            painter.setPen(QColor(self._palette.label))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "No network to show yet.")
            painter.end()
            return
        self._paint_picture(painter)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        taken = TakenRoom(QRectF(self.rect()))
        names = self._place_names(taken)
        taken.take(QRectF(0, self.height() - FOOT_PX, SCALE_PX + 30, FOOT_PX))
        taken.take(self._legend_box())
        is_far = self._m_per_px >= FAR_M_PER_PX
        if not is_far:
            self._paint_measured(painter)
        # below the symbols: no name may hide an alarm
        self._paint_names(painter, names)
        if not is_far:
            self._paint_places(painter, taken)
        self._paint_scale(painter)
        self._paint_legend(painter)
        painter.end()

    def _paint_picture(self, painter: QPainter) -> None:
        grown = self._picture_scale / self._m_per_px
        middle = self._to_screen(self._picture_centre)
        width, height = (self.width() * (1 + 2 * MARGIN) * grown, self.height() * (1 + 2 * MARGIN) * grown)
        box = QRectF(middle.x() - width / 2, middle.y() - height / 2, width, height)
        painter.drawPixmap(box, self._picture, QRectF(self._picture.rect()))

    def _paint_measured(self, painter: QPainter) -> None:
        """Paint the pipes that have tags, those with alarms on top; below them the mark of a pipe that is selected."""
        span_px = NEAR_PX if self._m_per_px < NEAR_M_PER_PX else FAR_PX
        if self._selected is not None and (line := self._geometry.line(self._selected)).size():
            mark = QColor(self._palette.selection)
            mark.setAlpha(120)
            painter.setPen(QPen(mark, span_px[1] + 11, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawPolyline(self._on_screen(line))
        pipes = [(place, self._mark(place)) for place in self._live.pipes.within(self._view(10))]
        for place, mark_of_alarm in sorted(pipes, key=lambda one: one[1] is not None):
            self._paint_measured_pipe(painter, place, mark_of_alarm, span_px)

    def _paint_measured_pipe(
        self, painter: QPainter, place: Place, mark: AlarmMark | None, span_px: tuple[float, float]
    ) -> None:
        tag = self._shown_tag(place)
        if tag is not None:
            look = look_of(tag, self._samples.get(tag.id), mark)
            paint_pipe(painter, self._on_screen(self._live.lines[place.key]), look, span_px, self._palette)

    def _visible(self) -> list[tuple[Place, QPointF]]:
        """Return what has a symbol and lies in the view: tagged elements, tanks, reservoirs, pumps and valves."""
        return [(place, self._to_screen(place.at)) for place in self._live.points.within(self._view(30))]

    def _tags_of(self, place: Place | None) -> list[Tag]:
        return self._tags.get(place.key, []) if place is not None else []

    def _shown_tag(self, place: Place) -> Tag | None:
        """Return the tag whose value is drawn; of a pipe its flow, when the layer's quantity is not measured there."""
        tags = self._tags_of(place)
        if place.kind is LinkKind.PIPE:
            return _of(tags, self._layer) or _of(tags, Quantity.FLOW) or next(iter(tags), None)
        return _of(tags, _MAIN.get(place.kind, self._layer))

    def _paint_places(self, painter: QPainter, taken: TakenRoom) -> None:
        visible = self._visible()
        size = 20.0 if self._m_per_px < NEAR_M_PER_PX else 15.0 if self._m_per_px < LABELS_M_PER_PX else 10.0
        painter.setFont(_font(painter.font(), 12))
        alarms: list[tuple[AlarmMark, QPointF]] = []
        for place, at in visible:
            self._paint_place(painter, place, at, size)
            mark = self._mark(place)
            if mark is not None:
                alarms.append((mark, at))
            taken.take(QRectF(at.x() - size / 2, at.y() - size / 2, size, size))
        self._paint_selection(painter, size)
        self._paint_alarms(painter, alarms, size, taken)
        if self._m_per_px < LABELS_M_PER_PX:
            self._paint_labels(painter, visible, size, taken)

    def _paint_place(self, painter: QPainter, place: Place, at: QPointF, size: float) -> None:
        tags = self._tags_of(place)
        if place.kind is NodeKind.TANK:
            tag = _of(tags, Quantity.LEVEL)
            paint_tank(painter, at, size, share(tag, self._samples.get(tag.id)) if tag else None, self._palette)
        elif place.kind is NodeKind.RESERVOIR:
            paint_reservoir(painter, at, size, self._palette)
        elif place.kind is LinkKind.PUMP:
            paint_pump(painter, at, place.along, size, self._is_on(_of(tags, Quantity.STATE)), self._palette)
        elif place.kind is LinkKind.VALVE:
            paint_valve(painter, at, place.along, size, self._is_on(_of(tags, Quantity.POSITION)), self._palette)
        elif place.kind is NodeKind.JUNCTION and (tag := _of(tags, self._layer)) is not None:
            paint_point(painter, at, size * 0.62, self._class_colour(tag), self._palette)

    def _paint_selection(self, painter: QPainter, size: float) -> None:
        """Paint a ring around what is selected; a selected pipe has a band along its line."""
        place = self._geometry.places.get(self._selected) if self._selected is not None else None
        if place is not None and place.kind is not LinkKind.PIPE:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(self._palette.selection), 2.5))
            painter.drawEllipse(self._to_screen(place.at), size * 0.95, size * 0.95)

    def _is_on(self, tag: Tag | None) -> bool | None:
        sample = self._samples.get(tag.id) if tag else None
        if sample is None or sample.value is None or sample.grade >= Grade.STALE:
            return None
        return sample.value > 0.5

    def _class_colour(self, tag: Tag) -> str | None:
        part = share(tag, self._samples.get(tag.id))
        if part is None:
            return None
        scale = self._palette.scale
        return scale[min(len(scale) - 1, int(part * len(scale)))]

    def _mark(self, place: Place) -> AlarmMark | None:
        tags = self._tags_of(place)
        marks = [self._alarms[tag.id] for tag in tags if tag.id in self._alarms]
        return min(marks, key=_urgency) if marks else None

    def _paint_alarms(
        self, painter: QPainter, alarms: list[tuple[AlarmMark, QPointF]], size: float, taken: TakenRoom
    ) -> None:
        # the most urgent on top
        for mark, at in sorted(alarms, key=lambda one: _urgency(one[0]), reverse=True):
            side = 18.0
            box = QRectF(at.x() + size * 0.35, at.y() - size * 0.35 - side, side, side)
            self._paint_mark(painter, box, mark)
            taken.take(box)

    def _paint_mark(self, painter: QPainter, box: QRectF, mark: AlarmMark) -> None:
        priority, state = mark
        is_lit = self._is_lit or state not in TO_ACKNOWLEDGE
        is_active = state is not AlarmState.RETURNED
        paint_alarm_symbol(painter, box, priority, self._palette, is_active=is_active, is_lit=is_lit)

    def _paint_labels(
        self, painter: QPainter, visible: list[tuple[Place, QPointF]], size: float, taken: TakenRoom
    ) -> None:
        metrics = painter.fontMetrics()
        ground = self._label_ground()
        for place, at in sorted(visible, key=lambda one: not one[0].has_symbol):
            tag = self._shown_tag(place)
            if tag is None:
                continue
            sample = self._samples.get(tag.id)
            text = value_text(tag, sample)
            width, height = metrics.horizontalAdvance(text) + 8, metrics.height() + 2
            box = taken.beside(at, size, width, height, place.along if isinstance(place.thing, Link) else QPointF())
            if box is None:
                continue
            taken.take(box)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(ground)
            painter.drawRoundedRect(box, 3, 3)
            is_good = sample is not None and sample.grade < Grade.STALE
            painter.setPen(QColor(self._palette.text if is_good else self._palette.untrusted))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def _place_names(self, taken: TakenRoom) -> list[tuple[DrawnNetwork, str, QRectF]]:
        """Return where the municipalities' names stand; other labels have to leave them room."""
        metrics = QFontMetricsF(_font(self.font(), NAMES_FONT_PX, is_bold=True))
        is_far = self._m_per_px >= FAR_M_PER_PX
        view = QRectF(self.rect())
        found = []
        for drawn in self._geometry.networks:
            box = QRectF(self._to_screen(drawn.bounds.topLeft()), self._to_screen(drawn.bounds.bottomRight()))
            if not box.intersects(view):
                continue
            name = self._names.get(drawn.municipality_id, "") + ("  (schematic)" if drawn.is_schematic else "")
            room = min(view.width() - 24, max(box.width(), NAME_WIDTH_PX))
            name = metrics.elidedText(name, Qt.TextElideMode.ElideRight, room)
            width = metrics.horizontalAdvance(name) + 12
            label = _within(QRectF(box.center().x() - width / 2, box.top() - 28, width, 22), view)
            while not taken.is_free(label):
                label.translate(0, 62 if is_far else 24)
            taken.take(label.adjusted(-4, -4, 4, 40) if is_far else label)
            found.append((drawn, name, label))
        return found

    def _paint_names(self, painter: QPainter, names: Sequence[tuple[DrawnNetwork, str, QRectF]]) -> None:
        painter.setFont(_font(painter.font(), NAMES_FONT_PX, is_bold=True))
        for drawn, name, label in names:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._label_ground())
            painter.drawRoundedRect(label, 3, 3)
            painter.setPen(QColor(self._palette.text))
            painter.drawText(label, Qt.AlignmentFlag.AlignCenter, name)
            if self._m_per_px >= FAR_M_PER_PX:
                self._paint_roll_up(painter, drawn, QPointF(label.center().x(), label.bottom() + 19))

    def _label_ground(self) -> QColor:
        ground = QColor(self._palette.panel)
        ground.setAlpha(215)
        return ground

    def _paint_roll_up(self, painter: QPainter, drawn: DrawnNetwork, at: QPointF) -> None:
        marks = [
            self._alarms[tag.id]
            for (municipality_id, _), tags in self._tags.items()
            if municipality_id == drawn.municipality_id
            for tag in tags
            if tag.id in self._alarms
        ]
        if not marks:
            return
        symbol = QRectF(at.x() - 28, at.y() - 12, 24, 24)
        ground = QColor(self._palette.raised)
        painter.setPen(QColor(self._palette.border))
        painter.setBrush(ground)
        painter.drawRoundedRect(QRectF(at.x() - 34, at.y() - 17, 68, 34), 5, 5)
        self._paint_mark(painter, symbol, min(marks, key=_urgency))
        painter.setPen(QColor(self._palette.text))
        box = QRectF(at.x(), at.y() - 14, 32, 28)
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, str(len(marks)))

    def _paint_scale(self, painter: QPainter) -> None:
        """Paint the scale bar (true at the map's middle) and north."""
        _, y_m = self._geometry.to_mercator(self._centre)
        # Mercator stretches by 1/cos(latitude); cos = 1/cosh(y/R)
        true_m_per_px = self._m_per_px / cosh(y_m / EARTH_RADIUS_M)
        length_m = _round_length(true_m_per_px * SCALE_PX)
        width = length_m / true_m_per_px
        painter.setFont(_font(painter.font(), 12))
        left, bottom = 16.0, self.height() - 16.0
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._label_ground())
        painter.drawRoundedRect(QRectF(left - 8, bottom - 50, width + 16, 58), 4, 4)
        painter.setPen(QPen(QColor(self._palette.text), 1.5))
        for start, end in (((0, 0), (width, 0)), ((0, -5), (0, 0)), ((width, -5), (width, 0))):
            painter.drawLine(QPointF(left + start[0], bottom + start[1]), QPointF(left + end[0], bottom + end[1]))
        text = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m:g} m"
        painter.drawText(QRectF(left, bottom - 22, width, 16), Qt.AlignmentFlag.AlignCenter, text)
        painter.drawText(QRectF(left, bottom - 46, 60, 16), Qt.AlignmentFlag.AlignLeft, "N ↑")
        if self._geometry.skipped:
            note = f"{self._geometry.skipped} elements have no usable place and are not drawn"
            painter.drawText(QRectF(left + width + 20, bottom - 14, 420, 16), Qt.AlignmentFlag.AlignLeft, note)

    def _legend_box(self) -> QRectF:
        """Return where the legend stands, an empty box where there is no room or nothing to explain."""
        if self._m_per_px >= FAR_M_PER_PX or self.width() < 500:
            return QRectF()
        return legend_box(QPointF(self.width() - 8, self.height() - 8), has_pipes=bool(self._live.lines))

    def _paint_legend(self, painter: QPainter) -> None:
        """Paint what tones and widths mean; symbols are explained by tooltips and the handbook."""
        box = self._legend_box()
        if not box.isEmpty():
            title = next(name for name, quantity in LAYERS.items() if quantity is self._layer)
            paint_legend(painter, box, title, self._palette, has_pipes=bool(self._live.lines))

    # --- what the person does

    def wheelEvent(self, event: QWheelEvent) -> None:
        factor = ZOOM_STEP ** (-event.angleDelta().y() / 120)
        before = self._to_plane(event.position())
        m_per_px = min(max(self._m_per_px * factor, 0.05), 20_000.0)
        moved = QPointF(event.position().x() - self.width() / 2, event.position().y() - self.height() / 2) * m_per_px
        self._look_at(before - moved, m_per_px)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed, self._is_dragging = event.position(), False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed is not None and event.buttons() & Qt.MouseButton.LeftButton:
            moved = event.position() - self._pressed
            if self._is_dragging or moved.manhattanLength() > 4:
                self._is_dragging = True
                self._pressed = event.position()
                self._look_at(self._centre - moved * self._m_per_px, self._m_per_px)
            return
        place = self.place_at(event.position())
        self.setCursor(Qt.CursorShape.PointingHandCursor if place else Qt.CursorShape.ArrowCursor)
        if place is None:
            QToolTip.hideText()
        else:
            QToolTip.showText(event.globalPosition().toPoint(), self.words(place), self, QRect())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        was_dragging, self._pressed, self._is_dragging = self._is_dragging, None, False
        if was_dragging or event.button() is not Qt.MouseButton.LeftButton:
            return
        place = self.place_at(event.position())
        self._selected = place.key if place else None
        if place is not None:
            self.element_clicked.emit(place.municipality_id, place.element)
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        place = self.place_at(event.position())
        tags = self._tags_of(place)
        if place is not None and tags:
            self.tag_activated.emit((self._shown_tag(place) or tags[0]).id)
        else:
            self._look_at(self._to_plane(event.position()), self._m_per_px / 2)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        place = self.place_at(QPointF(event.pos()))
        tags = self._tags_of(place)
        if tags:
            self.menu_wanted.emit([tag.id for tag in tags], event.globalPos())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = min(self.width(), self.height()) / 6 * self._m_per_px
        moves = {
            Qt.Key.Key_Left: (-step, 0.0),
            Qt.Key.Key_Right: (step, 0.0),
            Qt.Key.Key_Up: (0.0, -step),
            Qt.Key.Key_Down: (0.0, step),
        }
        zooms = {Qt.Key.Key_Plus: 1 / ZOOM_STEP, Qt.Key.Key_Minus: ZOOM_STEP}
        key = Qt.Key(event.key())
        if key in moves:
            self._look_at(self._centre + QPointF(*moves[key]), self._m_per_px)
        elif key in zooms:
            self._look_at(self._centre, self._m_per_px * zooms[key])
        elif key == Qt.Key.Key_0:
            self.zoom_to_all()
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit_first()
        self._rest.start()

    def place_at(self, point: QPointF) -> Place | None:
        """Return the element under a point of the widget: a symbol first, then a junction's dot, then a pipe."""
        if self._m_per_px >= FAR_M_PER_PX:
            return None
        at, scale = self._to_plane(point), self._m_per_px
        found = self._live.points.nearest(at, HIT_PX * scale)
        if found is None and self._has_dots:
            found = self._geometry.junctions.nearest(at, JUNCTION_HIT_PX * scale)
        return found or self._geometry.links.nearest(at, PIPE_HIT_PX * scale)

    def words(self, place: Place) -> str:
        """Return what the tooltip says of an element."""
        name = self._names.get(place.municipality_id, "")
        return words_of(place, name, self._tags_of(place), self._samples, self._clock())


def _of(tags: Sequence[Tag], quantity: Quantity) -> Tag | None:
    return next((tag for tag in tags if tag.quantity is quantity), None)


def _urgency(mark: AlarmMark) -> tuple[bool, int]:
    return mark[1] is not AlarmState.UNACKNOWLEDGED, int(mark[0])


def _font(like: QFont, size_px: int, *, is_bold: bool = False) -> QFont:
    found = QFont(like)
    found.setPixelSize(size_px)
    found.setBold(is_bold)
    return found


def _within(box: QRectF, view: QRectF) -> QRectF:
    """Return the box moved into the view."""
    left = min(max(box.left(), view.left() + 4), view.right() - box.width() - 4)
    top = min(max(box.top(), view.top() + 4), view.bottom() - box.height() - 4)
    return QRectF(left, top, box.width(), box.height())


def _round_length(length_m: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten below `length_m`."""
    power = 10.0 ** floor(log10(max(length_m, 1e-3)))
    return max(step * power for step in (1, 2, 5) if step * power <= length_m)
