"""What an alarm has to do with suppression, in words: why nobody is told of it, and of what nobody is told because of it."""

from collections.abc import Iterator, Mapping

from control_room.core.alarms import HoldKind
from control_room.core.suppression import Suppression
from control_room.ui.room import Room
from widgets.alarm_model import AlarmRow
from widgets.hold_words import hold_lines

_TOLD = 6


def suppression_words(room: Room, rows: Mapping[int, AlarmRow], row: AlarmRow) -> Iterator[str]:
    """Yield paragraphs: what holds the alarm, and which consequences it suppresses now or while it stands."""
    if lines := list(hold_lines(row.alarm)):
        yield "\n".join(["Nobody is told of it:", *lines])
    causes = [one for one in room.suppressions.values() if one.rule_id == row.rule.id]
    if not causes:
        return
    now = [other.message for other in rows.values() if _is_held(other, causes)]
    if now:
        yield _listed(f"Suppressed by it now, as known consequences ({len(now):,}):", now)
        return
    meant = {number for one in causes for number in one.consequences}
    known = [room.rules[number].message for number in sorted(meant) if number in room.rules]
    yield _listed(f"While it stands, nobody is told of its known consequences ({len(known):,}):", known)


def _is_held(row: AlarmRow, causes: list[Suppression]) -> bool:
    numbers = {one.id for one in causes}
    return any(one.number in numbers for one in row.alarm.held_by(HoldKind.DESIGN))


def _listed(title: str, lines: list[str]) -> str:
    more = [f"and {len(lines) - _TOLD:,} more"] if len(lines) > _TOLD else []
    return "\n".join([title, *sorted(lines)[:_TOLD], *more])
