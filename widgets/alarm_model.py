"""The rows of the alarm table and the model that keeps them sorted and filtered.

Changes come in batches. A few are told row by row, so that selection and place are kept for nothing; many are told as a
whole. Another order or filter of very many rows is made a little in each turn of the event loop, behind the one that is
shown, which is kept up to date meanwhile: 250,000 rows never hold up a frame.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, QTimer, Signal
from PySide6.QtWidgets import QWidget

from control_room.core.alarms import LIMITS, Alarm, AlarmKind, AlarmRule, AlarmState, Priority
from control_room.core.samples import Sample
from control_room.core.tags import Tag
from widgets.hold_words import aside_text, hold_lines, left_text, sticky_lines
from widgets.quality import STATE_WORDS, explanation
from widgets.sorted_rows import SortedRows, SortKey
from widgets.value_cell import aged_text

Index = QModelIndex | QPersistentModelIndex
Present = Callable[[int], Sample | None]
_ROLE = Qt.ItemDataRole
# with more changes at once than this, telling the view of the whole is cheaper than of each
_FEW = 20
# with more rows than this, sorting is spread over many turns
_MANY = 5_000
_TURN_S = 0.006
# an order of more rows is freed a portion in each turn
_DROPPED = 500


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
        """Return what else is to be known of it, in words: the first of its group, chattering, fleeting, noted."""
        note = "has a note" if self.alarm.note else ""
        marks = [word for word in ("first-out" if self.alarm.is_first_out else "", self.nuisance, note) if word]
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
        note = row.alarm.note.words if row.alarm.note else ""
        text = f"{row.place} {tag.asset} {row.message} {row.marks} {note} {tag.key} {tag.name}".lower()
        return all(word in text for word in self.text.lower().split())


class AlarmModel(QAbstractTableModel):
    """Alarms in order. `present` gives the newest sample of a tag as it may be shown. Signal sorted(): all are in order."""

    sorted = Signal()

    def __init__(self, present: Present, now: Callable[[], datetime], parent: QWidget | None = None) -> None:
        """Start empty, unfiltered, in the board's own order."""
        super().__init__(parent)
        self.present = present
        self.now = now
        self._all: dict[int, AlarmRow] = {}
        self._filter = AlarmFilter()
        self._sorted_by = SYMBOL
        self._is_reversed = False
        self._rows = self._order()
        # while very many rows are sorted: their new order, and the rules whose rows it lacks
        self._next: SortedRows[AlarmRow] | None = None
        self._lacking: Iterator[int] = iter(())
        # orders that were shown before, to be freed little by little
        self._left: list[SortedRows[AlarmRow]] = []
        self._turn = QTimer(self, interval=0)
        self._turn.timeout.connect(self._go_on)
        # how many there are on the board (None) and in each list of what is set aside
        self.counts: Counter[AlarmState | None] = Counter()
        # without the column for who acknowledged, the state says it
        self.is_narrow = False

    @property
    def rows(self) -> Sequence[AlarmRow]:
        """Return what is shown, in its order; for one of very many rows ask `row`."""
        return self._rows.all()

    def row(self, place: int) -> AlarmRow:
        """Return what is shown at a place."""
        return self._rows[place]

    @property
    def shown(self) -> int:
        """Return how many rows are shown."""
        return len(self._rows)

    @property
    def waiting(self) -> int:
        """Return how many of what is shown wait to be acknowledged."""
        return sum(count for (_, is_waiting), count in self._rows.counts.items() if is_waiting)

    @property
    def municipality_ids(self) -> set[int]:
        """Return where what is shown belongs."""
        return {number for (number, _), count in self._rows.counts.items() if count}

    @property
    def all_count(self) -> int:
        """Return how many alarms the list has, those that the filter hides included."""
        return self.counts[self._filter.shelf]

    @property
    def is_sorting(self) -> bool:
        """Return whether another order or filter is on its way; what is shown meanwhile is the one before, up to date."""
        return self._next is not None

    @property
    def is_at_work(self) -> bool:
        """Return whether it sorts, or frees what it showed before."""
        return self._turn.isActive()

    def change(self, changed: Sequence[AlarmRow], gone: Sequence[int]) -> None:
        """Take rows that are new or other, and the rule ids of those that are gone."""
        before = (self._all.pop(rule_id, None) for rule_id in (*gone, *(row.rule.id for row in changed)))
        self.counts.subtract(shelf_of(row) for row in before if row is not None)
        self.counts.update(shelf_of(row) for row in changed)
        self._all.update((row.rule.id, row) for row in changed)
        if self._next is not None:
            self._next.change(changed, gone)
        if len(changed) + len(gone) > _FEW:
            self.beginResetModel()
            self._rows.change(changed, gone)
            self.endResetModel()
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
        return self._rows.place_of(rule_id)

    def _order(self) -> SortedRows[AlarmRow]:
        first = COLUMNS[self._sorted_by].key
        return SortedRows(
            lambda row: row.rule.id,
            lambda row: (*first(row), *board_order(row)),
            self._filter.accepts,
            lambda row: (row.tag.municipality_id, row.needs_acknowledgement),
            is_reversed=self._is_reversed,
        )

    def _rebuild(self) -> None:
        """Sort all rows anew: a few at once, very many a little in each turn, so that nobody waits for the screen."""
        self._put_away(self._next)
        self._next, self._lacking = self._order(), iter(list(self._all))
        if len(self._all) > _MANY:
            self._turn.start()
        else:
            self._sort_until(None)

    def _put_away(self, rows: SortedRows[AlarmRow] | None) -> None:
        """Let go of an order that is shown no more, little by little when it is long."""
        if rows is not None and len(rows) > _DROPPED:
            self._left.append(rows)
            self._turn.start()

    def _go_on(self) -> None:
        if self._left and not self._left[-1].drop_some(_DROPPED):
            self._left.pop()
        if self._next is not None:
            self._sort_until(perf_counter() + _TURN_S)
        elif not self._left:
            self._turn.stop()

    def _sort_until(self, end_s: float | None) -> None:
        assert self._next is not None
        for rule_id in self._lacking:
            row = self._all.get(rule_id)
            # what changed since stands there already
            if row is not None and rule_id not in self._next:
                self._next.put(row)
            if end_s is not None and perf_counter() > end_s:
                return
        self._show_next(self._next)

    def _show_next(self, rows: SortedRows[AlarmRow]) -> None:
        self.beginResetModel()
        before, self._rows, self._next = self._rows, rows, None
        self.endResetModel()
        self._put_away(before)
        self.sorted.emit()

    def _take_out(self, rule_id: int) -> None:
        place = self._rows.place_of(rule_id)
        if place is not None:
            self.beginRemoveRows(QModelIndex(), place, place)
            self._rows.take_out(rule_id)
            self.endRemoveRows()

    def _put(self, row: AlarmRow) -> None:
        before = self._rows.place_of(row.rule.id)
        if before is not None and self._rows.stays(row):
            self._rows.put(row)
            self.dataChanged.emit(self.index(before, 0), self.index(before, len(COLUMNS) - 1))
            return
        self._take_out(row.rule.id)
        place = self._rows.place_for(row)
        if place is not None:
            self.beginInsertRows(QModelIndex(), place, place)
            self._rows.put(row)
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
        lines += [*hold_lines(row.alarm), *sticky_lines(row.alarm)]
        return "\n".join(lines)
