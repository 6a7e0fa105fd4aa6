"""What a period's alarms say of the alarm system: ISA-18.2 clause 16, IEC 62682 and EEMUA 191.

Only what was announced counts as an alarm. Bins of ten minutes are aligned to the clock; the load meter's window slides.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

# counting by np.unique() would load it at its first call, 100 ms in which no frame of a seat is drawn
import numpy.ma
import numpy.typing as npt

from control_room.core.alarm_load import FLOOD_ABOVE, FLOOD_ENDS_BELOW
from control_room.core.alarms import AlarmState, Priority

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BIN_S, HOUR_S, DAY_S = 600.0, 3_600.0, 86_400.0
MANY_IN_AN_HOUR = 30
STALE_S = DAY_S
CHATTER_COUNT, CHATTER_S = 3, 60.0
FLEETING_S, NO_REPEAT_S = 10.0, 60.0
TOP = 10


class Deed(IntEnum):
    """What a row of the journal is, as far as figures go."""

    ANNOUNCED = 0
    ACKNOWLEDGED = 1
    RETURNED = 2
    OTHER_BY_PERSON = 3


@dataclass(frozen=True, slots=True)
class Events:
    """Rows of the journal in the order of their time, in columns: seconds since 1970, rule, occurrence, deed, priority."""

    time_s: Floats
    rule: Ints
    occurrence: Ints
    deed: Ints
    priority: Ints

    def of(self, rules: Ints) -> "Events":
        """Return the rows of these rules alone."""
        wanted = np.isin(self.rule, rules)
        return Events(
            self.time_s[wanted], self.rule[wanted], self.occurrence[wanted], self.deed[wanted], self.priority[wanted]
        )

    def followed_by(self, newer: "Events", begin_s: float, from_s: float) -> "Events":
        """Return these rows since `begin_s` up to before `from_s`, then the newer ones, which were read from there on."""
        kept = self.of_time(begin_s, from_s)
        return Events(
            np.concatenate((kept.time_s, newer.time_s)),
            np.concatenate((kept.rule, newer.rule)),
            np.concatenate((kept.occurrence, newer.occurrence)),
            np.concatenate((kept.deed, newer.deed)),
            np.concatenate((kept.priority, newer.priority)),
        )

    def of_time(self, begin_s: float, end_s: float) -> "Events":
        """Return the rows from `begin_s` up to before `end_s`."""
        span = slice(*np.searchsorted(self.time_s, (begin_s, end_s)).tolist())
        return Events(self.time_s[span], self.rule[span], self.occurrence[span], self.deed[span], self.priority[span])

    def where(self, deed: Deed) -> npt.NDArray[np.bool_]:
        """Return which rows are of this deed."""
        return np.asarray(self.deed == int(deed))


@dataclass(frozen=True, slots=True)
class Flood:
    """A flood of whole bins: from `begin_s` to before `end_s`, its alarms, the most in a bin, and the rule of the first alarm."""

    begin_s: float
    end_s: float
    count: int
    peak: int
    first_rule: int


@dataclass(frozen=True, slots=True)
class AckTime:
    """How long announcements of a priority waited for their acknowledgement, in seconds, of those that got one."""

    count: int
    median_s: float
    p90_s: float
    p95_s: float


@dataclass(frozen=True, slots=True)
class Standing:
    """An alarm that was abnormal at the end of the period, since when."""

    rule: int
    since_s: float


@dataclass(frozen=True, slots=True)
class Kpis:
    """The figures of a period from `begin_s` to `end_s`; shares are between 0 and 1.

    `aside`: how many were set aside at its end, by their state.
    """

    begin_s: float
    end_s: float
    announced: int
    bins: Ints
    floods: tuple[Flood, ...]
    hours_over: float
    bins_over: float
    counts: Mapping[int, int] = field(repr=False)
    chattering: Mapping[int, int]
    fleeting: Mapping[int, int]
    priorities: Mapping[Priority, int]
    ack_times: Mapping[Priority, AckTime]
    unseen_share: float
    deeds: int
    standing: tuple[Standing, ...]
    aside: Mapping[AlarmState, int] = field(default_factory=dict)

    @property
    def per_day(self) -> float:
        """Return announcements a day."""
        return self.announced / (self.end_s - self.begin_s) * DAY_S

    @property
    def per_bin(self) -> float:
        """Return announcements in ten minutes."""
        return self.per_day / DAY_S * BIN_S

    @property
    def peak(self) -> int:
        """Return the most announcements in a bin."""
        return int(self.bins.max(initial=0))

    @property
    def flood_share(self) -> float:
        """Return the share of the time that was a flood."""
        return sum(one.end_s - one.begin_s for one in self.floods) / max(BIN_S, BIN_S * len(self.bins))

    @property
    def top(self) -> tuple[tuple[int, int], ...]:
        """Return the TOP most frequent rules with their counts, the most frequent first."""
        return tuple(sorted(self.counts.items(), key=lambda pair: (-pair[1], pair[0]))[:TOP])

    @property
    def top_share(self) -> float:
        """Return which share of all announcements the most frequent ones are."""
        return sum(count for _, count in self.top) / self.announced if self.announced else 0.0

    @property
    def stale(self) -> tuple[Standing, ...]:
        """Return what stood for longer than a day at the end."""
        return tuple(one for one in self.standing if self.end_s - one.since_s > STALE_S)

    def share(self, priority: Priority) -> float:
        """Return a priority's share of the announcements."""
        return self.priorities[priority] / self.announced if self.announced else 0.0


def kpis(
    events: Events,
    begin_s: float,
    end_s: float,
    standing: Sequence[Standing] = (),
    aside: Iterable[AlarmState] = (),
) -> Kpis:
    """Return the figures of a period; `events` of it alone, `standing` and `aside` (a state for each alarm) at its end.

    Raises ValueError for no period.
    """
    if not begin_s < end_s:
        raise ValueError("A period ends after it begins.")
    is_told = events.where(Deed.ANNOUNCED)
    told_s, rules = events.time_s[is_told], events.rule[is_told]
    bins = _histogram(told_s, begin_s, end_s, BIN_S)
    hours = _histogram(told_s, begin_s, end_s, HOUR_S)
    numbers, counts = np.unique(rules, return_counts=True)
    priorities = {one: int((events.priority[is_told] == int(one)).sum()) for one in Priority}
    by_people = events.where(Deed.ACKNOWLEDGED) | events.where(Deed.OTHER_BY_PERSON)
    return Kpis(
        begin_s=begin_s,
        end_s=end_s,
        announced=len(told_s),
        bins=bins,
        floods=_floods(bins, np.floor(begin_s / BIN_S) * BIN_S, told_s, rules),
        hours_over=float((hours > MANY_IN_AN_HOUR).mean()),
        bins_over=float((bins > FLOOD_ABOVE).mean()),
        counts=dict(zip(numbers.tolist(), counts.tolist(), strict=True)),
        chattering=_chattering(told_s, rules),
        fleeting=_fleeting(events),
        priorities=priorities,
        ack_times=_ack_times(events),
        unseen_share=_unseen_share(events),
        deeds=int(by_people.sum()),
        standing=tuple(standing),
        aside=Counter(aside),
    )


def _histogram(times_s: Floats, begin_s: float, end_s: float, width_s: float) -> Ints:
    """Return counts in bins aligned to the clock, from the one that `begin_s` is in to the one before `end_s`."""
    first = int(np.floor(begin_s / width_s))
    last = int(np.ceil(end_s / width_s))
    places = np.floor(times_s / width_s).astype(np.int64) - first
    inside = places[(places >= 0) & (places < last - first)]
    return np.bincount(inside, minlength=max(1, last - first)).astype(np.int64)


def _floods(bins: Ints, first_s: float, told_s: Floats, rules: Ints) -> tuple[Flood, ...]:
    """Return every flood: it begins with a bin of more than ten and ends before the first one of fewer than five."""
    found: list[Flood] = []
    begin: int | None = None
    for number, count in enumerate([*bins.tolist(), 0]):
        if begin is None and count > FLOOD_ABOVE:
            begin = number
        elif begin is not None and (count < FLOOD_ENDS_BELOW or number == len(bins)):
            begin_s = first_s + begin * BIN_S
            found.append(
                Flood(
                    begin_s,
                    first_s + number * BIN_S,
                    int(bins[begin:number].sum()),
                    int(bins[begin:number].max()),
                    int(rules[np.searchsorted(told_s, begin_s)]),
                )
            )
            begin = None
    return tuple(found)


def _chattering(told_s: Floats, rules: Ints) -> dict[int, int]:
    """Return how often each chattering rule was announced: CHATTER_COUNT times or more within CHATTER_S at least once."""
    order = np.lexsort((told_s, rules))
    times, ids = told_s[order], rules[order]
    span = CHATTER_COUNT - 1
    if len(times) <= span:
        return {}
    is_quick = (ids[span:] == ids[:-span]) & (times[span:] - times[:-span] <= CHATTER_S)
    return {one: int((ids == one).sum()) for one in np.unique(ids[span:][is_quick]).tolist()}


def _first(events: Events, deed: Deed) -> tuple[npt.NDArray[np.complex128], Floats, Ints]:
    """Return (rule, occurrence) pairs in order, when each first was of this deed, and its priority."""
    wanted = events.where(deed)
    # both are whole numbers below 2^53: a complex number is a pair that sorts by its parts
    pairs = events.rule[wanted] + 1j * events.occurrence[wanted]
    keys, places = np.unique(pairs, return_index=True)
    return keys, events.time_s[wanted][places], events.priority[wanted][places]


def _fleeting(events: Events) -> dict[int, int]:
    """Return how often each rule's alarm came and went within FLEETING_S, with no repetition within NO_REPEAT_S."""
    keys, told_s, _ = _first(events, Deed.ANNOUNCED)
    gone, gone_s, _ = _first(events, Deed.RETURNED)
    both, here, there = np.intersect1d(keys, gone, return_indices=True)
    lasted_s = gone_s[there] - told_s[here]
    # of the same rule, the next occurrence in order of the keys
    following_s = np.full(len(keys), np.inf)
    if len(keys) > 1:
        is_same = keys[1:].real == keys[:-1].real
        following_s[:-1] = np.where(is_same, told_s[1:] - told_s[:-1], np.inf)
    is_fleeting = (lasted_s >= 0) & (lasted_s < FLEETING_S) & (following_s[here] > NO_REPEAT_S)
    numbers, counts = np.unique(both[is_fleeting].real.astype(np.int64), return_counts=True)
    return dict(zip(numbers.tolist(), counts.tolist(), strict=True))


def _ack_times(events: Events) -> dict[Priority, AckTime]:
    keys, told_s, priorities = _first(events, Deed.ANNOUNCED)
    seen, seen_s, _ = _first(events, Deed.ACKNOWLEDGED)
    _, here, there = np.intersect1d(keys, seen, return_indices=True)
    waited_s = np.maximum(0.0, seen_s[there] - told_s[here])
    found = {}
    for priority in Priority:
        of_it = waited_s[priorities[here] == int(priority)]
        if len(of_it):
            median, p90, p95 = np.percentile(of_it, (50, 90, 95)).tolist()
            found[priority] = AckTime(len(of_it), median, p90, p95)
    return found


def _unseen_share(events: Events) -> float:
    """Return which share of the announcements went before anybody acknowledged them."""
    keys, _, _ = _first(events, Deed.ANNOUNCED)
    gone, gone_s, _ = _first(events, Deed.RETURNED)
    seen, seen_s, _ = _first(events, Deed.ACKNOWLEDGED)
    if not len(keys):
        return 0.0
    never = np.inf
    acknowledged_s = dict(zip(seen.tolist(), seen_s.tolist(), strict=True))
    told = set(keys.tolist())
    unseen = sum(
        one in told and time_s < acknowledged_s.get(one, never)
        for one, time_s in zip(gone.tolist(), gone_s.tolist(), strict=True)
    )
    return float(unseen / len(keys))
