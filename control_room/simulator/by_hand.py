"""Faults by hand: a person names a municipality of a running plant, its document tells where and as whom to ask."""

import json
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from control_room.core.errors import BadOption
from control_room.core.plant import Plant, from_document
from control_room.simulator.run import trigger


def trigger_fault(document: Path, municipality: str, kind: str, element: str, seconds: float) -> None:
    """Cause a fault. Raises BadOption for what the plant does not know, LinkLost when it does not answer."""
    trigger(_endpoint(document, municipality), kind, element, seconds)


def _endpoint(document: Path, municipality: str) -> str:
    plants = _read(document)
    if municipality not in plants:
        raise BadOption(f"There is no municipality '{municipality}'.", advice=f"There are: {', '.join(plants)}.")
    settings = next(one.settings for one in plants[municipality].connections if "endpoint" in one.settings)
    parts = urlsplit(str(settings["endpoint"]))
    who = f"{quote(settings['user'], safe='')}:{quote(settings['password'], safe='')}"
    return urlunsplit(parts._replace(netloc=f"{who}@{parts.netloc}"))


def _read(document: Path) -> dict[str, Plant]:
    try:
        entries = json.loads(document.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise BadOption(
            f"{document} is no plant's document: {fault}.", advice="Start the demo first, or name it with --document."
        ) from fault
    return {plant.key: plant for plant in map(from_document, entries)}
