"""The past as a plot wishes it, read off the GUI thread."""

from datetime import UTC, datetime
from functools import partial

from control_room.core.errors import ControlRoomError
from control_room.core.trend_statistics import Statistics
from control_room.ui.operations import Operations
from db.history import read_history, read_statistics
from widgets.trend_plot import TrendPlot


class HistoryReads:
    """Reads the past for one plot: one read a line at a time, and of what was wished meanwhile only the last."""

    def __init__(self, plot: TrendPlot, operations: Operations) -> None:
        """Answer the plot's wishes."""
        self._plot = plot
        self._operations = operations
        self._next: dict[int, tuple[float, float, int]] = {}
        self._reading: set[int] = set()
        self._is_closed = False
        self._next_between: dict[int, tuple[float, float]] = {}
        self._reading_between: set[int] = set()
        plot.history_wanted.connect(self.want)
        plot.statistics_wanted.connect(self.want_statistics)

    def want(self, tag_id: int, start_s: float, end_s: float, columns: int) -> None:
        """Read this stretch, now or after the read that runs."""
        self._next[tag_id] = (start_s, end_s, columns)
        if tag_id not in self._reading:
            self._reading.add(tag_id)
            self._operations.start(self._read(tag_id))

    def want_statistics(self, tag_id: int, start_s: float, end_s: float) -> None:
        """Reckon what lies between two moments, now or after the reckoning that runs."""
        self._next_between[tag_id] = (start_s, end_s)
        if tag_id not in self._reading_between:
            self._reading_between.add(tag_id)
            self._operations.start(self._reckon(tag_id))

    def close(self) -> None:
        """Forget all wishes: the plot goes away."""
        self._is_closed = True
        self._next.clear()
        self._next_between.clear()

    async def _reckon(self, tag_id: int) -> None:
        try:
            while wish := self._next_between.pop(tag_id, None):
                found = await self._reckon_once(tag_id, *wish)
                # an answer to an older wish would be taken for the newer one's
                if not self._is_closed and tag_id not in self._next_between:
                    self._plot.show_statistics(tag_id, found)
        finally:
            self._reading_between.discard(tag_id)

    async def _reckon_once(self, tag_id: int, start_s: float, end_s: float) -> Statistics | None:
        start, end = datetime.fromtimestamp(start_s, UTC), datetime.fromtimestamp(end_s, UTC)
        try:
            return await self._operations.read(partial(read_statistics, tag_id=tag_id, start=start, end=end))
        except ControlRoomError:
            return None

    async def _read(self, tag_id: int) -> None:
        try:
            if not self._is_closed:
                self._plot.show_loading(tag_id)
            while wish := self._next.pop(tag_id, None):
                await self._read_once(tag_id, *wish)
        finally:
            self._reading.discard(tag_id)

    async def _read_once(self, tag_id: int, start_s: float, end_s: float, columns: int) -> None:
        start, end = datetime.fromtimestamp(start_s, UTC), datetime.fromtimestamp(end_s, UTC)
        job = partial(read_history, tag_id=tag_id, start=start, end=end, columns=columns)
        try:
            piece = await self._operations.read(job)
        except ControlRoomError as fault:
            if not self._is_closed:
                self._plot.show_failure(tag_id, str(fault))
            return
        if not self._is_closed:
            self._plot.show_history(piece)
