"""What every store keeps to: the fakes that the services are tested with, and the real PostgreSQL."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import TypeVar
from uuid import uuid4

import pytest
from sqlalchemy import Engine, select, text, update

from control_room.core.alarms import (
    Acknowledged,
    Alarm,
    AlarmEvent,
    AlarmState,
    Corrected,
    Disabled,
    Enabled,
    Happening,
    Held,
    Hold,
    HoldKind,
    IllegalTransition,
    JournalEntry,
    ProcessChange,
    ProcessEvent,
    Raised,
    Released,
    Reset,
    Returned,
    ReturnedToService,
    Shelved,
    TakenOutOfService,
    Trigger,
    Unshelved,
    step,
)
from control_room.core.errors import DatabaseUnavailable
from control_room.core.ports import AlarmStore, NumberedSamples, SampleStore, SpoolMark
from control_room.core.sample_rows import rows_of
from control_room.core.samples import BAD, BAD_SENSOR_FAILURE, GOOD, UNCERTAIN, Sample
from control_room.core.suppression import CauseChange, CauseState, Suppression
from db.alarm_journal import (
    AlarmAnswer,
    acknowledge,
    disable,
    enable,
    reset,
    return_to_service,
    shelve,
    take_out_of_service,
    unshelve,
)
from db.embedded import EmbeddedServer
from db.engine import make_engine
from db.people import open_person
from db.stores import PostgresAlarmStore, PostgresSampleStore
from db.tables import alarm_journal, alarm_rule, suppression, suppression_consequence
from db.worker import DatabaseThread
from tests.db.people import make
from tests.fakes import PLAIN_RULE, START, FakeAlarmStore, FakeClock, FakeSampleStore, sample
from tests.replay import replayed, rule_after

T = TypeVar("T")
Away = Callable[[], AbstractContextManager[None]]


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
    """A sample store, how to take it away, and every value in its history."""

    store: SampleStore
    away: Away
    history: Callable[[], list[float | None]]


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

    async def test_what_has_a_number_is_stored_once(self, rig: SampleRig) -> None:
        run, other = uuid4(), uuid4()
        await rig.store.begin_spool(run)
        assert await rig.store.read_spool(run) == SpoolMark((), True)
        assert await rig.store.read_spool(other) is None
        written = [sample(1, float(number), number) for number in range(6)]
        await rig.store.write_numbered(NumberedSamples(run, 0, rows_of(written[:2])))
        # again, and with what follows: as after an answer that was lost
        for _ in range(2):
            await rig.store.write_numbered(NumberedSamples(run, 0, rows_of(written[:3])))
        # live values first, what lies between behind them
        await rig.store.write_numbered(NumberedSamples(run, 5, rows_of(written[5:])))
        await rig.store.write_numbered(NumberedSamples(run, 1, rows_of(written[1:]), is_past=True))
        assert await newest(rig.store) == {1: written[5]}
        assert sorted(one or 0.0 for one in rig.history()) == [float(number) for number in range(6)]
        assert await rig.store.read_spool(run) == SpoolMark(((0, 5),), True)
        await rig.store.begin_spool(other)
        assert await rig.store.read_spool(run) == SpoolMark(((0, 5),), False)

    async def test_what_another_collector_stored_too_is_not_stored_again(self, rig: SampleRig) -> None:
        mine = [sample(1, float(number), number) for number in range(4)]
        await rig.store.write_samples(mine[:3])
        await rig.store.write_numbered(NumberedSamples(uuid4(), 0, rows_of(mine[1:]), is_past=True, is_shared=True))
        assert sorted(one or 0.0 for one in rig.history()) == [0.0, 1.0, 2.0, 3.0]
        assert await newest(rig.store) == {1: mine[2]}

    async def test_the_newest_may_be_shown_before_its_turn(self, rig: SampleRig) -> None:
        run = uuid4()
        late = sample(2, 7.0, 5)
        await rig.store.write_numbered(NumberedSamples(run, 10, rows_of([sample(1, 1.0, 9)]), newest=rows_of([late])))
        assert await newest(rig.store) == {1: sample(1, 1.0, 9), 2: late}
        assert rig.history() == [1.0]

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
        return SampleRig(store, partial(fake_away, store), lambda: [one.value for one in store.samples])


class TestPostgresSampleStore(SampleStoreContract):
    """The real one."""

    @pytest.fixture
    def rig(self, thread: DatabaseThread, postgres_away: Away, owner: Engine) -> SampleRig:
        def history() -> list[float | None]:
            with owner.connect() as connection:
                return list(connection.execute(text("SELECT value FROM sample")).scalars())

        return SampleRig(PostgresSampleStore(thread), postgres_away, history)


# alarms


LATCHING, SHORT, AGAIN = 2, 3, 4
RULES = {
    1: PLAIN_RULE,
    LATCHING: replace(PLAIN_RULE, id=2, is_latching=True),
    SHORT: replace(PLAIN_RULE, id=3, shelving_limit_s=600.0),
    AGAIN: replace(PLAIN_RULE, id=4, re_alarm_s=600.0),
}
# while the pump of alarm 1 has tripped, what follows from it is told to nobody, and half a minute longer
TRIPPED = Suppression(5, 1, "pump 1", "Pump 1 has tripped", 30.0, rule_id=1, consequences=frozenset({LATCHING, SHORT}))
Deed = Callable[[int, AlarmEvent], str]


@dataclass(frozen=True, slots=True)
class AlarmRig:
    """An alarm store, how to take it away, and what others do with it: people act (and are told why not), stations read.

    `pass_time` lets the shelving of an alarm run out.
    """

    store: AlarmStore
    away: Away
    act: Deed
    journal: Callable[[], list[JournalEntry]]
    pass_time: Callable[[int], None]


class AlarmStoreContract:
    """What every AlarmStore keeps to."""

    async def test_nothing_stands_in_it_at_first(self, rig: AlarmRig) -> None:
        assert await rig.store.read_alarms() == []
        await rig.store.record([])
        assert await rig.store.read_alarms() == []
        assert rig.journal() == []
        assert await rig.store.pass_time() == 0

    # such as come through every state in so few steps
    @pytest.mark.parametrize("seed", [0, 4, 5])
    async def test_it_agrees_with_the_state_machine_on_any_way(self, rig: AlarmRig, seed: int) -> None:
        walk = Walk(rig, seed)
        for number in range(200):
            await walk.go(number)
        assert walk.seen == set(AlarmState)
        assert replayed(rig.journal(), RULES) == await alarms(rig.store)

    async def test_a_batch_is_recorded_in_its_order(self, rig: AlarmRig) -> None:
        first = changes(1, Raised(START, 1.0, 0), Returned(at(1), 2.0, 0), Raised(at(2), None, BAD))
        other = changes(2, Raised(at(1), 5.0, 0))
        await rig.store.record([*first[:2], *other, *first[2:]])
        assert [(entry.rule_id, entry.happening, entry.time) for entry in rig.journal()] == [
            (1, "raised", START),
            (1, "returned", at(1)),
            (2, "raised", at(1)),
            (1, "raised", at(2)),
        ]
        found = await alarms(rig.store)
        assert {number: (one.state, one.event_id, one.value) for number, one in found.items()} == {
            1: ("UNACK", 2, None),
            2: ("UNACK", 1, 5.0),
        }

    async def test_a_beginning_is_corrected_and_nothing_else(self, rig: AlarmRig) -> None:
        raised = ProcessChange(1, 1, Raised(at(9), 1.0, 0))
        earlier, again = ProcessChange(1, 3, Corrected(at(3), 7.0, 0)), ProcessChange(1, 5, Corrected(at(5), 6.0, 0))
        await rig.store.record([raised])
        before = (await alarms(rig.store))[1]
        rig.act(1, Acknowledged(at(10), 1, "ada", "seen"))
        await rig.store.record([earlier])
        # told twice is done once
        await rig.store.record([earlier])
        after = (await alarms(rig.store))[1]
        assert (after.raised_time, after.value, after.event_id, after.state) == (at(3), 7.0, 1, AlarmState.ACKNOWLEDGED)
        assert before.raised_time == at(9)
        entry = rig.journal()[-1]
        assert (entry.happening, entry.previous, entry.state) == ("corrected", entry.state, AlarmState.ACKNOWLEDGED)
        assert (entry.time, entry.trigger, entry.person, entry.event_id) == (at(3), "process", "", 1)
        assert entry.detail == {"process_number": 3, "was": at(9).isoformat()}
        await rig.store.record([again])
        assert [one.happening for one in rig.journal()] == ["raised", "acknowledged", "corrected", "corrected"]
        # what is gone has no beginning to correct
        late = [ProcessChange(1, 6, Returned(at(20), 0.0, 0)), ProcessChange(1, 8, Corrected(at(1), 9.0, 0))]
        await rig.store.record(late)
        assert rig.journal()[-1].happening == "returned"
        assert (await alarms(rig.store))[1].raised_time == at(5)

    async def test_an_acknowledgement_that_came_meanwhile_stays(self, rig: AlarmRig) -> None:
        raised, returned = changes(1, Raised(START, 1.0, 0), Returned(at(9), 2.0, 0))
        await rig.store.record([raised])
        assert rig.act(1, Acknowledged(at(1), 1, "ada", "seen")) == ""
        acknowledged = (await alarms(rig.store))[1]
        # whoever recorded this had not heard of it
        await rig.store.record([returned])
        after = replace(acknowledged, is_active=False, returned_time=at(9), process_number=2)
        assert await alarms(rig.store) == {1: after}
        assert states(rig) == [("NORM", "UNACK"), ("UNACK", "ACKED"), ("ACKED", "NORM")]

    async def test_an_acknowledgement_never_hides_a_new_occurrence(self, rig: AlarmRig) -> None:
        batch = changes(1, Raised(START, 1.0, 0), Returned(at(1), 2.0, 0), Raised(at(2), 3.0, 0))
        await rig.store.record(batch[:1])
        assert rig.act(1, Acknowledged(at(1), 1, "ada", "seen")) == ""
        await rig.store.record(batch[1:])
        assert "raised again" in rig.act(1, Acknowledged(at(3), 1, "ada", "seen"))
        assert states(rig) == [("NORM", "UNACK"), ("UNACK", "ACKED"), ("ACKED", "NORM"), ("NORM", "UNACK")]

    @pytest.mark.parametrize("count", [1, 2, 3])
    async def test_a_batch_whose_answer_was_lost_may_be_recorded_again(self, rig: AlarmRig, count: int) -> None:
        batch = changes(1, Raised(START, 1.0, 0), Returned(at(1), 2.0, 0), Raised(at(2), 3.0, 0))[:count]
        await rig.store.record(batch)
        event_id = (await alarms(rig.store))[1].event_id
        assert rig.act(1, Acknowledged(at(5), event_id, "ada", "seen")) == ""
        before, journal = await alarms(rig.store), rig.journal()
        await rig.store.record(batch)
        assert (await alarms(rig.store), rig.journal()) == (before, journal)

    async def test_what_is_shelved_is_told_to_nobody_until_its_time_runs_out(self, rig: AlarmRig) -> None:
        soon = datetime.now(UTC)
        assert rig.act(1, Shelved(soon, soon + timedelta(minutes=15), "ada", "pump test")) == ""
        await rig.store.record(changes(1, Raised(at(1), 1.0, 0)))
        assert await rig.store.pass_time() == 0
        assert [one.state for one in await rig.store.read_alarms()] == ["SHLVD"]
        rig.pass_time(1)
        assert await rig.store.pass_time() == 1
        assert [one.state for one in await rig.store.read_alarms()] == ["UNACK"]
        last = rig.journal()[-1]
        assert (last.happening, last.trigger, last.person) == ("unshelved", "timer", "")

    async def test_a_cause_holds_its_consequences_until_it_is_gone_for_so_long(self, rig: AlarmRig) -> None:
        await rig.store.record(changes(LATCHING, Raised(at(1), 1.0, 0)))
        assert await rig.store.read_causes() == [CauseState(TRIPPED.id, 0)]
        came = CauseChange(TRIPPED.id, 1, at(2))
        await rig.store.record([came, *changes(SHORT, Raised(at(3), 1.0, 0))])
        found = await alarms(rig.store)
        assert [found[one].state for one in (LATCHING, SHORT)] == ["DSUPR", "DSUPR"]
        assert [one.words for one in found[SHORT].holds] == ["Pump 1 has tripped"]
        assert "nothing to acknowledge" in rig.act(SHORT, Acknowledged(at(4), 1, "ada", "seen"))
        # the cause is gone, and what follows from it may last a little longer
        await rig.store.record([CauseChange(TRIPPED.id, 2, at(5))])
        found = await alarms(rig.store)
        assert found[SHORT].state == "DSUPR"
        assert found[SHORT].holds[0].until is not None
        assert await rig.store.pass_time() == 0
        rig.pass_time(SHORT)
        assert await rig.store.pass_time() == 2
        found = await alarms(rig.store)
        assert [found[one].state for one in (LATCHING, SHORT)] == ["UNACK", "UNACK"]
        assert [found[one].event_id for one in (LATCHING, SHORT)] == [2, 2]
        last = rig.journal()[-1]
        assert (last.happening, last.trigger, last.comment) == ("unsuppressed", "logic", "Pump 1 has tripped")
        assert replayed(rig.journal(), RULES) == found

    async def test_a_cause_that_is_told_again_or_comes_back_is_one(self, rig: AlarmRig) -> None:
        came, gone, back = (CauseChange(TRIPPED.id, number, at(number)) for number in (1, 2, 3))
        for batch in ([came], [came], [came, gone], [came, gone, back], [back]):
            await rig.store.record(batch)
        found = await alarms(rig.store)
        assert [one.until for one in found[SHORT].holds] == [None]
        assert [one.happening for one in rig.journal() if one.rule_id == SHORT] == ["suppressed"] * 3
        assert await rig.store.read_causes() == [CauseState(TRIPPED.id, 3)]

    async def test_a_disabled_alarm_is_judged_by_nobody(self, rig: AlarmRig) -> None:
        raised, returned, again = changes(1, Raised(at(1), 1.0, 0), Returned(at(2), 2.0, 0), Raised(at(3), 1.0, 0))
        await rig.store.record([raised])
        assert "reason" in rig.act(1, Disabled(at(1), "ada", " "))
        assert rig.act(1, Disabled(at(1), "ada", "sensor is removed")) == ""
        assert "disabled already" in rig.act(1, Disabled(at(1), "ada", "sensor is removed"))
        # the desk hears of it a moment later
        await rig.store.record([returned, again])
        assert [(one.rule_id, one.state) for one in (await alarms(rig.store)).values()] == [(1, "NORM")]
        soon = datetime.now(UTC)
        for event in (Shelved(soon, at(9), "ada", "why"), TakenOutOfService(soon, "ada", "why")):
            assert "disabled" in rig.act(1, event)
        assert rig.act(1, Enabled(at(4), "ada", "")) == ""
        await rig.store.record([ProcessChange(1, 5, Raised(at(5), 1.0, 0))])
        assert (await alarms(rig.store))[1].state == "UNACK"
        assert [one.happening for one in rig.journal()] == ["raised", "disabled", "enabled", "raised"]

    async def test_what_stands_acknowledged_for_too_long_is_announced_again(self, rig: AlarmRig) -> None:
        for rule_id in (1, AGAIN):
            await rig.store.record(changes(rule_id, Raised(at(1), 1.0, 0)))
            assert rig.act(rule_id, Acknowledged(datetime.now(UTC), 1, "ada", "seen")) == ""
        assert await rig.store.pass_time() == 0
        for rule_id in (1, AGAIN):
            rig.pass_time(rule_id)
        assert await rig.store.pass_time() == 1
        assert await rig.store.pass_time() == 0
        found = await alarms(rig.store)
        assert (found[1].state, found[AGAIN].state, found[AGAIN].event_id) == ("ACKED", "UNACK", 2)
        last = rig.journal()[-1]
        assert (last.happening, last.trigger, last.event_id) == ("realarmed", "timer", 2)
        # and has to be acknowledged again, as the new occurrence that it is
        assert "raised again" in rig.act(AGAIN, Acknowledged(datetime.now(UTC), 1, "ada", "seen"))
        assert rig.act(AGAIN, Acknowledged(datetime.now(UTC), 2, "ada", "seen")) == ""

    async def test_a_database_that_is_away_says_so_and_records_nothing(self, rig: AlarmRig) -> None:
        batch = changes(1, Raised(START, 1.0, 0), Returned(at(1), 2.0, 0))
        await rig.store.record(batch[:1])
        before, journal = await alarms(rig.store), rig.journal()
        with rig.away():
            for _ in range(2):
                with pytest.raises(DatabaseUnavailable) as fault:
                    await rig.store.record(batch)
                assert fault.value.advice
        assert (await when_back(partial(alarms, rig.store)), rig.journal()) == (before, journal)
        await rig.store.record(batch[1:])
        assert (await alarms(rig.store))[1].state == "RTNUN"

    async def test_a_database_that_is_away_tells_nothing(self, rig: AlarmRig) -> None:
        with rig.away():
            with pytest.raises(DatabaseUnavailable):
                await rig.store.read_alarms()
            with pytest.raises(DatabaseUnavailable):
                await rig.store.pass_time()
            with pytest.raises(DatabaseUnavailable):
                await rig.store.read_causes()


class Walk:
    """Alarms to which anything happens at random: in the state machine and in the store, which must say the same."""

    def __init__(self, rig: AlarmRig, seed: int) -> None:
        self._rig = rig
        self._random = Random(seed)
        self.alarms: dict[int, Alarm] = {}
        self.rules = dict(RULES)
        self.journal: list[JournalEntry] = []
        self.seen = {AlarmState.NORMAL}

    async def go(self, number: int) -> None:
        """Take one step."""
        # what latches has more states to be seen in
        rule_id = self._random.choice([*RULES, *[LATCHING] * 5])
        alarm = self.alarms.get(rule_id, Alarm(rule_id))
        event = self._event(alarm, number)
        try:
            after, entry = step(alarm, event, self.rules[rule_id])
            words = ""
        except IllegalTransition as fault:
            after, entry, words = alarm, None, str(fault)
        if isinstance(event, ProcessEvent):
            await self._rig.store.record([ProcessChange(rule_id, after.process_number, event)])
        else:
            assert self._rig.act(rule_id, event) == words, event
        if entry is not None:
            self.alarms[rule_id] = after
            self.journal.append(entry)
            self.seen.add(after.state)
            self.rules[rule_id] = rule_after(self.rules[rule_id], event)
        assert {key: _timeless(one) for key, one in (await alarms(self._rig.store)).items()} == {
            key: _timeless(one) for key, one in self.alarms.items()
        }
        assert [_timeless_entry(one) for one in self._rig.journal()] == [_timeless_entry(one) for one in self.journal]

    def _event(self, alarm: Alarm, number: int) -> AlarmEvent:
        chosen, time = self._random, at(number)
        value, quality = chosen.choice([(float(number), GOOD), (None, BAD)])
        until = time + timedelta(minutes=chosen.choice([-5, 5, 30, 5_000]))
        # of two causes and two works
        kind, which = chosen.choice(list(HoldKind)), chosen.choice([1, 2])
        by, order = ("ada", "WO 17") if kind is HoldKind.WORK else ("", "")
        hold = Hold(kind, which, time, chosen.choice([None, at(9_000)]), "known cause", by, order)
        events: dict[AlarmEvent, int] = {
            Raised(time, value, quality): 5,
            Returned(time, value, quality): 5,
            Corrected(time - timedelta(seconds=chosen.randint(1, 50)), value, quality): 3,
            Acknowledged(time, alarm.event_id, "ada", "seen"): 6,
            Acknowledged(time, alarm.event_id - 1, "ada", "seen"): 1,
            Reset(time, "ada", "seen"): 2,
            Shelved(time, until, "ada", "seen", chosen.random() < 0.5): 2,
            Shelved(time, time + timedelta(minutes=5), "ada", " "): 1,
            Unshelved(time, "ada", "seen"): 5,
            TakenOutOfService(time, "ada", chosen.choice(["seen", ""]), "WO 17"): 1,
            ReturnedToService(time, "ada", "seen"): 5,
            Held(time, hold, by): 1,
            Released(time, kind, which, by, "over"): 6,
            Disabled(time, "ada", chosen.choice(["seen", ""])): 1,
            Enabled(time, "ada", "seen"): 6,
        }
        return chosen.choices(list(events), list(events.values()))[0]


def _timeless(alarm: Alarm) -> Alarm:
    """Return the alarm without the moments of people's acts: the database takes them from its own clock."""
    shelving, service = alarm.shelving, alarm.out_of_service
    return replace(
        alarm,
        acknowledged_time=alarm.acknowledged_time and START,
        shelving=shelving and replace(shelving, since=START, until=START),
        out_of_service=service and replace(service, since=START),
        # of a disabled rule the return is a person's act
        returned_time=alarm.returned_time and START,
        holds=tuple(replace(one, since=START) for one in alarm.holds),
    )


def _timeless_entry(entry: JournalEntry) -> JournalEntry:
    is_process = entry.trigger is Trigger.PROCESS
    detail = {key: value for key, value in entry.detail.items() if key != "until"}
    return replace(entry, time=entry.time if is_process else START, detail=detail)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def changes(rule_id: int, *events: ProcessEvent) -> list[ProcessChange]:
    """Return what the process does to an alarm that it did nothing to before."""
    return [ProcessChange(rule_id, number, event) for number, event in enumerate(events, 1)]


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
        clock = FakeClock(datetime.now(UTC))
        store = FakeAlarmStore(rules=dict(RULES), clock=clock, suppressions={TRIPPED.id: TRIPPED})

        def act(rule_id: int, event: AlarmEvent) -> str:
            try:
                store.act(rule_id, event)
            except IllegalTransition as fault:
                return str(fault)
            return ""

        def pass_time(_: int) -> None:
            clock.pass_s(86_400)

        return AlarmRig(store, partial(fake_away, store), act, lambda: list(store.journal), pass_time)


class TestPostgresAlarmStore(AlarmStoreContract):
    """The real one."""

    @pytest.fixture
    def rig(
        self, thread: DatabaseThread, postgres_away: Away, server: EmbeddedServer, database: str, owner: Engine
    ) -> AlarmRig:
        with owner.begin() as connection:
            for rule_id, rule in RULES.items():
                names = ("is_latching", "shelving_limit_s", "re_alarm_s")
                traits = {name: getattr(rule, name) for name in names}
                connection.execute(update(alarm_rule).where(alarm_rule.c.id == rule_id).values(traits))
            row = {"id": 5, "municipality_id": 1, "name": "pump 1", "cause": TRIPPED.cause, "cause_rule_id": 1}
            row |= {"kind": "H", "cause_limit": 0, "deadband": 0, "on_delay_s": 0, "delay_s": TRIPPED.delay_s}
            connection.execute(suppression.insert(), row)
            rows = [{"suppression_id": 5, "rule_id": one, "municipality_id": 1} for one in TRIPPED.consequences]
            connection.execute(suppression_consequence.insert(), rows)
        url = make(server, database, "ada", ("operator", None), ("supervisor", None), ("engineer", None))
        people = open_person(url, "desk 1")

        def act(rule_id: int, event: AlarmEvent) -> str:
            assert not isinstance(event, ProcessEvent)
            if isinstance(event, Held | Released):
                return _step_as_owner(owner, rule_id, event)
            with people.begin() as connection:
                [answer] = deed_of(event)(connection, [(rule_id, getattr(event, "event_id", 0))], event.comment)
            return "" if answer.is_done else answer.words

        def pass_time(rule_id: int) -> None:
            with owner.begin() as connection:
                earlier = text(
                    "UPDATE alarm SET shelved_until = shelved_until - interval '1 day',"
                    " acknowledged_time = acknowledged_time - interval '1 day' WHERE rule_id = :id"
                )
                connection.execute(earlier, {"id": rule_id})
                connection.execute(text("UPDATE suppression SET ends_time = ends_time - interval '1 day'"))

        return AlarmRig(PostgresAlarmStore(thread), postgres_away, act, partial(read_entries, owner), pass_time)


_STEP = text("SELECT step_alarm(:rule, :happening, :time, NULL, NULL, :person, '', :words, CAST(:detail AS jsonb))")


def _step_as_owner(owner: Engine, rule_id: int, event: Held | Released) -> str:
    """Do what settle_holds() does to one alarm; return why not."""
    entry = step(Alarm(rule_id), event if isinstance(event, Held) else _held_before(event))[1]
    assert entry is not None
    happening, detail = entry.happening, dict(entry.detail)
    if isinstance(event, Released):
        happening = {Happening.SUPPRESSED: Happening.UNSUPPRESSED, Happening.WORK_BEGUN: Happening.WORK_ENDED}[
            happening
        ]
        detail = {"hold": detail["hold"]}
    asked = {"rule": rule_id, "happening": happening, "time": event.time, "person": event.person}
    with owner.begin() as connection:
        asked |= {"words": event.comment, "detail": json.dumps(detail)}
        return connection.execute(_STEP, asked).scalar() or ""


def _held_before(event: Released) -> Held:
    return Held(event.time, Hold(event.kind, event.number, event.time, None, ""))


def deed_of(event: AlarmEvent) -> Callable[..., list[AlarmAnswer]]:
    """Return what a seat calls for the event."""
    if isinstance(event, Shelved):
        minutes = round((event.until - event.time).total_seconds() / 60)
        return partial(shelve, minutes=minutes, is_one_shot=event.is_one_shot)
    if isinstance(event, TakenOutOfService):
        return partial(take_out_of_service, work_order=event.work_order)
    deeds = {Acknowledged: acknowledge, Reset: reset, Unshelved: unshelve, ReturnedToService: return_to_service}
    return {**deeds, Disabled: disable, Enabled: enable}[type(event)]


def read_entries(owner: Engine) -> list[JournalEntry]:
    with owner.connect() as connection:
        rows = connection.execute(select(alarm_journal).order_by(alarm_journal.c.id)).all()
    return [
        JournalEntry(
            rule_id=row.rule_id,
            event_id=row.event_id,
            happening=Happening(row.happening),
            previous=AlarmState(row.previous_state),
            state=AlarmState(row.state),
            trigger=Trigger(row.trigger),
            time=row.source_time,
            value=row.value,
            quality=row.quality,
            person=row.person,
            comment=row.comment,
            detail=row.detail,
        )
        for row in rows
    ]
