"""What every store keeps to: the fakes that the services are tested with, and the real PostgreSQL."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import TypeVar

import pytest
from sqlalchemy import Engine, select, text

from control_room.core.alarms import Acknowledged, Alarm, AlarmState, JournalEntry, Raised, Returned, Trigger, step
from control_room.core.errors import DatabaseUnavailable
from control_room.core.ports import AlarmStore, SampleStore
from control_room.core.samples import BAD, BAD_SENSOR_FAILURE, GOOD, UNCERTAIN, Sample
from db.alarm_journal import acknowledge
from db.embedded import EmbeddedServer
from db.engine import make_engine
from db.stores import PostgresAlarmStore, PostgresSampleStore
from db.tables import alarm_journal
from db.tag_store import import_plant
from db.worker import DatabaseThread
from tests.fakes import START, FakeAlarmStore, FakeSampleStore, sample
from tests.plants import plant

T = TypeVar("T")
Away = Callable[[], AbstractContextManager[None]]
Change = tuple[Alarm, JournalEntry]


@pytest.fixture
def thread(collector: Engine, owner: Engine) -> Iterator[DatabaseThread]:
    with owner.begin() as connection:
        import_plant(connection, plant())
    running = DatabaseThread(collector, "test")
    yield running
    running.close()


@pytest.fixture
def postgres_away(server: EmbeddedServer, database: str) -> Away:
    """Return what keeps everybody out of the database for a while, those who are in it too."""

    @contextmanager
    def away() -> Iterator[None]:
        engine = make_engine(server.url("postgres", "postgres"), "tests")
        with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(text(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false"))
            ended = text("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = :name")
            connection.execute(ended, {"name": database})
            yield
            connection.execute(text(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true"))
        engine.dispose()

    return away


@contextmanager
def fake_away(store: FakeSampleStore | FakeAlarmStore) -> Iterator[None]:
    store.is_away = True
    yield
    store.is_away = False


async def when_back(ask: Callable[[], Awaitable[T]]) -> T:
    """Return the answer of a store that was away; it may pause before it looks again."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await ask()
            except DatabaseUnavailable:
                await asyncio.sleep(0.01)


# samples


@dataclass(frozen=True, slots=True)
class SampleRig:
    """A sample store, and how to take it away."""

    store: SampleStore
    away: Away


class SampleStoreContract:
    """What every SampleStore keeps to."""

    async def test_a_tag_that_never_had_a_sample_has_no_newest(self, rig: SampleRig) -> None:
        assert await rig.store.read_latest() == []
        await rig.store.write_samples([])
        assert await rig.store.read_latest() == []

    async def test_a_sample_comes_back_as_it_was(self, rig: SampleRig) -> None:
        time = START + timedelta(microseconds=123_457)
        written = [
            Sample(1, 0.1 + 0.2, UNCERTAIN, time, time + timedelta(seconds=2)),
            Sample(2, None, BAD_SENSOR_FAILURE, time, time),
            # a clock of the plant that runs ahead
            Sample(3, -1e300, GOOD, time + timedelta(days=9_000), time),
        ]
        await rig.store.write_samples(written)
        found = await newest(rig.store)
        assert found == {one.tag_id: one for one in written}
        assert {time.utcoffset() for one in found.values() for time in (one.source_time, one.arrival_time)} == {
            timedelta(0)
        }

    @pytest.mark.parametrize("is_one_batch", [True, False])
    async def test_the_newest_is_the_one_of_the_latest_source_time(self, rig: SampleRig, is_one_batch: bool) -> None:
        written = [sample(1, 2.0, 5), sample(1, 1.0, 4), sample(2, 3.0, 1), sample(2, None, 2, BAD)]
        for batch in [written] if is_one_batch else [[one] for one in written]:
            await rig.store.write_samples(batch)
        assert await newest(rig.store) == {1: written[0], 2: written[3]}

    @pytest.mark.parametrize("is_one_batch", [True, False])
    async def test_of_two_at_one_time_the_later_written_is_the_newest(self, rig: SampleRig, is_one_batch: bool) -> None:
        written = [sample(1, 1.0), sample(1, 1.0, quality=BAD)]
        for batch in [written] if is_one_batch else [[one] for one in written]:
            await rig.store.write_samples(batch)
        assert await newest(rig.store) == {1: written[1]}

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
    async def test_what_is_no_finite_number_is_no_value_and_bad(self, rig: SampleRig, value: float) -> None:
        await rig.store.write_samples([sample(1, value), sample(2, value, quality=BAD_SENSOR_FAILURE)])
        assert await newest(rig.store) == {1: sample(1, None, quality=BAD), 2: sample(2, None, 0, BAD_SENSOR_FAILURE)}

    async def test_a_batch_whose_answer_was_lost_may_be_written_again(self, rig: SampleRig) -> None:
        for _ in range(2):
            await rig.store.write_samples([sample(1, 1.0), sample(1, 2.0, 1)])
        assert await newest(rig.store) == {1: sample(1, 2.0, 1)}

    async def test_a_database_that_is_away_says_so_and_stores_nothing(self, rig: SampleRig) -> None:
        await rig.store.write_samples([sample(1, 1.0)])
        with rig.away():
            for _ in range(2):
                with pytest.raises(DatabaseUnavailable) as fault:
                    await rig.store.write_samples([sample(1, 2.0, 1), sample(2, 2.0, 1)])
                assert fault.value.advice
            with pytest.raises(DatabaseUnavailable):
                await rig.store.read_latest()
        assert await when_back(rig.store.read_latest) == [sample(1, 1.0)]
        await rig.store.write_samples([sample(1, 3.0, 2)])
        assert await newest(rig.store) == {1: sample(1, 3.0, 2)}


async def newest(store: SampleStore) -> dict[int, Sample]:
    found = await store.read_latest()
    by_tag = {one.tag_id: one for one in found}
    assert len(by_tag) == len(found)
    return by_tag


class TestFakeSampleStore(SampleStoreContract):
    """The fake."""

    @pytest.fixture
    def rig(self) -> SampleRig:
        store = FakeSampleStore()
        return SampleRig(store, partial(fake_away, store))


class TestPostgresSampleStore(SampleStoreContract):
    """The real one."""

    @pytest.fixture
    def rig(self, thread: DatabaseThread, postgres_away: Away) -> SampleRig:
        return SampleRig(PostgresSampleStore(thread), postgres_away)


# alarms


@dataclass(frozen=True, slots=True)
class AlarmRig:
    """An alarm store, how to take it away, and what others do with it: operators acknowledge, stations read."""

    store: AlarmStore
    away: Away
    acknowledge: Callable[[int, int], None]
    journal: Callable[[], list[JournalEntry]]


class AlarmStoreContract:
    """What every AlarmStore keeps to."""

    async def test_nothing_stands_in_it_at_first(self, rig: AlarmRig) -> None:
        assert await rig.store.read_alarms() == []
        await rig.store.record([])
        assert await rig.store.read_alarms() == []
        assert rig.journal() == []
        assert await rig.store.read_acknowledgements(-1) == ([], 0)
        assert await rig.store.read_acknowledgements(0) == ([], 0)

    async def test_it_agrees_with_the_state_machine_on_any_way(self, rig: AlarmRig) -> None:
        walk = Walk(rig)
        for number in range(60):
            await walk.go(number)
            raised = {rule_id: alarm for rule_id, alarm in walk.alarms.items() if alarm.event_id}
            assert await alarms(rig.store) == raised
        assert rig.journal() == walk.journal
        assert {entry.state for entry in walk.journal} == set(AlarmState)

    async def test_a_batch_is_recorded_in_its_order(self, rig: AlarmRig) -> None:
        first = changes(Alarm(1), Raised(START, 1.0, 0), Returned(at(1), 2.0, 0), Raised(at(2), None, BAD))
        other = changes(Alarm(2), Raised(at(1), 5.0, 0))
        batch = [*first[:2], *other, *first[2:]]
        await rig.store.record(batch)
        assert rig.journal() == [entry for _, entry in batch]
        assert await alarms(rig.store) == {1: first[-1][0], 2: other[-1][0]}

    async def test_an_acknowledgement_that_came_meanwhile_stays(self, rig: AlarmRig) -> None:
        [raised, returned] = changes(Alarm(1), Raised(START, 1.0, 0), Returned(at(9), 2.0, 0))
        await rig.store.record([raised])
        rig.acknowledge(1, 1)
        acknowledged = (await alarms(rig.store))[1]
        # whoever recorded this had not heard of it
        await rig.store.record([returned])
        assert await alarms(rig.store) == {1: replace(acknowledged, is_active=False, returned_time=at(9))}
        assert states(rig) == [("NORM", "UNACK"), ("UNACK", "ACKED"), ("ACKED", "NORM")]

    async def test_an_acknowledgement_never_hides_a_new_occurrence(self, rig: AlarmRig) -> None:
        batch = changes(Alarm(1), Raised(START, 1.0, 0), Returned(at(1), 2.0, 0), Raised(at(2), 3.0, 0))
        await rig.store.record(batch[:1])
        rig.acknowledge(1, 1)
        await rig.store.record(batch[1:])
        assert await alarms(rig.store) == {1: batch[-1][0]}
        assert states(rig) == [("NORM", "UNACK"), ("UNACK", "ACKED"), ("ACKED", "NORM"), ("NORM", "UNACK")]

    @pytest.mark.parametrize("count", [1, 2, 3])
    async def test_a_batch_whose_answer_was_lost_may_be_recorded_again(self, rig: AlarmRig, count: int) -> None:
        batch = changes(Alarm(1), Raised(START, 1.0, 0), Returned(at(1), 2.0, 0), Raised(at(2), 3.0, 0))[:count]
        await rig.store.record(batch)
        rig.acknowledge(1, batch[-1][0].event_id)
        before, journal = await alarms(rig.store), rig.journal()
        await rig.store.record(batch)
        assert (await alarms(rig.store), rig.journal()) == (before, journal)

    async def test_an_occurrence_that_another_collector_recorded_keeps_its_number(self, rig: AlarmRig) -> None:
        await rig.store.record(changes(Alarm(1), Raised(START, 1.0, 0), Returned(at(1), 2.0, 0)))
        # this one never heard of it, and counts from the beginning
        await rig.store.record(changes(Alarm(1), Raised(at(2), 3.0, 0)))
        found = (await alarms(rig.store))[1]
        assert (found.event_id, found.state, found.raised_time, found.value) == (2, "UNACK", at(2), 3.0)
        assert [entry.event_id for entry in rig.journal()] == [1, 1, 2]

    async def test_every_acknowledgement_behind_a_position_is_read_in_order(self, rig: AlarmRig) -> None:
        for rule_id in (1, 2, 3):
            await rig.store.record(changes(Alarm(rule_id), Raised(START, 1.0, 0)))
        _, before = await rig.store.read_acknowledgements(-1)
        rig.acknowledge(2, 1)
        _, between = await rig.store.read_acknowledgements(before)
        rig.acknowledge(1, 1)
        both, end = await rig.store.read_acknowledgements(before)
        assert before < between < end
        assert [(rule_id, one.event_id, one.person, one.comment) for rule_id, one in both] == [
            (2, 1, "ada", "seen"),
            (1, 1, "ada", "seen"),
        ]
        assert {one.time.utcoffset() for _, one in both} == {timedelta(0)}
        assert await rig.store.read_acknowledgements(0) == (both, end)
        assert await rig.store.read_acknowledgements(between) == (both[1:], end)
        assert await rig.store.read_acknowledgements(end) == ([], end)

    async def test_who_only_asks_where_the_journal_ends_is_told_nothing_old(self, rig: AlarmRig) -> None:
        await rig.store.record(changes(Alarm(1), Raised(START, 1.0, 0)))
        rig.acknowledge(1, 1)
        found, end = await rig.store.read_acknowledgements(-1)
        assert found == []
        assert await rig.store.read_acknowledgements(end) == ([], end)

    async def test_a_database_that_is_away_says_so_and_records_nothing(self, rig: AlarmRig) -> None:
        batch = changes(Alarm(1), Raised(START, 1.0, 0), Returned(at(1), 2.0, 0))
        await rig.store.record(batch[:1])
        before, journal = await alarms(rig.store), rig.journal()
        with rig.away():
            for _ in range(2):
                with pytest.raises(DatabaseUnavailable) as fault:
                    await rig.store.record(batch)
                assert fault.value.advice
        assert (await when_back(partial(alarms, rig.store)), rig.journal()) == (before, journal)
        await rig.store.record(batch[1:])
        assert await alarms(rig.store) == {1: batch[1][0]}

    async def test_a_database_that_is_away_tells_nothing(self, rig: AlarmRig) -> None:
        with rig.away():
            with pytest.raises(DatabaseUnavailable):
                await rig.store.read_alarms()
            with pytest.raises(DatabaseUnavailable):
                await rig.store.read_acknowledgements(-1)


class Walk:
    """Two alarms that come, go and are acknowledged at random: in the state machine and in the store."""

    def __init__(self, rig: AlarmRig) -> None:
        self._rig = rig
        self._random = Random(7)
        self._position = 0
        self.alarms = {1: Alarm(1), 2: Alarm(2)}
        self.journal: list[JournalEntry] = []

    async def go(self, number: int) -> None:
        """Take one step."""
        alarm = self.alarms[self._random.choice([1, 2])]
        value, quality = self._random.choice([(float(number), GOOD), (None, BAD)])
        match self._random.choice(["raise", "return", "acknowledge"]):
            case "raise":
                await self._record(step(alarm, Raised(at(number), value, quality)))
            case "return":
                await self._record(step(alarm, Returned(at(number), value, quality)))
            case _ if not alarm.is_acknowledged:
                self._keep(*step(alarm, await self._acknowledged(alarm)))

    async def _record(self, change: tuple[Alarm, JournalEntry | None]) -> None:
        alarm, entry = change
        if entry is not None:
            await self._rig.store.record([(alarm, entry)])
        self._keep(alarm, entry)

    async def _acknowledged(self, alarm: Alarm) -> Acknowledged:
        self._rig.acknowledge(alarm.rule_id, alarm.event_id)
        [(rule_id, acknowledged)], self._position = await self._rig.store.read_acknowledgements(self._position)
        assert rule_id == alarm.rule_id
        return acknowledged

    def _keep(self, alarm: Alarm, entry: JournalEntry | None) -> None:
        self.alarms[alarm.rule_id] = alarm
        if entry is not None:
            self.journal.append(entry)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def changes(alarm: Alarm, *events: Raised | Returned) -> list[Change]:
    """Return what the state machine makes of the events, each of which changes the alarm."""
    found: list[Change] = []
    for event in events:
        alarm, entry = step(alarm, event)
        assert entry is not None
        found.append((alarm, entry))
    return found


async def alarms(store: AlarmStore) -> dict[int, Alarm]:
    found = await store.read_alarms()
    by_rule = {alarm.rule_id: alarm for alarm in found}
    assert len(by_rule) == len(found)
    return by_rule


def states(rig: AlarmRig) -> list[tuple[str, str]]:
    return [(entry.previous, entry.state) for entry in rig.journal()]


class TestFakeAlarmStore(AlarmStoreContract):
    """The fake."""

    @pytest.fixture
    def rig(self) -> AlarmRig:
        store = FakeAlarmStore()

        def take(rule_id: int, event_id: int) -> None:
            assert store.alarms[rule_id].event_id == event_id
            store.acknowledge(rule_id, "ada", at(1_000), "seen")

        return AlarmRig(store, partial(fake_away, store), take, lambda: list(store.journal))


class TestPostgresAlarmStore(AlarmStoreContract):
    """The real one."""

    @pytest.fixture
    def rig(self, thread: DatabaseThread, postgres_away: Away, operator: Engine, owner: Engine) -> AlarmRig:
        def take(rule_id: int, event_id: int) -> None:
            with operator.begin() as connection:
                [answer] = acknowledge(connection, [(rule_id, event_id)], "seen")
            assert answer.is_done, answer.words

        return AlarmRig(PostgresAlarmStore(thread), postgres_away, take, partial(read_entries, owner))


def read_entries(owner: Engine) -> list[JournalEntry]:
    with owner.connect() as connection:
        rows = connection.execute(select(alarm_journal).order_by(alarm_journal.c.id)).all()
    return [
        JournalEntry(
            rule_id=row.rule_id,
            event_id=row.event_id,
            previous=AlarmState(row.previous_state),
            state=AlarmState(row.state),
            trigger=Trigger(row.trigger),
            time=row.source_time,
            value=row.value,
            quality=row.quality,
            person=row.person,
            comment=row.comment,
        )
        for row in rows
    ]
