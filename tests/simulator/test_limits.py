"""Ranges and alarm limits stand clear of what is normal."""

import numpy as np
import pytest

from control_room.core.alarms import AlarmKind
from control_room.core.plant import PlantTag
from control_room.core.tags import Quantity
from control_room.simulator.instruments import Instrument, Reading, is_worth_saying
from control_room.simulator.limits import with_limits


def instrument(key: str, quantity: Quantity, low: float = 0.0, high: float = 100.0, **more: object) -> Instrument:
    tag = PlantTag(key, key, "Site", "Asset", quantity, "opc_ua", key, unit="m", low=low, high=high)
    return Instrument(tag, ("node", "1", "PRESSURE"), "site", deadband=0.5)


def limits(point: Instrument | None) -> dict[AlarmKind, float]:
    assert point is not None
    return {rule.kind: rule.limit for rule in point.tag.rules if rule.kind is not AlarmKind.BAD}


def test_a_pressure_alarm_lies_outside_of_the_healthy_days() -> None:
    days = np.array([40.0, 55.0, 60.0])
    point = with_limits(instrument("PL01.pressure", Quantity.PRESSURE), days)
    found = limits(point)
    assert found[AlarmKind.LL] < found[AlarmKind.L] < 40 < 60 < found[AlarmKind.HH]
    assert point is not None
    assert point.tag.low <= found[AlarmKind.LL]
    assert found[AlarmKind.HH] <= point.tag.high * 1.1


def test_a_tank_warns_before_it_is_empty_or_full() -> None:
    found = limits(with_limits(instrument("TK01.level", Quantity.LEVEL, 1.0, 9.0), np.array([4.0, 7.0])))
    assert 1.0 < found[AlarmKind.LL] < found[AlarmKind.L] < 4.0
    assert 7.0 < found[AlarmKind.H] < 9.0
    # one that is always full has no alarm for that
    assert AlarmKind.H not in limits(
        with_limits(instrument("TK01.level", Quantity.LEVEL, 1.0, 9.0), np.array([4.0, 9.0]))
    )


def test_a_meter_shows_the_usual_direction_as_positive() -> None:
    point = with_limits(instrument("FM01.flow", Quantity.FLOW), np.array([-30.0, -20.0]))
    assert point is not None
    assert point.is_reversed
    assert point.tag.low == 0
    assert limits(point)[AlarmKind.H] > 30


@pytest.mark.parametrize(
    ("key", "quantity"), [("PL01.pressure", Quantity.PRESSURE), ("CL01.chlorine", Quantity.CHLORINE)]
)
def test_nobody_measures_where_a_healthy_network_is_poor(key: str, quantity: Quantity) -> None:
    assert with_limits(instrument(key, quantity), np.array([0.1, 60.0])) is None


def test_a_report_is_worth_it_on_change_of_value_or_quality_or_when_it_is_time() -> None:
    point = instrument("TK01.level", Quantity.LEVEL)
    reading = Reading(value=5.0, said_s=100.0)
    for value, is_good, now_s, is_worth in (
        (5.4, True, 101.0, False),
        (5.6, True, 101.0, True),
        (4.4, True, 101.0, True),
        (5.0, False, 101.0, True),
        (5.0, True, 110.0, True),
    ):
        assert is_worth_saying(point, reading, value, is_good, now_s) is is_worth
    assert is_worth_saying(point, Reading(), 5.0, True, 0.0)
