"""A plant that runs: the command `control-room simulate` in a process of its own, as people start it."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from control_room.core.plant import Plant, from_document

START_TIMEOUT_S = 45.0


@dataclass(frozen=True, slots=True)
class RunningPlant:
    """The process and the documents that it wrote."""

    process: subprocess.Popen[str]
    plants: tuple[Plant, ...]

    def settings(self, driver: str) -> dict[str, str]:
        """Return the settings of the first plant's connection."""
        return next(one.settings for one in self.plants[0].connections if one.driver == driver)

    def address(self, key: str) -> str:
        """Return a tag's address in the first plant."""
        return next(tag.address for tag in self.plants[0].tags if tag.key == key)

    def children(self) -> list[psutil.Process]:
        """Return every process that it has started."""
        return psutil.Process(self.process.pid).children(recursive=True)


def simulate(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the simulator on ports that the system chooses."""
    command = [sys.executable, "-m", "control_room", "simulate", "--opc-ua-port", "0", "--state-folder", str(folder)]
    return subprocess.Popen(
        [*command, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def start(folder: Path, *arguments: str) -> RunningPlant:
    """Start the simulator and wait until its servers answer."""
    document = folder / "plants.json"
    process = simulate(folder, "--document", str(document), *arguments)
    try:
        wait_for(lambda: document.exists() or process.poll() is not None, START_TIMEOUT_S)
        assert process.poll() is None, process.communicate()[1]
    except BaseException:
        process.kill()
        raise
    plants = tuple(from_document(one) for one in json.loads(document.read_text(encoding="utf-8")))
    return RunningPlant(process, plants)


def end(plant: RunningPlant) -> str:
    """End it as a service does; return what it said."""
    plant.process.send_signal(signal.SIGTERM)
    said = plant.process.communicate(timeout=10)[1]
    assert plant.process.returncode == 0, said
    return said


def wait_for(is_true: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Wait until something is true; fail after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s"
        time.sleep(0.02)
