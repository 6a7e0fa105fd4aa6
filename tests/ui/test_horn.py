"""The seat's horn: sounds, silence, what the strip and the dialog say; and the real speaker."""

import sys
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from control_room.core.alarms import Alarm, AlarmRule, Priority
from control_room.core.horn import REPEAT_S
from control_room.ui.dialogs.sounds import SoundsDialog
from control_room.ui.horn import LEAST_PERCENT, SeatHorn
from control_room.ui.main_window import MainWindow
from control_room.ui.room import Trouble
from control_room.ui.speaker import NO_DEVICE, QtSpeaker
from tests.ui.rooms import Stage
from widgets.status_lights import Light


@dataclass
class FakeSpeaker:
    """Notes what it is told to play."""

    problem: str = ""
    played: list[tuple[Priority, float]] = field(default_factory=list)

    def play(self, priority: Priority, volume: float) -> None:
        self.played.append((priority, volume))


@pytest.fixture
def speaker() -> FakeSpeaker:
    return FakeSpeaker()


@pytest.fixture
def seat(stage: Stage, speaker: FakeSpeaker, qtbot: QtBot) -> MainWindow:
    stage.fill(0)
    made = MainWindow(stage.console, lambda: None, speaker=speaker)
    qtbot.addWidget(made, before_close_func=lambda window: window.finish())
    made.show()
    return made


def tell(stage: Stage, *alarms: Alarm) -> None:
    stage.console.room.take_alarms(list(alarms), is_whole=False)
    stage.console.alarms.flush()


def rule_of(stage: Stage, priority: Priority, number: int = 0) -> AlarmRule:
    return [one for one in stage.console.room.rules.values() if one.priority is priority][number]


def raised(stage: Stage, priority: Priority, number: int = 0, event: int = 1) -> Alarm:
    rule = rule_of(stage, priority, number)
    now = stage.clock.now
    return Alarm(rule.id, is_active=True, is_acknowledged=False, event_id=event, raised_time=now, value=1.0)


def press_f8(seat: MainWindow) -> None:
    seat.activateWindow()
    QTest.keyClick(seat, Qt.Key.Key_F8)


def test_an_alarm_sounds_at_once_and_again_until_it_is_acknowledged(
    seat: MainWindow, stage: Stage, speaker: FakeSpeaker, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setattr("control_room.ui.horn.REPEAT_S", dict.fromkeys(REPEAT_S, 0.02))
    alarm = raised(stage, Priority.HIGH)
    tell(stage, alarm)
    assert speaker.played == [(Priority.HIGH, 0.8)]
    qtbot.waitUntil(lambda: len(speaker.played) > 3)
    assert seat.strip.horn.text() == "Horn: sounds, priority 2"
    tell(stage, replace(alarm, is_acknowledged=True))
    count = len(speaker.played)
    qtbot.wait(80)
    assert len(speaker.played) == count
    assert seat.strip.horn.text() == "Horn: on"


def test_f8_silences_and_acknowledges_nothing(seat: MainWindow, stage: Stage, speaker: FakeSpeaker) -> None:
    tell(stage, raised(stage, Priority.LOW))
    press_f8(seat)
    assert seat.horn.sounding is None
    assert (seat.strip.horn.text(), seat.strip.horn.light) == ("Horn: 1 silenced", Light.WAITING)
    assert stage.acting.asked == []
    assert [row.needs_acknowledgement for row in stage.console.alarms.rows.values()] == [True]
    tell(stage, raised(stage, Priority.LOW, 1))
    assert [priority for priority, _ in speaker.played] == [Priority.LOW, Priority.LOW]


def test_a_more_urgent_one_is_heard_at_once_and_a_flood_only_once(
    seat: MainWindow, stage: Stage, speaker: FakeSpeaker
) -> None:
    tell(stage, raised(stage, Priority.LOW))
    tell(stage, raised(stage, Priority.HIGH))
    flood = [one for one in stage.console.room.rules.values() if one.priority >= Priority.HIGH]
    now = stage.clock.now
    for part in range(0, len(flood), 20):
        tell(stage, *(Alarm(one.id, True, False, event_id=2, raised_time=now) for one in flood[part : part + 20]))
    assert [priority for priority, _ in speaker.played] == [Priority.LOW, Priority.HIGH]


def test_it_is_heard_from_a_window_that_nobody_sees(seat: MainWindow, stage: Stage, speaker: FakeSpeaker) -> None:
    seat.showMinimized()
    tell(stage, raised(stage, Priority.MEDIUM))
    assert [priority for priority, _ in speaker.played] == [Priority.MEDIUM]


def test_what_stood_before_the_window_opened_is_heard(stage: Stage, speaker: FakeSpeaker) -> None:
    stage.fill(0)
    tell(stage, raised(stage, Priority.HIGH))
    horn = SeatHorn(stage.console.alarms, stage.console.settings, speaker)
    assert horn.sounding is Priority.HIGH
    assert len(speaker.played) == 1


def test_a_horn_that_is_off_or_cannot_be_heard_is_in_sight(
    seat: MainWindow, stage: Stage, speaker: FakeSpeaker
) -> None:
    QTest.mouseClick(seat.strip.horn, Qt.MouseButton.LeftButton)
    dialog = seat.sounds
    assert isinstance(dialog, SoundsDialog)
    dialog.on.setFocus()
    QTest.keyClick(dialog.on, Qt.Key.Key_Space)
    assert (seat.strip.horn.text(), seat.strip.horn.light) == ("Horn: off", Light.TROUBLE)
    tell(stage, raised(stage, Priority.HIGH))
    assert speaker.played == []
    QTest.keyClick(dialog.on, Qt.Key.Key_Space)
    assert len(speaker.played) == 1
    speaker.problem = NO_DEVICE
    seat.horn.changed.emit()
    assert (seat.strip.horn.text(), seat.strip.horn.light) == ("Horn: no sound", Light.TROUBLE)
    assert NO_DEVICE in seat.strip.horn.toolTip()


def test_each_priority_is_tried_at_its_own_volume_which_is_kept(
    seat: MainWindow, stage: Stage, speaker: FakeSpeaker
) -> None:
    seat.open_sounds()
    assert seat.sounds is not None
    dialog = seat.sounds
    dialog.volumes[Priority.LOW].setFocus()
    QTest.keyClick(dialog.volumes[Priority.LOW], Qt.Key.Key_Home)
    QTest.mouseClick(dialog.tests[Priority.LOW], Qt.MouseButton.LeftButton)
    assert speaker.played == [(Priority.LOW, LEAST_PERCENT / 100)]
    again = SeatHorn(stage.console.alarms, stage.console.settings, speaker)
    assert (again.percent(Priority.LOW), again.percent(Priority.HIGHEST)) == (LEAST_PERCENT, 80)
    speaker.problem = NO_DEVICE
    QTest.mouseClick(dialog.tests[Priority.HIGHEST], Qt.MouseButton.LeftButton)
    assert dialog.notice_bar.text() == NO_DEVICE


def test_settings_that_somebody_spoiled_do_not_mute_it(stage: Stage, speaker: FakeSpeaker) -> None:
    stage.console.settings.setValue("horn/volume_1", -5)
    horn = SeatHorn(stage.console.alarms, stage.console.settings, speaker)
    assert horn.percent(Priority.HIGHEST) == LEAST_PERCENT


# what Qt says of a machine without a sound server or without libraries for films
@pytest.mark.qt_log_ignore("pipewire|pa_context_connect|library|symbols", extend=True)
def test_the_real_speaker_plays_or_says_why_not(qtbot: QtBot) -> None:
    made = QtSpeaker()
    for priority in Priority:
        made.play(priority, 0.2)
    assert made.problem == "" or made.problem == NO_DEVICE or "libpulse0" in made.problem


def test_a_machine_without_the_library_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, qtbot: QtBot) -> None:
    monkeypatch.setitem(sys.modules, "PySide6.QtMultimedia", None)
    made = QtSpeaker()
    made.play(Priority.HIGHEST, 1.0)
    assert "install libpulse0" in made.problem


def test_the_horn_sounds_while_no_collector_is_there(seat: MainWindow, stage: Stage, speaker: FakeSpeaker) -> None:
    stage.fill(0)
    room = stage.console.room
    began = room.now()
    room.tick()
    lost = Trouble("The collector is silent.", began, is_database=False)
    seat.horn.watch(lost, began + timedelta(seconds=9))
    assert speaker.played == []
    seat.horn.watch(lost, began + timedelta(seconds=10))
    seat.horn.watch(lost, began + timedelta(seconds=11))
    assert [priority for priority, _ in speaker.played] == [Priority.HIGH]
    QTest.keyClick(seat, Qt.Key.Key_F8)
    assert seat.horn.sounding is None
    seat.horn.watch(lost, began + timedelta(seconds=12))
    assert seat.horn.sounding is None
    seat.horn.watch(None, began + timedelta(seconds=13))
    seat.horn.watch(Trouble("Again.", began + timedelta(seconds=20), is_database=True), began + timedelta(seconds=31))
    assert seat.horn.sounding is Priority.HIGH
