"""A flood: 10,000 alarms in 10 s from the plant's wire through collector and database to two open seats.

Two real seats (painting into memory when there is no display) with all their views share a database and its collector; an OPC UA
server lets a thousand tags a second pass their limit. In the middle of it a person at the first seat acknowledges an alarm.
`frame` and `busy` are told in frames.py; beside them stands the naive way in the same run: a table of items that
is cleared and filled with all alarms once a second, as many boards are.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QTableWidget, QTableWidgetItem
from sqlalchemy import text

from control_room.core.alarms import Alarm, AlarmKind, Priority
from control_room.core.plant import PlantRule
from control_room.core.status import LinkState
from control_room.seat import Seat, SeatOptions, prepare_display, run_seat
from db.access import make_person
from db.alarm_journal import acknowledge
from db.engine import make_engine
from db.tag_store import import_plant
from tests.benchmarks.frames import FrameClock
from tests.benchmarks.load import load_plant, opc_ua_load, running
from tests.servers import free_port
from widgets.alarm_model import COLUMNS, AlarmRow

ALARMS, RATE = 10_000, 1_000
WORD = "flood-of-ten-thousand"
_LIMIT = (PlantRule(AlarmKind.H, Priority.MEDIUM, 0.5),)
_READY_S, _AFTER_S = 240.0, 60.0


def run(seconds: float, rates: list[int] | None) -> list[dict[str, Any]]:
    """Return a row for each seat."""
    del seconds
    rate = (rates or [RATE])[0]
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="control-room-benchmark-") as name:
        Path(name).chmod(0o755)
        with running(opc_ua_load, port, ALARMS, rate) as load:
            seats = [_seat(Path(name), "first", port)]
            _expect(seats[0], "ready")
            seats.append(_seat(Path(name), "second", port))
            _expect(seats[1], "ready")
            began = time.time()
            load.start()
            rows = [json.loads(_expect(seat, "{")) for seat in seats]
            for seat in seats:
                assert seat.stdin is not None
                seat.stdin.write("end\n")
                seat.stdin.close()
                seat.wait(60)
    acknowledged = rows[0].pop("acknowledged_at")
    for row in rows:
        row["acknowledged_after_s"] = row.pop("seen_acknowledged_at") - acknowledged
        row["all_seen_after_s"] = row.pop("last_at") - began
    rows[1].pop("acknowledged_at")
    return rows


def _seat(folder: Path, name: str, port: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.benchmarks.flood", str(folder), name, str(port)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)


def _expect(seat: "subprocess.Popen[str]", begin: str) -> str:
    assert seat.stdout is not None
    for line in seat.stdout:
        if line.startswith(begin):
            return line
    raise RuntimeError("A seat ended early.")


class Flooded:
    """The guest of a seat: counts what it hears, and how the window bears it."""

    def __init__(self, folder: Path, name: str, port: int) -> None:
        """Take the part of the first or the second seat."""
        self._folder, self._name, self._port = folder, name, port
        self._raised: dict[int, int] = {}
        self._twice = 0
        self._last_at = 0.0
        self._acknowledged_at = 0.0
        self._seen_at = 0.0
        self._is_first = name == "first"

    async def accompany(self, seat: Seat) -> None:
        """Prepare, wait for the flood, tell."""
        await self._prepare(seat)
        clock = FrameClock()
        print("ready", flush=True)
        await _until(lambda: bool(self._raised), _READY_S)
        clock.begin_again()
        await _until(lambda: len(self._raised) >= ALARMS // 2, _AFTER_S)
        if self._is_first:
            await self._acknowledge(seat)
        await _until(lambda: len(seat.console.alarms.rows) >= ALARMS and bool(self._seen_at), _AFTER_S)
        clock.stop()
        print(json.dumps(await self._row(seat, clock)), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        seat.closing.set()

    async def _prepare(self, seat: Seat) -> None:
        if self._is_first:
            await asyncio.to_thread(self._import, seat)
        room = seat.room
        await _until(lambda: len(room.rules) >= ALARMS and room.trouble is None and bool(room.links), _READY_S)
        await _until(lambda: all(link.state is LinkState.UP for link in room.links.values()), _READY_S)
        if self._is_first:
            await seat.shift.sign_in("omar", WORD)
        seat.window.bring("alarms")
        room.alarms_changed.connect(self._hear)
        seat.console.alarms.changed.connect(self._see)
        await asyncio.sleep(3.0)

    async def _row(self, seat: Seat, clock: FrameClock) -> dict[str, Any]:
        alarms, rows = await asyncio.to_thread(self._count, seat)
        return {
            "seat": self._name,
            "lost": ALARMS - len(seat.console.alarms.rows),
            "twice": self._twice,
            "alarms_in_journal": alarms,
            "raised_in_journal": rows,
            "last_at": self._last_at,
            "acknowledged_at": self._acknowledged_at,
            "seen_acknowledged_at": self._seen_at,
            **clock.figures(50),
            "naive_fill_ms": self._fill(list(seat.console.alarms.rows.values())),
        }

    def _hear(self, alarms: list[Alarm]) -> None:
        for alarm in alarms:
            if alarm.raised_time is None:
                continue
            if self._raised.get(alarm.rule_id, alarm.event_id) != alarm.event_id:
                self._twice += 1
            self._raised[alarm.rule_id] = alarm.event_id

    def _see(self, changed: list[AlarmRow], gone: list[int]) -> None:
        self._last_at = time.time()
        if not self._seen_at and any(row.alarm.acknowledged_by for row in changed):
            self._seen_at = time.time()

    async def _acknowledge(self, seat: Seat) -> None:
        row = next(iter(seat.console.alarms.rows.values()))
        occurrences = [(row.rule.id, row.alarm.event_id)]
        self._acknowledged_at = time.time()
        await seat.console.operations.act(partial(acknowledge, occurrences=occurrences, comment="seen"))

    def _import(self, seat: Seat) -> None:
        assert seat.local is not None
        with make_engine(seat.local.url("postgres"), "benchmark").begin() as connection:
            make_person(connection, "omar", "Omar Haddad", WORD, None, "operator")
            import_plant(connection, load_plant("opc_ua", self._port, ALARMS, _LIMIT))

    def _count(self, seat: Seat) -> tuple[int, int]:
        assert seat.local is not None
        with make_engine(seat.local.url("postgres"), "benchmark").begin() as connection:
            found = text(
                "SELECT count(DISTINCT rule_id) AS alarms, count(*) AS rows FROM alarm_journal WHERE happening = 'raised'"
            )
            row = connection.execute(found).one()
        return row.alarms, row.rows

    def _fill(self, rows: list[AlarmRow]) -> float:
        table = QTableWidget(0, len(COLUMNS))
        table.show()
        began = time.perf_counter()
        table.setRowCount(len(rows))
        for place, row in enumerate(sorted(rows, key=AlarmRow.raised_s)):
            for number, column in enumerate(COLUMNS):
                table.setItem(place, number, QTableWidgetItem(column.text(row)))
        return 1_000 * (time.perf_counter() - began)

    def before_stop(self, seat: Seat) -> None:
        """Look at nothing more."""

    def close(self) -> None:
        """Nothing was brought along."""


async def _until(is_so: Callable[[], bool], most_s: float) -> None:
    end = time.monotonic() + most_s
    while not is_so() and time.monotonic() < end:
        await asyncio.sleep(0.01)


def main(folder: Path, name: str, port: int) -> None:
    """Be one of the two seats."""
    prepare_display()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    run_seat(SeatOptions(folder), [Flooded(folder, name, port)])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
