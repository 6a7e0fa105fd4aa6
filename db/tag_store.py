"""The configuration: municipalities, assets, connections, tags and alarm rules, read whole and imported by plant documents."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, select, text, update
from sqlalchemy.dialects.postgresql import insert

from control_room.core.alarms import AlarmKind, AlarmRule, Priority
from control_room.core.expressions import BadExpression, Expression, parse_condition, unreadable
from control_room.core.plant import Plant, PlantTag, with_link_tags
from control_room.core.ports import Configuration
from control_room.core.rule_check import check_rules
from control_room.core.suppression_check import check_suppressions
from control_room.core.tags import Connection as PlantLink
from control_room.core.tags import Municipality, Quantity, Tag
from db.network_store import write_network
from db.suppression_store import import_suppressions, read_suppressions
from db.tables import alarm_rule, asset, connection, municipality, tag

# drivers, services and screens read the same table, only the collector needs (and may read) the settings
_PUBLIC = (
    connection.c.id,
    connection.c.municipality_id,
    connection.c.name,
    connection.c.driver,
    connection.c.is_enabled,
)

# by municipality and key
_TagIds = Mapping[tuple[int, str], int]
_GONE = 0


def read_configuration(database: Connection, *, with_settings: bool = False) -> Configuration:
    """Return everything that is not retired; `with_settings` needs the collector's right to read them."""
    municipalities = database.execute(select(municipality).order_by(municipality.c.name))
    columns = (*_PUBLIC, connection.c.settings) if with_settings else _PUBLIC
    links = database.execute(select(*columns).order_by(connection.c.id))
    tags = tuple(_read_tags(database))
    return Configuration(
        municipalities=tuple(Municipality(row.id, row.key, row.name) for row in municipalities),
        connections=tuple(
            PlantLink(
                row.id, row.municipality_id, row.name, row.driver, row.settings if with_settings else {}, row.is_enabled
            )
            for row in links
        ),
        tags=tags,
        rules=tuple(_read_rules(database, tags)),
        suppressions=tuple(read_suppressions(database)),
    )


def _read_tags(database: Connection) -> Iterable[Tag]:
    parent = asset.alias("parent")
    rows = database.execute(
        select(tag, asset.c.name.label("asset_name"), parent.c.name.label("site_name"))
        .join(asset, asset.c.id == tag.c.asset_id)
        .outerjoin(parent, parent.c.id == asset.c.parent_id)
        .where(~tag.c.is_retired)
        .order_by(tag.c.municipality_id, parent.c.name, asset.c.name, tag.c.key)
    )
    return (_tag(row) for row in rows)


def _tag(row: Row[Any]) -> Tag:
    return Tag(
        id=row.id,
        municipality_id=row.municipality_id,
        site=row.site_name or row.asset_name,
        asset=row.asset_name,
        key=row.key,
        name=row.name,
        quantity=Quantity(row.quantity),
        connection_id=row.connection_id,
        address=row.address,
        unit=row.unit,
        low=row.low,
        high=row.high,
        decimals=row.decimals,
        states=tuple(row.states),
        element=row.element,
        is_writable=row.is_writable,
    )


def _read_rules(database: Connection, tags: Iterable[Tag]) -> Iterable[AlarmRule]:
    rows = database.execute(
        select(alarm_rule).join(tag, tag.c.id == alarm_rule.c.tag_id).where(~tag.c.is_retired).order_by(alarm_rule.c.id)
    )
    ids = {(one.municipality_id, one.key): one.id for one in tags}
    return (
        AlarmRule(
            id=row.id,
            tag_id=row.tag_id,
            kind=AlarmKind(row.kind),
            priority=Priority(row.priority),
            limit=row.alarm_limit,
            deadband=row.deadband,
            on_delay_s=row.on_delay_s,
            off_delay_s=row.off_delay_s,
            message=row.message,
            is_latching=row.is_latching,
            shelving_limit_s=row.shelving_limit_s,
            other_tag_id=row.other_tag_id,
            window_s=row.window_s,
            re_alarm_s=row.re_alarm_s,
            first_out_group=row.first_out_group,
            **_read_expression(row, ids),
            is_disabled=row.is_disabled,
        )
        for row in rows
    )


def _read_expression(row: Row[Any], tags: _TagIds) -> dict[str, Any]:
    """Return what the rule judges by, and the ids of the tags in it; a tag that is gone has none, and no value either."""
    expression = _parsed(row.expression) if row.expression else None
    keys = () if expression is None else expression.keys
    return {"expression": expression, "inputs": tuple(tags.get((row.municipality_id, key), _GONE) for key in keys)}


def _parsed(expression: str) -> Expression:
    try:
        return parse_condition(expression)
    except BadExpression:
        # it was checked before it was saved; what a newer program wrote is judged by nobody here, and shown as it is
        return unreadable(expression)


def import_plant(database: Connection, plant: Plant) -> None:
    """Insert the plant or bring what is there up to it, by keys; tags that the plant no longer has are retired.

    Everything in the caller's transaction: all or nothing. Seats and collector are woken. Raises BadOption for rules that
    cannot be meant, before anything is written.
    """
    plant = with_link_tags(plant)
    check_rules(plant.tags)
    [municipality_id] = _merge(database, municipality, ["key"], [{"key": plant.key, "name": plant.name}])
    check_suppressions(plant)
    write_network(database, municipality_id, plant)
    connections = _import_connections(database, municipality_id, plant)
    assets = _import_assets(database, municipality_id, plant.tags)
    rows = [_tag_row(one, municipality_id, connections, assets) for one in plant.tags]
    tag_ids = _merge(database, tag, ["municipality_id", "key"], rows)
    database.execute(
        update(tag).where(tag.c.municipality_id == municipality_id, tag.c.id.not_in(tag_ids)).values(is_retired=True)
    )
    _import_rules(database, dict(zip(tag_ids, plant.tags, strict=True)))
    import_suppressions(database, municipality_id, plant, dict(zip(tag_ids, plant.tags, strict=True)))
    database.execute(text("NOTIFY configuration"))


def _import_connections(database: Connection, municipality_id: int, plant: Plant) -> dict[str, int]:
    rows = [
        {"municipality_id": municipality_id, "name": one.name, "driver": one.driver, "settings": one.settings}
        for one in plant.connections
    ]
    ids = _merge(database, connection, ["municipality_id", "name"], rows)
    database.execute(
        update(connection)
        .where(connection.c.municipality_id == municipality_id, connection.c.id.not_in(ids))
        .values(is_enabled=False)
    )
    return {one.name: key for one, key in zip(plant.connections, ids, strict=True)}


def _import_assets(database: Connection, municipality_id: int, tags: Sequence[PlantTag]) -> dict[tuple[str, str], int]:
    """Return the asset's id by (site, asset)."""
    unique = ["municipality_id", "parent_id", "name"]
    sites = sorted({one.site for one in tags})
    site_rows = [{"municipality_id": municipality_id, "parent_id": None, "name": site} for site in sites]
    site_ids = dict(zip(sites, _merge(database, asset, unique, site_rows), strict=True))
    pairs = sorted({(one.site, one.asset) for one in tags})
    rows = [{"municipality_id": municipality_id, "parent_id": site_ids[site], "name": name} for site, name in pairs]
    return dict(zip(pairs, _merge(database, asset, unique, rows), strict=True))


def _tag_row(
    one: PlantTag, municipality_id: int, connections: Mapping[str, int], assets: Mapping[tuple[str, str], int]
) -> dict[str, Any]:
    copied = ("key", "name", "quantity", "address", "unit", "low", "high", "decimals", "element", "is_writable")
    return {
        **{name: getattr(one, name) for name in copied},
        "municipality_id": municipality_id,
        "asset_id": assets[one.site, one.asset],
        "connection_id": connections[one.connection],
        "states": list(one.states),
        "is_retired": False,
    }


def _import_rules(database: Connection, tags: Mapping[int, PlantTag]) -> None:
    ids_of_tags = {one.key: tag_id for tag_id, one in tags.items()}
    rows = [
        {
            "tag_id": tag_id,
            "kind": rule.kind,
            "priority": rule.priority,
            "alarm_limit": rule.limit,
            "deadband": rule.deadband,
            "on_delay_s": rule.on_delay_s,
            "is_latching": rule.is_latching,
            "shelving_limit_s": rule.shelving_limit_s,
            "other_tag_id": ids_of_tags.get(rule.other),
            "window_s": rule.window_s,
            "re_alarm_s": rule.re_alarm_s,
            "expression": rule.expression.strip(),
            "first_out_group": rule.first_out_group,
            "off_delay_s": rule.off_delay_s,
            "message": rule.message,
        }
        for tag_id, one in tags.items()
        for rule in one.rules
    ]
    ids = _merge(database, alarm_rule, ["tag_id", "kind"], rows)
    # a rule that was ever raised stays, because its alarms are history
    database.execute(
        text(
            "DELETE FROM alarm_rule WHERE tag_id = ANY(:tags) AND NOT id = ANY(:ids)"
            " AND NOT EXISTS (SELECT FROM alarm_journal WHERE rule_id = alarm_rule.id)"
        ),
        {"tags": list(tags), "ids": ids},
    )


def _merge(database: Connection, table: Table, unique: list[str], rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Insert or update rows by their unique columns; return their ids in the order of `rows`."""
    if not rows:
        return []
    statement = insert(table)
    kept = {name: statement.excluded[name] for name in rows[0] if name not in unique}
    # with nothing to update, DO NOTHING would return no id
    kept = kept or {unique[-1]: statement.excluded[unique[-1]]}
    keys = [table.c[name] for name in unique]
    returned = database.execute(
        statement.on_conflict_do_update(index_elements=unique, set_=kept).returning(table.c.id, *keys),
        [dict(row) for row in rows],
    )
    ids = {tuple(row[1:]): row[0] for row in returned}
    return [ids[tuple(row[name] for name in unique)] for row in rows]
