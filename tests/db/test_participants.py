"""Who uses a data folder: the living count, the dead and those who took their number do not."""

import json
import os
import subprocess
import sys
from pathlib import Path

from db.participants import Participants


def test_the_last_seat_knows_that_it_is_the_last(tmp_path: Path) -> None:
    registry = Participants(tmp_path)
    registry.join("seat")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        registry.join("seat", other.pid)
        assert {one.pid for one in registry.processes("seat")} == {os.getpid(), other.pid}
        registry.leave()
        assert registry.processes("seat")
        other.kill()
        other.wait()
    registry.join("seat")
    registry.leave()
    assert not registry.processes("seat")


def test_a_reused_process_number_does_not_count(tmp_path: Path) -> None:
    registry = Participants(tmp_path)
    registry.join("collector")
    entry = tmp_path / "participants" / str(os.getpid())
    entry.write_text(json.dumps({"role": "collector", "started": 12.0}))
    assert registry.processes("collector") == []
    assert not entry.exists()


def test_a_damaged_entry_does_not_count(tmp_path: Path) -> None:
    registry = Participants(tmp_path)
    registry.join("seat")
    (tmp_path / "participants" / str(os.getpid())).write_text("{half")
    assert registry.processes("seat") == []
