"""The alarm figures of now, area by area: from the last day's events and the alarms that are not normal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from control_room.core.alarm_kpis import DAY_S, STALE_S, Deed, Events, Floats, Ints, Kpis, Standing, kpis
from control_room.core.alarm_load import AlarmLoad, load
from control_room.core.alarms import Alarm, AlarmState

# a flood that began earlier than this is not seen as one that goes on
LOAD_S = 7_200.0
# a municipality and one of its sites; no site: all of it; 0: everything that is seen
Area = tuple[int, str]
EVERYTHING: Area = (0, "")
_STATES = tuple(AlarmState)
# in the order in which AreaNow has them
_ASIDE = (AlarmState.SHELVED, AlarmState.SUPPRESSED_BY_DESIGN, AlarmState.OUT_OF_SERVICE)


@dataclass(frozen=True, slots=True)
class AreaNow:
    """What an area is like now."""

    area: Area
    load: AlarmLoad
    standing: int
    stale: int
    shelved: int
    suppressed: int
    out_of_service: int


@dataclass(frozen=True, slots=True)
class Places:
    """Where rules belong: their ids, ascending, and for each the number of its site in `sites`."""

    rule: Ints
    site: Ints
    sites: tuple[Area, ...]

    def of(self, rules: Ints) -> Ints:
        """Return the number of each rule's site; of a rule that nobody knows the number after the last."""
        if not self.rule.size:
            return np.zeros(rules.size, np.int64)
        place = np.minimum(np.searchsorted(self.rule, rules), self.rule.size - 1)
        return np.where(self.rule[place] == rules, self.site[place], len(self.sites))

    def within(self, area: Area) -> npt.NDArray[np.bool_]:
        """Return for every number that of() returns whether it lies in the area; the unknown lies in everything alone."""
        return np.array([_is_in(site, area) for site in self.sites] + [area == EVERYTHING])

    def areas(self) -> list[Area]:
        """Return everything first, then each municipality, followed by its sites."""
        return sorted({EVERYTHING} | {(town, "") for town, _ in self.sites} | set(self.sites))


def places_of(areas: Mapping[int, Area]) -> Places:
    """Return the places of rules, by their ids."""
    sites = tuple(sorted(set(areas.values())))
    numbers = {site: number for number, site in enumerate(sites)}
    rules = np.array(sorted(areas), np.int64)
    return Places(rules, np.array([numbers[areas[rule]] for rule in rules.tolist()], np.int64), sites)


@dataclass(frozen=True, slots=True)
class Picture:
    """What was read at `now_s` (seconds since 1970): a day's events, the alarms in columns, and where their rules belong.

    `since_s`: since when an alarm stands, NaN for one that does not. `states`: a number of _STATES.
    """

    now_s: float
    events: Events
    places: Places
    rule: Ints
    since_s: Floats
    states: Ints

    def overview(self) -> list[AreaNow]:
        """Return everything first, then each municipality, followed by its sites."""
        told = self.events.of_time(self.now_s - LOAD_S, np.inf)
        is_told = told.where(Deed.ANNOUNCED)
        times_s, sites = told.time_s[is_told], self.places.of(told.rule[is_told])
        here = self.places.of(self.rule)
        found = []
        for area in self.places.areas():
            is_in = self.places.within(area)
            found.append(self._now(area, times_s[is_in[sites]], is_in[here]))
        return found

    def _now(self, area: Area, times_s: Floats, is_here: npt.NDArray[np.bool_]) -> AreaNow:
        since_s, states = self.since_s[is_here], self.states[is_here]
        return AreaNow(
            area,
            load(times_s, np.ones(times_s.size, np.int64), self.now_s),
            int((~np.isnan(since_s)).sum()),
            int((self.now_s - since_s > STALE_S).sum()),
            *(int((states == _STATES.index(one)).sum()) for one in _ASIDE),
        )

    def figures(self, area: Area) -> Kpis:
        """Return the figures of an area's last day; what stands and is set aside is that of now."""
        is_in = self.places.within(area)
        events = self.events if area == EVERYTHING else self.events.of(self.places.rule[is_in[self.places.site]])
        is_here = is_in[self.places.of(self.rule)]
        stands = is_here & ~np.isnan(self.since_s)
        standing = [
            Standing(*one) for one in zip(self.rule[stands].tolist(), self.since_s[stands].tolist(), strict=True)
        ]
        aside = [_STATES[one] for one in self.states[is_here].tolist() if _STATES[one] in _ASIDE]
        return kpis(events, self.now_s - DAY_S, self.now_s, standing, aside)


def picture(now_s: float, events: Events, alarms: Sequence[Alarm], places: Places) -> Picture:
    """Return what is known at `now_s` (seconds since 1970): a day's events, and the alarms that are not normal."""
    numbers = {one: number for number, one in enumerate(_STATES)}
    return Picture(
        now_s,
        events,
        places,
        np.array([one.rule_id for one in alarms], np.int64),
        np.array([_since_s(one) for one in alarms], np.float64),
        np.array([numbers[one.state] for one in alarms], np.int64),
    )


def _since_s(alarm: Alarm) -> float:
    stands = alarm.is_active and not alarm.is_suppressed
    return alarm.raised_time.timestamp() if stands and alarm.raised_time is not None else np.nan


def _is_in(place: Area, area: Area) -> bool:
    return area == EVERYTHING or (place[0] == area[0] and area[1] in ("", place[1]))
