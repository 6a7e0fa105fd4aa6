"""Planned work: what is worked on, until when, and what the seat does about it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from db.people import act
from db.tables import asset, planned_work

LONGEST_MIN = 720


@dataclass(frozen=True, slots=True)
class PlannedWork:
    """Work on an asset, a site (which has no asset above it) or, with neither, on the whole municipality.

    `begun_time`: None while it only is planned. Alarms of what is worked on are told to nobody until `end_time`.
    """

    id: int
    municipality_id: int
    asset_id: int | None
    work_order: str
    reason: str
    person: str
    station: str
    begin_time: datetime
    end_time: datetime
    begun_time: datetime | None


@dataclass(frozen=True, slots=True)
class WorkPlace:
    """Where work may be: a municipality, a site there, or an asset of the site."""

    municipality_id: int
    asset_id: int | None = None
    parent_id: int | None = None
    name: str = ""


def read_works(connection: Connection) -> list[PlannedWork]:
    """Return all work that has not ended, the one that ends first first."""
    rows = connection.execute(
        select(planned_work).where(planned_work.c.ended_time.is_(None)).order_by(planned_work.c.end_time)
    )
    names = PlannedWork.__dataclass_fields__
    return [PlannedWork(**{name: getattr(row, name) for name in names}) for row in rows]


def read_places(connection: Connection) -> list[WorkPlace]:
    """Return every site and asset that this connection sees, sites before their assets."""
    order = (asset.c.municipality_id, asset.c.parent_id.isnot(None), asset.c.name)
    rows = connection.execute(select(asset).order_by(*order))
    return [WorkPlace(row.municipality_id, row.id, row.parent_id, row.name) for row in rows]


def begin_work(
    connection: Connection,
    place: WorkPlace,
    begin_time: datetime | None,
    minutes: int,
    work_order: str,
    reason: str,
) -> str:
    """Begin work now or plan it for later (aware UTC), for so many minutes; return what was done. Raises Refused."""
    asked = {
        "municipality": place.municipality_id,
        "asset": place.asset_id,
        "begin": begin_time,
        "minutes": minutes,
        "work_order": work_order,
        "reason": reason,
    }
    call = "begin_work(:municipality, :asset, :begin ::timestamptz, :minutes, :work_order, :reason)"
    return act(connection, call, asked)


def end_work(connection: Connection, work_id: int, reason: str) -> str:
    """End work now; what is abnormal then is announced as new. Raises Refused."""
    return act(connection, "end_work(:work, :reason)", {"work": work_id, "reason": reason})


def extend_work(connection: Connection, work_id: int, minutes: int, reason: str) -> str:
    """Let work end so many minutes from now, or from its beginning. Raises Refused."""
    asked = {"work": work_id, "minutes": minutes, "reason": reason}
    return act(connection, "extend_work(:work, :minutes, :reason)", asked)
