"""Where a station keeps its password: the system's keyring, or a file that a passphrase opens; never in the clear.

The keyring's backend is named here: by itself `keyring` would take whichever is installed, and some of those store
plain text or ask on the standard input.
"""

import base64
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from keyring.backend import KeyringBackend
from keyring.errors import KeyringError, PasswordDeleteError

from control_room.common_passwords import common_passwords
from control_room.core.errors import BadOption, CannotStart
from control_room.core.passwords import faults
from control_room.places import APPLICATION

# the names under which a station keeps its words
PASSWORD = "password"  # noqa: S105 - a name, no password
AUTHORITY = "authority"

FORMAT = "control-room keychain"
VERSION = 1
# scrypt's N as a power of two: 128 MiB and about half a second, RFC 7914 and OWASP's cheat sheet on password storage
COST = 17
_COSTS = range(10, 21)


class Keychain(Protocol):
    """A place for a few secret words, each under a name."""

    def read(self, name: str) -> str | None:
        """Return the word, None when there is none. Raises CannotStart when the keychain cannot be read now."""

    def write(self, name: str, word: str) -> None:
        """Keep the word in place of an earlier one. Raises CannotStart."""

    def forget(self, name: str) -> None:
        """Keep the word no longer. Raises CannotStart."""


@dataclass(frozen=True, slots=True)
class OsKeychain:
    """The system's keyring. On Linux it may ask the person to unlock it, if `may_ask`; that waits for an answer."""

    backend: KeyringBackend
    service: str
    is_open: Callable[[], bool] = lambda: True

    def read(self, name: str) -> str | None:
        """Return the word, None when there is none."""
        with self._opened():
            return self.backend.get_password(self.service, name)

    def write(self, name: str, word: str) -> None:
        """Keep the word in place of an earlier one."""
        with self._opened():
            self.backend.set_password(self.service, name, word)

    def forget(self, name: str) -> None:
        """Keep the word no longer."""
        with self._opened():
            try:
                self.backend.delete_password(self.service, name)
            except PasswordDeleteError:
                # it was not there
                return

    @contextmanager
    def _opened(self) -> Iterator[None]:
        try:
            if not self.is_open():
                raise CannotStart("The system's keyring is locked.", advice="Unlock it, or type the password.")
            yield
        except _backend_faults() as fault:
            raise CannotStart(
                f"The system's keyring does not do it: {str(fault) or type(fault).__name__}.",
                advice="Unlock it, or keep the password in an encrypted file.",
            ) from fault


def open_keychain(folder: Path, *, may_ask: bool = False) -> OsKeychain | None:
    """Return the system's keyring for the station of `folder`, None where there is none that answers.

    With `may_ask` it may show the system's own window and wait for the person: not for a service, nor for a GUI's thread.
    """
    backend = _backend_of_the_system()
    if backend is None:
        return None
    is_open = _is_unlocked if sys.platform == "linux" and not may_ask else _always
    if not is_open():
        return None
    return OsKeychain(backend, f"{APPLICATION} {folder.expanduser().absolute()}", is_open)


def _always() -> bool:
    return True


def _backend_of_the_system() -> KeyringBackend | None:
    kind: Any
    if sys.platform == "win32":
        from keyring.backends.Windows import WinVaultKeyring as kind
    elif sys.platform == "darwin":
        from keyring.backends.macOS import Keyring as kind
    else:
        from keyring.backends.SecretService import Keyring as kind
    # what is not viable has no service to talk to
    backend: KeyringBackend | None = kind() if kind.viable else None
    return backend


def _is_unlocked() -> bool:
    """Return whether the Secret Service's collection is there and open: to open it shows a window and waits."""
    import secretstorage

    try:
        with closing(secretstorage.dbus_init()) as bus:
            return not secretstorage.Collection(bus).is_locked()
    except _backend_faults():
        return False


def _backend_faults() -> tuple[type[Exception], ...]:
    if sys.platform != "linux":
        return KeyringError, OSError
    from jeepney import DBusErrorResponse
    from secretstorage.exceptions import SecretStorageException

    return KeyringError, OSError, SecretStorageException, DBusErrorResponse


@dataclass(slots=True)
class FileKeychain:
    """A file, encrypted with AES-256-GCM under a key that scrypt makes of a passphrase; only its owner may read it."""

    path: Path
    _head: dict[str, Any]
    _key: bytes = field(repr=False)

    @classmethod
    def open(cls, path: Path, passphrase: str) -> "FileKeychain":
        """Open the file, or make it where there is none; takes about half a second.

        Raises BadOption for a wrong passphrase, or a new one that is too weak; CannotStart for a damaged file.
        """
        try:
            return cls._open(path, passphrase) if path.exists() else cls._make(path, passphrase)
        except OSError as fault:
            raise _not_usable(path, fault) from fault

    @classmethod
    def _make(cls, path: Path, passphrase: str) -> "FileKeychain":
        if found := faults(passphrase, "", common_passwords()):
            raise BadOption(f"The passphrase will not do: {' '.join(found)}", advice="Choose another one.")
        salt = os.urandom(16)
        key, check = _derive(passphrase, salt, COST)
        head = {"format": FORMAT, "version": VERSION, "cost": COST, "salt": _text(salt), "check": _text(check)}
        made = cls(path, head, key)
        made._save({})
        return made

    @classmethod
    def _open(cls, path: Path, passphrase: str) -> "FileKeychain":
        head = _head_of(path, _content(path))
        key, check = _derive(passphrase, base64.b64decode(head["salt"]), head["cost"])
        if not bytes_eq(check, base64.b64decode(head["check"])):
            raise BadOption(
                f"The passphrase does not open {path}.",
                advice="Type it again; if it is lost, delete the file and type the station's password anew.",
            )
        made = cls(path, head, key)
        made._load()
        return made

    def read(self, name: str) -> str | None:
        """Return the word, None when there is none."""
        return self._load().get(name)

    def write(self, name: str, word: str) -> None:
        """Keep the word in place of an earlier one."""
        self._save({**self._load(), name: word})

    def forget(self, name: str) -> None:
        """Keep the word no longer."""
        self._save({key: word for key, word in self._load().items() if key != name})

    def _load(self) -> dict[str, str]:
        try:
            content = _content(self.path)
            nonce, sealed = (base64.b64decode(content[part]) for part in ("nonce", "sealed"))
            words: dict[str, str] = json.loads(AESGCM(self._key).decrypt(nonce, sealed, _bytes(self._head)))
        except OSError as fault:
            raise _not_usable(self.path, fault) from fault
        except (InvalidTag, KeyError, TypeError, ValueError) as fault:
            raise _damaged(self.path) from fault
        return words

    def _save(self, words: dict[str, str]) -> None:
        nonce = os.urandom(12)
        sealed = AESGCM(self._key).encrypt(nonce, _bytes(words), _bytes(self._head))
        content = self._head | {"nonce": _text(nonce), "sealed": _text(sealed)}
        draft = self.path.with_name(f"{self.path.name}.draft")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            draft.unlink(missing_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                json.dump(content, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        except OSError as fault:
            raise _not_usable(self.path, fault) from fault


def _derive(passphrase: str, salt: bytes, cost: int) -> tuple[bytes, bytes]:
    """Return the key, and by what a wrong passphrase is told from a damaged file."""
    derived = Scrypt(salt=salt, length=64, n=2**cost, r=8, p=1).derive(passphrase.encode())
    return derived[:32], derived[32:]


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="ascii"))
    except ValueError as fault:
        raise _damaged(path) from fault
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise _damaged(path)
    return content


def _head_of(path: Path, content: dict[str, Any]) -> dict[str, Any]:
    version = content.get("version")
    if isinstance(version, int) and version > VERSION:
        raise CannotStart(
            f"{path} was made by a newer control room.", advice="Install the newest version on this machine."
        )
    head = {name: content.get(name) for name in ("format", "version", "cost", "salt", "check")}
    try:
        is_right = version == VERSION and head["cost"] in _COSTS
        is_right = is_right and (len(_raw(head["salt"])), len(_raw(head["check"]))) == (16, 32)
    except (TypeError, ValueError):
        is_right = False
    if not is_right:
        raise _damaged(path)
    return head


def _raw(text: Any) -> bytes:
    return base64.b64decode(text, validate=True)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True).encode()


def _damaged(path: Path) -> CannotStart:
    return CannotStart(
        f"{path} is damaged.", advice="Restore it from a backup, or delete it and type the station's password anew."
    )


def _not_usable(path: Path, fault: OSError) -> CannotStart:
    return CannotStart(f"{path} cannot be used: {fault.strerror or fault}.", advice="Mend the rights of the file.")


def authority_file(keychain: Keychain, folder: Path) -> Path | None:
    """Return the file of the authority that the station trusts; a PEM in the keychain is written to `folder` anew."""
    kept = keychain.read(AUTHORITY)
    if kept is None or not kept.startswith("-----BEGIN"):
        return None if kept is None else Path(kept)
    path = folder / "authority.pem"
    draft = path.with_suffix(".draft")
    try:
        draft.write_text(kept, encoding="ascii")
        draft.replace(path)
    except OSError as fault:
        raise _not_usable(path, fault) from fault
    return path
