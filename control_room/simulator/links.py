"""The links of outstations: each has one tag, with the alarm that stands for all that a lost link takes with it.

Where OPC UA is spoken, the server knows whether it reaches the outstation and serves that as a point of its own, as a
SCADA front end does; a radio outstation tells it by its status topic, which the broker sets when the outstation is gone.
"""

from collections.abc import Iterable, Iterator

from control_room.core.plant import PlantTag, as_link_tag
from control_room.core.tags import Quantity
from control_room.simulator.instruments import Instrument

LINK_CODE = "LINK"


def link_points(instruments: Iterable[Instrument], protocol: str) -> Iterator[Instrument]:
    """Yield the link of each outstation that speaks `protocol`; the source names the outstation."""
    sites = {one.device: one.tag.site for one in instruments if one.tag.connection == protocol and one.device}
    for device, site in sorted(sites.items()):
        yield Instrument(_tag(device, site, protocol), ("logic", device, LINK_CODE), device="")


def _tag(device: str, site: str, protocol: str) -> PlantTag:
    key, title = f"{device}.link", f"{_title(device, site)} outstation"
    tag = PlantTag(key, f"{title} link", site, "Outstation", Quantity.OTHER, protocol, address=key)
    return as_link_tag(tag, f"{title} has lost its link")


def _title(device: str, site: str) -> str:
    """Return the outstation's name as people write it: the site's, with what it has more in small letters."""
    return f"{site}{device.removeprefix(site.lower().replace(' ', '-')).replace('-', ' ')}"
