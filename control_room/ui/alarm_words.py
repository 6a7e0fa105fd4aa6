"""An alarm's rule and its past in words."""

from collections.abc import Iterable, Mapping

from control_room.core.alarms import AlarmKind, AlarmRule, Happening
from control_room.core.tags import Tag
from control_room.ui.words import local
from db.alarm_journal import Occurrence
from widgets.alarm_model import AlarmRow, time_text
from widgets.quality import age_text

_DEEDS = {
    Happening.ACKNOWLEDGED: "acknowledged it",
    Happening.RESET: "reset it",
    Happening.SHELVED: "shelved it",
    Happening.UNSHELVED: "took it back from the shelf",
    Happening.OUT_OF_SERVICE: "took it out of service",
    Happening.IN_SERVICE: "returned it to service",
    Happening.COMMENTED: "wrote",
    Happening.WORK_BEGUN: "planned work on it",
    Happening.WORK_ENDED: "ended the work on it",
    Happening.DISABLED: "disabled it in the configuration",
    Happening.ENABLED: "enabled it in the configuration",
    Happening.NOTED: "left the note",
    Happening.NOTE_REMOVED: "removed the note",
}


def rule_words(rule: AlarmRule, tag: Tag, tags: Mapping[int, Tag]) -> str:
    """Return when the rule raises its alarm, and when it ends."""
    delays = [
        words
        for seconds, words in (
            (rule.on_delay_s, f"after {rule.on_delay_s:g} s"),
            (rule.off_delay_s, f"returns after {rule.off_delay_s:g} s"),
        )
        if seconds
    ]
    stays = ["stays until it is reset"] if rule.is_latching else []
    if rule.re_alarm_s:
        stays.append(f"is announced again {age_text(rule.re_alarm_s)} after its acknowledgement")
    return "; ".join([_condition(rule, tag, tags), *delays, *stays]) + "."


def _condition(rule: AlarmRule, tag: Tag, tags: Mapping[int, Tag]) -> str:
    limit = f"{tag.text(rule.limit)} {tag.unit}".rstrip()
    other = tags.get(rule.other_tag_id) if rule.other_tag_id is not None else None
    name = other.name if other else "another tag"
    deadband = f"; returns {tag.text(rule.deadband)} {tag.unit} inside".replace("  ", " ") if rule.deadband else ""
    if rule.kind in (AlarmKind.H, AlarmKind.HH):
        return f"Comes at {limit} or more{deadband}"
    if rule.kind in (AlarmKind.L, AlarmKind.LL):
        return f"Comes at {limit} or less{deadband}"
    return {
        AlarmKind.BAD: "Comes when the device says that its value must not be used",
        AlarmKind.STATE: f"Comes in the state “{tag.text(rule.limit)}”",
        AlarmKind.DISCREPANCY: f"Comes when it differs from {name}",
        AlarmKind.DEVIATION: f"Comes when it is {limit} or more away from {name}{deadband}",
        AlarmKind.RATE: f"Comes when it changes by {limit} a minute or more, over {rule.window_s:g} s{deadband}",
        AlarmKind.STALE: f"Comes when nothing was heard for {rule.limit:g} s",
        AlarmKind.EXPRESSION: _expression_words(rule),
    }[rule.kind]


def _expression_words(rule: AlarmRule) -> str:
    if rule.expression is None:
        return "This program does not know what it is judged by"
    return f"Comes when this is true: {rule.expression.text}"


def first_out_words(row: AlarmRow, others: Iterable[AlarmRow]) -> str:
    """Return which alarm of the row's first-out group came first; nothing where there is no group."""
    group = row.rule.first_out_group
    if not group:
        return ""
    if row.alarm.is_first_out:
        return f"First-out: it came first in the group “{group}”, and stays so marked until the whole group is normal."
    for one in others:
        is_same = (one.rule.first_out_group, one.tag.municipality_id) == (group, row.tag.municipality_id)
        if is_same and one.alarm.is_first_out:
            came = time_text(one.alarm.first_out_time)
            return f"Subsequent: in the group “{group}” came first at {came}: {one.message}."
    return f"It belongs to the group “{group}”, whose first has returned to normal or is set aside."


def lasted_words(one: Occurrence) -> str:
    """Return how long the condition held."""
    if one.raised_time is None:
        return "–"
    if one.returned_time is None or one.returned_time < one.raised_time:
        return "goes on"
    return age_text((one.returned_time - one.raised_time).total_seconds())


def note_words(one: Occurrence) -> str:
    """Return what people did, in their order."""
    parts = []
    for note in one.notes:
        said = f": {note.comment}" if note.comment else ""
        parts.append(f"{local(note.time)} {note.person} {_DEEDS.get(note.happening, note.happening)}{said}")
    return "\n".join(parts)
