"""The demo: a seat with three living municipalities of its own, and the figures of a run."""

import asyncio
import json
import logging
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Connection, text

from control_room.core.alarms import Happening
from control_room.core.errors import CannotStart, ControlRoomError
from control_room.core.plant import Plant, from_document
from control_room.core.system_tags import with_collector_tags
from control_room.demo_people import FIRST, make_people, told, words_of
from control_room.local_server import command_line
from control_room.seat import Seat, SeatOptions, run_seat, value_widgets
from control_room.simulator.records import COMMENTS, NOTE, records_of
from control_room.ui.pictures import save_pictures
from control_room.ui.wire_clock import WireClock
from db.comments import set_note, write_comments
from db.embedded import folder_lock
from db.engine import make_engine, translated
from db.journal_search import JournalFilter, search_journal
from db.participants import Participants
from db.rationalisation import write_records
from db.tag_store import import_plant

log = logging.getLogger(__name__)

CHECK_S = 0.2
STOP_S = 5.0

_FIGURES = text("""
    SELECT received AS values_received, stored AS values_stored, dropped AS values_dropped, waiting AS values_waiting,
        (SELECT coalesce(sum(dropped), 0) FROM link_status) AS values_dropped_by_drivers,
        (SELECT count(*) FROM tag WHERE NOT is_retired) AS tags,
        (SELECT coalesce(sum(many), 0)::int FROM read_announced(:began)) AS alarms_raised,
        (SELECT count(*) FROM alarm WHERE is_active) AS alarms_active
    FROM collector_status
""")


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """How long the demo runs (None: until the window is closed) and what it leaves behind."""

    data_folder: Path
    seconds: float | None
    pictures: Path | None
    summary: Path | None
    plant_arguments: tuple[str, ...]


@dataclass(slots=True)
class Demo:
    """The guest of a demo's seat: keeps the plant running, and measures."""

    options: DemoOptions
    began_s: float = field(default_factory=time.time)
    _plant: "subprocess.Popen[bytes] | None" = None
    _clock: WireClock | None = None
    # seconds since the process began
    _first: dict[str, float] = field(default_factory=dict)
    _delays: dict[str, float | None] = field(default_factory=dict)
    _figures: dict[str, Any] = field(default_factory=dict)

    def begin(self) -> None:
        """Start the plant, which calculates for seconds, before the window and the database; unless one runs already."""
        participants = Participants(self.options.data_folder)
        if participants.processes("simulator"):
            return
        with folder_lock(self.options.data_folder):
            # another demo may have been faster
            if not participants.processes("simulator"):
                self._document.unlink(missing_ok=True)
                self._plant = self._start_plant()
                participants.join("simulator", self._plant.pid)

    @property
    def _document(self) -> Path:
        return self.options.data_folder / "plant.json"

    async def accompany(self, seat: Seat) -> None:
        """Bring the plant to life, and end the run when its time is over."""
        self._clock = WireClock(seat.room, value_widgets(seat.window))
        seat.room.configuration_changed.connect(self._clock.begin_again)
        self._note_first("seconds_to_window")
        self._clock.measured.connect(lambda: self._note_first("seconds_to_live_values"))
        await asyncio.gather(self._keep_plant(seat), self._end_in_time(seat), _leave_note(seat))

    def _note_first(self, name: str) -> None:
        self._first.setdefault(name, round(time.time() - psutil.Process().create_time(), 1))

    async def _keep_plant(self, seat: Seat) -> None:
        imported = None
        while True:
            if self._plant is not imported:
                await asyncio.to_thread(_import, seat, await self._read())
                if imported is None:
                    await self._begin_shift(seat)
                imported = self._plant
            await asyncio.sleep(1.0)
            # another demo on this machine may run the plant; when it goes, this one takes over
            await asyncio.to_thread(self.begin)

    async def _begin_shift(self, seat: Seat) -> None:
        """Make the demo's people, tell their passwords and let the operator begin: nothing here is anybody's water."""
        words = words_of(self.options.data_folder)
        await asyncio.to_thread(seat.as_owner, partial(make_people, words=words))
        print(told(words), file=sys.stderr, flush=True)  # noqa: T201 - it is meant for whoever started the demo
        try:
            await seat.shift.sign_in(FIRST, words[FIRST])
        except ControlRoomError as fault:
            log.info("Nobody is signed in: %s", fault)

    def _start_plant(self) -> "subprocess.Popen[bytes]":
        arguments = ["simulate", "--document", str(self._document), "--parent-pid", str(os.getpid())]
        arguments += ["--state-folder", str(self.options.data_folder / "simulator"), *self.options.plant_arguments]
        # a session of its own: Ctrl-C ends the seat, which ends the plant when the collector has stored its last values
        return subprocess.Popen(command_line(arguments), stdin=subprocess.DEVNULL, start_new_session=True)

    async def _read(self) -> list[Plant]:
        assert self._plant is not None
        while (plants := await asyncio.to_thread(_read_document, self._document)) is None:
            if self._plant.poll() is not None:
                raise CannotStart("The demo's plant did not start.", advice="Its own words above say why.")
            await asyncio.sleep(CHECK_S)
        return plants

    async def _end_in_time(self, seat: Seat) -> None:
        if self.options.seconds is None:
            await asyncio.Event().wait()
        assert self.options.seconds is not None
        await asyncio.sleep(max(0.0, self.began_s + self.options.seconds - time.time()))
        self._note_delays()
        if self.options.pictures is not None:
            await save_pictures(seat.window, seat.console.theme, self.options.pictures)
        seat.closing.set()

    def _note_delays(self) -> None:
        """Note once how long values took to the screen: before the camera keeps the GUI busy."""
        if self._delays or self._clock is None:
            return
        for share in (50, 95, 99):
            delay_ms = self._clock.percentile_ms(share / 100)
            self._delays[f"wire_to_screen_ms_p{share}"] = None if delay_ms is None else round(delay_ms, 1)
        self._delays["values_painted"] = self._clock.count

    def close(self) -> None:
        """Stop the plant: after the collector, which would else see every link break."""
        if self._plant is None:
            return
        self._plant.terminate()
        try:
            self._plant.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._plant.kill()
            self._plant.wait()

    def before_stop(self, seat: Seat) -> None:
        """Read the run's figures, when the collector has stored its last values."""
        if self.options.summary is None or seat.local is None:
            return
        engine = make_engine(seat.local.url("station"), "control-room demo")
        with translated(), engine.connect() as connection:
            self._figures = self._read_figures(connection)
        self.options.summary.parent.mkdir(parents=True, exist_ok=True)
        self.options.summary.write_text(json.dumps(self._figures, indent=2) + "\n", encoding="utf-8")

    def _read_figures(self, connection: Connection) -> dict[str, Any]:
        from datetime import UTC, datetime

        row = connection.execute(_FIGURES, {"began": datetime.fromtimestamp(self.began_s, UTC)}).mappings().first()
        figures: dict[str, Any] = {name: int(value) for name, value in dict(row or {}).items()}
        self._note_delays()
        figures |= self._delays | self._first
        figures["seconds"] = round(time.time() - self.began_s, 1)
        return figures


def _latched(seat: Seat) -> list[int]:
    """Return the rules of the board's alarms that stay until somebody resets them."""
    room = seat.room
    stays = (one for one in room.alarms.values() if not one.is_suppressed)
    return [one.rule_id for one in stays if (rule := room.rules.get(one.rule_id)) and rule.is_latching]


async def _leave_note(seat: Seat) -> None:
    """Let the operator leave a note on a latching alarm of the board, unless there was a note before."""
    is_told = asyncio.Event()
    seat.room.alarms_changed.connect(is_told.set)
    while not ((rules := _latched(seat)) and seat.shift.person):
        is_told.clear()
        await is_told.wait()
    seat.room.alarms_changed.disconnect(is_told.set)
    operations = seat.console.operations
    try:
        noted = await operations.read(partial(search_journal, wanted=JournalFilter(kinds=(Happening.NOTED,)), limit=1))
        if not noted:
            await operations.act(partial(set_note, rule_id=min(rules), expected="", words=NOTE))
    except ControlRoomError as fault:
        log.info("No note was left: %s", fault)


def _read_document(path: Path) -> list[Plant] | None:
    """Return the plants of the document, None before it is there."""
    if not path.exists():
        return None
    return [from_document(one) for one in json.loads(path.read_text(encoding="utf-8"))]


def _import(seat: Seat, plants: list[Plant]) -> None:
    for plant in map(with_collector_tags, plants):
        seat.as_owner(partial(import_plant, plant=plant))
        seat.as_owner(partial(write_records, records=records_of(plant)))
        seat.as_owner(partial(write_comments, key=plant.key, setting=COMMENTS))


def run_demo(options: DemoOptions) -> int:
    """Run the demo; return the exit code."""
    demo = Demo(options)
    # where nothing can be written, a run would end with nothing
    for folder in (options.pictures, options.summary and options.summary.parent):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    try:
        # what is wrong with the folder, the database will say
        with suppress(OSError):
            demo.begin()
        return run_seat(SeatOptions(options.data_folder), [demo])
    finally:
        demo.close()
