"""The links to the plant: one supervisor per connection, changed without disturbing the others."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from control_room.core.ports import Configuration, Item
from control_room.core.status import LinkStatus
from control_room.core.tags import Connection
from control_room.services.supervisor import Supervisor

Wanted = tuple[Connection, tuple[Item, ...]]


@dataclass(frozen=True, slots=True)
class _Link:
    wanted: Wanted
    supervisor: Supervisor
    task: asyncio.Task[None]


class Links:
    """Keeps every enabled connection of the configuration alive."""

    def __init__(self, make: Callable[[Connection, tuple[Item, ...]], Supervisor]) -> None:
        """Start without links; `make` builds the supervisor of one connection."""
        self._make = make
        self._links: dict[int, _Link] = {}

    async def apply(self, configuration: Configuration) -> None:
        """Start, stop and restart exactly the links whose settings or items changed."""
        wanted = _wanted(configuration)
        changed = [key for key, link in self._links.items() if wanted.get(key) != link.wanted]
        await self._stop(changed)
        for key in wanted.keys() - self._links.keys():
            supervisor = self._make(*wanted[key])
            task = asyncio.create_task(supervisor.run(), name=f"link {wanted[key][0].name}")
            self._links[key] = _Link(wanted[key], supervisor, task)

    async def stop(self) -> None:
        """Stop every link."""
        await self._stop(list(self._links))

    async def _stop(self, keys: list[int]) -> None:
        tasks = [self._links.pop(key).task for key in keys]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def statuses(self, now: datetime) -> list[LinkStatus]:
        """Return how every link stands."""
        return [link.supervisor.status(now) for link in self._links.values()]


def _wanted(configuration: Configuration) -> dict[int, Wanted]:
    items: defaultdict[int, list[Item]] = defaultdict(list)
    for tag in configuration.tags:
        items[tag.connection_id].append(Item(tag.id, tag.address))
    return {
        connection.id: (connection, tuple(items[connection.id]))
        for connection in configuration.connections
        if connection.is_enabled
    }
