"""Suppressions by design: read whole, imported with a plant's document."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Row, delete, select, text, update
from sqlalchemy.dialects.postgresql import insert

from control_room.core.alarms import AlarmKind
from control_room.core.plant import Plant, PlantSuppression, PlantTag
from control_room.core.suppression import Suppression
from control_room.core.suppression_check import meant_by
from db.tables import alarm_rule, suppression, suppression_consequence

_RuleIds = Mapping[tuple[str, AlarmKind], int]


def read_suppressions(database: Connection) -> Iterator[Suppression]:
    """Return every suppression that is not retired, with the ids of the rules that are its consequences."""
    consequences: defaultdict[int, set[int]] = defaultdict(set)
    for row in database.execute(select(suppression_consequence.c.suppression_id, suppression_consequence.c.rule_id)):
        consequences[row.suppression_id].add(row.rule_id)
    kept = select(suppression).where(~suppression.c.is_retired).order_by(suppression.c.id)
    return (_suppression(row, frozenset(consequences[row.id])) for row in database.execute(kept))


def _suppression(row: Row[Any], consequences: frozenset[int]) -> Suppression:
    return Suppression(
        id=row.id,
        municipality_id=row.municipality_id,
        name=row.name,
        cause=row.cause,
        delay_s=row.delay_s,
        rule_id=row.cause_rule_id,
        tag_id=row.cause_tag_id,
        kind=AlarmKind(row.kind),
        limit=row.cause_limit,
        deadband=row.deadband,
        on_delay_s=row.on_delay_s,
        consequences=consequences,
    )


def import_suppressions(database: Connection, municipality_id: int, plant: Plant, tags: Mapping[int, PlantTag]) -> None:
    """Insert the plant's suppressions or bring them up to it, by name; those that it no longer has are retired.

    Whoever is held by what changed is let go or held in the same transaction. `tags` by their ids, rules and all.
    """
    keys = {tag_id: one.key for tag_id, one in tags.items()}
    rows = database.execute(
        select(alarm_rule.c.id, alarm_rule.c.tag_id, alarm_rule.c.kind).where(alarm_rule.c.tag_id.in_(keys))
    )
    rules = {(keys[row.tag_id], AlarmKind(row.kind)): row.id for row in rows}
    by_key = {one.key: one for one in tags.values()}
    ids = _import_rows(database, municipality_id, plant, {key: tag_id for tag_id, key in keys.items()}, rules)
    _retire(database, municipality_id, list(ids.values()))
    wanted = [
        {"suppression_id": ids[one.name], "rule_id": rules[alarm], "municipality_id": municipality_id}
        for one in plant.suppressions
        for alarm in meant_by(one, by_key)
    ]
    if wanted:
        database.execute(insert(suppression_consequence), wanted)
    # the turn of whoever steps alarms
    database.execute(text("SELECT take_turn(7202)"))
    database.execute(text("SELECT settle_holds(NULL, NULL, '', '', NULL)"))


def _import_rows(
    database: Connection, municipality_id: int, plant: Plant, tag_ids: Mapping[str, int], rules: _RuleIds
) -> dict[str, int]:
    """Return the suppressions' ids by name."""
    ids = {}
    for one in plant.suppressions:
        row = {**_row(one, tag_ids, rules), "municipality_id": municipality_id, "name": one.name, "is_retired": False}
        statement = insert(suppression).values(row)
        ids[one.name] = database.execute(
            statement.on_conflict_do_update(index_elements=["municipality_id", "name"], set_=row).returning(
                suppression.c.id
            )
        ).scalar_one()
    return ids


def _row(one: PlantSuppression, tag_ids: Mapping[str, int], rules: _RuleIds) -> dict[str, Any]:
    return {
        "cause": one.cause,
        "cause_rule_id": rules[one.tag, one.kind] if one.is_alarm else None,
        "cause_tag_id": None if one.is_alarm else tag_ids[one.tag],
        "kind": one.kind,
        "cause_limit": one.limit,
        "deadband": one.deadband,
        "on_delay_s": one.on_delay_s,
        "delay_s": one.delay_s,
    }


def _retire(database: Connection, municipality_id: int, kept: list[int]) -> None:
    of_plant = suppression.c.municipality_id == municipality_id
    database.execute(
        delete(suppression_consequence).where(suppression_consequence.c.municipality_id == municipality_id)
    )
    gone = update(suppression).where(of_plant, suppression.c.id.not_in(kept))
    database.execute(gone.values(is_retired=True, ends_time=None, since=None))
