"""Does PySide6 leak, or give back once too often, references to None, True or False? Run as a program; 0 means no.

Where None is mortal (CPython 3.11), each call that gives back one too many brings `Fatal Python error: none_dealloc`
nearer: a room that runs for days would abort. Imports nothing but PySide6, so that any Python can run it with the
packages of another.
"""

import gc
import os
import sys
from collections.abc import Callable

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from PySide6 import __version__
from PySide6.QtCore import (
    QAbstractTableModel,
    QCoreApplication,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QTimer,
    Signal,
)
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QApplication, QTableView, QWidget

CALLS = 1000
# references held in reserve, so that the probe itself outlives what it finds
RESERVE: list[list[object]] = [[None] * 1_000_000, [True] * 1_000_000, [False] * 1_000_000]
Index = QModelIndex | QPersistentModelIndex


class Bell(QObject):
    """Emits."""

    rang = Signal()
    rang_with = Signal(object)


class Picture(QWidget):
    """Paints."""

    painted = 0

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw one letter and count."""
        painter = QPainter(self)
        painter.drawText(3, 9, "x")
        painter.end()
        self.painted += 1


class Table(QAbstractTableModel):
    """Answers a view."""

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        """Return ten rows."""
        return 10

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        """Return four columns."""
        return 4

    def data(self, index: Index, role: int = 0) -> str | None:
        """Return a text to show and None for every other role."""
        return "x" if role == 0 else None


def emit(count: int) -> None:
    """Emit signals to Python functions."""
    bell = Bell()
    bell.rang.connect(lambda: None)
    bell.rang_with.connect(lambda _: None)
    for _ in range(count):
        bell.rang.emit()
        bell.rang_with.emit(None)


def time_out(count: int) -> None:
    """Let single shots and a repeating timer call Python functions."""
    calls: list[int] = []
    timer = QTimer()
    timer.timeout.connect(lambda: calls.append(1))
    timer.start(0)
    for _ in range(count):
        QTimer.singleShot(0, lambda: calls.append(1))
    while len(calls) < 2 * count:
        QCoreApplication.processEvents()
    timer.stop()


def set_enabled(count: int) -> None:
    """Call methods that return nothing, a boolean, and None for an object."""
    widget = QWidget()
    for _ in range(count):
        widget.setEnabled(True)
        widget.isEnabled()
        widget.parentWidget()


def paint(count: int) -> None:
    """Repaint a widget that paints itself."""
    picture = Picture()
    picture.show()
    QCoreApplication.processEvents()
    for _ in range(count):
        picture.repaint()
    assert picture.painted >= count


def tell_models(count: int) -> None:
    """Let a model tell a view of a change, and the view ask."""
    table, view = Table(), QTableView()
    view.setModel(table)
    view.show()
    QCoreApplication.processEvents()
    corner = table.index(0, 0)
    for _ in range(count):
        table.dataChanged.emit(corner, corner, [0])
        view.viewport().repaint()


def drift(call: Callable[[int], None]) -> float:
    """Return the largest change of a reference count per call."""
    call(20)
    gc.collect()
    before = [sys.getrefcount(one) for one in (None, True, False)]
    call(CALLS)
    gc.collect()
    after = [sys.getrefcount(one) for one in (None, True, False)]
    return max((b - a for a, b in zip(before, after, strict=True)), key=abs) / CALLS


def main() -> int:
    """Probe every path; print each that drifts. Returns their number."""
    _app = QApplication([])
    drifts = {call.__name__: drift(call) for call in (emit, time_out, set_enabled, paint, tell_models)}
    leaks = {name: amount for name, amount in drifts.items() if abs(amount) > 0.1}
    for name, amount in leaks.items():
        print(f"{name}: {amount:+.2f} references a call")
    print(f"PySide6 {__version__}, Python {sys.version.split()[0]}: {len(leaks)} of {len(drifts)} paths leak")
    return len(leaks)


if __name__ == "__main__":
    leaks = main()
    sys.stdout.flush()
    # a leaking interpreter aborts when it tidies up, and the answer would be lost
    os._exit(1 if leaks else 0)
