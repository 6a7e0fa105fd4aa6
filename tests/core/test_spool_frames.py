"""Frames and ranges of a spool: whatever is cut, flipped or added, what is returned was written, and nothing is invented."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from control_room.core.alarms import Alarm, Corrected, ProcessChange, Raised, Returned
from control_room.core.number_ranges import NumberRanges
from control_room.core.sample_rows import first_rows, newest_rows, rows_of, samples_of
from control_room.core.samples import Sample
from control_room.core.spool_changes import Change, bytes_of, change_of, still_news
from control_room.core.spool_frames import frame, scan
from control_room.core.suppression import CauseChange
from tests.fakes import START, sample

CONTENTS = st.lists(st.binary(max_size=40), max_size=8)
TIMES = st.integers(-(10**15), 10**15).map(lambda us: START + timedelta(microseconds=us))
SAMPLES = st.builds(
    Sample,
    st.integers(1, 2**31 - 1),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.integers(0, 0xFFFF),
    TIMES,
    TIMES,
)


def written(contents: list[bytes]) -> bytes:
    return b"".join(frame(number, 1, content) for number, content in enumerate(contents))


def found(content: bytes) -> dict[int, bytes]:
    return {one.first: content[one.begin : one.end] for one in scan(content).frames}


@given(CONTENTS, st.data())
def test_what_is_cut_at_any_byte_gives_a_beginning(contents: list[bytes], data: st.DataObject) -> None:
    whole = written(contents)
    end = data.draw(st.integers(0, len(whole)))
    kept = found(whole[:end])
    assert list(kept.values()) == contents[: len(kept)]
    assert len(kept) == len(contents) or end < len(whole)
    is_between = end == len(written(contents[: len(kept)]))
    assert scan(whole[:end]).damages == (0 if is_between else 1)


@given(CONTENTS.filter(bool), st.data())
def test_a_flipped_bit_costs_its_own_frame_alone(contents: list[bytes], data: st.DataObject) -> None:
    whole = bytearray(written(contents))
    place = data.draw(st.integers(0, 8 * len(whole) - 1))
    whole[place // 8] ^= 1 << place % 8
    hit = next(number for number in range(len(contents)) if place // 8 < len(written(contents[: number + 1])))
    expected = {number: one for number, one in enumerate(contents) if number != hit}
    assert found(bytes(whole)) == expected
    assert scan(bytes(whole)).damages == 1


@given(st.binary(max_size=300))
def test_what_was_never_written_holds_nothing(content: bytes) -> None:
    assert scan(content).frames == ()


@given(CONTENTS, st.binary(max_size=30), CONTENTS)
def test_what_stands_between_is_passed_over(before: list[bytes], between: bytes, after: list[bytes]) -> None:
    rest = b"".join(frame(number + len(before), 1, content) for number, content in enumerate(after))
    assert list(found(written(before) + between + rest).values()) == [*before, *after]


@given(st.lists(SAMPLES, max_size=10))
def test_samples_come_back_as_they_were(samples: list[Sample]) -> None:
    assert samples_of(rows_of(samples)) == samples


def test_the_newest_and_the_first_of_each_tag() -> None:
    rows = rows_of([sample(2, 1.0, 5), sample(1, 2.0, 3), sample(2, 3.0, 1), sample(2, 4.0, 5)])
    assert samples_of(newest_rows(rows)) == [sample(1, 2.0, 3), sample(2, 4.0, 5)]
    assert samples_of(first_rows(rows)) == [sample(1, 2.0, 3), sample(2, 3.0, 1)]
    assert not newest_rows(rows[:0]).size
    assert not first_rows(rows[:0]).size


RANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda one: (min(one), max(one))), max_size=8)


@given(RANGES, st.integers(0, 70), st.integers(0, 70))
def test_ranges_are_a_set_of_numbers(ranges: list[tuple[int, int]], first: int, last: int) -> None:
    known = NumberRanges(ranges)
    numbers = {number for low, high in ranges for number in range(low, high + 1)}
    assert {number for low, high in known.ranges for number in range(low, high + 1)} == numbers
    assert all(high + 1 < low for (_, high), (low, _) in zip(known.ranges, known.ranges[1:], strict=False))
    asked = set(range(first, last + 1))
    assert {number for low, high in known.missing(first, last) for number in range(low, high + 1)} == asked - numbers
    if first <= last:
        assert known.count(first, last) == len(asked & numbers)


def test_changes_come_back_as_they_were() -> None:
    changes: list[Change] = [
        ProcessChange(1, 7, Raised(START, 0.1 + 0.2, 0)),
        ProcessChange(1, 9, Corrected(START, 0.5, 0)),
        ProcessChange(1, 10, Returned(START, None, 0x8000)),
        CauseChange(5, 3, START),
    ]
    assert [change_of(bytes_of(one)) for one in changes] == changes


def test_after_another_has_led_only_what_came_later_is_news() -> None:
    def at(minutes: float) -> timedelta:
        return timedelta(minutes=minutes)

    raised, returned = Raised(START, 1.0, 0), Returned(START + at(1), 1.0, 0)
    later = Raised(START + at(9), 1.0, 0)
    changes = [ProcessChange(1, 3, raised), ProcessChange(1, 4, returned), ProcessChange(1, 5, later)]
    # nobody else has seen anything
    assert still_news(changes, []) == changes
    assert still_news([*changes, CauseChange(1, 1, START)], []) == changes
    # the other one has seen the first coming and going, and counted on
    other = Alarm(1, raised_time=START, returned_time=START + at(2), process_number=8)
    assert still_news(changes, [other]) == [ProcessChange(1, 9, later)]
    # for the other one it came later than all of this and stands
    assert still_news(changes, [Alarm(1, is_active=True, raised_time=START + at(10), process_number=2)]) == []
