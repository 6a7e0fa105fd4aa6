"""The municipalities that a connection may see."""

from sqlalchemy import Connection, select

from control_room.core.tags import Municipality
from db.tables import municipality


def list_municipalities(connection: Connection) -> list[Municipality]:
    """Return the municipalities that this connection may see, by name."""
    rows = connection.execute(select(municipality).order_by(municipality.c.name))
    return [Municipality(row.id, row.key, row.name) for row in rows]
