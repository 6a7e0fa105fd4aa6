"""The alarm banner: counts, the newest that wait, and no calm words without knowledge."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from control_room.core.alarms import Priority
from tests.widgets.alarm_rows import acknowledged, row
from widgets.alarm_banner import AlarmBanner


@pytest.fixture
def banner(qtbot: QtBot) -> AlarmBanner:
    made = AlarmBanner()
    qtbot.addWidget(made)
    made.resize(1300, 40)
    made.show()
    made.set_known(True)
    return made


def test_without_knowledge_it_does_not_say_that_all_is_well(banner: AlarmBanner) -> None:
    assert banner.text() == "none to acknowledge"
    banner.set_known(False)
    assert banner.text() == "alarms not known"
    banner.change([row(1)], [])
    assert banner.text() == "not up to date"


def test_the_newest_that_wait_come_first_and_at_most_six(banner: AlarmBanner) -> None:
    banner.change([row(number, after_s=number) for number in range(1, 9)] + [acknowledged(row(20, after_s=99))], [])
    assert banner.entries() == [8, 7, 6, 5, 4, 3]
    assert banner.text() == "8 to acknowledge"


def test_a_click_leads_to_the_alarm_or_to_the_board(banner: AlarmBanner, qtbot: QtBot) -> None:
    banner.change([row(7)], [])
    with qtbot.waitSignal(banner.alarm_clicked) as clicked:
        QTest.mouseClick(banner, Qt.MouseButton.LeftButton, pos=QPoint(700, 20))
    assert clicked.args == [7]
    with qtbot.waitSignal(banner.board_wanted):
        QTest.mouseClick(banner, Qt.MouseButton.LeftButton, pos=QPoint(30, 20))


def test_it_flashes_only_while_something_waits(banner: AlarmBanner) -> None:
    def flashes() -> bool:
        pictures = []
        for is_lit in (True, False):
            banner.set_blink(is_lit)
            pictures.append(banner.grab().toImage())
        return pictures[0] != pictures[1]

    banner.change([row(1, Priority.HIGHEST)], [])
    assert flashes()
    banner.change([acknowledged(row(1, Priority.HIGHEST))], [])
    assert not flashes()
