"""Suppressions that cannot be meant are named before anything is saved."""

from dataclasses import replace
from typing import Any

import pytest

from control_room.core.alarms import AlarmKind, Priority
from control_room.core.errors import BadOption
from control_room.core.plant import Plant, PlantConsequence, PlantRule, PlantSuppression, PlantTag
from control_room.core.suppression_check import check_suppressions, meant_by
from control_room.core.tags import Quantity

K = AlarmKind


def tag(key: str, *kinds: AlarmKind, site: str = "Works", asset: str = "Pump 1") -> PlantTag:
    rules = tuple(PlantRule(kind, Priority.LOW) for kind in kinds)
    states = ("stopped", "running") if key.endswith("state") else ()
    return PlantTag(key, key, site, asset, Quantity.FLOW, "c", key, states=states, rules=rules)


TAGS = (
    tag("P1.state", K.DISCREPANCY),
    tag("P1.flow", K.L, K.H, K.BAD),
    tag("W.power", K.STATE, asset="Power"),
    tag("T1.level", K.L, site="Hill", asset="Tank 1"),
)
BY_KEY = {one.key: one for one in TAGS}
STOPPED = PlantSuppression(
    "pump 1", "Pump 1 is stopped", "P1.state", K.STATE, (PlantConsequence(tag="P1.flow", kinds=(K.L,)),), delay_s=20.0
)
DARK = PlantSuppression("power", "Works has no power", "W.power", K.STATE, (PlantConsequence(site="Works"),), True)


def suppression(name: str, cause: str, *consequences: str) -> PlantSuppression:
    return replace(
        STOPPED,
        name=name,
        tag=cause,
        kind=K.L,
        is_alarm=True,
        consequences=tuple(PlantConsequence(tag=key, kinds=(K.L,)) for key in consequences),
    )


def test_what_can_be_meant_passes() -> None:
    check_suppressions(Plant("a", "A", tags=TAGS, suppressions=(STOPPED, DARK)))
    assert meant_by(STOPPED, BY_KEY) == {("P1.flow", K.L)}


def test_a_place_is_all_that_is_there_but_the_cause() -> None:
    works = {("P1.state", K.DISCREPANCY), ("P1.flow", K.L), ("P1.flow", K.H), ("P1.flow", K.BAD)}
    assert meant_by(DARK, BY_KEY) == works
    of_pump = replace(DARK, consequences=(PlantConsequence(site="Works", asset="Pump 1", kinds=(K.L, K.BAD)),))
    assert meant_by(of_pump, BY_KEY) == {("P1.flow", K.L), ("P1.flow", K.BAD)}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tag": "P9.state"}, "pump 1: its cause names P9.state, which is no tag of this plant"),
        ({"kind": K.L, "is_alarm": True}, "the alarm L of P1.state, which has no such alarm"),
        ({"kind": K.STALE}, "the condition STALE, and a condition is one of H, HH, L, LL, STATE"),
        ({"limit": 2.0}, "names the state 2, and P1.state has 2"),
        ({"kind": K.H, "limit": float("nan")}, "the limit nan, which is no number"),
        ({"delay_s": -1.0}, "un-suppress delay of -1 s"),
        ({"delay_s": 1e9}, "0 s to a day"),
        ({"on_delay_s": -1.0}, "on-delay of -1"),
        ({"cause": " "}, "the cause needs words"),
        ({"consequences": ()}, "has no consequences"),
        ({"consequences": (PlantConsequence(),)}, "names a tag or a site"),
        ({"consequences": (PlantConsequence(tag="P9.flow"),)}, "names P9.flow, which is no tag"),
        ({"consequences": (PlantConsequence(site="Valley"),)}, "names Valley, which is no place"),
        (
            {"consequences": (PlantConsequence(site="Works", asset="Pump 7"),)},
            "names Works › Pump 7, which is no place",
        ),
        ({"consequences": (PlantConsequence(tag="P1.flow", kinds=(K.LL,)),)}, "consequence P1.flow has no alarm LL"),
        (
            {"tag": "T1.level", "kind": K.L, "consequences": (PlantConsequence(tag="T1.level"),)},
            "suppresses its own cause",
        ),
    ],
)
def test_what_cannot_be_meant_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BadOption) as fault:
        check_suppressions(Plant("a", "A", tags=TAGS, suppressions=(replace(STOPPED, **changes),)))
    assert words in str(fault.value)
    assert fault.value.advice


def test_two_of_one_name_and_a_circle_are_named() -> None:
    with pytest.raises(BadOption, match="several of that name"):
        check_suppressions(Plant("a", "A", tags=TAGS, suppressions=(STOPPED, STOPPED)))
    ways = (suppression("a", "P1.flow", "T1.level"), suppression("b", "T1.level", "P1.flow"))
    with pytest.raises(BadOption, match=r"round in a circle: L of .* → L of .* → L of "):
        check_suppressions(Plant("a", "A", tags=TAGS, suppressions=ways))
