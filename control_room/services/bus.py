"""The bus: every sample passes here once; it remembers the newest of each tag and hands all on in order."""

from collections.abc import Callable, Sequence

from control_room.core.samples import Sample

Taker = Callable[[Sequence[Sample]], None]


class Bus:
    """Hands samples to its takers in the order of their arrival; lives on one loop."""

    def __init__(self, takers: Sequence[Taker]) -> None:
        """Hand every sample to each of `takers`, which must return at once and raise nothing."""
        self._takers = tuple(takers)
        self.newest: dict[int, Sample] = {}
        self.received = 0

    def publish(self, samples: Sequence[Sample]) -> None:
        """Remember the newest sample of each tag and hand all on; late samples are passed on but do not become newest."""
        self.received += len(samples)
        newest = self.newest
        for sample in samples:
            known = newest.get(sample.tag_id)
            if known is None or sample.source_time >= known.source_time:
                newest[sample.tag_id] = sample
        for take in self._takers:
            take(samples)
