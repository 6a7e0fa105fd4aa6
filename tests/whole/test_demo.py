"""The whole house from outside: the demo as a person starts it, with parts of it killed."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from db.participants import Participants

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="control-room-test-") as name:
        # PostgreSQL runs as another user when the tests run as root
        Path(name).chmod(0o755)
        yield Path(name)


def demo(folder: Path, seconds: float) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "control_room", "demo", "--data-folder", str(folder), "--seconds", str(seconds)]
    command += ["--summary", str(folder / "summary.json"), "--pictures", str(folder / "pictures")]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def processes_of(folder: Path) -> list[psutil.Process]:
    """Return the living processes that name the folder on their command line, and their children."""
    found = set()
    for one in psutil.process_iter():
        try:
            if (
                one.status() != psutil.STATUS_ZOMBIE
                and one.pid != os.getpid()
                and str(folder) in " ".join(one.cmdline())
            ):
                found |= {one, *one.children(recursive=True)}
        except psutil.Error:
            continue
    return [one for one in found if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def until(is_so: Callable[[], object], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def postmaster(folder: Path) -> psutil.Process | None:
    try:
        return psutil.Process(int((folder / "postgres" / "postmaster.pid").read_text().split()[0]))
    except (OSError, psutil.Error):
        return None


def test_the_demo_survives_the_death_of_its_collector_and_database_and_leaves_nothing_behind(folder: Path) -> None:
    with demo(folder, 60) as running:
        registry = Participants(folder)
        until(lambda: registry.processes("collector") and (folder / "plant.json").exists(), 60)
        first = registry.processes("collector")[0]
        time.sleep(5)  # values must flow before the collector dies
        first.kill()
        until(lambda: any(one != first for one in registry.processes("collector")), 15)
        time.sleep(5)
        database = postmaster(folder)
        assert database is not None
        database.kill()
        until(lambda: postmaster(folder) not in (None, database), 40)
        _, said = running.communicate(timeout=150)
    assert running.returncode == 0, said
    assert "Traceback" not in said
    figures = json.loads((folder / "summary.json").read_text())
    assert figures["values_received"] == figures["values_stored"] > 500
    assert figures["values_dropped"] == 0
    assert figures["tags"] > 300
    assert figures["wire_to_screen_ms_p95"] > 0
    assert {one.stem for one in (folder / "pictures").glob("*.png")} >= {
        "window",
        "map",
        "trends",
        "alarms",
        "navigation",
    }
    assert processes_of(folder) == []


def test_after_the_seat_was_killed_the_next_one_takes_over_and_cleans_up(folder: Path) -> None:
    with demo(folder, 300) as killed:
        registry = Participants(folder)
        until(lambda: registry.processes("collector") and (folder / "plant.json").exists(), 60)
        os.kill(killed.pid, signal.SIGKILL)
    with demo(folder, 30) as running:
        _, said = running.communicate(timeout=150)
    assert running.returncode == 0, said
    assert json.loads((folder / "summary.json").read_text())["values_stored"] > 0
    assert processes_of(folder) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["simulate", "no-such-network"], "no-such-network"),
        (["simulate", "net3", "--broker-port", "1"], "broker"),
        (["db", "status", "--server", "postgresql://nobody@127.0.0.1:1/x"], "does not answer"),
        (["collect", "--data-folder", "/proc/nothing"], "/proc/nothing"),
    ],
)
def test_who_cannot_begin_says_why_in_a_sentence(folder: Path, arguments: list[str], words: str) -> None:
    if arguments[0] == "simulate":
        arguments = [*arguments, "--state-folder", str(folder)]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "XDG_DATA_HOME": str(folder), "HOME": str(folder)}
    ended = subprocess.run(
        [sys.executable, "-m", "control_room", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode not in (0, -signal.SIGKILL)
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
