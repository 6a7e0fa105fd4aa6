"""Tasks that are never abandoned halfway."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Commit(Generic[T]):
    """Runs one commit at a time and lets it end even when its caller is cancelled.

    A commit that was begun may have reached the database; whoever calls next waits for its outcome instead of
    committing the same again.
    """

    def __init__(self) -> None:
        """Start idle."""
        self._running: asyncio.Future[T] | None = None

    @property
    def is_running(self) -> bool:
        """Return whether a commit was begun whose outcome nobody has taken yet."""
        return self._running is not None

    async def run(self, begin: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the outcome of the commit that runs, or of a new one; raises what the commit raises."""
        if self._running is None:
            self._running = asyncio.ensure_future(begin())
        try:
            return await asyncio.shield(self._running)
        finally:
            if self._running is not None and self._running.done():
                self._running = None
