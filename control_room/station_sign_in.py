"""How a seat on a shared server gets its station's password: from the keyring, from an encrypted file, or from a person."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtWidgets import QWidget
from sqlalchemy import URL

from control_room.core.errors import BadOption, CannotStart
from control_room.core.options import Field
from control_room.keychain import PASSWORD, FileKeychain, Keychain, open_keychain
from control_room.ui.dialogs.form import FormDialog, Values
from control_room.ui.operations import Work
from db.engine import make_engine, translated

FILE = "keychain.json"
IN_KEYRING = "in this system's keyring"
IN_FILE = "in a file that a passphrase opens"
NOWHERE = "nowhere: I type it at every start"
_WORD = Field("word", "Station's password", "", is_secret=True, is_required=True)
_PHRASE = Field("phrase", "Passphrase", "", "Opens the file that keeps the password.", is_secret=True)
_NEEDED = Field("phrase", "Passphrase", "", is_secret=True, is_required=True)


@dataclass(slots=True)
class _Starter:
    """Runs a dialog's work on the loop before there is a seat."""

    task: "asyncio.Task[None] | None" = None

    def start(self, work: Work) -> None:
        """Run the work."""
        self.task = asyncio.get_running_loop().create_task(work)


async def station_url(url: URL, folder: Path, parent: QWidget, *, has_person: bool) -> URL:
    """Return the URL with the station's password, asked of a person where nothing else knows it.

    Raises CannotStart when there is nobody to ask, or the person gives up.
    """
    if url.password or "PGPASSWORD" in os.environ or _has_password_file(url) or "sslcert" in url.query:
        return url
    keyring = await asyncio.to_thread(open_keychain, folder)
    if keyring is not None and (word := await asyncio.to_thread(keyring.read, PASSWORD)):
        return url.set(password=word)
    if not has_person:
        raise CannotStart(
            "The station's password is not known.", advice="Set PGPASSWORD, or PostgreSQL's password file."
        )
    if (folder / FILE).exists():
        return await _asked(parent, partial(_unlock_dialog, url, folder))
    return await _asked(parent, partial(_first_dialog, url, folder, keyring))


def _has_password_file(url: URL) -> bool:
    named = os.environ.get("PGPASSFILE") or str(url.query.get("passfile", ""))
    return bool(named) or (Path.home() / ".pgpass").exists()


async def _asked(parent: QWidget, make: Callable[[QWidget, list[URL]], FormDialog]) -> URL:
    """Return what the dialog found out. Raises CannotStart when the person gave up."""
    found: list[URL] = []
    dialog = make(parent, found)
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    dialog.finished.connect(ended.set_result)
    dialog.open()
    await ended
    if not found:
        raise CannotStart(
            "Without the station's password nothing can be shown.",
            advice="An administrator gives a station a new one: People, Stations.",
        )
    return found[0]


def _unlock_dialog(url: URL, folder: Path, parent: QWidget, found: list[URL]) -> FormDialog:
    async def send(values: Values) -> None:
        chain = await asyncio.to_thread(FileKeychain.open, folder / FILE, values["phrase"])
        word = chain.read(PASSWORD)
        if word is None:
            raise BadOption("The file holds no password.", advice=f"Delete {folder / FILE} and start again.")
        found.append(await _tried(url.set(password=word)))

    words = f"The password of the station {url.username} is kept in an encrypted file."
    return FormDialog(parent, _Starter(), "This station", (_NEEDED,), send, words=words, button="Open")


def _first_dialog(url: URL, folder: Path, keyring: Keychain | None, parent: QWidget, found: list[URL]) -> FormDialog:
    choices = (*((IN_KEYRING,) if keyring else ()), IN_FILE, NOWHERE)
    keep = Field("keep", "Keep it", choices[0], choices=choices)

    async def send(values: Values) -> None:
        tried = await _tried(url.set(password=values["word"]))
        if values["keep"] == IN_KEYRING and keyring is not None:
            await asyncio.to_thread(keyring.write, PASSWORD, values["word"])
        elif values["keep"] == IN_FILE:
            chain = await asyncio.to_thread(FileKeychain.open, folder / FILE, values["phrase"])
            await asyncio.to_thread(chain.write, PASSWORD, values["word"])
        found.append(tried)

    words = (
        f"This seat connects to {url.host or url.query.get('host')} as the station {url.username}, which may only look. "
        "An administrator knows its password."
    )
    return FormDialog(parent, _Starter(), "This station", (_WORD, keep, _PHRASE), send, words=words, button="Connect")


async def _tried(url: URL) -> URL:
    """Return the URL when the server takes it; a server that is away is no reason to ask again. Raises WrongCredentials."""
    await asyncio.to_thread(_try, url)
    return url


def _try(url: URL) -> None:
    engine = make_engine(url, "control-room seat")
    try:
        with translated(), engine.connect():
            pass
    finally:
        engine.dispose()
