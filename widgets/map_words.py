"""What the map says of an element: what it is, its measures, its values."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from control_room.core.network import Link, Node
from control_room.core.samples import Sample
from control_room.core.tags import Tag
from widgets.map_geometry import Place
from widgets.quality import explanation, value_text


def measures(thing: Node | Link) -> str:
    """Return elevation (m), or diameter (mm) and length (m), as far as the network's file gives them."""
    if isinstance(thing, Node):
        return f"Elevation {thing.elevation_m:.1f} m"
    said = []
    if thing.diameter_m > 0:
        said.append(f"diameter {thing.diameter_m * 1000:.0f} mm")
    if thing.length_m > 0:
        said.append(f"length {thing.length_m:,.0f} m" if thing.length_m >= 10 else f"length {thing.length_m:.1f} m")
    return ", ".join(said).capitalize()


def words_of(place: Place, municipality: str, tags: Sequence[Tag], samples: Mapping[int, Sample], now: datetime) -> str:
    """Return the tooltip of an element."""
    lines = [f"{place.kind.value.capitalize()} {place.thing.key} — {municipality}", measures(place.thing)]
    if len(tags) == 1:
        lines.append(explanation(tags[0], samples.get(tags[0].id), now))
    else:
        lines += [f"{tag.name}: {value_text(tag, samples.get(tag.id))}" for tag in tags]
    return "\n".join(filter(None, lines))
