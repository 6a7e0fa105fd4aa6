"""How a seat on a shared server gets its station's password: from the keyring, from an encrypted file, or from a person."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from PySide6.QtWidgets import QWidget
from sqlalchemy import URL

from control_room.core.errors import BadOption, CannotStart, DatabaseUnavailable, Untrusted, WrongCredentials
from control_room.core.options import Field
from control_room.keychain import AUTHORITY, PASSWORD, FileKeychain, Keychain, authority_file, open_keychain
from control_room.ui.dialogs.form import FormDialog, Values
from control_room.ui.operations import Work
from db.engine import make_engine, server_url, translated, with_tls
from db.tls import SYSTEM, certificates, hosts, is_plain, is_remote

FILE = "keychain.json"
IN_KEYRING = "in this system's keyring"
IN_FILE = "in a file that a passphrase opens"
NOWHERE = "nowhere: I type it at every start"
_WORD = Field("word", "Station's password", "", is_secret=True, is_required=True)
_PHRASE = Field("phrase", "Passphrase", "", "Opens the file that keeps the password.", is_secret=True)
_AUTHORITY = Field(
    "authority",
    "Server's authority",
    "",
    "The certificate of the authority that signed the server's, a PEM file from whoever runs the server. "
    "Empty: those that this machine trusts.",
    is_file=True,
)
_NEEDED = Field("phrase", "Passphrase", "", is_secret=True, is_required=True)


@dataclass(slots=True)
class _Starter:
    """Runs a dialog's work on the loop before there is a seat."""

    task: "asyncio.Task[None] | None" = None

    def start(self, work: Work) -> None:
        """Run the work."""
        self.task = asyncio.get_running_loop().create_task(work)


async def station_url(url: URL, folder: Path, parent: QWidget, *, has_person: bool) -> URL:
    """Return the URL with the station's password and the authority it trusts, asked of a person where nothing knows them.

    Raises CannotStart when there is nobody to ask, or the person gives up.
    """
    keyring = await asyncio.to_thread(open_keychain, folder)
    if keyring is not None:
        url = await asyncio.to_thread(_trusting, url, keyring, folder)
    if url.password or "PGPASSWORD" in os.environ or _has_password_file(url) or "sslcert" in url.query:
        return url
    why = ""
    if keyring is not None and (word := await asyncio.to_thread(keyring.read, PASSWORD)):
        url = url.set(password=word)
        why = await _why_refused(url)
        if not why or not has_person:
            return url
    if not has_person:
        raise CannotStart(
            "The station's password is not known.", advice="Set PGPASSWORD, or PostgreSQL's password file."
        )
    if not why and (folder / FILE).exists():
        url = await _asked(parent, partial(_unlock_dialog, url, folder))
        if not (why := await _why_refused(url)):
            return url
    return await _asked(parent, partial(_first_dialog, url, folder, keyring, why))


def _trusting(url: URL, keychain: Keychain, folder: Path) -> URL:
    """Return the URL with the authority that is kept, where the person named none."""
    if not is_remote(url) or is_plain(url) or "sslrootcert" in url.query:
        return url
    kept = authority_file(keychain, folder)
    return url if kept is None else url.update_query_dict({"sslrootcert": str(kept)})


async def _why_refused(url: URL) -> str:
    """Return why a person must be asked again; empty when the server takes the station, or may take it later."""
    try:
        await _tried(url)
    except (WrongCredentials, Untrusted) as fault:
        return str(fault)
    except DatabaseUnavailable:
        return ""
    return ""


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
        found.append(await asyncio.to_thread(_trusting, url.set(password=word), chain, folder))

    words = f"The password of the station {url.username} is kept in an encrypted file."
    return FormDialog(parent, _Starter(), "This station", (_NEEDED,), send, words=words, button="Open")


def _first_dialog(
    url: URL, folder: Path, keyring: Keychain | None, why: str, parent: QWidget, found: list[URL]
) -> FormDialog:
    choices = (*((IN_KEYRING,) if keyring else ()), IN_FILE, NOWHERE)
    keep = Field("keep", "Keep it", choices[0], choices=choices)
    asks_authority = is_remote(url) and not is_plain(url)
    authority = replace(_AUTHORITY, default=str(url.query.get("sslrootcert", "")))

    async def send(values: Values) -> None:
        chosen, path = url.set(password=values["word"]), values.get("authority", "").strip()
        if asks_authority:
            bare = chosen.difference_update_query(["sslrootcert"]).render_as_string(hide_password=False)
            chosen = server_url(with_tls(bare, Path(path) if path else None, is_plain=False))
        await _tried(chosen)
        chain: Keychain | None = keyring if values["keep"] == IN_KEYRING else None
        if values["keep"] == IN_FILE:
            chain = await asyncio.to_thread(FileKeychain.open, folder / FILE, values["phrase"])
        if chain is not None:
            await asyncio.to_thread(_keep, chain, values["word"], path)
        found.append(chosen)

    words = (
        f"This seat connects to {', '.join(host for host, _ in hosts(url))} as the station {url.username}, which may only "
        "look. An administrator knows its password."
    )
    fields = (_WORD, *((authority,) if asks_authority else ()), keep, _PHRASE)
    dialog = FormDialog(parent, _Starter(), "This station", fields, send, words=words, button="Connect")
    if why:
        dialog.notice_bar.say(why)
    return dialog


def _keep(chain: Keychain, word: str, authority: str) -> None:
    chain.write(PASSWORD, word)
    if authority and authority != SYSTEM:
        chain.write(AUTHORITY, certificates(Path(authority)))
    else:
        chain.forget(AUTHORITY)


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
