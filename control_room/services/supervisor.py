"""The supervisor of one link: makes a new driver for every attempt, backs off, and never lets a lost value look alive."""

import asyncio
import logging
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from statistics import median

from control_room.core.errors import BadOption, ControlRoomError, LinkLost
from control_room.core.options import check
from control_room.core.ports import LINK_ADDRESS, LINK_IS_LOST, LINK_IS_UP, Driver, DriverSpec, Item
from control_room.core.samples import GOOD, UNCERTAIN, Grade, Sample, never_seen, stale
from control_room.core.status import LinkState, LinkStatus
from control_room.core.tags import Connection

log = logging.getLogger(__name__)

BACKOFF_FIRST_S = 1.0
BACKOFF_LAST_S = 60.0
# a link that stood so long starts its next back-off from the beginning
STEADY_S = 60.0
RATE_WINDOW_S = 5.0
# a source's clock may be so far ahead; a time farther ahead is not believed, or nothing that comes later would be newer
AHEAD = timedelta(seconds=5)
# what comes first on a new link may have been measured long ago
SETTLED = timedelta(seconds=5)


def backoff_s(attempt: int, random: Random) -> float:
    """Return the pause before attempt `attempt` (1 is the first repetition): doubled each time, with full jitter above 1 s."""
    ceiling = min(BACKOFF_LAST_S, BACKOFF_FIRST_S * 2.0 ** min(attempt, 16))
    return random.uniform(BACKOFF_FIRST_S, ceiling)


class Supervisor:
    """Keeps one connection alive and counts what passes."""

    def __init__(
        self,
        connection: Connection,
        spec: DriverSpec | None,
        items: Sequence[Item],
        publish: Callable[[Sequence[Sample]], None],
        clock: Callable[[], datetime],
        random: Random,
    ) -> None:
        """Watch `items` over `connection`; `spec` is None for a protocol that nobody knows. `clock` is aware UTC."""
        self._connection = connection
        self._title = f"Connection {connection.id} ({connection.name})"
        self._spec = spec
        self._items = tuple(item for item in items if item.address != LINK_ADDRESS)
        self._link_tags = tuple(item.tag_id for item in items if item.address == LINK_ADDRESS)
        self._publish_on = publish
        self._clock = clock
        self._random = random
        self._driver: Driver | None = None
        self._newest: dict[int, Sample] = {}
        self._state = LinkState.CONNECTING
        self._since = clock()
        self._reason = ""
        self._told_down = False
        self._stood_s = 0.0
        self._bugs: set[str] = set()
        self._last_good: datetime | None = None
        self._received = 0
        self._dropped = 0
        self._lag_ms: float | None = None
        # how far the source's clock is behind at most: the least lag since the link settled
        self._behind: timedelta | None = None
        # (time, received until then) of the last RATE_WINDOW_S
        self._marks: deque[tuple[datetime, int]] = deque([(self._since, 0)])

    async def run(self) -> None:
        """Connect again and again until cancelled; then nobody watches the items any more, and they are stale."""
        try:
            await self._keep_up()
        finally:
            self._mark_stale(self._clock())

    async def _keep_up(self) -> None:
        attempt = 0
        while True:
            self._stood_s = 0.0
            try:
                await self._attempt()
                raise LinkLost("The driver ended without a reason.")
            except ControlRoomError as fault:
                self._down(fault)
                if isinstance(fault, BadOption):
                    # only a change of the configuration can help; that makes a new supervisor
                    await asyncio.Event().wait()
            except Exception as bug:
                self._tell_bug(bug)
                self._down(LinkLost(f"The driver failed ({type(bug).__name__}: {bug}).", advice="See the log."))
            attempt = 1 if self._stood_s >= STEADY_S else attempt + 1
            await asyncio.sleep(backoff_s(attempt, self._random))

    async def _attempt(self) -> None:
        if self._spec is None:
            raise BadOption(
                f"No driver is called '{self._connection.driver}'.", advice="Correct the connection's protocol."
            )
        driver = self._spec.make(check(self._spec.fields, self._connection.settings), self._items)
        self._driver = driver
        try:
            await driver.run(self)
        finally:
            self._driver = None
            if self._state is LinkState.UP:
                self._stood_s = (self._clock() - self._since).total_seconds()

    def _down(self, fault: ControlRoomError) -> None:
        now = self._clock()
        if self._state is not LinkState.DOWN:
            self._state, self._since = LinkState.DOWN, now
            self._mark_stale(now)
            self._publish_on(self._link_samples(LINK_IS_LOST, now))
        self._reason = str(fault)
        if not self._told_down:
            log.warning("%s lost: %s", self._title, fault)
        self._told_down = True

    def _mark_stale(self, now: datetime) -> None:
        known = self._newest
        lost_time = now - (self._behind or timedelta(0))
        lost = [
            stale(known[item.tag_id], lost_time) if item.tag_id in known else never_seen(item.tag_id, now)
            for item in self._items
            if item.tag_id not in known or known[item.tag_id].grade < Grade.STALE
        ]
        self._newest.update((sample.tag_id, sample) for sample in lost)
        if lost:
            self._publish_on(lost)

    def _link_samples(self, value: float, now: datetime) -> list[Sample]:
        return [Sample(tag_id, value, GOOD, now, now) for tag_id in self._link_tags]

    def _tell_bug(self, bug: Exception) -> None:
        frames = traceback.extract_tb(bug.__traceback__)
        fingerprint = f"{type(bug).__name__} {frames[-1].filename}:{frames[-1].lineno}"
        if fingerprint not in self._bugs:
            log.error("%s: a fault of the driver", self._title, exc_info=bug)
        self._bugs.add(fingerprint)

    async def write(self, tag_id: int, value: float) -> None:
        """Write to the item of `tag_id`. Raises LinkLost or Refused."""
        address = next((item.address for item in self._items if item.tag_id == tag_id), None)
        if self._driver is None or address is None:
            raise LinkLost(f"{self._connection.name} is not connected.", advice="Wait until the link is up.")
        await self._driver.write(address, value)

    # what a driver says

    def publish(self, samples: Sequence[Sample]) -> None:
        """Take samples from the driver."""
        self._received += len(samples)
        if any(one.source_time - one.arrival_time > AHEAD for one in samples):
            samples = [_believable(one) for one in samples]
        newest = self._newest
        for sample in samples:
            newest[sample.tag_id] = sample
        good = [one for one in samples if one.grade < Grade.STALE]
        if good:
            self._last_good = max(good[-1].arrival_time, self._last_good or good[-1].arrival_time)
            # some are enough: the median of a burst is the burst's
            sample_of_burst = good[:: max(1, len(good) // 16)]
            lags_s = [(one.arrival_time - one.source_time).total_seconds() for one in sample_of_burst]
            self._lag_ms = median(lags_s) * 1_000
            if good[-1].arrival_time - self._since > SETTLED:
                least = timedelta(seconds=max(0.0, min(lags_s)))
                self._behind = least if self._behind is None else min(least, self._behind)
        self._publish_on(samples)

    def link_up(self) -> None:
        """Take note that the link stands."""
        now = self._clock()
        if self._told_down:
            log.info("%s is back after %.0f s", self._title, (now - self._since).total_seconds())
        self._state, self._since, self._reason, self._told_down = LinkState.UP, now, "", False
        self._behind = None
        self._publish_on(self._link_samples(LINK_IS_UP, now))

    def link_dropped(self, count: int) -> None:
        """Count values that were lost on the way."""
        self._dropped += count

    def status(self, now: datetime) -> LinkStatus:
        """Return how the link stands at `now`."""
        self._marks.append((now, self._received))
        while len(self._marks) > 2 and (now - self._marks[1][0]).total_seconds() >= RATE_WINDOW_S:
            self._marks.popleft()
        first_time, first_count = self._marks[0]
        span_s = (now - first_time).total_seconds()
        return LinkStatus(
            connection_id=self._connection.id,
            state=self._state,
            since=self._since,
            reason=self._reason,
            last_good_time=self._last_good,
            values_per_s=(self._received - first_count) / span_s if span_s > 0 else 0.0,
            lag_ms=self._lag_ms,
            received=self._received,
            dropped=self._dropped,
        )


def _believable(sample: Sample) -> Sample:
    """Return a sample from the future as uncertain and measured when it arrived, any other as it is."""
    if sample.source_time - sample.arrival_time <= AHEAD:
        return sample
    quality = UNCERTAIN if sample.grade is Grade.GOOD else sample.quality
    return replace(sample, source_time=sample.arrival_time, quality=quality)
