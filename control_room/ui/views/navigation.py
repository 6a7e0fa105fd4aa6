"""The navigation: municipality → site → asset → tag, with live values and alarms rolled up."""

from collections.abc import Sequence

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QMenu, QVBoxLayout, QWidget

from control_room.core.samples import Sample
from control_room.ui.console import Console
from control_room.ui.view_spec import Place, ViewSpec
from widgets.tag_tree import TagTree

_KEY = "navigation"


class NavigationView(QWidget):
    """The tree of everything; double click opens a trend, the menu leads to trend, map, alarms and planned work."""

    def __init__(self, console: Console) -> None:
        """Follow the room."""
        super().__init__()
        self._console = console
        self.tree = TagTree(console.room.sample, console.room.now, self)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.addWidget(self.tree)
        self.setFocusProxy(self.tree)
        room, tree, jumps = console.room, self.tree, console.jumps
        room.configuration_changed.connect(self._configured)
        room.samples_changed.connect(self._on_samples)
        console.alarms.changed.connect(lambda *_: tree.show_alarms(console.alarms.marks, console.alarms.touched))
        console.blink.changed.connect(tree.set_blink)
        console.theme.changed.connect(tree.apply_palette)
        jumps.tree_wanted.connect(tree.select)
        jumps.tag_shown.connect(tree.select)
        tree.tags_seen.connect(lambda tag_ids: console.live_tags.watch(_KEY, tag_ids))
        tree.tag_activated.connect(lambda tag_id: jumps.trend_wanted.emit([tag_id]))
        tree.menu_wanted.connect(self._open_menu)
        tree.apply_palette(console.theme.palette)
        self._configured()

    def _configured(self) -> None:
        known = self._console.room.configuration
        is_known = self._console.room.is_configured
        self.tree.empty_words = "No tags are configured" if is_known else "Waiting for the database"
        self.tree.show_tags(known.municipalities, known.tags)
        self.tree.show_alarms(self._console.alarms.marks)

    def _on_samples(self, samples: Sequence[Sample]) -> None:
        self.tree.show_values()

    def _open_menu(self, tag_ids: list[int], words: str, place: QPoint) -> None:
        self.menu(tag_ids, words).popup(place)

    def menu(self, tag_ids: list[int], words: str) -> QMenu:
        """Return the menu of a branch or of tags; `words` are what it is called."""
        jumps = self._console.jumps
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Open trend", lambda: jumps.trend_wanted.emit(tag_ids))
        menu.addAction("Show on map", lambda: jumps.map_wanted.emit(tag_ids[0]))
        menu.addAction("Show alarms", lambda: jumps.alarms_wanted.emit(tag_ids, words))
        menu.addAction("Plan work here…", lambda: jumps.work_wanted.emit(tag_ids))
        return menu


SPEC = ViewSpec(_KEY, "Navigation", "navigation", "Ctrl+1", Place.LEFT, NavigationView)
