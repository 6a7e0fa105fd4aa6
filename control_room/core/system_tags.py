"""Tags of the control room itself: what the collector says of its own state, with ordinary rules on them.

So a full disk or a database that was away is an alarm like any other: on the same board, with the same life, in the journal.
"""

from dataclasses import replace

from control_room.core.alarms import AlarmKind, Priority
from control_room.core.plant import Plant, PlantConnection, PlantRule, PlantTag
from control_room.core.tags import Quantity

# the connection's name and its protocol: the collector itself answers
COLLECTOR = "collector"
DISK_FREE, DATABASE_AWAY, CERTIFICATE_LEFT = "disk.free_percent", "database.away_s", "certificate.left_days"
CLOCK_AHEAD, ABSENCE, DISK_LEFT = "clock.ahead_s", "absence_s", "disk.left_days"
SPOOL_FILLED, SAMPLES_LOST = "spool.filled_percent", "spool.lost_count"
# so long without a beat, and no collector is there
ABSENT_AFTER_S = 10.0
# standards of the trade: alarms and events are told apart by the second
_DRIFT_S, _DRIFT_DELAY_S = 2.0, 30.0


def with_collector_tags(plant: Plant, folder: str = "/", certificate: str = "") -> Plant:
    """Return the plant with the collector's own tags: about the disk that holds `folder`, the database, its clock, the time
    when no collector was there, the spool, and the PEM file `certificate` on its machine, where one is named.

    For every municipality whose people must hear of it; one that stands for all is enough where one room watches all.
    """
    own = PlantConnection(COLLECTOR, COLLECTOR, {"folder": folder, "certificate": certificate})
    tags = [_disk(), _disk_left(), _database(), _clock(), _absence(), _spool(), _lost()]
    if certificate:
        tags.append(_certificate())
    return replace(plant, connections=(*plant.connections, own), tags=(*plant.tags, *tags))


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


def _disk_left() -> PlantTag:
    # time to buy a disk, and time to free one
    low = PlantRule(AlarmKind.L, Priority.LOW, 30.0, 2.0, message="The collector's disk is full within a month")
    lowest = PlantRule(AlarmKind.LL, Priority.MEDIUM, 3.0, 1.0, message="The collector's disk is full within days")
    return _tag(DISK_LEFT, "Days until the collector's disk is full", "d", 400.0, low, lowest)


def _database() -> PlantTag:
    # not recorded before the database is back; then with the times at which it went and came
    away = PlantRule(AlarmKind.H, Priority.HIGH, 10.0, message="The database did not answer")
    return _tag(DATABASE_AWAY, "Time without the database", "s", 3600.0, away)


def _clock() -> PlantTag:
    words = "The collector's clock is {} that of the database's server"
    ahead, behind = (
        PlantRule(kind, Priority.MEDIUM, limit, 0.5, _DRIFT_DELAY_S, _DRIFT_DELAY_S, words.format(how))
        for kind, limit, how in ((AlarmKind.H, _DRIFT_S, "ahead of"), (AlarmKind.L, -_DRIFT_S, "behind"))
    )
    tag = _tag(CLOCK_AHEAD, "Collector's clock ahead of the server's", "s", 10.0, ahead, behind)
    return replace(tag, low=-10.0)


def _absence() -> PlantTag:
    # said by the collector that takes over, with the times at which there was none
    absent = PlantRule(
        AlarmKind.H, Priority.HIGH, ABSENT_AFTER_S, message="No collector was there: nothing was recorded"
    )
    return _tag(ABSENCE, "Time without a collector", "s", 3600.0, absent)


def _spool() -> PlantTag:
    high = PlantRule(AlarmKind.H, Priority.MEDIUM, 50.0, 5.0, message="The collector's spool is filling")
    highest = PlantRule(AlarmKind.HH, Priority.HIGH, 90.0, 5.0, message="The collector's spool is full within short")
    return _tag(SPOOL_FILLED, "Filled part of the collector's spool", "%", 100.0, high, highest)


def _lost() -> PlantTag:
    # counted since the collector's start: a new start returns it
    lost = PlantRule(AlarmKind.H, Priority.HIGH, 0.5, message="Samples were lost before they could be stored")
    return _tag(SAMPLES_LOST, "Samples lost since the collector's start", "", 1e9, lost)


def _certificate() -> PlantTag:
    low = PlantRule(AlarmKind.L, Priority.LOW, 30.0, message="A certificate expires within a month")
    lowest = PlantRule(AlarmKind.LL, Priority.HIGH, 7.0, message="A certificate expires within a week")
    bad = PlantRule(AlarmKind.BAD, Priority.LOW, message="A certificate cannot be read")
    return _tag(CERTIFICATE_LEFT, "Days until the certificate expires", "d", 400.0, low, lowest, bad)
