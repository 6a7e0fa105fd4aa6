"""Finds the drivers: every module of this package that declares SPEC."""

import importlib
import pkgutil

import drivers
from control_room.core.ports import DriverSpec


def find_drivers() -> dict[str, DriverSpec]:
    """Return the declared drivers by key."""
    modules = (importlib.import_module(f"drivers.{found.name}") for found in pkgutil.iter_modules(drivers.__path__))
    specs = (getattr(module, "SPEC", None) for module in modules)
    return {spec.key: spec for spec in specs if isinstance(spec, DriverSpec)}
