"""The wire clock: how long a value takes from the collector's wire to a painted picture, measured where it is seen."""

from array import array
from collections.abc import Iterable
from datetime import datetime

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtWidgets import QWidget

from control_room.core.samples import Grade, Sample
from control_room.ui.room import Room

# enough for a quarter of an hour of 1,000 values/s; afterwards every second one is forgotten
LIMIT = 1_000_000


class WireClock(QObject):
    """Notes, for every trusted sample, the time from its arrival to the next painting of a widget that shows values.

    Samples that had arrived before the clock began are not counted: they are told when a view opens, not when measured.
    """

    # the first sample since the clock began was painted
    measured = Signal()

    def __init__(self, room: Room, widgets: Iterable[QWidget], parent: QObject | None = None) -> None:
        """Begin now; `widgets` are those whose painting counts."""
        super().__init__(parent)
        self._room = room
        self._began = room.now()
        self._waiting: list[datetime] = []
        self._delays_ms = array("f")
        room.samples_changed.connect(self._take)
        for widget in widgets:
            widget.installEventFilter(self)

    def begin_again(self) -> None:
        """Forget what was measured."""
        self._began = self._room.now()
        self._waiting.clear()
        del self._delays_ms[:]

    def percentile_ms(self, share: float) -> float | None:
        """Return the delay in ms that `share` (0 to 1) of the samples did not exceed, None without samples."""
        ordered = sorted(self._delays_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None

    @property
    def count(self) -> int:
        """Return how many samples were measured."""
        return len(self._delays_ms)

    def _take(self, samples: list[Sample]) -> None:
        began = self._began
        self._waiting += [one.arrival_time for one in samples if one.grade < Grade.STALE and one.arrival_time > began]

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Note a painting."""
        if event.type() == QEvent.Type.Paint and self._waiting:
            now = self._room.now()
            if not self._delays_ms:
                self.measured.emit()
            self._delays_ms.extend((now - arrival).total_seconds() * 1_000 for arrival in self._waiting)
            self._waiting.clear()
            if len(self._delays_ms) > LIMIT:
                self._delays_ms = self._delays_ms[::2]
        return False
