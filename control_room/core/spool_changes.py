"""Alarm changes as bytes: what waits on disk until the database has recorded it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from control_room.core.alarms import Alarm, Corrected, ProcessChange, Raised, Returned
from control_room.core.suppression import CauseChange

Change = ProcessChange | CauseChange
_KINDS = {kind.__name__: kind for kind in (Raised, Returned, Corrected)}


def bytes_of(change: Change) -> bytes:
    """Return one change as JSON."""
    if isinstance(change, CauseChange):
        said: dict[str, Any] = {
            "cause": change.suppression_id,
            "number": change.number,
            "time": change.time.isoformat(),
        }
        return json.dumps(said).encode()
    event = change.event
    said = {"rule": change.rule_id, "number": change.number, "time": event.time.isoformat()}
    said |= {"kind": type(event).__name__, "value": event.value, "quality": event.quality}
    return json.dumps(said).encode()


def change_of(content: bytes) -> Change:
    """Return the change that bytes hold."""
    said = json.loads(content)
    time = datetime.fromisoformat(said["time"])
    if "cause" in said:
        return CauseChange(said["cause"], said["number"], time)
    event = _KINDS[said["kind"]](time, said["value"], said["quality"])
    return ProcessChange(said["rule"], said["number"], event)


def still_news(changes: Sequence[Change], alarms: Sequence[Alarm]) -> list[Change]:
    """Return what is still to be recorded of `changes` although another collector has led since: of each alarm what happened
    after everything that is known of it. Of causes nothing: the other one has seen for itself which are there; nor of corrected
    times, which it has judged by what it knew.
    """
    known = {one.rule_id: one for one in alarms}
    news: list[Change] = []
    for change in changes:
        if isinstance(change, CauseChange) or isinstance(change.event, Corrected):
            continue
        alarm = known.get(change.rule_id, Alarm(change.rule_id))
        times = [time for time in (alarm.raised_time, alarm.returned_time) if time is not None]
        is_raised = isinstance(change.event, Raised)
        if is_raised is alarm.is_active or any(change.event.time < time for time in times):
            continue
        number = max(change.number, alarm.process_number + 1)
        known[change.rule_id] = _after(alarm, change, number)
        news.append(replace(change, number=number))
    return news


def _after(alarm: Alarm, change: ProcessChange, number: int) -> Alarm:
    is_raised = isinstance(change.event, Raised)
    after = replace(alarm, is_active=is_raised, process_number=number)
    if is_raised:
        return replace(after, raised_time=change.event.time)
    return replace(after, returned_time=change.event.time)
