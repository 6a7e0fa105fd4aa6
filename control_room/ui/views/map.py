"""The map: the networks with live values and alarms, search, layers."""

from collections.abc import Iterator, Sequence

from PySide6.QtCore import QPoint, QStringListModel, Qt
from PySide6.QtWidgets import QComboBox, QCompleter, QHBoxLayout, QLineEdit, QMenu, QPushButton, QVBoxLayout, QWidget

from control_room.core.tags import Tag
from control_room.ui.console import Console
from control_room.ui.notice_bar import NoticeBar
from control_room.ui.view_spec import Place, ViewSpec
from widgets.network_map import LAYERS, Hit, NetworkMap

_KEY = "map"


class MapView(QWidget):
    """The map with what stands around it."""

    def __init__(self, console: Console) -> None:
        """Follow the room."""
        super().__init__()
        self._console = console
        self._hits: list[Hit] = []
        self.map = NetworkMap(self, console.room.now)
        self._make_controls()
        self._lay_out()
        self._connect()
        self.map.apply_palette(console.theme.palette)
        self._configured()

    def _make_controls(self) -> None:
        self.notice_bar = NoticeBar(self)
        self.search = QLineEdit(self)
        self.search.setPlaceholderText("Find a tank, pump, pipe or tag")
        self.search.setClearButtonEnabled(True)
        self._found = QStringListModel(self)
        completer = QCompleter(self._found, self)
        completer.setCompletionMode(QCompleter.CompletionMode.UnfilteredPopupCompletion)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.activated.connect(self._go_to_title)
        self.search.setCompleter(completer)
        self.layer = QComboBox(self)
        # chosen by their words: Qt would turn a quantity into a plain text
        self.layer.addItems(list(LAYERS))
        self.layer.setToolTip("What the measuring points show")
        self.municipality = QComboBox(self)
        self.municipality.setPlaceholderText("Go to…")
        self.municipality.setToolTip("Look at one municipality")
        self.municipality.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.municipality.setMinimumContentsLength(12)
        self.whole = QPushButton("Everything", self)
        self.whole.setToolTip("Show all networks")

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(4)
        for widget, stretch in ((self.search, 1), (self.layer, 0), (self.municipality, 0), (self.whole, 0)):
            row.addWidget(widget, stretch)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self.notice_bar)
        column.addWidget(self.map, 1)
        self.setFocusProxy(self.map)

    def _connect(self) -> None:
        console, room, jumps = self._console, self._console.room, self._console.jumps
        room.configuration_changed.connect(self._configured)
        room.samples_changed.connect(self.map.show_samples)
        console.alarms.changed.connect(lambda *_: self.map.show_alarms(console.alarms.marks))
        console.blink.changed.connect(self.map.set_blink)
        console.theme.changed.connect(self.map.apply_palette)
        jumps.map_wanted.connect(self.show_tag)
        self.map.tag_activated.connect(lambda tag_id: jumps.trend_wanted.emit([tag_id]))
        self.map.element_clicked.connect(self._on_element)
        self.map.menu_wanted.connect(self._open_menu)
        self.search.textEdited.connect(self._on_search)
        self.search.returnPressed.connect(self._go_to_first)
        self.layer.currentIndexChanged.connect(lambda _: self.map.set_layer(LAYERS[self.layer.currentText()]))
        self.municipality.activated.connect(self._go_to_municipality)
        self.whole.clicked.connect(self.map.zoom_to_all)

    def _configured(self) -> None:
        room = self._console.room
        self.map.show_networks(room.networks, room.configuration.municipalities)
        self.map.set_tags(room.configuration.tags)
        self.map.show_alarms(self._console.alarms.marks)
        self._console.live_tags.watch(_KEY, self.map.tag_ids())
        # what is watched already does not come again by itself
        self.map.show_samples(filter(None, map(room.sample, self.map.tag_ids())))
        self.municipality.clear()
        for one in room.configuration.municipalities:
            self.municipality.addItem(one.name, one.id)
        self.municipality.setCurrentIndex(-1)

    def show_tag(self, tag_id: int) -> None:
        """Zoom to the element that a tag belongs to; say so when it has none, and show what stands near it."""
        tag = self._console.room.tags.get(tag_id)
        if tag is None:
            return
        self.notice_bar.clear()
        if self._is_placed(tag):
            self.map.zoom_to_element(tag.municipality_id, tag.element)
        else:
            self._show_near(tag)

    def _is_placed(self, tag: Tag) -> bool:
        return self.map.has_place(tag.municipality_id, tag.element)

    def _show_near(self, tag: Tag) -> None:
        """Zoom to the rest of the tag's asset, or else of its site."""
        words = f"{tag.name} has no place on the map."
        for name, near in _neighbours(tag, self._console.room.configuration.tags):
            placed = [one.element for one in near if self._is_placed(one)]
            if placed:
                self.map.zoom_to_elements(tag.municipality_id, placed)
                words += f" The map shows {name}."
                break
        self.notice_bar.say(words)

    def _on_element(self, municipality_id: int, element: str) -> None:
        self.notice_bar.clear()
        for tag in self._console.room.configuration.tags:
            if (tag.municipality_id, tag.element) == (municipality_id, element):
                self._console.jumps.tag_shown.emit(tag.id)
                return

    def _go_to_municipality(self, place: int) -> None:
        self.map.zoom_to_municipality(self.municipality.itemData(place))
        # the person moves on from there: no name may stand above another municipality
        self.municipality.setCurrentIndex(-1)

    def _on_search(self, words: str) -> None:
        self.notice_bar.clear()
        self._hits = self.map.search(words)
        self._found.setStringList([hit.words for hit in self._hits])

    def _go_to_title(self, title: str) -> None:
        for hit in self._hits:
            if hit.words == title:
                self.map.zoom_to_element(hit.municipality_id, hit.element)
                return

    def _go_to_first(self) -> None:
        text = self.search.text()
        if not self._hits and text.strip():
            self.notice_bar.say(f"Nothing on the map answers to “{text}”.")
        elif self._hits and text not in self._found.stringList():
            self._go_to_title(self._hits[0].words)

    def _open_menu(self, tag_ids: list[int], place: QPoint) -> None:
        if tag_ids:
            self.menu(tag_ids).popup(place)

    def menu(self, tag_ids: list[int]) -> QMenu:
        """Return the menu of an element's tags."""
        jumps, tags = self._console.jumps, self._console.room.tags
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Open trend", lambda: jumps.trend_wanted.emit(tag_ids))
        menu.addAction("Show in navigation", lambda: jumps.tree_wanted.emit(tag_ids[0]))
        menu.addAction("Show alarms", lambda: jumps.alarms_wanted.emit(tag_ids, tags[tag_ids[0]].asset))
        return menu


def _neighbours(tag: Tag, tags: Sequence[Tag]) -> Iterator[tuple[str, list[Tag]]]:
    """Yield the tags of the same asset, then those of the same site, each with what they are called together."""
    own = [one for one in tags if one.municipality_id == tag.municipality_id and one.site == tag.site]
    if tag.asset:
        yield tag.asset, [one for one in own if one.asset == tag.asset]
    if tag.site:
        yield tag.site, own


SPEC = ViewSpec(_KEY, "Map", "map", "Ctrl+2", Place.CENTRE, MapView)
