"""Nuisance alarms: what chatters and what is fleeting, from what the journal says of the last minutes.

Chattering: raised and returned three times or more within a minute. Fleeting: gone in less than ten seconds, with nobody's doing
and no repeat within a minute. Both are screening rules (ISA-18.2 clause 16, reference values of the trade), so that somebody
looks at deadband and delays.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from control_room.core.alarms import Happening


class Nuisance(StrEnum):
    """How an alarm is a nuisance; the value is the word on the board."""

    CHATTERING = "chattering"
    FLEETING = "fleeting"


@dataclass(frozen=True, slots=True)
class Turn:
    """One row of the journal: RAISED, RETURNED, or ACKNOWLEDGED by a person."""

    rule_id: int
    happening: Happening
    time: datetime


@dataclass(frozen=True, slots=True)
class Screen:
    """From where on an alarm is a nuisance."""

    count: int = 3
    window: timedelta = timedelta(seconds=60)
    brief: timedelta = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class _Occurrence:
    """One time that it came and went; `is_handled`: somebody acknowledged it meanwhile."""

    raised: datetime
    returned: datetime
    is_handled: bool


def nuisances(turns: Iterable[Turn], now: datetime, screen: Screen = Screen()) -> dict[int, Nuisance]:
    """Return by rule id what is a nuisance. `turns`: in the order of the journal; what it was before is not known.

    What chatters is not called fleeting as well. Whether a brief one repeats is known only a `window` later.
    """
    by_rule: dict[int, list[Turn]] = {}
    for turn in turns:
        by_rule.setdefault(turn.rule_id, []).append(turn)
    found = {rule_id: _nuisance(of_rule, now, screen) for rule_id, of_rule in by_rule.items()}
    return {rule_id: one for rule_id, one in found.items() if one is not None}


def _nuisance(turns: Sequence[Turn], now: datetime, screen: Screen) -> Nuisance | None:
    gone = list(_occurrences(turns))
    for first, last in zip(gone, gone[screen.count - 1 :], strict=False):
        if last.returned - first.raised <= screen.window:
            return Nuisance.CHATTERING
    raised = [turn.time for turn in turns if turn.happening is Happening.RAISED]
    if any(_is_fleeting(one, raised, now, screen) for one in gone):
        return Nuisance.FLEETING
    return None


def _occurrences(turns: Sequence[Turn]) -> Iterator[_Occurrence]:
    raised: datetime | None = None
    is_handled = False
    for turn in turns:
        if turn.happening is Happening.RAISED:
            raised, is_handled = turn.time, False
        elif turn.happening is Happening.ACKNOWLEDGED:
            is_handled = True
        elif raised is not None:
            yield _Occurrence(raised, turn.time, is_handled)
            raised = None


def _is_fleeting(one: _Occurrence, raised: Sequence[datetime], now: datetime, screen: Screen) -> bool:
    if one.is_handled or one.returned - one.raised >= screen.brief or now - one.returned < screen.window:
        return False
    near = sum(one.raised - screen.window < time < one.returned + screen.window for time in raised)
    return near == 1
