"""What a view declares, and how views are found: one declaration makes menu entry, tool button, dock and layout."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from PySide6.QtWidgets import QWidget

from control_room.ui.console import Console


class Place(Enum):
    """Where a view stands in the first layout."""

    LEFT = "left"
    CENTRE = "centre"
    BOTTOM = "bottom"


@dataclass(frozen=True, slots=True)
class ViewSpec:
    """A view: `key` in the saved layout, `icon` of resources/icons, `shortcut` brings it to the front."""

    key: str
    title: str
    icon: str
    shortcut: str
    place: Place
    make: Callable[[Console], QWidget]


def find_views() -> list[ViewSpec]:
    """Return the SPEC of every module in control_room/ui/views, in the order of their shortcuts."""
    from control_room.ui import views

    modules = (importlib.import_module(f"{views.__name__}.{one.name}") for one in pkgutil.iter_modules(views.__path__))
    return sorted((module.SPEC for module in modules), key=lambda spec: spec.shortcut)
