"""What a report reads of the journal."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from control_room.core.alarm_kpis import Deed, kpis
from control_room.core.alarms import AlarmState, ProcessChange, Raised, Returned
from control_room.core.errors import Refused
from db import alarm_figures
from db.alarm_figures import read_events, read_set_aside, read_standing
from db.alarm_journal import acknowledge, comment, shelve
from db.engine import translated
from db.stores import PostgresAlarmStore
from db.worker import DatabaseThread
from tests.core.test_alarm_log import lines, names
from tests.fakes import START


def period() -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    return now - timedelta(hours=1), now + timedelta(hours=1)


async def test_a_period_is_read_as_figures(thread: DatabaseThread, operator: Engine, station: Engine) -> None:
    store = PostgresAlarmStore(thread)
    await store.record([ProcessChange(rule, 1, Raised(START, 1.0, 0)) for rule in (1, 2, 3)])
    await store.record([ProcessChange(2, 2, Returned(START + timedelta(seconds=5), 1.0, 0))])
    with operator.begin() as connection:
        acknowledge(connection, [(1, 1)], "seen")
        comment(connection, [(1, 1)], "a note")
        shelve(connection, [(3, 1)], "test", 10, is_one_shot=False)
    with station.connect() as connection:
        events = read_events(connection, *period())
        standing = read_standing(connection, datetime.now(UTC))
        assert read_set_aside(connection, datetime.now(UTC)) == [(3, AlarmState.SHELVED)]
        assert read_set_aside(connection, START - timedelta(days=3650)) == []
    assert events.deed.tolist() == [Deed.ANNOUNCED] * 3 + [
        Deed.RETURNED,
        Deed.ACKNOWLEDGED,
        Deed.OTHER_BY_PERSON,
        Deed.OTHER_BY_PERSON,
    ]
    # returned ones do not stand, shelved ones are not counted
    assert [(one.rule, one.since_s) for one in standing] == [(1, START.timestamp())]
    begin, end = (one.timestamp() for one in period())
    found = kpis(events, begin, end, standing)
    assert (found.announced, found.deeds, list(found.fleeting)) == (3, 3, [2])


def test_an_empty_journal_and_a_full_one(
    thread: DatabaseThread, owner: Engine, station: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with station.connect() as connection:
        assert len(read_events(connection, *period()).time_s) == 0
        assert read_standing(connection, datetime.now(UTC)) == []
    with owner.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO alarm_journal (rule_id, event_id, happening, previous_state, state, trigger, source_time,"
                " quality, alarm_limit, priority, message)"
                " SELECT 1, n, 'raised', 'NORM', 'UNACK', 'process', now(), 0, 0, 1, 'x' FROM generate_series(1, 5) AS n"
            )
        )
    monkeypatch.setattr(alarm_figures, "MOST_EVENTS", 4)
    with (
        station.connect() as connection,
        pytest.raises(Refused, match="more than 4 events") as refused,
        translated(),
    ):
        read_events(connection, *period())
    assert refused.value.advice == "Choose a shorter one."


async def test_a_recorded_log_is_counted_as_its_lines_tell(
    thread: DatabaseThread, owner: Engine, station: Engine
) -> None:
    with owner.connect() as connection:
        numbers = connection.scalars(text("SELECT id FROM alarm_rule ORDER BY id")).all()
    known = dict(zip(names(lines()), numbers, strict=False))
    log = [line for line in lines() if line[1] in known]
    is_on: dict[int, bool] = {}
    told: Counter[int] = Counter()
    changes: list[ProcessChange] = []
    passed: Counter[int] = Counter()
    for time, name, is_abnormal in log:
        rule = known[name]
        if is_abnormal and not is_on.get(rule, False):
            told[rule] += 1
        is_on[rule] = is_abnormal
        event = Raised(time, 1.0, 0) if is_abnormal else Returned(time, 1.0, 0)
        passed[rule] += 1
        changes.append(ProcessChange(rule, passed[rule], event))
    await PostgresAlarmStore(thread).record(changes)
    with station.connect() as connection:
        events = read_events(connection, *period())
        standing = read_standing(connection, datetime.now(UTC))
    begin, end = (one.timestamp() for one in period())
    assert told
    assert dict(kpis(events, begin, end).counts) == dict(told)
    assert {one.rule for one in standing} == {rule for rule, on in is_on.items() if on}
