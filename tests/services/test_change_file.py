"""Alarm changes on disk: what a killed collector had not recorded is found by the next one, and nothing that was recorded."""

from pathlib import Path

import pytest

from control_room.core.alarms import AlarmKind, AlarmRule, Priority, ProcessChange, Raised, Returned
from control_room.core.spool_changes import Change
from control_room.services.alarm_desk import AlarmDesk
from control_room.services.change_file import ChangeFile, forget_changes, read_changes
from control_room.services.spool import Spool
from tests.fakes import START, FakeAlarmStore, FakeClock, sample

RULE = AlarmRule(1, 1, AlarmKind.H, Priority.HIGH, 90.0)


def left(folder: Path) -> list[Change]:
    """Return what those who are gone have left, and let go of it."""
    found = []
    for run in Spool(folder).find_left():
        found += read_changes(run.folder)
        run.close()
    return found


def desk_of(store: FakeAlarmStore, spool: Spool) -> tuple[AlarmDesk, ChangeFile]:
    changes = ChangeFile(spool)
    desk = AlarmDesk(store, FakeClock(), changes)
    desk.use_rules([RULE])
    return desk, changes


@pytest.mark.expects_log("Alarms cannot be recorded")
async def test_an_alarm_that_came_and_went_while_the_database_was_away_outlives_the_collector(tmp_path: Path) -> None:
    store, spool = FakeAlarmStore(is_away=True), Spool(tmp_path)
    desk, changes = desk_of(store, spool)
    desk.take([sample(1, 95.0, 1), sample(1, 50.0, 2)])
    assert not await desk.flush()
    # it dies: nothing is flushed, the lock alone is let go
    changes.close()
    spool.close()
    found = left(tmp_path)
    at = [sample(1, 0, seconds).source_time for seconds in (1, 2)]
    assert found == [ProcessChange(1, 1, Raised(at[0], 95.0, 0)), ProcessChange(1, 2, Returned(at[1], 50.0, 0))]
    store.is_away = False
    for _ in range(2):
        # the second time as after a crash before they were forgotten
        await store.record(found)
    assert [(one.happening, one.time) for one in store.journal] == [("raised", at[0]), ("returned", at[1])]
    assert left(tmp_path) == found


async def test_what_is_recorded_is_forgotten(tmp_path: Path) -> None:
    store, spool = FakeAlarmStore(), Spool(tmp_path)
    desk, changes = desk_of(store, spool)
    for number in range(20):
        desk.take([sample(1, 95.0 if number % 2 else 50.0, number)])
        assert await desk.flush()
    assert read_changes(spool.open()) == []
    changes.close()
    spool.close()
    assert left(tmp_path) == []
    assert Spool(tmp_path).find_left() == []


def test_a_change_that_was_cut_off_is_left_out_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool = Spool(tmp_path)
    changes = ChangeFile(spool)
    whole = [ProcessChange(1, number, Raised(START, 1.0, 0)) for number in (1, 2)]
    for one in whole:
        changes.keep(one)
    path = spool.open() / "changes"
    path.write_bytes(path.read_bytes()[:-3])
    assert read_changes(spool.open()) == whole[:1]
    assert "1 alarm changes" in caplog.text
    caplog.clear()
    forget_changes(spool.open())
    assert read_changes(spool.open()) == []
    changes.close()
    spool.close()
