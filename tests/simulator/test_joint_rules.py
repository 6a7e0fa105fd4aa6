"""A pump's power and flow, judged together."""

from pathlib import Path

import numpy as np
import pytest

from control_room.core.alarms import AlarmKind
from control_room.core.expressions import parse_condition
from control_room.core.plant import PlantTag
from control_room.core.rule_check import check_rules
from control_room.core.tags import Quantity
from control_room.simulator.instruments import Instrument
from control_room.simulator.joint_rules import with_joint_rules
from control_room.simulator.plant_model import build


def instrument(key: str, quantity: Quantity) -> Instrument:
    return Instrument(PlantTag(key, key, "Works", "Pump 1", quantity, "opc_ua", key), ("link", "1", "FLOW"), "works")


POWER, FLOW = instrument("PU01.power", Quantity.POWER), instrument("PU01.flow", Quantity.FLOW)
DAYS = {"PU01.power": np.array([0.0, 20.0, 30.0]), "PU01.flow": np.array([0.0, 50.0, 100.0])}


@pytest.mark.parametrize(
    ("flow", "power", "is_raised"),
    [(100.0, 30.0, False), (60.0, 24.0, False), (60.0, 60.0, True), (0.0, 20.0, False), (10.0, 20.0, False)],
)
def test_a_pump_that_takes_too_much_for_what_it_delivers(flow: float, power: float, is_raised: bool) -> None:
    [rule] = with_joint_rules([POWER, FLOW], DAYS)[0].tag.rules
    values = {"PU01.flow": flow, "PU01.power": power}
    expression = parse_condition(rule.expression)
    assert expression.value([values[key] for key in expression.keys]) == is_raised


def test_where_one_is_missing_or_never_ran_there_is_no_rule() -> None:
    assert with_joint_rules([POWER], DAYS) == (POWER,)
    still = {key: np.zeros(3) for key in DAYS}
    assert with_joint_rules([POWER, FLOW], still) == (POWER, FLOW)


def test_the_demo_has_such_rules_and_they_can_be_meant(tmp_path: Path) -> None:
    model, network = build("net3", tmp_path)
    network.close()
    tags = [one.tag for one in model.instruments]
    check_rules(tags)
    assert [tag.key for tag in tags for rule in tag.rules if rule.expression] == ["PU01.power", "PU02.power"]
    grouped = [(tag.key, rule.kind) for tag in tags for rule in tag.rules if rule.first_out_group == "PU01 trip"]
    assert {("PU01.trip", AlarmKind.H), ("PU01.state", AlarmKind.DISCREPANCY)} < set(grouped)
    assert all(key.startswith("PU01.") and kind is not AlarmKind.BAD for key, kind in grouped)
