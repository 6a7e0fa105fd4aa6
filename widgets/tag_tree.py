"""The navigation: municipality → site → asset → tag, with live values and the most urgent alarm below each branch."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
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
    Signal,
)
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QLineEdit, QTreeView, QVBoxLayout, QWidget

from control_room.core.alarms import AlarmState, Priority
from control_room.core.samples import Grade, Sample
from control_room.core.tags import Municipality, Tag
from widgets.alarm_symbol import paint_alarm_symbol
from widgets.palette import LIGHT, Palette
from widgets.quality import explanation, value_text

Index = QModelIndex | QPersistentModelIndex
TAG_MIME = "application/x-control-room-tag"
NAME, VALUE = 0, 1
SYMBOL = 18


@dataclass(slots=True)
class _Branch:
    """A node of the tree; a leaf has a tag."""

    name: str
    parent: "_Branch | None"
    row: int = 0
    tag: Tag | None = None
    children: list["_Branch"] = field(default_factory=list)
    # most urgent (priority, is unacknowledged) below, and how many alarms
    worst: tuple[Priority, bool] | None = None
    count: int = 0

    def add(self, name: str, tag: Tag | None = None) -> "_Branch":
        """Append a child."""
        child = _Branch(name, self, len(self.children), tag)
        self.children.append(child)
        return child


class TagTreeModel(QAbstractItemModel):
    """The tree as Qt sees it; branches are built once for a configuration, values change in place."""

    def __init__(self, parent: QWidget | None = None) -> None:
        """Start empty."""
        super().__init__(parent)
        self._root = _Branch("", None)
        self._leaves: dict[int, _Branch] = {}
        self._samples: dict[int, Sample] = {}
        self._alarms: Mapping[int, tuple[Priority, AlarmState]] = {}
        self._palette = LIGHT
        self._icons: dict[tuple[Priority, bool], QIcon] = {}
        self._is_lit = True

    def show_tags(self, municipalities: Sequence[Municipality], tags: Sequence[Tag], text: str = "") -> None:
        """Build the tree of the tags whose names, keys or places contain every word of `text`."""
        self.beginResetModel()
        words = text.lower().split()
        self._root, self._leaves = _Branch("", None), {}
        branches: dict[tuple[int, ...] | tuple[Any, ...], _Branch] = {}
        for one in municipalities:
            branches[(one.id,)] = self._root.add(one.name)
        for tag in sorted(tags, key=lambda tag: (tag.municipality_id, tag.site, tag.asset, tag.key)):
            if (tag.municipality_id,) in branches and _matches(tag, words):
                self._leaves[tag.id] = self._place(branches, tag).add(tag.name, tag)
        self._drop_empty(words)
        self._roll_up()
        self.endResetModel()

    def _place(self, branches: dict[Any, _Branch], tag: Tag) -> _Branch:
        path: tuple[Any, ...] = (tag.municipality_id,)
        for name in (tag.site, tag.asset):
            parent, path = branches[path], (*path, name)
            if path not in branches:
                branches[path] = parent.add(name)
        return branches[path]

    def _drop_empty(self, words: list[str]) -> None:
        if words:
            self._root.children = [one for one in self._root.children if one.children]
            for row, child in enumerate(self._root.children):
                child.row = row

    def show_samples(self, samples: Iterable[Sample]) -> None:
        """Show new values; one signal for each asset that changed."""
        changed: defaultdict[int, list[int]] = defaultdict(list)
        parents: dict[int, _Branch] = {}
        for sample in samples:
            self._samples[sample.tag_id] = sample
            leaf = self._leaves.get(sample.tag_id)
            if leaf is not None and leaf.parent is not None:
                parents[id(leaf.parent)] = leaf.parent
                changed[id(leaf.parent)].append(leaf.row)
        for key, rows in changed.items():
            branch = parents[key].children
            first, last = branch[min(rows)], branch[max(rows)]
            self.dataChanged.emit(
                self.createIndex(first.row, VALUE, first), self.createIndex(last.row, VALUE, last), [Qt.ItemDataRole.DisplayRole]
            )

    def show_alarms(self, alarms: Mapping[int, tuple[Priority, AlarmState]]) -> None:
        """Show the most urgent alarm of each tag and roll them up."""
        self._alarms = alarms
        self._roll_up()
        self._repaint_names()

    def set_blink(self, is_lit: bool) -> None:
        """Flash the symbols of what is not acknowledged."""
        self._is_lit = is_lit
        if any(state is AlarmState.UNACKNOWLEDGED for _, state in self._alarms.values()):
            self._repaint_names()

    def _repaint_names(self) -> None:
        # views ask again only for what they show
        self.dataChanged.emit(QModelIndex(), QModelIndex(), [Qt.ItemDataRole.DecorationRole])

    def _roll_up(self) -> None:
        def gather(branch: _Branch) -> None:
            branch.worst, branch.count = None, 0
            if branch.tag is not None and branch.tag.id in self._alarms:
                priority, state = self._alarms[branch.tag.id]
                branch.worst, branch.count = (priority, state is AlarmState.UNACKNOWLEDGED), 1
            for child in branch.children:
                gather(child)
                branch.count += child.count
                branch.worst = _worse(branch.worst, child.worst)

        gather(self._root)

    def apply_palette(self, palette: Palette) -> None:
        """Use the theme's colours."""
        self._palette = palette
        self._icons.clear()

    def tag_of(self, index: Index) -> Tag | None:
        """Return the tag of a row, None for a branch."""
        branch = self._branch(index)
        return branch.tag

    def tags_below(self, index: Index) -> list[Tag]:
        """Return every tag of a branch."""
        found, waiting = [], [self._branch(index)]
        while waiting:
            branch = waiting.pop()
            if branch.tag is not None:
                found.append(branch.tag)
            waiting += reversed(branch.children)
        return found

    def index_of(self, tag_id: int) -> QModelIndex:
        """Return the row of a tag, an invalid one when it is not shown."""
        leaf = self._leaves.get(tag_id)
        return self.createIndex(leaf.row, NAME, leaf) if leaf is not None else QModelIndex()

    def branch_name(self, index: Index) -> str:
        """Return a row's name without its count."""
        return self._branch(index).name

    def _branch(self, index: Index) -> _Branch:
        branch = index.internalPointer() if index.isValid() else self._root
        assert isinstance(branch, _Branch)
        return branch

    # --- what Qt asks

    def index(self, row: int, column: int, parent: Index = QModelIndex()) -> QModelIndex:
        children = self._branch(parent).children
        if not 0 <= row < len(children) or not 0 <= column <= VALUE:
            return QModelIndex()
        return self.createIndex(row, column, children[row])

    def parent(self, index: Index = QModelIndex()) -> QModelIndex:  # type: ignore[override]
        branch = self._branch(index).parent if index.isValid() else None
        if branch is None or branch.parent is None:
            return QModelIndex()
        return self.createIndex(branch.row, NAME, branch)

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.column() > 0 else len(self._branch(parent).children)

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        return 2

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole and orientation is Qt.Orientation.Horizontal:
            return ("Name", "Value")[section]
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        return super().flags(index) | Qt.ItemFlag.ItemIsDragEnabled

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        branch = self._branch(index)
        if index.column() == VALUE:
            return self._value(branch, role)
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{branch.name}  ({branch.count})" if branch.count and branch.tag is None else branch.name
        if role == Qt.ItemDataRole.DecorationRole and branch.worst is not None:
            priority, is_flashing = branch.worst
            return self._icon(priority, is_filled=self._is_lit or not is_flashing)
        if role == Qt.ItemDataRole.ToolTipRole and branch.tag is not None:
            return explanation(branch.tag, self._samples.get(branch.tag.id), datetime.now(UTC))
        return None

    def _value(self, branch: _Branch, role: int) -> Any:
        if branch.tag is None:
            return None
        sample = self._samples.get(branch.tag.id)
        if role == Qt.ItemDataRole.DisplayRole:
            return value_text(branch.tag, sample)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.ForegroundRole and (sample is None or sample.grade is not Grade.GOOD):
            return QColor(self._palette.untrusted)
        if role == Qt.ItemDataRole.ToolTipRole:
            return explanation(branch.tag, sample, datetime.now(UTC))
        return None

    def _icon(self, priority: Priority, *, is_filled: bool) -> QIcon:
        key = (priority, is_filled)
        if key not in self._icons:
            picture = QPixmap(SYMBOL, SYMBOL)
            picture.fill(Qt.GlobalColor.transparent)
            painter = QPainter(picture)
            paint_alarm_symbol(painter, QRectF(0, 0, SYMBOL, SYMBOL), priority, self._palette, is_filled=is_filled)
            painter.end()
            self._icons[key] = QIcon(picture)
        return self._icons[key]

    def mimeTypes(self) -> list[str]:
        return [TAG_MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        tags = [tag.id for index in indexes if index.column() == NAME for tag in self.tags_below(index)]
        content = QMimeData()
        content.setData(TAG_MIME, ",".join(str(tag_id) for tag_id in tags[:16]).encode())
        return content


def _matches(tag: Tag, words: list[str]) -> bool:
    text = f"{tag.name} {tag.key} {tag.site} {tag.asset} {tag.element}".lower()
    return all(word in text for word in words)


def _worse(one: tuple[Priority, bool] | None, other: tuple[Priority, bool] | None) -> tuple[Priority, bool] | None:
    if one is None or other is None:
        return one or other
    # flashing comes before urgent: what nobody has seen matters most
    return min(one, other, key=lambda worst: (not worst[1], worst[0]))


class TagTree(QWidget):
    """The tree with its filter."""

    tag_activated = Signal(int)
    menu_wanted = Signal(list, QPoint)

    def __init__(self, parent: QWidget | None = None) -> None:
        """Start empty."""
        super().__init__(parent)
        self._municipalities: Sequence[Municipality] = ()
        self._tags: Sequence[Tag] = ()
        self.model = TagTreeModel(self)
        self.filter = QLineEdit(self)
        self.filter.setPlaceholderText("Find a tag, asset or place")
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self._rebuild)
        self.view = QTreeView(self)
        self.view.setModel(self.model)
        self.view.setUniformRowHeights(True)
        self.view.setIconSize(QSize(SYMBOL, SYMBOL))
        self.view.setDragEnabled(True)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(self._on_menu)
        self.view.activated.connect(self._on_activated)
        header = self.view.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(VALUE, QHeaderView.ResizeMode.Fixed)
        header.resizeSection(VALUE, 108)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.addWidget(self.filter)
        column.addWidget(self.view)

    def show_tags(self, municipalities: Sequence[Municipality], tags: Sequence[Tag]) -> None:
        """Show these; what was open stays open as far as it is still there."""
        self._municipalities, self._tags = municipalities, tags
        self._rebuild()

    def _rebuild(self) -> None:
        opened = self._opened(QModelIndex(), ())
        self.model.show_tags(self._municipalities, self._tags, self.filter.text())
        if self.filter.text().strip():
            self.view.expandAll()
        else:
            self._open(QModelIndex(), (), opened)

    def _opened(self, parent: QModelIndex, path: tuple[str, ...]) -> set[tuple[str, ...]]:
        found = set()
        for row in range(self.model.rowCount(parent)):
            index = self.model.index(row, NAME, parent)
            if self.view.isExpanded(index):
                own = (*path, self.model.branch_name(index))
                found |= {own} | self._opened(index, own)
        return found

    def _open(self, parent: QModelIndex, path: tuple[str, ...], opened: set[tuple[str, ...]]) -> None:
        for row in range(self.model.rowCount(parent)):
            index = self.model.index(row, NAME, parent)
            own = (*path, self.model.branch_name(index))
            # with nothing remembered, the municipalities stand open
            if own in opened or (not opened and not path):
                self.view.setExpanded(index, True)
                self._open(index, own, opened)

    def select(self, tag_id: int) -> None:
        """Show a tag's row."""
        index = self.model.index_of(tag_id)
        if index.isValid():
            self.view.scrollTo(index)
            self.view.setCurrentIndex(index)

    def _on_activated(self, index: QModelIndex) -> None:
        tag = self.model.tag_of(index)
        if tag is not None:
            self.tag_activated.emit(tag.id)

    def _on_menu(self, position: QPoint) -> None:
        chosen = self.view.selectionModel().selectedRows(NAME)
        tags = list(dict.fromkeys(tag.id for index in chosen for tag in self.model.tags_below(index)))
        if tags:
            self.menu_wanted.emit(tags, self.view.viewport().mapToGlobal(position))
