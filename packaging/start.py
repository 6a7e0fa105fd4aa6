"""Set everything up and run the control room: `python3 packaging/start.py` shows the demo.

Arguments go to the application: `start.py demo --seconds 60`, `start.py seat`, `start.py --help` ...
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an older Python reads this file far enough to say so
    sys.exit("The control room needs Python 3.11, 3.12 or 3.13. Start it with one: python3.11 packaging/start.py")

import os
import subprocess

from setup_venv import BIN, RUNTIME_LOCK, guarded, set_up


def main() -> int:
    """Set up, then become the application; returns an exit code only where a process cannot become another."""
    set_up(RUNTIME_LOCK)
    command = [str(BIN / "control-room"), *(sys.argv[1:] or ["demo"])]
    if os.name == "nt":
        return subprocess.run(command, check=False).returncode
    # the same process: signals and the exit code are the application's own
    return os.execv(command[0], command)  # noqa: S606 - without a shell on purpose


if __name__ == "__main__":
    sys.exit(guarded(main))
