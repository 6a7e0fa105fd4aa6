"""The database marks the first of a group as the journal says it; what chatters is read by those who may see it."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest
from sqlalchemy import Engine, text

from control_room.core.alarms import (
    Alarm,
    AlarmState,
    Corrected,
    Happening,
    JournalEntry,
    ProcessChange,
    ProcessEvent,
    Raised,
    Returned,
    Trigger,
)
from control_room.core.chatter import Nuisance
from control_room.core.errors import Refused
from control_room.core.first_out import FirstOut, first_out
from control_room.core.plant import Plant
from db.alarm_journal import acknowledge, read_nuisances, shelve, unshelve
from db.embedded import EmbeddedServer
from db.stores import PostgresAlarmStore
from db.tag_store import import_plant, read_configuration
from db.worker import DatabaseThread
from tests.db.people import count_ids, person_engine
from tests.fakes import START
from tests.plants import plant


def with_group(key: str = "north") -> Plant:
    """Return a plant with two tags of three rules each, all but the last in one group."""
    whole = plant(key, tags=2)
    first, second = whole.tags
    grouped = [replace(rule, first_out_group="trip") for rule in (*first.rules, *second.rules)]
    grouped[-1] = replace(grouped[-1], first_out_group="")
    return replace(whole, tags=(replace(first, rules=tuple(grouped[:3])), replace(second, rules=tuple(grouped[3:]))))


@pytest.fixture
def thread(collector: Engine, owner: Engine) -> Iterator[DatabaseThread]:
    with owner.begin() as connection:
        count_ids(connection)
        import_plant(connection, with_group())
        import_plant(connection, with_group("south"))
    running = DatabaseThread(collector, "test")
    yield running
    running.close()


def journal(owner: Engine) -> list[JournalEntry]:
    with owner.connect() as connection:
        rows = connection.execute(text("SELECT * FROM alarm_journal ORDER BY id")).all()
    return [
        JournalEntry(
            row.rule_id,
            row.event_id,
            Happening(row.happening),
            AlarmState(row.previous_state),
            AlarmState(row.state),
            Trigger(row.trigger),
            row.source_time,
            row.value,
            row.quality,
        )
        for row in rows
    ]


def members(owner: Engine, place: int) -> frozenset[int]:
    with owner.connect() as connection:
        found = read_configuration(connection)
    tags = {tag.id for tag in found.tags if tag.municipality_id == place}
    return frozenset(rule.id for rule in found.rules if rule.tag_id in tags and rule.first_out_group)


def marked(alarms: list[Alarm], group: frozenset[int]) -> FirstOut | None:
    """Return what the database marks; one that has returned meanwhile keeps its mark while others stand."""
    found = [FirstOut(one.rule_id, one.first_out_time) for one in alarms if one.rule_id in group and one.first_out_time]
    assert len(found) <= 1
    stands = any(one.state is not AlarmState.NORMAL and not one.is_suppressed for one in alarms if one.rule_id in group)
    return found[0] if found and stands else None


def _event(deed: str, alarm: Alarm, now: datetime, chance: Random) -> ProcessEvent:
    at = now + timedelta(seconds=chance.uniform(-3, 0))
    if deed == "correct" and alarm.is_active and alarm.raised_time is not None:
        return Corrected(alarm.raised_time - timedelta(seconds=chance.uniform(-2, 9)), 2.0, 0)
    return Returned(at, 0.0, 0) if alarm.is_active else Raised(at, 1.0, 0)


@pytest.mark.parametrize("seed", range(4))
async def test_the_database_marks_as_the_journal_says(
    thread: DatabaseThread, owner: Engine, server: EmbeddedServer, database: str, seed: int
) -> None:
    chance, store = Random(seed), PostgresAlarmStore(thread)
    groups = [members(owner, place) for place in (1, 2)]
    assert all(len(group) == 5 for group in groups)
    rules = sorted(groups[0] | groups[1])
    numbers = dict.fromkeys(rules, 0)
    events: list[ProcessEvent]
    with person_engine(server, database, "ada", "supervisor", 1) as ada:
        for step in range(60):
            known = {one.rule_id: one for one in await store.read_alarms()}
            rule_id = chance.choice(rules)
            alarm = known.get(rule_id, Alarm(rule_id))
            deed = chance.choice(["process", "process", "correct", "acknowledge", "shelve"])
            if deed in ("process", "correct"):
                events = [_event(deed, alarm, START + timedelta(seconds=step), chance)]
                numbers[rule_id] += 2 if isinstance(events[0], Corrected) else 1
                await store.record([ProcessChange(rule_id, numbers[rule_id], event) for event in events])
            else:
                one = [(rule_id, alarm.event_id)]
                with suppress(Refused), ada.begin() as connection:
                    if deed == "acknowledge":
                        acknowledge(connection, one, "")
                    elif alarm.shelving:
                        unshelve(connection, one, "")
                    else:
                        shelve(connection, one, "work", 15, is_one_shot=False)
            entries, alarms = journal(owner), await store.read_alarms()
            for group in groups:
                assert marked(alarms, group) == first_out(group, entries)


async def test_a_seat_hears_that_a_mark_went_to_another(thread: DatabaseThread, owner: Engine) -> None:
    store = PostgresAlarmStore(thread)
    first, second, *_ = sorted(members(owner, 1))
    await store.record([ProcessChange(first, 1, Raised(START + timedelta(seconds=2), 1.0, 0))])
    with owner.connect() as connection:
        before = connection.execute(text("SELECT max(seq) FROM alarm")).scalar_one()
    await store.record([ProcessChange(second, 1, Raised(START, 1.0, 0))])
    with owner.connect() as connection:
        changed = connection.execute(text("SELECT rule_id FROM alarm WHERE seq > :seq"), {"seq": before}).scalars()
        assert set(changed) == {first, second}
    marks = {one.rule_id: one.is_first_out for one in await store.read_alarms()}
    assert marks == {first: False, second: True}


async def test_nuisances_are_told_to_those_who_may_see_the_alarm(
    thread: DatabaseThread, owner: Engine, station: Engine, server: EmbeddedServer, database: str
) -> None:
    store = PostgresAlarmStore(thread)
    here, there = (min(members(owner, place)) for place in (1, 2))
    quiet = max(members(owner, 1))
    changes = []
    for rule_id in (here, there):
        for number in range(3):
            at = START + timedelta(seconds=15 * number)
            changes.append(ProcessChange(rule_id, 2 * number + 1, Raised(at, 1.0, 0)))
            changes.append(ProcessChange(rule_id, 2 * number + 2, Returned(at + timedelta(seconds=5), 0.0, 0)))
    changes.append(ProcessChange(quiet, 1, Raised(START, 1.0, 0)))
    await store.record(changes)
    with station.connect() as connection:
        assert read_nuisances(connection) == {here: Nuisance.CHATTERING, there: Nuisance.CHATTERING}
    with person_engine(server, database, "ada", "operator", 1) as engine, engine.connect() as connection:
        assert read_nuisances(connection) == {here: Nuisance.CHATTERING}
