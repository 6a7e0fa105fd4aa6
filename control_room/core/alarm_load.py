"""How many alarms a person is given: the load of the last ten minutes, and whether it is a flood.

ISA-18.2 clause 16 and IEC 62682: more than 10 alarms in 10 minutes begin a flood, fewer than 5 end it. Only what was
announced counts: no acknowledgement, no return, nothing that was set aside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=10)
FLOOD_ABOVE, FLOOD_ENDS_BELOW = 10, 5
# EEMUA 191: about one in ten minutes is very likely acceptable, one in five manageable
ACCEPTABLE, MANAGEABLE = 1, 2


@dataclass(frozen=True, slots=True)
class AlarmLoad:
    """Announced in the last ten minutes; since when it has been a flood (None: it is none), and the flood's most so far."""

    count: int
    flood_since: datetime | None = None
    peak: int = 0


def load(announced: Sequence[tuple[datetime, int]], now: datetime) -> AlarmLoad:
    """Return the load now. `announced`: (time, how many then), ascending; a flood that began before the first is not seen."""
    first, count, peak = 0, 0, 0
    since: datetime | None = None
    for number, (time, many) in enumerate((*announced, (now, 0))):
        # what leaves the window on the way may end a flood before the next alarm comes
        while first < number and announced[first][0] <= time - WINDOW:
            count -= announced[first][1]
            first += 1
            if count < FLOOD_ENDS_BELOW:
                since, peak = None, 0
        count += many
        if since is None and count > FLOOD_ABOVE:
            since = time
        if since is not None:
            peak = max(peak, count)
    return AlarmLoad(count, since, peak)
