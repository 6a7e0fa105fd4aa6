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
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from control_room.core.errors import ControlRoomError
from db.alarm_journal import acknowledge
from db.embedded import open_embedded
from db.engine import make_engine, translated
from db.participants import Participants
from db.people import open_person

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


def acknowledge_one(folder: Path) -> int:
    """Acknowledge the newest alarm as the seat's person would; return its rule."""
    words = json.loads((folder / "demo-people.json").read_text())
    url = open_embedded(folder, print).url("station").set(username="sofia", password=words["sofia"])
    engine = open_person(url, "test")
    newest = text("SELECT rule_id, event_id FROM alarm WHERE is_active AND NOT is_acknowledged LIMIT 1")
    try:
        with engine.begin() as connection:
            until(lambda: connection.execute(newest).first(), 60)
            found = connection.execute(newest).one()
            [answer] = acknowledge(connection, [(found.rule_id, found.event_id)], "seen")
    finally:
        engine.dispose()
    assert answer.is_done, answer.words
    return answer.rule_id


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
        acknowledge_one(folder)
        _, said = running.communicate(timeout=150)
    assert running.returncode == 0, said
    assert "Traceback" not in said
    figures = json.loads((folder / "summary.json").read_text())
    assert figures["values_received"] == figures["values_stored"] > 500
    assert figures["values_dropped"] == 0
    assert figures["alarms_raised"] > 0
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


def test_ctrl_c_closes_in_order_and_leaves_nothing_behind(folder: Path) -> None:
    with demo(folder, 300) as running:
        registry = Participants(folder)
        until(lambda: registry.processes("collector") and (folder / "plant.json").exists(), 60)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 0, said
    assert "Traceback" not in said
    assert json.loads((folder / "summary.json").read_text())["values_dropped"] == 0
    assert processes_of(folder) == []


def test_a_collector_started_by_hand_makes_its_database_and_takes_it_along(folder: Path) -> None:
    command = [sys.executable, "-m", "control_room", "collect", "--data-folder", str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        until(lambda: (folder / "port").exists() and "beat" in beats(folder), 60)
        running.terminate()
        _, said = running.communicate(timeout=60)
    assert running.returncode == 0, said
    assert "Traceback" not in said
    assert processes_of(folder) == []


def beats(folder: Path) -> str:
    """Return "beat" when a collector has reported to the folder's database."""
    engine = make_engine(open_embedded(folder, print).url("station"), "test")
    try:
        with translated(), engine.connect() as connection:
            return "beat" if connection.execute(text("SELECT beat_time FROM collector_status")).first() else ""
    except (ControlRoomError, ProgrammingError):
        return ""
    finally:
        engine.dispose()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["simulate", "no-such-network"], "no-such-network"),
        (["simulate", "net3", "--broker-port", "1"], "broker"),
        (["db", "status", "--server", "postgresql://nobody@127.0.0.1:1/x"], "does not answer"),
        (["collect", "--data-folder", "/proc/nothing"], "/proc/nothing"),
        (["seat", "--server", "nonsense"], "names no server"),
        (["collect", "--server", "postgresql://a@b:port/c"], "names no server"),
        (["db", "status", "--server", "mysql://a@b/c"], "no PostgreSQL"),
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
