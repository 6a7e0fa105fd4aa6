"""First-out groups: of alarms that trip one machine the first to come is marked, until all of the group are normal.

By source time: one that is told later but was measured earlier takes the mark over. What is set aside does not count: it
neither holds the group nor is its first. The database marks alarms as they come; from the journal alone follows the same.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from control_room.core.alarms import SUPPRESSED, Alarm, AlarmState, Happening, JournalEntry


@dataclass(frozen=True, slots=True)
class FirstOut:
    """Which rule's alarm came first, and when it was measured."""

    rule_id: int
    time: datetime


def first_out(members: Collection[int], entries: Iterable[JournalEntry]) -> FirstOut | None:
    """Return the first-out of the rules `members` after the journal's `entries` in their order; None: all are normal.

    An alarm that comes again while others of the group stand does not change it (ISA-18.2: the mark stands until reset).
    """
    first: FirstOut | None = None
    abnormal: set[int] = set()
    raised: dict[int, datetime] = {}
    for entry in entries:
        rule_id = entry.rule_id
        if rule_id not in members:
            continue
        if entry.happening in (Happening.RAISED, Happening.CORRECTED):
            raised[rule_id] = entry.time
        if not is_abnormal(entry.state):
            abnormal.discard(rule_id)
            continue
        if rule_id not in abnormal:
            came = FirstOut(rule_id, raised[rule_id])
            first = came if first is None or not abnormal or came.time < first.time else first
        elif entry.happening is Happening.CORRECTED and first is not None:
            # it began earlier: then it may have been the first after all
            came = FirstOut(rule_id, entry.time)
            first = came if came.time < first.time or abnormal == {rule_id} else first
        abnormal.add(rule_id)
    return first if abnormal else None


def with_marks(before: Alarm, after: Alarm, others: Iterable[Alarm]) -> list[Alarm]:
    """Return the alarm after a step, marked if it is the first of its group, and of `others` those that lose the mark by it.

    The same as the database's mark_first_out().
    """
    is_new = not is_abnormal(before.state) or before.raised_time != after.raised_time
    if after.raised_time is None or not is_new or not is_abnormal(after.state):
        return [after]
    others = list(others)
    times = [one.first_out_time for one in (*others, after) if one.first_out_time is not None]
    # what stood before its rule was put into the group has no mark, and came first all the same
    is_later = not times or min(times) <= after.raised_time
    if is_later and any(is_abnormal(one.state) for one in others):
        return [after]
    unmarked = [replace(one, first_out_time=None) for one in others if one.first_out_time is not None]
    return [replace(after, first_out_time=after.raised_time), *unmarked]


def is_abnormal(state: AlarmState) -> bool:
    """Return whether an alarm in this state keeps its group from being normal."""
    return state is not AlarmState.NORMAL and state not in SUPPRESSED
