"""The axis of a unit in a trend, and the range of values that it shows."""

from collections.abc import Sequence

import pyqtgraph as pg

# a new range is chosen when the data need more, or less than this share of the present one
_SHRINK = 0.55


class UnitAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph comes without types
    """The axis of one unit; silent in the lanes below its zero."""

    def __init__(self) -> None:
        super().__init__("left")
        self.bottom = 0.0
        self.setWidth(62)
        self.enableAutoSIPrefix(False)

    def show_range(self, bottom: float, low: float, high: float, unit: str) -> None:
        """Show a range; what is shown already is not drawn anew."""
        self.bottom = bottom
        if self.range != [low, high]:
            self.setRange(low, high)
        if self.labelText != unit:
            self.setLabel(unit)

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        """Leave out the values of the lanes."""
        texts: list[str] = super().tickStrings(values, scale, spacing)
        return ["" if value < self.bottom else text for value, text in zip(values, texts, strict=True)]


def calm_range(present: tuple[float, float] | None, low: float, high: float) -> tuple[float, float]:
    """Return a range for the values with a margin; the present one stays while it still fits."""
    if present is not None:
        is_inside = present[0] <= low and high <= present[1]
        is_used = high - low >= _SHRINK * (present[1] - present[0]) * 0.5
        if is_inside and is_used:
            return present
    margin = max((high - low) * 0.12, abs(high) * 0.002, 1e-6)
    return low - margin, high + margin
