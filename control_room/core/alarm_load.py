"""How many alarms a person is given: the load of the last ten minutes, and whether it is a flood.

ISA-18.2 clause 16 and IEC 62682: more than 10 alarms in 10 minutes begin a flood, fewer than 5 end it. Only what was
announced counts: no acknowledgement, no return, nothing that was set aside.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

WINDOW_S = 600.0
FLOOD_ABOVE, FLOOD_ENDS_BELOW = 10, 5
# EEMUA 191: about one in ten minutes is very likely acceptable, one in five manageable
ACCEPTABLE, MANAGEABLE = 1, 2


@dataclass(frozen=True, slots=True)
class AlarmLoad:
    """Announced in the last ten minutes; since when it has been a flood (None: it is none), and the flood's most so far."""

    count: int
    flood_since: datetime | None = None
    peak: int = 0


def load(times_s: Floats, counts: Ints, now_s: float) -> AlarmLoad:
    """Return the load now: `counts[i]` were announced at `times_s[i]` (seconds since 1970, ascending, none after `now_s`).

    A flood that began before the first is not seen.
    """
    leaves_s = times_s + WINDOW_S
    has_left = leaves_s <= now_s
    # what leaves the window at the moment when another comes leaves first, and may end a flood between two alarms
    moments_s = np.r_[leaves_s[has_left], times_s]
    order = np.argsort(moments_s, kind="stable")
    inside = np.cumsum(np.r_[-counts[has_left], counts][order])
    calm = np.flatnonzero(inside < FLOOD_ENDS_BELOW)
    first = int(calm[-1]) + 1 if calm.size else 0
    above = np.flatnonzero(inside[first:] > FLOOD_ABOVE)
    count = int(inside[-1]) if inside.size else 0
    if not above.size:
        return AlarmLoad(count)
    began = first + int(above[0])
    return AlarmLoad(count, datetime.fromtimestamp(float(moments_s[order][began]), UTC), int(inside[began:].max()))
