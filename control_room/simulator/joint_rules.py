"""Alarms that need several instruments together: a pump that takes too much power for what it delivers is worn or blocked."""

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

# of each tag, what it truly was over some healthy days
Days = Mapping[str, NDArray[np.float64]]


def with_joint_rules(instruments: Sequence[Instrument], days: Days) -> tuple[Instrument, ...]:
    """Return the instruments, those of a pump's power with an alarm that looks at its flow as well."""
    keys = {one.tag.key for one in instruments}
    return tuple(_with_efficiency(one, keys, days) for one in instruments)


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
