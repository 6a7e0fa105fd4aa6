"""Tags of the control room itself: what the collector says of its own state, with ordinary rules on them.

So a full disk or a database that was away is an alarm like any other: on the same board, with the same life, in the journal.
"""

from dataclasses import replace

from control_room.core.alarms import AlarmKind, Priority
from control_room.core.plant import Plant, PlantConnection, PlantRule, PlantTag
from control_room.core.tags import Quantity

# the connection's name and its protocol: the collector itself answers
COLLECTOR = "collector"
DISK_FREE, DATABASE_AWAY = "disk.free_percent", "database.away_s"


def with_collector_tags(plant: Plant, folder: str = "/") -> Plant:
    """Return the plant with the collector's own tags, about the disk that holds `folder` and about the database.

    For every municipality whose people must hear of it; one that stands for all is enough where one room watches all.
    """
    own = PlantConnection(COLLECTOR, COLLECTOR, {"folder": folder})
    return replace(plant, connections=(*plant.connections, own), tags=(*plant.tags, _disk(), _database()))


def _tag(address: str, name: str, unit: str, high: float, *rules: PlantRule) -> PlantTag:
    return PlantTag(
        key=f"{COLLECTOR}.{address}",
        name=name,
        site="Control room",
        asset="Collector",
        quantity=Quantity.OTHER,
        connection=COLLECTOR,
        address=address,
        unit=unit,
        high=high,
        rules=rules,
    )


def _disk() -> PlantTag:
    low = PlantRule(AlarmKind.L, Priority.MEDIUM, 10.0, 1.0, message="The collector's disk is nearly full")
    lowest = PlantRule(AlarmKind.LL, Priority.HIGH, 3.0, 1.0, message="The collector's disk is full within short")
    return _tag(DISK_FREE, "Free space on the collector's disk", "%", 100.0, low, lowest)


def _database() -> PlantTag:
    # not recorded before the database is back; then with the times at which it went and came
    away = PlantRule(AlarmKind.H, Priority.HIGH, 10.0, message="The database did not answer")
    return _tag(DATABASE_AWAY, "Time without the database", "s", 3600.0, away)
