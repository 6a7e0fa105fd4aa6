"""Rules that cannot be meant are named before anything is saved."""

from typing import Any

import pytest

from control_room.core.alarms import AlarmKind, Priority
from control_room.core.errors import BadOption
from control_room.core.plant import PlantRule, PlantTag
from control_room.core.rule_check import check_rules
from control_room.core.tags import Quantity

K = AlarmKind


def rule(kind: AlarmKind, limit: float = 0.0, deadband: float = 0.0, other: str = "", **more: Any) -> PlantRule:
    return PlantRule(kind, Priority.LOW, limit, deadband, other=other, **more)


def tag(*rules: PlantRule, key: str = "T1") -> PlantTag:
    return PlantTag(key, key, "Site", "Asset", Quantity.LEVEL, "c", "", "m", states=("stopped", "running"), rules=rules)


def test_rules_that_can_be_meant_pass() -> None:
    limits = rule(K.LL, -5), rule(K.L, 0.0, 0.1), rule(K.H, 8.0, 0.1), rule(K.HH, 9.0)
    others = (
        rule(K.BAD, first_out_group="trip"),
        rule(K.STATE, 1, first_out_group="trip"),
        rule(K.RATE, 2.0),
        rule(K.STALE, 60.0),
        rule(K.DISCREPANCY, other="T2"),
    )
    joint = rule(K.EXPRESSION, expression="T1 > 5 and T2 == 1")
    check_rules([tag(*limits, *others, joint, rule(K.DEVIATION, 1.0, other="T2")), tag(key="T2")])


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([rule(K.H, 8), rule(K.HH, 8)], r"T1: the limit H \(8\) must be below HH \(8\)"),
        ([rule(K.L, 5), rule(K.H, 4)], r"the limit L \(5\) must be below H \(4\)"),
        ([rule(K.HH, 5), rule(K.LL, 6)], r"the limit LL \(6\) must be below HH \(5\)"),
        ([rule(K.H, 5), rule(K.H, 6)], "several rules H"),
        ([rule(K.H, 5, -1)], "H has a deadband of -1"),
        ([rule(K.H, 5, on_delay_s=-1.0)], "on-delay of -1"),
        ([rule(K.H, 5, off_delay_s=float("nan"))], "off-delay of nan"),
        ([rule(K.H, 5, shelving_limit_s=-1.0)], "longest shelving of -1"),
        ([rule(K.H, float("inf"))], "limit inf, which is no number"),
        ([rule(K.RATE, 0)], "ROC has the limit 0, which must be more than 0"),
        ([rule(K.RATE, 1, window_s=0.0)], "window of 0 s"),
        ([rule(K.STALE, -3)], "STALE has the limit -3"),
        ([rule(K.STATE, 2)], "names the state 2, and the tag has 2"),
        ([rule(K.STATE, 0.5)], "names the state 0.5"),
        ([rule(K.DEVIATION, 1)], "DEV needs another tag"),
        ([rule(K.DISCREPANCY, other="T1")], "DISC needs another tag"),
        ([rule(K.DISCREPANCY, other="T9")], "compares with T9, which is no tag of this plant"),
        ([rule(K.H, 1, other="T9")], "compares with nothing"),
        ([rule(K.H, 1, first_out_group="trip")], "T1: H is alone in the first-out group 'trip'"),
        ([rule(K.H, 1, first_out_group="x" * 101)], "H has a first-out group whose name is longer than 100"),
        ([rule(K.EXPRESSION)], "EXPR has an expression that is empty"),
        ([rule(K.EXPRESSION, expression="T1 > T9")], "EXPR has an expression that names 'T9', .* at character 6"),
        ([rule(K.H, 1, expression="T1 > 1")], "H has an expression, and such a rule has none"),
    ],
)
def test_what_cannot_be_meant_is_named(rules: list[PlantRule], words: str) -> None:
    with pytest.raises(BadOption, match=words) as refusal:
        check_rules([tag(*rules)])
    assert refusal.value.advice


def test_of_very_many_faults_some_are_named_and_the_rest_counted() -> None:
    with pytest.raises(BadOption, match=r"T4: .* and 15 more"):
        check_rules([tag(rule(K.H, 5, -1), key=f"T{n}") for n in range(20)])
