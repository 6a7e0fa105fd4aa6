"""A replay of what the database's own functions wrote: it ends in the alarms that the database has, and begins as they stood."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, select, text

from control_room.core.alarms import Alarm, AlarmState, ProcessChange, Raised, Returned
from control_room.core.replay import Replay
from control_room.ui.replay_reading import read_rows, replay_rows
from db.alarm_journal import acknowledge, comment, reset, return_to_service, shelve, take_out_of_service, unshelve
from db.engine import make_engine
from db.journal_search import JournalFilter
from db.stores import PostgresAlarmStore, as_alarm
from db.tables import alarm
from db.tag_store import import_plant, read_configuration
from db.worker import DatabaseThread
from tests.plants import plant

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def read(engine: Engine) -> Callable[[partial[Any]], Any]:
    async def job(work: partial[Any]) -> Any:
        with engine.connect() as connection:
            return work(connection)

    return job


def board(connection: Connection) -> dict[int, Alarm]:
    return {row.rule_id: as_alarm(row) for row in connection.execute(select(alarm))}


def comparable(alarms: dict[int, Alarm]) -> dict[int, tuple[Any, ...]]:
    """Return what the journal tells of every alarm that is not normal."""
    return {
        key: (
            one.state,
            one.event_id,
            one.is_active,
            one.is_acknowledged,
            one.raised_time,
            one.acknowledged_by,
            one.value,
            one.shelving and (one.shelving.person, one.shelving.reason, one.shelving.until),
            one.out_of_service and (one.out_of_service.person, one.out_of_service.work_order),
        )
        for key, one in alarms.items()
        if one.state is not AlarmState.NORMAL
    }


async def play(owner: Engine, station: Engine, start: datetime) -> Replay:
    """Return the replay from a moment until now, at its beginning."""
    with owner.connect() as connection:
        rules = {rule.id: rule for rule in read_configuration(connection).rules}
    end = datetime.now(UTC) + timedelta(minutes=1)
    rows = await read_rows(read(station), JournalFilter(start=start, end=end), lambda _: True)
    replay = Replay(replay_rows(rows, rules))
    replay.seek(start)
    return replay


def prepare(owner: Engine) -> list[int]:
    """Return the rules of a plant; the sixth latches."""
    with owner.begin() as connection:
        import_plant(connection, plant("north", 4))
        ids = sorted(rule.id for rule in read_configuration(connection).rules)
        connection.execute(text("UPDATE alarm_rule SET is_latching = true WHERE id = :id"), {"id": ids[5]})
        # one person does everything here
        connection.execute(text("INSERT INTO membership (login, role) VALUES ('ada', 'supervisor')"))
    return ids


def seconds(number: int) -> datetime:
    return LONG_AGO + timedelta(seconds=number)


async def test_a_replay_ends_in_the_alarms_and_begins_as_they_stood(
    owner: Engine, collector: Engine, station: Engine, operator: Engine
) -> None:
    ids = prepare(owner)
    thread = DatabaseThread(make_engine(collector.url, "replay"), "replay")
    store = PostgresAlarmStore(thread)

    def do(work: Callable[..., object], *places: int, **more: Any) -> None:
        with operator.begin() as connection:
            now = board(connection)
            work(connection, [(ids[place], now[ids[place]].event_id) for place in places], **more)

    await store.record([ProcessChange(ids[n], 1, Raised(seconds(n), 95.0 + n, 0)) for n in range(9)])
    do(acknowledge, 0, 1, 5, comment="seen")
    do(shelve, 2, 3, comment="pump test", minutes=30, is_one_shot=False)
    do(take_out_of_service, 4, comment="sensor", work_order="WO 17")
    with owner.connect() as connection:
        opening = board(connection)
        # the database's clock numbers the rows; what follows is written later than this
        middle = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    await store.record([ProcessChange(ids[n], 2, Returned(seconds(60 + n), 1.0, 0)) for n in (0, 5, 6)])
    do(comment, 1, comment="a note")
    do(unshelve, 2, comment="done")
    do(return_to_service, 4, comment="done")
    do(reset, 5, comment="")
    thread.close()

    whole = await play(owner, station, LONG_AGO)
    assert whole.alarms == {}
    later = await play(owner, station, middle)
    assert comparable(later.alarms) == comparable(opening)
    with owner.connect() as connection:
        expected = comparable(board(connection))
    assert {one[0].value for one in expected.values()} == {"UNACK", "ACKED", "SHLVD", "RTNUN"}
    for replay in (whole, later):
        replay.seek(datetime.now(UTC) + timedelta(minutes=1))
        assert comparable(replay.alarms) == expected
