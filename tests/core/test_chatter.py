"""What chatters and what is fleeting."""

from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_room.core.alarms import Happening
from control_room.core.chatter import Nuisance, Screen, Turn, nuisances
from tests.fakes import START

_SIGNS = {"+": Happening.RAISED, "-": Happening.RETURNED, "a": Happening.ACKNOWLEDGED}


PLAIN = Screen()


def turns(words: str, rule_id: int = 1) -> list[Turn]:
    return [Turn(rule_id, _SIGNS[word[0]], START + timedelta(seconds=float(word[1:]))) for word in words.split()]


def found(words: str, now_s: float, screen: Screen = PLAIN) -> Nuisance | None:
    return nuisances(turns(words), START + timedelta(seconds=now_s), screen).get(1)


@pytest.mark.parametrize(
    ("words", "now_s", "expected"),
    [
        ("", 0, None),
        ("+0", 500, None),
        # three times raised and returned within a minute
        ("+0 -5 +20 -25 +50 -60", 60, Nuisance.CHATTERING),
        ("+0 -5 +20 -25 +50 -60.1", 61, None),
        ("+0 -5 +20 -25 +50", 60, None),
        ("+0 -50 +100 -105 +120 -125 +150 -155", 156, Nuisance.CHATTERING),
        # acknowledged or not
        ("+0 a1 -5 +20 a21 -25 +50 a51 -60", 60, Nuisance.CHATTERING),
        # it stays so called as long as the journal is asked that far back
        ("+0 -5 +20 -25 +50 -60", 600, Nuisance.CHATTERING),
        # gone in less than ten seconds, and a minute without a repeat
        ("+0 -9.9", 69.9, Nuisance.FLEETING),
        ("+0 -9.9", 69.8, None),
        ("+0 -10", 100, None),
        ("+0 -5 +64", 200, None),
        ("+0 -5 +65", 200, Nuisance.FLEETING),
        ("+0 -50 +55 -58", 200, None),
        # somebody saw to it
        ("+0 a3 -5", 200, None),
        ("+0 -5 a7", 200, Nuisance.FLEETING),
        # begun before the journal was asked
        ("-5", 200, None),
        ("-5 +100 -103", 200, Nuisance.FLEETING),
    ],
)
def test_nuisances(words: str, now_s: float, expected: Nuisance | None) -> None:
    assert found(words, now_s) is expected


def test_the_screen_can_be_set() -> None:
    strict = Screen(count=2, window=timedelta(seconds=30), brief=timedelta(seconds=2))
    assert found("+0 -5 +20 -25", 60, strict) is Nuisance.CHATTERING
    assert found("+0 -5", 100, strict) is None


def test_rules_do_not_mix() -> None:
    rows = turns("+0 -5", 1) + turns("+20 -25", 2) + turns("+50 -60", 3) + turns("+0 -5 +20 -25 +50 -60", 4)
    rows.sort(key=lambda turn: turn.time)
    assert nuisances(rows, START + timedelta(seconds=66)) == {4: Nuisance.CHATTERING, 1: Nuisance.FLEETING}


@given(st.integers(), st.lists(st.tuples(st.floats(0.5, 40), st.floats(0.5, 40)), max_size=30))
def test_it_agrees_with_counting_each_minute(seed: int, steps: list[tuple[float, float]]) -> None:
    """Chattering by its definition, counted from every raising on."""
    at_s, words, pairs = 0.0, [], []
    for held_s, pause_s in steps:
        pairs.append((at_s, at_s + held_s))
        words += [f"+{at_s}", f"-{at_s + held_s}"]
        at_s += held_s + pause_s
    within = [sum(first <= came and went <= first + 60 for came, went in pairs) for first, _ in pairs]
    # microseconds are the finest that a time knows
    if all(abs(went - first - 60) > 1e-5 for first, _ in pairs for _, went in pairs):
        chatters = found(" ".join(words), at_s + Random(seed).uniform(0, 100)) is Nuisance.CHATTERING
        assert chatters == any(many >= 3 for many in within)
