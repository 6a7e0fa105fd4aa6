"""Words that several views share."""

from datetime import datetime

from control_room.core.status import LinkState
from control_room.core.tags import Connection
from control_room.ui.room import Room
from widgets.quality import age_text
from widgets.status_lights import Light

_DRIVERS = {"opc_ua": "OPC UA", "mqtt": "MQTT", "collector": "Collector"}
LINK_WORDS = {
    LinkState.UP: "connected",
    LinkState.CONNECTING: "connecting",
    LinkState.DOWN: "down",
    LinkState.DISABLED: "switched off",
}
LINK_LIGHTS = {
    LinkState.UP: Light.OK,
    LinkState.CONNECTING: Light.WAITING,
    LinkState.DOWN: Light.TROUBLE,
    LinkState.DISABLED: Light.OFF,
}


def connection_name(connection: Connection) -> str:
    """Return the connection's name; one that is only called after its driver gets the protocol's own spelling."""
    return _DRIVERS.get(connection.name, connection.name)


def driver_name(connection: Connection) -> str:
    """Return the protocol as people write it."""
    return _DRIVERS.get(connection.driver, connection.driver)


def municipality_name(room: Room, municipality_id: int) -> str:
    """Return the municipality's name, empty when it may not be known."""
    one = room.municipalities.get(municipality_id)
    return one.name if one else ""


def alarm_name(room: Room, rule_id: int) -> str:
    """Return what a rule's alarm says and its tag's key, or that neither is configured any more."""
    rule = room.rules.get(rule_id)
    tag = room.tags.get(rule.tag_id) if rule else None
    if rule is None or tag is None:
        return f"Alarm {rule_id}, which is configured no more"
    return f"{rule.message or f'{tag.name} {rule.kind}'} ({tag.key})"


def age(now: datetime, time: datetime | None) -> str:
    """Return how long ago `time` was, a dash for never."""
    return "–" if time is None else age_text((now - time).total_seconds())


def local(time: datetime | None) -> str:
    """Return the moment in local time, a dash for never."""
    return "–" if time is None else f"{time.astimezone():%Y-%m-%d %H:%M:%S}"
