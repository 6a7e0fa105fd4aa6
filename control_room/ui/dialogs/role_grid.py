"""A grid of check boxes: which roles somebody holds where."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from control_room.core.access import Membership, Role

Place = tuple[int | None, str]
_PLACE_PX, _ROLE_PX, _ROW_PX = 260, 102, 27
_MOST_ROWS = 12
_CHECKED, _UNCHECKED = Qt.CheckState.Checked, Qt.CheckState.Unchecked


class RoleGrid(QTableWidget):
    """Places down, roles across. What may not be changed is grey, with the reason in its tip."""

    def __init__(
        self,
        parent: QWidget,
        places: Sequence[Place],
        roles: Sequence[Role],
        held: frozenset[Membership],
        why_fixed: Callable[[Membership], str],
    ) -> None:
        """Show what is held; `why_fixed` says why a role may not be given or taken there, empty when it may."""
        super().__init__(len(places), 1 + len(roles), parent)
        self.held = held
        self._memberships = [[Membership(place, role) for role in roles] for place, _ in places]
        self.setHorizontalHeaderLabels(["Where", *(role.value.capitalize() for role in roles)])
        for row, (_, name) in enumerate(places):
            self._fill_row(row, name, why_fixed)
        self._dress()

    def _fill_row(self, row: int, name: str, why_fixed: Callable[[Membership], str]) -> None:
        title = QTableWidgetItem(name)
        title.setFlags(Qt.ItemFlag.ItemIsEnabled)
        title.setToolTip(name)
        self.setItem(row, 0, title)
        for column, membership in enumerate(self._memberships[row], 1):
            box = QTableWidgetItem()
            box.setCheckState(_CHECKED if membership in self.held else _UNCHECKED)
            why = why_fixed(membership)
            usable = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsSelectable
            box.setFlags(Qt.ItemFlag.NoItemFlags if why else usable)
            box.setToolTip(why or f"{membership.role.value}: {name}")
            self.setItem(row, column, box)

    def _dress(self) -> None:
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
        self.setMinimumSize(_PLACE_PX + _ROLE_PX * (self.columnCount() - 1), _ROW_PX * (rows + 1) + 4)

    def sizeHint(self) -> QSize:
        return self.minimumSize()

    def wanted(self) -> frozenset[Membership]:
        """Return the roles whose boxes are checked."""
        return frozenset(
            membership
            for row, memberships in enumerate(self._memberships)
            for column, membership in enumerate(memberships, 1)
            if self.item(row, column).checkState() is _CHECKED
        )

    def changes(self) -> list[tuple[Membership, bool]]:
        """Return what must change, (role, is held): what is given comes first, so that nobody is without a role between."""
        known = {one for memberships in self._memberships for one in memberships}
        wanted, held = self.wanted(), self.held & known
        given, taken = _ordered(wanted - held), _ordered(held - wanted)
        return [*((one, True) for one in given), *((one, False) for one in taken)]

    def note(self, membership: Membership, *, is_held: bool) -> None:
        """Remember that the database has made this change."""
        self.held = self.held | {membership} if is_held else self.held - {membership}


def _ordered(memberships: frozenset[Membership]) -> list[Membership]:
    return sorted(memberships, key=lambda one: (one.municipality_id or 0, one.role))
