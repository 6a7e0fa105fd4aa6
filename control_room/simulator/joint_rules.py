"""What several instruments say together: a pump that takes too much power for what it delivers is worn or blocked, and of
the alarms that go with a pump's trip it matters which came first."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from control_room.core.alarms import AlarmKind, Priority
from control_room.core.plant import PlantRule
from control_room.core.tags import Quantity
from control_room.simulator.instruments import Instrument

# how much worse than on the worst healthy day, and how long; a pump that starts is no measure
_WORSE = 1.5
_DELAY_S = 10.0
_LEAST_FLOW_L_PER_S = 2.0

# what may stop a pump, or shows that it stopped; the first to come is the cause
_TRIP_CAUSES = frozenset({"trip", "state", "suction", "discharge", "power"})
_CAUSE_KINDS = frozenset({AlarmKind.H, AlarmKind.HH, AlarmKind.DISCREPANCY, AlarmKind.EXPRESSION})

# of each tag, what it truly was over some healthy days
Days = Mapping[str, NDArray[np.float64]]


def with_joint_rules(instruments: Sequence[Instrument], days: Days) -> tuple[Instrument, ...]:
    """Return the instruments, those of a pump's power with an alarm that looks at its flow as well, and a first-out group
    for each pump."""
    keys = {one.tag.key for one in instruments}
    return tuple(_in_group(_with_efficiency(one, keys, days), keys) for one in instruments)


def _in_group(point: Instrument, keys: set[str]) -> Instrument:
    pump, _, suffix = point.tag.key.rpartition(".")
    if suffix not in _TRIP_CAUSES or not {f"{pump}.trip", f"{pump}.state"} <= keys:
        return point
    group = f"{pump} trip"
    rules = (replace(one, first_out_group=group if one.kind in _CAUSE_KINDS else "") for one in point.tag.rules)
    return replace(point, tag=replace(point.tag, rules=tuple(rules)))


def _with_efficiency(point: Instrument, keys: set[str], days: Days) -> Instrument:
    tag = point.tag
    flow_key = f"{tag.key.rpartition('.')[0]}.flow"
    if tag.quantity is not Quantity.POWER or flow_key not in keys:
        return point
    power, flow = days[tag.key], days[flow_key]
    least = max(_LEAST_FLOW_L_PER_S, 0.5 * float(flow.max()))
    runs = flow > least
    if not runs.any():
        return point
    most = _WORSE * float((power[runs] / flow[runs]).max())
    expression = f"tag('{flow_key}') > {least:.3g} and tag('{tag.key}') / tag('{flow_key}') > {most:.3g}"
    rule = PlantRule(
        AlarmKind.EXPRESSION,
        Priority.LOW,
        on_delay_s=_DELAY_S,
        off_delay_s=_DELAY_S,
        message=f"{tag.site} {tag.asset.lower()} takes too much power for its flow",
        expression=expression,
    )
    return replace(point, tag=replace(tag, rules=(*tag.rules, rule)))
