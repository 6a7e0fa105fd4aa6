"""Holds: a cause with very many consequences comes and goes, and planned work on all of a plant begins and ends.

Beside it, in the same run, the bare rows of the same journal, as in the benchmark `alarms`.
"""

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text

from control_room.core.alarms import AlarmKind, Priority
from control_room.core.plant import Plant, PlantConnection, PlantConsequence, PlantRule, PlantSuppression, PlantTag
from control_room.core.tags import Quantity
from db.access import make_person
from db.embedded import open_embedded
from db.engine import make_engine
from db.people import open_person
from db.planned_work import WorkPlace, begin_work, end_work, read_works
from db.schema import upgrade
from db.tag_store import import_plant

ALARMS = 5_000
_WORD = "a long word for benchmarks"
_CAUSE = text("SELECT record_causes(ARRAY(SELECT id FROM suppression), ARRAY[:number ::bigint], ARRAY[now()])")
_BARE = text("""
    INSERT INTO alarm_journal (rule_id, event_id, happening, previous_state, state, trigger, source_time, value, quality,
        alarm_limit, priority, message, municipality_id)
    SELECT r.id, 1, 'suppressed', 'NORM', 'DSUPR', 'logic', :time, 1, 0, 1, 4, 'high', 1 FROM alarm_rule AS r""")


def run(seconds: float, rates: list[int] | None) -> list[dict[str, Any]]:
    """Return one row: seconds of each, and steps of alarms a second beside bare rows a second."""
    del seconds, rates
    with tempfile.TemporaryDirectory(prefix="control-room-benchmark-") as name:
        Path(name).chmod(0o755)
        server = open_embedded(Path(name), lambda _: None)
        try:
            upgrade(server.url("postgres"), server.credentials.passwords())
            owner = make_engine(server.url("postgres"), "benchmark")
            with owner.begin() as connection:
                import_plant(connection, _plant())
                make_person(connection, "ben", "Ben", _WORD, None, "supervisor")
            person = server.url("station").set(username="ben", password=_WORD)
            return [_measure(owner, make_engine(server.url("collector"), "benchmark"), open_person(person, "desk"))]
        finally:
            server.stop()


def _plant() -> Plant:
    def tag(n: int) -> PlantTag:
        rules = (PlantRule(AlarmKind.H, Priority.LOW, 1.0),)
        return PlantTag(f"T{n}", f"Tag {n}", "Site", "Group", Quantity.FLOW, "c", f"v{n}", "L/s", rules=rules)

    tags = tuple(tag(n) for n in range(ALARMS))
    cause = PlantSuppression("c", "Everything stands", "T0", AlarmKind.H, (PlantConsequence(site="Site"),), limit=9.0)
    return Plant("load", "Load", (PlantConnection("c", "opc_ua", {}),), tags, suppressions=(cause,))


def _measure(owner: Engine, collector: Engine, person: Engine) -> dict[str, Any]:
    def end(connection: Connection) -> None:
        end_work(connection, read_works(connection)[0].id, "")

    came_s = _timed(collector, lambda connection: connection.execute(_CAUSE, {"number": 1}))
    gone_s = _timed(collector, lambda connection: connection.execute(_CAUSE, {"number": 2}))
    began_s = _timed(person, lambda connection: begin_work(connection, WorkPlace(1), None, 60, "", "all"))
    ended_s = _timed(person, end)
    with owner.connect() as connection:
        steps = connection.execute(text("SELECT count(*) FROM alarm_journal")).scalar_one()
    bare_s = _timed(owner, lambda connection: connection.execute(_BARE, {"time": datetime.now(UTC)}))
    per_s = steps / (came_s + gone_s + began_s + ended_s)
    return {
        "consequences": ALARMS,
        "cause_came_s": came_s,
        "cause_gone_s": gone_s,
        "work_begun_s": began_s,
        "work_ended_s": ended_s,
        "steps_per_s": per_s,
        "bare_rows_per_s": ALARMS / bare_s,
        "ratio_to_bare": ALARMS / bare_s / per_s,
    }


def _timed(engine: Engine, work: Callable[[Connection], object]) -> float:
    began = time.perf_counter()
    with engine.begin() as connection:
        work(connection)
    return time.perf_counter() - began
