"""A grid of check boxes: which roles somebody holds where."""

from collections.abc import Callable, Mapping, Sequence, Set

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from control_room.core.access import Membership, Role

Place = tuple[int | None, str]
_PLACE_PX, _ROLE_PX, _ROW_PX, _HEAD_PX = 240, 116, 27, 38
_MOST_ROWS = 12
_CHECKED, _UNCHECKED = Qt.CheckState.Checked, Qt.CheckState.Unchecked


class RoleGrid(QTableWidget):
    """Places down, roles across. What may not be changed is grey, with the reason in its tip."""

    def __init__(
        self,
        parent: QWidget,
        places: Sequence[Place],
        titles: Mapping[Role, str],
        held: frozenset[Membership],
        why_fixed: Callable[[Membership], str],
    ) -> None:
        """Show what is held of the roles in `titles`; `why_fixed` says why one is kept as it is, empty when it is not."""
        super().__init__(len(places), 1 + len(titles), parent)
        self.held = held
        self.boxes: dict[Membership, QTableWidgetItem] = {}
        self.setHorizontalHeaderLabels(["Where", *titles.values()])
        for row, (place, name) in enumerate(places):
            self._fill_row(row, name, [Membership(place, role) for role in titles], why_fixed)
        self._dress()

    def _fill_row(
        self, row: int, name: str, memberships: Sequence[Membership], why_fixed: Callable[[Membership], str]
    ) -> None:
        title = QTableWidgetItem(name)
        title.setFlags(Qt.ItemFlag.ItemIsEnabled)
        title.setToolTip(name)
        self.setItem(row, 0, title)
        for column, membership in enumerate(memberships, 1):
            box = QTableWidgetItem()
            box.setCheckState(_CHECKED if membership in self.held else _UNCHECKED)
            why = why_fixed(membership)
            usable = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsSelectable
            box.setFlags(Qt.ItemFlag.NoItemFlags if why else usable)
            box.setToolTip(why or f"{membership.role.value}: {name}")
            self.setItem(row, column, box)
            self.boxes[membership] = box

    def _dress(self) -> None:
        # Fusion draws the boxes' outline in a shade of this colour: of the ground's own, nobody sees it at night
        palette = self.palette()
        palette.setColor(palette.ColorRole.Window, palette.color(palette.ColorRole.Text))
        self.setPalette(palette)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW_PX)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setAlternatingRowColors(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTabKeyNavigation(False)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in range(1, self.columnCount()):
            self.setColumnWidth(column, _ROLE_PX)
        rows = max(2, min(self.rowCount(), _MOST_ROWS))
        self.setMinimumSize(_PLACE_PX + _ROLE_PX * (self.columnCount() - 1), _ROW_PX * rows + _HEAD_PX)

    def sizeHint(self) -> QSize:
        return self.minimumSize()

    def wanted(self) -> frozenset[Membership]:
        """Return the roles whose boxes are checked."""
        return frozenset(one for one, box in self.boxes.items() if box.checkState() is _CHECKED)

    def changes(self) -> list[tuple[Membership, bool]]:
        """Return what must change, (role, is held): what is given comes first, so that nobody is without a role between."""
        wanted, held = self.wanted(), self.held & self.boxes.keys()
        given, taken = _ordered(wanted - held), _ordered(held - wanted)
        return [*((one, True) for one in given), *((one, False) for one in taken)]

    def note(self, membership: Membership, *, is_held: bool) -> None:
        """Remember that the database has made this change."""
        self.held = self.held | {membership} if is_held else self.held - {membership}


def _ordered(memberships: Set[Membership]) -> list[Membership]:
    return sorted(memberships, key=lambda one: (one.municipality_id or 0, one.role))
