"""Roll-ups: has the store reckon what is due, a little at a time, and never in the way of who stores samples."""

import asyncio
import logging

from control_room.core.errors import PASSING
from control_room.core.ports import RollupStore

log = logging.getLogger(__name__)

PAUSE_S = 5.0
# tags' minutes in one transaction
BATCH = 2_000


class Rollups:
    """What is due is reckoned in batches; between two of them the database has a pause as long as the batch took."""

    def __init__(self, store: RollupStore) -> None:
        """Reckon by `store`, whose connection nobody else uses."""
        self._store = store
        self._is_troubled = False

    async def run(self) -> None:
        """Reckon until cancelled; what was due while nobody ran is still due."""
        loop = asyncio.get_running_loop()
        while True:
            began_s = loop.time()
            done = await self._batch()
            await asyncio.sleep(loop.time() - began_s if done >= BATCH else PAUSE_S)

    async def _batch(self) -> int:
        try:
            done = await self._store.roll_up(BATCH)
        except PASSING as fault:
            # the marks stay, so the next try reckons the same
            if not self._is_troubled:
                log.warning("Roll-ups of history wait: %s Trends read samples meanwhile.", fault)
            self._is_troubled = True
            return 0
        if self._is_troubled:
            log.info("Roll-ups of history go on.")
        self._is_troubled = False
        return done
