"""Who uses a data folder on this machine: one small file for each process."""

import json
import os
from contextlib import suppress
from pathlib import Path

import psutil

# two clocks of the same machine may differ by so much in what they say of a process's start
_SAME_START_S = 1.0


class Participants:
    """The registry of the processes that use `folder`; dead ones and reused process ids do not count."""

    def __init__(self, folder: Path) -> None:
        """Use the registry of `folder`, which is made when it is missing."""
        self._folder = folder / "participants"

    def join(self, role: str, process_id: int | None = None) -> None:
        """Register this process, or another one, as a "seat", "collector", "recorder" or "simulator"."""
        self._folder.mkdir(parents=True, exist_ok=True)
        process = psutil.Process(process_id)
        own = {"role": role, "started": process.create_time()}
        draft = self._folder / f".{process.pid}"
        draft.write_text(json.dumps(own), encoding="utf-8")
        draft.replace(self._folder / str(process.pid))

    def leave(self) -> None:
        """Take this process out."""
        (self._folder / str(os.getpid())).unlink(missing_ok=True)

    def processes(self, *roles: str) -> list[psutil.Process]:
        """Return the living processes of the roles, this one included; forget the dead."""
        found = []
        for entry in sorted(self._folder.glob("[0-9]*")):
            process = _alive(entry)
            if process is None:
                entry.unlink(missing_ok=True)
            elif _read(entry).get("role") in roles:
                found.append(process)
        return found


def _alive(entry: Path) -> psutil.Process | None:
    with suppress(psutil.Error):
        process = psutil.Process(int(entry.name))
        is_same = abs(process.create_time() - float(_read(entry).get("started", 0))) < _SAME_START_S
        if is_same and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def _read(entry: Path) -> dict[str, str]:
    try:
        content = json.loads(entry.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # half-written by a process that died: nobody's
        return {}
    return content if isinstance(content, dict) else {}
