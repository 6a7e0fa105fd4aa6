"""Rate-of-change alarms: a value rises or falls faster than it should."""

from control_room.core.alarms import AlarmRule

Points = tuple[tuple[float, float], ...]
# no more points of a window are remembered than this
_POINTS = 50


def remember(points: Points, time_s: float, value: float, window_s: float) -> Points:
    """Return the (time, value) points of the last `window_s` with a new one, and the newest before them.

    What is not later than the newest is left out: late data changes no rate that was.
    """
    if points and time_s <= points[-1][0]:
        return points
    if len(points) > 1 and points[-1][0] - points[-2][0] < window_s / _POINTS:
        # closer than it matters: the newer stands for both
        points = points[:-1]
    points = (*points, (time_s, value))
    begin_s = time_s - window_s
    first = next((n for n, (at_s, _) in enumerate(points[1:]) if at_s > begin_s), 0)
    return points[first:]


def rate_per_min(points: Points) -> float:
    """Return how fast the value changed from the first point to the last, in units per minute; 0 for a single one."""
    (first_s, first), (last_s, last) = points[0], points[-1]
    return 60.0 * (last - first) / (last_s - first_s) if last_s > first_s else 0.0


def is_too_fast(rule: AlarmRule, rate: float, was_too_fast: bool) -> bool:
    """Return whether the rate in either direction is at least `limit` units per minute; off at `limit` - `deadband`.

    OPC UA Part 9, 5.8.21 (rate of change).
    """
    return abs(rate) > rule.limit - rule.deadband if was_too_fast else abs(rate) >= rule.limit
