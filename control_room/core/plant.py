"""A municipality's plant as a document: what an importer reads and the demo plant writes.

Everything is named by keys, not by database numbers, so that the same document can be read again to update what is
there. The document is JSON; `as_document` and `from_document` are each other's inverse.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from control_room.core.alarms import AlarmKind, Priority
from control_room.core.errors import ControlRoomError
from control_room.core.network import Link, LinkKind, Node, NodeKind
from control_room.core.ports import LINK_ADDRESS
from control_room.core.tags import Quantity


@dataclass(frozen=True, slots=True)
class PlantConnection:
    """One link to the plant; `name` is unique in the municipality."""

    name: str
    driver: str
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PlantRule:
    """One alarm of a tag; the fields are those of core.alarms.AlarmRule, `other` is the key of the tag to compare with."""

    kind: AlarmKind
    priority: Priority
    limit: float = 0.0
    deadband: float = 0.0
    on_delay_s: float = 0.0
    off_delay_s: float = 0.0
    message: str = ""
    is_latching: bool = False
    shelving_limit_s: float = 28_800.0
    other: str = ""
    window_s: float = 60.0
    re_alarm_s: float = 0.0
    expression: str = ""
    first_out_group: str = ""


@dataclass(frozen=True, slots=True)
class PlantTag:
    """One tag with its alarms; the fields are those of core.tags.Tag, `connection` is a PlantConnection's name."""

    key: str
    name: str
    site: str
    asset: str
    quantity: Quantity
    connection: str
    address: str
    unit: str = ""
    low: float = 0.0
    high: float = 100.0
    decimals: int = 1
    states: tuple[str, ...] = ()
    element: str = ""
    is_writable: bool = False
    rules: tuple[PlantRule, ...] = ()


@dataclass(frozen=True, slots=True)
class PlantConsequence:
    """Alarms that follow from a cause: of a tag by its key, or of a place (`site`, and `asset` there); without `kinds` all."""

    tag: str = ""
    site: str = ""
    asset: str = ""
    kinds: tuple[AlarmKind, ...] = ()


@dataclass(frozen=True, slots=True)
class PlantSuppression:
    """While the cause is there, its consequences are told to nobody, and `delay_s` longer; `name` is unique in the plant.

    The cause is the alarm `kind` of the tag when `is_alarm`, else a condition: `kind`, `limit`, `deadband` and `on_delay_s`
    mean what they mean of a rule. `cause` says it in words.
    """

    name: str
    cause: str
    tag: str
    kind: AlarmKind
    consequences: tuple[PlantConsequence, ...]
    is_alarm: bool = False
    limit: float = 0.0
    deadband: float = 0.0
    on_delay_s: float = 0.0
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Plant:
    """Everything that the control room must know of one municipality."""

    key: str
    name: str
    connections: tuple[PlantConnection, ...] = ()
    tags: tuple[PlantTag, ...] = ()
    nodes: tuple[Node, ...] = ()
    links: tuple[Link, ...] = ()
    is_schematic: bool = field(default=False)
    suppressions: tuple[PlantSuppression, ...] = ()


LINK_ALARM_DELAY_S = 30.0


def with_link_tags(plant: Plant) -> Plant:
    """Return the plant with a tag for each connection that tells whether its link stands, and its alarm.

    So a lost link is one alarm of a high priority, however many values it takes with it.
    """
    tags = tuple(_link_tag(plant, one.name) for one in plant.connections)
    return replace(plant, tags=(*plant.tags, *tags))


def _link_tag(plant: Plant, connection: str) -> PlantTag:
    tag = PlantTag(
        key=f"link.{connection}",
        name=f"Connection {connection}",
        site="Connections",
        asset=connection,
        quantity=Quantity.OTHER,
        connection=connection,
        address=LINK_ADDRESS,
    )
    return as_link_tag(tag, f"{plant.name}: connection {connection} is lost")


def as_link_tag(tag: PlantTag, message: str) -> PlantTag:
    """Return the tag as one that is LINK_IS_UP or LINK_IS_LOST, with an alarm of a high priority for a link that stays lost."""
    rule = PlantRule(AlarmKind.H, Priority.HIGH, 0.5, on_delay_s=LINK_ALARM_DELAY_S, off_delay_s=1.0, message=message)
    return replace(tag, low=0.0, high=1.0, states=("up", "lost"), rules=(rule,))


def as_document(plant: Plant) -> dict[str, Any]:
    """Return the plant as JSON-ready dictionaries and lists."""
    return asdict(plant)


def from_document(document: Mapping[str, Any]) -> Plant:
    """Return the plant of a JSON document; raise ControlRoomError naming what is missing or not allowed."""
    try:
        return _plant(document)
    except (KeyError, TypeError, ValueError) as fault:
        raise ControlRoomError(
            f"The plant document is not understood: {fault!r}.", advice="Write it anew with a program of this version."
        ) from fault


def _plant(document: Mapping[str, Any]) -> Plant:
    return Plant(
        key=document["key"],
        name=document["name"],
        connections=tuple(PlantConnection(**entry) for entry in document["connections"]),
        tags=tuple(_tag(entry) for entry in document["tags"]),
        nodes=tuple(Node(**{**entry, "kind": NodeKind(entry["kind"])}) for entry in document["nodes"]),
        links=tuple(_link(entry) for entry in document["links"]),
        is_schematic=document["is_schematic"],
        # the first documents knew none
        suppressions=tuple(_suppression(entry) for entry in document.get("suppressions", ())),
    )


def _tag(entry: Mapping[str, Any]) -> PlantTag:
    return PlantTag(
        **{
            **entry,
            "quantity": Quantity(entry["quantity"]),
            "states": tuple(entry["states"]),
            "rules": tuple(_rule(rule) for rule in entry["rules"]),
        }
    )


def _rule(entry: Mapping[str, Any]) -> PlantRule:
    return PlantRule(**{**entry, "kind": AlarmKind(entry["kind"]), "priority": Priority(entry["priority"])})


def _suppression(entry: Mapping[str, Any]) -> PlantSuppression:
    consequences = tuple(
        PlantConsequence(**{**one, "kinds": tuple(AlarmKind(kind) for kind in one.get("kinds", ()))})
        for one in entry["consequences"]
    )
    return PlantSuppression(**{**entry, "kind": AlarmKind(entry["kind"]), "consequences": consequences})


def _link(entry: Mapping[str, Any]) -> Link:
    vertices = tuple((float(x), float(y)) for x, y in entry["vertices"])
    return Link(**{**entry, "kind": LinkKind(entry["kind"]), "vertices": vertices})
