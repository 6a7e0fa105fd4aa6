"""The guards bite: a test that leaves something behind fails, a tidy one passes."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
INI = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
addopts = --import-mode=importlib
pythonpath = {packaging}
qt_api = pyside6
markers =
    expects_log(pattern): as in the project
    mosquitto: as in the project
"""
LEAVES_A_LOG_RECORD = """
import logging

def test_it():
    logging.getLogger("room").warning("the lights are out")
"""
LEAVES_A_TASK = """
import asyncio

async def test_it():
    left = asyncio.create_task(asyncio.sleep(60))
    await asyncio.sleep(0)
"""
LEAVES_A_TASK_IN_A_RUN = """
import asyncio

async def forgetful():
    left = asyncio.create_task(asyncio.sleep(60))

def test_it():
    asyncio.run(forgetful())
"""
LEAVES_A_THREAD = """
import threading

def test_it():
    threading.Thread(target=threading.Event().wait, args=(5,), name="reader", daemon=True).start()
"""
LEAVES_A_TIMER = """
from PySide6.QtCore import QTimer
kept = []

def test_it(qapp):
    kept.append(QTimer())
    kept[0].start(1000)
"""
LEAVES_A_WIDGET = """
from PySide6.QtWidgets import QWidget
kept = []

def test_it(qapp):
    kept.append(QWidget())
"""
EXPECTS_ITS_LOG = """
import logging
import pytest

@pytest.mark.expects_log("lights")
def test_it():
    logging.getLogger("room").warning("the lights are out")
"""
STOPS_ITS_TASK = """
import asyncio

async def test_it():
    left = asyncio.create_task(asyncio.sleep(60))
    await asyncio.sleep(0)
    left.cancel()
"""
DROPS_ITS_TIMER_AND_WIDGET = """
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QWidget

def test_it(qtbot):
    widget = QWidget()
    qtbot.addWidget(widget)
    timer = QTimer(widget)
    timer.start(1000)
    QTimer().start(1000)
"""
WANTS_A_BROKER = """
import pytest

@pytest.mark.mosquitto
def test_it():
    pass
"""


@pytest.fixture
def guarded(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini(INI.format(packaging=HERE.parent / "packaging"))
    pytester.makeconftest((HERE / "conftest.py").read_text(encoding="utf-8"))
    return pytester


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (LEAVES_A_LOG_RECORD, "WARNING room: the lights are out"),
        (LEAVES_A_TASK, "tasks still run:"),
        (LEAVES_A_TASK_IN_A_RUN, "tasks still run:"),
        (LEAVES_A_THREAD, "threads still run: *reader*"),
        (LEAVES_A_TIMER, "still there: *QTimer*"),
        (LEAVES_A_WIDGET, "still there: *QWidget*"),
    ],
)
def test_what_is_left_behind_fails_the_test(guarded: pytest.Pytester, source: str, words: str) -> None:
    guarded.makepyfile(source)
    outcome = guarded.runpytest_subprocess()
    outcome.assert_outcomes(passed=1, errors=1)
    outcome.stdout.fnmatch_lines([f"*{words}*"])


@pytest.mark.parametrize("source", [EXPECTS_ITS_LOG, STOPS_ITS_TASK, DROPS_ITS_TIMER_AND_WIDGET])
def test_a_tidy_test_passes(guarded: pytest.Pytester, source: str) -> None:
    guarded.makepyfile(source)
    guarded.runpytest_subprocess().assert_outcomes(passed=1)


@pytest.mark.parametrize("is_ci", [False, True])
def test_a_missing_server_skips_and_is_counted_but_fails_under_ci(
    guarded: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, is_ci: bool
) -> None:
    if is_ci:
        monkeypatch.setenv("CI", "true")
    else:
        monkeypatch.delenv("CI", raising=False)
    guarded.makepyfile(system_packages="def find_mosquitto(): pass\ndef find_postgresql(): pass\n")
    guarded.makeini(INI.format(packaging=guarded.path))
    guarded.makepyfile(WANTS_A_BROKER)
    outcome = guarded.runpytest_subprocess()
    outcome.assert_outcomes(errors=1) if is_ci else outcome.assert_outcomes(skipped=1)
    if not is_ci:
        outcome.stdout.fnmatch_lines(["1 skipped because Mosquitto is not installed*"])
