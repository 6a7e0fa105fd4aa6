"""A table of rows that are read as a whole: columns are data, the choice stays, an empty table says why it is empty."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QTableView, QWidget

from widgets.palette import LIGHT, Palette

T = TypeVar("T")
Index = QModelIndex | QPersistentModelIndex
_ROLE = Qt.ItemDataRole
_ROW_PX = 27
_MARGIN_PX = 40


@dataclass(frozen=True, slots=True)
class RowColumn(Generic[T]):
    """One column: its title, words, least width and its share of the room that is left; `key` sorts, else the words."""

    title: str
    text: Callable[[T], str]
    width_px: int
    share: int = 0
    key: Callable[[T], Any] | None = None


class RowModel(QAbstractTableModel, Generic[T]):
    """Rows in the order in which they came, or by a column; those that hold every word of a filter."""

    def __init__(
        self, columns: Sequence[RowColumn[T]], is_faint: Callable[[T], bool], tip: Callable[[T], str] | None
    ) -> None:
        """Start empty; a cell's tip is its own words unless `tip` tells of its row."""
        super().__init__()
        self.columns = columns
        self.rows: list[T] = []
        self.all_rows: Sequence[T] = ()
        self.palette = LIGHT
        self._is_faint, self._tip = is_faint, tip
        self._words: list[str] = []
        self._sorted_by = -1
        self._order = Qt.SortOrder.AscendingOrder

    def take(self, rows: Sequence[T]) -> None:
        """Show other rows."""
        self.all_rows = tuple(rows)
        self._rebuild()

    def use_filter(self, text: str) -> None:
        """Show only rows with every word of the text."""
        self._words = text.casefold().split()
        self._rebuild()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self._sorted_by, self._order = column, order
        self._rebuild()

    def _rebuild(self) -> None:
        self.beginResetModel()
        self.rows = [row for row in self.all_rows if self._accepts(row)]
        if 0 <= self._sorted_by < len(self.columns):
            column = self.columns[self._sorted_by]
            key = column.key or (lambda row: column.text(row).casefold())
            self.rows.sort(key=key, reverse=self._order is Qt.SortOrder.DescendingOrder)
        self.endResetModel()

    def _accepts(self, row: T) -> bool:
        if not self._words:
            return True
        text = "\n".join(column.text(row) for column in self.columns).casefold()
        return all(word in text for word in self._words)

    # --- what Qt asks

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = _ROLE.DisplayRole) -> Any:
        is_title = orientation is Qt.Orientation.Horizontal and role == _ROLE.DisplayRole
        return self.columns[section].title if is_title else None

    def data(self, index: Index, role: int = _ROLE.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self.rows):
            return None
        row = self.rows[index.row()]
        if role == _ROLE.DisplayRole:
            # a name of several lines would show only one of them
            return " ".join(self.columns[index.column()].text(row).split())
        if role == _ROLE.ToolTipRole:
            return self._tip(row) if self._tip else self.columns[index.column()].text(row)
        if role == _ROLE.ForegroundRole and self._is_faint(row):
            return QBrush(QColor(self.palette.faint))
        return None


class RowTable(QTableView, Generic[T]):
    """Shows rows; a refresh keeps choice and place. Signal chosen_changed()."""

    chosen_changed = Signal()

    def __init__(
        self,
        columns: Sequence[RowColumn[T]],
        identity: Callable[[T], Hashable],
        *,
        is_faint: Callable[[T], bool] = lambda _: False,
        tip: Callable[[T], str] | None = None,
        is_sortable: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        """Start empty; `identity` tells that a row is the same one after it was read again."""
        super().__init__(parent)
        self._identity = identity
        self.empty_words = ""
        self.board = RowModel(columns, is_faint, tip)
        self.board.setParent(self)
        self.setModel(self.board)
        self._kept: tuple[Hashable | None, int] = (None, 0)
        self.board.modelAboutToBeReset.connect(self._keep)
        self.board.modelReset.connect(self._give_back)
        self.selectionModel().selectionChanged.connect(lambda *_: self.chosen_changed.emit())
        self._dress(is_sortable=is_sortable)

    def _dress(self, *, is_sortable: bool) -> None:
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setAlternatingRowColors(True)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW_PX)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        if is_sortable:
            # as they came until somebody asks for another order
            header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
            header.setSortIndicatorClearable(True)
            self.setSortingEnabled(True)

    @property
    def rows(self) -> Sequence[T]:
        """Return what is shown, in its order."""
        return self.board.rows

    def show_rows(self, rows: Sequence[T]) -> None:
        """Show these rows in place of those before."""
        if tuple(rows) != self.board.all_rows:
            self.board.take(rows)

    def use_filter(self, text: str) -> None:
        """Show only rows with every word of the text."""
        self.board.use_filter(text)

    def say_when_empty(self, words: str) -> None:
        """Say why there are no rows."""
        self.empty_words = words
        self.viewport().update()

    def chosen(self) -> T | None:
        """Return the row that is chosen."""
        found = self.selectionModel().selectedRows()
        return self.board.rows[found[0].row()] if found else None

    def apply_palette(self, palette: Palette) -> None:
        """Use the theme's colours."""
        self.board.palette = palette
        self.viewport().update()

    def _keep(self) -> None:
        chosen = self.chosen()
        self._kept = (None if chosen is None else self._identity(chosen), self.verticalScrollBar().value())

    def _give_back(self) -> None:
        identity, top = self._kept
        place = next((place for place, row in enumerate(self.rows) if self._identity(row) == identity), None)
        if place is not None:
            self.selectRow(place)
        self.verticalScrollBar().setValue(top)
        self.chosen_changed.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        columns = self.board.columns
        free = max(0, self.viewport().width() - sum(column.width_px for column in columns))
        shares = max(1, sum(column.share for column in columns))
        for number, column in enumerate(columns):
            self.setColumnWidth(number, column.width_px + free * column.share // shares)
        super().resizeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self.rows:
            painter = QPainter(self.viewport())
            painter.setPen(QColor(self.board.palette.label))
            room = self.viewport().rect().adjusted(_MARGIN_PX, 0, -_MARGIN_PX, 0)
            painter.drawText(room, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self.empty_words)
            painter.end()
