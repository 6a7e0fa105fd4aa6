"""The network map: pipes, tanks, pumps and valves with their live values and alarms.

Pipes are painted once into a picture somewhat larger than the view; moving the map moves the picture, and it is painted
anew when the map rests. Symbols and labels are few and painted live.
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
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QToolTip, QWidget

from control_room.core.alarms import AlarmState, Priority
from control_room.core.geo import EARTH_RADIUS_M
from control_room.core.network import LinkKind, Network, NodeKind
from control_room.core.samples import Grade, Sample
from control_room.core.tags import Municipality, Quantity, Tag
from widgets.alarm_symbol import paint_alarm_symbol
from widgets.map_geometry import DrawnNetwork, MapGeometry, Place
from widgets.map_symbols import paint_point, paint_pump, paint_reservoir, paint_tank, paint_valve, share
from widgets.palette import LIGHT, Palette
from widgets.quality import explanation, value_text

REDRAW_MS = 200
REST_MS = 90
MARGIN = 0.3
ZOOM_STEP = 1.25
HIT_PX = 13.0
PIPE_HIT_PX = 6.0
NAMES_PX = 40
LEGEND_PX = 56
# metres a pixel: nearer than this labels appear, farther than that only the municipality's name and alarms remain
LABELS_M_PER_PX = 60.0
FAR_M_PER_PX = 110.0
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
        self._tags: dict[tuple[int, str], list[Tag]] = {}
        self._tag_ids: set[int] = set()
        self._samples: dict[int, Sample] = {}
        self._alarms: Mapping[int, AlarmMark] = {}
        self._layer = Quantity.PRESSURE
        self._palette = LIGHT
        self._is_lit = True
        self._selected: tuple[int, str] | None = None
        self._centre = QPointF(0, 0)
        self._m_per_px = 50.0
        # nobody has chosen a view yet
        self._is_untouched = True
        self._picture = QPixmap()
        self._picture_centre = QPointF()
        self._picture_scale = 0.0
        self._pressed: QPointF | None = None
        self._is_dragging = False
        self._rest = QTimer(self, singleShot=True, interval=REST_MS)
        self._rest.timeout.connect(self._repaint_picture)
        self._redraw = QTimer(self, singleShot=True, interval=REDRAW_MS)
        self._redraw.timeout.connect(self.update)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(240, 160)
        self.setAccessibleName("Network map")

    # --- what others tell it

    def show_networks(self, networks: Sequence[Network], municipalities: Sequence[Municipality]) -> None:
        """Show these networks."""
        self._geometry = MapGeometry(networks)
        self._names = {one.id: one.name for one in municipalities}
        self._fit_first()
        self._repaint_picture()

    def set_tags(self, tags: Sequence[Tag]) -> None:
        """Take the tags that belong to elements."""
        by_element: defaultdict[tuple[int, str], list[Tag]] = defaultdict(list)
        for tag in tags:
            if tag.element:
                by_element[tag.municipality_id, tag.element].append(tag)
        self._tags = dict(by_element)
        self._tag_ids = {tag.id for found in by_element.values() for tag in found}
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
        if any(state is not AlarmState.ACKNOWLEDGED for _, state in self._alarms.values()):
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
            self._selected = (municipality_id, element)
            self._look_at(place.at, min(self._m_per_px, 8.0))

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
        height = max(1, self.height() - NAMES_PX - LEGEND_PX)
        m_per_px = max(bounds.width() / self.width(), bounds.height() / height, 0.05) * 1.1
        self._look_at(bounds.center() + QPointF(0, (LEGEND_PX - NAMES_PX) / 2 * m_per_px), m_per_px)

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

    # --- the pipes' picture

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
        taken: list[QRectF] = []
        if self._m_per_px < FAR_M_PER_PX:
            self._paint_places(painter, taken)
        self._paint_names(painter, taken)
        self._paint_scale(painter)
        self._paint_legend(painter)
        painter.end()

    def _paint_picture(self, painter: QPainter) -> None:
        grown = self._picture_scale / self._m_per_px
        middle = self._to_screen(self._picture_centre)
        width, height = (self.width() * (1 + 2 * MARGIN) * grown, self.height() * (1 + 2 * MARGIN) * grown)
        box = QRectF(middle.x() - width / 2, middle.y() - height / 2, width, height)
        painter.drawPixmap(box, self._picture, QRectF(self._picture.rect()))

    def _visible(self) -> list[tuple[Place, QPointF]]:
        """Return what has a symbol and lies in the view: tagged elements, tanks, reservoirs, pumps and valves."""
        view = QRectF(self.rect()).adjusted(-30, -30, 30, 30)
        found = []
        for key, place in self._geometry.places.items():
            if key in self._tags or place.kind not in (NodeKind.JUNCTION, LinkKind.PIPE):
                at = self._to_screen(place.at)
                if view.contains(at):
                    found.append((place, at))
        return found

    def _paint_places(self, painter: QPainter, taken: list[QRectF]) -> None:
        visible = self._visible()
        size = 20.0 if self._m_per_px < 15 else 15.0 if self._m_per_px < LABELS_M_PER_PX else 10.0
        font = QFont(painter.font())
        font.setPixelSize(12)
        painter.setFont(font)
        alarms: list[tuple[AlarmMark, QPointF]] = []
        for place, at in visible:
            self._paint_place(painter, place, at, size)
            mark = self._mark(place)
            if mark is not None:
                alarms.append((mark, at))
            taken.append(QRectF(at.x() - size / 2, at.y() - size / 2, size, size))
        self._paint_alarms(painter, alarms, size, taken)
        if self._m_per_px < LABELS_M_PER_PX:
            self._paint_labels(painter, visible, size, taken)

    def _paint_place(self, painter: QPainter, place: Place, at: QPointF, size: float) -> None:
        tags = self._tags.get((place.municipality_id, place.element), [])
        if place.kind is NodeKind.TANK:
            tag = _of(tags, Quantity.LEVEL)
            paint_tank(painter, at, size, share(tag, self._samples.get(tag.id)) if tag else None, self._palette)
        elif place.kind is NodeKind.RESERVOIR:
            paint_reservoir(painter, at, size, self._palette)
        elif place.kind is LinkKind.PUMP:
            paint_pump(painter, at, place.along, size, self._is_on(_of(tags, Quantity.STATE)), self._palette)
        elif place.kind is LinkKind.VALVE:
            paint_valve(painter, at, place.along, size, self._is_on(_of(tags, Quantity.POSITION)), self._palette)
        elif (tag := _of(tags, self._layer)) is not None:
            paint_point(painter, at, size * 0.62, self._class_colour(tag), self._palette)
        if self._selected == (place.municipality_id, place.element):
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(self._palette.selection), 2.5))
            painter.drawEllipse(at, size * 0.95, size * 0.95)

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
        tags = self._tags.get((place.municipality_id, place.element), [])
        marks = [self._alarms[tag.id] for tag in tags if tag.id in self._alarms]
        return min(marks, key=_urgency) if marks else None

    def _paint_alarms(
        self, painter: QPainter, alarms: list[tuple[AlarmMark, QPointF]], size: float, taken: list[QRectF]
    ) -> None:
        # the most urgent on top
        for mark, at in sorted(alarms, key=lambda one: _urgency(one[0]), reverse=True):
            side = 18.0
            box = QRectF(at.x() + size * 0.35, at.y() - size * 0.35 - side, side, side)
            self._paint_mark(painter, box, mark)
            taken.append(box)

    def _paint_mark(self, painter: QPainter, box: QRectF, mark: AlarmMark) -> None:
        priority, state = mark
        is_lit = self._is_lit or state is AlarmState.ACKNOWLEDGED
        is_active = state is not AlarmState.RETURNED
        paint_alarm_symbol(painter, box, priority, self._palette, is_active=is_active, is_lit=is_lit)

    def _paint_labels(
        self, painter: QPainter, visible: list[tuple[Place, QPointF]], size: float, taken: list[QRectF]
    ) -> None:
        metrics = painter.fontMetrics()
        ground = QColor(self._palette.panel)
        ground.setAlpha(215)
        for place, at in sorted(visible, key=lambda one: one[0].kind in (NodeKind.JUNCTION, LinkKind.PIPE)):
            tags = self._tags.get((place.municipality_id, place.element), [])
            tag = _of(tags, _MAIN.get(place.kind, self._layer))
            if tag is None:
                continue
            sample = self._samples.get(tag.id)
            text = value_text(tag, sample)
            width, height = metrics.horizontalAdvance(text) + 8, metrics.height() + 2
            box = _free_place(at, size, width, height, taken)
            if box is None:
                continue
            taken.append(box)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(ground)
            painter.drawRoundedRect(box, 3, 3)
            is_good = sample is not None and sample.grade < Grade.STALE
            painter.setPen(QColor(self._palette.text if is_good else self._palette.untrusted))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_names(self, painter: QPainter, taken: list[QRectF]) -> None:
        font = QFont(painter.font())
        font.setPixelSize(15)
        font.setBold(True)
        painter.setFont(font)
        is_far = self._m_per_px >= FAR_M_PER_PX
        view = QRectF(self.rect())
        for drawn in self._geometry.networks:
            box = QRectF(self._to_screen(drawn.bounds.topLeft()), self._to_screen(drawn.bounds.bottomRight()))
            if not box.intersects(view):
                continue
            name = self._names.get(drawn.municipality_id, "") + ("  (schematic)" if drawn.is_schematic else "")
            width = painter.fontMetrics().horizontalAdvance(name) + 12
            label = _within(QRectF(box.center().x() - width / 2, box.top() - 28, width, 22), view)
            while is_far and any(label.intersects(other) for other in taken):
                label.translate(0, 62)
            taken.append(label.adjusted(-4, -4, 4, 40) if is_far else label)
            painter.setPen(QColor(self._palette.text))
            painter.drawText(label, Qt.AlignmentFlag.AlignCenter, name)
            if is_far:
                self._paint_roll_up(painter, drawn, QPointF(label.center().x(), label.bottom() + 19))

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
        length_m = _round_length(true_m_per_px * 120)
        width = length_m / true_m_per_px
        font = QFont(painter.font())
        font.setPixelSize(12)
        font.setBold(False)
        painter.setFont(font)
        painter.setPen(QPen(QColor(self._palette.text), 1.5))
        left, bottom = 16.0, self.height() - 16.0
        for start, end in (((0, 0), (width, 0)), ((0, -5), (0, 0)), ((width, -5), (width, 0))):
            painter.drawLine(QPointF(left + start[0], bottom + start[1]), QPointF(left + end[0], bottom + end[1]))
        text = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m:g} m"
        painter.drawText(QRectF(left, bottom - 22, width, 16), Qt.AlignmentFlag.AlignCenter, text)
        painter.drawText(QRectF(left, bottom - 46, 60, 16), Qt.AlignmentFlag.AlignLeft, "N ↑")
        if self._geometry.skipped:
            note = f"{self._geometry.skipped} elements have no usable place and are not drawn"
            painter.drawText(QRectF(left + width + 20, bottom - 14, 420, 16), Qt.AlignmentFlag.AlignLeft, note)

    def _paint_legend(self, painter: QPainter) -> None:
        """Paint the colours of the measuring points, from low to high; symbols are explained by tooltips and the handbook."""
        if self._m_per_px >= FAR_M_PER_PX or self.width() < 480:
            return
        title = next(name for name, quantity in LAYERS.items() if quantity is self._layer)
        box = QRectF(self.width() - 288, self.height() - LEGEND_PX + 8, 280, LEGEND_PX - 16)
        ground = QColor(self._palette.raised)
        ground.setAlpha(235)
        painter.setPen(QColor(self._palette.border))
        painter.setBrush(ground)
        painter.drawRoundedRect(box, 4, 4)
        points: list[tuple[str, str | None]] = [
            ("0", self._palette.scale[0]),
            *(("", colour) for colour in self._palette.scale[1:-1]),
        ]
        points += [("100 %", self._palette.scale[-1]), ("bad or stale", None)]
        places = [18.0, 42.0, 66.0, 90.0, 114.0, 190.0]
        painter.setPen(QColor(self._palette.text))
        row = QRectF(box.left() + 8, box.top() + 1, box.width() - 16, 17)
        painter.drawText(row, Qt.AlignmentFlag.AlignVCenter, f"{title}, share of its range")
        for (words, colour), x in zip(points, places, strict=True):
            at = QPointF(box.left() + x, box.bottom() - 11)
            paint_point(painter, at, 11, colour, self._palette)
            painter.setPen(QColor(self._palette.text))
            painter.drawText(QRectF(at.x() + 8, at.y() - 9, 90, 18), Qt.AlignmentFlag.AlignVCenter, words)

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
        self._selected = (place.municipality_id, place.element) if place else None
        if place is not None:
            self.element_clicked.emit(place.municipality_id, place.element)
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        place = self.place_at(event.position())
        tags = self._tags.get((place.municipality_id, place.element), []) if place else []
        if place is not None and tags:
            self.tag_activated.emit((_of(tags, _MAIN.get(place.kind, self._layer)) or tags[0]).id)
        else:
            self._look_at(self._to_plane(event.position()), self._m_per_px / 2)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        place = self.place_at(QPointF(event.pos()))
        tags = self._tags.get((place.municipality_id, place.element), []) if place else []
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
        """Return the element under a point of the widget: a symbol first, then a pipe."""
        if self._m_per_px >= FAR_M_PER_PX:
            return None
        near = [((at - point).manhattanLength(), place) for place, at in self._visible()]
        best = min(near, key=lambda one: one[0], default=None)
        if best is not None and best[0] <= HIT_PX:
            return best[1]
        return self._geometry.nearest_link(self._to_plane(point), PIPE_HIT_PX * self._m_per_px)

    def words(self, place: Place) -> str:
        """Return what the tooltip says of an element."""
        key = place.element.partition(":")[2]
        title = f"{place.kind.value.capitalize()} {key} — {self._names.get(place.municipality_id, '')}"
        tags = self._tags.get((place.municipality_id, place.element), [])
        if len(tags) == 1:
            return f"{title}\n{explanation(tags[0], self._samples.get(tags[0].id), self._clock())}"
        return "\n".join([title, *(f"{tag.name}: {value_text(tag, self._samples.get(tag.id))}" for tag in tags)])


def _of(tags: Sequence[Tag], quantity: Quantity) -> Tag | None:
    return next((tag for tag in tags if tag.quantity is quantity), None)


def _urgency(mark: AlarmMark) -> tuple[bool, int]:
    return mark[1] is not AlarmState.UNACKNOWLEDGED, int(mark[0])


def _free_place(at: QPointF, size: float, width: float, height: float, taken: list[QRectF]) -> QRectF | None:
    """Return room for a label beside a symbol, None when every side is taken."""
    gap = size / 2 + 3
    for x, y in ((gap, -height / 2), (-gap - width, -height / 2), (-width / 2, gap), (-width / 2, -gap - height)):
        box = QRectF(at.x() + x, at.y() + y, width, height)
        if not any(box.intersects(other) for other in taken):
            return box
    return None


def _within(box: QRectF, view: QRectF) -> QRectF:
    """Return the box moved into the view."""
    left = min(max(box.left(), view.left() + 4), view.right() - box.width() - 4)
    top = min(max(box.top(), view.top() + 4), view.bottom() - box.height() - 4)
    return QRectF(left, top, box.width(), box.height())


def _round_length(length_m: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten below `length_m`."""
    power = 10.0 ** floor(log10(max(length_m, 1e-3)))
    return max(step * power for step in (1, 2, 5) if step * power <= length_m)
