"""The rationalisation record of an alarm: what it means, inherited down the asset tree, and the priority that follows.

A value that is set for a municipality holds for its sites, assets, tags and rules, until one of them sets its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from enum import StrEnum

from control_room.core.alarms import Priority


class Severity(StrEnum):
    """How bad the worst credible consequence is."""

    MINOR = "minor"
    MAJOR = "major"
    SEVERE = "severe"


class Level(StrEnum):
    """What a record is of, from the top; a site is an asset without a parent."""

    MUNICIPALITY = "municipality"
    ASSET = "asset"
    TAG = "tag"
    RULE = "rule"


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of an alarm; None: not said here. `respond_min`: time to respond in minutes."""

    cause: str | None = None
    consequence: str | None = None
    action: str | None = None
    severity: Severity | None = None
    respond_min: float | None = None
    alarm_class: str | None = None
    owner: str | None = None
    review_date: date | None = None


NAMES = tuple(one.name for one in fields(Record))
TITLES: Mapping[str, str] = {
    "cause": "Cause",
    "consequence": "Consequence",
    "action": "Corrective action",
    "severity": "Severity",
    "respond_min": "Time to respond (min)",
    "alarm_class": "Class",
    "owner": "Owner",
    "review_date": "Review date",
}
TEXT_MAX = 2000
NAME_MAX = 100
RESPOND_MAX_MIN = 1440.0
Place = tuple[Level, int]


@dataclass(frozen=True, slots=True)
class Held:
    """A record as it holds for one alarm, and for each of its values which place set it."""

    record: Record
    sources: Mapping[str, Place]


@dataclass(frozen=True, slots=True)
class RecordBook:
    """Every record and the tree: `assets` asset by tag, `parents` parent by asset, `names` of assets."""

    records: Mapping[Place, Record] = field(default_factory=dict)
    assets: Mapping[int, int] = field(default_factory=dict)
    parents: Mapping[int, int | None] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)

    def chain(self, municipality_id: int, tag_id: int, rule_id: int) -> Iterator[Place]:
        """Yield the places that a rule inherits from, the rule itself first, the municipality last."""
        yield Level.RULE, rule_id
        yield Level.TAG, tag_id
        asset_id = self.assets.get(tag_id)
        met: set[int] = set()
        # whatever the tree looks like, this ends
        while asset_id is not None and asset_id not in met:
            met.add(asset_id)
            yield Level.ASSET, asset_id
            asset_id = self.parents.get(asset_id)
        yield Level.MUNICIPALITY, municipality_id

    def held(self, municipality_id: int, tag_id: int, rule_id: int) -> Held:
        """Return the record that holds for a rule."""
        return inherited(self.records, list(self.chain(municipality_id, tag_id, rule_id)))


def inherited(records: Mapping[Place, Record], chain: list[Place]) -> Held:
    """Return what holds at the first place of `chain`: of each value that of the nearest place that sets it."""
    values: dict[str, object] = {}
    sources: dict[str, Place] = {}
    for place in chain:
        if (record := records.get(place)) is None:
            continue
        for name in NAMES:
            value = getattr(record, name)
            if value is not None and name not in values:
                values[name], sources[name] = value, place
    return Held(Record(**values), sources)  # type: ignore[arg-type]


# standards 1.4: more than 30 min, 10 to 30 min, 3 to 10 min, less than 3 min
_BOUNDS_MIN = (30.0, 10.0, 3.0)
_P = Priority
_GRID: Mapping[Severity, tuple[Priority, ...]] = {
    Severity.MINOR: (_P.LOW, _P.LOW, _P.LOW, _P.MEDIUM),
    Severity.MAJOR: (_P.LOW, _P.MEDIUM, _P.MEDIUM, _P.HIGH),
    Severity.SEVERE: (_P.MEDIUM, _P.HIGH, _P.HIGH, _P.HIGHEST),
}
_LEAST_MIN = _BOUNDS_MIN[-1]


def grid_priority(severity: Severity, respond_min: float) -> Priority:
    """Return the priority that follows from the consequence and the time to respond (ISA-18.2, standards 1.4).

    A time that lies on a bound has the less urgent column, but for 30 min, which is not more than 30.
    """
    column = 0 if respond_min > _BOUNDS_MIN[0] else 1 + sum(respond_min < bound for bound in _BOUNDS_MIN[1:])
    return _GRID[severity][column]


def doubts(record: Record, priority: Priority, on_delay_s: float) -> list[str]:
    """Return what a person should look at, as sentences: none of it is forbidden."""
    found = []
    severity, respond_min = record.severity, record.respond_min
    if severity is not None and respond_min is not None:
        due = grid_priority(severity, respond_min)
        if due is not priority:
            found.append(
                f"A {severity} consequence with {respond_min:g} min to respond means priority {int(due)}, not {int(priority)}."
            )
        if severity is Severity.SEVERE and respond_min < _LEAST_MIN:
            found.append(
                "Less than 3 min against a severe consequence: no person is quick enough, it needs automatic action."
            )
    if respond_min is not None and on_delay_s > 60 * respond_min:
        found.append(f"The on-delay of {on_delay_s:g} s is longer than the time to respond.")
    if record.action is None:
        found.append("No corrective action is written down: what nobody can act on is an event, not an alarm.")
    return found


def record_faults(record: Record) -> dict[str, str]:
    """Return what is not allowed, by the name of the value."""
    found = {}
    for name in ("cause", "consequence", "action", "alarm_class", "owner"):
        most = NAME_MAX if name in ("alarm_class", "owner") else TEXT_MAX
        if len(getattr(record, name) or "") > most:
            found[name] = f"has more than {most:,} letters"
    if record.respond_min is not None and not 0 < record.respond_min <= RESPOND_MAX_MIN:
        found["respond_min"] = f"must be more than 0 and at most {RESPOND_MAX_MIN:g} min"
    if record.review_date is not None and not 2000 <= record.review_date.year <= 2999:
        found["review_date"] = "must be in the years 2000 to 2999"
    return found
