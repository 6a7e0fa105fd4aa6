"""What the demo's people wrote down about their alarms: for each municipality, its sites, and the kinds of measurement."""

from datetime import date

from control_room.core.alarms import AlarmKind, Priority
from control_room.core.comments import CommentSetting
from control_room.core.plant import Plant, PlantTag
from control_room.core.rationalisation import Record, Severity
from control_room.core.tags import Quantity
from db.rationalisation import NamedRecord

# what the demo's municipalities demand and offer, beside what holds everywhere
COMMENTS = CommentSetting(
    frozenset({Priority.HIGHEST}), ("Crew is on the way", "Standby pump started", "Sample taken by hand")
)
NOTE = "Valve sticks: call the fitter before a reset."
_REVIEW = date(2027, 3, 31)
_LOW = frozenset({AlarmKind.L, AlarmKind.LL})
_LEVEL_LOW = Record(
    cause="Supply pumps stopped, outlet valve open too far, burst main, or more use than was planned.",
    consequence="The zones below lose pressure; fire water is short.",
    action="1. Look whether the supply pumps run. 2. Start the standby pump. 3. Look for a burst: flow high, pressure low.",
    severity=Severity.MAJOR,
    respond_min=25.0,
)
_LEVEL_VERY_LOW = Record(
    cause="The low level was not answered, or the tank empties faster than it can be filled.",
    consequence="The tank runs empty: no water in its zones, air in the mains, suction pumps run dry.",
    action="1. Start every supply pump. 2. Throttle the outlet. 3. Call the shift leader; warn the fire brigade.",
    severity=Severity.SEVERE,
    respond_min=2.5,
)
_OF_QUANTITY = {
    Quantity.CHLORINE: Record(
        cause="Dosing stopped, stock empty, or water too old.",
        consequence="Disinfection below what the law demands (0.2 mg/L).",
        action="1. Check the dosing pump and its stock. 2. Take a sample by hand. 3. Flush the zone.",
        severity=Severity.MAJOR,
        respond_min=30.0,
        alarm_class="water quality",
    ),
    Quantity.FLOW: Record(
        cause="Burst main, hydrant in use, or a valve left open.",
        consequence="Water is lost, pressure falls in the zone.",
        action="1. Compare with the pressures of the zone. 2. Call the network crew. 3. Isolate the section.",
        severity=Severity.MINOR,
        respond_min=20.0,
    ),
    Quantity.PRESSURE: Record(
        cause="Burst main, pump stopped, valve shut, or a wrong set point.",
        consequence="Customers at high places have too little pressure.",
        action="1. Look which pumps run. 2. Look for flows that are high. 3. Call the network crew.",
        severity=Severity.MINOR,
        respond_min=15.0,
    ),
}


def records_of(plant: Plant) -> list[NamedRecord]:
    """Return the records of a municipality of the demo, which need no more than what the plant names."""
    whole = Record(alarm_class="supply", owner="Operations", review_date=_REVIEW)
    found = [NamedRecord(plant.key, whole)]
    sites = sorted({one.site for one in plant.tags if one.quantity is Quantity.STATE})
    found += [NamedRecord(plant.key, Record(owner=f"Crew of {site}"), site=site) for site in sites]
    for tag in plant.tags:
        found += _of_tag(plant.key, tag)
    return found


def _of_tag(municipality: str, tag: PlantTag) -> list[NamedRecord]:
    if tag.quantity in _OF_QUANTITY and tag.rules:
        return [NamedRecord(municipality, _OF_QUANTITY[tag.quantity], tag=tag.key)]
    if tag.quantity is not Quantity.LEVEL:
        return []
    return [
        NamedRecord(
            municipality,
            _LEVEL_VERY_LOW if rule.kind is AlarmKind.LL else _LEVEL_LOW,
            tag=tag.key,
            kind=rule.kind.value,
        )
        for rule in tag.rules
        if rule.kind in _LOW
    ]
