"""The database that this machine runs for itself, with its collector: started by the first seat, stopped by the last."""

import logging
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import URL

from db.embedded import EmbeddedServer, folder_lock, open_embedded
from db.participants import Participants
from db.schema import upgrade

log = logging.getLogger(__name__)
Report = Callable[[str], None]

STOP_S = 8.0


def command_line(arguments: Sequence[str]) -> list[str]:
    """Return the command that runs this program with other arguments in the same interpreter."""
    return [sys.executable, "-m", "control_room", *arguments]


def open_local(folder: Path, report: Report) -> EmbeddedServer:
    """Return the folder's running server with the newest schema, started or attached to.

    Raises CannotStart, DiskFull, NewerSchema or PortInUse with advice.
    """
    server = open_embedded(folder, report)
    upgrade(server.url("postgres"), server.credentials.passwords())
    return server


@dataclass(slots=True)
class LocalServer:
    """A seat's share in the machine's own database and collector."""

    server: EmbeddedServer
    participants: Participants
    folder: Path
    _is_closed: bool = False

    @classmethod
    def open(cls, folder: Path, report: Report) -> "LocalServer":
        """Join the users of the folder's server, starting it when nobody did."""
        participants = Participants(folder)
        participants.join("seat")
        try:
            return cls(open_local(folder, report), participants, folder)
        except BaseException:
            participants.leave()
            raise

    def url(self, role: str) -> URL:
        """Return how the login role `role` reaches the database."""
        return self.server.url(role)

    def keep_running(self) -> None:
        """Start the database and a collector when they do not run (any more)."""
        self._keep_serving()
        if not self.participants.processes("collector"):
            self._spawn(["collect", "--data-folder", str(self.folder)])

    def _keep_serving(self) -> None:
        if self._is_closed or self.server.is_alive():
            return
        log.warning("The database has died and is started again.")
        with folder_lock(self.folder):
            # another seat may have been faster, and the last one that leaves must not find it risen again
            if not self._is_closed and not self.server.is_alive():
                self.server.restart()

    def _spawn(self, arguments: Sequence[str]) -> None:
        log.info("Starting: control-room %s", " ".join(arguments))
        # a session of its own: Ctrl-C in the seat's terminal must not end the recording of another seat
        subprocess.Popen(
            command_line(arguments), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        )

    def close(self, before_stop: Callable[[], None]) -> None:
        """Leave; the last one stops the collectors, calls `before_stop` and stops the server."""
        self._is_closed = True
        with folder_lock(self.folder):
            if not self.participants.leave():
                before_stop()
                return
            _end(self.participants.processes("collector"))
            before_stop()
            self.server.stop()


def _end(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=STOP_S)
    for process in alive:
        log.warning("Process %d did not end in %g s and is killed.", process.pid, STOP_S)
        process.kill()
