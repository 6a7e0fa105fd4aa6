"""The alarm figures of now, area by area: from the last day's events and the alarms that are not normal."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from control_room.core.alarm_kpis import DAY_S, STALE_S, Deed, Events, Ints, Kpis, Standing, kpis
from control_room.core.alarm_load import AlarmLoad, load
from control_room.core.alarms import Alarm, AlarmState

# a flood that began earlier than this is not seen as one that goes on
LOAD_S = 7_200.0
# a municipality and one of its sites; no site: all of it; 0: everything that is seen
Area = tuple[int, str]
EVERYTHING: Area = (0, "")


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
class Picture:
    """What was read at `now_s` (seconds since 1970): a day's events, the alarms, and the areas of every rule."""

    now_s: float
    events: Events
    alarms: Sequence[Alarm]
    areas: Mapping[int, Area]

    def rules_of(self, area: Area) -> Ints:
        """Return the rules of an area."""
        return np.array([rule for rule, place in self.areas.items() if _is_in(place, area)], np.int64)

    def overview(self) -> list[AreaNow]:
        """Return everything first, then each municipality, followed by its sites."""
        told = self.events.of_time(self.now_s - LOAD_S, np.inf)
        is_told = told.where(Deed.ANNOUNCED)
        times: dict[Area, list[float]] = {}
        for time_s, rule in zip(told.time_s[is_told].tolist(), told.rule[is_told].tolist(), strict=True):
            for area in _around(self.areas.get(rule)):
                times.setdefault(area, []).append(time_s)
        alarms: dict[Area, list[Alarm]] = {}
        for alarm in self.alarms:
            for area in _around(self.areas.get(alarm.rule_id)):
                alarms.setdefault(area, []).append(alarm)
        places = {area for place in set(self.areas.values()) for area in _around(place)} | {EVERYTHING}
        return [self._now(area, times.get(area, ()), alarms.get(area, ())) for area in sorted(places)]

    def _now(self, area: Area, times: Sequence[float], alarms: Sequence[Alarm]) -> AreaNow:
        states = [one.state for one in alarms]
        standing = _standing(alarms)
        return AreaNow(
            area,
            self._load(times),
            len(standing),
            sum(self.now_s - one.since_s > STALE_S for one in standing),
            states.count(AlarmState.SHELVED),
            states.count(AlarmState.SUPPRESSED_BY_DESIGN),
            states.count(AlarmState.OUT_OF_SERVICE),
        )

    def _load(self, times: Sequence[float]) -> AlarmLoad:
        now = datetime.fromtimestamp(self.now_s, UTC)
        return load([(datetime.fromtimestamp(one, UTC), 1) for one in times], now)

    def figures(self, area: Area) -> Kpis:
        """Return the figures of an area's last day; what stands and is set aside is that of now."""
        rules = self.rules_of(area)
        events = self.events if area == EVERYTHING else self.events.of(rules)
        known = set(rules.tolist())
        alarms = [one for one in self.alarms if area == EVERYTHING or one.rule_id in known]
        aside = [one.state for one in alarms if one.is_suppressed]
        return kpis(events, self.now_s - DAY_S, self.now_s, _standing(alarms), aside)


def _standing(alarms: Iterable[Alarm]) -> list[Standing]:
    return [
        Standing(one.rule_id, one.raised_time.timestamp())
        for one in alarms
        if one.is_active and not one.is_suppressed and one.raised_time is not None
    ]


def _is_in(place: Area, area: Area) -> bool:
    return area == EVERYTHING or (place[0] == area[0] and area[1] in ("", place[1]))


def _around(place: Area | None) -> set[Area]:
    """Return the areas that a rule counts in; one that nobody knows counts in everything."""
    return {EVERYTHING} if place is None else {EVERYTHING, (place[0], ""), place}
