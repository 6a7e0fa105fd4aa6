"""What a person's board looks like and which views of it they keep, at this seat."""

import json
from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QSettings

_COLUMNS = "board/columns"
_VIEWS = "board/views"
MOST_VIEWS = 50
LONGEST_NAME = 60
Filter = Mapping[str, Any]


class BoardMemory:
    """Columns and named filters in the seat's settings, apart for each person and for a seat where nobody is signed in."""

    def __init__(self, settings: QSettings) -> None:
        """Read nothing yet."""
        self._settings = settings

    def columns(self, login: str) -> Mapping[str, Any]:
        """Return the person's columns as AlarmTable.arrangement() gave them, empty for the first ones."""
        return self._read(_COLUMNS, login)

    def keep_columns(self, login: str, arrangement: Mapping[str, Any]) -> None:
        """Remember the person's columns; an empty arrangement forgets them."""
        self._write(_COLUMNS, login, arrangement)

    def views(self, login: str) -> dict[str, Filter]:
        """Return the person's views by name, in the order of their names."""
        found = {str(name): one for name, one in self._read(_VIEWS, login).items() if isinstance(one, dict)}
        return dict(sorted(found.items(), key=lambda pair: pair[0].lower()))

    def keep_view(self, login: str, name: str, wanted: Filter) -> None:
        """Remember a filter under a name, over one of the same name; beyond MOST_VIEWS the first name of all goes."""
        views = {**self.views(login), name[:LONGEST_NAME]: dict(wanted)}
        while len(views) > MOST_VIEWS:
            del views[next(one for one in views if one != name[:LONGEST_NAME])]
        self._write(_VIEWS, login, views)

    def forget_view(self, login: str, name: str) -> None:
        """Remove a view."""
        self._write(_VIEWS, login, {one: wanted for one, wanted in self.views(login).items() if one != name})

    def _read(self, what: str, login: str) -> dict[str, Any]:
        text = self._settings.value(f"{what}/{login or '-'}", "", str)
        try:
            found = json.loads(str(text)) if text else {}
        except ValueError:
            # a spoiled file costs the arrangement, not the board
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, what: str, login: str, found: Mapping[str, Any]) -> None:
        key = f"{what}/{login or '-'}"
        if found:
            self._settings.setValue(key, json.dumps(found))
        else:
            self._settings.remove(key)
