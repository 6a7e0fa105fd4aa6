"""The pens of a trend: what each remembers and how it becomes a line."""

from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np

from control_room.core.samples import Sample
from control_room.core.tags import Tag
from control_room.core.trends import TrendPiece, join, of_samples, reduce

LIVE_SAMPLES = 20_000


@dataclass(slots=True)
class Pen:
    """One tag's line: a piece of history and the live samples since the pen was added."""

    tag: Tag
    colour_number: int
    since_s: float
    history: TrendPiece | None = None
    live: deque[tuple[float, float, int]] = field(default_factory=lambda: deque(maxlen=LIVE_SAMPLES))
    newest: Sample | None = None
    state: str = ""

    @property
    def is_digital(self) -> bool:
        """Return whether the pen belongs in a lane of its own."""
        return bool(self.tag.states)

    def take(self, sample: Sample) -> bool:
        """Remember a live sample and return whether history should be read again: it is late, or room ran out."""
        time_s = sample.source_time.timestamp()
        self.newest = sample
        if self.live and time_s < self.live[-1][0]:
            return True
        is_full = len(self.live) == self.live.maxlen
        if is_full:
            self.since_s = self.live[1][0]
        self.live.append((time_s, float("nan") if sample.value is None else sample.value, int(sample.grade)))
        return is_full and (self.history is None or self.history.end_s < self.since_s)

    def forget_live(self, since_s: float) -> None:
        """Drop the live samples: what was shown while nothing came in is not what was measured."""
        self.live.clear()
        self.since_s = since_s

    def pieces(self, start_s: float, end_s: float, columns: int) -> list[tuple[TrendPiece, float]]:
        """Return what is known between the times, reduced to `columns`, each with the time until which it holds."""
        live = self._live_piece(end_s)
        past = self.history
        if past is None or past.time_s.size == 0:
            return [(reduce(live, columns), end_s)] if live.time_s.size else []
        if past.end_s < self.since_s:
            # nobody watched between the two: a gap
            found = [(past, past.end_s)]
            return found + ([(live, end_s)] if live.time_s.size and end_s > self.since_s else [])
        joined = replace(join(past, live), start_s=start_s)
        return [(reduce(joined, columns), end_s)]

    def _live_piece(self, end_s: float) -> TrendPiece:
        table = np.array(self.live, dtype=np.float64).reshape(-1, 3)
        start_s = float(table[0, 0]) if table.size else end_s
        return of_samples(self.tag.id, start_s, end_s, table[:, 0], table[:, 1], table[:, 2].astype(np.uint8))
