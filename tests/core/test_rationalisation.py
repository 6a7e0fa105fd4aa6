"""Records: inherited down the tree, and the priority from the grid."""

from datetime import date

import pytest

from control_room.core.alarms import Priority
from control_room.core.rationalisation import (
    Level,
    Record,
    RecordBook,
    Severity,
    doubts,
    grid_priority,
    record_faults,
)

MINOR, MAJOR, SEVERE = Severity


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (60.0, (4, 4, 3)),
        (30.1, (4, 4, 3)),
        (30.0, (4, 3, 2)),
        (10.0, (4, 3, 2)),
        (9.9, (4, 3, 2)),
        (3.0, (4, 3, 2)),
        (2.9, (3, 2, 1)),
        (0.1, (3, 2, 1)),
    ],
)
def test_the_grid_gives_the_priority(minutes: float, expected: tuple[int, ...]) -> None:
    assert tuple(grid_priority(one, minutes) for one in Severity) == expected


BOOK = RecordBook(
    records={
        (Level.MUNICIPALITY, 1): Record(owner="Works", alarm_class="supply", severity=MINOR),
        (Level.ASSET, 10): Record(owner="Hill crew", respond_min=30.0),
        (Level.ASSET, 11): Record(severity=MAJOR),
        (Level.TAG, 100): Record(cause="Outlet open"),
        (Level.RULE, 1000): Record(cause="Inlet shut", review_date=date(2027, 3, 1)),
    },
    assets={100: 11, 101: 10},
    parents={10: None, 11: 10},
)


def test_what_is_nearest_holds_and_says_where_it_comes_from() -> None:
    held = BOOK.held(1, 100, 1000)
    assert held.record == Record("Inlet shut", None, None, MAJOR, 30.0, "supply", "Hill crew", date(2027, 3, 1))
    assert held.sources == {
        "cause": (Level.RULE, 1000),
        "review_date": (Level.RULE, 1000),
        "severity": (Level.ASSET, 11),
        "respond_min": (Level.ASSET, 10),
        "owner": (Level.ASSET, 10),
        "alarm_class": (Level.MUNICIPALITY, 1),
    }
    # another rule of the tag, a tag of the site itself, another municipality
    assert BOOK.held(1, 100, 1001).record.cause == "Outlet open"
    assert BOOK.held(1, 101, 1002).record.severity is MINOR
    assert BOOK.held(2, 200, 2000).record == Record()


def test_a_tree_that_bites_its_tail_ends() -> None:
    assert len(list(RecordBook(assets={1: 2}, parents={2: 3, 3: 2}).chain(1, 1, 1))) == 5


def test_what_is_set_far_above_holds_at_any_depth() -> None:
    places = {(Level.ASSET, 5): Record(owner="Works", cause="Frost"), (Level.ASSET, 3): Record(owner="Hill crew")}
    book = RecordBook(places, assets={1: 2}, parents={2: 3, 3: 4, 4: 5, 5: None})
    held = book.held(1, 1, 1)
    assert (held.record.owner, held.record.cause) == ("Hill crew", "Frost")
    assert held.sources == {"owner": (Level.ASSET, 3), "cause": (Level.ASSET, 5)}


def test_what_a_person_should_look_at_is_said() -> None:
    good = Record(action="Start pump 2", severity=MAJOR, respond_min=20.0)
    assert doubts(good, Priority.MEDIUM, 5.0) == []
    assert doubts(good, Priority.LOW, 1201.0) == [
        "A major consequence with 20 min to respond means priority 3, not 4.",
        "The on-delay of 1201 s is longer than the time to respond.",
    ]
    assert [words[:19] for words in doubts(Record(severity=SEVERE, respond_min=2.0), Priority.HIGHEST, 0)] == [
        "Less than 3 min aga",
        "No corrective actio",
    ]


def test_what_is_not_allowed_is_named() -> None:
    assert record_faults(Record(owner="x" * 100, respond_min=1440.0)) == {}
    assert record_faults(Record("x" * 2001, owner="x" * 101, respond_min=0.0, review_date=date(1999, 1, 1))).keys() == {
        "cause",
        "owner",
        "respond_min",
        "review_date",
    }
