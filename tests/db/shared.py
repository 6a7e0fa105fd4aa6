"""A shared PostgreSQL for tests, as an administrator sets one up: TCP with TLS and SCRAM, of the system's version."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import URL

from db.engine import server_url
from db.pg_binaries import Programs, unprivileged_account
from system_packages import find_postgresql
from tests.db.certificates import Authority
from tests.servers import free_port

OWNER = "postgres"
OWNER_WORD = "a long word of the owner"
HOST = "127.0.0.1"

_SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
ssl = on
ssl_cert_file = 'server.crt'
ssl_key_file = 'server.key'
password_encryption = 'scram-sha-256'
max_connections = 40
"""
HBA = """
hostssl all all 127.0.0.1/32 scram-sha-256
hostssl replication all 127.0.0.1/32 scram-sha-256
"""


@dataclass(slots=True)
class SharedServer:
    """A server in a folder of its own."""

    folder: Path
    port: int
    programs: Programs
    authority: Authority

    @property
    def data(self) -> Path:
        """Return its data folder."""
        return self.folder / "data"

    def text(self, user: str = OWNER, database: str = "control_room", **query: str) -> str:
        """Return what a person types for --server."""
        more = "&".join(f"{name}={value}" for name, value in query.items())
        return f"postgresql://{user}@{HOST}:{self.port}/{database}" + (f"?{more}" if more else "")

    def url(self, user: str = OWNER, password: str = OWNER_WORD, database: str = "control_room", **query: str) -> URL:
        """Return how `user` reaches it, the certificate checked: loopback would do without."""
        query = {"sslmode": "verify-full", "sslrootcert": str(self.authority.path), **query}
        return server_url(self.text(user, database, **query)).set(password=password)

    def make(self, hba: str = HBA, settings: str = "") -> None:
        """Make the cluster, its certificate signed for the address."""
        self.authority.sign(self.folder / "server", HOST)
        word = self.folder / "word"
        word.write_text(OWNER_WORD)
        self.data.mkdir(mode=0o700)
        self._own(self.data, word)
        self._run("initdb", "-D", str(self.data), "-U", OWNER, "-A", "scram-sha-256", f"--pwfile={word}", "-N")
        self.use_certificate("server")
        self._write("postgresql.conf", _SETTINGS + settings, "a")
        self._write("pg_hba.conf", hba)

    def use_certificate(self, name: str) -> None:
        """Take the certificate and key of that name from the folder."""
        for suffix in ("crt", "key"):
            target = self.data / f"server.{suffix}"
            shutil.copy(self.folder / f"{name}.{suffix}", target)
            target.chmod(0o600)
            self._own(target)

    def copy_from(self, primary: "SharedServer", user: str, password: str) -> None:
        """Make the cluster as a streaming standby of another one."""
        word = self.folder / "pgpass"
        word.write_text(f"*:*:*:*:{password}\n")
        word.chmod(0o600)
        self._own(word, self.folder)
        source = f"host={HOST} port={primary.port} user={user} passfile={word} sslmode=verify-full"
        source += f" sslrootcert={primary.authority.path} sslcert=/none application_name=standby"
        self._run("pg_basebackup", "-D", str(self.data), "-R", "-X", "stream", "-c", "fast", "-d", source)

    def write_hba(self, lines: str) -> None:
        """Take other lines of pg_hba.conf, and read them at once."""
        self._write("pg_hba.conf", lines)
        self.reload()

    def settle(self, lines: str) -> None:
        """Take more lines of postgresql.conf, and read them at once."""
        self._write("postgresql.conf", f"\n{lines}\n", "a")
        self.reload()

    def start(self) -> None:
        """Start and wait until it answers; after a kill the old processes hold its memory for some seconds."""
        log = str(self.data / "log")
        arguments = ("start", "-D", str(self.data), "-w", "-t", "40", "-l", log, "-o", f"-p {self.port}")
        for _ in range(100):
            said = self.programs.run("pg_ctl", *arguments, cwd=Path("/"))
            if said.returncode == 0:
                return
            time.sleep(0.2)
        raise AssertionError((self.data / "log").read_text(errors="replace"))

    def reload(self) -> None:
        """Let it read its settings and certificates anew; return when it has."""
        before = self._reloads()
        self._run("pg_ctl", "reload", "-D", str(self.data))
        for _ in range(400):
            if self._reloads() > before:
                return
            time.sleep(0.025)
        raise TimeoutError("it did not reload")

    def _reloads(self) -> int:
        return (self.data / "log").read_text(errors="replace").count("reloading configuration files")

    def promote(self) -> None:
        """Make the standby a primary."""
        self._run("pg_ctl", "promote", "-D", str(self.data), "-w")

    def kill(self) -> None:
        """End it and every process of its own at once, as a power cut does."""
        main = psutil.Process(int((self.data / "postmaster.pid").read_text().split()[0]))
        # frozen first, so that it neither cleans up nor starts what is killed anew
        main.suspend()
        for process in (*main.children(recursive=True), main):
            process.kill()

    def stop(self) -> None:
        """Stop it when it runs."""
        if (self.data / "postmaster.pid").exists():
            self.programs.run("pg_ctl", "stop", "-D", str(self.data), "-m", "immediate", cwd=Path("/"))

    def _write(self, name: str, words: str, mode: str = "w") -> None:
        with (self.data / name).open(mode) as file:
            file.write(words)

    def _own(self, *paths: Path) -> None:
        if self.programs.account is not None:
            for path in paths:
                os.chown(path, self.programs.account.uid, self.programs.account.gid)

    def _run(self, program: str, *arguments: str) -> None:
        said = self.programs.run(program, *arguments, cwd=Path("/"))
        assert said.returncode == 0, said.stdout


@contextmanager
def shared_server(folder: Path, bin_folder: Path, authority: Authority | None = None) -> Iterator[SharedServer]:
    """Yield a server that is neither made nor started yet; stop it in the end."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    programs = Programs(bin_folder, bin_folder.parent.name, unprivileged_account())
    one = SharedServer(folder, free_port(), programs, authority or Authority.make(folder / "authority.crt"))
    try:
        yield one
    finally:
        one.stop()


@contextmanager
def running_server(settings: str = "") -> Iterator[SharedServer]:
    """Yield a running server in a temporary folder; for tests that carry the marker `postgresql15`."""
    found = find_postgresql()
    assert found is not None
    with tempfile.TemporaryDirectory(prefix="control-room-test-") as name:
        # PostgreSQL runs as another user when the tests run as root
        Path(name).chmod(0o755)
        with shared_server(Path(name) / "one", found) as one:
            one.make(settings=settings)
            one.start()
            yield one
