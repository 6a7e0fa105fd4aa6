"""The pens of a trend: what each remembers and how it becomes a line."""

from dataclasses import dataclass, field, replace

import numpy as np

from control_room.core.samples import Sample
from control_room.core.tags import Tag
from control_room.core.trends import Floats, TrendPiece, join, of_samples, reduce

LIVE_SAMPLES = 20_000


class LiveSamples:
    """The newest samples as an array of (time in s since 1970, value or NaN, grade); at most LIVE_SAMPLES."""

    def __init__(self) -> None:
        """Hold none."""
        self._rows = np.empty((64, 3))
        self._first = self._end = 0

    def __len__(self) -> int:
        """Return how many there are."""
        return self._end - self._first

    def add(self, time_s: float, value: float, grade: int) -> None:
        """Add one behind the others; when there are too many the oldest goes."""
        if len(self) == LIVE_SAMPLES:
            self._first += 1
        if self._end == len(self._rows):
            self._make_room()
        self._rows[self._end] = time_s, value, grade
        self._end += 1

    def _make_room(self) -> None:
        kept = self.rows()
        grown = np.empty((2 * len(kept), 3))
        grown[: len(kept)] = kept
        self._rows, self._first, self._end = grown, 0, len(kept)

    def clear(self) -> None:
        """Forget them."""
        self._first = self._end = 0

    def rows(self) -> Floats:
        """Return a view of shape (n, 3), oldest first, to be read before the next sample comes."""
        return self._rows[self._first : self._end]


@dataclass(slots=True)
class Pen:
    """One tag's line: a piece of history and the live samples since the pen was added."""

    tag: Tag
    colour_number: int
    since_s: float
    history: TrendPiece | None = None
    live: LiveSamples = field(default_factory=LiveSamples)
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
        rows = self.live.rows()
        if len(rows) and time_s < rows[-1, 0]:
            return True
        is_full = len(rows) == LIVE_SAMPLES
        if is_full:
            self.since_s = float(rows[1, 0])
        self.live.add(time_s, float("nan") if sample.value is None else sample.value, int(sample.grade))
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
        # a copy: what is drawn is kept for the cursor, while samples go on to come
        table = self.live.rows().copy()
        start_s = float(table[0, 0]) if table.size else end_s
        return of_samples(self.tag.id, start_s, end_s, table[:, 0], table[:, 1], table[:, 2].astype(np.uint8))
