"""Planned work in words: places, moments and what is left; and the moment that a person typed."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta

from control_room.core.access import Action
from control_room.core.errors import Refused
from control_room.ui.room import Room
from control_room.ui.shift import Shift
from control_room.ui.words import municipality_name
from db.planned_work import PlannedWork, WorkPlace
from widgets.quality import age_text

NOW = "now"


def place_names(room: Room, places: Iterable[WorkPlace]) -> dict[WorkPlace, str]:
    """Return the names of all municipalities, sites and assets, each with what it belongs to."""
    found = list(places)
    by_id = {one.asset_id: one for one in found}
    names = {WorkPlace(number): municipality_name(room, number) for number in room.municipalities}
    for one in found:
        parts = [municipality_name(room, one.municipality_id)]
        if one.parent_id in by_id:
            parts.append(by_id[one.parent_id].name)
        names[one] = " › ".join([*parts, one.name])
    return names


def place_of(room: Room, tag_ids: Iterable[int]) -> str:
    """Return the name of the smallest place that has all the tags: an asset, a site or a municipality; empty for none."""
    found = {(tag.municipality_id, tag.site, tag.asset) for tag in (room.tags.get(one) for one in tag_ids) if tag}
    if len({municipality_id for municipality_id, _, _ in found}) != 1:
        return ""
    [(number, site, asset), *others] = found
    parts = [municipality_name(room, number)]
    if all(one[1] == site for one in others):
        parts += [site] if others else [site, asset]
    return " › ".join(parts)


def why_no_work(shift: Shift, place: WorkPlace) -> str:
    """Return why the person may not plan work there, empty when they may; the database decides by the same.

    On an asset also who may only shelve, elsewhere who may take out of service.
    """
    why = shift.why_not(Action.SERVICE, place.municipality_id)
    return shift.why_not(Action.SHELVE, place.municipality_id) if why and place.parent_id is not None else why


def open_to(shift: Shift, names: Mapping[WorkPlace, str]) -> dict[str, WorkPlace]:
    """Return by name where the signed-in person may plan work, in the order of the names."""
    may = [(name, one) for one, name in names.items() if not why_no_work(shift, one)]
    return dict(sorted(may, key=lambda pair: pair[0]))


def work_place_name(work: PlannedWork, names: Mapping[WorkPlace, str]) -> str:
    """Return what is worked on."""
    for one, name in names.items():
        if (one.municipality_id, one.asset_id) == (work.municipality_id, work.asset_id):
            return name
    return "a place that this seat does not know"


def moment(at: datetime) -> str:
    """Return a moment in local time, to the minute: of today the clock alone."""
    local = at.astimezone()
    return f"{local:%H:%M}" if local.date() == datetime.now().astimezone().date() else f"{local:%d %b %H:%M}"


def left_words(work: PlannedWork, now: datetime) -> str:
    """Return how long the work still lasts, or when it begins."""
    if work.begun_time is None:
        return f"begins in {age_text((work.begin_time - now).total_seconds())}"
    left_s = (work.end_time - now).total_seconds()
    return f"{age_text(left_s)} left" if left_s > 0 else "ends now"


def begin_of(words: str, now: datetime) -> datetime | None:
    """Return the moment that was typed as aware UTC, None for now. Raises Refused in words.

    A clock time is today's, or tomorrow's when it is over today.
    """
    words = words.strip()
    if words.casefold() in ("", NOW):
        return None
    with suppress(ValueError):
        return datetime.fromisoformat(words).astimezone(UTC)
    with suppress(ValueError):
        local = now.astimezone()
        today = datetime.combine(local.date(), time.fromisoformat(words)).astimezone()
        return (today if today > local else today + timedelta(days=1)).astimezone(UTC)
    raise Refused(
        f"“{words[:40]}” is no moment.",
        advice=f"Write {NOW}, a time as 14:30, or a day and a time as 2026-03-01 14:30.",
    )


def reminder(works: Sequence[PlannedWork], now: datetime, before: timedelta) -> list[PlannedWork]:
    """Return the work that goes on and ends soon."""
    return [one for one in works if one.begun_time is not None and now <= one.end_time <= now + before]


def reminder_words(work: PlannedWork, place: str, now: datetime) -> str:
    """Return what who planned the work must know before its end."""
    return (
        f"Planned work on {place} ends at {moment(work.end_time)} ({left_words(work, now)}): {work.reason}. Alarms that are "
        "abnormal then are announced. If it lasts longer, give it another end in the view Planned work."
    )
