"""When a disk will be full, if it goes on filling as it did."""

from collections import deque
from datetime import datetime, timedelta

# more days than this are as good as never
MOST_DAYS = 400.0
_EVERY = timedelta(minutes=10)
_SHORT, _LONG = timedelta(hours=6), timedelta(days=7)


class DiskForecast:
    """The free space of the last week, every ten minutes: what a day takes is the more of the last six hours and the week."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._points: deque[tuple[datetime, int]] = deque()

    def days(self, now: datetime, free_bytes: int) -> float:
        """Take the free space and return the whole days until there is none, at most `MOST_DAYS`.

        Raises ValueError before six hours have been seen: a shorter time tells of a clean-up or a copy, not of a trend.
        """
        if self._points and now < self._points[-1][0]:
            # the clock was set back: what was seen has no times any more
            self._points.clear()
        if not self._points or now - self._points[-1][0] >= _EVERY:
            self._points.append((now, free_bytes))
        while now - self._points[0][0] > _LONG:
            self._points.popleft()
        if now - self._points[0][0] < _SHORT:
            raise ValueError("The disk has not been watched for six hours yet.")
        per_s = max(_per_s(one, now, free_bytes) for one in (self._points[0], self._six_hours_ago(now)))
        return float(min(MOST_DAYS, free_bytes / per_s / 86400 // 1)) if per_s > 0 else MOST_DAYS

    def _six_hours_ago(self, now: datetime) -> tuple[datetime, int]:
        return next(one for one in reversed(self._points) if now - one[0] >= _SHORT)


def _per_s(before: tuple[datetime, int], now: datetime, free_bytes: int) -> float:
    time, free_then = before
    return (free_then - free_bytes) / (now - time).total_seconds()
