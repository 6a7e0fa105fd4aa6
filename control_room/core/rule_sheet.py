"""Alarm rules as the rows of a sheet: one row for each rule with its settings and record, written and read again.

A cell of the record shows what holds, wherever it was set. Read again, a cell that says the same changes nothing, another
value is set for the rule itself, and an empty cell takes the rule's own value away.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from math import isfinite
from typing import Any

from control_room.core.alarms import LIMITS, PAIRED, AlarmKind, AlarmRule, Priority
from control_room.core.expressions import MAX_LENGTH, BadExpression, Expression, parse_condition, unreadable
from control_room.core.plant import PlantRule, PlantTag
from control_room.core.rationalisation import NAMES, Held, Level, Record, Severity, doubts, record_faults
from control_room.core.rationalisation import TITLES as RECORD_TITLES
from control_room.core.rule_check import GROUP_LENGTH, tag_faults
from control_room.core.tags import Tag

KEYS = ("Municipality", "Tag", "Alarm")
SETTINGS: Mapping[str, str] = {
    "priority": "Priority",
    "limit": "Limit",
    "deadband": "Deadband",
    "on_delay_s": "On-delay (s)",
    "off_delay_s": "Off-delay (s)",
    "message": "Message",
    "is_latching": "Latching",
    "shelving_limit_s": "Longest shelving (s)",
    "window_s": "Window (s)",
    "re_alarm_s": "Re-alarm (s)",
    "expression": "Expression",
    "first_out_group": "First-out group",
    "is_disabled": "Disabled",
    "other_tag_id": "Compared with",
}
FIELD_TITLES: Mapping[str, str] = {**SETTINGS, **RECORD_TITLES}
TITLES = (*KEYS, *FIELD_TITLES.values())
FAULTS_MAX = 1000
MESSAGE_MAX = 500
DAY_S = 86_400.0
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
# which column the words of core/rule_check.py are about
_ABOUT = (
    ("an expression", "expression"),
    ("compare", "other_tag_id"),
    ("deadband", "deadband"),
    ("on-delay", "on_delay_s"),
    ("off-delay", "off_delay_s"),
    ("shelving", "shelving_limit_s"),
    ("re-alarm", "re_alarm_s"),
    ("window", "window_s"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One rule with everything that its row needs; `place` is the municipality's key, `other` that of the tag compared with."""

    place: str
    tag: Tag
    rule: AlarmRule
    held: Held
    other: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in which row of the file (the first has number 1) and which column, and what is allowed."""

    row: int
    column: str
    words: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What a row of the file changes: fields by name, before and after, and what a person should look at."""

    row: int
    line: Line
    settings: Mapping[str, tuple[Any, Any]]
    record: Mapping[str, tuple[Any, Any]]
    doubts: tuple[str, ...] = ()


@dataclass(slots=True)
class Sheet:
    """What a file says: what it changes, and the first faults; `fault_count` counts all of them."""

    differences: list[Difference] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    fault_count: int = 0
    rows: int = 0

    def fail(self, row: int, column: str, words: str) -> None:
        """Note a fault."""
        self.fault_count += 1
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(Fault(row, column, words))


def value_text(value: Any) -> str:
    """Return a value as a cell says it, exactly enough to be read again; empty for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Priority):
        return str(int(value))
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def harmless(cell: str) -> str:
    """Return the cell as a text to spreadsheets: what begins like a formula gets an apostrophe (OWASP), numbers do not."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) and not _is_number(cell) else cell


def _is_number(cell: str) -> bool:
    try:
        return isfinite(float(cell))
    except ValueError:
        return False


def plain(cell: str) -> str:
    """Return what harmless() was given."""
    return cell[1:] if cell.startswith("'") and cell[1:].lstrip(" ").startswith(_FORMULA) else cell


def settings_of(rule: AlarmRule) -> dict[str, Any]:
    """Return the settings by their names; an expression as its text."""
    found = {name: getattr(rule, name) for name in SETTINGS}
    return found | {"expression": rule.expression.text if rule.expression else ""}


def with_settings(rule: AlarmRule, settings: Mapping[str, Any]) -> AlarmRule:
    """Return the rule with other settings; what an expression's tags are is known to the database alone."""
    kept = dict(settings)
    if "expression" in kept:
        kept["expression"] = _read_expression(kept["expression"])
    return replace(rule, **kept)


def _read_expression(text: str) -> Expression | None:
    try:
        return parse_condition(text) if text else None
    except BadExpression:
        return unreadable(text)


_MEASURED = LIMITS | {AlarmKind.DEVIATION, AlarmKind.RATE}
_ONLY: Mapping[str, frozenset[AlarmKind]] = {
    "limit": _MEASURED | {AlarmKind.STATE, AlarmKind.STALE},
    "deadband": _MEASURED,
    "window_s": frozenset({AlarmKind.RATE}),
    "expression": frozenset({AlarmKind.EXPRESSION}),
    "other_tag_id": PAIRED,
}


def names_of(kind: AlarmKind) -> list[str]:
    """Return the settings that a rule of this kind has, an expression first."""
    without = {name for name, kinds in _ONLY.items() if kind not in kinds}
    names = [name for name in SETTINGS if name not in without]
    return sorted(names, key=lambda name: name != "expression")


def cells(line: Line) -> list[str]:
    """Return the row of a rule, in the order of TITLES, harmless to spreadsheets."""
    settings = list((settings_of(line.rule) | {"other_tag_id": line.other}).values())
    record = [getattr(line.held.record, name) for name in NAMES]
    values = [line.place, line.tag.key, line.rule.kind.value, *settings, *record]
    return [harmless(value_text(value)) for value in values]


# --- what a cell may say


def number(text: str, low: float, high: float) -> float:
    """Return the number. Raises ValueError with what is allowed."""
    try:
        found = float(text)
    except ValueError:
        found = float("nan")
    if not low <= found <= high:
        raise ValueError(f"must be a number from {low:g} to {high:g} with a decimal point, is “{text[:40]}”")
    return found


def _priority(text: str) -> Priority:
    found = number(text, 1, 4)
    if not found.is_integer():
        raise ValueError(f"must be 1, 2, 3 or 4, is “{text[:40]}”")
    return Priority(int(found))


def _yes(text: str) -> bool:
    if text.casefold() not in ("yes", "no", "true", "false"):
        raise ValueError(f"must be yes or no, is “{text[:40]}”")
    return text.casefold() in ("yes", "true")


def _severity(text: str) -> Severity:
    if text not in tuple(Severity):
        raise ValueError(f"must be {', '.join(Severity)} or empty, is “{text[:40]}”")
    return Severity(text)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text[:10] if text.endswith("00:00:00") else text)
    except ValueError:
        raise ValueError(f"must be a date as 2027-03-31 or empty, is “{text[:40]}”") from None


def _seconds(text: str) -> float:
    return number(text, 0, DAY_S)


def _text(most: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        if len(text) > most:
            raise ValueError(f"has {len(text):,} letters, at most {most:,} are allowed")
        return text

    return read


PARSERS: Mapping[str, Callable[[str], Any]] = {
    "priority": _priority,
    "limit": lambda text: number(text, -1e15, 1e15),
    "deadband": lambda text: number(text, 0, 1e12),
    "on_delay_s": _seconds,
    "off_delay_s": _seconds,
    "message": _text(MESSAGE_MAX),
    "is_latching": _yes,
    "shelving_limit_s": _seconds,
    "window_s": lambda text: number(text, 1, DAY_S),
    "re_alarm_s": _seconds,
    "expression": _text(MAX_LENGTH),
    "first_out_group": _text(GROUP_LENGTH),
    "is_disabled": _yes,
    "severity": _severity,
    "respond_min": lambda text: number(text, 1e-3, 1440),
    "review_date": _date,
}


def parsed(name: str, text: str) -> Any:
    """Return the value of the field that a person wrote, None for an empty one of the record. Raises ValueError in words."""
    text = text.strip()
    if name in RECORD_TITLES:
        if not text:
            return None
        value = PARSERS.get(name, str)(text)
        if fault := record_faults(replace(Record(), **{name: value})).get(name):
            raise ValueError(fault)
        return value
    return PARSERS[name](text)


def tag_id(key: str, ids: Mapping[str, int]) -> int | None:
    """Return the id of the tag whose key a person wrote, None for an empty one. Raises ValueError in words."""
    key = key.strip()
    if key and key not in ids:
        raise ValueError(f"must be the key of a tag of this municipality, is “{key[:60]}”")
    return ids[key] if key else None


# --- rules against each other


def as_plant_tag(tag: Tag, rules: Sequence[AlarmRule], tags: Mapping[int, Tag]) -> PlantTag:
    """Return the tag with these rules as core/rule_check.py wants it."""
    return PlantTag(
        key=tag.key,
        name=tag.name,
        site=tag.site,
        asset=tag.asset,
        quantity=tag.quantity,
        connection="",
        address=tag.address,
        states=tag.states,
        rules=tuple(_plant_rule(rule, tags) for rule in rules),
    )


def _plant_rule(rule: AlarmRule, tags: Mapping[int, Tag]) -> PlantRule:
    other = tags.get(rule.other_tag_id) if rule.other_tag_id is not None else None
    named = {name: value for name, value in settings_of(rule).items() if name not in ("is_disabled", "other_tag_id")}
    return PlantRule(kind=rule.kind, other=other.key if other else "", **named)


def about(words: str) -> str:
    """Return which field the words of core/rule_check.py are about."""
    return next((name for part, name in _ABOUT if part in words), "limit")


# --- a whole file


@dataclass(frozen=True, slots=True)
class Known:
    """What a sheet is compared with; `lines` by (municipality, tag, alarm), `rules` by tag, `ids` by municipality and key."""

    lines: Mapping[tuple[str, str, str], Line]
    rules: Mapping[int, Sequence[AlarmRule]]
    tags: Mapping[int, Tag]
    ids: Mapping[int, Mapping[str, int]] = field(default_factory=dict)


def read_sheet(rows: Iterable[Sequence[str]], known: Known) -> Iterator[Sheet]:
    """Yield the growing result after every row, so that whoever reads may tell how far it is, or stop; the last one is whole."""
    sheet, numbers = Sheet(), iter(rows)
    titles = [plain(cell).strip() for cell in next(numbers, ())]
    columns = _columns(titles, sheet)
    seen: dict[tuple[str, str, str], int] = {}
    if sheet.fault_count:
        yield sheet
        return
    for row, given in enumerate(numbers, 2):
        if any(cell.strip() for cell in given):
            sheet.rows += 1
            _read_row(row, {name: _cell(given, place) for name, place in columns.items()}, known, sheet, seen)
        yield sheet
    _check_tags(known, sheet)
    yield sheet


def _cell(given: Sequence[str], place: int) -> str:
    return given[place].strip() if place < len(given) else ""


def _columns(titles: Sequence[str], sheet: Sheet) -> dict[str, int]:
    """Return where each column stands; the three keys are needed, of the others whatever is there is read."""
    names = {title: name for name, title in FIELD_TITLES.items()} | {title: title for title in KEYS}
    columns: dict[str, int] = {}
    for place, title in enumerate(titles):
        if title and title not in names:
            sheet.fail(1, title[:40], f"is no column; there are: {', '.join(TITLES)}")
        elif title and names[title] in columns:
            sheet.fail(1, title, "stands twice")
        elif title:
            columns[names[title]] = place
    for title in KEYS:
        if title not in columns:
            sheet.fail(1, title, "is missing; every row needs municipality, tag and alarm")
    return columns


def _read_row(
    row: int, given: Mapping[str, str], known: Known, sheet: Sheet, seen: dict[tuple[str, str, str], int]
) -> None:
    place, tag, kind = (plain(given[title]) for title in KEYS)
    key = (place, tag, kind)
    if (line := known.lines.get(key)) is None:
        sheet.fail(row, "Tag", f"There is no alarm {kind[:20]} of the tag “{tag[:60]}” in “{place[:60]}”.")
        return
    if key in seen:
        sheet.fail(row, "Tag", f"The same alarm stands in row {seen[key]} already.")
        return
    seen[key] = row
    settings: dict[str, tuple[Any, Any]] = {}
    record: dict[str, tuple[Any, Any]] = {}
    for name, cell in given.items():
        if name in KEYS:
            continue
        try:
            before, after, is_changed = _compared(line, name, cell, known.ids.get(line.tag.municipality_id, {}))
        except ValueError as fault:
            sheet.fail(row, FIELD_TITLES[name], f"{FIELD_TITLES[name]} {fault}.")
            continue
        if is_changed:
            (settings if name in SETTINGS else record)[name] = (before, after)
    if settings or record:
        sheet.differences.append(Difference(row, line, settings, record, _doubts(line, settings, record)))


def _compared(line: Line, name: str, cell: str, ids: Mapping[str, int]) -> tuple[Any, Any, bool]:
    """Return the value before and after, and whether it changes. Raises ValueError in words."""
    if cell.startswith("="):
        raise ValueError("is a formula; write the value itself")
    after = tag_id(plain(cell), ids) if name == "other_tag_id" else parsed(name, plain(cell))
    if name in SETTINGS:
        before = settings_of(line.rule)[name]
        return before, after, before != after
    holds = getattr(line.held.record, name)
    is_own = line.held.sources.get(name, (Level.RULE, 0))[0] is Level.RULE
    if after is None and not is_own:
        raise ValueError(f"cannot be emptied here: “{value_text(holds)[:60]}” holds from above")
    return holds if is_own else None, after, holds != after


def _doubts(
    line: Line, settings: Mapping[str, tuple[Any, Any]], record: Mapping[str, tuple[Any, Any]]
) -> tuple[str, ...]:
    rule = _changed(line.rule, settings)
    held = replace(line.held.record, **{name: after for name, (_, after) in record.items()})
    return tuple(doubts(held, rule.priority, rule.on_delay_s))


def _check_tags(known: Known, sheet: Sheet) -> None:
    """Note rules that cannot be meant beside the others of their tags."""
    changed: dict[int, dict[int, Difference]] = {}
    for one in sheet.differences:
        if one.settings:
            changed.setdefault(one.line.tag.id, {})[one.line.rule.id] = one
    units: dict[int, dict[str, str]] = {}
    if changed:
        for tag in known.tags.values():
            units.setdefault(tag.municipality_id, {})[tag.key] = tag.unit
    for tag_id, ones in changed.items():
        tag = known.tags[tag_id]
        rules = [_changed(rule, ones[rule.id].settings) if rule.id in ones else rule for rule in known.rules[tag_id]]
        for words in tag_faults(as_plant_tag(tag, rules, known.tags), units[tag.municipality_id]):
            first = next((one for one in ones.values() if words.startswith(one.line.rule.kind + " ")), None)
            row = (first or next(iter(ones.values()))).row
            sheet.fail(row, FIELD_TITLES[about(words)], f"{tag.key}: {words}.")


def _changed(rule: AlarmRule, settings: Mapping[str, tuple[Any, Any]]) -> AlarmRule:
    return with_settings(rule, {name: after for name, (_, after) in settings.items()})
