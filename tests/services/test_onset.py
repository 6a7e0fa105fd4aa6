"""Late data corrects when an alarm began: in the journal and on the board, and it announces nothing."""

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest

from control_room.core.alarms import Acknowledged, AlarmKind, AlarmRule, AlarmState, JournalEntry, Priority
from control_room.core.replay import Replay, ReplayRow
from control_room.core.samples import BAD, GOOD, Sample
from control_room.services.alarm_desk import AlarmDesk
from tests.fakes import START, FakeAlarmStore, FakeClock, sample

HIGH = AlarmRule(1, 10, AlarmKind.H, Priority.HIGH, limit=5.0, deadband=2.0)
DELAYED = AlarmRule(2, 20, AlarmKind.L, Priority.HIGH, limit=5.0, on_delay_s=30.0)
TRIPPED = AlarmRule(3, 30, AlarmKind.STATE, Priority.HIGH, limit=2.0)
FAST = AlarmRule(4, 40, AlarmKind.RATE, Priority.HIGH, limit=1.0)
RULES = (HIGH, DELAYED, TRIPPED, FAST)


class Room:
    """A desk with a store, and what came when."""

    def __init__(self) -> None:
        self.store, self.clock = FakeAlarmStore(rules={one.id: one for one in RULES}), FakeClock()
        self.desk = AlarmDesk(self.store, self.clock)
        self.desk.use_rules(RULES)

    async def take(self, *samples: Sample) -> None:
        self.desk.take(samples)
        assert await self.desk.flush()

    def told(self) -> list[tuple[str, float]]:
        return [(one.happening.value, since(one.time)) for one in self.store.journal]


def since(time: datetime) -> float:
    return (time - START).total_seconds()


def late(tag_id: int, value: float | None, after_s: float, quality: int = GOOD) -> Sample:
    """Return a sample that was measured `after_s` seconds after START, and came an hour later."""
    return replace(sample(tag_id, value, after_s, quality), arrival_time=START + timedelta(hours=1))


async def test_what_the_device_kept_shows_that_it_began_earlier() -> None:
    room = Room()
    await room.take(sample(10, 1.0), late(10, 9.0, 600.0))
    room.store.act(1, Acknowledged(START, 1, "ada"))
    await room.take(late(10, 1.0, 100.0), late(10, 7.0, 200.0), late(10, 8.0, 300.0))
    assert room.told() == [("raised", 600.0), ("acknowledged", 0.0), ("corrected", 200.0)]
    alarm = room.store.alarms[1]
    assert (alarm.state, alarm.event_id, alarm.raised_time) == (
        AlarmState.ACKNOWLEDGED,
        1,
        START + timedelta(seconds=200),
    )
    assert (alarm.value, room.desk.raised) == (7.0, 1)
    assert room.store.journal[-1].detail["was"] == (START + timedelta(seconds=600)).isoformat()


async def test_what_refutes_a_correction_takes_it_back() -> None:
    room = Room()
    await room.take(sample(10, 1.0), late(10, 9.0, 600.0), late(10, 8.0, 200.0))
    await room.take(late(10, 1.0, 400.0))
    await room.take(late(10, 8.0, 500.0))
    # within the deadband it lasts
    await room.take(late(10, 4.0, 550.0))
    assert room.told()[1:] == [("corrected", 200.0), ("corrected", 600.0), ("corrected", 500.0)]


@pytest.mark.parametrize(
    "sent",
    [
        # not before what was known, not after the beginning, not trusted
        late(10, 9.0, -5.0),
        late(10, 9.0, 0.0),
        late(10, 9.0, 600.0),
        late(10, 9.0, 601.0),
        late(10, 9.0, 300.0, BAD),
        late(10, None, 300.0),
        late(10, 1.0, 300.0),
        late(10, 4.0, 300.0),
        late(11, 9.0, 300.0),
    ],
)
async def test_what_says_nothing_changes_nothing(sent: Sample) -> None:
    room = Room()
    await room.take(sample(10, 1.0), late(10, 9.0, 600.0), late(10, 9.0, 700.0), sent)
    assert room.told() == [("raised", 600.0)]


async def test_only_while_it_is_active() -> None:
    room = Room()
    await room.take(sample(10, 1.0), late(10, 9.0, 600.0), late(10, 1.0, 700.0), late(10, 9.0, 300.0))
    assert room.told() == [("raised", 600.0), ("returned", 700.0)]
    # a new occurrence has a beginning of its own
    await room.take(late(10, 9.0, 900.0), late(10, 9.0, 300.0), late(10, 9.0, 800.0))
    assert room.told()[2:] == [("raised", 900.0), ("corrected", 800.0)]


async def test_what_comes_during_the_delay_counts_when_it_has_run_out() -> None:
    room = Room()
    await room.take(sample(20, 9.0), sample(20, 1.0, 600.0))
    await room.take(late(20, 2.0, 500.0))
    assert room.told() == []
    room.clock.pass_s(630.0)
    await room.take()
    assert room.told() == [("raised", 600.0), ("corrected", 500.0)]


async def test_states_have_a_beginning_rates_and_what_nobody_knew_before_have_none() -> None:
    room = Room()
    await room.take(sample(30, 0.0), sample(30, 2.0, 600.0), late(30, 2.0, 300.0))
    assert room.told() == [("raised", 600.0), ("corrected", 300.0)]
    await room.take(sample(40, 0.0), sample(40, 100.0, 60.0), late(40, 90.0, 30.0))
    assert [entry.happening for entry in room.store.journal if entry.rule_id == 4] == ["raised"]
    await room.take(sample(10, 9.0, 600.0), late(10, 9.0, 300.0))
    assert [entry.happening for entry in room.store.journal if entry.rule_id == 1] == ["raised"]


async def test_a_rule_that_was_changed_begins_anew() -> None:
    room = Room()
    await room.take(sample(10, 1.0), late(10, 9.0, 600.0))
    room.desk.use_rules([replace(HIGH, limit=2.0), *RULES[1:]])
    await room.take(late(10, 3.0, 300.0))
    assert room.told() == [("raised", 600.0)]


def corrected_by_hand(samples: list[Sample]) -> float:
    """Return the beginning that all samples together show."""
    is_there, begun = False, 600.0
    for one in sorted(samples, key=lambda it: it.source_time):
        value = one.value or 0.0
        now_there = value >= 5.0 if not is_there else value > 3.0
        begun = since(one.source_time) if now_there and not is_there else begun if now_there else 600.0
        is_there = now_there
    return begun


@pytest.mark.parametrize("seed", range(10))
async def test_in_any_order_it_comes_to_the_same(seed: int) -> None:
    chance, room = Random(seed), Room()
    samples = [late(10, chance.choice([1.0, 4.0, 6.0, 9.0]), float(n)) for n in chance.sample(range(1, 600), 40)]
    await room.take(sample(10, 1.0), late(10, 9.0, 600.0))
    while samples_left := samples[len(room.desk._onsets[1].late) :]:
        await room.take(*samples_left[: chance.randint(1, 9)])
    begun = corrected_by_hand(samples)
    assert room.store.alarms[1].raised_time == START + timedelta(seconds=begun)
    rows = [ReplayRow(START + timedelta(seconds=n), entry, HIGH) for n, entry in enumerate(room.store.journal)]
    assert board(rows) == room.store.alarms


def board(rows: list[ReplayRow]) -> object:
    player = Replay(rows)
    player.seek(START + timedelta(days=1))
    return player.alarms


async def test_a_flood_of_late_data_is_bounded() -> None:
    room = Room()
    await room.take(sample(10, 1.0), late(10, 9.0, 10_000.0))
    await room.take(*(late(10, 9.0, float(n)) for n in range(1, 5_000)))
    assert len(room.desk._onsets[1].late) == 2_000
    assert room.told() == [("raised", 10_000.0), ("corrected", 1.0)]
    entry: JournalEntry = room.store.journal[-1]
    assert entry.value == 9.0
