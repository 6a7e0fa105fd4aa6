"""Sets of whole numbers that are kept as ranges: which samples of a spool are stored."""

from bisect import bisect_left
from collections.abc import Iterable

# first and last, both in it
Range = tuple[int, int]


class NumberRanges:
    """A set of numbers from 0 on; few ranges, however many numbers."""

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        """Hold all numbers of `ranges`."""
        self._ranges: list[Range] = []
        for first, last in ranges:
            self.add(first, last)

    @property
    def ranges(self) -> tuple[Range, ...]:
        """Return its ranges in order, none touching another."""
        return tuple(self._ranges)

    def add(self, first: int, last: int) -> None:
        """Add the numbers from `first` to `last`."""
        if last < first:
            return
        ranges = self._ranges
        begin = bisect_left(ranges, first - 1, key=lambda one: one[1])
        end = begin
        while end < len(ranges) and ranges[end][0] <= last + 1:
            first, last = min(first, ranges[end][0]), max(last, ranges[end][1])
            end += 1
        ranges[begin:end] = [(first, last)]

    def missing(self, first: int, last: int) -> list[Range]:
        """Return the ranges from `first` to `last` that are not in the set."""
        found = []
        ranges = self._ranges
        for low, high in ranges[bisect_left(ranges, first, key=lambda one: one[1]) :]:
            if low > last:
                break
            if first < low:
                found.append((first, low - 1))
            first = high + 1
        if first <= last:
            found.append((first, last))
        return found

    def count(self, first: int, last: int) -> int:
        """Return how many numbers from `first` to `last` are in the set."""
        return last - first + 1 - sum(high - low + 1 for low, high in self.missing(first, last))
