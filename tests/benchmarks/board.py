"""The board with 250,000 alarms: how long the GUI thread is kept while it scrolls, sorts, filters and takes changes, beside
Qt's own sorting proxy over the same rows in the same run.

`frame` is the time from one turn of the GUI's event loop to the next, asked for every 5 ms; it holds whatever is painted. While
it sorts, the board goes on to scroll and to take 40 changed alarms four times a second. The proxy sorts by priority in one go,
with nothing else to do.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSortFilterProxyModel, Qt, QTimer
from PySide6.QtWidgets import QApplication, QTableView

from control_room.core.alarms import Alarm, AlarmKind, AlarmRule, Priority
from control_room.core.tags import Quantity, Tag
from control_room.ui.tidiness import set_aside, spare_frames
from tests.benchmarks.frames import FrameClock
from widgets.alarm_model import COLUMNS, MESSAGE, PLACE, RAISED, STATE, SYMBOL, TAG, AlarmFilter, AlarmRow, board_order
from widgets.alarm_table import AlarmTable

ROWS = 250_000
CHANGED, CHANGE_MS, SCROLL_MS = 40, 250, 16
_UP, _DOWN = Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder
_ORDERS = (
    ("place", PLACE, _UP),
    ("tag", TAG, _DOWN),
    ("raised", RAISED, _UP),
    ("state", STATE, _UP),
    ("alarm", MESSAGE, _UP),
    ("priority", SYMBOL, _UP),
)
_NOW = datetime.now(UTC)


def run(seconds: float, rates: list[int] | None) -> list[dict[str, Any]]:
    """Return a row for each thing that a person does, measured by a process of its own."""
    del rates
    command = [sys.executable, "-m", "tests.benchmarks.board", str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2_000:])
    rows: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return rows


def rows_of_alarms(number: int) -> list[AlarmRow]:
    """Return as many alarms, of tags of their own, in 20 municipalities."""
    dice = random.Random(1)
    return [_row(rule_id, dice) for rule_id in range(number)]


def _row(rule_id: int, dice: random.Random) -> AlarmRow:
    site = f"Site {rule_id % 2_000}"
    tag = Tag(rule_id, rule_id % 20, site, "Pump", f"T{rule_id}", f"Tag {rule_id} flow", Quantity.FLOW, 1, "", "L/s")
    rule = AlarmRule(rule_id, rule_id, AlarmKind.H, dice.choice(list(Priority)), 1.5, message=f"Flow {rule_id} high")
    raised = _NOW - timedelta(seconds=dice.uniform(0, 1e6))
    alarm = Alarm(rule_id, dice.random() < 0.5, dice.random() < 0.5, 1, raised, value=1.6)
    return AlarmRow(alarm, rule, tag, f"Town {rule_id % 20}")


class Board:
    """A table that is scrolled and changed without end."""

    def __init__(self, rows: list[AlarmRow]) -> None:
        """Show it full."""
        self.table = AlarmTable(lambda _: None, lambda: _NOW)
        self.table.resize(1_880, 800)
        self.table.show()
        self._rows = rows
        self._dice = random.Random(2)
        self._numbers = count()
        self.table.board.change(rows, [])
        self._changing = QTimer(self.table, interval=CHANGE_MS)
        self._changing.timeout.connect(self._change)
        self._scrolling = QTimer(self.table, interval=SCROLL_MS)
        self._scrolling.timeout.connect(self._scroll)
        self._changing.start()
        self._scrolling.start()

    def _change(self) -> None:
        some = [self._dice.randrange(ROWS) for _ in range(CHANGED)]
        now = datetime.now(UTC)
        for number in some:
            row = self._rows[number]
            alarm = replace(row.alarm, event_id=row.alarm.event_id + 1, raised_time=now, is_acknowledged=False)
            self._rows[number] = replace(row, alarm=alarm)
        self.table.board.change([self._rows[number] for number in dict.fromkeys(some)], [])

    def _scroll(self) -> None:
        bar = self.table.verticalScrollBar()
        # a wheel's notch, and now and then a pull at the bar
        far = next(self._numbers) % 100 == 0
        bar.setValue(self._dice.randrange(bar.maximum()) if far else (bar.value() + 3) % bar.maximum())

    def stop(self) -> None:
        """Rest."""
        self._changing.stop()
        self._scrolling.stop()


def _measured(deed: str, act: Callable[[], None], is_done: Callable[[], bool], seconds: float) -> dict[str, Any]:
    clock = FrameClock()
    began = time.perf_counter()
    QTimer.singleShot(0, act)
    done_s = 0.0
    while time.perf_counter() < began + seconds or not done_s:
        QApplication.processEvents()
        done_s = done_s or (time.perf_counter() - began if len(clock.turns_ms) > 2 and is_done() else 0.0)
        time.sleep(0.0005)
    clock.stop()
    return {"deed": deed, "done_s": done_s, **clock.figures(33)}


class _Plain(QAbstractTableModel):
    """The rows as a proxy sorts them."""

    def __init__(self, rows: list[AlarmRow]) -> None:
        super().__init__()
        self._rows = rows

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[index.column()].text(self._rows[index.row()])
        return board_order(self._rows[index.row()])[index.column()] if role == Qt.ItemDataRole.UserRole else None


def _naive(rows: list[AlarmRow]) -> float:
    """Return for how many milliseconds the proxy keeps the GUI thread as it sorts by priority, and then paints."""
    view, proxy = QTableView(), QSortFilterProxyModel()
    proxy.setSortRole(Qt.ItemDataRole.UserRole)
    proxy.setSourceModel(_Plain(rows))
    view.setModel(proxy)
    view.resize(1_880, 800)
    view.show()
    began = time.thread_time()
    proxy.sort(0)
    QApplication.processEvents()
    return 1_000 * (time.thread_time() - began)


def main(seconds: float) -> None:
    """Measure and print the rows as JSON."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    application = QApplication([])
    rows = rows_of_alarms(ROWS)
    # as the seat does
    spare_frames()
    set_aside()
    board = Board(rows)
    model = board.table.board

    def is_sorted() -> bool:
        return not model.is_sorting

    _measured("warm up", lambda: None, is_sorted, 2.0)
    set_aside()
    found = [_measured("scroll", lambda: None, is_sorted, seconds)]
    for title, column, order in _ORDERS:
        found.append(_measured(f"sort by {title}", partial(model.sort, column, order), is_sorted, 1.0))
    found.append(_measured("filter by words", partial(model.use_filter, AlarmFilter("flow 77")), is_sorted, 1.0))
    found.append(_measured("filter no more", partial(model.use_filter, AlarmFilter()), is_sorted, 1.0))
    board.stop()
    busy_ms = _naive(rows)
    worst = max(row["busy_ms_max"] for row in found)
    found.append({"deed": "Qt's proxy sorts", "busy_ms_max": busy_ms, "ratio_of_our_worst": worst / busy_ms})
    print(json.dumps(found))
    del application


if __name__ == "__main__":
    main(float(sys.argv[1]))
