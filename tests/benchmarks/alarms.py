"""Alarms: 100,000 rules on the desk beside a plain loop over them, as many expressions beside the same written in Python, and a
flood through the state machine of the database beside bare rows of the same journal, in the same run.

The plain loop compares each value with the limits of its tag and knows neither delays nor quality. In the flood every alarm is
raised and returned; the machine judges each, writes alarm and journal, and wakes the seats once a batch. The bare way inserts
the journal's rows alone, in batches of the same size. At last 500 transitions a second go on for the time that was asked for
(`--seconds 300`): how far behind they fall, and how the memory of the collector's side grows meanwhile.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import psutil
from sqlalchemy import Connection, Engine, text

from control_room.core.alarms import Alarm, AlarmKind, AlarmRule, Priority, ProcessChange, Raised, Returned
from control_room.core.expressions import parse_condition
from control_room.core.plant import Plant, PlantConnection, PlantRule, PlantTag
from control_room.core.samples import Sample
from control_room.core.suppression import CauseChange, CauseState
from control_room.core.tags import Quantity
from control_room.services.alarm_desk import AlarmDesk
from db.embedded import open_embedded
from db.engine import make_engine
from db.schema import upgrade
from db.stores import PostgresAlarmStore
from db.tag_store import import_plant
from db.worker import DatabaseThread
from tests.db.people import count_ids

T = TypeVar("T")
ALARMS, BATCH, SUSTAINED = 10_000, 500, 500
RULES, SAMPLES = 100_000, 200_000
_BARE = text("""
    INSERT INTO alarm_journal (rule_id, event_id, happening, previous_state, state, trigger, source_time, value, quality,
        alarm_limit, priority, message, municipality_id)
    VALUES (:rule_id, 1, 'raised', 'NORM', 'UNACK', 'process', :time, 1, 0, 1, 4, 'high', 1)""")


def run(seconds: float, rates: list[int] | None) -> list[dict[str, Any]]:
    """Return a row of the rules and one of the flood: figures, those of the plain way, and the ratio."""
    del rates
    with tempfile.TemporaryDirectory(prefix="control-room-benchmark-") as name:
        Path(name).chmod(0o755)
        server = open_embedded(Path(name), lambda _: None)
        try:
            upgrade(server.url("postgres"), server.credentials.passwords())
            owner = make_engine(server.url("postgres"), "benchmark")
            with owner.begin() as connection:
                # rules are named by their numbers
                count_ids(connection)
                import_plant(connection, _plant())
            thread = DatabaseThread(make_engine(server.url("collector"), "benchmark"), "benchmark")
            store = PostgresAlarmStore(thread)
            rows = [_judge(), _judge_expressions(), _measure(store, owner), asyncio.run(_sustain(store, seconds))]
            thread.close()
            return rows
        finally:
            server.stop()


def _judge() -> dict[str, Any]:
    """Let the desk judge samples that pass no limit, as nearly all do; four limits a tag."""
    limits = ((AlarmKind.HH, 20.0), (AlarmKind.H, 15.0), (AlarmKind.L, -15.0), (AlarmKind.LL, -20.0))
    rules = [
        AlarmRule(4 * tag_id + number, tag_id, kind, Priority.LOW, limit, 1.0, 1.0, 1.0)
        for tag_id in range(RULES // 4)
        for number, (kind, limit) in enumerate(limits)
    ]
    now, chance = datetime.now(UTC), Random(1)
    samples = [Sample(chance.randrange(RULES // 4), chance.gauss(0, 3), 0, now, now) for _ in range(SAMPLES)]
    desk = AlarmDesk(_NoStore(), lambda: now)
    desk.use_rules(rules)
    own_s = _timed(lambda: desk.take(samples))
    by_tag: dict[int, list[AlarmRule]] = {}
    for rule in rules:
        by_tag.setdefault(rule.tag_id, []).append(rule)
    plain_s = _timed(lambda: _plain_loop(by_tag, samples))
    return {
        "rules": RULES,
        "us_per_value": 1e6 * own_s / SAMPLES,
        "core_percent_at_10000_per_s": 100 * 10_000 * own_s / SAMPLES,
        "plain_us_per_value": 1e6 * plain_s / SAMPLES,
        "ratio_to_plain": own_s / plain_s,
    }


def _judge_expressions() -> dict[str, Any]:
    """Let the desk judge samples that make no expression true; two tags each, and each tag in two of them."""
    expressions = (
        "tag('a') > 15 and abs(tag('a') - tag('b')) < 2",
        "max(tag('a'), tag('b')) - min(tag('a'), tag('b')) > 60",
    )
    begun = time.perf_counter()
    rules = [
        AlarmRule(number, number, AlarmKind.EXPRESSION, Priority.LOW, expression=parse_condition(one), inputs=inputs)
        for number in range(RULES)
        for one, inputs in [(expressions[number % 2], (number, number ^ 1))]
    ]
    parse_s = time.perf_counter() - begun
    now, chance = datetime.now(UTC), Random(1)
    samples = [Sample(chance.randrange(RULES), chance.gauss(0, 3), 0, now, now) for _ in range(SAMPLES)]
    desk = AlarmDesk(_NoStore(), lambda: now)
    desk.use_rules(rules)
    own_s = _timed(lambda: desk.take(samples))
    plain_s = _timed(lambda: _plain_expressions(samples))
    return {
        "expressions": RULES,
        "us_per_expression_read": 1e6 * parse_s / RULES,
        "us_per_value": 1e6 * own_s / SAMPLES,
        "core_percent_at_10000_per_s": 100 * 10_000 * own_s / SAMPLES,
        "plain_us_per_value": 1e6 * plain_s / SAMPLES,
        "ratio_to_plain": own_s / plain_s,
    }


def _plain_expressions(samples: Sequence[Sample]) -> int:
    active, values = set(), [0.0] * RULES
    for sample in samples:
        values[sample.tag_id] = sample.value or 0.0
        for number in (sample.tag_id, sample.tag_id ^ 1):
            a, b = values[number], values[number ^ 1]
            if (max(a, b) - min(a, b) > 60) if number % 2 else (a > 15 and abs(a - b) < 2):
                active.add(number)
            else:
                active.discard(number)
    return len(active)


def _plain_loop(by_tag: Mapping[int, Sequence[AlarmRule]], samples: Sequence[Sample]) -> int:
    active = set()
    for sample in samples:
        for rule in by_tag[sample.tag_id]:
            value = sample.value or 0.0
            is_high = rule.kind in (AlarmKind.HH, AlarmKind.H)
            if value >= rule.limit if is_high else value <= rule.limit:
                active.add(rule.id)
            else:
                active.discard(rule.id)
    return len(active)


class _NoStore:
    """Where nothing is recorded: only the judging is timed."""

    async def read_alarms(self) -> list[Alarm]:
        return []

    async def read_causes(self) -> list[CauseState]:
        return []

    async def record(self, changes: Sequence[ProcessChange | CauseChange]) -> None:
        pass

    async def pass_time(self) -> int:
        return 0


def _plant() -> Plant:
    rule = PlantRule(AlarmKind.H, Priority.LOW, 1.0)
    tags = (
        PlantTag(f"T{n}", f"Tag {n}", "Site", "Group", Quantity.FLOW, "c", f"v{n}", "L/s", rules=(rule,))
        for n in range(ALARMS)
    )
    return Plant("load", "Load", (PlantConnection("c", "opc_ua", {}),), tuple(tags))


def _changes() -> Iterator[ProcessChange]:
    now = datetime.now(UTC)
    for number, event in ((1, Raised(now, 1.0, 0)), (2, Returned(now, 0.0, 0))):
        yield from (ProcessChange(rule_id, number, event) for rule_id in range(1, ALARMS + 1))


def _measure(store: PostgresAlarmStore, owner: Engine) -> dict[str, Any]:
    async def record() -> None:
        for batch in _batches(list(_changes())):
            await store.record(batch)

    own_s = _timed(lambda: asyncio.run(record()))
    with owner.connect() as connection:
        stored = connection.execute(text("SELECT count(*) FROM alarm_journal")).scalar_one()
    rows = [{"rule_id": rule_id, "time": datetime.now(UTC)} for rule_id in range(1, ALARMS + 1)] * 2
    bare_s = _timed(lambda: _bare(owner, rows))
    return {
        "transitions": len(rows),
        "lost": len(rows) - stored,
        "transitions_per_s": len(rows) / own_s,
        "bare_rows_per_s": len(rows) / bare_s,
        "ratio_to_bare": own_s / bare_s,
    }


async def _sustain(store: PostgresAlarmStore, seconds: float) -> dict[str, Any]:
    """Record SUSTAINED transitions a second, in ten batches, through a store; memory counts from a fifth of the time on."""
    own, begun, told, behind_s, first_mb = psutil.Process(), time.monotonic(), 0, 0.0, 0.0
    numbers = dict.fromkeys(range(1, ALARMS + 1), 2)
    while (due_s := told / SUSTAINED) < seconds:
        await asyncio.sleep(max(0.0, begun + due_s - time.monotonic()))
        now, batch = datetime.now(UTC), list[ProcessChange]()
        for place in range(told, told + SUSTAINED // 10):
            rule_id = place % ALARMS + 1
            number = numbers[rule_id] = numbers[rule_id] + 1
            event = Raised(now, 1.0, 0) if number % 2 else Returned(now, 0.0, 0)
            batch.append(ProcessChange(rule_id, number, event))
        await store.record(batch)
        told += len(batch)
        behind_s = max(behind_s, time.monotonic() - begun - told / SUSTAINED)
        if not first_mb and told / SUSTAINED > seconds / 5:
            first_mb = own.memory_info().rss / 1e6
    return {
        "sustained_transitions": told,
        "sustained_per_s": told / (time.monotonic() - begun),
        "furthest_behind_s": behind_s,
        "growth_mb": own.memory_info().rss / 1e6 - first_mb,
    }


def _batches(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    return (rows[first : first + BATCH] for first in range(0, len(rows), BATCH))


def _bare(owner: Engine, rows: Sequence[dict[str, Any]]) -> None:
    with owner.connect() as connection:
        for batch in _batches(rows):
            _insert(connection, batch)


def _insert(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    connection.execute(_BARE, list(rows))
    connection.commit()


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
