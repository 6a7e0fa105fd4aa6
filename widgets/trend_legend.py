"""The legend of a trend: colour, name, present value, value at the cursor, unit and quality of every pen."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from control_room.core.tags import Tag

_BETWEEN = ("At A", "At B", "B − A", "Lowest", "Mean", "Highest", "Std dev", "Trusted")
_HEADINGS = ("", "Tag", "Now", "At cursor", "Unit", "Quality", *_BETWEEN, "")
_WIDTHS = (30, 0, 84, 84, 52, 190, *(64,) * len(_BETWEEN), 28)
_COLOUR, _NAME, _NOW, _CURSOR, _UNIT, _QUALITY, _FIRST_BETWEEN = range(7)
_REMOVE = len(_HEADINGS) - 1
REMOVE_COLUMN = _REMOVE
ROW_HEIGHT = 24
ROWS_SHOWN = 6


@dataclass(frozen=True, slots=True)
class LegendRow:
    """One pen as the legend shows it."""

    tag: Tag
    colour: str
    is_focused: bool
    # as it is written at its line
    name: str = ""


class TrendLegend(QTableWidget):
    """One row a pen; a click brings the pen to the front, the cross takes it away."""

    focus_wanted = Signal(int)
    removal_wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        """Start empty and hidden."""
        super().__init__(0, len(_HEADINGS), parent)
        self._tag_ids: list[int] = []
        self._lines_most = ROWS_SHOWN
        self.setHorizontalHeaderLabels(list(_HEADINGS))
        self.setShowGrid(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        for column, width in enumerate(_WIDTHS):
            self.setColumnWidth(column, width)
        header.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        self.show_between(False)
        self.cellClicked.connect(self._on_click)
        self.hide()

    def show_rows(self, rows: Sequence[LegendRow]) -> None:
        """Show these pens, values empty."""
        self._tag_ids = [row.tag.id for row in rows]
        self.setRowCount(len(rows))
        for number, row in enumerate(rows):
            self._fill(number, row)
        self.setVisible(bool(rows))
        self._fit()

    def leave_room(self, height_px: int) -> None:
        """Take at most about a third of a plot of this height; the other rows are scrolled to."""
        self._lines_most = max(2, min(ROWS_SHOWN, height_px // 3 // ROW_HEIGHT - 1))
        self._fit()

    def _fit(self) -> None:
        lines = min(len(self._tag_ids), self._lines_most)
        self.setFixedHeight(self.horizontalHeader().sizeHint().height() + ROW_HEIGHT * lines + 4)

    def _fill(self, number: int, row: LegendRow) -> None:
        texts = {_COLOUR: f"{row.name}▬", _NAME: row.tag.name, _UNIT: row.tag.unit, _REMOVE: "✕"}
        items = [QTableWidgetItem(texts.get(column, "")) for column in range(len(_HEADINGS))]
        items[_COLOUR].setForeground(QColor(row.colour))
        items[_NAME].setToolTip(f"{row.tag.key}\n{row.tag.site} › {row.tag.asset}\nClick: bring to the front")
        items[_REMOVE].setToolTip("Take this pen away")
        font = items[_NAME].font()
        font.setBold(row.is_focused)
        items[_NAME].setFont(font)
        for column in (_NOW, _CURSOR, *range(_FIRST_BETWEEN, _REMOVE)):
            items[column].setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        for column, item in enumerate(items):
            self.setItem(number, column, item)

    def show_now(self, tag_id: int, value: str, quality: str) -> None:
        """Show a pen's present value and its quality in words."""
        self._set(tag_id, _NOW, value)
        self._set(tag_id, _QUALITY, quality)

    def show_at_cursor(self, tag_id: int, value: str) -> None:
        """Show a pen's value at the cursor."""
        self._set(tag_id, _CURSOR, value)

    def show_between(self, is_shown: bool) -> None:
        """Show what lies between two cursors in place of the present, or the other way round."""
        for column in (_NOW, _CURSOR, _QUALITY):
            self.setColumnHidden(column, is_shown)
        for column in range(_FIRST_BETWEEN, _REMOVE):
            self.setColumnHidden(column, not is_shown)

    def show_statistics(self, tag_id: int, cells: Sequence[str], tip: str = "") -> None:
        """Show a pen's statistics between the cursors, a text for each of their columns."""
        for number, text in enumerate(cells):
            self._set(tag_id, _FIRST_BETWEEN + number, text, tip)

    def _set(self, tag_id: int, column: int, text: str, tip: str = "") -> None:
        item = self.item(self._tag_ids.index(tag_id), column)
        if item is not None and item.text() != text:
            item.setText(text)
            item.setToolTip(tip or text)

    def _on_click(self, row: int, column: int) -> None:
        signal = self.removal_wanted if column == _REMOVE else self.focus_wanted
        signal.emit(self._tag_ids[row])
