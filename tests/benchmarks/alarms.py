"""Alarms: a flood through the state machine of the database, beside bare rows of the same journal, in the same run.

Every alarm is raised and returned; the machine judges each, writes alarm and journal, and wakes the seats once a batch. The
bare way inserts the journal's rows alone, in batches of the same size.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, text

from control_room.core.alarms import AlarmKind, Priority, ProcessChange, Raised, Returned
from control_room.core.plant import Plant, PlantConnection, PlantRule, PlantTag
from control_room.core.tags import Quantity
from db.embedded import open_embedded
from db.engine import make_engine
from db.schema import upgrade
from db.stores import PostgresAlarmStore
from db.tag_store import import_plant
from db.worker import DatabaseThread

T = TypeVar("T")
ALARMS, BATCH = 10_000, 500
_BARE = text("""
    INSERT INTO alarm_journal (rule_id, event_id, happening, previous_state, state, trigger, source_time, value, quality,
        alarm_limit, priority, message, municipality_id)
    VALUES (:rule_id, 1, 'raised', 'NORM', 'UNACK', 'process', :time, 1, 0, 1, 4, 'high', 1)""")


def run(seconds: float, rates: list[int] | None) -> list[dict[str, Any]]:
    """Return a row: transitions a second through the machine and of bare rows, and the ratio."""
    del seconds, rates
    with tempfile.TemporaryDirectory(prefix="control-room-benchmark-") as name:
        Path(name).chmod(0o755)
        server = open_embedded(Path(name), lambda _: None)
        try:
            upgrade(server.url("postgres"), server.credentials.passwords())
            owner = make_engine(server.url("postgres"), "benchmark")
            with owner.begin() as connection:
                import_plant(connection, _plant())
            thread = DatabaseThread(make_engine(server.url("collector"), "benchmark"), "benchmark")
            row = _measure(PostgresAlarmStore(thread), owner)
            thread.close()
            return [row]
        finally:
            server.stop()


def _plant() -> Plant:
    rule = PlantRule(AlarmKind.H, Priority.LOW, 1.0)
    tags = (
        PlantTag(f"T{n}", f"Tag {n}", "Site", "Group", Quantity.FLOW, "c", f"v{n}", "L/s", rules=(rule,))
        for n in range(ALARMS)
    )
    return Plant("load", "Load", (PlantConnection("c", "opc_ua", {}),), tuple(tags))


def _changes() -> Iterator[ProcessChange]:
    now = datetime.now(UTC)
    for number, event in ((1, Raised(now, 1.0, 0)), (2, Returned(now, 0.0, 0))):
        yield from (ProcessChange(rule_id, number, event) for rule_id in range(1, ALARMS + 1))


def _measure(store: PostgresAlarmStore, owner: Engine) -> dict[str, Any]:
    async def record() -> None:
        for batch in _batches(list(_changes())):
            await store.record(batch)

    own_s = _timed(lambda: asyncio.run(record()))
    with owner.connect() as connection:
        stored = connection.execute(text("SELECT count(*) FROM alarm_journal")).scalar_one()
    rows = [{"rule_id": rule_id, "time": datetime.now(UTC)} for rule_id in range(1, ALARMS + 1)] * 2
    bare_s = _timed(lambda: _bare(owner, rows))
    return {
        "transitions": len(rows),
        "lost": len(rows) - stored,
        "transitions_per_s": len(rows) / own_s,
        "bare_rows_per_s": len(rows) / bare_s,
        "ratio_to_bare": own_s / bare_s,
    }


def _batches(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    return (rows[first : first + BATCH] for first in range(0, len(rows), BATCH))


def _bare(owner: Engine, rows: Sequence[dict[str, Any]]) -> None:
    with owner.connect() as connection:
        for batch in _batches(rows):
            _insert(connection, batch)


def _insert(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    connection.execute(_BARE, list(rows))
    connection.commit()


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
