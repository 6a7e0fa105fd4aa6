"""The alarm table: sorted by a model that keeps itself sorted, painted by a delegate, fast in a flood.

Changes come in batches; the rows are a Python list that is sorted anew, because that costs a millisecond for 10,000
rows where a sorting proxy costs seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from control_room.core.alarms import Alarm, AlarmRule, AlarmState, Priority
from control_room.core.tags import Tag
from widgets.alarm_symbol import paint_alarm_symbol
from widgets.palette import LIGHT, Palette

Index = QModelIndex | QPersistentModelIndex
HEADINGS = ("", "Raised", "Municipality", "Place", "Alarm", "Value", "Limit", "State", "Acknowledged by")
SYMBOL, RAISED, MUNICIPALITY, PLACE, MESSAGE, VALUE, LIMIT, STATE, BY = range(len(HEADINGS))
WIDTHS = (34, 128, 170, 170, 0, 100, 90, 118, 130)
STATE_WORDS = {
    AlarmState.UNACKNOWLEDGED: "not acknowledged",
    AlarmState.ACKNOWLEDGED: "acknowledged",
    AlarmState.RETURNED: "returned",
    AlarmState.NORMAL: "normal",
}
_ORDER = {AlarmState.UNACKNOWLEDGED: 0, AlarmState.RETURNED: 1, AlarmState.ACKNOWLEDGED: 1, AlarmState.NORMAL: 2}


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """Everything that the board says of one alarm."""

    alarm: Alarm
    rule: AlarmRule
    tag: Tag
    municipality: str

    @property
    def place(self) -> str:
        """Return where it is."""
        return f"{self.tag.site} › {self.tag.asset}"

    @property
    def message(self) -> str:
        """Return what happened, in words."""
        return self.rule.message or f"{self.tag.name} {self.rule.kind}"

    def sort_key(self) -> tuple[int, int, float]:
        """Return the board's order: unacknowledged first, by priority, the newest first."""
        raised = self.alarm.raised_time
        return _ORDER[self.alarm.state], int(self.rule.priority), -(raised.timestamp() if raised else 0.0)


@dataclass(frozen=True, slots=True)
class AlarmFilter:
    """What the person wants to see."""

    text: str = ""
    priority: Priority | None = None
    state: AlarmState | None = None
    municipality: str = ""

    def accepts(self, row: AlarmRow) -> bool:
        """Return whether the row is wanted."""
        if self.priority is not None and row.rule.priority is not self.priority:
            return False
        if self.state is not None and row.alarm.state is not self.state:
            return False
        if self.municipality and row.municipality != self.municipality:
            return False
        words = self.text.lower().split()
        text = f"{row.municipality} {row.place} {row.message} {row.tag.key} {row.tag.name}".lower() if words else ""
        return all(word in text for word in words)


class AlarmTableModel(QAbstractTableModel):
    """The board's rows."""

    def __init__(self, parent: QWidget | None = None) -> None:
        """Start empty and unfiltered."""
        super().__init__(parent)
        self._all: Mapping[int, AlarmRow] = {}
        self._rows: list[AlarmRow] = []
        self._filter = AlarmFilter()
        self.palette_now = LIGHT
        self.is_lit = True

    def show_rows(self, rows: Mapping[int, AlarmRow]) -> None:
        """Show these alarms, by rule id."""
        self._all = rows
        self._rebuild()

    def set_filter(self, wanted: AlarmFilter) -> None:
        """Show only what is wanted."""
        self._filter = wanted
        self._rebuild()

    def _rebuild(self) -> None:
        chosen = {row.rule.id: old for old in self.persistentIndexList() if (row := self.row_at(old)) is not None}
        self.layoutAboutToBeChanged.emit()
        self._rows = sorted((row for row in self._all.values() if self._filter.accepts(row)), key=AlarmRow.sort_key)
        if chosen:
            places = {row.rule.id: number for number, row in enumerate(self._rows)}
            for rule_id, old in chosen.items():
                place = places.get(rule_id)
                new = QModelIndex() if place is None else self.index(place, old.column())
                self.changePersistentIndex(old, new)
        self.layoutChanged.emit()

    def set_blink(self, is_lit: bool) -> None:
        """Flash the symbols of what is not acknowledged."""
        self.is_lit = is_lit
        flashing = sum(row.alarm.state is AlarmState.UNACKNOWLEDGED for row in self._rows)
        if flashing:
            # they stand first
            last = self.index(flashing - 1, SYMBOL)
            self.dataChanged.emit(self.index(0, SYMBOL), last, [Qt.ItemDataRole.DecorationRole])

    def rows(self) -> Sequence[AlarmRow]:
        """Return what is shown, in its order."""
        return self._rows

    def row_at(self, index: Index) -> AlarmRow | None:
        """Return an index's alarm."""
        return self._rows[index.row()] if 0 <= index.row() < len(self._rows) else None

    # --- what Qt asks

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        return len(HEADINGS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole and orientation is Qt.Orientation.Horizontal:
            return HEADINGS[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self._rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return cell_text(row, index.column())
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{row.message}\n{row.municipality} › {row.place}\n{row.tag.name} ({row.tag.key})"
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() in (VALUE, LIMIT):
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.ForegroundRole and not row.alarm.is_active:
            return QColor(self.palette_now.faint)
        return None


def cell_text(row: AlarmRow, column: int) -> str:
    """Return a cell's text; the symbol's column has none."""
    alarm, rule, tag = row.alarm, row.rule, row.tag
    unit = f" {tag.unit}" if tag.unit else ""
    has_limit = rule.kind != "BAD" and not tag.states
    texts = {
        RAISED: time_text(alarm.raised_time),
        MUNICIPALITY: row.municipality,
        PLACE: row.place,
        MESSAGE: row.message,
        VALUE: f"{tag.text(alarm.value)}{unit}" if alarm.value is not None else "—",
        LIMIT: f"{tag.text(rule.limit)}{unit}" if has_limit else "",
        STATE: STATE_WORDS[alarm.state],
        BY: alarm.acknowledged_by,
    }
    return texts.get(column, "")


def time_text(time: datetime | None) -> str:
    """Return a time in this machine's zone, the date only when it is not today."""
    if time is None:
        return ""
    local = time.astimezone()
    is_today = local.date() == datetime.now().astimezone().date()
    return f"{local:%H:%M:%S}" if is_today else f"{local:%Y-%m-%d %H:%M}"


class _SymbolDelegate(QStyledItemDelegate):
    """Paints the priority's symbol."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        super().paint(painter, option, index)
        model = index.model()
        assert isinstance(model, AlarmTableModel)
        row = model.row_at(index)
        if row is None:
            return
        box = option.rect
        size = min(box.height() - 4, 22)
        place = QRectF(box.center().x() - size / 2 + 0.5, box.center().y() - size / 2 + 0.5, size, size)
        is_flashing = row.alarm.state is AlarmState.UNACKNOWLEDGED
        is_filled = row.alarm.is_active and (model.is_lit or not is_flashing)
        paint_alarm_symbol(painter, place, row.rule.priority, model.palette_now, is_filled=is_filled)


class AlarmTable(QTableView):
    """The table; Ctrl+K and what a row's menu offers are the view's business."""

    tag_activated = Signal(int)
    menu_wanted = Signal(QPoint)

    def __init__(self, parent: QWidget | None = None) -> None:
        """Start empty."""
        super().__init__(parent)
        self.board = AlarmTableModel(self)
        self.setModel(self.board)
        self.setItemDelegateForColumn(SYMBOL, _SymbolDelegate(self))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(26)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for column, width in enumerate(WIDTHS):
            self.setColumnWidth(column, width)
        header.setSectionResizeMode(MESSAGE, QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(30)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(lambda at: self.menu_wanted.emit(self.viewport().mapToGlobal(at)))
        self.doubleClicked.connect(self._on_double_click)

    def sizeHint(self) -> QSize:
        return QSize(900, 220)

    def chosen(self) -> list[AlarmRow]:
        """Return the selected alarms in the board's order."""
        rows = sorted({index.row() for index in self.selectionModel().selectedRows()})
        return [self.board.rows()[row] for row in rows]

    def choose(self, rule_id: int) -> None:
        """Select an alarm's row and show it."""
        for number, row in enumerate(self.board.rows()):
            if row.rule.id == rule_id:
                self.selectRow(number)
                self.scrollTo(self.board.index(number, MESSAGE))
                return

    def _on_double_click(self, index: QModelIndex) -> None:
        row = self.board.row_at(index)
        if row is not None:
            self.tag_activated.emit(row.tag.id)

    def apply_palette(self, palette: Palette) -> None:
        """Use the theme's colours."""
        self.board.palette_now = palette
        self.viewport().update()
