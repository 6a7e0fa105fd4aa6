"""The trends: groups of lines in tabs, live and in the past, remembered."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QHBoxLayout, QInputDialog, QLabel, QTabWidget, QToolButton, QVBoxLayout, QWidget

from control_room.core.alarms import LIMITS, AlarmKind
from control_room.core.samples import Sample
from control_room.core.tags import Quantity
from control_room.ui.console import Console
from control_room.ui.history_reads import HistoryReads
from control_room.ui.notice_bar import NoticeBar
from control_room.ui.room import Room
from control_room.ui.trend_outlet import Chosen, TrendOutlet
from control_room.ui.view_spec import Place, ViewSpec
from widgets.trend_plot import TrendPlot

_KEY = "trends"
_SETTING = "trends/groups"
# more would hold the window up for over 50 ms at each drawing
_MOST_PENS = 50
_MOST_GROUPS = 12
_NAME_MAX = 60


@dataclass(frozen=True, slots=True)
class Group:
    """What is remembered of a tab."""

    name: str
    tag_ids: tuple[int, ...] = ()


def remembered(settings: QSettings) -> list[Group]:
    """Return the groups that were left, as far as they can be read."""
    try:
        entries = json.loads(str(settings.value(_SETTING) or "[]"))
    except ValueError:
        entries = []
    found = [group for entry in entries if (group := _group(entry))] if isinstance(entries, list) else []
    return found[:_MOST_GROUPS]


def _group(entry: Any) -> Group | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        return None
    pens = entry.get("tags")
    tag_ids = tuple(one for one in pens if isinstance(one, int)) if isinstance(pens, list) else ()
    return Group(entry["name"][:_NAME_MAX], tag_ids[:_MOST_PENS])


class TrendsView(QWidget):
    """Tabs of plots; tags come by drag, menu or jump into the tab in front."""

    def __init__(self, console: Console) -> None:
        """Wait for the configuration before lines are drawn."""
        super().__init__()
        self._console = console
        self._reads: dict[TrendPlot, HistoryReads] = {}
        self._is_restored = False
        self._was_in_trouble = console.room.trouble is not None
        self.notice_bar = NoticeBar(self)
        self.tabs = QTabWidget(self)
        self.tabs.setDocumentMode(True)
        self.tabs.setMovable(True)
        self.outlet = TrendOutlet(console, self._chosen, self.notice_bar)
        self._make_corner()
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.addWidget(self.notice_bar)
        column.addWidget(self.outlet.export_row)
        column.addWidget(self.tabs, 1)
        self._waiting = QLabel(self)
        self._waiting.setProperty("role", "label")
        self._waiting.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column.addWidget(self._waiting, 1)
        self._connect()
        self._dress()
        self._configured()

    def _make_corner(self) -> None:
        corner = QWidget(self.tabs)
        row = QHBoxLayout(corner)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        self._add_button = QToolButton(corner)
        self._add_button.setToolTip("New group of lines")
        self._add_button.setAutoRaise(True)
        row.addWidget(self.outlet.button)
        row.addWidget(self._add_button)
        self.tabs.setCornerWidget(corner)

    def _chosen(self) -> Chosen | None:
        plot = self.tabs.currentWidget()
        return Chosen(plot, self.tabs.tabText(self.tabs.currentIndex())) if isinstance(plot, TrendPlot) else None

    def _connect(self) -> None:
        console, room = self._console, self._console.room
        self._add_button.clicked.connect(lambda _=False: self.add_group())
        # the keys of the view are those of the plot in front
        self.tabs.currentChanged.connect(lambda _: self.setFocusProxy(self.tabs.currentWidget()))
        self.tabs.currentChanged.connect(lambda _: self.outlet.allow())
        self.tabs.tabCloseRequested.connect(self._close_group)
        self.tabs.tabBarDoubleClicked.connect(self._rename)
        self.tabs.tabBar().tabMoved.connect(self._remember)
        room.configuration_changed.connect(self._configured)
        room.samples_changed.connect(self._on_samples)
        room.status_changed.connect(self._on_status)
        console.jumps.trend_wanted.connect(self.show_tags)
        console.jumps.stretch_wanted.connect(self.show_stretch)
        console.theme.changed.connect(self._dress)

    def plots(self) -> list[TrendPlot]:
        """Return the plots in the order of their tabs."""
        pages = (self.tabs.widget(number) for number in range(self.tabs.count()))
        return [page for page in pages if isinstance(page, TrendPlot)]

    def add_group(self, name: str = "", tag_ids: Sequence[int] = ()) -> TrendPlot:
        """Add a tab with these tags and bring it to the front."""
        room = self._console.room
        plot = TrendPlot(self.tabs, lambda: room.now().timestamp())
        plot.apply_palette(self._console.theme.palette)
        self._reads[plot] = HistoryReads(plot, self._console.operations)
        plot.tag_dropped.connect(lambda tag_id: self._add_pens(plot, [tag_id]))
        plot.pens_changed.connect(self._on_pens)
        self.tabs.addTab(plot, name or f"Trend {self.tabs.count() + 1}")
        self.tabs.setCurrentWidget(plot)
        self.tabs.setTabsClosable(self.tabs.count() > 1)
        self._add_pens(plot, tag_ids)
        return plot

    def show_tags(self, tag_ids: Sequence[int]) -> None:
        """Add tags to the tab in front."""
        plot = self.tabs.currentWidget()
        if isinstance(plot, TrendPlot):
            self._add_pens(plot, tag_ids)

    def show_stretch(self, title: str, tag_ids: Sequence[int], start_s: float, end_s: float) -> None:
        """Show a stretch of the past (seconds since 1970) in a group of that name; what is followed live goes on."""
        names = [self.tabs.tabText(number) for number in range(self.tabs.count())]
        name = title[:_NAME_MAX]
        if name in names:
            self.tabs.setCurrentIndex(names.index(name))
            self.show_tags(tag_ids)
        else:
            self.add_group(name, tag_ids)
        plot = self.tabs.currentWidget()
        if isinstance(plot, TrendPlot):
            plot.bring_forward(tag_ids[0] if len(tag_ids) == 1 else None)
            plot.show_stretch(start_s, end_s)

    def _add_pens(self, plot: TrendPlot, tag_ids: Sequence[int]) -> None:
        room = self._console.room
        self.notice_bar.clear()
        for tag_id in tag_ids:
            tag = room.tags.get(tag_id)
            if tag is None:
                continue
            if len(plot.pens()) >= _MOST_PENS and tag_id not in plot.pens():
                self.notice_bar.say(f"A group shows at most {_MOST_PENS} lines. Open a new group with + for more.")
                break
            plot.add_pen(tag)
            plot.set_tag(tag, _limits(room, tag_id))
            if (sample := room.sample(tag_id)) is not None:
                plot.show_sample(sample)

    # --- what it follows

    def _configured(self) -> None:
        room = self._console.room
        self._waiting.setText("No tags are configured" if room.is_configured else "Waiting for the database")
        self._waiting.setVisible(not room.tags)
        self.tabs.setVisible(bool(room.tags))
        # before anything was imported there is nothing worth to remember or to begin with
        if not room.tags:
            return
        if not self._is_restored:
            for group in remembered(self._console.settings) or [_first_group(room)]:
                self.add_group(group.name, group.tag_ids)
            self.tabs.setCurrentIndex(0)
            self._is_restored = True
        for plot in self.plots():
            for tag_id in plot.pens():
                if tag_id in room.tags:
                    plot.set_tag(room.tags[tag_id], _limits(room, tag_id))
                else:
                    plot.remove_pen(tag_id)
        self._on_pens()

    def _on_samples(self, samples: Sequence[Sample]) -> None:
        for plot in self.plots():
            for sample in samples:
                plot.show_sample(sample)

    def _on_status(self) -> None:
        is_in_trouble = self._console.room.trouble is not None
        if self._was_in_trouble and not is_in_trouble:
            # what was missed meanwhile is in the history by now
            for plot in self.plots():
                plot.read_again()
        self._was_in_trouble = is_in_trouble

    def _on_pens(self) -> None:
        self._console.live_tags.watch(_KEY, (tag_id for plot in self.plots() for tag_id in plot.pens()))
        self._remember()
        self.outlet.allow()

    def _remember(self) -> None:
        if self._is_restored:
            groups = [
                {"name": self.tabs.tabText(number), "tags": plot.pens()} for number, plot in enumerate(self.plots())
            ]
            self._console.settings.setValue(_SETTING, json.dumps(groups))

    def _close_group(self, number: int) -> None:
        plot = self.tabs.widget(number)
        if not isinstance(plot, TrendPlot) or self.tabs.count() == 1:
            return
        self.tabs.removeTab(number)
        self._reads.pop(plot).close()
        plot.deleteLater()
        self.tabs.setTabsClosable(self.tabs.count() > 1)
        self._on_pens()

    def _rename(self, number: int) -> None:
        if number < 0:
            return
        dialog = QInputDialog(self)
        dialog.setWindowTitle("Rename the group")
        dialog.setLabelText("Name")
        dialog.setTextValue(self.tabs.tabText(number))
        dialog.textValueSelected.connect(lambda name: self._name(number, name))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _name(self, number: int, name: str) -> None:
        if name.strip():
            self.tabs.setTabText(number, name.strip()[:_NAME_MAX])
            self._remember()

    def _dress(self) -> None:
        theme = self._console.theme
        self._add_button.setIcon(theme.icon("add"))
        for plot in self.plots():
            plot.apply_palette(theme.palette)


def _first_group(room: Room) -> Group:
    """Return what a person sees who has never chosen anything: the first levels of a municipality."""
    levels = [tag for tag in room.configuration.tags if tag.quantity is Quantity.LEVEL]
    same_place = [tag.id for tag in levels if tag.municipality_id == levels[0].municipality_id]
    return Group("Levels" if levels else "Trend 1", tuple(same_place[:5]))


def _limits(room: Room, tag_id: int) -> list[tuple[AlarmKind, float]]:
    rules = (rule for rule in room.rules.values() if rule.tag_id == tag_id and rule.kind in LIMITS)
    return [(rule.kind, rule.limit) for rule in rules]


SPEC = ViewSpec(_KEY, "Trends", "trends", "Ctrl+3", Place.CENTRE, TrendsView)
