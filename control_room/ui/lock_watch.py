"""The lock watch: tells an administrator at once that somebody's account was locked after failed tries."""

from functools import partial

from PySide6.QtCore import QObject, Signal

from control_room.core.access import Action
from control_room.core.errors import ControlRoomError
from control_room.ui.console import Console
from control_room.ui.words import local
from db.people import Account, list_people


class LockWatch(QObject):
    """Looks for locked accounts whenever something happened about people. Signal locked(words), once per lock."""

    locked = Signal(str)

    def __init__(self, console: Console, parent: QObject | None = None) -> None:
        """Follow the shift and the database's word of people."""
        super().__init__(parent)
        self._console = console
        self._told: set[tuple[str, object]] = set()
        console.live_tags.people_told.connect(self.look)
        console.shift.changed.connect(self.look)

    def look(self) -> None:
        """Read the accounts, where the person at this seat manages people."""
        if not self._console.shift.why_nowhere(Action.MANAGE_PEOPLE):
            self._console.operations.start(self._look())

    async def _look(self) -> None:
        try:
            people = await self._console.operations.act(partial(list_people))
        except ControlRoomError:
            # the trouble bar tells of a database that is away; the next word of people asks again
            return
        for one in people:
            self._tell(one)

    def _tell(self, account: Account) -> None:
        until = account.locked_until
        lock = (account.login, until)
        if until is not None and until > self._console.room.now() and lock not in self._told:
            self._told.add(lock)
            self.locked.emit(
                f"The account {account.login} is locked until {local(until)} after {account.failed_tries} failed tries. "
                "The audit names the station; resetting the password unlocks it."
            )
