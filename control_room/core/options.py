"""Fields: what a setting may be, said once, for checking, for dialogs and for the handbook."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from control_room.core.errors import BadOption


@dataclass(frozen=True, slots=True)
class Field:
    """One setting: its type is that of `default`; `low` and `high` bound a number, `choices` a text, `is_file` names a file."""

    key: str
    title: str
    default: str | int | float | bool
    help: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    is_secret: bool = False
    is_required: bool = False
    is_file: bool = False


def check(fields: Sequence[Field], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with defaults filled in; raise BadOption with every fault named, or for an unknown key."""
    known = {field.key for field in fields}
    faults = [f"'{key}' is no setting (there are: {', '.join(sorted(known))})" for key in given if key not in known]
    settings: dict[str, Any] = {}
    for field in fields:
        value = given.get(field.key, field.default)
        fault = _fault(field, value)
        if fault:
            faults.append(f"{field.title} ('{field.key}'): {fault}")
        settings[field.key] = value
    if faults:
        raise BadOption("; ".join(faults) + ".", advice="Correct the settings of this connection.")
    return settings


def _fault(field: Field, value: Any) -> str:
    wanted = type(field.default)
    if wanted is float and type(value) is int:
        value = float(value)
    if type(value) is not wanted:
        return f"must be a {wanted.__name__}, is {value!r}"
    if isinstance(value, str):
        return _text_fault(field, value)
    return _number_fault(field, value)


def _text_fault(field: Field, value: str) -> str:
    if field.is_required and not value.strip():
        return "must not be empty"
    if field.choices and value not in field.choices:
        return f"must be one of {', '.join(field.choices)}, is '{value}'"
    return ""


def _number_fault(field: Field, value: float) -> str:
    if field.low is not None and not value >= field.low:
        return f"must be at least {field.low:g}, is {value:g}"
    if field.high is not None and not value <= field.high:
        return f"must be at most {field.high:g}, is {value:g}"
    return ""
