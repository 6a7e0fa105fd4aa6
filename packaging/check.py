"""Run everything that must pass: ruff, mypy, import-linter, pytest. `check.py -- ARGUMENTS` passes them to pytest."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an older Python reads this file far enough to say so
    sys.exit("The control room needs Python 3.11, 3.12 or 3.13. Start this with one: python3.11 packaging/check.py")

import argparse
import os
import subprocess
import time

from setup_venv import BIN, DEV_LOCK, ROOT, guarded, say, set_up
from system_packages import SetupFailed, apt_install, missing_test_servers

STEPS = (
    "ruff check --output-format concise .",
    "ruff format --check --output-format concise .",
    "mypy",
    "lint-imports --no-logo",
    "pytest",
)


def main() -> int:
    """Set up, run every step, tell the outcome; returns 1 when any step failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pytest_arguments", nargs="*", help="after --: what pytest shall get")
    arguments = parser.parse_args()
    set_up(DEV_LOCK)
    have_test_servers()
    outcomes = [run(step.split(), arguments.pytest_arguments) for step in STEPS]
    say("")
    for step, (is_passed, seconds) in zip(STEPS, outcomes, strict=True):
        say(f"{'passed' if is_passed else 'FAILED'}{seconds:8.1f} s  {step.partition(' --')[0]}")
    return 0 if all(is_passed for is_passed, _ in outcomes) else 1


def have_test_servers() -> None:
    """Install what the tests against real servers need, where that is possible; else name what is missing."""
    if not (missing := missing_test_servers()):
        return
    try:
        apt_install(missing, "tests against real servers")
    except SetupFailed as failure:
        say(f"{failure}\nGoing on without; tests that need them are skipped, under CI they fail.")


def run(words: list[str], pytest_arguments: list[str]) -> tuple[bool, float]:
    """Run one step in the clone; return whether it passed and how long it took in seconds."""
    say(f"\n── {' '.join(words)}")
    if words[0] == "pytest":
        words = [*words, *pytest_arguments]
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    environment.setdefault("QT_QPA_PLATFORM", "offscreen")
    begun = time.monotonic()
    command = [str(BIN / words[0]), *words[1:]]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=False)
    return done.returncode == 0, time.monotonic() - begun


if __name__ == "__main__":
    sys.exit(guarded(main))
