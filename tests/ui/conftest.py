"""A stage for every test of the seat's windows."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from control_room.ui.main_window import MainWindow
from tests.fakes import FakeClock
from tests.ui.rooms import Stage, make_stage


@pytest.fixture
def stage(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> Iterator[Stage]:
    with asyncio.Runner() as runner:
        made = make_stage(qapp, tmp_path, FakeClock(), runner)
        yield made
        made.console.blink.stop()
        made.console.alarms.flush()
        # what waits for the next turn of the loop
        qapp.processEvents()


@pytest.fixture
def window(stage: Stage, qtbot: QtBot) -> Iterator[MainWindow]:
    made = MainWindow(stage.console, lambda: None)
    made.resize(1920, 1080)
    made.show()
    qtbot.waitExposed(made)
    yield made
    made.finish()
    made.deleteLater()
