"""What a report reads of the journal."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from control_room.core.alarm_kpis import Deed, kpis
from control_room.core.alarms import ProcessChange, Raised, Returned
from control_room.core.errors import Refused
from db import alarm_figures
from db.alarm_figures import read_events, read_standing
from db.alarm_journal import acknowledge, comment, shelve
from db.engine import translated
from db.stores import PostgresAlarmStore
from db.tag_store import import_plant
from db.worker import DatabaseThread
from tests.db.people import count_ids
from tests.fakes import START
from tests.plants import plant


@pytest.fixture
def thread(collector: Engine, owner: Engine) -> Iterator[DatabaseThread]:
    with owner.begin() as connection:
        count_ids(connection)
        import_plant(connection, plant())
    running = DatabaseThread(collector, "test")
    yield running
    running.close()


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
