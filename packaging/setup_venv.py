"""The set-up that start.py and check.py share: `.venv` with the locked packages, made once and found ready afterwards.

Nothing but the standard library. The file `.venv/set-up` says how far the set-up came: a fingerprint of what is
installed, or "unfinished" from the moment when pip begins to write until it is done. An unfinished folder is made anew.
"""

import contextlib
import hashlib
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from system_packages import QT_OFFSCREEN, QT_SCREEN, QT_SOUND, SetupFailed, apt_install, is_debian

ROOT = Path(__file__).resolve().parent.parent
RUNTIME_LOCK = ROOT / "packaging" / "requirements.lock"
DEV_LOCK = ROOT / "packaging" / "requirements-dev.lock"
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STATE = VENV / "set-up"
LOG = VENV / "set-up.log"
UNFINISHED = "unfinished"
MINORS = (13, 12, 11)
SUITABLE = [[3, minor] for minor in MINORS]
SILENCE_S = 10.0
# how pip announces a file: a name, an address or a path
WHEEL = re.compile(
    r"\s*(?:Downloading|Using cached|Processing) (\S*/)?(?P<name>[^\s/-]+)-(?P<version>[^\s-]+)-\S+\.whl\S*(?P<size>.*)"
)
# run by a candidate: its version, and the modules that its builder left out
PROBE = """
import importlib, json, sys
missing = []
for name in ("ssl", "sqlite3", "ctypes", "venv", "bz2", "lzma", "ensurepip"):
    try:
        importlib.import_module(name)
    except ImportError:
        missing.append(name)
print(json.dumps([list(sys.version_info[:2]), missing]))
"""
# run in .venv: loads what the screens load; the platform plugins are what breaks when a library is missing
QT_PROBE = """
import ctypes, pathlib, sys
import PySide6.QtGui, PySide6.QtOpenGLWidgets, PySide6.QtPrintSupport, PySide6.QtSvg, PySide6.QtTest, PySide6.QtWidgets
plugins = pathlib.Path(PySide6.__file__).parent / "Qt" / "plugins" / "platforms"
ctypes.CDLL(str(plugins / f"libq{sys.argv[1]}.so"))
"""
REASONS = (
    ("No space left on device|Errno 28", "The disk is full.", "Free 3 GB, then start again."),
    (
        "DO NOT MATCH THE HASHES",
        "A downloaded package is not the one that the lock file names.",
        "Start again; if it stays so, a proxy or mirror on the way alters packages: tell who runs it.",
    ),
    (
        "CERTIFICATE_VERIFY_FAILED|SSLError",
        "The package index's certificate is not trusted here.",
        "If your network inspects TLS, set PIP_CERT to the file of its certificate authority, then start again.",
    ),
    (
        "name resolution|Name or service|Failed to establish|Connection (refused|aborted)|timed out|ProxyError",
        "The package index cannot be reached.",
        "Connect this machine to the Internet, or set PIP_INDEX_URL or PIP_PROXY to yours, then start again.",
    ),
    (
        "No matching distribution found",
        "The package index has no build of a locked package for this machine.",
        "Supported are 64-bit Linux, macOS and Windows with Python 3.11 to 3.13.",
    ),
)


def set_up(lock: Path) -> None:
    """Make `.venv` ready for `lock`; does nothing when it is. Raises SetupFailed with a sentence and advice."""
    if not is_ready(lock):
        begun = time.monotonic()
        with only_one_set_up():
            if not is_ready(lock):
                make_ready(lock)
        say(f"Set up in {time.monotonic() - begun:.0f} s.")
    if sys.platform == "linux":
        have_qt_libraries()


def is_ready(lock: Path) -> bool:
    """Tell whether `.venv` holds what `lock` names; the development lock holds the runtime's too."""
    try:
        state = STATE.read_text(encoding="utf-8")
        return PYTHON.exists() and state in {fingerprint(lock), fingerprint(DEV_LOCK)}
    except OSError:
        return False


def fingerprint(lock: Path) -> str:
    """Return what must stay the same for `.venv` to stay valid, hashed: packages, project, interpreter, place."""
    parts = (lock.read_bytes(), repr(read_project()).encode(), (VENV / "pyvenv.cfg").read_bytes(), os.fsencode(ROOT))
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def read_project() -> dict[str, Any]:
    """Return the table [project] of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def make_ready(lock: Path) -> None:
    """Make `.venv` where none is usable, install the packages and the project, write down that it is done."""
    if not is_usable():
        make_venv(find_interpreter())
    say(f"Installing the packages of {lock.relative_to(ROOT)}, about 1.3 GB with Qt ...")
    install_packages(lock)
    install_project()
    for mark in VENV.glob("qt-*"):
        mark.unlink()
    STATE.write_text(fingerprint(lock), encoding="utf-8")


def is_usable() -> bool:
    """Tell whether `.venv` has a running, suitable Python with pip, and no set-up broke off in it."""
    is_broken_off = STATE.exists() and STATE.read_text(encoding="utf-8") == UNFINISHED
    version, _ = probe(str(PYTHON))
    if is_broken_off or not (VENV / "pyvenv.cfg").exists() or version not in SUITABLE:
        return False
    return run_quietly(str(PYTHON), "-I", "-m", "pip", "--version").returncode == 0


def make_venv(interpreter: str) -> None:
    """Make `.venv` anew."""
    say(f"Making {VENV} with {interpreter} ...")
    made = run_quietly(interpreter, "-I", "-m", "venv", "--clear", str(VENV))
    if made.returncode != 0:
        raise explained(made.stdout + made.stderr, f"{interpreter} cannot make {VENV}.")


def find_interpreter() -> str:
    """Return the newest suitable Python of this machine; on Debian its missing `ensurepip` is installed as root."""
    incomplete = None
    for minor in MINORS:
        for path in candidates(minor):
            version, missing = probe(path)
            if version != [3, minor]:
                continue
            if not missing:
                return path
            if missing == ["ensurepip"] and path.startswith("/usr/bin/"):
                incomplete = incomplete or (path, f"python3.{minor}-venv")
    if incomplete and is_debian():
        path, package = incomplete
        apt_install([package], f"virtual environments of {path}")
        if is_suitable(path):
            return path
    raise SetupFailed(
        "No complete Python 3.11, 3.12 or 3.13 was found.",
        "Install one (with ssl, sqlite3, ctypes, venv, ensurepip, bz2 and lzma), then start again.",
    )


def candidates(minor: int) -> Iterator[str]:
    """Yield the paths where a Python 3.`minor` may be: the running one, the PATH, pyenv's versions."""
    # not sys.executable: run from .venv it could not make .venv anew
    yield getattr(sys, "_base_executable", sys.executable)
    for folder in os.get_exec_path():
        path = Path(folder) / f"python3.{minor}"
        if path.is_file():
            yield str(path)
    # Path.expanduser raises where a user of a container has no home
    pyenv = Path(os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv"))  # noqa: PTH111
    for path in sorted(pyenv.glob(f"versions/3.{minor}.*/bin/python3"), key=str, reverse=True):
        yield str(path)


def probe(path: str) -> tuple[list[int], list[str]]:
    """Run the interpreter at `path`; return its version and the modules that it lacks; nothing when it fails."""
    done = run_quietly(path, "-I", "-c", PROBE)
    if done.returncode != 0:
        return [], []
    version, missing = json.loads(done.stdout)
    return version, missing


def is_suitable(path: str) -> bool:
    """Tell whether `path` is a complete Python of a supported version."""
    version, missing = probe(path)
    return version in SUITABLE and not missing


def run_quietly(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and keep what it says; one that cannot start counts as failed."""
    try:
        return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError as error:
        return subprocess.CompletedProcess(words, 1, "", str(error))


def install_packages(lock: Path) -> None:
    """Install exactly what `lock` names, every file checked by its hash, nothing compiled here."""
    run_pip(Progress(lock), "--require-hashes", "--only-binary", ":all:", "--requirement", str(lock))


def install_project() -> None:
    """Install the clone itself as an editable wheel: the command `control-room` and a path to the source.

    Written here because a build would need setuptools from the network, outside the lock.
    """
    project = read_project()
    name = f"{project['name'].replace('-', '_')}-{project['version']}"
    metadata = [f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}"]
    metadata += [f"Requires-Dist: {requirement}" for requirement in project["dependencies"]]
    scripts = [f"{command} = {target}" for command, target in project["scripts"].items()]
    files = {
        f"{project['name']}.pth": str(ROOT),
        f"{name}.dist-info/METADATA": "\n".join(metadata),
        f"{name}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: set-up\nRoot-Is-Purelib: true\nTag: py3-none-any",
        f"{name}.dist-info/entry_points.txt": "\n".join(["[console_scripts]", *scripts]),
    }
    record = f"{name}.dist-info/RECORD"
    files[record] = "\n".join(f"{path},," for path in [*files, record])
    with tempfile.TemporaryDirectory() as folder:
        wheel = Path(folder) / f"{name}-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, text in files.items():
                archive.writestr(path, text + "\n")
        run_pip(Progress(None), "--no-index", "--no-deps", "--force-reinstall", str(wheel))


class Progress:
    """Tells a person how far pip is: a line for each package, and a sign of life in a long silence."""

    def __init__(self, lock: Path | None) -> None:
        self.expected = len(re.findall(r"^\S+==", lock.read_text(encoding="utf-8"), re.MULTILINE)) if lock else 0
        self.is_silent = lock is None
        self.fetched = 0
        self.to_install = 0
        self.installed: set[str] = set()
        self.activity = "looking at the package index"
        self.begun = self.spoken = time.monotonic()

    def hear(self, line: str) -> None:
        """Take one line of pip's output."""
        if line.startswith("Ignoring "):
            self.expected -= 1
        elif line.startswith(("Collecting ", "Requirement already satisfied")):
            self.fetched += 1
        elif found := WHEEL.match(line):
            self.activity = f"downloading {found['name']}"
            if ".metadata" not in line:
                self.tell(f"{self.fetched:3} of {self.expected}  {found['name']} {found['version']}{found['size']}")
        elif line.startswith("Installing collected packages: "):
            # from here on pip writes: what is broken off now is not to be trusted
            STATE.write_text(UNFINISHED, encoding="utf-8")
            self.to_install = line.count(",") + 1
            self.installed = written_packages()
            self.activity = "installing"

    def look(self) -> None:
        """Tell what pip has finished writing, as it does not say so itself; break a long silence."""
        if self.to_install:
            for name in sorted(written_packages() - self.installed):
                self.installed.add(name)
                self.tell(f"  installed {name.replace('-', ' ')}")
        if time.monotonic() - self.spoken > SILENCE_S:
            self.tell(f"  still {self.activity}, {time.monotonic() - self.begun:.0f} s so far")

    def tell(self, text: str) -> None:
        """Print a line."""
        self.spoken = time.monotonic()
        if not self.is_silent:
            say(f"  {text}")


def written_packages() -> set[str]:
    """Return the packages in `.venv` that are complete: pip writes RECORD last."""
    # no ** here: it looks into folders that pip takes away in the same moment
    places = ("lib/python*/site-packages", "Lib/site-packages")
    records = (record for place in places for record in VENV.glob(f"{place}/*.dist-info/RECORD"))
    return {record.parent.name.removesuffix(".dist-info") for record in records}


def run_pip(progress: Progress, *words: str) -> None:
    """Run `pip install` in `.venv`, telling progress; its whole output goes to the log. Raises SetupFailed."""
    command = [str(PYTHON), "-I", "-u", "-m", "pip", "install", "--no-input", "--disable-pip-version-check", *words]
    # a person's own setting for installs outside of a virtual environment would break this one
    environment = os.environ | {"PIP_USER": "0", "PIP_PROGRESS_BAR": "off"}
    lines: queue.Queue[str | None] = queue.Queue()
    heard = []
    with (
        LOG.open("a", encoding="utf-8") as log,
        subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            close_fds=False,
            text=True,
            errors="replace",
        ) as pip,
    ):
        threading.Thread(target=hand_over, args=(pip, lines), daemon=True).start()
        try:
            for line in until_none(lines, progress.look):
                log.write(line)
                heard.append(line)
                progress.hear(line)
        except BaseException:
            pip.terminate()
            raise
    if pip.returncode != 0:
        raise explained("".join(heard), "pip could not install the packages.")


def hand_over(pip: subprocess.Popen[str], lines: "queue.Queue[str | None]") -> None:
    """Pass pip's lines on, then None: reading a pipe cannot wait with a time limit, a queue can."""
    if pip.stdout:
        for line in pip.stdout:
            lines.put(line)
    lines.put(None)


def until_none(lines: "queue.Queue[str | None]", look: Callable[[], None]) -> Iterator[str]:
    """Yield lines up to None, calling `look` at least once a second."""
    while True:
        look()
        try:
            line = lines.get(timeout=1.0)
        except queue.Empty:
            continue
        if line is None:
            return
        yield line


def explained(output: str, what: str) -> SetupFailed:
    """Return the error that says in a sentence what `output` says in pages."""
    for pattern, reason, advice in REASONS:
        if re.search(pattern, output):
            return SetupFailed(reason, advice)
    last = output.strip().rpartition("\n")[2]
    return SetupFailed(f"{what} The last words were: {last}", f"See {LOG}; remove {VENV}, then start again.")


def have_qt_libraries() -> None:
    """See once that Qt can be loaded, for a screen too where there is one; install the missing libraries as root."""
    has_screen = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    platform = "xcb" if has_screen else "offscreen"
    mark = VENV / f"qt-{platform}"
    if mark.exists():
        return
    if failure := qt_failure(platform):
        apt_install([*QT_OFFSCREEN, *QT_SCREEN], f"Qt ({failure})")
        if failure := qt_failure(platform):
            raise SetupFailed(f"Qt cannot be loaded: {failure}.", "Install the named library, then start again.")
    have_sound_library()
    mark.touch()


def have_sound_library() -> None:
    """Install what the horn needs; without it everything else works, so a failure is only said."""
    if run_quietly(str(PYTHON), "-I", "-c", "import PySide6.QtMultimedia").returncode:
        try:
            apt_install(QT_SOUND, "the alarm horn")
        except SetupFailed as fault:
            say(f"Alarms will make no sound. {fault}")


def qt_failure(platform: str) -> str:
    """Return why Qt and its platform plugin cannot be loaded, or nothing."""
    done = run_quietly(str(PYTHON), "-I", "-c", QT_PROBE, platform)
    return done.stderr.strip().rpartition("\n")[2] if done.returncode else ""


@contextlib.contextmanager
def only_one_set_up() -> Iterator[None]:
    """Keep a second set-up of this clone waiting until the first is done."""
    if os.name == "nt":
        yield
        return
    import fcntl

    folder = os.open(ROOT, os.O_RDONLY)
    # pip inherits the lock: should this process be killed, the next one waits until that pip has ended too
    os.set_inheritable(folder, True)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another set-up of this clone is running; waiting for it ...")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


def guarded(main: Callable[[], int]) -> int:
    """Run `main`; whatever stops it is told in one sentence with advice. Returns the exit code."""
    if sys.stdin is None:
        # a closed stdin would be handed to children as whichever file is opened next
        os.open(os.devnull, os.O_RDONLY)
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # nohup's wish to ignore it stays
        if number and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        return main()
    except SetupFailed as failure:
        print(failure, file=sys.stderr)
    except KeyboardInterrupt:
        print("\nThe set-up was interrupted. Start again: it goes on from there.", file=sys.stderr)
        return 130
    except OSError as error:
        free_mb = shutil.disk_usage(ROOT).free // 1_000_000
        advice = "Free 3 GB, then start again." if free_mb < 100 else "See to it, then start again."
        print(f"The set-up cannot write: {error}. {free_mb} MB are free. {advice}", file=sys.stderr)
    return 1
