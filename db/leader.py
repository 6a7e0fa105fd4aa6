"""Leadership among collectors: a PostgreSQL advisory lock that lives and dies with a connection."""

import asyncio

from sqlalchemy import Connection, text

from db.worker import DatabaseThread

_KEY = 7203


class Leadership:
    """The claim of one collector to lead."""

    def __init__(self, thread: DatabaseThread) -> None:
        """Hold the lock on the connection of `thread`, which must be used for nothing else."""
        self._thread = thread

    async def claim(self) -> bool:
        """Return whether this collector leads, taking the lead when nobody has it. Raises DatabaseUnavailable."""
        return await asyncio.wrap_future(self._thread.submit(_claim))


def _claim(connection: Connection) -> bool:
    holds = text(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = :key AND classid = 0"
        " AND pid = pg_backend_pid() AND granted) OR pg_try_advisory_lock(:key)"
    )
    return bool(connection.execute(holds, {"key": _KEY}).scalar())
