"""What is normal: ranges and alarm limits of instruments, from some days of the healthy network.

Few alarms are urgent, as ISA-18.2 advises: most are low, about one in six is medium, fewer than one in twenty higher.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from control_room.core.alarms import AlarmKind, Priority
from control_room.core.plant import PlantRule, PlantTag
from control_room.core.tags import Quantity
from control_room.simulator.instruments import Instrument

# least residual entering or within a network (40 CFR 141.72, 30 TAC 290.110)
_LEAST_CHLORINE = 0.2
_LEAST_PRESSURE_M = 8.0
_DELAY_S = 3.0
# a pump that starts needs so long to deliver
_NO_FLOW_DELAY_S = 5.0
_Rules = tuple[PlantRule, ...]


def with_limits(point: Instrument, days: NDArray[np.float64]) -> Instrument | None:
    """Return the instrument with its range and alarms; `days` is its truth over healthy days.

    None where nobody would install it: pressures and chlorine that are poor in a healthy network.
    """
    if point.tag.key.startswith("FM") and days.mean() < 0:
        # a meter shows the usual direction as positive
        point, days = replace(point, is_reversed=True), -days
    low, high = float(days.min()), float(days.max())
    tag = point.tag
    if not _is_worth_measuring(tag, low):
        return None
    if tag.states:
        return replace(point, tag=replace(tag, rules=_digital(tag)))
    if tag.quantity in (Quantity.PRESSURE, Quantity.FLOW, Quantity.POWER):
        bottom, top = _range(low, high)
        tag = replace(tag, low=bottom, high=top)
    if tag.is_writable:
        # what a person sets is known; it has no limits but its range
        return replace(point, tag=tag)
    return replace(point, tag=replace(tag, rules=(*_analog(tag, low, high), _bad(tag))))


def _is_worth_measuring(tag: PlantTag, low: float) -> bool:
    if tag.key.startswith("PL"):
        return low >= _LEAST_PRESSURE_M
    return tag.quantity is not Quantity.CHLORINE or low >= 1.5 * _LEAST_CHLORINE


def _range(low: float, high: float) -> tuple[float, float]:
    """Return a round range around what is normal, from 0 unless it goes below."""
    top = max(abs(low), abs(high), 1.0) * 1.3
    step = 10 ** math.floor(math.log10(top)) / 2
    top = math.ceil(top / step) * step
    return (-top if low < -0.02 * top else 0.0), top


def _digital(tag: PlantTag) -> _Rules:
    if tag.key.endswith(".state"):
        # a machine that does not do what it was told; the trip itself comes first and says why
        message = f"{tag.site} {tag.asset.lower()} does not follow its command"
        command = f"{tag.key.removesuffix('state')}command"
        return (PlantRule(AlarmKind.DISCREPANCY, Priority.MEDIUM, on_delay_s=10.0, message=message, other=command),)
    if tag.key.endswith(".trip"):
        message = f"{tag.site} {tag.asset.lower()} tripped"
        # a pump that restarts by itself tripped all the same: somebody must have looked
        return (PlantRule(AlarmKind.H, Priority.HIGH, 0.5, message=message, is_latching=True),)
    return ()


def _bad(tag: PlantTag) -> PlantRule:
    words = f"{tag.name}: no valid value"
    return PlantRule(AlarmKind.BAD, Priority.LOW, on_delay_s=5.0, off_delay_s=5.0, message=words)


def _analog(tag: PlantTag, low: float, high: float) -> _Rules:
    make: dict[Quantity, Callable[[PlantTag, float, float], _Rules]] = {
        Quantity.LEVEL: _level,
        Quantity.PRESSURE: _pressure,
        Quantity.FLOW: _flow,
        Quantity.CHLORINE: _chlorine,
    }
    return make[tag.quantity](tag, low, high) if tag.quantity in make else ()


def _rule(
    tag: PlantTag,
    kind: AlarmKind,
    priority: Priority,
    limit: float,
    deadband: float,
    words: str,
    delay_s: float = _DELAY_S,
) -> PlantRule:
    return PlantRule(kind, priority, round(limit, 3), round(deadband, 3), delay_s, delay_s, f"{tag.name} {words}")


def _level(tag: PlantTag, low: float, high: float) -> _Rules:
    depth = tag.high - tag.low
    lowest = low - max(0.06 * depth, 0.1)
    rules = [
        _rule(tag, AlarmKind.L, Priority.MEDIUM, lowest, 0.02 * depth, "low"),
        _rule(tag, AlarmKind.LL, Priority.HIGHEST, lowest - 0.1 * depth, 0.02 * depth, "very low"),
    ]
    if high + 0.05 * depth < tag.high:
        rules.append(_rule(tag, AlarmKind.H, Priority.LOW, high + 0.05 * depth, 0.01 * depth, "high"))
    return tuple(one for one in rules if one.kind is AlarmKind.H or one.limit > tag.low)


def _pressure(tag: PlantTag, low: float, high: float) -> _Rules:
    margin = max(2.0, 0.1 * (high - low), 0.04 * abs(high))
    highest = _rule(tag, AlarmKind.HH, Priority.LOW, high + 3 * margin, 1.0, "very high")
    if tag.key.endswith((".suction", ".discharge")):
        return (highest,)
    rules = [_rule(tag, AlarmKind.L, Priority.LOW, low - margin, 0.5, "low")]
    if low - 3 * margin > 1.0:
        rules.append(_rule(tag, AlarmKind.LL, Priority.MEDIUM, low - 3 * margin, 0.5, "very low"))
    return (*rules, highest)


def _flow(tag: PlantTag, low: float, high: float) -> _Rules:
    # a burst shows as more flow than on any healthy day
    margin = max(2.0, 0.4 * (high - min(low, 0.0)))
    high_flow = _rule(tag, AlarmKind.H, Priority.LOW, high + margin, 0.2 * margin, "high")
    if not tag.key.startswith("PU") or high < 1.0:
        return (high_flow,)
    # a pump that runs and delivers little is blocked or pumps against a closed valve; a stopped one has no flow by design
    return high_flow, _rule(tag, AlarmKind.L, Priority.LOW, 0.1 * high, 0.02 * high, "low", _NO_FLOW_DELAY_S)


def _chlorine(tag: PlantTag, low: float, high: float) -> _Rules:
    del low, high
    return (_rule(tag, AlarmKind.L, Priority.MEDIUM, _LEAST_CHLORINE, 0.02, "low", 10.0),)
