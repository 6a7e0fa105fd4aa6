"""Small plant documents for tests."""

from control_room.core.alarms import AlarmKind, Priority
from control_room.core.network import Link, LinkKind, Node, NodeKind
from control_room.core.plant import Plant, PlantConnection, PlantRule, PlantTag
from control_room.core.tags import Quantity

LIMITS = (
    PlantRule(AlarmKind.H, Priority.MEDIUM, 90.0, 2.0, message="Level high"),
    PlantRule(AlarmKind.L, Priority.HIGH, 10.0, 2.0, message="Level low"),
    PlantRule(AlarmKind.BAD, Priority.LOW, message="Value not trustworthy"),
)


def plant(key: str = "north", tags: int = 3) -> Plant:
    """Return a municipality with one connection, `tags` level tags with three alarms each, and a tiny network."""
    return Plant(
        key=key,
        name=f"{key.capitalize()} Water",
        connections=(PlantConnection("works", "opc_ua", {"endpoint": "opc.tcp://127.0.0.1:1"}),),
        tags=tuple(
            PlantTag(
                key=f"T{n}.level",
                name=f"Tank {n} level",
                site="Hill",
                asset=f"Tank {n}",
                quantity=Quantity.LEVEL,
                connection="works",
                address=f"ns=2;s=T{n}",
                unit="%",
                element=f"node:T{n}",
                rules=LIMITS,
            )
            for n in range(1, tags + 1)
        ),
        nodes=(Node("T1", NodeKind.TANK, -84.0, 38.0, 200.0), Node("J1", NodeKind.JUNCTION, -84.01, 38.01)),
        links=(Link("P1", LinkKind.PIPE, "T1", "J1", ((-84.005, 38.002),), 0.3, 1200.0),),
    )
