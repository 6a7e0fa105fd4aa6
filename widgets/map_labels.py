"""Room for the map's labels: which part of the screen is taken, and where beside a symbol is some left."""

from collections import defaultdict
from collections.abc import Iterator

from PySide6.QtCore import QPointF, QRectF

CELL_PX = 72


class TakenRoom:
    """Boxes that nothing else may cover, kept by the cells of a grid so that a thousand labels find room quickly."""

    def __init__(self, view: QRectF) -> None:
        """Start empty; labels have to lie in `view`."""
        self._view = view
        self._cells: defaultdict[tuple[int, int], list[QRectF]] = defaultdict(list)

    def take(self, box: QRectF) -> None:
        """Let nothing else be put here."""
        for cell in _cells(box):
            self._cells[cell].append(box)

    def is_free(self, box: QRectF) -> bool:
        """Return whether nothing has been put here."""
        return not any(box.intersects(other) for cell in _cells(box) for other in self._cells.get(cell, ()))

    def beside(self, at: QPointF, size: float, width: float, height: float, along: QPointF) -> QRectF | None:
        """Return room for a label beside a symbol, None when every side is taken; off the line that runs `along`."""
        gap = size / 2 + 3
        sides = [(gap, -height / 2), (-gap - width, -height / 2), (-width / 2, gap), (-width / 2, -gap - height)]
        if abs(along.x()) > abs(along.y()):
            sides = sides[2:] + sides[:2]
        boxes = (QRectF(at.x() + x, at.y() + y, width, height) for x, y in sides)
        return next((box for box in boxes if self._view.contains(box) and self.is_free(box)), None)


def _cells(box: QRectF) -> Iterator[tuple[int, int]]:
    for column in range(int(box.left() // CELL_PX), int(box.right() // CELL_PX) + 1):
        for row in range(int(box.top() // CELL_PX), int(box.bottom() // CELL_PX) + 1):
            yield column, row
