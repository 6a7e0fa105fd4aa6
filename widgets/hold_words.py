"""What sets an alarm aside, in words: by whom or by which cause, since when, and how long it still will; and its note."""

from collections.abc import Iterator
from datetime import datetime

from control_room.core.alarms import Alarm, AlarmState, Hold, HoldKind
from widgets.quality import age_text


def left_text(alarm: Alarm, now: datetime) -> str:
    """Return how long a shelved or suppressed alarm still will be, as far as anybody knows; empty for all others."""
    ends = [one.until for one in alarm.holds]
    if alarm.state is AlarmState.SUPPRESSED_BY_DESIGN:
        since = min(one.since for one in alarm.holds)
        known = [end for end in ends if end is not None]
        # what is held by several causes is heard when the last one is gone
        if len(known) < len(ends):
            return f"since {age_text((now - since).total_seconds())}"
        return f"{age_text((max(known) - now).total_seconds())} left"
    if alarm.state is not AlarmState.SHELVED:
        return ""
    known = [end for end in (*ends, alarm.shelving.until if alarm.shelving else None) if end is not None]
    return f"{age_text((max(known) - now).total_seconds())} left" if known else ""


def aside_text(alarm: Alarm) -> str:
    """Return by whom and why the alarm is set aside, or by which cause; empty when it is not."""
    aside = alarm.out_of_service or alarm.shelving
    if aside is not None:
        return f"{aside.person}: {aside.reason}"
    work = alarm.held_by(HoldKind.WORK)
    if work:
        return f"{work[0].person}: {_work_words(work[0])}"
    return "; ".join(one.words for one in alarm.holds)


def hold_lines(alarm: Alarm) -> Iterator[str]:
    """Yield a line for each thing that holds the alarm: what, since when and until when."""
    for one in alarm.holds:
        since = f"{one.since.astimezone():%Y-%m-%d %H:%M:%S}"
        if one.kind is HoldKind.WORK:
            until = f" until {one.until.astimezone():%Y-%m-%d %H:%M}" if one.until else ""
            yield f"planned work{until} by {one.person}: {_work_words(one)}"
        elif one.until is None:
            yield f"suppressed since {since}, as long as: {one.words}"
        else:
            yield f"suppressed since {since}, until {one.until.astimezone():%H:%M:%S}, after: {one.words}"


def sticky_lines(alarm: Alarm) -> Iterator[str]:
    """Yield the note that stays on the alarm, with who left it and when."""
    if (note := alarm.note) is not None:
        yield f"note of {note.person}, {note.time.astimezone():%Y-%m-%d %H:%M}: {note.words}"


def _work_words(hold: Hold) -> str:
    return f"{hold.work_order}, {hold.words}" if hold.work_order else hold.words
