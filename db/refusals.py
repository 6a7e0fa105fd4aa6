"""Why a connection did not come about: libpq has no codes for that, only the server's and its own texts."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from control_room.core.errors import ControlRoomError, DatabaseUnavailable, Untrusted, WrongCredentials
from db.tls import why_untrusted

AGAIN = "It is tried again by itself; check the server if it stays away."


@dataclass(frozen=True, slots=True)
class Failure:
    """One attempt to connect that failed."""

    host: str
    address: str
    port: str
    words: str
    authority: str

    @property
    def where(self) -> str:
        """Return the server as a person writes it."""
        return f"{self.host}:{self.port}" if self.host and self.port else self.host


_PREFIX = re.compile(
    r"^(?:connection failed: )?(?:connection to server (?:at|on) .*? failed: )?(?:FATAL:  )?", re.DOTALL
)
_ATTEMPT = re.compile(r"^- host: (\S+), port: (\S+), hostaddr: (\S+): ", re.MULTILINE)


def explain(fault: psycopg.Error) -> ControlRoomError:
    """Return what a person should read of a failed connect, to one server or to several in turn."""
    errors = [_explain(one) for one in _failures(fault)]
    for error in errors:
        if isinstance(error, WrongCredentials):
            return error
    if len({str(error) for error in errors}) == 1:
        return errors[0]
    told = dict.fromkeys(str(error.args[0]) for error in errors)
    return DatabaseUnavailable(" ".join(told), advice=AGAIN)


def _failures(fault: psycopg.Error) -> list[Failure]:
    text = str(fault).strip()
    authority = _authority(fault)
    found = list(_ATTEMPT.finditer(text))
    if not found:
        pgconn = fault.pgconn
        at = (pgconn.host, pgconn.hostaddr, pgconn.port) if pgconn else (b"", b"", b"")
        host, address, port = (part.decode(errors="replace") for part in at)
        return [Failure(host, address, port, text, authority)]
    ends = [one.start() for one in found[1:]] + [len(text)]
    texts = [text[one.end() : end].strip() for one, end in zip(found, ends, strict=True)]
    return [
        Failure(_bare(one[1]), _bare(one[3]), _bare(one[2]), words, authority)
        for one, words in zip(found, texts, strict=True)
    ]


def _bare(written: str) -> str:
    return "" if written == "None" else written.strip("'")


def _authority(fault: psycopg.Error) -> str:
    options = fault.pgconn.info if fault.pgconn else []
    found = [one.val for one in options if one.keyword == b"sslrootcert"]
    return (found[0] or b"").decode(errors="replace") if found else ""


def _explain(failure: Failure) -> ControlRoomError:
    for sign, make in _SIGNS:
        if found := re.search(sign, failure.words):
            return make(failure, found)
    reason = _PREFIX.sub("", failure.words).splitlines()[:1] or ["no reason given"]
    where = f"{failure.where}: " if failure.where else ""
    return DatabaseUnavailable(f"The database does not answer ({where}{reason[0].rstrip('.')}).", advice=AGAIN)


_Make = Callable[[Failure, "re.Match[str]"], ControlRoomError]


def _refused(words: str, advice: str) -> _Make:
    """Return what makes the error of a refusal; groups of the sign stand for {0}, {1}."""
    return lambda failure, found: WrongCredentials(words.format(*found.groups(), at=failure), advice=advice)


def _away(words: str, advice: str = AGAIN) -> _Make:
    return lambda failure, found: DatabaseUnavailable(words.format(*found.groups(), at=failure), advice=advice)


def _doubtful(words: str, advice: str) -> _Make:
    # renewed certificates heal it, so it counts as away and is tried again
    return lambda failure, found: Untrusted(words.format(*found.groups(), at=failure), advice=advice)


def _untrusted(failure: Failure, _: "re.Match[str]") -> ControlRoomError:
    words, advice = why_untrusted(failure.host, failure.address, failure.port, failure.authority)
    return Untrusted(words, advice=advice)


_CHECK = "Check user name and password."
_NO_LINE = "Whoever runs the server adds a line to its pg_hba.conf."
_SIGNS: tuple[tuple[str, _Make], ...] = (
    (
        r'certificate authentication failed for user "(.*?)"',
        _refused(
            "The database refused the sign-in: the client certificate is not one of {0}.",
            "Name the right files in the URL: ?sslcert=FILE&sslkey=FILE.",
        ),
    ),
    # one sentence for a wrong password and an unknown name: the server does not tell them apart either
    (
        r'authentication failed for user "(.*?)"|role "(.*?)" does not exist',
        _refused("The database refused the sign-in: the user name or the password is wrong.", _CHECK),
    ),
    (
        r"no password supplied",
        _refused(
            "The database refused the sign-in: it wants a password, and none was given.",
            "Set PGPASSWORD, or write the password into PostgreSQL's password file.",
        ),
    ),
    (
        r'role "(.*?)" is not permitted to log in',
        _refused("The database refused the sign-in: this account is disabled.", "Ask an administrator."),
    ),
    (
        r"no pg_hba\.conf entry .*no encryption|pg_hba\.conf rejects .*no encryption",
        _refused(
            "The database refused the sign-in: it takes this user from this machine only over TLS.",
            "Leave out --plain.",
        ),
    ),
    (
        r'(?:no pg_hba\.conf entry for|pg_hba\.conf rejects connection for) .*?user "(.*?)"',
        _refused("The database refused the sign-in: it does not take {0} from this machine.", _NO_LINE),
    ),
    (
        r'permission denied for database "(.*?)"',
        _refused(
            "The database refused the sign-in: this account has no right to {0}.", "Ask an administrator for a role."
        ),
    ),
    (
        r"client certificate",
        _refused(
            "The database refused the sign-in: it wants a client certificate.",
            "Name its files in the URL: ?sslcert=FILE&sslkey=FILE.",
        ),
    ),
    (
        r"GSSAPI|Kerberos",
        _refused("The database refused the sign-in: there is no valid Kerberos ticket.", "Get one with kinit."),
    ),
    (
        r"requested a cleartext password",
        _refused(
            "The database refused the sign-in: the server wants the password in the clear, and who it is was not checked.",
            "Leave out --plain, so that its certificate is checked first.",
        ),
    ),
    (
        r'database "(.*?)" does not exist',
        _away("The server {at.where} has no database “{0}”.", "An administrator makes it with: control-room db init."),
    ),
    (
        r"too many connections|too many clients|remaining connection slots",
        _away("The server {at.where} takes no more connections now."),
    ),
    (
        r"server does not support SSL",
        _away(
            "The server {at.where} offers no TLS, and without it nobody may connect from another machine.",
            "Whoever runs the server sets it up; --plain goes without.",
        ),
    ),
    (
        r"certificate for (.*?) does not match host name (.*)",
        _doubtful(
            "The certificate of {at.where} is for {0}, not for {1}.",
            "Use the name that the certificate shows, or have it made for this one.",
        ),
    ),
    (
        r'root certificate file "(.*?)" does not exist',
        _doubtful("The file of the authority {0} does not exist.", "Name it with --ca FILE."),
    ),
    (
        r'could not read root certificate file "(.*?)"',
        _doubtful("The file {0} holds no certificate of an authority.", "Name the right one with --ca FILE."),
    ),
    (r"certificate verify failed", _untrusted),
    (
        r"failed to resolve host '(.*?)'",
        _away("No machine is named {0}.", "Check the name and this machine's network."),
    ),
    (
        r"session is read-only|server is in hot standby mode",
        _away("The database at {at.where} takes no changes, as a standby does.", "Connect to the server that leads."),
    ),
    (
        r"(?:received invalid response to SSL negotiation|expected authentication request from server)",
        _away("What answers at {at.where} is no PostgreSQL.", "Check host and port."),
    ),
    (r"the database system is (.*)", _away("The database is {0}.")),
)
