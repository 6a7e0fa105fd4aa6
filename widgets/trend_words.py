"""What a trend says in words: the value at the cursor, how a limit is called, why nothing is drawn."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from control_room.core.alarms import AlarmKind
from control_room.core.limit_history import LimitStep
from control_room.core.samples import Grade
from control_room.core.tags import Tag
from control_room.core.trend_statistics import Statistics
from control_room.core.trends import TrendPiece, held_at, seen_extremes
from widgets.quality import MARKS
from widgets.trend_marks import LimitLine
from widgets.trend_pens import Pen

_ALWAYS = (float("-inf"), float("inf"))
_DRAG = "Drag tags here, or choose them in the navigation, on the map or on the alarm board."
_NOTHING = "No history was recorded for this stretch of time."
_TOO_MANY = (
    "Too many samples lie between the cursors to look at each: move them closer together for mean and deviation."
)
_UNTRUSTED = "No value of this stretch of time can be trusted."


@dataclass(frozen=True, slots=True)
class PenWords:
    """A pen on paper: its number and colour in the plot, whose values these are, and what was seen of them."""

    number: str
    colour: str
    name: str
    unit: str
    lowest: str
    highest: str
    last: str


def pen_words(
    pen: Pen, colour: str, drawn: Sequence[tuple[TrendPiece, float]], stretch_s: tuple[float, float]
) -> PenWords:
    """Return what is written of a pen beside the plot of a stretch (seconds since 1970); the last value is that of its end."""
    tag = pen.tag
    seen = [value for piece, _ in drawn for value in seen_extremes(piece, stretch_s[0])]
    last = ""
    for piece, until_s in drawn:
        row = held_at(piece, stretch_s[1])
        if row is not None:
            mark = MARKS[Grade(int(piece.grade[row]))]
            value = float(piece.last[row])
            last = f"{mark} {tag.text(None if np.isnan(value) else value)}".strip() if until_s else last
    name = f"{tag.site} › {tag.asset} › {tag.name}"
    lowest, highest = (tag.text(pick(seen)) if seen else "—" for pick in (min, max))
    return PenWords(str(pen.colour_number + 1), colour, name, tag.unit, lowest, highest, last or "—")


def why_empty(pens: Collection[Pen], drawn: Mapping[int, Sequence[tuple[TrendPiece, float]]]) -> str:
    """Return why nothing is drawn, empty when something is."""
    if not pens:
        return _DRAG
    pieces = [piece for found in drawn.values() for piece, _ in found]
    if pieces:
        return "" if any(np.isfinite(piece.high).any() for piece in pieces) else _UNTRUSTED
    states = [pen.state for pen in pens if pen.state]
    is_known = all(pen.history is not None for pen in pens)
    return states[0] if states else _NOTHING if is_known else ""


def cursor_words(tag: Tag, piece: TrendPiece, row: int, at_s: float, columns: int) -> str:
    """Return what is known of a moment: the extremes of its column, or the value that held."""
    if at_s - piece.time_s[row] <= (piece.end_s - piece.start_s) / columns:
        low, high, grade = float(piece.low[row]), float(piece.high[row]), piece.worst[row]
    else:
        low, high, grade = float(piece.last[row]), float(piece.last[row]), piece.grade[row]
    value = tag.text(None if np.isnan(high) else high)
    spread = f"{tag.text(low)} … {value}" if low < high else value
    return f"{MARKS[Grade(int(grade))]} {spread}".strip()


def statistics_words(tag: Tag, found: Statistics | None) -> tuple[list[str], str]:
    """Return the cells of what lies between two cursors, and a tip; None: it could not be read."""
    if found is None:
        return ["?"] * 8, "It could not be read. Move a cursor to try again."
    values = (found.begin, found.end, found.difference, found.low, found.average, found.high)
    cells = [_number(tag, one) for one in values]
    # how far states are apart, or what they are on average, is a number
    if tag.states:
        cells[2], cells[4] = (_plain(one) for one in (found.difference, found.average))
    cells += [
        _plain(found.deviation) if tag.states else _number(tag, found.deviation),
        f"{100 * found.trusted_share:.1f} %",
    ]
    return cells, _TOO_MANY if found.count is None else f"{found.count:,} samples"


def _number(tag: Tag, value: float) -> str:
    return tag.text(None if np.isnan(value) else value)


def _plain(value: float) -> str:
    return "—" if np.isnan(value) else f"{value:.2f}"


def present_limit(tag: Tag, kind: AlarmKind, limit: float) -> LimitLine:
    """Return a limit that holds at any time."""
    return LimitLine(lambda value: f"{kind} {tag.text(value)}", [LimitStep(*_ALWAYS, limit)])
