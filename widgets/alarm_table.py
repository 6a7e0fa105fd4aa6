"""The alarm table: a model that keeps itself sorted and filtered, and a view that paints its rows with a delegate.

Changes come in batches. A few are put in their places one by one, so that selection and place are kept for nothing; in
a flood the whole is sorted anew, a few milliseconds for 10,000 rows where a sorting proxy takes seconds.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from control_room.core.alarms import LIMITS, Alarm, AlarmKind, AlarmRule, AlarmState, Priority
from control_room.core.samples import Sample
from control_room.core.tags import Tag
from widgets.alarm_symbol import paint_alarm_symbol
from widgets.column_header import Arrangement, ColumnHeader
from widgets.hold_words import aside_text, hold_lines, left_text
from widgets.palette import LIGHT, Palette
from widgets.quality import STATE_WORDS, explanation
from widgets.value_cell import aged_text, fitting, paint_value

Index = QModelIndex | QPersistentModelIndex
Present = Callable[[int], Sample | None]
SortKey = tuple[Any, ...]
# rule id and event id: an alarm that was raised once
Occurrence = tuple[int, int]
_ROLE = Qt.ItemDataRole
_ROW_PX = 27
_SYMBOL_PX = 21
_PAD_PX = 7
# with more changes at once than this, sorting anew is cheaper than moving rows
_FEW = 20
# a narrower table leaves out the tag's name, which the message mostly repeats, and who acknowledged
_WIDE_PX = 1240


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """Everything that the board says of one alarm."""

    alarm: Alarm
    rule: AlarmRule
    tag: Tag
    municipality: str
    # a word on how it is a nuisance
    nuisance: str = ""

    @property
    def marks(self) -> str:
        """Return what else is to be known of it, in words: the first of its group, chattering, fleeting."""
        marks = [word for word in ("first-out" if self.alarm.is_first_out else "", self.nuisance) if word]
        return ", ".join(marks).capitalize()

    @property
    def place(self) -> str:
        """Return municipality and site."""
        return f"{self.municipality} › {self.tag.site}" if self.municipality else self.tag.site

    @property
    def message(self) -> str:
        """Return what happened, in words."""
        return self.rule.message or f"{self.tag.name} {self.rule.kind}"

    @property
    def needs_acknowledgement(self) -> bool:
        """Return whether nobody has acknowledged it."""
        return not self.alarm.is_acknowledged

    @property
    def is_standing(self) -> bool:
        """Return whether the condition holds, or the alarm is latched as if it did."""
        return self.alarm.is_active or self.alarm.is_latched

    def raised_s(self) -> float:
        """Return when it was raised in seconds since 1970."""
        return self.alarm.raised_time.timestamp() if self.alarm.raised_time else 0.0


def time_text(time: datetime | None) -> str:
    """Return a moment in local time: today only the clock, else the date and the clock without seconds."""
    if time is None:
        return "–"
    local = time.astimezone()
    return f"{local:%H:%M:%S}" if local.date() == datetime.now().astimezone().date() else f"{local:%d %b %H:%M}"


def raise_texts(row: AlarmRow) -> tuple[str, ...]:
    """Return the value at the change that made the alarm what it is: with limit and unit ('0.41 < 0.60 m'), then shorter."""
    tag, rule = row.tag, row.rule
    value = tag.text(row.alarm.value)
    if rule.kind not in LIMITS or tag.states:
        return (value,)
    sign = ">" if rule.kind in (AlarmKind.H, AlarmKind.HH) else "<"
    compared = f"{value} {sign} {tag.text(rule.limit)}"
    return f"{compared} {tag.unit}".rstrip(), compared, value


def _state_text(row: AlarmRow) -> str:
    words = STATE_WORDS[row.alarm.state]
    return f"{words}, unackn." if row.alarm.state is AlarmState.RETURNED else words


def _narrow_state_text(row: AlarmRow) -> str:
    is_told = row.alarm.acknowledged_by and not row.alarm.is_suppressed
    return f"ack. {row.alarm.acknowledged_by}" if is_told else _state_text(row)


def _by_text(row: AlarmRow) -> str:
    if aside := aside_text(row.alarm):
        return aside
    if not row.alarm.acknowledged_by:
        return ""
    return f"{row.alarm.acknowledged_by}, {time_text(row.alarm.acknowledged_time)}"


def _message_text(row: AlarmRow) -> str:
    return f"{row.marks}: {row.message}" if row.marks else row.message


def _by_tag(row: AlarmRow) -> SortKey:
    return (row.tag.name,)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its title, widths in a wide and in a narrow table (0: not shown there), its words.

    `key` comes before the board's own order when a person sorts by the column; `order` says so where the title does not.
    """

    title: str
    width_px: int
    narrow_px: int
    text: Callable[[AlarmRow], str]
    key: Callable[[AlarmRow], SortKey]
    is_number: bool = False
    order: str = ""


# values of different units have no order
_BY_TAG = "Click to sort by the tag's name"
SYMBOL, RAISED, PLACE, TAG, MESSAGE, AT_RAISE, NOW, STATE, BY = range(9)
COLUMNS = (
    Column("P", 38, 38, lambda _: "", lambda _: (), order="Priority, then the newest first"),
    Column("Raised", 124, 116, lambda row: time_text(row.alarm.raised_time), lambda row: (-row.raised_s(),)),
    Column("Place", 230, 180, lambda row: row.place, lambda row: (row.place,)),
    Column("Tag", 200, 0, lambda row: row.tag.name, lambda row: (row.tag.name,)),
    Column("Alarm", 0, 0, _message_text, lambda row: (row.message,)),
    Column("When raised", 150, 120, lambda row: raise_texts(row)[0], _by_tag, True, _BY_TAG),
    Column("Now", 140, 126, lambda _: "", _by_tag, True, _BY_TAG),
    Column("State", 148, 142, _state_text, lambda row: (row.alarm.is_acknowledged, not row.alarm.is_active)),
    Column("Acknowledged by", 196, 0, _by_text, lambda row: (row.alarm.acknowledged_by,)),
)


def shelf_of(row: AlarmRow) -> AlarmState | None:
    """Return the list of what is set aside that the row is in, None for the board itself."""
    return row.alarm.state if row.alarm.is_suppressed else None


def board_order(row: AlarmRow) -> SortKey:
    """Return the board's own order: by priority, the newest first."""
    return (int(row.rule.priority), -row.raised_s(), row.rule.id)


@dataclass(frozen=True, slots=True)
class AlarmFilter:
    """What the person wants to see; every word of `text` must occur, and `tag_ids` are the only tags when there are any."""

    text: str = ""
    priority: Priority | None = None
    state: AlarmState | None = None
    municipality: str = ""
    site: str = ""
    tag_ids: frozenset[int] | None = None
    shelf: AlarmState | None = None

    def accepts(self, row: AlarmRow) -> bool:
        """Return whether the row is wanted. `shelf`: which of the lists of what is set aside; None: what is not."""
        if self.shelf is not shelf_of(row):
            return False
        if self.priority is not None and row.rule.priority is not self.priority:
            return False
        if self.state is not None and row.alarm.state is not self.state:
            return False
        if self.municipality and row.municipality != self.municipality:
            return False
        if self.site and row.tag.site != self.site:
            return False
        if self.tag_ids is not None and row.tag.id not in self.tag_ids:
            return False
        if not self.text:
            return True
        tag = row.tag
        text = f"{row.place} {tag.asset} {row.message} {row.marks} {tag.key} {tag.name}".lower()
        return all(word in text for word in self.text.lower().split())


class AlarmModel(QAbstractTableModel):
    """Alarms in order. `present` gives the newest sample of a tag as it may be shown."""

    def __init__(self, present: Present, now: Callable[[], datetime], parent: QWidget | None = None) -> None:
        """Start empty, unfiltered, in the board's own order."""
        super().__init__(parent)
        self.present = present
        self.now = now
        self._all: dict[int, AlarmRow] = {}
        self._rows: list[AlarmRow] = []
        self._keys: list[SortKey] = []
        self._key_of: dict[int, SortKey] = {}
        self._filter = AlarmFilter()
        # how many there are on the board (None) and in each list of what is set aside
        self.counts: Counter[AlarmState | None] = Counter()
        self._sorted_by = SYMBOL
        self._is_reversed = False
        # without the column for who acknowledged, the state says it
        self.is_narrow = False

    @property
    def rows(self) -> Sequence[AlarmRow]:
        """Return what is shown, in its order."""
        return self._rows

    @property
    def all_count(self) -> int:
        """Return how many alarms the list has, those that the filter hides included."""
        return self.counts[self._filter.shelf]

    def change(self, changed: Sequence[AlarmRow], gone: Sequence[int]) -> None:
        """Take rows that are new or other, and the rule ids of those that are gone."""
        before = (self._all.pop(rule_id, None) for rule_id in (*gone, *(row.rule.id for row in changed)))
        self.counts.subtract(shelf_of(row) for row in before if row is not None)
        self.counts.update(shelf_of(row) for row in changed)
        self._all.update((row.rule.id, row) for row in changed)
        if len(changed) + len(gone) > _FEW:
            self._merge(changed, {*gone, *(row.rule.id for row in changed)})
            return
        for rule_id in gone:
            self._take_out(rule_id)
        for row in changed:
            self._put(row)

    def use_filter(self, wanted: AlarmFilter) -> None:
        """Show only what is wanted."""
        if wanted != self._filter:
            self._filter = wanted
            self._rebuild()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Order by a column, and within it by the board's own order."""
        self._sorted_by, self._is_reversed = column, order is Qt.SortOrder.DescendingOrder
        self._rebuild()

    def begins_group(self, place: int) -> bool:
        """Return whether a board that is sorted by place has another place above this row."""
        return self._sorted_by == PLACE and place > 0 and self._rows[place].place != self._rows[place - 1].place

    def place_of(self, rule_id: int) -> int | None:
        """Return an alarm's row, None when it is not shown."""
        key = self._key_of.get(rule_id)
        return None if key is None else self._place(key)

    def _place(self, key: SortKey) -> int:
        place = bisect_left(self._keys, key)
        return len(self._keys) - 1 - place if self._is_reversed else place

    def _key(self, row: AlarmRow) -> SortKey:
        return (*COLUMNS[self._sorted_by].key(row), *board_order(row))

    def _rebuild(self) -> None:
        self._merge(list(self._all.values()), set(self._all))

    def _merge(self, changed: Sequence[AlarmRow], touched: set[int]) -> None:
        """Sort in what changed; what is not `touched` is in order already, which Python's sorting makes use of."""
        self.beginResetModel()
        rows = self._rows[::-1] if self._is_reversed else self._rows
        pairs = [(key, row) for key, row in zip(self._keys, rows, strict=True) if row.rule.id not in touched]
        pairs += [(self._key(row), row) for row in changed if self._filter.accepts(row)]
        pairs.sort(key=itemgetter(0))
        self._keys = [key for key, _ in pairs]
        self._rows = [row for _, row in pairs]
        self._key_of = {row.rule.id: key for key, row in pairs}
        if self._is_reversed:
            self._rows.reverse()
        self.endResetModel()

    def _take_out(self, rule_id: int) -> None:
        key = self._key_of.pop(rule_id, None)
        if key is None:
            return
        place = self._place(key)
        self.beginRemoveRows(QModelIndex(), place, place)
        del self._rows[place]
        del self._keys[bisect_left(self._keys, key)]
        self.endRemoveRows()

    def _put(self, row: AlarmRow) -> None:
        key, before = self._key(row), self._key_of.get(row.rule.id)
        is_wanted = self._filter.accepts(row)
        if key == before and is_wanted:
            place = self._place(key)
            self._rows[place] = row
            self.dataChanged.emit(self.index(place, 0), self.index(place, len(COLUMNS) - 1))
            return
        self._take_out(row.rule.id)
        if is_wanted:
            at = bisect_left(self._keys, key)
            place = len(self._keys) - at if self._is_reversed else at
            self.beginInsertRows(QModelIndex(), place, place)
            self._keys.insert(at, key)
            self._rows.insert(place, row)
            self._key_of[row.rule.id] = key
            self.endInsertRows()

    # --- what Qt asks

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = _ROLE.DisplayRole) -> Any:
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == _ROLE.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if COLUMNS[section].is_number else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        if role not in (_ROLE.DisplayRole, _ROLE.ToolTipRole):
            return None
        if role == _ROLE.ToolTipRole:
            return COLUMNS[section].order or f"Click to sort by {COLUMNS[section].title.lower()}"
        return COLUMNS[section].title

    def data(self, index: Index, role: int = _ROLE.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        row = self._rows[index.row()]
        if role == _ROLE.DisplayRole:
            return self.text(row, index.column())
        if role == _ROLE.ToolTipRole:
            return self.explanation(row, index.column())
        if role == _ROLE.AccessibleTextRole and index.column() == SYMBOL:
            return f"priority {int(row.rule.priority)}, {STATE_WORDS[row.alarm.state]}"
        return None

    def text(self, row: AlarmRow, column: int) -> str:
        """Return a cell's words."""
        if column == NOW:
            return aged_text(row.tag, self.present(row.tag.id), self.now())
        if column == STATE and (left := left_text(row.alarm, self.now())):
            return left
        if column == STATE and self.is_narrow:
            return _narrow_state_text(row)
        return COLUMNS[column].text(row)

    def explanation(self, row: AlarmRow, column: int) -> str:
        """Return the tooltip of a cell."""
        if column == NOW:
            return explanation(row.tag, self.present(row.tag.id), self.now())
        lines = [row.message, f"{row.place} › {row.tag.asset}", f"{row.tag.name}  ({row.tag.key})"]
        for words, time in (("raised", row.alarm.raised_time), ("returned", row.alarm.returned_time)):
            if time is not None:
                lines.append(f"{words} {time.astimezone():%Y-%m-%d %H:%M:%S}")
        if (shelving := row.alarm.shelving) is not None:
            lines.append(
                f"shelved until {shelving.until.astimezone():%Y-%m-%d %H:%M} by {shelving.person}: {shelving.reason}"
            )
        if (service := row.alarm.out_of_service) is not None:
            since = f"{service.since.astimezone():%Y-%m-%d %H:%M}"
            order = f", work order {service.work_order}" if service.work_order else ""
            lines.append(f"out of service since {since} by {service.person}{order}: {service.reason}")
        elif row.alarm.acknowledged_by and not row.alarm.is_suppressed:
            lines.append(f"acknowledged by {_by_text(row)}")
        lines += hold_lines(row.alarm)
        return "\n".join(lines)


class _RowDelegate(QStyledItemDelegate):
    """Paints a cell in a few strokes: the symbol, which alone flashes, and words that are elided."""

    def __init__(self, table: "AlarmTable") -> None:
        super().__init__(table)
        self._table = table

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        table = self._table
        row = table.board.rows[index.row()]
        palette, column, box = table.colours, index.column(), option.rect
        is_selected = table.selectionModel().isRowSelected(index.row(), QModelIndex())
        if is_selected:
            painter.fillRect(box, QColor(palette.selection))
        elif index.row() % 2:
            painter.fillRect(box, QColor(palette.raised))
        if table.board.begins_group(index.row()):
            painter.fillRect(box.left(), box.top(), box.width(), 2, QColor(palette.label))
        if column == SYMBOL:
            if is_selected:
                painter.fillRect(box, QColor(palette.panel))
            self._paint_symbol(painter, QRectF(box), row)
            return
        if column == NOW:
            board = table.board
            paint_value(
                painter, QRectF(box), row.tag, board.present(row.tag.id), board.now(), palette, is_selected=is_selected
            )
            return
        plain = palette.text if row.is_standing else palette.label
        painter.setPen(QColor(palette.selection_text if is_selected else plain))
        side = Qt.AlignmentFlag.AlignRight if COLUMNS[column].is_number else Qt.AlignmentFlag.AlignLeft
        room = box.adjusted(_PAD_PX, 0, -_PAD_PX, 0)
        if column == AT_RAISE:
            words = fitting(option.fontMetrics, raise_texts(row), room.width())
        else:
            text = table.board.text(row, column)
            words = option.fontMetrics.elidedText(text, Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, side | Qt.AlignmentFlag.AlignVCenter, words)

    def _paint_symbol(self, painter: QPainter, box: QRectF, row: AlarmRow) -> None:
        place = QRectF(0, 0, _SYMBOL_PX, _SYMBOL_PX)
        place.moveCenter(box.center())
        is_lit = self._table.is_lit or not row.needs_acknowledgement
        paint_alarm_symbol(
            painter, place, row.rule.priority, self._table.colours, is_active=row.is_standing, is_lit=is_lit
        )


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a reset of the model must not change: selection, top row (when it is not the first), current row."""

    chosen: Sequence[Occurrence] = ()
    top: int | None = None
    current: Occurrence | None = None


class AlarmTable(QTableView):
    """The table. Signals: menu_wanted(place on screen) for the selected alarms, row_activated(rule id), arranged()."""

    menu_wanted = Signal(QPoint)
    arranged = Signal()
    row_activated = Signal(int)

    def __init__(self, present: Present, now: Callable[[], datetime], parent: QWidget | None = None) -> None:
        """Start empty."""
        super().__init__(parent)
        self.colours: Palette = LIGHT
        self.is_lit = True
        self.empty_words = "No alarms"
        self._is_wide: bool | None = None
        # columns that its owner leaves out at any width
        self.left_out: frozenset[int] = frozenset()
        # a person arranged the columns: then the width of the table decides nothing any more
        self._is_arranged = False
        self.header = ColumnHeader([one.title for one in COLUMNS], frozenset({SYMBOL, MESSAGE}), self)
        # before the model: a header forgets the selection at each reset, and what gives it back must come after that
        self.setHorizontalHeader(self.header)
        self._kept = _Kept()
        self.board = AlarmModel(present, now, self)
        self.board.modelAboutToBeReset.connect(self._keep)
        self.setModel(self.board)
        self.board.modelReset.connect(self._give_back)
        self.board.rowsInserted.connect(lambda _, first, last: self._hold_still(first, last - first + 1))
        self.board.rowsRemoved.connect(lambda _, first, last: self._hold_still(first, first - last - 1))
        self.setItemDelegate(_RowDelegate(self))
        self._set_up()
        self._lay_out_header()
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(lambda at: self.menu_wanted.emit(self.viewport().mapToGlobal(at)))
        self.activated.connect(lambda index: self.row_activated.emit(self.board.rows[index.row()].rule.id))

    def _set_up(self) -> None:
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(_ROW_PX)

    def _lay_out_header(self) -> None:
        header = self.header
        header.arranged.connect(self._on_arranged)
        header.first_wanted.connect(lambda: self.arrange({}))
        header.first_wanted.connect(self.arranged)
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setMinimumSectionSize(30)
        header.setSectionResizeMode(MESSAGE, QHeaderView.ResizeMode.Stretch)
        header.setSortIndicator(SYMBOL, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)

    def resizeEvent(self, event: QResizeEvent) -> None:
        is_wide = self.viewport().width() >= _WIDE_PX
        if is_wide is not self._is_wide:
            self._is_wide = is_wide
            if not self._is_arranged:
                self._use_widths(is_wide)
        super().resizeEvent(event)

    def _use_widths(self, is_wide: bool) -> None:
        for number, column in enumerate(COLUMNS):
            width = column.width_px if is_wide else column.narrow_px
            self.setColumnHidden(number, number in self.left_out or (width == 0 and number != MESSAGE))
            if width:
                self.setColumnWidth(number, width)
        self.board.is_narrow = self.isColumnHidden(BY)

    def arrange(self, arrangement: Arrangement) -> None:
        """Show the columns as a person arranged them; empty: as the table's width allows."""
        self._is_arranged = bool(arrangement)
        if self._is_arranged:
            self.header.use(arrangement)
            self.board.is_narrow = self.isColumnHidden(BY)
        else:
            self.header.order_anew()
            self._use_widths(bool(self._is_wide))
        self.viewport().update()

    def arrangement(self) -> Arrangement:
        """Return how a person arranged the columns, empty when nobody did."""
        return self.header.arrangement() if self._is_arranged else {}

    def _on_arranged(self) -> None:
        self._is_arranged = True
        self.board.is_narrow = self.isColumnHidden(BY)
        self.viewport().update()
        self.arranged.emit()

    def chosen(self) -> list[AlarmRow]:
        """Return the selected alarms in the order of the rows."""
        return [
            self.board.rows[number] for number in sorted(index.row() for index in self.selectionModel().selectedRows())
        ]

    def choose(self, rule_id: int) -> bool:
        """Select an alarm's row and show it; return whether it is shown at all."""
        place = self.board.place_of(rule_id)
        if place is None:
            return False
        self.selectRow(place)
        self.scrollTo(self.board.index(place, SYMBOL))
        return True

    def show_chosen(self) -> None:
        """Scroll to the selection when nothing of it can be seen: what is acted upon is seen."""
        seen = self.viewport().rect()
        chosen = self.selectionModel().selectedRows(MESSAGE)
        if chosen and not any(seen.intersects(self.visualRect(index)) for index in chosen):
            self.scrollTo(min(chosen, key=QModelIndex.row))

    def show_present(self) -> None:
        """Paint the present values anew, and of what is shelved the time that is left."""
        if self.board.counts[AlarmState.SHELVED] or self.board.counts[AlarmState.SUPPRESSED_BY_DESIGN]:
            self.viewport().update()
            return
        left = self.columnViewportPosition(NOW)
        self.viewport().update(left, 0, self.columnWidth(NOW), self.viewport().height())

    def set_blink(self, is_lit: bool) -> None:
        """Flash the symbols of what is not acknowledged."""
        self.is_lit = is_lit
        self.viewport().update(
            self.columnViewportPosition(SYMBOL), 0, self.columnWidth(SYMBOL), self.viewport().height()
        )

    def say_when_empty(self, words: str) -> None:
        """Say why there are no rows."""
        if words != self.empty_words:
            self.empty_words = words
            self.viewport().update()

    def apply_palette(self, palette: Palette) -> None:
        """Use the theme's colours."""
        self.colours = palette
        self.viewport().update()

    def sizeHint(self) -> QSize:
        return QSize(900, 220)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self.board.rows:
            painter = QPainter(self.viewport())
            painter.setPen(QColor(self.colours.label))
            painter.drawText(self.viewport().rect(), Qt.AlignmentFlag.AlignCenter, self.empty_words)
            painter.end()

    def _hold_still(self, first: int, more: int) -> None:
        """Keep the rows under the mouse where they are when others come or go above them."""
        bar = self.verticalScrollBar()
        if first < bar.value():
            bar.setMaximum(max(bar.maximum(), bar.value() + more))
            bar.setValue(bar.value() + more)

    def _keep(self) -> None:
        top, current = self.rowAt(0), self.currentIndex()
        rows = self.board.rows
        self._kept = _Kept(
            [_occurrence(row) for row in self.chosen()],
            rows[top].rule.id if 0 < top < len(rows) else None,
            _occurrence(rows[current.row()]) if current.isValid() else None,
        )

    def _give_back(self) -> None:
        kept, model = self._kept, self.selectionModel()
        flag = model.SelectionFlag
        for occurrence in kept.chosen:
            if (index := self._index_of(occurrence)) is not None:
                model.select(index, flag.Select | flag.Rows)
        if kept.current is not None and (index := self._index_of(kept.current)) is not None:
            model.setCurrentIndex(index, flag.NoUpdate)
        if kept.top is not None and (place := self.board.place_of(kept.top)) is not None:
            self.scrollTo(self.board.index(place, SYMBOL), QAbstractItemView.ScrollHint.PositionAtTop)

    def _index_of(self, occurrence: Occurrence) -> QModelIndex | None:
        """Return where the occurrence stands; a later one of the same rule is another, which nobody has chosen."""
        place = self.board.place_of(occurrence[0])
        if place is None or _occurrence(self.board.rows[place]) != occurrence:
            return None
        return self.board.index(place, SYMBOL)


def _occurrence(row: AlarmRow) -> Occurrence:
    return (row.rule.id, row.alarm.event_id)
