"""What follows from what in the demo's plant, so that a known cause is one alarm and not ten."""

from collections import Counter
from collections.abc import Iterable, Iterator

from control_room.core.alarms import AlarmKind, Priority
from control_room.core.plant import PlantConsequence, PlantRule, PlantSuppression, PlantTag
from control_room.core.tags import Quantity
from control_room.simulator.instruments import Instrument

MAINS_CODE = "MAINS"
MAINS_IS_ON, MAINS_HAS_FAILED = 0.0, 1.0
# how long a flow needs to come after its pump has started
_STARTING_S = 15.0
_MAINS_DELAY_S = 2.0


def mains_points(instruments: Iterable[Instrument]) -> Iterator[Instrument]:
    """Yield the mains supply of each works and of each station with several pumps; the source names the outstation."""
    pumps = [(one.device, one.tag) for one in instruments if one.source[2] == "COMMAND"]
    counts = Counter(device for device, _ in pumps)
    for device, tag in sorted(dict(pumps).items()):
        # of a small booster the loss of its only pump says as much
        if counts[device] < 2 and not tag.site.lower().endswith("works"):
            continue
        yield Instrument(_mains(device, tag), ("logic", device, MAINS_CODE), device)


def _mains(device: str, pump: PlantTag) -> PlantTag:
    key, title = f"{device}.mains", f"{pump.site} mains power"
    rule = PlantRule(AlarmKind.H, Priority.HIGH, 0.5, on_delay_s=_MAINS_DELAY_S, message=f"{title} has failed")
    return PlantTag(
        key,
        title,
        pump.site,
        "Mains",
        Quantity.OTHER,
        pump.connection,
        address=key,
        high=1.0,
        states=("on", "failed"),
        element=pump.element,
        rules=(rule,),
    )


def suppressions(instruments: Iterable[Instrument]) -> Iterator[PlantSuppression]:
    """Yield what is suppressed by what: low flow of a stopped pump, what a trip explains, a station without power."""
    for tag in (one.tag for one in instruments):
        pump, title = tag.key.rpartition(".")[0], f"{tag.site} {tag.asset.lower()}"
        if tag.key.endswith(".flow") and tag.key.startswith("PU"):
            if AlarmKind.L in {rule.kind for rule in tag.rules}:
                yield _stopped(pump, title)
        elif tag.key.endswith(".trip"):
            yield _tripped(pump, title)
        elif tag.key.endswith(".mains"):
            yield _dark(tag)


def _stopped(pump: str, title: str) -> PlantSuppression:
    low = PlantConsequence(tag=f"{pump}.flow", kinds=(AlarmKind.L,))
    return PlantSuppression(
        f"{pump} stopped", f"{title} is stopped", f"{pump}.state", AlarmKind.STATE, (low,), delay_s=_STARTING_S
    )


def _tripped(pump: str, title: str) -> PlantSuppression:
    disobeys = PlantConsequence(tag=f"{pump}.state", kinds=(AlarmKind.DISCREPANCY,))
    return PlantSuppression(
        f"{pump} tripped", f"{title} has tripped", f"{pump}.trip", AlarmKind.H, (disobeys,), True, delay_s=_STARTING_S
    )


def _dark(tag: PlantTag) -> PlantSuppression:
    of_station = PlantConsequence(site=tag.site, kinds=(AlarmKind.L, AlarmKind.DISCREPANCY))
    name, cause = f"{tag.key} failed", f"{tag.site} has no mains power"
    return PlantSuppression(name, cause, tag.key, AlarmKind.H, (of_station,), True, delay_s=_STARTING_S)
