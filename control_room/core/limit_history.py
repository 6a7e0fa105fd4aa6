"""What a limit was at the time: the present one, taken back through the notes of its changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf


@dataclass(frozen=True, slots=True)
class LimitChange:
    """A limit was changed; times are aware UTC."""

    time: datetime
    old: float
    new: float


@dataclass(frozen=True, slots=True)
class LimitStep:
    """A limit that held from `start_s` to `end_s` (since 1970, UTC; infinite at both ends of what is known)."""

    start_s: float
    end_s: float
    limit: float


@dataclass(frozen=True, slots=True)
class SeenLimit:
    """What the journal says that the limit was as an alarm came."""

    time_s: float
    limit: float


def limit_steps(present: float, changes: Sequence[LimitChange], seen: SeenLimit | None = None) -> list[LimitStep]:
    """Return the limit over all time, in order. `changes` are in any order.

    Where a note is missing, as of changes from before they were kept, what the journal saw counts for its stretch.
    """
    steps: list[LimitStep] = []
    end_s, limit = inf, present
    for one in sorted(changes, key=lambda one: one.time, reverse=True):
        begin_s = one.time.timestamp()
        steps.insert(0, _step(begin_s, end_s, limit, seen))
        end_s, limit = begin_s, one.old
    steps.insert(0, _step(-inf, end_s, limit, seen))
    return steps


def _step(start_s: float, end_s: float, limit: float, seen: SeenLimit | None) -> LimitStep:
    is_seen = seen is not None and start_s <= seen.time_s < end_s
    return LimitStep(start_s, end_s, seen.limit if seen is not None and is_seen else limit)
