"""The figures of a period, by hand and by a second computation written row by row."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_room.core.alarm_kpis import Deed, Events, Flood, Kpis, Standing, kpis
from control_room.core.alarms import Priority

TOLD, SEEN, GONE, OTHER = Deed.ANNOUNCED, Deed.ACKNOWLEDGED, Deed.RETURNED, Deed.OTHER_BY_PERSON
# a whole hour, in seconds since 1970
HOUR = 1_800_000_000.0
Row = tuple[float, int, int, Deed, int]


def events(*rows: Row) -> Events:
    """Return rows (seconds after HOUR, rule, occurrence, deed, priority) as columns."""
    ordered = sorted(rows)
    columns = list(zip(*ordered, strict=True)) if ordered else [()] * 5
    return Events(np.array(columns[0], np.float64) + HOUR, *(np.array(one, np.int64) for one in columns[1:]))


def judged(*rows: Row, hours: float = 1.0) -> Kpis:
    return kpis(events(*rows), HOUR, HOUR + hours * 3600)


def many(*counts: int) -> list[Row]:
    """Return so many alarms in each bin of ten minutes, each of a rule of its own."""
    rows, rule = [], 0
    for number, count in enumerate(counts):
        for place in range(count):
            rule += 1
            rows.append((600.0 * number + place, rule, 1, TOLD, 3))
    return rows


def test_the_vector_of_bins_is_one_flood_of_half_an_hour() -> None:
    found = judged(*many(3, 11, 14, 6, 4, 2))
    assert found.bins.tolist() == [3, 11, 14, 6, 4, 2]
    assert found.floods == (Flood(HOUR + 600, HOUR + 2400, 31, 14, 4),)
    assert (found.flood_share, found.peak, found.announced) == (0.5, 14, 40)
    assert (found.bins_over, found.hours_over) == (2 / 6, 1.0)


@pytest.mark.parametrize(
    ("counts", "floods"),
    [
        ((10, 10, 10, 10, 10, 10), 0),
        ((11, 4, 11, 4, 0, 0), 2),
        ((11, 5, 5, 5, 5, 5), 1),
        ((0, 0, 0, 0, 0, 11), 1),
    ],
)
def test_a_flood_begins_above_ten_and_ends_below_five(counts: tuple[int, ...], floods: int) -> None:
    found = judged(*many(*counts))
    assert len(found.floods) == floods
    assert all(one.end_s <= HOUR + 3600 for one in found.floods)


def test_nothing_at_all_has_figures() -> None:
    found = judged()
    assert (found.announced, found.per_day, found.peak, found.flood_share, found.top_share) == (0, 0, 0, 0, 0)
    assert (found.unseen_share, found.ack_times, found.top, found.stale) == (0, {}, (), ())
    assert found.share(Priority.HIGH) == 0


def test_a_period_must_end_after_it_begins() -> None:
    with pytest.raises(ValueError, match="ends after"):
        kpis(events(), HOUR, HOUR)


def test_rates_are_of_the_whole_period() -> None:
    found = judged(*many(1, 2, 3), hours=12)
    assert (found.per_day, round(found.per_bin, 6)) == (12.0, round(6 / 72, 6))


def test_three_times_in_a_minute_chatter_and_two_do_not() -> None:
    chatter = [(at, 7, number, TOLD, 3) for number, at in enumerate((0.0, 30.0, 60.0, 900.0))]
    calm = [(at, 8, number, TOLD, 3) for number, at in enumerate((0.0, 30.0, 61.0))]
    assert judged(*chatter, *calm).chattering == {7: 4}


def test_what_comes_and_goes_at_once_is_fleeting_unless_it_repeats() -> None:
    once = [(0.0, 1, 1, TOLD, 3), (9.0, 1, 1, GONE, 3)]
    slow = [(0.0, 2, 1, TOLD, 3), (10.0, 2, 1, GONE, 3)]
    repeated = [(0.0, 3, 1, TOLD, 3), (5.0, 3, 1, GONE, 3), (50.0, 3, 2, TOLD, 3)]
    assert judged(*once, *slow, *repeated).fleeting == {1: 1}


def test_waiting_for_the_acknowledgement_is_told_by_priority() -> None:
    rows: list[Row] = [(0.0, rule, 1, TOLD, 1) for rule in range(1, 11)]
    rows += [(float(10 * rule), rule, 1, SEEN, 1) for rule in range(1, 11)]
    # never seen: not among those that waited
    rows += [(0.0, 99, 1, TOLD, 2), (30.0, 99, 1, GONE, 2)]
    found = judged(*rows)
    [time] = found.ack_times.values()
    assert (time.count, time.median_s, time.p90_s, time.p95_s) == pytest.approx((10, 55.0, 91.0, 95.5))
    assert list(found.ack_times) == [Priority.HIGHEST]
    assert found.unseen_share == 1 / 11
    assert found.deeds == 10


def test_what_returned_before_it_was_seen_counts_as_unseen() -> None:
    rows: list[Row] = [(0.0, 1, 1, TOLD, 1), (5.0, 1, 1, GONE, 1), (9.0, 1, 1, SEEN, 1)]
    rows += [(0.0, 2, 1, TOLD, 1), (3.0, 2, 1, SEEN, 1), (5.0, 2, 1, GONE, 1)]
    assert judged(*rows).unseen_share == 0.5


def test_the_most_frequent_ones_and_their_share() -> None:
    rows = [(float(number), rule, number, TOLD, 4) for rule in range(1, 21) for number in range(rule)]
    found = judged(*rows)
    assert found.top[0] == (20, 20)
    assert len(found.top) == 10
    assert found.top_share == sum(range(11, 21)) / sum(range(1, 21))
    assert found.share(Priority.LOW) == 1.0


def test_what_stands_for_more_than_a_day_is_stale() -> None:
    end = HOUR + 3600
    standing = [Standing(1, end - 86_401), Standing(2, end - 86_400)]
    assert kpis(events(), HOUR, end, standing).stale == (standing[0],)


def test_an_area_is_its_rules() -> None:
    rows = [(1.0, 1, 1, TOLD, 1), (2.0, 2, 1, TOLD, 2), (3.0, 1, 1, SEEN, 1)]
    assert events(*rows).of(np.array([1])).rule.tolist() == [1, 1]


row = st.tuples(
    st.integers(0, 7_199).map(float),
    st.integers(1, 4),
    st.integers(1, 3),
    st.sampled_from(Deed),
    st.integers(1, 4),
)


@given(st.lists(row, max_size=60))
def test_a_second_computation_row_by_row_finds_the_same(rows: list[Row]) -> None:
    found = judged(*rows, hours=2)
    ordered = sorted(rows)
    told = [one for one in ordered if one[3] is TOLD]
    per_bin = Counter(int(one[0] // 600) for one in told)
    assert found.bins.tolist() == [per_bin[number] for number in range(12)]
    assert dict(found.counts) == dict(Counter(one[1] for one in told))
    by_rule = defaultdict(list)
    for one in told:
        by_rule[one[1]].append(one[0])
    chatters = {
        rule: len(times)
        for rule, times in by_rule.items()
        if any(times[number + 2] - times[number] <= 60 for number in range(len(times) - 2))
    }
    assert found.chattering == chatters
    first: dict[tuple[Deed, int, int], Row] = {}
    for one in ordered:
        first.setdefault((one[3], one[1], one[2]), one)
    waited = defaultdict(list)
    for (deed, rule, occurrence), one in first.items():
        if deed is TOLD and (SEEN, rule, occurrence) in first:
            waited[Priority(one[4])].append(max(0.0, first[SEEN, rule, occurrence][0] - one[0]))
    assert {priority: one.count for priority, one in found.ack_times.items()} == {
        priority: len(times) for priority, times in waited.items()
    }
    for priority, times in waited.items():
        assert found.ack_times[priority].median_s == pytest.approx(float(np.median(times)))
    assert found.deeds == sum(one[3] in (SEEN, OTHER) for one in rows)
