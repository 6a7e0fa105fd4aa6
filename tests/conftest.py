"""Guards around every test: nothing unexpected in the log, nothing left running; and the real servers for some.

Hypothesis runs derandomised, so that a test run today is the test run of tomorrow.
"""

import asyncio
import gc
import os
import re
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from system_packages import find_mosquitto, find_postgresql

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
settings.register_profile("house", derandomize=True, deadline=None)
settings.load_profile("house")
THREAD_GRACE_S = 2.0
SERVERS: dict[str, tuple[str, Callable[[], Path | None]]] = {
    "mosquitto": ("Mosquitto", find_mosquitto),
    "postgresql15": ("PostgreSQL 15 or newer", find_postgresql),
}
SKIPS = pytest.StashKey[dict[str, int]]()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose real server is missing, and count it; under CI fail it."""
    for marker, (title, find) in SERVERS.items():
        if item.get_closest_marker(marker) is None or find() is not None:
            continue
        reason = f"{title} is not installed on this machine"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}, and under CI it has to be", pytrace=False)
        counts = item.config.stash.setdefault(SKIPS, {})
        counts[title] = counts.get(title, 0) + 1
        pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say at the end how many tests a missing server has cost."""
    for title, count in config.stash.get(SKIPS, {}).items():
        terminalreporter.write_line(f"{count} skipped because {title} is not installed on this machine", yellow=True)


@pytest.fixture
def mosquitto_path() -> Path:
    """Return the Mosquitto broker's program; for tests that carry the marker `mosquitto`."""
    return _found(find_mosquitto())


@pytest.fixture
def postgresql_bin() -> Path:
    """Return the folder of the system's PostgreSQL programs; for tests that carry the marker `postgresql15`."""
    return _found(find_postgresql())


def _found(path: Path | None) -> Path:
    assert path is not None, "mark the test with the server that it needs"
    return path


@pytest.fixture(autouse=True)
def no_unexpected_log(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail a test that logs a WARNING or worse which `expects_log` does not name (`caplog.clear()` also accepts it)."""
    marker = request.node.get_closest_marker("expects_log")
    patterns = marker.args if marker else ()
    yield
    records = [record for phase in ("setup", "call", "teardown") for record in caplog.get_records(phase)]
    unexpected = [
        f"{record.levelname} {record.name}: {record.getMessage()}"
        for record in records
        if record.levelno >= 30 and not any(re.search(pattern, record.getMessage()) for pattern in patterns)
    ]
    if unexpected:
        pytest.fail("unexpected in the log:\n" + "\n".join(unexpected), pytrace=False)


@pytest.fixture(autouse=True)
def no_unclosed_tasks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test whose loop ends while a task still runs that nobody has cancelled."""
    left: list[str] = []
    cancel_all = asyncio.runners._cancel_all_tasks  # type: ignore[attr-defined]

    def note_and_cancel(loop: asyncio.AbstractEventLoop) -> None:
        # asyncio.run and Runner cancel without a word what the test forgot
        left.extend(repr(task) for task in asyncio.all_tasks(loop) if not task.cancelling())
        cancel_all(loop)

    monkeypatch.setattr(asyncio.runners, "_cancel_all_tasks", note_and_cancel)
    yield
    if left:
        pytest.fail("tasks still run:\n" + "\n".join(left), pytrace=False)


@pytest.fixture(autouse=True)
def no_dangling_threads() -> Iterator[None]:
    """Fail a test that leaves a thread running; one that is about to end gets a moment."""
    before = set(threading.enumerate())
    yield
    left = []
    for thread in set(threading.enumerate()) - before:
        # a dummy stands for a thread of Qt's or the system's own that called Python once
        if not isinstance(thread, threading._DummyThread):
            thread.join(THREAD_GRACE_S)
            left += [repr(thread)] if thread.is_alive() else []
    if left:
        pytest.fail("threads still run: " + ", ".join(left), pytrace=False)


@pytest.fixture(autouse=True)
def no_dangling_qt(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test that leaves a running QTimer or a top-level widget behind."""
    if "PySide6.QtCore" not in sys.modules:
        yield
        return
    timers = _note_started_timers(monkeypatch)
    before = _top_level_widgets()
    yield
    if not (left := _left_of_qt(timers, before)):
        return
    from PySide6.QtCore import QCoreApplication

    gc.collect()
    # what was asked for in the same turn, as by a view that has just gone, is no timer left running
    QCoreApplication.processEvents()
    if left := _left_of_qt(timers, before):
        pytest.fail("still there: " + ", ".join(left), pytrace=False)


def _note_started_timers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    from PySide6.QtCore import QTimer

    started: list[weakref.ref[QTimer]] = []
    start = QTimer.start

    # a plain function: PySide6 crashes on other callables in place of a method
    def noting_start(timer: QTimer, *arguments: Any) -> None:
        started.append(weakref.ref(timer))
        start(timer, *arguments)

    monkeypatch.setattr(QTimer, "start", noting_start)
    return started


def _top_level_widgets() -> list[Any]:
    widgets = sys.modules.get("PySide6.QtWidgets")
    return widgets.QApplication.topLevelWidgets() if widgets and widgets.QApplication.instance() else []


def _left_of_qt(timers: list[Any], before: list[Any]) -> list[str]:
    from PySide6.QtCore import QCoreApplication, QEvent
    from shiboken6 import isValid

    if QCoreApplication.instance() is not None:
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    alive = [timer for ref in timers if (timer := ref()) is not None and isValid(timer)]
    running = [f"{timer!r} every {timer.interval()} ms of {timer.parent()!r}" for timer in alive if timer.isActive()]
    return running + [repr(widget) for widget in _top_level_widgets() if widget not in before]
