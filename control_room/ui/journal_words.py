"""What the seat says of the journal: on screen, in a tip, and as a row of an export."""

import json
from collections.abc import Mapping
from datetime import timedelta

from control_room.core.alarms import AlarmState, Happening
from control_room.core.samples import grade
from control_room.core.tags import Municipality, Tag
from control_room.ui.audit_words import utc_text
from control_room.ui.table_files import Cell
from control_room.ui.words import local
from db.journal_search import JournalRow
from widgets.quality import STATE_WORDS

HAPPENING_WORDS: Mapping[str, str] = {
    Happening.RAISED: "raised",
    Happening.RETURNED: "returned",
    Happening.CORRECTED: "beginning corrected",
    Happening.ACKNOWLEDGED: "acknowledged",
    Happening.RESET: "reset",
    Happening.SHELVED: "shelved",
    Happening.UNSHELVED: "back from the shelf",
    Happening.OUT_OF_SERVICE: "out of service",
    Happening.IN_SERVICE: "back in service",
    Happening.REALARMED: "announced again",
    Happening.COMMENTED: "note",
    Happening.SUPPRESSED: "suppressed by design",
    Happening.UNSUPPRESSED: "suppressed no more",
    Happening.WORK_BEGUN: "planned work begun",
    Happening.WORK_ENDED: "planned work ended",
    Happening.DISABLED: "disabled",
    Happening.ENABLED: "enabled",
    Happening.NOTED: "note that stays",
    Happening.NOTE_REMOVED: "note removed",
}
TITLES = (
    "written_utc",
    "written_local",
    "happened_utc",
    "municipality",
    "site",
    "asset",
    "tag",
    "tag_name",
    "happening",
    "alarm",
    "priority",
    "value",
    "limit",
    "unit",
    "quality",
    "state_before",
    "state",
    "person",
    "station",
    "comment",
    "occurrence",
    "detail",
)
# what happened longer before it was written is told with both times
_LATE = timedelta(seconds=2)
Municipalities = Mapping[int, Municipality]
Tags = Mapping[int, Tag]


def happening_words(happening: str) -> str:
    """Return what happened as people say it; one that a newer database knows keeps its own name."""
    return HAPPENING_WORDS.get(happening, happening.replace("_", " "))


def state_words(state: str) -> str:
    """Return a state as the board says it."""
    return STATE_WORDS[AlarmState(state)] if state in set(AlarmState) else state


def municipality_words(row: JournalRow, places: Municipalities) -> str:
    """Return the municipality's name, empty when it may not be known."""
    one = places.get(row.municipality_id)
    return one.name if one else ""


def place_words(row: JournalRow, places: Municipalities) -> str:
    """Return municipality, site and asset."""
    asset = row.asset if row.asset != row.site else ""
    return " › ".join(part for part in (municipality_words(row, places), row.site, asset) if part)


def value_words(row: JournalRow, tags: Tags) -> str:
    """Return the value with its unit; of a tag that is retired its number alone."""
    tag = tags.get(row.tag_id)
    if tag is None:
        return "" if row.value is None else f"{row.value:g}"
    return f"{tag.text(row.value)} {tag.unit}".rstrip() if row.value is not None else ""


def tip(row: JournalRow, places: Municipalities, tags: Tags) -> str:
    """Return everything of a row, as lines."""
    lines = [
        f"{row.message or row.tag_name}, priority {row.priority}: {happening_words(row.happening)}",
        f"{place_words(row, places)}, {row.tag_name} ({row.tag_key})",
        f"written {local(row.commit_time)}",
    ]
    if abs(row.commit_time - row.source_time) > _LATE:
        lines.append(f"happened {local(row.source_time)}")
    if value := value_words(row, tags):
        lines.append(f"value {value}, limit {row.limit:g}, quality {grade(row.quality).name.lower()}")
    lines.append(f"{state_words(row.previous_state)} → {state_words(row.state)}, occurrence {row.event_id:,}")
    if row.person:
        lines.append(f"by {row.person}" + (f" at {row.station}" if row.station else ""))
    return "\n".join([*lines, *([row.comment] if row.comment else [])])[:1500]


def cells(row: JournalRow, places: Municipalities, tags: Tags) -> tuple[Cell, ...]:
    """Return what an export writes of a row."""
    tag = tags.get(row.tag_id)
    return (
        utc_text(row.commit_time),
        row.commit_time,
        utc_text(row.source_time),
        municipality_words(row, places),
        row.site,
        row.asset,
        row.tag_key,
        row.tag_name,
        row.happening,
        row.message,
        row.priority,
        row.value,
        row.limit,
        tag.unit if tag else "",
        row.quality,
        row.previous_state,
        row.state,
        row.person,
        row.station,
        row.comment,
        row.event_id,
        json.dumps(row.detail, ensure_ascii=False, sort_keys=True) if row.detail else "",
    )
