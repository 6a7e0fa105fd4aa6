"""The embedded PostgreSQL, made, attached to, killed and stopped for real."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from control_room.core.errors import CannotStart, DiskFull
from db.embedded import EmbeddedServer, open_embedded
from db.pg_binaries import SYSTEM_FOLDER, find_programs

QUIET = lambda _: None  # noqa: E731


def connect(server: EmbeddedServer, **more: str) -> "psycopg.Connection[tuple[object, ...]]":
    word = more.get("password", server.credentials.passwords()["postgres"])
    return psycopg.connect(
        host="127.0.0.1", port=server.port, user="postgres", password=word, dbname="control_room", autocommit=True
    )


def postmaster(server: EmbeddedServer) -> psutil.Process:
    return psutil.Process(int((server.data_folder / "postmaster.pid").read_text().splitlines()[0]))


@pytest.fixture
def running(short_path: Path) -> Iterator[EmbeddedServer]:
    server = open_embedded(short_path / "room", QUIET)
    yield server
    server.stop()


def test_it_is_made_started_and_stopped_without_a_trace(short_path: Path) -> None:
    said: list[str] = []
    server = open_embedded(short_path / "room", said.append)
    process = postmaster(server)
    with connect(server) as connection:
        assert connection.execute("SELECT count(*) FROM pg_hba_file_rules WHERE auth_method = 'trust'").fetchone() == (
            0,
        )
    assert not server.is_attached
    assert len(said) == 2
    assert (short_path / "room" / "credentials.json").stat().st_mode & 0o077 == 0
    server.stop()
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_wrong_password_is_refused(running: EmbeddedServer) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(running, password="guess")


def test_who_comes_second_attaches(running: EmbeddedServer, short_path: Path) -> None:
    again = open_embedded(short_path / "room", QUIET)
    assert again.is_attached
    assert again.port == running.port


def test_two_at_once_end_up_with_one_server(short_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from db.embedded import open_embedded;"
        "s = open_embedded(Path(sys.argv[1]), lambda _: None); print(s.port, s.is_attached)"
    )
    command = [sys.executable, "-c", program, str(short_path / "room")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = sorted(one.communicate(timeout=50)[0].split() for one in both)
    open_embedded(short_path / "room", QUIET).stop()
    assert answers[0][0] == answers[1][0]
    assert [answer[1] for answer in answers] == ["False", "True"]


def test_a_killed_server_comes_back_with_every_commit(short_path: Path) -> None:
    server = open_embedded(short_path / "room", QUIET)
    with connect(server) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        for number in range(200):
            connection.execute("INSERT INTO kept VALUES (%s)", (number,))
        os.kill(postmaster(server).pid, signal.SIGKILL)
    again = open_embedded(short_path / "room", QUIET)
    with connect(again) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (200,)
    again.stop()


def test_a_start_that_was_killed_halfway_does_not_poison_the_next(short_path: Path) -> None:
    folder = short_path / "room"
    (folder / "postgres.draft" / "base").mkdir(parents=True)
    (folder / "postgres.draft" / "PG_VERSION").write_text("18\n")
    (folder / "postgres.word").write_text("old")
    server = open_embedded(folder, QUIET)
    server.stop()
    assert not (folder / "postgres.draft").exists()
    assert not (folder / "postgres.word").exists()


def test_another_major_version_is_refused_with_advice(short_path: Path) -> None:
    folder = short_path / "room"
    (folder / "postgres").mkdir(parents=True)
    (folder / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(CannotStart, match="PostgreSQL 12") as refusal:
        open_embedded(folder, QUIET)
    assert "pg_dump" in refusal.value.advice


def test_a_folder_that_is_a_file_is_refused_with_advice(short_path: Path) -> None:
    (short_path / "room").write_text("not a folder")
    with pytest.raises(CannotStart) as refusal:
        open_embedded(short_path / "room", QUIET)
    assert "--data-folder" in refusal.value.advice


needs_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root meets this")


@needs_root
def test_in_a_folder_that_only_root_may_enter_the_data_live_elsewhere(short_path: Path) -> None:
    private = short_path / "root"
    private.mkdir(mode=0o700)
    server = open_embedded(private / "room", QUIET)
    try:
        assert server.data_folder.is_relative_to(SYSTEM_FOLDER)
        assert str(server.data_folder) in (private / "room" / "postgres-is-elsewhere.txt").read_text()
        with connect(server) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert postmaster(server).uids().real != 0
    finally:
        server.stop()
        shutil.rmtree(server.data_folder.parent)


@needs_root
@pytest.mark.parametrize("size", ["12m", "20m", "33m"])
def test_a_full_disk_is_said(short_path: Path, size: str) -> None:
    small = short_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", small], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        with pytest.raises(DiskFull):
            open_embedded(small / "room", QUIET)
    finally:
        subprocess.run(["umount", small], check=True)


def test_the_programs_are_new_enough() -> None:
    assert find_programs().major >= 15


def test_a_server_that_died_under_its_users_rises_on_the_same_port(running: EmbeddedServer) -> None:
    assert running.is_alive()
    died = postmaster(running)
    died.kill()
    died.wait(10)
    assert not running.is_alive()
    running.restart()
    with connect(running) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
