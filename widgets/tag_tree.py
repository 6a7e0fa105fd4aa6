"""The navigation tree: municipality → site → asset → tag, with live values and the alarms below each branch."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import dropwhile, islice
from typing import Any

from PySide6.QtCore import (
    QAbstractItemModel,
    QMimeData,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRectF,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QColor, QIcon, QPainter, QPaintEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from control_room.core.alarms import TO_ACKNOWLEDGE, AlarmState, Priority
from control_room.core.samples import Sample
from control_room.core.tags import Municipality, Tag
from widgets.alarm_symbol import paint_alarm_symbol
from widgets.palette import LIGHT, Palette
from widgets.quality import TAG_MIME, explanation
from widgets.value_cell import aged_text, paint_value

Index = QModelIndex | QPersistentModelIndex
Present = Callable[[int], Sample | None]
Place = tuple[str, str, str]
Mark = tuple[Priority, AlarmState]
Marks = Mapping[int, Mark]
NAME, VALUE = 0, 1
_ROLE = Qt.ItemDataRole
_SYMBOL_PX = 18
_ROW_PX = 25
_VALUE_PX = 152
_NARROW_VALUE_PX = 112
_WIDE_PX = 340
_LEAST_PX = 220
# of a drag, so many tags at most are meant
_MOST_TAGS = 16
# a filter that finds more leaves the branches closed: nobody reads so many
_OPEN_AT_MOST = 400
_REST_MS = 120


@dataclass(slots=True, eq=False)
class Branch:
    """A row of the tree; a leaf has a tag. `marks` counts the tags below that have such an alarm."""

    name: str
    parent: "Branch | None"
    row: int = 0
    tag: Tag | None = None
    children: list["Branch"] = field(default_factory=list)
    marks: dict["Mark", int] = field(default_factory=dict)

    @property
    def worst(self) -> Priority | None:
        """Return the highest priority below."""
        return min((priority for priority, _ in self.marks), default=None)

    @property
    def is_flashing(self) -> bool:
        """Return whether something below is not acknowledged."""
        return any(state in TO_ACKNOWLEDGE for _, state in self.marks)

    @property
    def is_active(self) -> bool:
        """Return whether a condition of the highest priority below still stands."""
        return any(priority is self.worst and state is not AlarmState.RETURNED for priority, state in self.marks)

    @property
    def count(self) -> int:
        """Return how many tags below are in alarm."""
        return sum(self.marks.values())

    def add(self, name: str, tag: Tag | None = None) -> "Branch":
        """Append a child."""
        child = Branch(name, self, len(self.children), tag)
        self.children.append(child)
        return child

    def leaves(self) -> Iterator["Branch"]:
        """Yield every leaf below, itself when it is one."""
        if self.tag is not None:
            yield self
        for child in self.children:
            yield from child.leaves()


class TagTreeModel(QAbstractItemModel):
    """The tree as Qt sees it: built once for a configuration and filter; values are looked up when a row is painted."""

    def __init__(self, present: Present, now: Callable[[], datetime], parent: QWidget | None = None) -> None:
        """Start empty. `present` gives a tag's newest sample as it may be shown, `now` the time in UTC."""
        super().__init__(parent)
        self.present = present
        self.now = now
        self._root = Branch("", None)
        self._leaves: dict[int, Branch] = {}
        self._marks: dict[int, Mark] = {}
        self._palette = LIGHT
        self._icons: dict[tuple[Priority, bool, bool], QIcon] = {}
        self.is_lit = True

    @property
    def tag_count(self) -> int:
        """Return how many tags are shown."""
        return len(self._leaves)

    @property
    def is_anything_flashing(self) -> bool:
        """Return whether an alarm below is not acknowledged."""
        return self._root.is_flashing

    def show_tags(self, municipalities: Sequence[Municipality], tags: Sequence[Tag], text: str = "") -> None:
        """Build the tree of the tags whose names, keys or places contain every word of `text`."""
        self.beginResetModel()
        words = text.lower().split()
        self._root, self._leaves = Branch("", None), {}
        names = {one.id: one.name for one in municipalities}
        paths: dict[tuple[Any, ...], Branch] = {(): self._root}
        placed = [((names.get(tag.municipality_id, "?"), tag.site, tag.asset), tag) for tag in tags]
        for place, tag in sorted(placed, key=_order):
            if _matches(tag, place, words):
                self._leaves[tag.id] = _branch(paths, place).add(short_name(tag), tag)
        marks, self._marks = self._marks, {}
        self.show_alarms(marks)
        self.endResetModel()

    def show_alarms(self, marks: Marks, touched: Iterable[int] | None = None) -> None:
        """Roll up the alarms of each tag; `touched`: the only tags that may have others than before, as in a flood."""
        for tag_id in self._marks.keys() | marks.keys() if touched is None else touched:
            old, new = self._marks.pop(tag_id, None), marks.get(tag_id)
            if new is not None:
                self._marks[tag_id] = new
            if old != new:
                self._count(tag_id, old, -1)
                self._count(tag_id, new, +1)

    def _count(self, tag_id: int, mark: Mark | None, step: int) -> None:
        branch = self._leaves.get(tag_id)
        while branch is not None and mark is not None:
            branch.marks[mark] = branch.marks.get(mark, 0) + step
            if not branch.marks[mark]:
                del branch.marks[mark]
            branch = branch.parent

    def apply_palette(self, palette: Palette) -> None:
        """Use the theme's colours."""
        self._palette = palette
        self._icons.clear()

    def tag_of(self, index: Index) -> Tag | None:
        """Return the tag of a row, None for a branch."""
        return self.branch(index).tag

    def tags_below(self, index: Index, most: int | None = _MOST_TAGS) -> list[int]:
        """Return the first tags of a branch, all of them for None."""
        leaves = islice(self.branch(index).leaves(), most)
        return [leaf.tag.id for leaf in leaves if leaf.tag is not None]

    def index_of(self, tag_id: int) -> QModelIndex:
        """Return the row of a tag, an invalid one when it is not shown."""
        leaf = self._leaves.get(tag_id)
        return self.createIndex(leaf.row, NAME, leaf) if leaf is not None else QModelIndex()

    def branch(self, index: Index) -> Branch:
        """Return what stands in a row, the root for an invalid index."""
        branch = index.internalPointer() if index.isValid() else self._root
        assert isinstance(branch, Branch)
        return branch

    # --- what Qt asks

    def index(self, row: int, column: int, parent: Index = QModelIndex()) -> QModelIndex:
        children = self.branch(parent).children
        if not 0 <= row < len(children) or not 0 <= column <= VALUE or (parent.isValid() and parent.column() != NAME):
            return QModelIndex()
        return self.createIndex(row, column, children[row])

    def parent(self, index: Index = QModelIndex()) -> QModelIndex:  # type: ignore[override]
        above = self.branch(index).parent if index.isValid() else None
        if above is None or above.parent is None:
            return QModelIndex()
        return self.createIndex(above.row, NAME, above)

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() and parent.column() != NAME else len(self.branch(parent).children)

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        return 2

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = _ROLE.DisplayRole) -> Any:
        if role == _ROLE.DisplayRole and orientation is Qt.Orientation.Horizontal:
            return ("Name", "Value")[section]
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        return super().flags(index) | Qt.ItemFlag.ItemIsDragEnabled if index.isValid() else Qt.ItemFlag.NoItemFlags

    def data(self, index: Index, role: int = _ROLE.DisplayRole) -> Any:
        if not index.isValid():
            return None
        branch = self.branch(index)
        if role == _ROLE.ToolTipRole and branch.tag is not None:
            return explanation(branch.tag, self.present(branch.tag.id), self.now())
        if index.column() == VALUE:
            is_text = role == _ROLE.DisplayRole and branch.tag is not None
            return aged_text(branch.tag, self.present(branch.tag.id), self.now()) if is_text and branch.tag else None
        if role == _ROLE.DisplayRole:
            return f"{branch.name}  ({branch.count})" if branch.count and branch.tag is None else branch.name
        if role == _ROLE.DecorationRole and branch.worst is not None:
            return self._icon(branch.worst, is_active=branch.is_active, is_lit=self.is_lit or not branch.is_flashing)
        if role == _ROLE.SizeHintRole:
            return QSize(0, _ROW_PX)
        return None

    def _icon(self, priority: Priority, *, is_active: bool, is_lit: bool) -> QIcon:
        key = (priority, is_active, is_lit)
        if key not in self._icons:
            self._icons[key] = _symbol(priority, self._palette, is_active=is_active, is_lit=is_lit)
        return self._icons[key]

    def mimeTypes(self) -> list[str]:
        return [TAG_MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        tags = [tag_id for index in indexes if index.column() == NAME for tag_id in self.tags_below(index)]
        content = QMimeData()
        content.setData(TAG_MIME, ",".join(str(tag_id) for tag_id in dict.fromkeys(tags)).encode())
        return content


def short_name(tag: Tag) -> str:
    """Return the tag's name without the leading words that the branches above it say already."""
    above = {word.lower() for word in f"{tag.site} {tag.asset}".split()}
    words = list(dropwhile(lambda word: word.lower() in above, tag.name.split()))
    name = " ".join(words) or tag.name
    return name[0].upper() + name[1:]


def natural(name: str) -> tuple[tuple[str, int], ...]:
    """Return a sort key by which 'Pump 2' comes before 'Pump 10'."""
    words = name.split()
    return tuple(("", int(word)) if word.isdecimal() else (word.lower(), 0) for word in words)


def _order(placed: tuple[Place, Tag]) -> tuple[Any, ...]:
    (municipality, site, asset), tag = placed
    return municipality, natural(site), natural(asset), natural(tag.name)


def _branch(paths: dict[tuple[Any, ...], Branch], place: Place) -> Branch:
    for depth in range(1, len(place) + 1):
        if place[:depth] not in paths:
            paths[place[:depth]] = paths[place[: depth - 1]].add(place[depth - 1])
    return paths[place]


def _matches(tag: Tag, place: Place, words: Sequence[str]) -> bool:
    if not words:
        return True
    text = f"{tag.name} {tag.key} {tag.element} {' '.join(place)}".lower()
    return all(word in text for word in words)


def _symbol(priority: Priority, palette: Palette, *, is_active: bool, is_lit: bool) -> QIcon:
    picture = QPixmap(_SYMBOL_PX, _SYMBOL_PX)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    box = QRectF(0, 0, _SYMBOL_PX, _SYMBOL_PX)
    paint_alarm_symbol(painter, box, priority, palette, is_active=is_active, is_lit=is_lit)
    painter.end()
    icon = QIcon(picture)
    # a selected row keeps the alarm's true colours
    icon.addPixmap(picture, QIcon.Mode.Selected)
    return icon


class _ValueDelegate(QStyledItemDelegate):
    """Paints values so that what may not be trusted looks it."""

    def __init__(self, tree: "TagTree") -> None:
        super().__init__(tree)
        self._tree = tree

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        model, palette, box = self._tree.model, self._tree.colours, option.rect
        is_selected = bool(option.state & QStyle.StateFlag.State_Selected)
        if is_selected:
            painter.fillRect(box, QColor(palette.selection))
        tag = model.tag_of(index)
        if tag is not None:
            sample = model.present(tag.id)
            paint_value(painter, QRectF(box), tag, sample, model.now(), palette, is_selected=is_selected)


class _NameDelegate(QStyledItemDelegate):
    """Cuts the end of a tag's name, but the middle of a branch's, because the number of its alarms stands at the end."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: Index) -> None:
        super().initStyleOption(option, index)
        model = index.model()
        is_leaf = isinstance(model, TagTreeModel) and model.tag_of(index) is not None
        option.textElideMode = Qt.TextElideMode.ElideRight if is_leaf else Qt.TextElideMode.ElideMiddle


class _View(QTreeView):
    """The tree view; says in its middle why it is empty."""

    empty_words = ""

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.model().rowCount() == 0 and self.empty_words:
            painter = QPainter(self.viewport())
            painter.setPen(self.palette().placeholderText().color())
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.viewport().rect().adjusted(12, 0, -12, 0), flags, self.empty_words)
            painter.end()


class TagTree(QWidget):
    """The tree with its filter.

    Signals: tag_activated(tag id), menu_wanted(tag ids, words that find them, place on screen), tags_seen(tag ids): the
    rows that a person can see, whose values are worth to be fed.
    """

    tag_activated = Signal(int)
    menu_wanted = Signal(list, str, QPoint)
    tags_seen = Signal(list)

    def __init__(self, present: Present, now: Callable[[], datetime], parent: QWidget | None = None) -> None:
        """Start empty."""
        super().__init__(parent)
        self.colours: Palette = LIGHT
        self._municipalities: Sequence[Municipality] = ()
        self._tags: Sequence[Tag] = ()
        self._opened: set[tuple[str, ...]] | None = None
        self.empty_words = "No tags are configured"
        self.model = TagTreeModel(present, now, self)
        self.filter = QLineEdit(self)
        self.filter.setPlaceholderText("Find a tag, asset or place")
        self.filter.setClearButtonEnabled(True)
        self.view = _View(self)
        self._make_view()
        self._typing = QTimer(self, singleShot=True, interval=_REST_MS)
        self._typing.timeout.connect(self.flush)
        self._looking = QTimer(self, singleShot=True, interval=_REST_MS)
        self._looking.timeout.connect(self._tell_seen)
        self.filter.textChanged.connect(lambda _: self._typing.start())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.filter)
        column.addWidget(self.view, 1)
        self.setMinimumWidth(_LEAST_PX)
        self.setFocusProxy(self.view)
        for moved in (self.view.verticalScrollBar().valueChanged, self.view.expanded, self.view.collapsed):
            moved.connect(lambda _: self._looking.start())
        self.view.verticalScrollBar().rangeChanged.connect(lambda *_: self._looking.start())

    def _make_view(self) -> None:
        view = self.view
        view.setModel(self.model)
        view.setItemDelegateForColumn(NAME, _NameDelegate(self))
        view.setItemDelegateForColumn(VALUE, _ValueDelegate(self))
        view.setUniformRowHeights(True)
        view.setIndentation(16)
        view.setIconSize(QSize(_SYMBOL_PX, _SYMBOL_PX))
        view.setDragEnabled(True)
        view.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.customContextMenuRequested.connect(self._on_menu)
        view.activated.connect(self._on_activated)
        header = view.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(60)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(VALUE, QHeaderView.ResizeMode.Fixed)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.view.header().resizeSection(VALUE, _VALUE_PX if self.width() >= _WIDE_PX else _NARROW_VALUE_PX)

    # --- what others tell it

    def show_tags(self, municipalities: Sequence[Municipality], tags: Sequence[Tag]) -> None:
        """Show these; what was open stays open as far as it is still there."""
        self._municipalities, self._tags = municipalities, tags
        self.flush()

    def show_values(self) -> None:
        """Paint the values that can be seen anew."""
        left = self.view.columnViewportPosition(VALUE)
        self.view.viewport().update(left, 0, self.view.columnWidth(VALUE), self.view.viewport().height())

    def show_alarms(self, marks: Marks, touched: Iterable[int] | None = None) -> None:
        """Show the most urgent alarm of each tag, rolled up; `touched`: the only tags with others than before."""
        self.model.show_alarms(marks, touched)
        self.view.viewport().update()

    def set_blink(self, is_lit: bool) -> None:
        """Flash the symbols above what is not acknowledged."""
        self.model.is_lit = is_lit
        if self.model.is_anything_flashing:
            self.view.viewport().update()

    def apply_palette(self, palette: Palette) -> None:
        """Use the theme's colours."""
        self.colours = palette
        self.model.apply_palette(palette)
        self.view.viewport().update()

    def select(self, tag_id: int) -> None:
        """Show and select a tag's row; a filter that hides it is cleared."""
        if not self.model.index_of(tag_id).isValid() and self.filter.text():
            self.filter.clear()
            self.flush()
        index = self.model.index_of(tag_id)
        if index.isValid():
            self.view.setCurrentIndex(index)
            self.view.scrollTo(index, QAbstractItemView.ScrollHint.PositionAtCenter)

    def flush(self) -> None:
        """Build the tree for what is typed, now."""
        self._typing.stop()
        text = self.filter.text().strip()
        if self.model.tag_count and self._opened is None:
            self._opened = self._open_paths(QModelIndex(), ())
        self.model.show_tags(self._municipalities, self._tags, text)
        if text:
            if self.model.tag_count <= _OPEN_AT_MOST:
                self.view.expandAll()
            else:
                self.view.expandToDepth(0)
        else:
            self._open(QModelIndex(), (), self._opened)
            if self._opened is None:
                # a first look shows values, and not only folders
                self.view.expandRecursively(self.model.index(0, NAME, self.model.index(0, NAME)))
            self._opened = None
        self._span(QModelIndex())
        self.view.empty_words = "Nothing matches" if text else self.empty_words
        self._looking.start()

    # --- what is open, what is seen

    def _span(self, parent: QModelIndex) -> None:
        # a branch has no value: its name may take the whole row
        for row in range(self.model.rowCount(parent)):
            index = self.model.index(row, NAME, parent)
            if self.model.tag_of(index) is None:
                self.view.setFirstColumnSpanned(row, parent, True)
                self._span(index)

    def _open_paths(self, parent: QModelIndex, path: tuple[str, ...]) -> set[tuple[str, ...]]:
        found = set()
        for row in range(self.model.rowCount(parent)):
            index = self.model.index(row, NAME, parent)
            if self.view.isExpanded(index):
                own = (*path, self.model.branch(index).name)
                found |= {own} | self._open_paths(index, own)
        return found

    def _open(self, parent: QModelIndex, path: tuple[str, ...], opened: set[tuple[str, ...]] | None) -> None:
        for row in range(self.model.rowCount(parent)):
            index = self.model.index(row, NAME, parent)
            own = (*path, self.model.branch(index).name)
            # with nothing remembered, the municipalities stand open
            if own in opened if opened is not None else not path:
                self.view.setExpanded(index, True)
                self._open(index, own, opened)

    def seen(self) -> list[int]:
        """Return the tags whose rows can be seen."""
        found = []
        index = self.view.indexAt(QPoint(1, 1))
        bottom = self.view.viewport().height()
        while index.isValid() and self.view.visualRect(index).top() < bottom:
            tag = self.model.tag_of(index)
            if tag is not None:
                found.append(tag.id)
            index = self.view.indexBelow(index)
        return found

    def _tell_seen(self) -> None:
        self.tags_seen.emit(self.seen())

    # --- what a person does

    def _on_activated(self, index: QModelIndex) -> None:
        tag = self.model.tag_of(index)
        if tag is not None:
            self.tag_activated.emit(tag.id)

    def _on_menu(self, position: QPoint) -> None:
        chosen = self.view.selectionModel().selectedRows(NAME)
        tags = list(dict.fromkeys(tag_id for index in chosen for tag_id in self.model.tags_below(index, None)))
        if tags:
            tag = self.model.tag_of(chosen[0])
            words = tag.name if tag is not None else self.model.branch(chosen[0]).name
            if len(chosen) > 1:
                words += f" and {len(chosen) - 1} more"
            self.menu_wanted.emit(tags, words, self.view.viewport().mapToGlobal(position))
