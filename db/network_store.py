"""The water network of each municipality."""

from itertools import chain

from sqlalchemy import Connection, delete, insert, select

from control_room.core.network import Link, LinkKind, Network, Node, NodeKind
from control_room.core.plant import Plant
from db.tables import network, network_link, network_node


def read_networks(database: Connection) -> list[Network]:
    """Return every network that may be read."""
    return [_read(database, row.municipality_id, row.is_schematic) for row in database.execute(select(network))]


def _read(database: Connection, municipality_id: int, is_schematic: bool) -> Network:
    nodes = database.execute(select(network_node).where(network_node.c.municipality_id == municipality_id))
    links = database.execute(select(network_link).where(network_link.c.municipality_id == municipality_id))
    return Network(
        municipality_id=municipality_id,
        nodes=tuple(
            Node(row.key, NodeKind(row.kind), row.longitude_deg, row.latitude_deg, row.elevation_m) for row in nodes
        ),
        links=tuple(
            Link(
                key=row.key,
                kind=LinkKind(row.kind),
                start=row.start_node,
                end=row.end_node,
                vertices=tuple(zip(row.vertices_deg[::2], row.vertices_deg[1::2], strict=True)),
                diameter_m=row.diameter_m,
                length_m=row.length_m,
            )
            for row in links
        ),
        is_schematic=is_schematic,
    )


def write_network(database: Connection, municipality_id: int, plant: Plant) -> None:
    """Replace the municipality's network by the plant's, unless it is the same."""
    known = [one for one in read_networks(database) if one.municipality_id == municipality_id]
    wanted = Network(municipality_id, plant.nodes, plant.links, plant.is_schematic)
    if known and _content(known[0]) == _content(wanted):
        return
    for table in (network_node, network_link, network):
        database.execute(delete(table).where(table.c.municipality_id == municipality_id))
    own = {"municipality_id": municipality_id}
    database.execute(insert(network), {**own, "is_schematic": plant.is_schematic})
    if plant.nodes:
        database.execute(insert(network_node), [{**own, **_node_row(one)} for one in plant.nodes])
    if plant.links:
        database.execute(insert(network_link), [{**own, **_link_row(one)} for one in plant.links])


def _content(one: Network) -> tuple[bool, frozenset[Node], frozenset[Link]]:
    return one.is_schematic, frozenset(one.nodes), frozenset(one.links)


def _node_row(node: Node) -> dict[str, object]:
    return {name: getattr(node, name) for name in ("key", "kind", "longitude_deg", "latitude_deg", "elevation_m")}


def _link_row(link: Link) -> dict[str, object]:
    return {
        "key": link.key,
        "kind": link.kind,
        "start_node": link.start,
        "end_node": link.end,
        "vertices_deg": list(chain.from_iterable(link.vertices)),
        "diameter_m": link.diameter_m,
        "length_m": link.length_m,
    }
