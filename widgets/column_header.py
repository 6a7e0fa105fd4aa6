"""A header whose columns a person moves, widens, hides and brings back; what they made of it can be kept and used again."""

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QHeaderView, QMenu, QWidget

Arrangement = Mapping[str, Any]
_LEAST_PX, _MOST_PX = 30, 1_200


class ColumnHeader(QHeaderView):
    """`titles` name the columns; those in `fixed` are always shown. Signals arranged(), first_wanted(), list_wanted()."""

    arranged = Signal()
    first_wanted = Signal()
    list_wanted = Signal()

    def __init__(self, titles: Sequence[str], fixed: frozenset[int], parent: QWidget | None = None) -> None:
        """Show every column in its order."""
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._titles = titles
        self._fixed = fixed
        self._before: Arrangement = {}
        self.setSectionsMovable(True)
        self.setSectionsClickable(True)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._open_menu)

    def arrangement(self) -> Arrangement:
        """Return order, widths (px) and hidden columns, by their titles: other columns of a later version do no harm."""
        order = self.in_order()
        shown = [number for number in order if not self.isSectionHidden(number)]
        return {
            "order": [self._titles[number] for number in order],
            "hidden": [self._titles[number] for number in order if self.isSectionHidden(number)],
            "widths": {
                self._titles[number]: self.sectionSize(number)
                for number in shown
                if self.sectionResizeMode(number) is not QHeaderView.ResizeMode.Stretch
            },
        }

    def use(self, arrangement: Arrangement) -> None:
        """Arrange the columns; names and numbers that make no sense are passed over."""
        for place, title in enumerate(title for title in arrangement.get("order", ()) if title in self._titles):
            self.moveSection(self.visualIndex(self._titles.index(title)), place)
        hidden = arrangement.get("hidden", ())
        widths = arrangement.get("widths", {})
        for number, title in enumerate(self._titles):
            self.setSectionHidden(number, title in hidden and number not in self._fixed)
            width = widths.get(title) if isinstance(widths, dict) else None
            if isinstance(width, int) and self.sectionResizeMode(number) is not QHeaderView.ResizeMode.Stretch:
                self.resizeSection(number, min(_MOST_PX, max(_LEAST_PX, width)))

    def order_anew(self) -> None:
        """Put every column back into its first place."""
        for number in range(len(self._titles)):
            self.moveSection(self.visualIndex(number), number)

    def title(self, number: int) -> str:
        """Return a column's title."""
        return self._titles[number]

    def is_fixed(self, number: int) -> bool:
        """Return whether a column is always shown."""
        return number in self._fixed

    def in_order(self) -> list[int]:
        """Return the columns from left to right, hidden ones included."""
        return sorted(range(len(self._titles)), key=self.visualIndex)

    def move_column(self, number: int, step: int) -> None:
        """Move a column by so many places to the right, or to the left."""
        place = self.visualIndex(number)
        self.moveSection(place, max(0, min(len(self._titles) - 1, place + step)))
        self.arranged.emit()

    def menu(self) -> QMenu:
        """Return the menu of columns."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for number, title in enumerate(self._titles):
            action = menu.addAction(title)
            action.setCheckable(True)
            action.setChecked(not self.isSectionHidden(number))
            action.setEnabled(number not in self._fixed)
            action.toggled.connect(lambda is_shown, one=number: self.show_column(one, is_shown))
        menu.addSeparator()
        menu.addAction("Arrange by keys…", self.list_wanted.emit)
        menu.addAction("First columns again", self.first_wanted.emit)
        return menu

    def show_column(self, number: int, is_shown: bool) -> None:
        """Show or hide a column."""
        self.setSectionHidden(number, not is_shown)
        if is_shown and self.sectionSize(number) < _LEAST_PX:
            self.resizeSection(number, self.defaultSectionSize())
        self.arranged.emit()

    def _open_menu(self, at: QPoint) -> None:
        self.menu().popup(self.mapToGlobal(at))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._before = self.arrangement()
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        # a click that sorts arranges nothing
        if self.arrangement() != self._before:
            self.arranged.emit()
