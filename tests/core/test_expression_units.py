"""Units that do not go together are named where they meet."""

import pytest

from control_room.core.expression_units import unit_faults
from control_room.core.expressions import parse

UNITS = {"a": "m", "b": "m", "p": "bar", "q": "L/s", "n": ""}


@pytest.mark.parametrize(
    "text",
    [
        "a > b and p > 3",
        "a - b > 1",
        "tag('q') * 3.6 > a",
        "p / q > a / b",
        "n > a",
        "abs(a - b) < max(a, 2)",
        "(a if n == 1 else b) > 2",
        "round(a, 1) == round(b)",
        "-a < b",
    ],
)
def test_what_goes_together_passes(text: str) -> None:
    parse(text, UNITS)
    assert list(unit_faults(text, UNITS)) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a > p", "puts bar and m together in a > p: convert one of them by a factor"),
        ("1 < a < q", "puts L/s and m together in 1 < a < q"),
        ("a + tag('p') > 2", "puts bar and m together in a + tag('p')"),
        ("max(a, q) > 1", "puts L/s and m together in max(a, q)"),
        ("(a if n == 1 else p) > 2", "puts bar and m together in a if n == 1 else p"),
        ("abs(a) > round(p)", "puts bar and m together in abs(a) > round(p)"),
        ("a >\n  p", "puts bar and m together in a > p"),
    ],
)
def test_what_does_not_is_named(text: str, words: str) -> None:
    parse(text, UNITS)
    assert any(one.startswith(words) for one in unit_faults(text, UNITS))
