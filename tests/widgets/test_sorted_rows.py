"""Sorted rows against a plain sort of the same."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.sorted_rows import SortedRows


@dataclass(frozen=True)
class Card:
    """A row."""

    number: int
    worth: int


def _made(*, is_reversed: bool) -> SortedRows[Card]:
    return SortedRows(
        lambda one: one.number,
        lambda one: (one.worth, one.number),
        lambda one: one.worth != 3,
        lambda one: one.worth,
        is_reversed=is_reversed,
    )


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 12), st.integers(0, 5)), max_size=60),
    st.booleans(),
)
def test_it_agrees_with_a_plain_sort(steps: list[tuple[bool, int, int]], is_reversed: bool) -> None:
    rows, plain = _made(is_reversed=is_reversed), dict[int, Card]()
    for is_put, number, worth in steps:
        plain.pop(number, None)
        if is_put:
            card = Card(number, worth)
            before, place = rows.place_of(number), rows.place_for(card)
            if rows.stays(card):
                assert before is not None
            elif before is None and place is not None:
                rows.put(card)
                assert rows[place] == card
            rows.put(card)
            plain |= {number: card} if worth != 3 else {}
        else:
            rows.take_out(number)
        wanted = sorted(plain.values(), key=lambda one: (one.worth, one.number), reverse=is_reversed)
        assert rows.all() == wanted
        assert [rows[place] for place in range(len(rows))] == wanted
        assert [rows.place_of(one.number) for one in wanted] == list(range(len(wanted)))
        assert +rows.counts == {worth: count for worth in range(6) if (count := sum(c.worth == worth for c in wanted))}


@pytest.mark.parametrize("is_reversed", [False, True])
def test_it_is_dropped_piece_by_piece(is_reversed: bool) -> None:
    rows = _made(is_reversed=is_reversed)
    rows.change((Card(number, 1) for number in range(2_500)), ())
    assert [rows.drop_some(1_000), rows.drop_some(1_000), rows.drop_some(1_000)] == [True, True, False]
