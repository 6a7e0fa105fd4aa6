"""Rows in an order, of those that a filter wants: what a table shows, or is about to show."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, TypeVar

from sortedcontainers import SortedKeyList

T = TypeVar("T")
SortKey = tuple[Any, ...]
# rows in a piece of the list: shorter ones make more of them, longer ones more to move for each row that comes
_PIECE = 500


class SortedRows(Generic[T]):
    """Finds the place of a row by its number, and takes and loses rows, in the time that a few comparisons need.

    `number` names a row for good; `key` orders, and no two rows may have the same; `accepts` says which rows are in; `kind`
    is what `counts` counts them by. `is_reversed` counts places from the other end.
    """

    def __init__(
        self,
        number: Callable[[T], int],
        key: Callable[[T], SortKey],
        accepts: Callable[[T], bool],
        kind: Callable[[T], Hashable],
        *,
        is_reversed: bool = False,
    ) -> None:
        """Start empty."""
        self.counts: Counter[Any] = Counter()
        self._number = number
        self._key = key
        self._accepts = accepts
        self._kind = kind
        self._is_reversed = is_reversed
        self._rows = SortedKeyList(key=key)
        self._rows._reset(_PIECE)
        self._known: dict[int, T] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, place: int) -> T:
        row: T = self._rows[-1 - place if self._is_reversed else place]
        return row

    def __contains__(self, number: int) -> bool:
        return number in self._known

    def all(self) -> list[T]:
        """Return the rows in their order."""
        return list(reversed(self._rows) if self._is_reversed else self._rows)

    def place_of(self, number: int) -> int | None:
        """Return a row's place, None when it has none."""
        row = self._known.get(number)
        return None if row is None else self._turned(self._rows.bisect_left(row), len(self._rows) - 1)

    def place_for(self, row: T) -> int | None:
        """Return the place that a row would get that is not in yet, None when it is not wanted."""
        return self._turned(self._rows.bisect_left(row), len(self._rows)) if self._accepts(row) else None

    def stays(self, row: T) -> bool:
        """Return whether the row, as it is now, stands where it stood before."""
        before = self._known.get(self._number(row))
        return before is not None and self._key(before) == self._key(row) and self._accepts(row)

    def _turned(self, place: int, last: int) -> int:
        return last - place if self._is_reversed else place

    def change(self, changed: Iterable[T], gone: Iterable[int]) -> None:
        """Take rows as they are now, and lose those with the numbers `gone`."""
        for number in gone:
            self.take_out(number)
        for row in changed:
            self.put(row)

    def put(self, row: T) -> None:
        """Take a row as it is now, or lose it when it is not wanted any more."""
        number = self._number(row)
        self.take_out(number)
        if self._accepts(row):
            self._known[number] = row
            self._rows.add(row)
            self.counts[self._kind(row)] += 1

    def take_out(self, number: int) -> None:
        """Lose a row."""
        row = self._known.pop(number, None)
        if row is not None:
            del self._rows[self._rows.bisect_left(row)]
            self.counts[self._kind(row)] -= 1

    def drop_some(self, count: int) -> bool:
        """Lose so many rows of a list that is thrown away; return whether there are more: to free a great many takes its time."""
        del self._rows[-count:]
        for _ in range(min(count, len(self._known))):
            self._known.popitem()
        return bool(self._rows)
