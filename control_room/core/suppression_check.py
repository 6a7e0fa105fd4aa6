"""Which alarms a plant's suppressions mean, and what is wrong with them, one by one and in words, before anything is saved."""

from collections.abc import Iterator, Mapping, Set
from graphlib import CycleError, TopologicalSorter
from math import isfinite

from control_room.core.alarms import LIMITS, AlarmKind
from control_room.core.errors import BadOption
from control_room.core.plant import Plant, PlantConsequence, PlantSuppression, PlantTag

# an alarm of a plant: the tag's key and the kind
AlarmKey = tuple[str, AlarmKind]
# what a tag's condition may be judged by: one tag alone, and nothing but its value
_CONDITIONS = LIMITS | {AlarmKind.STATE}
_LONGEST_S = 86_400
_TOLD = 5


def meant_by(one: PlantSuppression, tags: Mapping[str, PlantTag]) -> frozenset[AlarmKey]:
    """Return the alarms that are its consequences; of a place all but the cause itself."""
    found = (_meant(consequence, one, tags) for consequence in one.consequences)
    return frozenset(alarm for alarms in found for alarm in alarms)


def _meant(consequence: PlantConsequence, one: PlantSuppression, tags: Mapping[str, PlantTag]) -> Iterator[AlarmKey]:
    for tag in _tags_of(consequence, tags):
        for rule in tag.rules:
            is_cause = not consequence.tag and (tag.key, rule.kind) == (one.tag, one.kind)
            if (not consequence.kinds or rule.kind in consequence.kinds) and not is_cause:
                yield tag.key, rule.kind


def _tags_of(consequence: PlantConsequence, tags: Mapping[str, PlantTag]) -> Iterator[PlantTag]:
    if consequence.tag:
        yield from [tags[consequence.tag]] if consequence.tag in tags else []
        return
    for tag in tags.values():
        if tag.site == consequence.site and consequence.asset in ("", tag.asset):
            yield tag


def check_suppressions(plant: Plant) -> None:
    """Raise BadOption with the first faults by name, and how many more there are."""
    tags = {tag.key: tag for tag in plant.tags}
    names = [one.name for one in plant.suppressions]
    found = [f"{name}: there are several of that name" for name in sorted(set(names)) if names.count(name) > 1]
    found += [f"{one.name}: {fault}" for one in plant.suppressions for fault in _faults(one, tags)]
    if not found:
        found += _circles(plant, tags)
    if found:
        more = f" and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
        raise BadOption(
            f"Suppressions are wrong: {'; '.join(found[:_TOLD])}{more}.", advice="Correct these suppressions."
        )


def _faults(one: PlantSuppression, tags: Mapping[str, PlantTag]) -> Iterator[str]:
    if not one.cause.strip():
        yield "the cause needs words"
    if not (isfinite(one.delay_s) and 0 <= one.delay_s <= _LONGEST_S):
        yield f"has an un-suppress delay of {one.delay_s:g} s, which must be 0 s to a day"
    cause = tags.get(one.tag)
    if cause is None:
        yield f"its cause names {one.tag}, which is no tag of this plant"
    elif one.is_alarm:
        if one.kind not in {rule.kind for rule in cause.rules}:
            yield f"its cause is the alarm {one.kind} of {one.tag}, which has no such alarm"
    else:
        yield from _faults_of_condition(one, cause)
    yield from _faults_of_consequences(one, tags)


def _faults_of_condition(one: PlantSuppression, cause: PlantTag) -> Iterator[str]:
    for name, number in (("deadband", one.deadband), ("on-delay", one.on_delay_s)):
        if not (isfinite(number) and number >= 0):
            yield f"has a {name} of {number:g}, which must not be negative"
    if one.kind not in _CONDITIONS:
        yield f"its cause is the condition {one.kind}, and a condition is one of {', '.join(sorted(_CONDITIONS))}"
    elif not isfinite(one.limit):
        yield f"has the limit {one.limit:g}, which is no number"
    elif one.kind is AlarmKind.STATE and not (one.limit.is_integer() and 0 <= one.limit < len(cause.states)):
        yield f"its cause names the state {one.limit:g}, and {one.tag} has {len(cause.states)}"


def _faults_of_consequences(one: PlantSuppression, tags: Mapping[str, PlantTag]) -> Iterator[str]:
    if not one.consequences:
        yield "has no consequences"
    for consequence in one.consequences:
        what = consequence.tag or " › ".join(part for part in (consequence.site, consequence.asset) if part)
        if bool(consequence.tag) == bool(consequence.site):
            yield "each consequence names a tag or a site"
        elif not list(_tags_of(consequence, tags)):
            yield f"a consequence names {what}, which is no {'tag' if consequence.tag else 'place'} of this plant"
        elif not list(_meant(consequence, one, tags)):
            kinds = " or ".join(consequence.kinds)
            yield f"its consequence {what} has no alarm{f' {kinds}' if kinds else ''}"
    if (one.tag, one.kind) in meant_by(one, tags):
        yield f"it suppresses its own cause, {one.kind} of {one.tag}"


def _circles(plant: Plant, tags: Mapping[str, PlantTag]) -> list[str]:
    """Return what closes a circle: alarms that suppress each other would all be told to nobody."""
    follows: dict[AlarmKey, Set[AlarmKey]] = {}
    for one in plant.suppressions:
        cause = (one.tag, one.kind)
        follows[cause] = follows.get(cause, frozenset()) | meant_by(one, tags)
    try:
        TopologicalSorter(follows).prepare()
    except CycleError as fault:
        circle = " → ".join(f"{kind} of {key}" for key, kind in reversed(fault.args[1]))
        return [f"they go round in a circle: {circle}"]
    return []
