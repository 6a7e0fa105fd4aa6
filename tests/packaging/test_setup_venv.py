"""The set-up: which Python it takes, what it says of pip, when it does nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import setup_venv
import system_packages
from setup_venv import Progress
from system_packages import SetupFailed

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that stands for `.venv`, with a file for its Python and one that says how it was made."""
    folder = tmp_path / ".venv"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").touch()
    (folder / "pyvenv.cfg").write_text("version = 3.11.2")
    names = {"VENV": folder, "PYTHON": folder / "bin" / "python", "STATE": folder / "set-up", "LOG": folder / "log"}
    for name, path in names.items():
        monkeypatch.setattr(setup_venv, name, path)
    return folder


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def only_these(monkeypatch: pytest.MonkeyPatch, running: Path, folders: list[Path], home: Path) -> None:
    monkeypatch.setattr(sys, "_base_executable", str(running))
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, folders)))
    monkeypatch.setenv("PYENV_ROOT", str(home))


def test_the_newest_python_that_really_runs_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = executable(tmp_path / "old" / "python3", "echo '[[3, 9], []]'")
    executable(tmp_path / "shims" / "python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    executable(tmp_path / "a" / "python3.12", """echo '[[3, 12], ["ctypes"]]'""")
    best = executable(tmp_path / "b" / "python3.12", "echo '[[3, 12], []]'")
    executable(tmp_path / "b" / "python3.11", "echo '[[3, 11], []]'")
    only_these(monkeypatch, running, [tmp_path / name for name in ("shims", "a", "b")], tmp_path / "pyenv")
    assert setup_venv.find_interpreter() == str(best)


def test_pyenv_versions_count_without_their_shims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = executable(tmp_path / "old" / "python3", "echo '[[3, 11], []]'")
    best = executable(tmp_path / "pyenv" / "versions" / "3.13.0" / "bin" / "python3", "echo '[[3, 13], []]'")
    only_these(monkeypatch, running, [], tmp_path / "pyenv")
    assert setup_venv.find_interpreter() == str(best)


def test_a_machine_without_a_suitable_python_gets_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = executable(tmp_path / "new" / "python3", "echo '[[3, 14], []]'")
    only_these(monkeypatch, running, [], tmp_path / "pyenv")
    with pytest.raises(SetupFailed, match="Install one"):
        setup_venv.find_interpreter()


def test_a_real_python_tells_its_version() -> None:
    assert setup_venv.probe(sys.executable)[0] == list(sys.version_info[:2])


def test_a_finished_set_up_is_ready_until_something_changes(venv: Path) -> None:
    lock = setup_venv.RUNTIME_LOCK
    assert not setup_venv.is_ready(lock)
    setup_venv.STATE.write_text(setup_venv.fingerprint(lock))
    assert setup_venv.is_ready(lock)
    assert not setup_venv.is_ready(setup_venv.DEV_LOCK)
    setup_venv.STATE.write_text(setup_venv.fingerprint(setup_venv.DEV_LOCK))
    assert setup_venv.is_ready(lock)
    (venv / "pyvenv.cfg").write_text("version = 3.12.1")
    assert not setup_venv.is_ready(lock)


def test_a_broken_off_set_up_is_not_trusted(venv: Path) -> None:
    (venv / "bin" / "python").unlink()
    (venv / "bin" / "python").symlink_to(sys.executable)
    setup_venv.STATE.write_text(setup_venv.UNFINISHED)
    assert not setup_venv.is_usable()


def test_pip_is_followed_package_by_package(venv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = venv / "some.lock"
    lock.write_text("one==1.0 \\\n    --hash=sha256:0\ntwo==2.0 \\\nthree==3.0 ; sys_platform == 'win32'\n")
    progress = Progress(lock)
    progress.hear("Ignoring three: markers 'sys_platform == \"win32\"' don't match your environment\n")
    progress.hear("Collecting one==1.0 (from -r some.lock (line 1))\n")
    progress.hear("  Downloading one-1.0-py3-none-any.whl.metadata (2 kB)\n")
    progress.hear("  Downloading one-1.0-py3-none-any.whl (17 kB)\n")
    progress.hear("Collecting two==2.0 (from -r some.lock (line 3))\n")
    progress.hear("  Using cached https://host/two-2.0-py3-none-any.whl (1.2 MB)\n")
    assert not setup_venv.STATE.exists()
    progress.hear("Installing collected packages: one, two\n")
    assert setup_venv.STATE.read_text() == setup_venv.UNFINISHED
    record = venv / "lib" / "python3.11" / "site-packages" / "one-1.0.dist-info" / "RECORD"
    record.parent.mkdir(parents=True)
    record.touch()
    progress.look()
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["    1 of 2  one 1.0 (17 kB)", "    2 of 2  two 2.0 (1.2 MB)", "    installed one 1.0"]


def test_the_project_is_installed_from_the_clone_without_a_network(venv: Path) -> None:
    setup_venv.make_venv(sys.executable)
    setup_venv.install_project()
    assert (venv / "bin" / "control-room").exists()
    asked = "import control_room, importlib.metadata as m; print(control_room.__file__, m.version('control-room'))"
    done = setup_venv.run_quietly(str(setup_venv.PYTHON), "-I", "-c", asked)
    assert done.stdout.split() == [str(ROOT / "control_room" / "__init__.py"), setup_venv.read_project()["version"]]


def test_a_long_silence_is_broken(venv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(setup_venv.RUNTIME_LOCK)
    progress.hear("  Downloading big-1.0-py3-none-any.whl (175 MB)\n")
    progress.spoken -= setup_venv.SILENCE_S + 1
    progress.look()
    assert "still downloading big" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("NewConnectionError: Failed to establish a new connection: [Errno -3]", "cannot be reached"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "not the one that the lock file names"),
        ("ERROR: No matching distribution found for numpy==2.4.6", "no build"),
        ("something\nnever seen", "never seen"),
    ],
)
def test_what_pip_says_in_pages_becomes_a_sentence_with_advice(output: str, words: str) -> None:
    assert words in str(setup_venv.explained(output, "pip failed."))


def test_trouble_is_told_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    def full() -> int:
        raise OSError(28, "No space left on device")

    assert (setup_venv.guarded(interrupted), setup_venv.guarded(full)) == (130, 1)
    told = capsys.readouterr().err
    assert "Start again" in told
    assert "No space left" in told


def test_without_root_the_exact_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_packages, "is_debian", lambda: True)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SetupFailed, match=r"sudo apt-get install --no-install-recommends libegl1 libgl1"):
        system_packages.apt_install(["libegl1", "libgl1"], "Qt")


def test_the_development_lock_holds_the_runtime_lock() -> None:
    def pins(lock: Path) -> set[str]:
        return {line.split(" ")[0] for line in lock.read_text().splitlines() if "==" in line and line[0] != " "}

    assert pins(setup_venv.RUNTIME_LOCK) <= pins(setup_venv.DEV_LOCK)


@pytest.mark.parametrize("script", ["start.py", "check.py"])
def test_a_python_that_is_too_old_is_told_so(script: str) -> None:
    text = (ROOT / "packaging" / script).read_text()
    too_old = f"import sys; sys.version_info = (3, 9); exec(compile({text!r}, {script!r}, 'exec'))"
    done = subprocess.run([sys.executable, "-c", too_old], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("The control room needs Python 3.11")
