"""What the project needs of the operating system: Qt's libraries, and real servers for the tests."""

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

# Found in a bare Debian 12: what PySide6 6.11 needs to draw without a screen, and what it needs besides to use one.
QT_OFFSCREEN = ("libglib2.0-0", "libfontconfig1", "libdbus-1-3", "libegl1", "libgl1", "libxkbcommon0")
QT_SCREEN = ("libxcb-cursor0", "libxcb-icccm4", "libxcb-keysyms1", "libxcb-shape0", "libxkbcommon-x11-0")
# what QtMultimedia loads for the horn
QT_SOUND = ("libpulse0",)
POSTGRESQL_MAJOR_MIN = 15


class SetupFailed(Exception):
    """The set-up cannot go on; the person reads what happened and what to do."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(f"{what} {advice}")


def is_debian() -> bool:
    """Tell whether this is Debian, Ubuntu or a child of theirs, with apt-get."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return False
    names = f"{release.get('ID', '')} {release.get('ID_LIKE', '')}".split()
    return "debian" in names and shutil.which("apt-get") is not None


def apt_install(packages: Sequence[str], purpose: str) -> None:
    """Install Debian packages as root. Raises SetupFailed with the exact command for whom it has to be another way."""
    names = " ".join(packages)
    by_hand = f"sudo apt-get update && sudo apt-get install --no-install-recommends {names}"
    if not is_debian():
        raise SetupFailed(f"Missing for {purpose}.", f"Install what Debian calls {names}, then start again.")
    if os.geteuid() != 0:
        raise SetupFailed(f"Missing for {purpose}.", f"Run this, then start again:\n  {by_hand}")
    print(f"Installing system packages for {purpose}: {names}", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    # another apt-get, such as the nightly upgrade, may hold the lock for a while
    apt = ["apt-get", "--quiet", "--yes", "-o", "DPkg::Lock::Timeout=120"]
    for words in ([*apt, "update"], [*apt, "install", "--no-install-recommends", *packages]):
        done = subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise SetupFailed(f"apt-get could not install {names}.", f"See its words above, then run:\n  {by_hand}")


def find_mosquitto() -> Path | None:
    """Return the Mosquitto broker's program, or None."""
    found = shutil.which("mosquitto", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    return Path(found) if found else None


def find_postgresql() -> Path | None:
    """Return the `bin` folder of the newest PostgreSQL server of the system, 15 or newer, or None."""
    folders = Path("/usr/lib/postgresql").glob("*/bin")
    majors = {int(folder.parent.name): folder for folder in folders if (folder / "initdb").exists()}
    newest = max(majors, default=0)
    return majors[newest] if newest >= POSTGRESQL_MAJOR_MIN else None


def missing_test_servers() -> list[str]:
    """Return the Debian packages of the servers that tests use and this machine lacks."""
    found = {
        "mosquitto": find_mosquitto(),
        "postgresql": find_postgresql(),
        "xvfb": shutil.which("Xvfb"),
    }
    return [package for package, path in found.items() if path is None]
