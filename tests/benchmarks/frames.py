"""A clock of the GUI's event loop: how long each of its turns takes is what a person feels as a stutter.

Beside the time of the wall stands that of the processor which the GUI thread used in the turn, and `held`: the wall's without the
time in which the thread was ready and other processes had the cores. On a machine that others use as well, they tell what of the
stutter is the program's: its own work, and what it waited for in its own process.
"""

import time
from array import array
from pathlib import Path

from PySide6.QtCore import QObject, QTimer

TURN_MS = 5


class FrameClock(QObject):
    """Notes how long each turn of the event loop lets a timer of 5 ms wait."""

    def __init__(self) -> None:
        """Begin to note."""
        super().__init__()
        self.turns_ms = array("f")
        self.busy_ms = array("f")
        self.held_ms = array("f")
        self._last, self._last_busy, self._last_ready = time.perf_counter(), time.thread_time(), _ready_s()
        self._timer = QTimer(self, interval=TURN_MS)
        self._timer.timeout.connect(self._turn)
        self._timer.start()

    def _turn(self) -> None:
        now, busy, ready = time.perf_counter(), time.thread_time(), _ready_s()
        self.turns_ms.append((now - self._last) * 1_000)
        self.busy_ms.append((busy - self._last_busy) * 1_000)
        self.held_ms.append((now - self._last - (ready - self._last_ready)) * 1_000)
        self._last, self._last_busy, self._last_ready = now, busy, ready

    def begin_again(self) -> None:
        """Forget what was noted."""
        del self.turns_ms[:]
        del self.busy_ms[:]
        del self.held_ms[:]

    def figures(self, most_ms: float) -> dict[str, float]:
        """Return percentiles of these times, and how many turns took longer than `most_ms`."""
        found: dict[str, float] = {"frames": len(self.turns_ms)}
        for name, noted in (("frame", self.turns_ms), ("held", self.held_ms), ("busy", self.busy_ms)):
            turns = sorted(noted)
            found[f"{name}_ms_p99"] = turns[int(0.99 * len(turns))]
            found[f"{name}_ms_max"] = turns[-1]
            found[f"{name}s_over_{most_ms:g}_ms"] = sum(turn > most_ms for turn in turns)
        return found

    def stop(self) -> None:
        """Note no more."""
        self._timer.stop()


def _ready_s() -> float:
    """Return how long this thread has been ready without a core, in seconds; 0 where the system does not tell (all but Linux)."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0
