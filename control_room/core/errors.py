"""The errors that a person may read.

ControlRoomError                 every one carries `advice`: what the person should do now
├── CannotStart                  the program cannot run here as asked
│   ├── BadOption                an argument or a setting is not acceptable
│   ├── PortInUse                another program holds the network port
│   ├── DiskFull                 no space left where the program must write
│   ├── NewerSchema              the database belongs to a newer version of this program
│   └── OlderSchema              the database must be upgraded first
├── LinkLost                     a connection to the plant failed or broke
│   └── WrongCredentials         the other side refused the user name, password or certificate
├── DatabaseUnavailable          PostgreSQL does not answer
│   ├── Untrusted                the server's certificate does not show who it is
│   └── OutcomeUnknown           the connection broke as a change was being stored
├── BadNetworkFile               a network file is unknown or malformed
└── Refused                      the database refused an action
    └── SessionEnded             nobody is signed in (any more)
"""


class ControlRoomError(Exception):
    """An error with a sentence for the person and advice on what to do."""

    def __init__(self, message: str, *, advice: str = "") -> None:
        """Keep `message` (what happened, one sentence) and `advice` (what to do, one sentence)."""
        super().__init__(message)
        self.advice = advice

    def __str__(self) -> str:
        """Return the message followed by the advice."""
        message = str(self.args[0])
        return f"{message} {self.advice}" if self.advice else message


class CannotStart(ControlRoomError):
    """The program cannot run here as asked."""


class BadOption(CannotStart):
    """An argument or a setting is not acceptable."""


class PortInUse(CannotStart):
    """Another program holds the network port."""


class DiskFull(CannotStart):
    """No space is left where the program must write."""


class NewerSchema(CannotStart):
    """The database belongs to a newer version of this program."""


class OlderSchema(CannotStart):
    """The database must be upgraded first."""


class LinkLost(ControlRoomError):
    """A connection to the plant failed or broke."""


class WrongCredentials(LinkLost):
    """The other side refused the user name, password or certificate."""


class DatabaseUnavailable(ControlRoomError):
    """PostgreSQL does not answer."""


class Untrusted(DatabaseUnavailable):
    """The server's certificate does not show who it is."""


class OutcomeUnknown(DatabaseUnavailable):
    """The connection broke as a change was being stored: it may be done or not."""


class BadNetworkFile(ControlRoomError):
    """A network file is unknown or malformed."""


class Refused(ControlRoomError):
    """The database refused an action, and its words say why."""


class SessionEnded(Refused):
    """Nobody is signed in on this connection (any more)."""


# what passes by itself: whoever has something to store keeps it and tries again
PASSING = (DatabaseUnavailable, DiskFull)
