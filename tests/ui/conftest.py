"""A stage for every test of the seat's windows."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from control_room.ui.main_window import MainWindow
from tests.fakes import FakeClock
from tests.ui.gallery import FOLDER
from tests.ui.rooms import Stage, make_stage


@pytest.fixture
def stage(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> Iterator[Stage]:
    with asyncio.Runner() as runner:
        made = make_stage(qapp, tmp_path, FakeClock(), runner)
        yield made
        made.console.blink.stop()
        # a dialog that a key opens never hears that Ctrl was let go, and Qt would take it for held in the next test
        hands = QWidget()
        QTest.keyRelease(hands, Qt.Key.Key_Control)
        hands.deleteLater()
        made.console.alarms.flush()
        # what waits for the next turn of the loop
        qapp.processEvents()


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    folder = Path(FOLDER) if FOLDER else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def room(stage: Stage) -> Iterator[MainWindow]:
    """Return a window that is neither sized nor shown yet."""
    made = MainWindow(stage.console, lambda: None)
    yield made
    made.finish()
    made.deleteLater()


@pytest.fixture
def window(room: MainWindow, qtbot: QtBot) -> MainWindow:
    room.resize(1920, 1080)
    room.show()
    qtbot.waitExposed(room)
    return room
