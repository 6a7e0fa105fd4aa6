"""What the alarm desk makes of what the demo's plant says."""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import groupby

from control_room.core.alarms import AlarmRule, AlarmState
from control_room.core.expressions import parse_condition
from control_room.core.plant import PlantSuppression, PlantTag
from control_room.core.samples import Sample
from control_room.core.suppression import Suppression
from control_room.core.suppression_check import AlarmKey, meant_by
from control_room.services.alarm_desk import AlarmDesk
from control_room.simulator.outstations import Outstations, Report
from tests.fakes import START, FakeAlarmStore, FakeClock

Said = Iterable[tuple[float, Report]]


def judged(station: Outstations, said: Said) -> list[tuple[str, str, str]]:
    """Return (tag, kind, happening) of all that alarms did, suppressions and clock included."""
    return asyncio.run(_judged(station.model.plant.suppressions, [one.tag for one in station.model.instruments], said))


def announced(station: Outstations, said: Said) -> list[tuple[str, str]]:
    """Return (tag, kind) of every alarm that somebody was told of."""
    heard = {"raised", "unsuppressed"}
    return [
        (key, kind)
        for key, kind, happening in judged(station, said)
        if happening.partition(" ")[0] in heard and happening.endswith(AlarmState.UNACKNOWLEDGED)
    ]


async def _judged(
    suppressions: Sequence[PlantSuppression], tags: Sequence[PlantTag], said: Said
) -> list[tuple[str, str, str]]:
    ids = {tag.key: number for number, tag in enumerate(tags, 1)}
    rules: dict[AlarmKey, AlarmRule] = {}
    for tag in tags:
        for r in tag.rules:
            other = ids.get(r.other)
            expression = parse_condition(r.expression) if r.expression else None
            rules[tag.key, r.kind] = AlarmRule(
                len(rules) + 1,
                ids[tag.key],
                r.kind,
                r.priority,
                r.limit,
                r.deadband,
                r.on_delay_s,
                r.off_delay_s,
                is_latching=r.is_latching,
                other_tag_id=other,
                expression=expression,
                inputs=tuple(ids[key] for key in expression.keys) if expression else (),
            )
    by_key = {tag.key: tag for tag in tags}
    known = [
        Suppression(
            number,
            1,
            one.name,
            one.cause,
            one.delay_s,
            rules[one.tag, one.kind].id if one.is_alarm else None,
            None if one.is_alarm else ids[one.tag],
            one.kind,
            one.limit,
            consequences=frozenset(rules[alarm].id for alarm in meant_by(one, by_key)),
        )
        for number, one in enumerate(suppressions, 1)
    ]
    clock = FakeClock()
    store = FakeAlarmStore(
        clock=clock, rules={one.id: one for one in rules.values()}, suppressions={s.id: s for s in known}
    )
    desk = AlarmDesk(store, clock)
    desk.use_rules(rules.values(), known)
    for wall_s, reports in groupby(said, key=lambda one: one[0]):
        clock.now = START
        now = clock.pass_s(wall_s)
        desk.take([Sample(ids[key], value, quality, now, now) for _, (key, value, quality) in reports])
        await desk.flush()
        await store.pass_time()
    names = {rule.id: key for key, rule in rules.items()}
    return [(*names[entry.rule_id], f"{entry.happening} {entry.state}") for entry in store.journal]
