"""Grades and words of qualities, and the marks of lost values."""

from datetime import timedelta

import pytest

from control_room.core import samples
from control_room.core.samples import Grade, grade, never_seen, quality_text, stale
from tests.fakes import START, sample


@pytest.mark.parametrize(
    ("quality", "expected", "words"),
    [
        (samples.GOOD, Grade.GOOD, "Good"),
        (samples.GOOD_LOCAL_OVERRIDE, Grade.GOOD, "Good, forced by hand"),
        (0x00A2, Grade.GOOD, "Good (0x00A2)"),
        (0x3FFF, Grade.GOOD, "Good (0x3FFF)"),
        (samples.UNCERTAIN, Grade.UNCERTAIN, "Uncertain"),
        (samples.UNCERTAIN_SENSOR_NOT_ACCURATE, Grade.UNCERTAIN, "Uncertain: sensor not accurate"),
        (0x40BC, Grade.UNCERTAIN, "Uncertain (0x40BC)"),
        (samples.UNCERTAIN_LAST_USABLE, Grade.STALE, "Stale: last usable value"),
        (
            samples.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE,
            Grade.STALE,
            "Stale: no communication, last usable value",
        ),
        (samples.BAD, Grade.BAD, "Bad"),
        (samples.BAD_NO_COMMUNICATION, Grade.BAD, "Bad: no communication"),
        (samples.BAD_WAITING_FOR_INITIAL, Grade.BAD, "Bad: waiting for the first value"),
        (0x8034, Grade.BAD, "Bad (0x8034)"),
        # a severity that is reserved
        (0xC000, Grade.BAD, "Bad (0xC000)"),
        (0xFFFF, Grade.BAD, "Bad (0xFFFF)"),
    ],
)
def test_grades_and_words(quality: int, expected: Grade, words: str) -> None:
    assert grade(quality) is expected
    assert sample(1, 1.0, quality=quality).grade is expected
    assert quality_text(quality) == words


@pytest.mark.parametrize(("lost_s", "source_s"), [(9.0, 9.0), (5.0, 5.0), (2.0, 5.0)])
def test_a_stale_mark_keeps_the_value_and_is_never_older_than_it(lost_s: float, source_s: float) -> None:
    lost_time = START + timedelta(seconds=lost_s)
    mark = stale(sample(3, 4.5, after_s=5.0), lost_time)
    assert (mark.tag_id, mark.value, mark.grade) == (3, 4.5, Grade.STALE)
    assert (mark.source_time, mark.arrival_time) == (START + timedelta(seconds=source_s), lost_time)


def test_a_value_that_never_came_is_bad_and_none() -> None:
    mark = never_seen(3, START)
    assert (mark.value, mark.quality, mark.grade) == (None, samples.BAD_WAITING_FOR_INITIAL, Grade.BAD)
    assert mark.source_time == mark.arrival_time == START


def test_grades_are_ordered_from_best_to_worst() -> None:
    assert sorted(Grade) == [Grade.GOOD, Grade.UNCERTAIN, Grade.STALE, Grade.BAD]
