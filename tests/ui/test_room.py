"""The room never shows a value as alive that nobody feeds, and never loses an alarm."""

from datetime import timedelta

import pytest
from pytestqt.qtbot import QtBot

from control_room.core.alarms import Alarm, AlarmState
from control_room.core.samples import BAD_SENSOR_FAILURE, Grade, Sample
from control_room.ui.alarm_feed import AlarmFeed
from control_room.ui.live_tags import LiveTags
from control_room.ui.room import Room
from tests.fakes import START, FakeClock, sample
from tests.ui.rooms import alarms, collector_status, configuration, link_statuses

pytestmark = pytest.mark.usefixtures("qapp")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def room(clock: FakeClock) -> Room:
    made = Room(clock)
    made.use_configuration(configuration(), [])
    made.take_connected(True, "")
    made.take_status(collector_status(clock.now), link_statuses(clock.now))
    return made


def grades(room: Room, *tag_ids: int) -> list[Grade]:
    return [found.grade for tag_id in tag_ids if (found := room.sample(tag_id)) is not None]


def test_before_anything_answers_the_room_is_in_trouble(clock: FakeClock) -> None:
    room = Room(clock)
    assert room.trouble is not None
    assert room.trouble.is_database
    assert room.sample(1) is None


def test_a_fed_room_shows_samples_as_they_came(room: Room) -> None:
    room.take_samples([sample(1, 4.0), sample(2, None, quality=BAD_SENSOR_FAILURE)])
    assert room.trouble is None
    assert grades(room, 1, 2) == [Grade.GOOD, Grade.BAD]


def test_a_lost_database_makes_every_trusted_value_stale_since_the_loss(room: Room, clock: FakeClock) -> None:
    room.take_samples([sample(1, 4.0), sample(2, None, quality=BAD_SENSOR_FAILURE)])
    told: list[list[Sample]] = []
    room.samples_changed.connect(told.append)
    lost = clock.pass_s(60)
    room.take_connected(False, "The database does not answer.")
    assert grades(room, 1, 2) == [Grade.STALE, Grade.BAD]
    shown = room.sample(1)
    assert shown is not None
    assert (shown.value, shown.source_time) == (4.0, lost)
    assert len(told) == 1
    assert room.trouble is not None
    assert room.trouble.words == "The database does not answer."


def test_values_live_again_when_both_are_back(room: Room, clock: FakeClock) -> None:
    room.take_samples([sample(1, 4.0)])
    room.take_connected(False, "away")
    room.take_connected(True, "")
    assert grades(room, 1) == [Grade.GOOD]


def test_a_collector_that_is_silent_for_more_than_five_seconds_makes_values_stale(room: Room, clock: FakeClock) -> None:
    room.take_samples([sample(1, 4.0)])
    clock.pass_s(5)
    room.tick()
    assert grades(room, 1) == [Grade.GOOD]
    clock.pass_s(0.1)
    room.tick()
    assert grades(room, 1) == [Grade.STALE]
    # what is read from the table of newest values meanwhile is as old as the collector's last beat
    room.take_samples([sample(2, 7.0)])
    assert grades(room, 2) == [Grade.STALE]
    room.take_status(collector_status(clock.now), [])
    assert grades(room, 1, 2) == [Grade.GOOD, Grade.GOOD]


def test_a_collector_with_a_wrong_clock_is_not_taken_for_dead(room: Room, clock: FakeClock) -> None:
    for _ in range(5):
        beat = clock.pass_s(1) - timedelta(hours=1)
        room.take_status(collector_status(beat), [])
        room.tick()
    assert room.trouble is None


def test_a_beat_from_before_the_seat_began_counts_as_old(clock: FakeClock) -> None:
    room = Room(clock)
    room.take_connected(True, "")
    room.take_status(collector_status(clock.now - timedelta(hours=2)), [])
    assert room.trouble is not None
    assert room.trouble.words == "The collector is silent."
    assert room.trouble.since == START - timedelta(hours=2)


def test_without_a_collector_the_room_says_so(clock: FakeClock) -> None:
    room = Room(clock)
    room.take_connected(True, "")
    room.take_status(None, [])
    assert room.trouble is not None
    assert not room.trouble.is_database


def test_a_tag_that_nobody_feeds_any_more_is_forgotten(room: Room) -> None:
    live_tags = LiveTags(room)
    told: list[frozenset[int]] = []
    live_tags.use_reader(told.append)
    live_tags.watch("map", [1, 2])
    live_tags.watch("tree", [2, 3])
    live_tags._tell_reader()
    room.take_samples([sample(number, 1.0) for number in (1, 2, 3)])
    live_tags.watch("map", [])
    live_tags._tell_reader()
    assert told == [frozenset(), frozenset({1, 2, 3}), frozenset({2, 3})]
    assert room.sample(1) is None
    assert grades(room, 2, 3) == [Grade.GOOD, Grade.GOOD]


def test_wishes_of_one_turn_reach_the_reader_once(room: Room, qtbot: QtBot) -> None:
    live_tags = LiveTags(room)
    told: list[frozenset[int]] = []
    live_tags.use_reader(told.append)
    for number in range(10):
        live_tags.watch(f"view {number}", [number])
    qtbot.waitUntil(lambda: len(told) == 2)
    assert told[-1] == frozenset(range(10))


def test_the_bridge_hands_over_by_queued_signals(room: Room, qtbot: QtBot) -> None:
    live_tags = LiveTags(room)
    live_tags.watch("map", [1])
    live_tags._tell_reader()
    live_tags.samples([sample(1, 4.0), sample(2, 4.0)])
    live_tags.alarms([alarms(room.configuration, START)[0]], False)
    assert room.sample(1) is None
    qtbot.waitUntil(lambda: room.sample(1) is not None and len(room.alarms) == 1)
    # nobody wants the second: it would stand still
    assert room.sample(2) is None
    live_tags.connected(False, "gone")
    qtbot.waitUntil(lambda: not room.is_connected)


def test_a_whole_list_of_alarms_ends_those_that_are_not_in_it(room: Room, clock: FakeClock) -> None:
    first, second = alarms(room.configuration, clock.now)[:2]
    room.take_alarms([first, second], True)
    told: list[list[Alarm]] = []
    room.alarms_changed.connect(told.append)
    room.take_alarms([second], True)
    assert list(room.alarms) == [second.rule_id]
    assert {one.rule_id for one in told[0] if one.state is AlarmState.NORMAL} == {first.rule_id}


def test_an_alarm_of_an_unknown_rule_is_shown_all_the_same(room: Room, clock: FakeClock) -> None:
    feed = AlarmFeed(room)
    room.take_alarms([Alarm(99_999, True, False, 1, clock.now)], False)
    feed.flush()
    assert "99999" in feed.rows[99_999].message


def test_the_feed_tells_what_changed_and_what_is_gone(room: Room, clock: FakeClock) -> None:
    feed = AlarmFeed(room)
    told: list[tuple[int, list[int]]] = []
    feed.changed.connect(lambda changed, gone: told.append((len(changed), gone)))
    found = alarms(room.configuration, clock.now, 5)
    room.take_alarms(found, True)
    room.take_alarms(found[:1], False)
    feed.flush()
    room.take_alarms(found[1:], True)
    feed.flush()
    assert told == [(5, []), (4, [found[0].rule_id])]


def test_a_flood_is_told_in_portions_and_none_of_it_is_forgotten(room: Room, qtbot: QtBot) -> None:
    feed, told = AlarmFeed(room), list[int]()
    feed.changed.connect(lambda changed, gone: told.append(len(changed)))
    room.take_alarms([Alarm(number, True, False, 1, START) for number in range(1_000)], False)
    qtbot.waitUntil(lambda: len(feed.rows) == 1_000)
    assert max(told) <= 120
    assert sum(told) == 1_000
