"""The collector's own tags: what they say, and that their alarms live as every other."""

import asyncio
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest

from control_room.core.alarms import AlarmKind, AlarmRule, Priority
from control_room.core.errors import Refused
from control_room.core.plant import as_document, from_document, with_link_tags
from control_room.core.ports import LINK_ADDRESS, LINK_IS_UP, Item
from control_room.core.rule_check import check_rules
from control_room.core.samples import BAD, BAD_CONFIGURATION, GOOD, Sample
from control_room.core.system_tags import (
    ABSENCE,
    ABSENT_AFTER_S,
    CERTIFICATE_LEFT,
    CLOCK_AHEAD,
    COLLECTOR,
    DATABASE_AWAY,
    DISK_FREE,
    DISK_LEFT,
    SAMPLES_LOST,
    SPOOL_FILLED,
    with_collector_tags,
)
from control_room.core.tags import Connection
from control_room.services.absence import Gap
from control_room.services.alarm_desk import AlarmDesk
from control_room.services.disk_forecast import MOST_DAYS, DiskForecast
from control_room.services.self_watch import Drift, OwnState, SelfWatch, self_watch_spec
from control_room.services.supervisor import Supervisor
from tests.db.certificates import Authority
from tests.fakes import START, FakeAlarmStore, FakeClock
from tests.plants import plant

ITEMS = (Item(1, DISK_FREE), Item(2, DATABASE_AWAY), Item(3, "moon.phase"))


class Watched:
    """A watch whose database can be made to go away."""

    def __init__(self, folder: str, items: tuple[Item, ...] = ITEMS, certificate: str = "") -> None:
        self.is_away, self.clock, self.drift, self.gap = False, FakeClock(), Drift(), Gap()
        made = self_watch_spec(OwnState(lambda: self.is_away, self.drift, self.gap), self.clock).make(
            {"folder": folder, "certificate": certificate}, items
        )
        assert isinstance(made, SelfWatch)
        self.watch = made

    def look(self) -> dict[int, tuple[float | None, int]]:
        return {one.tag_id: (one.value, one.quality) for one in self.watch.look()}


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Return a disk of 1000 bytes, 500 of them free."""
    usage = SimpleNamespace(total=1000, used=500, free=500)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    return usage


def test_it_says_what_changed(disk: SimpleNamespace) -> None:
    watched = Watched("/")
    assert watched.look() == {1: (50.0, GOOD), 2: (0.0, GOOD), 3: (None, BAD_CONFIGURATION)}
    assert watched.look() == {}
    disk.free = 49
    assert watched.look() == {1: (4.9, GOOD)}


def test_it_says_what_others_know() -> None:
    spec = self_watch_spec(
        OwnState(lambda: False, more={SPOOL_FILLED: lambda: 12.5, SAMPLES_LOST: lambda: 3.0}), FakeClock()
    )
    made = spec.make({"folder": "/", "certificate": ""}, (Item(1, SPOOL_FILLED), Item(2, SAMPLES_LOST)))
    assert isinstance(made, SelfWatch)
    assert [(one.tag_id, one.value, one.quality) for one in made.look()] == [(1, 12.5, GOOD), (2, 3.0, GOOD)]


def test_the_days_until_the_disk_is_full(disk: SimpleNamespace) -> None:
    watched = Watched("/", (Item(7, DISK_LEFT),))
    disk.free = 1_000_000
    begin = watched.clock.now
    # a hundredth of it goes in every hour
    said: dict[int, tuple[float | None, int]] = {}
    for minute in range(0, 24 * 60, 5):
        watched.clock.now = begin + timedelta(minutes=minute)
        disk.free = 1_000_000 - minute * 10_000 // 60
        for value in watched.look().values():
            said[minute] = value
    assert said[0] == (None, BAD)
    assert said[360] == (3.0, GOOD)
    assert list(said) == sorted(said)
    assert list(said.values())[-1] == (3.0, GOOD)


def test_a_disk_that_gains_space_is_never_full_and_a_sudden_flood_is_seen_at_once() -> None:
    forecast, gib = DiskForecast(), 2**30
    with pytest.raises(ValueError, match="six hours"):
        forecast.days(START, 100 * gib)
    assert forecast.days(START + timedelta(hours=7), 101 * gib) == MOST_DAYS
    for hour in range(8, 200):
        assert forecast.days(START + timedelta(hours=hour), 101 * gib) == MOST_DAYS
    # 2 GiB an hour from now on, after a week of quiet
    for hour in range(1, 7):
        found = forecast.days(START + timedelta(hours=199 + hour), (101 - 2 * hour) * gib)
    assert found == 1.0
    # a clock that was set back begins anew
    with pytest.raises(ValueError, match="six hours"):
        forecast.days(START, 89 * gib)


def test_the_disk_of_this_machine_has_a_share_that_is_free(tmp_path: Path) -> None:
    value, quality = Watched(str(tmp_path)).look()[1]
    assert value is not None
    assert 0.0 <= value <= 100.0
    assert quality == GOOD


def test_a_folder_that_is_not_there_is_bad_and_no_full_disk(tmp_path: Path) -> None:
    assert Watched(str(tmp_path / "gone")).look()[1] == (None, BAD)


@pytest.mark.parametrize(("days", "left_days"), [(30, 29.0), (3, 2.0), (-2, -3.0)])
def test_the_days_until_a_certificate_expires(tmp_path: Path, days: int, left_days: float) -> None:
    path = tmp_path / "own.crt"
    Authority.make(path, days=days)
    watched = Watched("/", (Item(4, CERTIFICATE_LEFT),), str(path))
    watched.clock.now = datetime.now(UTC)
    assert watched.look() == {4: (left_days, GOOD)}


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_certificate_that_cannot_be_read_is_bad(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "own.crt"
    if content is not None:
        path.write_bytes(content)
    assert Watched("/", (Item(4, CERTIFICATE_LEFT),), str(path)).look() == {4: (None, BAD)}


@pytest.mark.usefixtures("disk")
def test_the_time_without_the_database_counts_and_begins_anew() -> None:
    watched = Watched("/", ITEMS[1:2])
    assert watched.look() == {2: (0.0, GOOD)}
    watched.is_away = True
    assert watched.look() == {}
    watched.clock.pass_s(12.5)
    assert watched.look() == {2: (12.0, GOOD)}
    watched.is_away = False
    assert watched.look() == {2: (0.0, GOOD)}
    watched.is_away = True
    assert watched.look() == {}


async def test_a_database_that_was_away_is_announced_after_it_with_its_times(caplog: pytest.LogCaptureFixture) -> None:
    watched, store = Watched("/", ITEMS[1:2]), FakeAlarmStore()
    desk = AlarmDesk(store, watched.clock)
    desk.use_rules([AlarmRule(7, 2, AlarmKind.H, Priority.HIGH, 10.0)])
    desk.take(watched.watch.look())
    watched.is_away = store.is_away = True
    for _ in range(3):
        desk.take(watched.watch.look())
        assert not await desk.flush() or not store.journal
        watched.clock.pass_s(10)
    watched.is_away = store.is_away = False
    desk.take(watched.watch.look())
    assert await desk.flush()
    caplog.clear()
    times = [(str(entry.happening), entry.time) for entry in store.journal]
    assert times == [("raised", START + timedelta(seconds=10)), ("returned", START + timedelta(seconds=30))]


async def test_it_publishes_until_cancelled_and_refuses_what_is_written(disk: SimpleNamespace) -> None:
    heard: list[Sample] = []
    is_up = asyncio.Event()
    sink = SimpleNamespace(link_up=is_up.set, publish=heard.extend, link_dropped=lambda _: None)
    watch = Watched("/").watch
    task = asyncio.create_task(watch.run(sink))
    await is_up.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert {one.tag_id for one in heard} == {1, 2, 3}
    assert disk.free == 500
    assert await watch.probe()
    with pytest.raises(Refused, match=r"database\.away_s of the collector cannot be written"):
        await watch.write(DATABASE_AWAY, 1.0)


@pytest.mark.usefixtures("disk")
async def test_a_supervisor_keeps_it_as_every_connection() -> None:
    spec = self_watch_spec(OwnState(lambda: False), FakeClock())
    [own] = [one for one in with_collector_tags(plant()).connections if one.driver == spec.key]
    heard: dict[int, Sample] = {}
    is_whole = asyncio.Event()

    def publish(samples: Sequence[Sample]) -> None:
        heard.update((one.tag_id, one) for one in samples)
        if len(heard) == 3:
            is_whole.set()

    items = (*ITEMS[:2], Item(9, LINK_ADDRESS))
    link = Connection(1, 1, own.name, own.driver, own.settings, is_enabled=True)
    supervisor = Supervisor(link, spec, items, publish, FakeClock(), Random(1))
    task = asyncio.create_task(supervisor.run())
    await is_whole.wait()
    assert {tag_id: one.value for tag_id, one in heard.items()} == {1: 50.0, 2: 0.0, 9: LINK_IS_UP}
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_plant_with_the_collectors_tags_can_be_imported() -> None:
    whole = with_link_tags(with_collector_tags(plant(), certificate="/etc/control-room/own.crt"))
    check_rules(whole.tags)
    assert from_document(as_document(whole)) == whole
    own = [tag for tag in whole.tags if tag.connection == COLLECTOR]
    assert [tag.address for tag in own] == [
        *(DISK_FREE, DISK_LEFT, DATABASE_AWAY, CLOCK_AHEAD, ABSENCE, SPOOL_FILLED, SAMPLES_LOST),
        *(CERTIFICATE_LEFT, "$link"),
    ]
    assert len(with_collector_tags(plant()).tags) == len(plant().tags) + 7


def test_the_clock_is_known_when_the_server_told_its_time(disk: SimpleNamespace) -> None:
    watched = Watched("/", (Item(5, CLOCK_AHEAD),))
    assert watched.look() == {5: (None, BAD)}
    watched.drift.take(-3.26)
    assert watched.look() == {5: (-3.3, GOOD)}
    watched.drift.take(None)
    assert watched.look() == {}


async def test_a_drifting_clock_is_an_alarm() -> None:
    rules = next(tag for tag in with_collector_tags(plant()).tags if tag.address == CLOCK_AHEAD).rules
    store = FakeAlarmStore()
    watched = Watched("/", (Item(5, CLOCK_AHEAD),))
    desk = AlarmDesk(store, watched.clock)
    own = [
        AlarmRule(n, 5, one.kind, one.priority, one.limit, one.deadband, one.on_delay_s, one.off_delay_s)
        for n, one in enumerate(rules, 1)
    ]
    desk.use_rules(own)
    for ahead_s, expected in ((1.9, []), (-2.1, [2]), (0.0, []), (60.0, [1])):
        watched.drift.take(ahead_s)
        desk.take(watched.watch.look())
        watched.clock.pass_s(31.0)
        await desk.flush()
        assert [rule_id for rule_id, one in store.alarms.items() if one.is_active] == expected


async def test_the_next_collector_journals_that_none_was_there() -> None:
    clock, store = FakeClock(), FakeAlarmStore()
    desk = AlarmDesk(store, clock)
    desk.use_rules([AlarmRule(1, 5, AlarmKind.H, Priority.HIGH, ABSENT_AFTER_S)])
    gap, items = Gap(), (Item(5, ABSENCE), Item(6, DISK_FREE))
    last_beat = clock.now
    gap.found(last_beat)
    clock.pass_s(300.0)
    samples = gap.samples(items, clock.now)
    assert [(one.tag_id, one.value, one.source_time) for one in samples] == [
        (5, 300.0, last_beat + timedelta(seconds=10)),
        (5, 0.0, clock.now),
    ]
    # a driver that is made anew says nothing twice
    assert gap.samples(items, clock.now) == []
    desk.take(samples)
    await desk.flush()
    assert [(one.happening, one.time) for one in store.journal] == [
        ("raised", last_beat + timedelta(seconds=10)),
        ("returned", clock.now),
    ]


@pytest.mark.parametrize("away_s", [None, 0.5, 9.9])
def test_a_short_gap_is_none(away_s: float | None) -> None:
    gap = Gap()
    gap.found(None if away_s is None else START - timedelta(seconds=away_s))
    assert gap.samples((Item(5, ABSENCE),), START) == []
