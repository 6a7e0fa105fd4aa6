"""Live: from the collector's wire to a painted picture, and how long the GUI thread is kept from its work meanwhile.

A real seat (painting into memory when there is no display) on a real database with a real collector, an OPC UA server that
makes the load, the first layout with map, trends, board and an open branch of the navigation. `frame` is the time from one
turn of the GUI's event loop to the next, asked for every 5 ms: what a person would feel as a stutter. `live_after` is the
time from opening the seat, its database made anew, to the last tag's first value. Beside it stands the naive way in the
same run: a seat that asks for everything twice a second.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Connection, text

from control_room.seat import Seat, SeatOptions, prepare_display, run_seat, value_widgets
from control_room.ui.wire_clock import WireClock
from db.engine import make_engine
from db.tag_store import import_plant
from tests.benchmarks.frames import FrameClock
from tests.benchmarks.load import Load, load_plant, opc_ua_load, running
from tests.servers import free_port

TAGS = 2_500
RATES = (1_000, 5_000, 10_000)
WARM_UP_S = 8.0
POLL_S = 0.5
# the load's values begin with 1, a tag's value before it with 0
_STORED = text(
    "SELECT count(*) FROM sample JOIN tag ON tag.id = tag_id WHERE quality = 0 AND value >= 1 AND address <> '$link'"
)


def run(seconds: float, rates: list[int] | None) -> list[dict[str, Any]]:
    """Return a row for each rate, each measured by a process of its own."""
    return [_in_process(rate, seconds) for rate in rates or RATES]


def _in_process(rate: int, seconds: float) -> dict[str, Any]:
    """Measure in a fresh process: a Qt application is made once a process."""
    import json

    command = [sys.executable, "-m", "tests.benchmarks.live", str(rate), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2_000:])
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


class Measurement:
    """The guest of a seat: makes the load and measures."""

    def __init__(self, load: Load, port: int, rate: int, seconds: float) -> None:
        """Take a plant that waits."""
        self._load, self._port, self._rate, self._seconds = load, port, rate, seconds
        self._began_s = time.monotonic()
        self.row: dict[str, Any] = {}

    async def accompany(self, seat: Seat) -> None:
        """Import, warm up, measure."""
        assert seat.local is not None
        await asyncio.to_thread(self._import, seat)
        while len(seat.room.tags) < TAGS:
            await asyncio.sleep(0.1)
        # harder than any real seat: every tag is on screen, ten of them as pens
        seat.console.live_tags.watch("benchmark", seat.room.tags)
        seat.console.jumps.trend_wanted.emit(sorted(seat.room.tags)[:10])
        while sum(seat.room.sample(tag_id) is not None for tag_id in seat.room.tags) < TAGS:
            await asyncio.sleep(0.2)
        live_after_s = time.monotonic() - self._began_s
        clock, frames = WireClock(seat.room, value_widgets(seat.window)), FrameClock()
        self._load.start()
        await asyncio.sleep(WARM_UP_S)
        clock.begin_again()
        frames.begin_again()
        own = psutil.Process()
        cpu, memory = own.cpu_times(), own.memory_info().rss
        await asyncio.sleep(self._seconds / 2)
        halfway = own.memory_info().rss - _noted_bytes(clock, frames)
        await asyncio.sleep(self._seconds / 2)
        # before the figures are reckoned, which takes memory itself
        used, grown = own.cpu_times(), own.memory_info().rss - _noted_bytes(clock, frames)
        turns = sorted(frames.turns_ms)
        frames.stop()
        self.row = {
            "rate": self._rate,
            "live_after_s": live_after_s,
            "painted": clock.count,
            **{f"wire_ms_p{share}": clock.percentile_ms(share / 100) for share in (50, 95, 99)},
            "frame_ms_p95": turns[int(0.95 * len(turns))],
            "frame_ms_max": turns[-1],
            "frames_over_50_ms": sum(turn > 50 for turn in turns),
            "seat_cpu_percent": 100 * (used.user + used.system - cpu.user - cpu.system) / self._seconds,
            "seat_growth_mb": (grown - memory) / 1e6,
            "second_half_growth_mb": (grown - halfway) / 1e6,
        }
        self.row["polling_ms_p50"], self.row["polling_ms_p95"] = await asyncio.to_thread(self._poll, seat)
        self.row["ratio_to_polling_p95"] = self.row["wire_ms_p95"] / self.row["polling_ms_p95"]
        self.row["sent"], self.row["overflowed_at_the_server"] = self._load.stop()
        # what the server still has queued must be fetched
        await asyncio.sleep(2.0)
        seat.closing.set()

    def _import(self, seat: Seat) -> None:
        assert seat.local is not None
        engine = make_engine(seat.local.url("postgres"), "benchmark")
        with engine.begin() as connection:
            import_plant(connection, load_plant("opc_ua", self._port, TAGS))

    def _poll(self, seat: Seat) -> tuple[float, float]:
        """Return the delays of a seat that asks for all newest values every POLL_S."""
        assert seat.local is not None
        delays: list[float] = []
        engine = make_engine(seat.local.url("station"), "naive seat")
        with engine.connect() as connection:
            for _ in range(20):
                time.sleep(POLL_S)
                delays += self._poll_once(connection)
        delays.sort()
        return delays[len(delays) // 2], delays[int(0.95 * len(delays))]

    def _poll_once(self, connection: Connection) -> list[float]:
        rows = connection.execute(text("SELECT arrival_time FROM latest WHERE quality = 0")).all()
        now = datetime.now(UTC)
        connection.rollback()
        ages = [(now - row.arrival_time).total_seconds() * 1_000 for row in rows]
        return [age for age in ages if age <= POLL_S * 1_000]

    def before_stop(self, seat: Seat) -> None:
        """Compare what the collector got with what it stored."""
        assert seat.local is not None
        engine = make_engine(seat.local.url("station"), "benchmark")
        with engine.connect() as connection:
            stored = connection.execute(_STORED).scalar_one()
            known = text("SELECT dropped + (SELECT sum(dropped) FROM link_status) FROM collector_status")
            self.row["of_it_counted_as_dropped"] = int(connection.execute(known).scalar() or 0)
        self.row["lost"] = self.row["sent"] - stored

    def close(self) -> None:
        """Nothing was brought along but the load, which its owner ends."""


def _noted_bytes(clock: WireClock, frames: FrameClock) -> int:
    """Return what the measurement itself keeps: four bytes for each painted value and each turn."""
    return 4 * (clock.count + len(frames.turns_ms))


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="control-room-benchmark-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def main(rate: int, seconds: float) -> None:
    """Measure one rate and print the row as JSON."""
    import json

    prepare_display()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    port = free_port()
    with _folder() as folder, running(opc_ua_load, port, TAGS, rate) as load:
        measurement = Measurement(load, port, rate, seconds)
        run_seat(SeatOptions(folder), [measurement])
    print(json.dumps(measurement.row))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
