"""The seat: everything that one workstation owns, built in order and closed in reverse."""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import qasync
from PySide6.QtCore import QMessageLogContext, QSettings, Qt, QtMsgType, qInstallMessageHandler
from PySide6.QtWidgets import QApplication, QLabel, QWidget
from sqlalchemy import URL, Connection

from control_room.common_passwords import common_passwords
from control_room.core.errors import ControlRoomError
from control_room.core.ports import Configuration
from control_room.local_server import LocalServer
from control_room.station_sign_in import station_url
from control_room.ui.alarm_feed import AlarmFeed
from control_room.ui.console import Blink, Console, Jumps
from control_room.ui.dialogs.form import Values
from control_room.ui.error_doors import ErrorDoors
from control_room.ui.live_tags import LiveTags
from control_room.ui.main_window import MainWindow
from control_room.ui.operations import Operations
from control_room.ui.room import Room
from control_room.ui.shift import Shift
from control_room.ui.speaker import QtSpeaker
from control_room.ui.theme import Theme
from control_room.ui.tidiness import keep_tidy, set_aside, spare_frames
from db.access import has_people, make_first_administrator
from db.engine import make_engine, server_url, translated
from db.live_reader import LiveReader
from db.network_store import read_networks
from db.people import open_person
from db.schema import require_schema
from db.tag_store import read_configuration
from db.tls import is_plain
from db.worker import DatabaseThread

log = logging.getLogger(__name__)
T = TypeVar("T")

READ_TIMEOUT_S = 30.0
RETRY_S = 2.0
LOCAL_CHECK_S = 2.0


@dataclass(frozen=True, slots=True)
class SeatOptions:
    """Which database: a shared server by URL, else this machine's own in `data_folder`."""

    data_folder: Path
    server: str | None = None


class Guest(Protocol):
    """What comes along with a seat: the demo."""

    async def accompany(self, seat: "Seat") -> None:
        """Run beside the open window; cancelled when it closes."""

    def before_stop(self, seat: "Seat") -> None:
        """Look once more at the database, when nobody writes any more."""

    def close(self) -> None:
        """End what it brought along, last of all."""


class Seat:
    """One workstation at work."""

    def __init__(self, application: QApplication, options: SeatOptions, local: LocalServer | None) -> None:
        """Build everything; nothing is read before run()."""
        self.local = local
        self.closing = asyncio.Event()
        folder = options.data_folder
        settings = QSettings(str(folder / "seat.ini"), QSettings.Format.IniFormat)
        self._station = self._url(options, "station")
        engine = make_engine(self._station, "control-room seat", READ_TIMEOUT_S)
        self._reading = DatabaseThread(engine, "read")
        self.room = Room(lambda: datetime.now(UTC))
        self.room.is_plain = is_plain(self._station)
        self._live_tags = LiveTags(self.room)
        self._live = LiveReader(engine, self._live_tags)
        self.shift = Shift(self._open_person, self._reading, common_passwords, self.room.now)
        application.focusWindowChanged.connect(self.shift.watch)
        self._operations = Operations(self._reading, self.shift)
        console = Console(
            room=self.room,
            alarms=AlarmFeed(self.room),
            live_tags=self._live_tags,
            operations=self._operations,
            shift=self.shift,
            settings=settings,
            jumps=Jumps(),
            blink=Blink(),
            theme=Theme(application, settings),
        )
        self.console = console
        self.window = MainWindow(console, self.closing.set, speaker=QtSpeaker())
        self._wants_configuration = asyncio.Event()
        self._live_tags.configuration_wanted.connect(self._wants_configuration.set)
        self._doors = ErrorDoors()
        self._doors.noticed.connect(self.window.show_failure)

    def _open_person(self, login: str, password: str) -> DatabaseThread:
        url = self._station.set(username=login, password=password)
        return DatabaseThread(open_person(url, str(self._station.username), READ_TIMEOUT_S), "act")

    def _url(self, options: SeatOptions, role: str) -> URL:
        return server_url(options.server) if self.local is None and options.server else self._local_url(role)

    def _local_url(self, role: str) -> URL:
        assert self.local is not None
        return self.local.url(role)

    async def run(self, guests: Sequence[Guest]) -> None:
        """Show the window and work until it is closed."""
        spare_frames()
        self._doors.hang(asyncio.get_running_loop())
        self._obey_signals(asyncio.get_running_loop())
        self.window.show()
        self._live_tags.use_reader(self._live.watch)
        self._live.start()
        self._wants_configuration.set()
        tasks = [asyncio.create_task(self._follow_configuration()), asyncio.create_task(self._keep_local_running())]
        tasks.append(asyncio.create_task(keep_tidy(lambda: self.shift.person is None)))
        tasks += [asyncio.create_task(guest.accompany(self)) for guest in guests]
        if not guests:
            self._operations.start(self._welcome())
        stopped = asyncio.create_task(self.closing.wait())
        await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in (stopped, *tasks):
            task.cancel()
        outcomes = await asyncio.gather(stopped, *tasks, return_exceptions=True)
        await self._close(guests)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    def _obey_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close in order when told from outside, as when the person closes the window."""
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), lambda *_: loop.call_soon_threadsafe(self.closing.set))

    async def _welcome(self) -> None:
        """Ask for the first administrator where this machine's own database has no people yet."""
        if self.local is None or await asyncio.to_thread(self.as_owner, has_people):
            return
        self.window.shift_button.make_first = self._make_first
        self.window.shift_button.ask_sign_in()

    async def _make_first(self, values: Values) -> None:
        self.shift.judge(values["new"], values["login"])
        names = {name: values[name] for name in ("login", "name", "is_operating")}
        job = partial(make_first_administrator, password=values["new"], **names)
        await asyncio.to_thread(self.as_owner, job)

    def as_owner(self, job: Callable[[Connection], T]) -> T:
        """Return what a job does as the owner of this machine's own database, in a transaction; it blocks."""
        engine = make_engine(self._local_url("postgres"), "control-room owner")
        try:
            with translated(), engine.begin() as connection:
                return job(connection)
        finally:
            engine.dispose()

    async def _follow_configuration(self) -> None:
        while True:
            await self._wants_configuration.wait()
            self._wants_configuration.clear()
            try:
                configuration = await self._operations.read(_read_configuration)
                self.room.use_configuration(configuration, await self._operations.read(read_networks))
                set_aside()
            except ControlRoomError as fault:
                # the trouble bar says it already; the picture stays as it is
                log.info("The configuration cannot be read yet: %s", fault)
                self._wants_configuration.set()
                await asyncio.sleep(RETRY_S)

    async def _keep_local_running(self) -> None:
        told = ""
        while True:
            if self.local is not None:
                try:
                    await asyncio.to_thread(self.local.keep_running)
                    told = ""
                except ControlRoomError as fault:
                    if str(fault) != told:
                        log.error("%s", fault)
                    told = str(fault)
            await asyncio.sleep(LOCAL_CHECK_S)

    async def _close(self, guests: Sequence[Guest]) -> None:
        # the person sees the window go at once; what needs time happens behind
        self.window.finish()
        await self._operations.close()
        await self.shift.close()
        await asyncio.to_thread(self._close_database, guests)
        self._doors.take_down()
        self.window.deleteLater()

    def _close_database(self, guests: Sequence[Guest]) -> None:
        for part in (self._live, self._reading):
            part.close()

        def before_stop() -> None:
            for guest in guests:
                guest.before_stop(self)

        if self.local is None:
            before_stop()
        else:
            self.local.close(before_stop)
        for guest in guests:
            guest.close()


def _read_configuration(connection: Connection) -> Configuration:
    require_schema(connection)
    return read_configuration(connection)


def prepare_display() -> bool:
    """Return whether there is a display; without one Qt paints into memory."""
    if os.environ.get("QT_QPA_PLATFORM"):
        return os.environ["QT_QPA_PLATFORM"] not in ("offscreen", "minimal")
    has_display = sys.platform != "linux" or bool(os.environ.get("WAYLAND_DISPLAY")) or _x_server_answers()
    if not has_display:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    return has_display


def _x_server_answers() -> bool:
    """Return whether the X server of DISPLAY takes a connection: Qt would end the program where none does."""
    host, _, number = os.environ.get("DISPLAY", "").partition(":")
    if not number:
        return False
    if host not in ("", "unix"):
        # another machine's, which may be slow: Qt will tell
        return True
    path = f"/tmp/.X11-unix/X{number.split('.')[0]}"  # noqa: S108 - the place where X servers listen
    for address in (f"\0{path}", path):
        with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
            probe.connect(address)
            return True
    return False


def run_seat(options: SeatOptions, guests: Sequence[Guest] = ()) -> int:
    """Open the control room and return the exit code when it is closed.

    Raises CannotStart, DatabaseUnavailable and the like when it cannot begin; nothing stays behind then.
    """
    has_display = prepare_display()
    if not has_display:
        print("No display was found: the control room runs without a window.", file=sys.stderr)  # noqa: T201
    application = QApplication.instance()
    if not isinstance(application, QApplication):
        application = QApplication(sys.argv[:1])
    application.setApplicationName("Control room")
    qInstallMessageHandler(_on_qt_message)
    application.setQuitOnLastWindowClosed(False)
    with qasync.QEventLoop(application) as loop:
        loop.run_until_complete(_run(application, options, guests, has_person=has_display))
    return 0


def _on_qt_message(kind: QtMsgType, _: QMessageLogContext, words: str) -> None:
    """Write Qt's own words to the log; what it says of a platform without windows is no trouble."""
    is_trouble = kind is not QtMsgType.QtDebugMsg and "does not support" not in words
    log.log(logging.WARNING if is_trouble else logging.DEBUG, "Qt: %s", words)


async def _run(application: QApplication, options: SeatOptions, guests: Sequence[Guest], *, has_person: bool) -> None:
    notice = _starting_notice()
    try:
        local = await _open_local(options, notice.setText) if options.server is None else None
        if options.server is not None:
            url = await station_url(server_url(options.server), options.data_folder, notice, has_person=has_person)
            options = replace(options, server=url.render_as_string(hide_password=False))
        seat = Seat(application, options, local)
    finally:
        notice.close()
        notice.deleteLater()
    await seat.run(guests)


def _starting_notice() -> QLabel:
    notice = QLabel("The control room starts …")
    notice.setWindowFlag(Qt.WindowType.SplashScreen)
    notice.setAlignment(Qt.AlignmentFlag.AlignCenter)
    notice.setMinimumSize(460, 120)
    notice.show()
    return notice


async def _open_local(options: SeatOptions, say: Callable[[str], None]) -> LocalServer:
    loop = asyncio.get_running_loop()

    def report(words: str) -> None:
        log.info(words)
        loop.call_soon_threadsafe(say, words)

    return await asyncio.to_thread(LocalServer.open, options.data_folder, report)


def value_widgets(window: MainWindow) -> list[QWidget]:
    """Return the widgets of the window that paint values."""
    from PySide6.QtWidgets import QAbstractScrollArea

    from widgets.network_map import NetworkMap

    found: list[QWidget] = list(window.findChildren(NetworkMap))
    for area in window.findChildren(QAbstractScrollArea):
        with suppress(RuntimeError):
            found.append(area.viewport())
    return found
