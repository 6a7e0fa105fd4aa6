"""The alarm table: a view that paints the rows of its model with a delegate and keeps selection and place in a flood."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from PySide6.QtCore import QItemSelection, QModelIndex, QPoint, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from control_room.core.alarms import AlarmState
from widgets.alarm_model import (
    AT_RAISE,
    BY,
    COLUMNS,
    MESSAGE,
    NOW,
    SYMBOL,
    AlarmModel,
    AlarmRow,
    Index,
    Present,
    raise_texts,
)
from widgets.alarm_symbol import paint_alarm_symbol
from widgets.column_header import Arrangement, ColumnHeader
from widgets.palette import LIGHT, Palette
from widgets.value_cell import fitting, paint_value

# rule id and event id: an alarm that was raised once
Occurrence = tuple[int, int]
_ROW_PX = 27
_SYMBOL_PX = 21
_PAD_PX = 7
_LOOK_MS = 100
# a narrower table leaves out the tag's name, which the message mostly repeats, and who acknowledged
_WIDE_PX = 1450


class _RowDelegate(QStyledItemDelegate):
    """Paints a cell in a few strokes: the symbol, which alone flashes, and words that are elided."""

    def __init__(self, table: "AlarmTable") -> None:
        super().__init__(table)
        self._table = table

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        table = self._table
        row = table.board.row(index.row())
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
    """The table. Signals: menu_wanted(place on screen) for the selected alarms, row_activated(rule id), arranged(), and
    seen_changed() soon after other rows can be seen."""

    seen_changed = Signal()
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
        self._look = QTimer(self, singleShot=True, interval=_LOOK_MS)
        self._look.timeout.connect(self.seen_changed)
        for news in (self.board.modelReset, self.board.rowsInserted, self.board.rowsRemoved, self.board.dataChanged):
            news.connect(self._look_soon)
        self.verticalScrollBar().valueChanged.connect(self._look_soon)
        self.board.rowsInserted.connect(lambda _, first, last: self._hold_still(first, last - first + 1))
        self.board.rowsRemoved.connect(lambda _, first, last: self._hold_still(first, first - last - 1))
        self.setItemDelegate(_RowDelegate(self))
        self._set_up()
        self._lay_out_header()
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(lambda at: self.menu_wanted.emit(self.viewport().mapToGlobal(at)))
        self.activated.connect(lambda index: self.row_activated.emit(self.board.row(index.row()).rule.id))

    def _look_soon(self) -> None:
        if not self._look.isActive():
            self._look.start()

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
        self._look_soon()
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
        chosen = self.selectionModel().selection()
        spans = sorted((chosen.at(number).top(), chosen.at(number).bottom()) for number in range(chosen.count()))
        # a span of some cells of a row only is none that a person can make here
        return [self.board.row(number) for top, bottom in spans for number in range(top, bottom + 1)]

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

    def seen(self, around: int = 0) -> list[AlarmRow]:
        """Return the rows that can be seen, and so many before and after them."""
        last = self.rowAt(self.viewport().height() - 1)
        end = self.board.shown if last < 0 else min(self.board.shown, last + 1 + around)
        return [self.board.row(place) for place in range(max(0, self.rowAt(0) - around), end)]

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
        if not self.board.shown:
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
        top, current, board = self.rowAt(0), self.currentIndex(), self.board
        self._kept = _Kept(
            [_occurrence(row) for row in self.chosen()],
            board.row(top).rule.id if 0 < top < board.shown else None,
            _occurrence(board.row(current.row())) if current.isValid() else None,
        )

    def _give_back(self) -> None:
        kept, model = self._kept, self.selectionModel()
        flag = model.SelectionFlag
        places = (index.row() for one in kept.chosen if (index := self._index_of(one)) is not None)
        model.select(self._spans(sorted(places)), flag.Select | flag.Rows)
        if kept.current is not None and (index := self._index_of(kept.current)) is not None:
            model.setCurrentIndex(index, flag.NoUpdate)
        if kept.top is not None and (place := self.board.place_of(kept.top)) is not None:
            self.scrollTo(self.board.index(place, SYMBOL), QAbstractItemView.ScrollHint.PositionAtTop)

    def _spans(self, places: Iterable[int]) -> QItemSelection:
        """Return the places, in order, as few spans: Qt takes long over many."""
        chosen = QItemSelection()
        for _, numbered in groupby(enumerate(places), lambda one: one[1] - one[0]):
            span = [place for _, place in numbered]
            chosen.select(self.board.index(span[0], SYMBOL), self.board.index(span[-1], BY))
        return chosen

    def _index_of(self, occurrence: Occurrence) -> QModelIndex | None:
        """Return where the occurrence stands; a later one of the same rule is another, which nobody has chosen."""
        place = self.board.place_of(occurrence[0])
        if place is None or _occurrence(self.board.row(place)) != occurrence:
            return None
        return self.board.index(place, SYMBOL)


def _occurrence(row: AlarmRow) -> Occurrence:
    return (row.rule.id, row.alarm.event_id)
