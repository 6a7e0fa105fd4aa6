"""Stale alarms: an instrument that should speak has been silent for too long."""

from datetime import datetime, timedelta

from control_room.core.alarms import AlarmRule


def expected_until(rule: AlarmRule, heard: datetime) -> datetime:
    """Return when a trustworthy value must have come at the latest: `limit` seconds after the last."""
    return heard + timedelta(seconds=rule.limit)
