"""The status strip: what is fed, by whom, how fresh, and what was lost; what is not known is called unknown."""

from datetime import datetime

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from control_room.core.status import CollectorStatus, LinkState, LinkStatus
from control_room.core.tags import Connection
from control_room.ui.room import Room
from control_room.ui.words import (
    LINK_LIGHTS,
    LINK_WORDS,
    age,
    connection_name,
    driver_name,
    local,
    municipality_name,
)
from widgets.palette import Palette
from widgets.quality import age_text
from widgets.status_lights import Light, StatusLight

# a link's cell: between so narrow that it can still be read, and so wide that nothing more would be said
_LINK_PX = 146
_WIDEST_LINK_PX = 250
_PLAIN = (
    "The connection to the database is not protected (--plain): others on the network could read it, and the server may be "
    "somebody else's. Set up TLS: see the handbook, A shared server."
)
_SPOOL = (
    "They are stored behind the live values by themselves; history has a gap until then. If the level does not fall, see\n"
    "whether the database is slow or its disk is full. Once the spool is full, the oldest values are lost."
)
_URGENCY = (Light.TROUBLE, Light.WAITING, Light.OK, Light.OFF)


class StatusStrip(QWidget):
    """Database, collector, horn, every link that finds room (those in trouble first), clock.

    Signals links_wanted(), horn_wanted().
    """

    links_wanted = Signal()
    horn_wanted = Signal()

    def __init__(self, room: Room, parent: QWidget | None = None) -> None:
        """Show the room's status; `refresh` each second keeps the ages true."""
        super().__init__(parent)
        self._room = room
        self._palette: Palette | None = None
        self.database = StatusLight(self)
        self.collector = StatusLight(self)
        self.horn = StatusLight(self)
        self.more = StatusLight(self)
        self.clock = StatusLight(self)
        self.links: dict[int, StatusLight] = {}
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(2, 0, 4, 0)
        self._row.setSpacing(2)
        for light in (self.database, self.collector, self.horn, self.more):
            self._row.addWidget(light)
        self._row.addStretch(1)
        self._row.addWidget(self.clock)
        self.more.clicked.connect(self.links_wanted)
        self.horn.clicked.connect(self.horn_wanted)
        room.status_changed.connect(self.refresh)
        room.configuration_changed.connect(self._rebuild)
        self._rebuild()

    def apply_palette(self, palette: Palette) -> None:
        """Use the theme's colours."""
        self._palette = palette
        for light in (self.database, self.collector, self.horn, self.more, self.clock, *self.links.values()):
            light.apply_palette(palette)

    def show_horn(self, light: Light, detail: str, explanation: str) -> None:
        """Show what the horn does."""
        self.horn.show_state(light, "Horn", detail, explanation)
        self._arrange()

    def refresh(self) -> None:
        """Show everything as it is now."""
        now = self._room.now()
        self._show_database(now)
        self._show_collector()
        for connection_id, light in self.links.items():
            self._show_link(light, self._room.connections[connection_id], now)
        local_now = now.astimezone()
        self.clock.show_state(None, f"{local_now:%H:%M:%S}", f"{local_now:%d %b %Y}", f"{local_now:%A, %d %B %Y, %Z}")
        self._arrange()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._arrange()

    def _rebuild(self) -> None:
        for light in self.links.values():
            self._row.removeWidget(light)
            light.deleteLater()
        self.links = {}
        for connection_id in self._room.connections:
            light = StatusLight(self)
            light.clicked.connect(self.links_wanted)
            if self._palette is not None:
                light.apply_palette(self._palette)
            self.links[connection_id] = light
            self._row.insertWidget(self._row.indexOf(self.more), light)
        self.refresh()

    def _show_database(self, now: datetime) -> None:
        room = self._room
        if room.is_connected:
            light, detail = (Light.TROUBLE, "not protected") if room.is_plain else (Light.OK, "connected")
            self.database.show_state(light, "Database", detail, _PLAIN if room.is_plain else "")
            return
        words, since = (room.trouble.words, room.trouble.since) if room.trouble else ("", now)
        away = f"away {age(now, since)}" if room.is_configured else "connecting"
        light = Light.TROUBLE if room.is_configured else Light.WAITING
        self.database.show_state(light, "Database", away, f"{words}\nsince {local(since)}")

    def _show_collector(self) -> None:
        room, status = self._room, self._room.collector
        if not room.is_connected or status is None:
            self.collector.show_state(Light.WAITING, "Collector", "unknown", room.trouble.words if room.trouble else "")
            return
        lost = status.dropped + sum(link.dropped for link in room.links.values())
        rate = sum(link.values_per_s for link in room.links.values())
        words = [
            f"On {status.host}, process {status.process_id}, since {local(status.started_time)}",
            f"{status.received:,} values received, {status.stored:,} stored, {status.waiting:,} waiting, {lost:,} lost",
            status.message,
            *_spool_words(status),
        ]
        if room.trouble is not None:
            light, detail = Light.TROUBLE, f"silent {age_text(room.beat_age_s() or 0.0)}"
        else:
            light = Light.TROUBLE if status.message else Light.OK
            detail = f"{rate:,.0f} values/s · {lost:,} lost"
        if room.trouble is None and status.spooled:
            level, oldest = _size(status.spool_bytes), age(status.beat_time, status.oldest_time)
            light, detail = Light.TROUBLE, f"spool {level}, {oldest} · {lost:,} lost"
        elif room.trouble is None and status.waiting > 10 * max(rate, 100.0):
            light, detail = Light.TROUBLE, f"{status.waiting:,} waiting · {lost:,} lost"
        self.collector.show_state(light, "Collector", detail, "\n".join(word for word in words if word))

    def _show_link(self, light: StatusLight, connection: Connection, now: datetime) -> None:
        room = self._room
        place = municipality_name(room, connection.municipality_id)
        title = f"{connection_name(connection)} {place}"
        status = room.links.get(connection.id)
        if status is None or room.trouble is not None:
            why = room.trouble.words if room.trouble else "The collector has not reported on it yet."
            light.show_state(Light.WAITING, title, "unknown", f"{title}\n{why}")
            return
        words = f"{title} ({driver_name(connection)})\n{_words(status)}"
        light.show_state(LINK_LIGHTS[status.state], title, _link_detail(status, now), words)

    def _arrange(self) -> None:
        """Show as many links as there is room for, those in trouble first, and count the others."""
        order = sorted(self.links.values(), key=lambda light: _URGENCY.index(light.light or Light.OFF))
        fixed = (
            sum(light.sizeHint().width() + 2 for light in (self.database, self.collector, self.horn, self.clock)) + 8
        )
        fit = max(0, (self.width() - fixed) // (_LINK_PX + 2))
        if fit < len(order):
            fit = max(0, (self.width() - fixed - 100) // (_LINK_PX + 2))
        even_px = (self.width() - fixed) // max(1, len(order)) - 2
        shown_px = min(_WIDEST_LINK_PX, even_px) if fit >= len(order) else _LINK_PX
        for rank, light in enumerate(order):
            light.setVisible(rank < fit)
            light.setFixedWidth(max(_LINK_PX, shown_px))
        hidden = order[fit:]
        self.more.setVisible(bool(hidden))
        if hidden:
            worst = hidden[0].light
            ill = sum(light.light is Light.TROUBLE for light in hidden)
            self.more.show_state(worst, f"{len(hidden)} more", f"{ill} down" if ill else "", "All connections")


def _spool_words(status: CollectorStatus) -> list[str]:
    if not status.spooled:
        return [f"Spool empty, room for {_size(status.spool_limit_bytes)}"] if status.spool_limit_bytes else []
    share = 100.0 * status.spool_bytes / max(1, status.spool_limit_bytes)
    level = f"{_size(status.spool_bytes)} of {_size(status.spool_limit_bytes)} ({share:.0f} %)"
    # by the collector's clock, which need not be the seat's
    oldest = age(status.beat_time, status.oldest_time)
    return [f"Spool: {status.spooled:,} values wait on the collector's disk, {level}, the oldest for {oldest}", _SPOOL]


def _size(size_bytes: int) -> str:
    """Return a size in the unit that leaves few digits."""
    for unit, factor in (("GB", 1024**3), ("MB", 1024**2)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.1f} {unit}"
    return f"{max(1, size_bytes // 1024)} kB"


def _link_detail(status: LinkStatus, now: datetime) -> str:
    if status.state is LinkState.DISABLED:
        return LINK_WORDS[status.state]
    lost = f" · {status.dropped:,} lost" if status.dropped else ""
    if status.state is LinkState.UP:
        return f"{age(now, status.last_good_time)} · {status.values_per_s:,.0f}/s{lost}"
    return f"{LINK_WORDS[status.state]} {age(now, status.since)}{lost}"


def _words(status: LinkStatus) -> str:
    lag = "–" if status.lag_ms is None else f"{status.lag_ms:,.0f} ms"
    lines = [
        f"{LINK_WORDS[status.state]} since {local(status.since)}",
        status.reason,
        f"last good message {local(status.last_good_time)}",
        f"{status.values_per_s:,.1f} values/s, lag {lag}",
        f"{status.received:,} received, {status.dropped:,} lost",
    ]
    return "\n".join(line for line in lines if line)
