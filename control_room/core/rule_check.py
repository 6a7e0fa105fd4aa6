"""What is wrong with the alarm rules of a plant, tag by tag and in words, before anything of it is saved."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import isfinite

from control_room.core.alarms import PAIRED, AlarmKind
from control_room.core.errors import BadOption
from control_room.core.expression_units import unit_faults
from control_room.core.expressions import BadExpression, parse_condition
from control_room.core.plant import PlantRule, PlantTag

# from the lowest limit to the highest
_ORDER = (AlarmKind.LL, AlarmKind.L, AlarmKind.H, AlarmKind.HH)
_NEEDS_LIMIT = frozenset({AlarmKind.DEVIATION, AlarmKind.RATE, AlarmKind.STALE})
_TOLD = 5
GROUP_LENGTH = 100


def check_rules(tags: Sequence[PlantTag]) -> None:
    """Raise BadOption with the first faults by name, and how many more there are."""
    units = {tag.key: tag.unit for tag in tags}
    found = [f"{tag.key}: {fault}" for tag in tags for fault in _faults(tag, units)]
    found += _faults_of_groups(tags)
    if found:
        more = f" and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
        raise BadOption(f"Alarm rules are wrong: {'; '.join(found[:_TOLD])}{more}.", advice="Correct these rules.")


def tag_faults(tag: PlantTag, units: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the rules of one tag, in words; `units` by the keys of all tags of its municipality."""
    return list(_faults(tag, units))


def _faults(tag: PlantTag, units: Mapping[str, str]) -> Iterator[str]:
    kinds = [rule.kind for rule in tag.rules]
    for kind in sorted({kind for kind in kinds if kinds.count(kind) > 1}):
        yield f"there are several rules {kind}"
    limits = [(rule.kind, rule.limit) for kind in _ORDER for rule in tag.rules if rule.kind is kind]
    for (low_kind, low), (high_kind, high) in pairwise(limits):
        if not low < high:
            yield f"the limit {low_kind} ({low:g}) must be below {high_kind} ({high:g})"
    for rule in tag.rules:
        for fault in _faults_of(rule, tag, units):
            yield f"{rule.kind} {fault}"


def _faults_of(rule: PlantRule, tag: PlantTag, units: Mapping[str, str]) -> Iterator[str]:
    numbers = {
        "deadband": rule.deadband,
        "on-delay": rule.on_delay_s,
        "off-delay": rule.off_delay_s,
        "longest shelving": rule.shelving_limit_s,
        "re-alarm time": rule.re_alarm_s,
    }
    for name, number in numbers.items():
        if not (isfinite(number) and number >= 0):
            yield f"has a {name} of {number:g}, which must not be negative"
    if not isfinite(rule.limit):
        yield f"has the limit {rule.limit:g}, which is no number"
    elif rule.kind in _NEEDS_LIMIT and rule.limit <= 0:
        yield f"has the limit {rule.limit:g}, which must be more than 0"
    if rule.kind is AlarmKind.RATE and not 1 <= rule.window_s <= 86_400:
        yield f"has a window of {rule.window_s:g} s, which must be 1 s to a day"
    if rule.kind is AlarmKind.STATE and not (rule.limit.is_integer() and 0 <= rule.limit < len(tag.states)):
        yield f"names the state {rule.limit:g}, and the tag has {len(tag.states)}"
    yield from _faults_of_pair(rule, tag, units)
    yield from _faults_of_expression(rule, units)


def _faults_of_pair(rule: PlantRule, tag: PlantTag, keys: Mapping[str, str]) -> Iterator[str]:
    if rule.kind not in PAIRED:
        if rule.other:
            yield f"compares with {rule.other}, and such a rule compares with nothing"
    elif rule.other == tag.key or not rule.other:
        yield "needs another tag to compare with"
    elif rule.other not in keys:
        yield f"compares with {rule.other}, which is no tag of this plant"
    elif rule.kind is AlarmKind.DEVIATION and (own := keys.get(tag.key)) and (unit := keys[rule.other]) and own != unit:
        yield f"compares {own} with {unit} of {rule.other}; a deviation needs one unit"


def _faults_of_groups(tags: Sequence[PlantTag]) -> Iterator[str]:
    members = [(rule.first_out_group, tag, rule) for tag in tags for rule in tag.rules if rule.first_out_group]
    sizes = Counter(group for group, _, _ in members)
    for group, tag, rule in members:
        if len(group) > GROUP_LENGTH:
            yield f"{tag.key}: {rule.kind} has a first-out group whose name is longer than {GROUP_LENGTH} characters"
        elif sizes[group] < 2:
            yield f"{tag.key}: {rule.kind} is alone in the first-out group '{group}'"


def _faults_of_expression(rule: PlantRule, units: Mapping[str, str]) -> Iterator[str]:
    if rule.kind is not AlarmKind.EXPRESSION:
        if rule.expression:
            yield "has an expression, and such a rule has none"
        return
    try:
        parse_condition(rule.expression, units)
    except BadExpression as fault:
        yield f"has an expression that {fault}"
    else:
        yield from (f"has an expression that {fault}" for fault in unit_faults(rule.expression, units))
