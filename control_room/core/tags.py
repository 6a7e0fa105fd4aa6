"""Tags and what surrounds them: municipalities, sites, assets, connections."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Quantity(StrEnum):
    """What a tag measures; decides symbols, default units and map layers."""

    LEVEL = "level"
    PRESSURE = "pressure"
    FLOW = "flow"
    STATE = "state"
    SPEED = "speed"
    POWER = "power"
    POSITION = "position"
    CHLORINE = "chlorine"
    SETPOINT = "setpoint"
    COMMAND = "command"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Municipality:
    """A tenant of the installation."""

    id: int
    key: str
    name: str


@dataclass(frozen=True, slots=True)
class Connection:
    """One link to the plant: `driver` names the protocol's Spec, `settings` are checked by its Fields."""

    id: int
    municipality_id: int
    name: str
    driver: str
    settings: dict[str, Any] = field(default_factory=dict)
    is_enabled: bool = True


@dataclass(frozen=True, slots=True)
class Tag:
    """One point of the plant. `low` and `high` span the engineering range in `unit`; `states` name the values of a
    digital point in order (value 0 first). `element` is the node or link of the municipality's network that it
    belongs to, `address` is the driver's own address."""

    id: int
    municipality_id: int
    site: str
    asset: str
    key: str
    name: str
    quantity: Quantity
    connection_id: int
    address: str
    unit: str = ""
    low: float = 0.0
    high: float = 100.0
    decimals: int = 1
    states: tuple[str, ...] = ()
    element: str = ""
    is_writable: bool = False

    def text(self, value: float | None) -> str:
        """Return `value` as a person reads it: the state's name, or fixed decimals without the unit; an em dash for none."""
        if value is None:
            return "—"
        if self.states:
            index = round(value)
            return self.states[index] if 0 <= index < len(self.states) else f"{value:g}?"
        return f"{value:z.{self.decimals}f}"
