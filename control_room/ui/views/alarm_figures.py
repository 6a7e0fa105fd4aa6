"""Alarm figures: the load and the figures of now, for all that is seen, each municipality and each site, against targets."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt, QTimer
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QLabel, QSplitter, QTabWidget, QVBoxLayout, QWidget

from control_room.core.alarm_kpis import DAY_S, Events, Kpis
from control_room.core.alarms import AlarmRule
from control_room.core.errors import ControlRoomError
from control_room.core.kpi_targets import Figure, Verdict, live_figures
from control_room.core.live_figures import EVERYTHING, AreaNow, Picture, Places, picture, places_of
from control_room.core.tags import Tag
from control_room.ui.console import Console
from control_room.ui.room import EMPTY
from control_room.ui.view_spec import Place, ViewSpec
from control_room.ui.words import alarm_name, municipality_name
from db.alarm_figures import read_events
from widgets.alarm_model import time_text
from widgets.palette import Palette
from widgets.row_table import RowColumn, RowTable

PERIOD_MS = 10_000
# what was written while somebody read is read again
_AGAIN_S = 60.0
# the clocks of a seat and of the database may differ
_AHEAD = timedelta(hours=1)
_READING = "The figures are being read."
# told apart by shape and word, not by colour
_SIGNS = {Verdict.GOOD: "✓", Verdict.WATCH: "▲ watch", Verdict.ACT: "■ act"}
Top = tuple[int, int]


class AlarmFiguresView(QWidget):
    """Areas on the left; figures and the ten most frequent alarms of the chosen one on the right. Reads while it is seen."""

    def __init__(self, console: Console) -> None:
        """Read nothing before it is shown."""
        super().__init__()
        self._console = console
        self._picture: Picture | None = None
        # where rules belong, by this configuration
        self._places, self._configured = places_of({}), EMPTY
        self._is_reading = False
        self.head = QLabel(_READING, self)
        self.head.setWordWrap(True)
        self._make_tables()
        self._lay_out()
        self._timer = QTimer(self, interval=PERIOD_MS)
        self._timer.timeout.connect(self.refresh)
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self.refresh)
        self.areas.chosen_changed.connect(lambda: self._console.operations.start(self._reckoning()))
        self.top.activated.connect(lambda _: self._jump())
        console.theme.changed.connect(self._dress)
        # of another person, station or database nothing that was read before may stay
        console.room.configuration_changed.connect(self._begin_again)
        self._dress(console.theme.palette)

    def _make_tables(self) -> None:
        self.areas: RowTable[AreaNow] = RowTable(
            (
                RowColumn("Area", self._area_name, 140, 1),
                RowColumn("10 min", lambda one: f"{one.load.count:,}", 62, key=lambda one: one.load.count),
                RowColumn("Flood since", _flood_words, 92),
                RowColumn("Standing", lambda one: f"{one.standing:,}", 76, key=lambda one: one.standing),
                RowColumn("Stale", lambda one: f"{one.stale:,}", 50, key=lambda one: one.stale),
                RowColumn("Set aside", lambda one: f"{_set_aside(one):,}", 78, key=_set_aside),
            ),
            lambda one: one.area,
            tip=self._area_tip,
            parent=self,
        )
        self.figures: RowTable[Figure] = RowTable(
            (
                RowColumn("Figure", lambda one: one.title, 180, 3),
                RowColumn("Value", lambda one: one.value, 70),
                RowColumn("Target", lambda one: one.target, 96),
                RowColumn("", _sign, 70),
                RowColumn("Remark", lambda one: one.what, 74, 2),
            ),
            lambda one: one.title,
            is_sortable=False,
            parent=self,
        )
        self.top: RowTable[Top] = RowTable(
            (
                RowColumn("Most frequent, last 24 h", lambda one: alarm_name(self._console.room, one[0]), 160, 1),
                RowColumn("Announced", lambda one: f"{one[1]:,}", 100),
            ),
            lambda one: one[0],
            is_sortable=False,
            parent=self,
        )
        self._empty(_READING)

    def _lay_out(self) -> None:
        whole = QSplitter(Qt.Orientation.Horizontal, self)
        right = QTabWidget(self)
        right.addTab(self.figures, "Figures")
        right.addTab(self.top, "Most frequent")
        whole.addWidget(self.areas)
        whole.addWidget(right)
        whole.setStretchFactor(0, 1)
        whole.setStretchFactor(1, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(4)
        column.addWidget(self.head)
        column.addWidget(whole, 1)
        self.setFocusProxy(self.areas)

    def _dress(self, palette: Palette) -> None:
        for table in (self.areas, self.figures, self.top):
            table.apply_palette(palette)

    def _empty(self, words: str) -> None:
        for table in (self.areas, self.figures, self.top):
            table.say_when_empty(words)

    # --- what it reads

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._timer.start()
        self._soon.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()

    def _begin_again(self) -> None:
        self._picture = None
        self._soon.start()

    def refresh(self) -> None:
        """Read what came since the last time, when anybody looks."""
        if self.isVisible() and not self._is_reading and self._console.room.is_configured:
            self._is_reading = True
            self._console.operations.start(self._reading())

    async def _reading(self) -> None:
        try:
            self._picture = await self._read(self._picture)
        except ControlRoomError as fault:
            self._picture = None
            self._show_nothing(f"The figures are not known: {fault}")
            return
        finally:
            self._is_reading = False
        await self._reckoning(is_new=True)

    async def _read(self, before: Picture | None) -> Picture:
        room = self._console.room
        now = room.now()
        begin_s = now.timestamp() - DAY_S
        newest_s = before.events.time_s[-1] if before is not None and len(before.events.time_s) else begin_s
        from_s = max(begin_s, float(newest_s) - _AGAIN_S)
        job = partial(read_events, begin=datetime.fromtimestamp(from_s, UTC), end=now + _AHEAD)
        events = await self._console.operations.read(job)
        if before is not None:
            events = before.events.followed_by(events, begin_s, from_s)
        now_s, alarms = max(now.timestamp(), _last_s(events)), list(room.alarms.values())
        if self._configured is not room.configuration:
            # tables that are replaced as a whole: another thread may look into them
            self._configured = room.configuration
            self._places = await asyncio.to_thread(_places, room.tags, room.rules)
        return await asyncio.to_thread(picture, now_s, events, alarms, self._places)

    async def _reckoning(self, *, is_new: bool = False) -> None:
        picture, chosen = self._picture, self.areas.chosen()
        if picture is None:
            return
        if is_new:
            rows = await asyncio.to_thread(picture.overview)
            if picture is not self._picture:
                return
            self._list(rows)
            chosen = self.areas.chosen() or rows[0]
        if chosen is not None:
            found = await asyncio.to_thread(picture.figures, chosen.area)
            self._show(chosen, found)

    def _show(self, area: AreaNow, found: Kpis) -> None:
        at = time_text(datetime.fromtimestamp(found.end_s, UTC))
        self.head.setText(f"{self._area_name(area)}, at {at}; shares and medians are those of the last 24 h")
        self.figures.show_rows(list(live_figures(found, area.load)))
        self.top.say_when_empty("Nothing was announced")
        self.top.show_rows(list(found.top))

    def _show_nothing(self, words: str) -> None:
        # a figure of before would be taken for one of now
        self.head.setText(words)
        self._empty("Not known")
        self._list([])
        for table in (self.figures, self.top):
            table.show_rows([])

    def _list(self, rows: list[AreaNow]) -> None:
        # no choice of a person's: what is chosen is reckoned by whoever fills the list
        with QSignalBlocker(self.areas):
            self.areas.show_rows(rows)

    # --- words

    def _area_name(self, one: AreaNow) -> str:
        place, site = one.area
        if one.area == EVERYTHING:
            return "All that this seat shows"
        return f"› {site}" if site else municipality_name(self._console.room, place)

    def _area_tip(self, one: AreaNow) -> str:
        aside = f"{one.shelved:,} shelved, {one.suppressed:,} suppressed by a known cause, {one.out_of_service:,} out of service"
        return f"{self._area_name(one)}\n{one.load.count:,} announced in the last 10 min\nSet aside: {aside}"

    def _jump(self) -> None:
        chosen = self.top.chosen()
        if chosen is not None:
            self._console.open_trend(chosen[0])


def _places(tags: Mapping[int, Tag], rules: Mapping[int, AlarmRule]) -> Places:
    found = ((rule.id, tags.get(rule.tag_id)) for rule in rules.values())
    return places_of({rule: (tag.municipality_id, tag.site) for rule, tag in found if tag is not None})


def _last_s(events: Events) -> float:
    return float(np.max(events.time_s, initial=0.0))


def _set_aside(one: AreaNow) -> int:
    return one.shelved + one.suppressed + one.out_of_service


def _flood_words(one: AreaNow) -> str:
    return f"■ {time_text(one.load.flood_since)}" if one.load.flood_since is not None else "–"


def _sign(one: Figure) -> str:
    return "" if one.target == "–" else _SIGNS[one.verdict]


SPEC = ViewSpec("alarm_figures", "Alarm figures", "figures", "Ctrl+Shift+F", Place.BOTTOM, AlarmFiguresView)
