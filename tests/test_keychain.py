"""The keychain: the system's keyring behind its port, and the encrypted file for real."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError

from control_room import keychain
from control_room.core.errors import BadOption, CannotStart
from control_room.keychain import AUTHORITY, PASSWORD, FileKeychain, Keychain, OsKeychain, authority_file, open_keychain

REAL_COST = keychain.COST
PHRASE = "eleven otters under a bridge"


class FakeBackend(KeyringBackend):
    """The system's keyring in memory; `fault` is what it raises instead."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.words: dict[tuple[str, str], str] = {}
        self.fault: Exception | None = None

    def _meet(self) -> None:
        if self.fault:
            raise self.fault

    def get_password(self, service: str, username: str) -> str | None:
        self._meet()
        return self.words.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._meet()
        self.words[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._meet()
        if self.words.pop((service, username), None) is None:
            raise PasswordDeleteError("no such password")


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keychain, "COST", 10)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "station" / "keychain.json"


@pytest.fixture(params=["system", "file"])
def either(request: pytest.FixtureRequest, path: Path) -> Keychain:
    return (
        OsKeychain(FakeBackend(), "control-room test") if request.param == "system" else FileKeychain.open(path, PHRASE)
    )


def test_words_are_kept_replaced_and_forgotten(either: Keychain) -> None:
    assert either.read(PASSWORD) is None
    either.write(PASSWORD, "first")
    either.write(AUTHORITY, "ä certificate")
    either.write(PASSWORD, "second")
    assert (either.read(PASSWORD), either.read(AUTHORITY)) == ("second", "ä certificate")
    either.forget(PASSWORD)
    either.forget(PASSWORD)
    assert (either.read(PASSWORD), either.read(AUTHORITY)) == (None, "ä certificate")


def test_the_passphrase_opens_the_file_again(path: Path) -> None:
    FileKeychain.open(path, PHRASE).write(PASSWORD, "word of the station")
    assert FileKeychain.open(path, PHRASE).read(PASSWORD) == "word of the station"


def test_the_file_tells_nobody_anything(path: Path) -> None:
    FileKeychain.open(path, PHRASE).write(PASSWORD, "word of the station")
    assert path.stat().st_mode & 0o777 == 0o600
    content = path.read_bytes()
    assert b"word of" not in content
    assert PASSWORD.encode() not in content
    assert PHRASE.encode() not in content
    assert "word" not in repr(FileKeychain.open(path, PHRASE)).replace("keychain", "")
    assert list(path.parent.iterdir()) == [path]


def test_the_same_word_twice_looks_different(path: Path) -> None:
    one = FileKeychain.open(path, PHRASE)
    one.write(PASSWORD, "same")
    before = json.loads(path.read_text())
    one.write(PASSWORD, "same")
    after = json.loads(path.read_text())
    assert before["nonce"] != after["nonce"]
    assert before["sealed"] != after["sealed"]


def test_two_programs_keep_what_the_other_wrote(path: Path) -> None:
    one, two = FileKeychain.open(path, PHRASE), FileKeychain.open(path, PHRASE)
    one.write("a", "1")
    two.write("b", "2")
    assert (one.read("a"), one.read("b")) == ("1", "2")


def test_a_wrong_passphrase_is_said(path: Path) -> None:
    FileKeychain.open(path, PHRASE)
    before = path.read_bytes()
    with pytest.raises(BadOption, match="does not open") as refusal:
        FileKeychain.open(path, "twelve otters under a bridge")
    assert "delete the file" in refusal.value.advice
    assert path.read_bytes() == before


@pytest.mark.parametrize("phrase", ["", "short", "aaaaaaaaaaaaaaaa", "constantinople"])
def test_a_weak_passphrase_makes_no_file(path: Path, phrase: str) -> None:
    with pytest.raises(BadOption, match="will not do"):
        FileKeychain.open(path, phrase)
    assert not path.exists()


def spoiled(content: dict[str, Any]) -> list[str]:
    """Return the file, damaged in every way that one can think of."""

    def flipped(name: str) -> dict[str, Any]:
        text = content[name]
        return content | {name: ("B" if text[5] == "A" else "A").join((text[:5], text[6:]))}

    wrong: list[Any] = [flipped("nonce"), flipped("sealed"), content | {"cost": 99}, content | {"cost": "17"}]
    wrong += [
        content | {"version": 0},
        content | {"format": "other"},
        content | {"salt": "!"},
        content | {"check": None},
    ]
    wrong += [{name: value for name, value in content.items() if name != gone} for gone in content]
    wrong += [[], {}, None, content | {"sealed": 7}]
    return [json.dumps(one) for one in wrong] + ["", "{", json.dumps(content)[:-20], "\xff"]


def test_a_damaged_file_is_said_in_every_case(path: Path) -> None:
    FileKeychain.open(path, PHRASE).write(PASSWORD, "word")
    whole = json.loads(path.read_text())
    for words in spoiled(whole):
        path.write_text(words, encoding="latin-1")
        with pytest.raises(CannotStart, match="is damaged") as refusal:
            FileKeychain.open(path, PHRASE)
        assert refusal.value.advice
    # another key that its check belongs to, or another price: what was sealed does not go with it
    other = path.with_name("other.json")
    FileKeychain.open(other, PHRASE)
    path.write_text(json.dumps(json.loads(other.read_text()) | {part: whole[part] for part in ("nonce", "sealed")}))
    with pytest.raises(CannotStart, match="is damaged"):
        FileKeychain.open(path, PHRASE)


def test_a_file_of_a_newer_program_is_said(path: Path) -> None:
    FileKeychain.open(path, PHRASE)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 2}))
    with pytest.raises(CannotStart, match="newer control room"):
        FileKeychain.open(path, PHRASE)


def test_a_file_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="cannot be used"):
        FileKeychain.open(tmp_path, PHRASE)
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotStart, match="cannot be used"):
        FileKeychain.open(tmp_path / "file" / "keychain", PHRASE)


def test_a_guess_is_dear() -> None:
    assert REAL_COST >= 17


@pytest.mark.parametrize("fault", [KeyringLocked("dismissed"), OSError("the bus is gone")])
def test_a_keyring_that_does_not_do_it_is_said(fault: Exception) -> None:
    backend = FakeBackend()
    one = OsKeychain(backend, "test")
    backend.fault = fault
    acts: list[Callable[[], object]] = [
        lambda: one.read("a"),
        lambda: one.write("a", "b"),
        lambda: one.forget("a"),
    ]
    for act in acts:
        with pytest.raises(CannotStart, match="keyring does not do it") as refusal:
            act()
        assert "encrypted file" in refusal.value.advice


def test_a_locked_keyring_is_not_asked_for_its_window() -> None:
    backend = FakeBackend()
    backend.fault = AssertionError("it was asked")
    with pytest.raises(CannotStart, match="is locked"):
        OsKeychain(backend, "test", is_open=lambda: False).read("a")


def test_every_data_folder_has_words_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = FakeBackend()
    monkeypatch.setattr(keychain, "_backend_of_the_system", lambda: backend)
    one, two = (open_keychain(tmp_path / name, may_ask=True) for name in ("one", "two"))
    assert one is not None
    assert two is not None
    one.write(PASSWORD, "word")
    assert two.read(PASSWORD) is None


def test_without_a_keyring_there_is_none_whatever_else_is_installed(tmp_path: Path) -> None:
    # a null or plain-text backend that somebody named in keyring's own settings must not be taken
    program = (
        "import sys; from pathlib import Path; from control_room.keychain import open_keychain;"
        "print(open_keychain(Path(sys.argv[1])), open_keychain(Path(sys.argv[1]), may_ask=True))"
    )
    environment = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring", "PATH": "/usr/bin:/bin"}
    environment |= {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={tmp_path}/no-bus", "HOME": str(tmp_path)}
    command = [sys.executable, "-c", program, str(tmp_path)]
    root = Path(keychain.__file__).parent.parent
    done = subprocess.run(
        command, env=environment, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["None", "None"], done.stderr


def test_the_authority_is_a_path_or_a_certificate(tmp_path: Path, path: Path) -> None:
    one = FileKeychain.open(path, PHRASE)
    assert authority_file(one, tmp_path) is None
    one.write(AUTHORITY, "/etc/ssl/certs/water.pem")
    assert authority_file(one, tmp_path) == Path("/etc/ssl/certs/water.pem")
    one.write(AUTHORITY, "-----BEGIN CERTIFICATE-----\nabc\n")
    found = authority_file(one, tmp_path)
    assert found == tmp_path / "authority.pem"
    assert found.read_text().endswith("abc\n")
