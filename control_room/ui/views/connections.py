"""The connections: every link to the plant with its state, freshness and counters."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QHeaderView, QTableView, QVBoxLayout, QWidget

from control_room.core.status import LinkStatus
from control_room.core.tags import Connection
from control_room.ui.console import Console
from control_room.ui.room import Room
from control_room.ui.view_spec import Place, ViewSpec
from control_room.ui.words import LINK_LIGHTS, LINK_WORDS, age, connection_name, driver_name, local, municipality_name
from widgets.palette import Palette
from widgets.status_lights import Light, light_pixmap

Index = QModelIndex | QPersistentModelIndex
Cell = Callable[[LinkStatus, datetime], str]
_STATUS: tuple[tuple[str, Cell, bool], ...] = (
    ("Since", lambda link, _: local(link.since), False),
    ("Last good", lambda link, now: age(now, link.last_good_time), True),
    ("Values/s", lambda link, _: f"{link.values_per_s:,.1f}", True),
    ("Lag", lambda link, _: "–" if link.lag_ms is None else f"{link.lag_ms:,.0f} ms", True),
    ("Received", lambda link, _: f"{link.received:,}", True),
    ("Lost", lambda link, _: f"{link.dropped:,}", True),
    ("Reason", lambda link, _: link.reason, False),
)
_FIRST = ("State", "Municipality", "Connection", "Protocol")
_ROLE = Qt.ItemDataRole


class ConnectionModel(QAbstractTableModel):
    """The room's connections with their newest status; a state that is not reported any more is unknown."""

    def __init__(self, room: Room, palette: Palette, parent: QWidget) -> None:
        """Follow the room."""
        super().__init__(parent)
        self._room = room
        self._rows: list[Connection] = []
        self.use(palette)
        room.configuration_changed.connect(self._reset)
        self._reset()

    def use(self, palette: Palette) -> None:
        """Draw the lamps in the palette's colours."""
        self._lamps = {light: light_pixmap(light, palette) for light in Light}
        self.refresh()

    def refresh(self) -> None:
        """Show the newest statuses and ages."""
        if self._rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._rows) - 1, self.columnCount() - 1))

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(_FIRST) + len(_STATUS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = _ROLE.DisplayRole) -> Any:
        if orientation is Qt.Orientation.Horizontal and role == _ROLE.TextAlignmentRole:
            return _alignment(section)
        if orientation is not Qt.Orientation.Horizontal or role != _ROLE.DisplayRole:
            return None
        return (*_FIRST, *(name for name, _, _ in _STATUS))[section]

    def data(self, index: Index, role: int = _ROLE.DisplayRole) -> Any:
        if not index.isValid():
            return None
        connection = self._rows[index.row()]
        status = None if self._room.trouble else self._room.links.get(connection.id)
        if role == _ROLE.DisplayRole:
            return self._text(connection, status, index.column())
        if role == _ROLE.DecorationRole and index.column() == 0:
            return self._lamps[LINK_LIGHTS[status.state] if status else Light.WAITING]
        if role == _ROLE.TextAlignmentRole:
            return _alignment(index.column())
        if role == _ROLE.ToolTipRole and status:
            return status.reason
        return None

    def _text(self, connection: Connection, status: LinkStatus | None, column: int) -> str:
        first = (
            LINK_WORDS[status.state] if status else "unknown",
            municipality_name(self._room, connection.municipality_id),
            connection_name(connection),
            driver_name(connection),
        )
        if column < len(first):
            return first[column]
        if status is None:
            is_reason = column == self.columnCount() - 1
            return self._room.trouble.words if is_reason and self._room.trouble else "–"
        return _STATUS[column - len(first)][1](status, self._room.now())

    def _reset(self) -> None:
        self.beginResetModel()
        self._rows = sorted(
            self._room.connections.values(),
            key=lambda one: (municipality_name(self._room, one.municipality_id), one.name),
        )
        self.endResetModel()


def _alignment(column: int) -> Qt.AlignmentFlag:
    is_number = column >= len(_FIRST) and _STATUS[column - len(_FIRST)][2]
    return Qt.AlignmentFlag.AlignVCenter | (Qt.AlignmentFlag.AlignRight if is_number else Qt.AlignmentFlag.AlignLeft)


class ConnectionsView(QWidget):
    """A table of all links."""

    def __init__(self, console: Console) -> None:
        """Follow the room's status."""
        super().__init__()
        self.model = ConnectionModel(console.room, console.theme.palette, self)
        self.table = QTableView(self)
        self.table.setModel(self.model)
        self.table.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.table.setShowGrid(False)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(27)
        self.table.setWordWrap(False)
        header = self.table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setStretchLastSection(True)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        for column, width in enumerate((120, 210, 100, 80, 158, 84, 84, 84, 96, 64)):
            self.table.setColumnWidth(column, width)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.table)
        console.room.status_changed.connect(self.model.refresh)
        console.theme.changed.connect(self.model.use)


SPEC = ViewSpec("connections", "Connections", "connections", "Ctrl+5", Place.BOTTOM, ConnectionsView)
