"""How a seat on a shared server gets its station's password."""

import asyncio
from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot
from sqlalchemy import URL, make_url

from control_room import station_sign_in
from control_room.core.errors import CannotStart, WrongCredentials
from control_room.station_sign_in import FILE, IN_FILE, NOWHERE, station_url
from control_room.ui.dialogs.form import FormDialog

SERVER = make_url("postgresql://desk-1@db.example/control_room")
WORD, PHRASE = "word of the station", "violet barges turn slowly"


class Keyring:
    """A keyring in memory."""

    def __init__(self, **words: str) -> None:
        self.words = words

    def read(self, name: str) -> str | None:
        return self.words.get(name)

    def write(self, name: str, word: str) -> None:
        self.words[name] = word


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without a keyring, and a server that knows one password."""

    def attempt(url: URL) -> None:
        if url.password != WORD:
            raise WrongCredentials("The database refused the sign-in.", advice="Check user name and password.")

    monkeypatch.setattr(station_sign_in, "_try", attempt)
    monkeypatch.setattr(station_sign_in, "open_keychain", lambda _: None)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.delenv("PGPASSFILE", raising=False)


@pytest.fixture
def parent(qtbot: QtBot) -> QLabel:
    label = QLabel()
    qtbot.addWidget(label)
    return label


async def ask(parent: QLabel, folder: Path, *answers: dict[str, str] | None) -> tuple[URL, list[str]]:
    """Return what a person reached who gives these answers one after the other; None: they give up."""
    task = asyncio.ensure_future(station_url(SERVER, folder, parent, has_person=True))
    said = []
    for answer in answers:
        dialog = await shown(parent, task)
        if answer is None:
            dialog.reject()
            break
        for key, value in answer.items():
            editor = dialog.editors[key]
            getattr(editor, "setCurrentText" if key == "keep" else "setText")(value)
        dialog.send()
        while dialog._is_sending:
            await asyncio.sleep(0.01)
        said.append(dialog.notice_bar.text())
    return await task, said


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def shown(parent: QLabel, task: "asyncio.Future[URL]") -> FormDialog:
    while not (found := parent.findChildren(FormDialog)) and not task.done():
        await asyncio.sleep(0.01)
    return found[-1]


async def test_what_the_url_or_the_keyring_knows_is_not_asked(
    parent: QLabel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = SERVER.set(password="x")
    assert await station_url(known, tmp_path, parent, has_person=True) == known
    monkeypatch.setattr(station_sign_in, "open_keychain", lambda _: Keyring(password=WORD))
    assert (await station_url(SERVER, tmp_path, parent, has_person=False)).password == WORD


async def test_where_nobody_can_be_asked_the_seat_does_not_start(parent: QLabel, tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="not known"):
        await station_url(SERVER, tmp_path, parent, has_person=False)


async def test_a_wrong_password_is_said_and_can_be_corrected(parent: QLabel, tmp_path: Path) -> None:
    url, said = await ask(parent, tmp_path, {"word": "guess", "keep": NOWHERE}, {"word": WORD})
    assert "refused the sign-in" in said[0]
    assert url.password == WORD
    assert names_in(tmp_path) == []


async def test_a_file_keeps_it_and_its_passphrase_opens_it_again(parent: QLabel, tmp_path: Path) -> None:
    await ask(parent, tmp_path, {"word": WORD, "keep": IN_FILE, "phrase": PHRASE})
    assert WORD not in (tmp_path / FILE).read_text()
    again = QLabel()
    url, said = await ask(again, tmp_path, {"phrase": "not the right one"}, {"phrase": PHRASE})
    assert "does not open" in said[0]
    assert url.password == WORD
    again.deleteLater()


async def test_who_gives_up_reads_what_to_do(parent: QLabel, tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="Without the station's password"):
        await ask(parent, tmp_path, None)
