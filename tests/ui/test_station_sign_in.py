"""How a seat on a shared server gets its station's password."""

import asyncio
from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot
from sqlalchemy import URL, make_url

from control_room import station_sign_in
from control_room.core.errors import CannotStart, DatabaseUnavailable, Untrusted, WrongCredentials
from control_room.keychain import AUTHORITY, PASSWORD
from control_room.station_sign_in import FILE, IN_FILE, NOWHERE, station_url
from control_room.ui.dialogs.form import FormDialog

CA = "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n"
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

    def forget(self, name: str) -> None:
        self.words.pop(name, None)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without a keyring, and a server that knows one password."""

    def attempt(url: URL) -> None:
        if url.host == "private.example" and "sslrootcert" not in url.query:
            raise Untrusted("The certificate is not trusted.", advice="Get the authority's file.")
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


async def ask(
    parent: QLabel, folder: Path, *answers: dict[str, str] | None, server: URL = SERVER
) -> tuple[URL, list[str]]:
    """Return what a person reached who gives these answers one after the other; None: they give up."""
    task = asyncio.ensure_future(station_url(server, folder, parent, has_person=True))
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


def trusted(url: URL) -> str:
    return Path(str(url.query["sslrootcert"])).read_text()


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


PRIVATE = SERVER.set(host="private.example")


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    path = tmp_path / "water authority.crt"
    path.write_text(f"subject=Wässer\n{CA}", encoding="utf-8")
    return path


async def test_the_servers_authority_is_chosen_and_kept_with_the_password(
    parent: QLabel, tmp_path: Path, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring = Keyring()
    monkeypatch.setattr(station_sign_in, "open_keychain", lambda _: keyring)
    folder = tmp_path / "seat"
    folder.mkdir()
    answers = {"word": WORD}, {"authority": str(tmp_path / "no file")}, {"authority": str(authority)}
    url, said = await ask(parent, folder, *answers, server=PRIVATE)
    assert "not trusted" in said[0]
    assert "cannot be read" in said[1]
    assert url.query["sslrootcert"] == str(authority)
    assert keyring.words == {PASSWORD: WORD, AUTHORITY: CA}
    again = await station_url(PRIVATE, folder, parent, has_person=True)
    assert Path(str(again.query["sslrootcert"])).parent == folder
    assert trusted(again) == CA


async def test_the_encrypted_file_keeps_the_authority_too(parent: QLabel, tmp_path: Path, authority: Path) -> None:
    answer = {"word": WORD, "authority": str(authority), "keep": IN_FILE, "phrase": PHRASE}
    await ask(parent, tmp_path, answer, server=PRIVATE)
    again = QLabel()
    url, _ = await ask(again, tmp_path, {"phrase": PHRASE}, server=PRIVATE)
    assert trusted(url) == CA
    again.deleteLater()


async def test_an_authority_that_a_person_names_at_the_start_counts_more_than_the_kept_one(
    parent: QLabel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(station_sign_in, "open_keychain", lambda _: Keyring(password=WORD, authority=CA))
    named = PRIVATE.update_query_dict({"sslrootcert": "/named.crt"})
    assert (await station_url(named, tmp_path, parent, has_person=True)).query["sslrootcert"] == "/named.crt"
    plain = PRIVATE.update_query_dict({"sslmode": "prefer"})
    assert "sslrootcert" not in (await station_url(plain, tmp_path, parent, has_person=False)).query


async def test_a_kept_password_that_is_refused_is_asked_anew(
    parent: QLabel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring = Keyring(password="an older word")
    monkeypatch.setattr(station_sign_in, "open_keychain", lambda _: keyring)
    url, _ = await ask(parent, tmp_path, {"word": WORD})
    assert url.password == WORD
    assert keyring.words == {PASSWORD: WORD}


async def test_a_server_that_is_away_is_no_reason_to_ask(
    parent: QLabel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: URL) -> None:
        raise DatabaseUnavailable("The database does not answer.")

    monkeypatch.setattr(station_sign_in, "_try", away)
    monkeypatch.setattr(station_sign_in, "open_keychain", lambda _: Keyring(password=WORD))
    assert (await station_url(SERVER, tmp_path, parent, has_person=True)).password == WORD


async def test_who_gives_up_reads_what_to_do(parent: QLabel, tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="Without the station's password"):
        await ask(parent, tmp_path, None)
