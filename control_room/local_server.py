"""The database that this machine runs for itself, with its collector: started by the first seat, stopped by the last."""

import logging
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import URL

from control_room.core.errors import CannotStart
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
    try:
        upgrade(server.url("postgres"), server.credentials.passwords())
    except BaseException:
        if not server.is_attached:
            server.stop()
        raise
    return server


@dataclass(slots=True)
class LocalServer:
    """One process's share in the machine's own database.

    Its users are seats, the collector that they start for themselves, and recorders: collectors that a person started,
    which go on without a seat. The last seat or recorder stops the server.
    """

    server: EmbeddedServer
    participants: Participants
    folder: Path
    role: str = "seat"
    _is_closed: bool = False
    _collector: "subprocess.Popen[bytes] | None" = None

    @classmethod
    def open(cls, folder: Path, report: Report, role: str = "seat") -> "LocalServer":
        """Join the users of the folder's server as a "seat", "recorder" or "collector", starting it when nobody did."""
        participants = Participants(folder)
        participants.join(role)
        try:
            return cls(open_local(folder, report), participants, folder, role)
        except BaseException:
            participants.leave()
            raise

    def url(self, role: str) -> URL:
        """Return how the login role `role` reaches the database."""
        return self.server.url(role)

    def keep_running(self) -> None:
        """Start the database and a collector when they do not run (any more). Raises CannotStart."""
        try:
            self._keep_serving()
            # on a busy machine one takes its time until it has joined: no second one meanwhile
            is_starting = self._collector is not None and self._collector.poll() is None
            if not is_starting and not self.participants.processes("collector", "recorder"):
                self._spawn(["collect", "--for-seats", "--data-folder", str(self.folder)])
        except (OSError, subprocess.SubprocessError) as fault:
            raise CannotStart(f"The database or its collector cannot be started: {fault}.") from fault

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
        self._collector = subprocess.Popen(
            command_line(arguments), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        )

    def close(self, before_stop: Callable[[], None] = lambda: None) -> None:
        """Leave; the last one ends the seats' collector, calls `before_stop` and stops the server."""
        self._is_closed = True
        if self.role == "collector":
            # the seat that ends it holds the lock
            self.participants.leave()
            return
        with folder_lock(self.folder):
            self.participants.leave()
            is_last = not self.participants.processes("seat", "recorder")
            if is_last:
                _end(self.participants.processes("collector"))
            try:
                before_stop()
            finally:
                if is_last:
                    self.server.stop()


def _end(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=STOP_S)
    for process in alive:
        log.warning("Process %d did not end in %g s and is killed.", process.pid, STOP_S)
        process.kill()
