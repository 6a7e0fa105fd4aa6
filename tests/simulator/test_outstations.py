"""Outstations measure, obey and suffer, and the same seed makes the same plant."""

import json
import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from control_room.core.alarms import AlarmKind, AlarmRule, Raised
from control_room.core.conditions import Condition, judge
from control_room.core.plant import LINK_ALARM_DELAY_S, PlantTag, as_document, from_document
from control_room.core.ports import Item
from control_room.core.samples import BAD_NO_COMMUNICATION, BAD_SENSOR_FAILURE, GOOD, Sample
from control_room.core.tags import Quantity
from control_room.simulator.faults import Fault, FaultKind, script
from control_room.simulator.hydraulics import DAY_S, START_S, network_file
from control_room.simulator.links import link_points
from control_room.simulator.mqtt_devices import DevicesOrder, address_of, payloads, status_address
from control_room.simulator.outstations import Outstations, Report, outstations
from control_room.simulator.plant_model import build
from control_room.simulator.plant_process import TICK_S, PlantOrder, open_stations
from control_room.simulator.points import MQTT, OPC_UA
from drivers.mqtt import Readings, _Message
from tests.simulator.judging import announced, judged

SPEED = 60.0
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Outstations]:
    model, network = build("net3", tmp_path)
    network.set_step(30)
    yield outstations(model, network, SPEED, seed=1)
    network.close()


class Watch:
    """Steps an outstation in ticks and keeps the newest report of each tag."""

    def __init__(self, station: Outstations) -> None:
        self.station, self.wall_s = station, 0.0
        self.newest: dict[str, tuple[float | None, int]] = {}

    def run(self, seconds: float) -> list[tuple[float, Report]]:
        said = []
        end_s = self.wall_s + seconds
        while self.wall_s < end_s:
            self.wall_s += TICK_S
            for report in self.station.step(self.wall_s):
                said.append((self.wall_s, report))
                self.newest[report[0]] = report[1:]
        return said

    def value(self, key: str) -> float:
        value, quality = self.newest[key]
        assert quality == GOOD
        assert value is not None
        return value


def raised(tags: Iterable[PlantTag], said: Iterable[tuple[float, Report]]) -> list[tuple[float, PlantTag, AlarmKind]]:
    """Judge the reports as the alarm desk does; return (seconds, tag, kind) of every alarm raised."""
    by_key = {tag.key: tag for tag in tags}
    rules = {
        key: [
            AlarmRule(n, 0, r.kind, r.priority, r.limit, r.deadband, r.on_delay_s, r.off_delay_s)
            for n, r in enumerate(tag.rules)
        ]
        for key, tag in by_key.items()
    }
    conditions: dict[tuple[str, int], Condition] = {}
    found = []
    for wall_s, (key, value, quality) in said:
        now = EPOCH + timedelta(seconds=wall_s)
        for rule in rules[key]:
            before = conditions.get((key, rule.id), Condition())
            conditions[key, rule.id], events = judge(rule, before, Sample(0, value, quality, now, now), lambda _: None)
            found += [(wall_s, by_key[key], rule.kind) for event in events if isinstance(event, Raised)]
    return found


def test_the_plant_starts_at_six_and_says_everything_once(station: Outstations) -> None:
    assert station.network.time_s % DAY_S == START_S
    watch = Watch(station)
    watch.run(TICK_S)
    assert set(watch.newest) == {one.tag.key for one in station.model.instruments}
    assert {quality for _, quality in watch.newest.values()} == {GOOD}


def test_a_seed_repeats_a_run_and_another_makes_another(tmp_path: Path) -> None:
    def said(seed: int) -> list[tuple[float, Report]]:
        station = open_stations(PlantOrder(("net3",), SPEED, seed, True, tmp_path))["northfield"]
        reports = Watch(station).run(40)
        station.network.close()
        return reports

    assert said(7) == said(7)
    assert said(7) != said(8)


def test_a_healthy_plant_raises_no_alarm_for_a_day(station: Outstations) -> None:
    said = Watch(station).run(DAY_S / SPEED)
    assert announced(station, said) == []


def test_points_report_on_change_and_periodically(station: Outstations) -> None:
    said = Watch(station).run(60)
    times: dict[str, list[float]] = {}
    for wall_s, (key, *_) in said:
        times.setdefault(key, []).append(wall_s)
    gaps = [later - earlier for one in times.values() for earlier, later in pairwise(one)]
    assert max(gaps) <= 10.0
    # a mode that nobody touches only repeats itself; a level that moves speaks more often
    assert len(times["PU01.mode"]) == 6
    assert len(times["TK01.level"]) > 12


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_script_soon_makes_physics_raise_an_alarm(seed: int, tmp_path: Path) -> None:
    station = open_stations(PlantOrder(("net3",), SPEED, seed, True, tmp_path))["northfield"]
    found = raised([one.tag for one in station.model.instruments], Watch(station).run(25))
    station.network.close()
    physical = (Quantity.PRESSURE, Quantity.FLOW)
    assert [tag.key for _, tag, kind in found if tag.quantity in physical and kind is not AlarmKind.BAD]


def test_the_script_brings_every_kind_and_never_ends() -> None:
    from random import Random

    plans = script(0.0, Random(3))
    first = [next(plans) for _ in range(200)]
    assert {plan.kind for plan in first[:6]} == set(FaultKind)
    assert [plan.at_s for plan in first] == sorted(plan.at_s for plan in first)
    assert all(0 <= plan.lot < 1 and plan.seconds > 0 for plan in first)


def test_a_burst_lowers_the_pressure_and_heals(station: Outstations) -> None:
    watch = Watch(station)
    watch.run(5)
    before_m = watch.value("PL01.pressure")
    at = next(one.source[1] for one in station.model.instruments if one.tag.key == "PL01.pressure")
    assert station.cause(Fault(FaultKind.BURST, at, 10.0), watch.wall_s)
    watch.run(5)
    assert watch.value("PL01.pressure") < before_m - 3
    watch.run(10)
    assert watch.value("PL01.pressure") == pytest.approx(before_m, abs=3)


def test_a_tripped_pump_stands_whatever_the_command_until_it_heals(station: Outstations) -> None:
    watch = Watch(station)
    station.obey("PU02.command", 1.0)
    watch.run(2)
    assert watch.value("PU02.flow") > 100
    station.cause(Fault(FaultKind.TRIP, "335", 10.0), watch.wall_s)
    station.obey("PU02.command", 1.0)
    watch.run(5)
    assert watch.value("PU02.trip") == 1
    assert watch.value("PU02.state") == 0
    assert watch.value("PU02.flow") == pytest.approx(0, abs=1)
    watch.run(10)
    assert watch.value("PU02.trip") == 0
    assert watch.value("PU02.flow") > 100


# a pump that runs out of its hours delivers more than on healthy days
HIGH_FLOW = ("PU02.flow", AlarmKind.H)


def test_a_stopped_pump_has_no_low_flow_alarm(station: Outstations) -> None:
    watch = Watch(station)
    station.obey("PU02.command", 1.0)
    said = watch.run(20)
    station.obey("PU02.command", 0.0)
    said += watch.run(20)
    station.obey("PU02.command", 1.0)
    said += watch.run(40)
    low_flow = [one[2] for one in judged(station, said) if one[:2] == ("PU02.flow", AlarmKind.L)]
    assert low_flow[-4:] == ["raised DSUPR", "suppressed DSUPR", "returned DSUPR", "unsuppressed NORM"]
    assert ("PU02.flow", AlarmKind.L) not in announced(station, said)


def test_a_station_without_power_is_one_alarm(station: Outstations) -> None:
    watch = Watch(station)
    pump = next(one for one in station.model.instruments if one.tag.key == "PU02.command")
    station.obey("PU02.command", 1.0)
    said = watch.run(20)
    assert station.cause(Fault(FaultKind.POWER, pump.device, 40.0), watch.wall_s)
    said += watch.run(30)
    assert watch.value(f"{pump.device}.mains") == 1
    assert watch.value("PU02.state") == 0
    assert watch.value("PU02.flow") == pytest.approx(0, abs=1)
    said += watch.run(30)
    assert watch.value("PU02.flow") > 100
    of_station = {one.tag.key for one in station.model.instruments if one.device == pump.device}
    told = [one for one in announced(station, said) if one[0] in of_station and one != HIGH_FLOW]
    assert told == [(f"{pump.device}.mains", "H")]
    assert ("PU02.state", "DISC", "raised DSUPR") in judged(station, said)


def test_a_trip_is_one_alarm(station: Outstations) -> None:
    watch = Watch(station)
    station.obey("PU02.command", 1.0)
    said = watch.run(20)
    station.cause(Fault(FaultKind.TRIP, "335", 40.0), watch.wall_s)
    said += watch.run(80)
    told = [one for one in announced(station, said) if one[0].startswith("PU02") and one != HIGH_FLOW]
    assert told == [("PU02.trip", "H")]


def test_a_stuck_sensor_repeats_itself_as_good(station: Outstations) -> None:
    watch = Watch(station)
    watch.run(5)
    before = watch.value("TK01.level")
    station.cause(Fault(FaultKind.STUCK, "TK01.level", 100.0), watch.wall_s)
    said = [report for _, report in watch.run(60) if report[0] == "TK01.level"]
    assert {report[1:] for report in said} == {(before, GOOD)}
    assert abs(station.network.read("node", "1", "PRESSURE") - before) > 0.05


def test_a_broken_sensor_says_so_and_recovers(station: Outstations) -> None:
    watch = Watch(station)
    station.cause(Fault(FaultKind.BAD, "TK01.level", 10.0), watch.wall_s)
    watch.run(5)
    assert watch.newest["TK01.level"] == (None, BAD_SENSOR_FAILURE)
    watch.run(10)
    assert watch.value("TK01.level") > 0


def test_a_lost_link_silences_an_outstation_and_it_obeys_nothing(station: Outstations) -> None:
    watch = Watch(station)
    watch.run(5)
    station.cause(Fault(FaultKind.LINK, "river-works", 20.0), watch.wall_s)
    assert station.cut == {"river-works"}
    mine = {one.tag.key for one in station.model.instruments if one.device == "river-works"}
    said = [report for _, report in watch.run(10) if report[0] in mine]
    assert sorted(said) == sorted((key, None, BAD_NO_COMMUNICATION) for key in mine)
    station.obey("PU02.mode", 0.0)
    watch.run(2)
    # what a server shows after such a write is corrected
    assert watch.newest["PU02.mode"] == (None, BAD_NO_COMMUNICATION)
    watch.run(10)
    assert watch.value("PU02.mode") == 1


def test_a_lost_outstation_is_one_alarm_and_a_short_absence_none(station: Outstations) -> None:
    watch = Watch(station)
    said = watch.run(5)
    for absence_s in (LINK_ALARM_DELAY_S - 10, LINK_ALARM_DELAY_S + 30):
        station.cause(Fault(FaultKind.LINK, "service-reservoirs", absence_s), watch.wall_s)
        said += watch.run(1)
        lost = [key for key, (_, quality) in watch.newest.items() if quality == BAD_NO_COMMUNICATION]
        assert len(lost) == sum(one.device == "service-reservoirs" for one in station.model.instruments) > 5
        assert watch.value("service-reservoirs.link") == 1
        said += watch.run(absence_s + 10)
        assert watch.value("service-reservoirs.link") == 0
    assert announced(station, said) == [("service-reservoirs.link", AlarmKind.H)]


class Radios:
    """Carries what the radio outstations of Northfield say to the MQTT driver, as a broker does."""

    def __init__(self, station: Outstations) -> None:
        points = [one for one in station.model.instruments if one.tag.connection == MQTT]
        links = list(link_points(points, MQTT))
        self.tags = [one.tag for one in (*points, *links)]
        addresses = [address_of("northfield", one.device, one.tag.key) for one in points]
        addresses += [status_address("northfield", one.source[1]) for one in links]
        self._order = DevicesOrder(0, {("northfield", one.tag.key): ("northfield", one.device) for one in points})
        self._readings = Readings([Item(number, one) for number, one in enumerate(addresses)], self)  # type: ignore[arg-type]
        self._station, self._online = station, frozenset[str]()
        self.said: list[tuple[float, Report]] = []

    def publish(self, samples: Iterable[Sample]) -> None:
        for one in samples:
            seconds = (one.arrival_time - EPOCH).total_seconds()
            self.said.append((seconds, (self.tags[one.tag_id].key, one.value, one.quality)))

    def run(self, first_s: float, last_s: float) -> None:
        for tick in range(round(first_s / TICK_S), round(last_s / TICK_S)):
            time = EPOCH + timedelta(seconds=tick * TICK_S)
            reports = [
                one for one in self._station.step(tick * TICK_S) if ("northfield", one[0]) in self._order.outstations
            ]
            online = self._station.elements[FaultKind.LINK] - self._station.cut
            for device in sorted(online ^ self._online):
                word = b"online" if device in online else b"offline"
                self._readings.take([_Message(status_address("northfield", device), word, time)])
            self._online = online
            for ((_, device), _), payload in payloads(self._order, "northfield", reports, time.timestamp()).items():
                if device in online:
                    self._readings.take([_Message(f"northfield/{device}/data", json.dumps(payload).encode(), time)])


def test_a_lost_radio_is_one_alarm_and_a_short_absence_none(station: Outstations) -> None:
    radios = Radios(station)
    radios.run(1, 5)
    station.cause(Fault(FaultKind.LINK, "north-zone", LINK_ALARM_DELAY_S - 10), 5.0)
    radios.run(5, 40)
    station.cause(Fault(FaultKind.LINK, "north-zone", LINK_ALARM_DELAY_S + 30), 40.0)
    radios.run(40, 120)
    assert [(tag.key, kind) for _, tag, kind in raised(radios.tags, radios.said)] == [("north-zone.link", AlarmKind.H)]
    links = [value for _, (key, value, _) in radios.said if key == "north-zone.link"]
    assert links == [0, 1, 0, 1, 0]


def test_every_outstation_has_one_link_tag(station: Outstations) -> None:
    instruments = station.model.instruments
    served = [one for one in instruments if not one.device]
    links = [*served, *link_points(instruments, MQTT)]
    assert sorted(one.source[1] for one in links) == sorted(station.elements[FaultKind.LINK])
    assert served == list(link_points(instruments, OPC_UA))


def test_an_unknown_element_suffers_nothing(station: Outstations) -> None:
    assert not station.cause(Fault(FaultKind.TRIP, "no pump", 10.0), 0.0)


def test_a_hand_on_the_switch_leaves_the_automatic(station: Outstations) -> None:
    watch = Watch(station)
    watch.run(2)
    running = watch.value("PU02.state")
    station.obey("PU02.command", 1 - running)
    watch.run(2)
    assert watch.value("PU02.state") == 1 - running
    assert watch.value("PU02.mode") == 0
    station.obey("PU02.mode", 1.0)
    watch.run(2)
    assert watch.value("PU02.mode") == 1
    assert watch.value("PU02.command") == float(station.network.wished["335"])


def test_a_speed_beyond_the_range_is_limited_and_said_again(station: Outstations) -> None:
    watch = Watch(station)
    station.obey("PU02.command", 1.0)
    watch.run(12)
    full = watch.value("PU02.flow")
    station.obey("PU02.speed_setpoint", 85.0)
    watch.run(2)
    assert watch.value("PU02.speed") == 85
    assert 0 < watch.value("PU02.flow") < full - 5
    for nonsense, then in ((500.0, 110.0), (math.nan, 110.0), (-3.0, 0.0)):
        station.obey("PU02.speed_setpoint", nonsense)
        assert ("PU02.speed_setpoint", then, GOOD) in [report for _, report in watch.run(TICK_S)]


def test_what_may_not_be_written_is_not(station: Outstations) -> None:
    watch = Watch(station)
    watch.run(2)
    station.obey("TK01.level", 99.0)
    station.obey("no such tag", 1.0)
    watch.run(2)
    assert watch.value("TK01.level") < 20


@pytest.mark.parametrize("name", ["Net1", "Net2"])
def test_a_network_of_somebody_else_runs_too(name: str, tmp_path: Path) -> None:
    copy = tmp_path / "My Town.inp"
    copy.write_bytes(network_file(name).read_bytes())
    station = open_stations(PlantOrder((str(copy),), SPEED, 1, True, tmp_path))["my-town"]
    watch = Watch(station)
    watch.run(120)
    assert station.model.plant.name == "My Town"
    assert watch.value("TK01.level") > 0
    station.network.close()


def test_the_plant_is_described_in_full(tmp_path: Path) -> None:
    model, network = build("ky10", tmp_path)
    network.close()
    plant = model.plant
    assert from_document(as_document(plant)) == plant
    assert not plant.is_schematic
    # the county lies in eastern Kentucky
    assert all(-83.3 < node.longitude_deg < -82.6 and 37.5 < node.latitude_deg < 38.1 for node in plant.nodes)
    tags = [one.tag for one in model.instruments]
    assert len({tag.key for tag in tags}) == len(tags) > 250
    assert len({(tag.site, tag.name) for tag in tags}) == len(tags)
    known = {f"node:{node.key}" for node in plant.nodes} | {f"link:{link.key}" for link in plant.links}
    assert {one.tag.element for one in model.instruments if one.device} <= known
    assert all(tag.low < tag.high and (tag.states or tag.unit) for tag in tags)
    assert all(rule.message for tag in tags for rule in tag.rules)
    analog = [tag for tag in tags if not tag.states and not tag.is_writable]
    assert all(AlarmKind.BAD in {rule.kind for rule in tag.rules} for tag in analog)
    rules = [rule for tag in tags for rule in tag.rules]
    shares = [sum(rule.priority in group for rule in rules) / len(rules) for group in ((4,), (3,), (1, 2))]
    assert shares == pytest.approx([0.8, 0.15, 0.05], abs=0.06)
