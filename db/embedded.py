"""The embedded PostgreSQL: made, started, attached to and stopped for one data folder of this machine."""

import hashlib
import json
import locale
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
from psycopg import sql
from sqlalchemy import URL

from control_room.core.errors import CannotStart, DatabaseUnavailable, DiskFull
from db.access import LOGIN_ROLES
from db.pg_binaries import SYSTEM_FOLDER, Programs, can_enter, find_programs

Report = Callable[[str], None]

DATABASE = "control_room"
OWNER = "postgres"
HOST = "127.0.0.1"
START_TIMEOUT_S = 40.0
STOP_TIMEOUT_S = 20
LOCK_TIMEOUT_S = 90.0

_SETTINGS = f"""
# written by the control room
listen_addresses = '{HOST}'
unix_socket_directories = ''
max_connections = 60
timezone = 'UTC'
log_timezone = 'UTC'
shared_buffers = '256MB'
max_wal_size = '2GB'
checkpoint_timeout = '15min'
wal_compression = on
password_encryption = 'scram-sha-256'
log_min_duration_statement = 1000
log_line_prefix = '%m [%p] %a '
"""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The passwords of the server's login roles, kept in a file that only its owner may read."""

    words: Mapping[str, str] = field(repr=False)

    def passwords(self) -> Mapping[str, str]:
        """Return password by login role."""
        return self.words


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """A running server: on loopback, SCRAM for everybody. `is_attached`: somebody else had started it."""

    folder: Path
    port: int
    credentials: Credentials
    data_folder: Path
    programs: Programs
    is_attached: bool

    def url(self, role: str, database: str = DATABASE) -> URL:
        """Return how `role` reaches the database."""
        word = self.credentials.passwords()[role]
        return URL.create("postgresql+psycopg", role, word, HOST, self.port, database)

    def is_alive(self) -> bool:
        """Return whether the server's process is there."""
        return _postmaster(self.data_folder) is not None

    def restart(self) -> None:
        """Start a server that died, on the port that everybody knows; the caller holds the folder's lock.

        Raises CannotStart or DiskFull.
        """
        _start(self.folder, self.data_folder, self.credentials, self.programs)

    def stop(self) -> None:
        """Stop the server: fast, and at once when that takes too long."""
        for mode in ("fast", "immediate"):
            arguments = ("-D", str(self.data_folder), "-m", mode, "-w", "-t", str(STOP_TIMEOUT_S))
            with suppress(subprocess.TimeoutExpired):
                said = self.programs.run("pg_ctl", "stop", *arguments, cwd=Path("/"), timeout_s=STOP_TIMEOUT_S + 10)
                if said.returncode == 0 or not (self.data_folder / "postmaster.pid").exists():
                    return


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; it dies with its holder. Raises CannotStart when another process holds it too long."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+b") as file:
        deadline = time.monotonic() + LOCK_TIMEOUT_S
        while not _try_lock(file.fileno()):
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"Another control room has been starting or stopping in {folder} for {LOCK_TIMEOUT_S:g} s.",
                    advice="Wait for it, or end it, and start again.",
                )
            time.sleep(0.1)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def open_embedded(folder: Path, report: Report) -> EmbeddedServer:
    """Return the server of `folder`, made and started when nobody did; `report` takes progress in short sentences.

    Raises CannotStart or DiskFull with advice.
    """
    folder = folder.expanduser().absolute()
    try:
        with folder_lock(folder):
            return _open(folder, report)
    except OSError as fault:
        raise _translate(fault, folder) from fault


def _translate(fault: OSError, folder: Path) -> CannotStart:
    import errno

    if fault.errno == errno.ENOSPC:
        return DiskFull(f"No space is left for the database in {folder}.", advice="Free disk space and start again.")
    return CannotStart(
        f"The data folder {folder} cannot be used: {fault.strerror or fault}.",
        advice="Choose another one with --data-folder, or mend its rights.",
    )


def _open(folder: Path, report: Report) -> EmbeddedServer:
    programs = find_programs()
    data_folder = _data_folder(folder, programs)
    credentials = _credentials(folder)
    if not (data_folder / "PG_VERSION").exists():
        report("Creating the database …")
        _create(data_folder, credentials, programs)
    _refuse_other_version(data_folder, programs)
    port = _running_port(data_folder, credentials)
    if port is not None:
        return EmbeddedServer(folder, port, credentials, data_folder, programs, is_attached=True)
    report("Starting the database …")
    port = _start(folder, data_folder, credentials, programs)
    _make_database(port, credentials)
    return EmbeddedServer(folder, port, credentials, data_folder, programs, is_attached=False)


def _data_folder(folder: Path, programs: Programs) -> Path:
    if can_enter(folder, programs.account):
        return folder / "postgres"
    # the unprivileged user cannot reach it (root's home folder, for one): the data live where it can
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    parent = SYSTEM_FOLDER / f"data-{name}"
    parent.mkdir(parents=True, exist_ok=True)
    for one in (SYSTEM_FOLDER, parent):
        one.chmod(0o755)
    (folder / "postgres-is-elsewhere.txt").write_text(f"{parent / 'postgres'}\n", encoding="utf-8")
    return parent / "postgres"


def _credentials(folder: Path) -> Credentials:
    path = folder / "credentials.json"
    if not path.exists():
        words = {name: secrets.token_urlsafe(24) for name in (OWNER, *LOGIN_ROLES)}
        draft = path.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(words, file)
        draft.replace(path)
    try:
        return Credentials(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as fault:
        raise CannotStart(
            f"{path} is damaged.", advice="Restore it from a backup: it holds the database's keys."
        ) from fault


def _create(data_folder: Path, credentials: Credentials, programs: Programs) -> None:
    draft = data_folder.with_name("postgres.draft")
    # left behind by a start that was ended halfway
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    word = draft.with_name("postgres.word")
    word.unlink(missing_ok=True)
    with os.fdopen(os.open(word, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(credentials.passwords()[OWNER])
    if programs.account is not None:
        for path in (draft, word):
            os.chown(path, programs.account.uid, programs.account.gid)
    try:
        _initdb(draft, word, programs)
    finally:
        word.unlink(missing_ok=True)
    with (draft / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write(_SETTINGS)
    draft.rename(data_folder)


def _initdb(draft: Path, word: Path, programs: Programs) -> None:
    said = programs.run(
        "initdb",
        *("-D", str(draft), "-U", OWNER, "--auth=scram-sha-256", f"--pwfile={word}"),
        *("--encoding=UTF8", f"--locale={_locale()}", "--data-checksums"),
        cwd=draft,
    )
    if said.returncode != 0:
        raise _failed("The database cannot be created", said.stdout)


def _locale() -> str:
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return "C"
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    return "C.UTF-8"


def _failed(what: str, said: str) -> CannotStart:
    # what the system calls ENOSPC, PostgreSQL may have noticed as a write that was too short
    if any(words in said for words in ("No space left on device", "wrote only")):
        return DiskFull(f"{what}: no space is left on the disk.", advice="Free disk space and start again.")
    reasons = [line for line in said.splitlines() if any(word in line for word in ("FATAL", "error", "could not"))]
    return CannotStart(
        f"{what}: {(reasons or said.splitlines() or ['no reason given'])[-1].strip()}.", advice="See the log."
    )


def _refuse_other_version(data_folder: Path, programs: Programs) -> None:
    made_by = (data_folder / "PG_VERSION").read_text(encoding="ascii").strip()
    if made_by != str(programs.major):
        raise CannotStart(
            f"The database in {data_folder} was made by PostgreSQL {made_by}, this machine runs {programs.major}.",
            advice=f"Install PostgreSQL {made_by}, or move the data with pg_dump and pg_restore.",
        )


def _running_port(data_folder: Path, credentials: Credentials) -> int | None:
    """Return the port of the server that runs on the folder; waits for one that is just starting."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while (found := _postmaster(data_folder)) is not None:
        if found[1] and _answers(found[1], credentials):
            return found[1]
        if time.monotonic() > deadline:
            raise CannotStart(
                f"A PostgreSQL (process {found[0]}) holds {data_folder} and does not answer.",
                advice="End that process and start again.",
            )
        time.sleep(0.1)
    return None


def _postmaster(data_folder: Path) -> tuple[int, int] | None:
    """Return (process id, port or 0) of the living postmaster of the folder."""
    with suppress(OSError, ValueError, psutil.Error):
        lines = (data_folder / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        process = psutil.Process(int(lines[0]))
        if process.status() != psutil.STATUS_ZOMBIE and "postgres" in process.name():
            return process.pid, int(lines[3]) if len(lines) > 3 and lines[3] else 0
    return None


def _answers(port: int, credentials: Credentials) -> bool:
    try:
        _connect(port, credentials, "postgres").close()
    except psycopg.OperationalError as fault:
        if "password authentication failed" in str(fault):
            raise CannotStart(
                "The running database does not know this folder's passwords.",
                advice="Restore credentials.json from a backup.",
            ) from fault
        return False
    return True


def _connect(port: int, credentials: Credentials, database: str) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(
        host=HOST,
        port=port,
        user=OWNER,
        password=credentials.passwords()[OWNER],
        dbname=database,
        connect_timeout=5,
        autocommit=True,
    )


def _start(folder: Path, data_folder: Path, credentials: Credentials, programs: Programs) -> int:
    """Start the server; after a crash the old processes hold its memory for some seconds, so try again until they let go."""
    deadline = time.monotonic() + START_TIMEOUT_S
    log_path = data_folder / "control-room.log"
    while True:
        port = _choose_port(folder)
        said = programs.run(
            "pg_ctl",
            *("start", "-D", str(data_folder), "-w", "-t", "30", "-l", str(log_path), "-o", f"-p {port}"),
            cwd=data_folder,
        )
        if said.returncode == 0 and _answers(port, credentials):
            (folder / "port").write_text(str(port), encoding="ascii")
            return port
        words = _log_end(log_path)
        if "No space left on device" in words or time.monotonic() > deadline:
            raise _failed("The database does not start", words or said.stdout)
        time.sleep(0.3)


def _log_end(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace")[-2_000:]
    return ""


def _choose_port(folder: Path) -> int:
    with suppress(OSError, ValueError):
        wanted = int((folder / "port").read_text(encoding="ascii"))
        with socket.socket() as probe:
            if os.name == "posix":
                # else the connections that a killed server left behind would hold the port for a minute
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, wanted))
            return wanted
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _make_database(port: int, credentials: Credentials) -> None:
    try:
        with _connect(port, credentials, "postgres") as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
            if not found:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    except psycopg.OperationalError as fault:
        raise DatabaseUnavailable(f"The database was started and does not answer: {fault}.") from fault
