"""What the drivers' tests share: a sink that remembers, and a library that keeps quiet."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence

import pytest

from control_room.core.samples import Sample


class RememberingSink:
    """Keeps what a driver says."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.ups = 0
        self.dropped = 0
        self._changed = asyncio.Event()

    def publish(self, samples: Sequence[Sample]) -> None:
        self.samples += samples
        self._changed.set()

    def link_up(self) -> None:
        self.ups += 1
        self._changed.set()

    def link_dropped(self, count: int) -> None:
        self.dropped += count

    def newest(self, tag_id: int) -> Sample | None:
        return next((one for one in reversed(self.samples) if one.tag_id == tag_id), None)

    async def until(self, is_so: Callable[[], object], timeout_s: float = 10.0) -> None:
        """Wait until something is so, looking after everything that a driver says."""
        async with asyncio.timeout(timeout_s):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
def sink() -> RememberingSink:
    return RememberingSink()


@pytest.fixture(autouse=True)
def quiet_library() -> Iterator[None]:
    """asyncua tells of every broken connection at WARNING and above; the supervisor tells it once."""
    logger = logging.getLogger("asyncua")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)
