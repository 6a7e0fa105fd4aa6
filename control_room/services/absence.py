"""That no collector was there: the next one says it, with the times at which it was so.

Nobody can tell of it while it lasts but the seats, which see that no beat comes. What stands in the journal is written by the
collector that takes over, as raised and returned in one step: it is announced as what has been, not as a new alarm of the plant.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from control_room.core.ports import Item
from control_room.core.samples import GOOD, Sample
from control_room.core.system_tags import ABSENCE, ABSENT_AFTER_S


class Gap:
    """The time between the last beat of the collector before and the beginning of this one."""

    def __init__(self) -> None:
        """Know of none."""
        self._last_beat: datetime | None = None
        self._told: set[int] = set()

    def found(self, last_beat: datetime | None) -> None:
        """Take over when the last beat was; None: there never was one."""
        self._last_beat = last_beat

    def samples(self, items: Sequence[Item], now: datetime) -> list[Sample]:
        """Return what history and alarms shall know of it, once for each tag; nothing where it was too short to matter."""
        new = [one.tag_id for one in items if one.address == ABSENCE and one.tag_id not in self._told]
        self._told.update(new)
        if self._last_beat is None or (gap := now - self._last_beat) <= timedelta(seconds=ABSENT_AFTER_S):
            return []
        begun = self._last_beat + timedelta(seconds=ABSENT_AFTER_S)
        lasting_s = float(int(gap.total_seconds()))
        went = [Sample(tag_id, lasting_s, GOOD, begun, now) for tag_id in new]
        return [*went, *(Sample(tag_id, 0.0, GOOD, now, now) for tag_id in new)]
