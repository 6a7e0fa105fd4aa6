"""The check: every step runs whatever another one says, and a missing server is named."""

import sys
from pathlib import Path

import check
import pytest

from system_packages import SetupFailed


@pytest.fixture
def words_run(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let steps only be noted, with mypy failing; return the notes."""
    noted: list[str] = []

    def note(words: list[str], pytest_arguments: list[str]) -> tuple[bool, float]:
        noted.append(words[0])
        return words[0] != "mypy", 1.5

    monkeypatch.setattr(check, "set_up", lambda lock: None)
    monkeypatch.setattr(check, "missing_test_servers", list)
    monkeypatch.setattr(check, "run", note)
    monkeypatch.setattr(sys, "argv", ["check.py", "--", "-k", "alarms"])
    return noted


def test_every_step_runs_and_one_failure_fails_the_check(
    words_run: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert check.main() == 1
    assert words_run == ["ruff", "ruff", "mypy", "lint-imports", "pytest"]
    told = capsys.readouterr().out
    assert "FAILED     1.5 s  mypy" in told
    assert "passed     1.5 s  pytest" in told


def test_a_server_that_cannot_be_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(packages: list[str], purpose: str) -> None:
        raise SetupFailed(f"Missing for {purpose}.", " ".join(packages))

    monkeypatch.setattr(check, "missing_test_servers", lambda: ["mosquitto"])
    monkeypatch.setattr(check, "apt_install", refuse)
    check.have_test_servers()
    assert "mosquitto\nGoing on without" in capsys.readouterr().out


def test_a_step_runs_in_the_clone_and_gives_its_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "BIN", Path(sys.executable).parent)
    is_passed, seconds = check.run(["ruff", "--version"], [])
    assert is_passed
    assert seconds > 0
    assert not check.run(["ruff", "no-such-command"], [])[0]
