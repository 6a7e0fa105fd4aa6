"""The only door for foreign threads: what they bring is taken by the loop, a burst at a time."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """A bounded queue between a library's thread and the loop; when it is full the oldest is dropped and counted."""

    def __init__(self, take: Callable[[list[T]], None], capacity: int) -> None:
        """Hand bursts to `take` on the running loop; keep at most `capacity` entries."""
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._entries: deque[T] = deque(maxlen=capacity)
        self._dropped = 0

    def put(self, entry: T) -> None:
        """Bring one entry, from any thread."""
        with self._lock:
            is_first = not self._entries
            self._dropped += len(self._entries) == self._entries.maxlen
            self._entries.append(entry)
        if is_first and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._drain)

    def take_dropped(self) -> int:
        """Return how many entries were dropped since the last call."""
        with self._lock:
            dropped, self._dropped = self._dropped, 0
        return dropped

    def _drain(self) -> None:
        with self._lock:
            entries = list(self._entries)
            self._entries.clear()
        self._take(entries)
