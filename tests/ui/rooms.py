"""Rooms for tests: a realistic configuration, values and alarms in every state, a console; no database."""

import asyncio
import math
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication

from control_room.core.access import Membership, Person, Role
from control_room.core.alarm_kpis import Events
from control_room.core.alarm_load import AlarmLoad
from control_room.core.alarms import Alarm, AlarmKind, AlarmRule, AlarmState, Priority
from control_room.core.comments import EVERYWHERE, CommentBook, CommentSetting
from control_room.core.errors import ControlRoomError
from control_room.core.network import Link, LinkKind, Network, Node, NodeKind
from control_room.core.ports import Configuration
from control_room.core.rationalisation import RecordBook
from control_room.core.samples import (
    BAD_SENSOR_FAILURE,
    BAD_WAITING_FOR_INITIAL,
    GOOD,
    UNCERTAIN_NO_COMMUNICATION_LAST_USABLE,
    UNCERTAIN_SENSOR_NOT_ACCURATE,
    Sample,
)
from control_room.core.status import CollectorStatus, LinkState, LinkStatus
from control_room.core.tags import Connection, Municipality, Quantity, Tag
from control_room.core.trends import TrendPiece, of_samples
from control_room.ui.alarm_feed import AlarmFeed
from control_room.ui.console import Blink, Console, Jumps
from control_room.ui.live_tags import LiveTags
from control_room.ui.operations import Operations
from control_room.ui.room import Room
from control_room.ui.shift import Shift
from control_room.ui.theme import Theme
from db.alarm_figures import read_events, read_set_aside, read_standing
from db.alarm_journal import AlarmAnswer, acknowledge, read_load, read_nuisances, read_occurrences
from db.audit import note_export
from db.comments import read_comments
from db.history import read_history
from db.journal_search import search_journal
from db.planned_work import read_places, read_works
from db.rationalisation import read_records, read_rule_changes
from tests.fakes import FakeClock

NAMES = ("Northfield Water", "Cedar Valley Utilities", "Laurel County Water District")
COMMENTS = CommentBook(
    {EVERYWHERE: CommentSetting(frozenset(), ("Seen, being watched", "Crew informed", "Planned work"))}
)
LIMIT_WORDS = {AlarmKind.LL: "nearly empty", AlarmKind.L: "low", AlarmKind.H: "high"}
PRIORITY = {
    AlarmKind.LL: Priority.HIGHEST,
    AlarmKind.L: Priority.MEDIUM,
    AlarmKind.H: Priority.HIGH,
    AlarmKind.BAD: Priority.LOW,
}


@dataclass
class FakeThread:
    """Runs jobs at once, with answers in place of the database's; `fault` makes every job fail."""

    answers: Mapping[Any, Callable[..., Any]] = field(default_factory=dict)
    fault: ControlRoomError | None = None
    asked: list[tuple[Any, dict[str, Any]]] = field(default_factory=list)
    is_held: bool = False
    held: list[tuple[Any, "Future[Any]"]] = field(default_factory=list)

    def submit(self, work: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        self.asked.append((work.func, work.keywords))
        self.held.append((work, future))
        if not self.is_held:
            self.release()
        return future

    def release(self) -> None:
        work, future = self.held.pop(0)
        if self.fault is not None:
            future.set_exception(self.fault)
        else:
            future.set_result(self.answers[work.func](**work.keywords))


@dataclass
class FakePersonThread:
    """Acts as a person on another fake thread."""

    acting: FakeThread

    def submit(self, work: Any) -> "Future[Any]":
        return self.acting.submit(work)

    def close(self) -> None:
        """Leave nothing behind."""


def fake_history(tag_id: int, start: datetime, end: datetime, columns: int) -> TrendPiece:
    """Return a daily wave with a gap."""
    time_s = np.linspace(start.timestamp(), end.timestamp(), 400)
    value = 3 + tag_id % 7 + np.sin(time_s / 900 + tag_id) + 0.1 * np.sin(time_s / 31)
    grade = np.zeros(400, dtype=np.uint8)
    grade[200:230] = 3
    return of_samples(tag_id, start.timestamp(), end.timestamp(), time_s, value, grade)


def all_done(occurrences: list[tuple[int, int]], comment: str) -> list[AlarmAnswer]:
    """Acknowledge everything."""
    return [AlarmAnswer(rule_id, event_id, True, "") for rule_id, event_id in occurrences]


def _tags() -> list[Tag]:
    tags: list[Tag] = []

    def add(
        municipality: int, site: str, asset: str, words: str, quantity: Quantity, element: str, **more: Any
    ) -> None:
        number = len(tags) + 1
        connection = 2 * municipality - (number % 2)
        key = f"{asset.replace(' ', '')}.{words.replace(' ', '_')}"
        tags.append(
            Tag(
                number,
                municipality,
                site,
                asset,
                key,
                f"{asset} {words}",
                quantity,
                connection,
                key,
                element=element,
                **more,
            )
        )

    for municipality in (1, 2, 3):
        for number in range(1, 5 + 2 * municipality):
            node = f"node:T{number}"
            add(
                municipality, "Storage", f"Tank {number}", "level", Quantity.LEVEL, node, unit="m", high=8.0, decimals=2
            )
            add(
                municipality,
                "Storage",
                f"Tank {number}",
                "chlorine",
                Quantity.CHLORINE,
                node,
                unit="mg/L",
                high=2.0,
                decimals=2,
            )
        for number in range(1, 8):
            link, asset = f"link:PU{number}", f"Pump {number}"
            add(municipality, "Pumping", asset, "state", Quantity.STATE, link, states=("stopped", "running"), high=1.0)
            add(municipality, "Pumping", asset, "flow", Quantity.FLOW, link, unit="L/s", high=200.0)
            add(municipality, "Pumping", asset, "power", Quantity.POWER, link, unit="kW", high=250.0)
            add(municipality, "Pumping", asset, "discharge pressure", Quantity.PRESSURE, link, unit="m", high=120.0)
        for number in range(1, 40):
            zone = f"Zone {'ABCDEF'[number % 6]}"
            add(
                municipality,
                zone,
                f"Pressure logger {number}",
                f"at J{number}",
                Quantity.PRESSURE,
                f"node:J{number}",
                unit="m",
            )
    name = "Emergency interconnection valve chamber at the old northern waterworks, downstream pressure"
    tags.append(
        Tag(
            len(tags) + 1,
            3,
            "Trunk mains of the northern district",
            "Valve chamber",
            "VC.long",
            name,
            Quantity.PRESSURE,
            5,
            "VC",
            "m",
        )
    )
    return tags


def _network(municipality: int, at: tuple[float, float]) -> Network:
    dice = random.Random(municipality)
    nodes: list[Node] = []
    links: list[Link] = []
    for number in range(1, 161):
        angle, distance = dice.uniform(0, 2 * math.pi), 0.06 * math.sqrt(dice.random())
        nodes.append(
            Node(
                f"J{number}",
                NodeKind.JUNCTION,
                at[0] + distance * math.cos(angle),
                at[1] + 0.7 * distance * math.sin(angle),
            )
        )
    for number in range(1, 5 + 2 * municipality):
        near = nodes[number * 9]
        nodes.append(Node(f"T{number}", NodeKind.TANK, near.longitude_deg + 0.002, near.latitude_deg + 0.002))
    nodes.append(Node("R1", NodeKind.RESERVOIR, at[0] - 0.065, at[1]))
    joined = [nodes[0]]
    for node in nodes[1:]:
        close = min(
            joined,
            key=lambda one: (one.longitude_deg - node.longitude_deg) ** 2 + (one.latitude_deg - node.latitude_deg) ** 2,
        )
        links.append(
            Link(
                f"P{len(links) + 1}", LinkKind.PIPE, close.key, node.key, diameter_m=dice.choice((0.1, 0.15, 0.3, 0.5))
            )
        )
        joined.append(node)
    for number in range(1, 8):
        old = links[number * 11]
        links[number * 11] = replace(old, key=f"PU{number}", kind=LinkKind.PUMP)
    links[5] = replace(links[5], key="V1", kind=LinkKind.VALVE)
    return Network(municipality, tuple(nodes), tuple(links), is_schematic=municipality == 1)


def configuration() -> Configuration:
    """Return three municipalities with about 300 tags, 6 connections and limits."""
    tags = _tags()
    rules: list[AlarmRule] = []
    for tag in tags:
        kinds = (AlarmKind.LL, AlarmKind.L, AlarmKind.H) if not tag.states else ()
        for kind in (*kinds, AlarmKind.BAD):
            limit = {AlarmKind.LL: 0.05, AlarmKind.L: 0.15, AlarmKind.H: 0.9}.get(kind, 0.0) * tag.high
            words = LIMIT_WORDS.get(kind, "no valid value")
            rules.append(AlarmRule(len(rules) + 1, tag.id, kind, PRIORITY[kind], limit, message=f"{tag.name} {words}"))
    return Configuration(
        tuple(Municipality(number, name.lower(), name) for number, name in enumerate(NAMES, 1)),
        tuple(
            Connection(2 * number - 1 + offset, number, driver, driver)
            for number in (1, 2, 3)
            for offset, driver in enumerate(("opc_ua", "mqtt"))
        ),
        tuple(tags),
        tuple(rules),
    )


def with_long_names(known: Configuration) -> Configuration:
    """Return the configuration with names as long as somebody will surely choose."""

    def longer(name: str) -> str:
        return (
            f"{name} of the joint municipal waterworks association of the northern and the eastern district, stage two"
        )

    return Configuration(
        tuple(replace(one, name=longer(one.name)) for one in known.municipalities),
        tuple(replace(one, name=longer(one.name)) for one in known.connections),
        tuple(
            replace(one, name=longer(one.name), site=longer(one.site), asset=longer(one.asset)) for one in known.tags
        ),
        tuple(replace(one, message=longer(one.message)) for one in known.rules),
    )


def ten_times(known: Configuration) -> Configuration:
    """Return the configuration with ten times as many municipalities, tags and connections."""
    copies = range(10)
    return Configuration(
        tuple(replace(one, id=one.id + 3 * n, name=f"{one.name} {n}") for n in copies for one in known.municipalities),
        tuple(
            replace(one, id=one.id + 6 * n, municipality_id=one.municipality_id + 3 * n)
            for n in copies
            for one in known.connections
        ),
        tuple(
            replace(
                one,
                id=one.id + 10_000 * n,
                municipality_id=one.municipality_id + 3 * n,
                connection_id=one.connection_id + 6 * n,
            )
            for n in copies
            for one in known.tags
        ),
        tuple(
            replace(one, id=one.id + 10_000 * n, tag_id=one.tag_id + 10_000 * n) for n in copies for one in known.rules
        ),
    )


def spoiled(found: Sequence[Sample]) -> list[Sample]:
    """Return samples that nobody may trust, and numbers of every size."""
    qualities = (BAD_SENSOR_FAILURE, UNCERTAIN_NO_COMMUNICATION_LAST_USABLE, BAD_WAITING_FOR_INITIAL)
    values = (None, -1e12, 1e-9, 123_456_789.123, -0.0, 7.0)
    return [replace(one, quality=qualities[one.tag_id % 3], value=values[one.tag_id % 6]) for one in found]


def networks() -> list[Network]:
    """Return a network for each municipality."""
    return [_network(number, (-84.0 + 0.2 * number, 38.0 + 0.05 * (number % 2))) for number in (1, 2, 3)]


def samples(known: Configuration, now: datetime) -> list[Sample]:
    """Return a value for every tag, some of them uncertain, stale, bad or missing."""
    dice = random.Random(7)
    found = []
    for tag in known.tags:
        value = float(dice.randrange(len(tag.states))) if tag.states else dice.uniform(0.2, 0.85) * tag.high
        time = now - timedelta(seconds=dice.uniform(0, 4))
        quality = GOOD
        if tag.id % 17 == 0:
            quality = UNCERTAIN_SENSOR_NOT_ACCURATE
        elif tag.id % 19 == 0:
            quality, time = UNCERTAIN_NO_COMMUNICATION_LAST_USABLE, now - timedelta(minutes=4)
        elif tag.id % 23 == 0:
            quality = BAD_SENSOR_FAILURE
        if tag.id % 29 != 0:
            found.append(Sample(tag.id, None if tag.id % 46 == 0 else value, quality, time, time))
    return found


def alarms(known: Configuration, now: datetime, count: int = 40) -> list[Alarm]:
    """Return alarms in every state and of every priority."""
    dice = random.Random(3)
    found = []
    for number, rule in enumerate(dice.sample(known.rules, count)):
        raised = now - timedelta(seconds=dice.expovariate(1 / 4_000))
        alarm = Alarm(
            rule.id, True, False, 1 + number % 3, raised, value=rule.limit * dice.uniform(0.6, 0.98), quality=GOOD
        )
        if number % 3 == 1:
            alarm = replace(
                alarm,
                is_acknowledged=True,
                acknowledged_time=raised + timedelta(seconds=40),
                acknowledged_by="m.okafor",
            )
        elif number % 7 == 2:
            alarm = replace(alarm, is_active=False, returned_time=raised + timedelta(seconds=90))
        found.append(alarm)
    return found


def collector_status(now: datetime) -> CollectorStatus:
    """Return the heartbeat of a healthy collector."""
    return CollectorStatus(now, now - timedelta(hours=5), "waterworks-1", 4711, 8_412_345, 8_412_330, 0, 15)


def link_statuses(now: datetime) -> list[LinkStatus]:
    """Return six links, one down, one just connecting."""
    up = [
        LinkStatus(
            number,
            LinkState.UP,
            now - timedelta(hours=5),
            "",
            now - timedelta(seconds=number % 3),
            37.5 * number,
            40.0,
            812_345 * number,
        )
        for number in range(1, 7)
    ]
    lost = "The server at opc.tcp://10.3.0.7:4840 does not answer (timed out). Check that it runs and can be reached."
    up[2] = LinkStatus(
        3, LinkState.DOWN, now - timedelta(minutes=4), lost, now - timedelta(minutes=4), 0.0, None, 70_123, 12
    )
    up[5] = replace(up[5], state=LinkState.CONNECTING, since=now - timedelta(seconds=3), values_per_s=0.0)
    return up


@dataclass
class Stage:
    """A console whose room is fed by hand."""

    console: Console
    clock: FakeClock
    reading: FakeThread
    acting: FakeThread

    def fill(
        self,
        count: int = 40,
        change: Callable[[Configuration], Configuration] = lambda known: known,
        spoil: Callable[[Sequence[Sample]], list[Sample]] = list,
    ) -> None:
        """Configure the room and feed it with everything."""
        room, now = self.console.room, self.clock.now
        known = change(configuration())
        room.use_configuration(known, networks())
        self.connect()
        self.console.live_tags.watch("test", (tag.id for tag in known.tags))
        room.take_samples(spoil(samples(known, now)))
        room.take_alarms(alarms(known, now, count), True)
        self.console.alarms.flush()

    def connect(self) -> None:
        """Let the database answer and the collector beat."""
        self.console.room.take_connected(True, "")
        self.beat()

    def beat(self) -> None:
        """Let the collector beat."""
        self.console.room.take_status(collector_status(self.clock.now), link_statuses(self.clock.now))

    def returned(self, alarm: Alarm) -> Alarm:
        """Return the alarm as it is when all is over."""
        return replace(alarm, is_active=False, is_acknowledged=True)


def no_events() -> Events:
    """Return a period in which nothing happened."""
    nothing = np.array([], np.int64)
    return Events(np.array([], np.float64), nothing, nothing, nothing, nothing)


def make_stage(application: QApplication, folder: Path, clock: FakeClock, runner: "asyncio.Runner") -> Stage:
    """Return a stage; coroutines run to their end at once, unless a thread is held."""
    settings = QSettings(str(folder / "seat.ini"), QSettings.Format.IniFormat)
    room = Room(clock)
    answers: dict[Any, Callable[..., Any]] = {
        read_history: fake_history,
        read_comments: lambda: COMMENTS,
        read_load: lambda: AlarmLoad(4),
        read_nuisances: dict,
        read_occurrences: lambda rule_id, count: [],
        read_records: RecordBook,
        read_rule_changes: lambda rule_id, count: [],
        read_works: list,
        read_places: list,
        search_journal: lambda wanted, before, limit: [],
        read_events: lambda begin, end: no_events(),
        read_standing: lambda at: [],
        read_set_aside: lambda at: [],
    }
    reading, acting = (
        FakeThread(answers),
        FakeThread({acknowledge: all_done, note_export: lambda what, wanted, rows: None}),
    )

    def run(work: Coroutine[Any, Any, None]) -> None:
        runner.run(work)

    operations = Operations(reading, acting, run)
    shift = Shift(lambda _login, _word: FakePersonThread(acting), reading, frozenset, clock)
    everywhere = frozenset({Membership(None, Role.OPERATOR)})
    shift.person = Person("m.okafor", "Miriam Okafor", everywhere)
    theme = Theme(application, settings)
    console = Console(room, AlarmFeed(room), LiveTags(room), operations, shift, settings, Jumps(), Blink(), theme)
    return Stage(console, clock, reading, acting)


def states(found: list[Alarm]) -> set[AlarmState]:
    """Return which states occur."""
    return {alarm.state for alarm in found}
