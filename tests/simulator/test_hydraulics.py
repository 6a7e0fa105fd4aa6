"""The networks obey physics: pumps, bursts, tanks, valves; and bad files are named in clear words."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from control_room.core.errors import BadNetworkFile
from control_room.simulator.hydraulics import DAY_S, START_S, Hydraulics, network_file, open_network
from control_room.simulator.municipalities import NORTHFIELD, Municipality, municipality_of

HOUR_S = 3_600


@pytest.fixture
def net3(tmp_path: Path) -> Iterator[Hydraulics]:
    network = open_network("net3", NORTHFIELD, tmp_path, 60)
    network.advance(2 * HOUR_S)
    yield network
    network.close()


def test_a_pump_that_stops_delivers_nothing(net3: Hydraulics) -> None:
    assert net3.read("link", "335", "FLOW") > 100
    net3.held["335"] = False
    net3.advance(net3.time_s + 60)
    assert net3.read("link", "335", "FLOW") == pytest.approx(0, abs=1e-6)


def test_a_slower_pump_delivers_less_and_keeps_its_speed_over_a_stop(net3: Hydraulics) -> None:
    full = net3.read("link", "335", "FLOW")
    net3.set_speed("335", 0.9)
    net3.advance(net3.time_s + 60)
    slower = net3.read("link", "335", "FLOW")
    assert 0 < slower < 0.95 * full
    net3.held["335"] = False
    net3.advance(net3.time_s + 60)
    net3.set_speed("335", 0.9)
    net3.advance(net3.time_s + 60)
    assert net3.read("link", "335", "FLOW") == pytest.approx(0, abs=1e-6)
    net3.held["335"] = True
    net3.advance(net3.time_s + 60)
    assert net3.read("link", "335", "FLOW") == pytest.approx(slower, rel=0.05)


def test_a_burst_takes_pressure_away_and_its_repair_gives_it_back(net3: Hydraulics) -> None:
    before_m = net3.read("node", "255", "PRESSURE")
    net3.write("node", "255", "EMITTER", 20.0)
    net3.advance(net3.time_s + 60)
    assert net3.read("node", "255", "PRESSURE") < before_m - 1
    net3.write("node", "255", "EMITTER", 0.0)
    net3.advance(net3.time_s + 60)
    assert net3.read("node", "255", "PRESSURE") == pytest.approx(before_m, abs=1)


def test_a_tank_gains_what_flows_in(net3: Hydraulics) -> None:
    area_m2 = math.pi * net3.model.get_node("1").diameter ** 2 / 4
    inflow_m3 = 0.0
    start_m = net3.read("node", "1", "PRESSURE")
    for _ in range(60):
        net3.advance(net3.time_s + 60)
        # the flow of a step holds until the next one
        inflow_m3 += net3.read("node", "1", "DEMAND") / 1_000 * 60
    end_m = net3.read("node", "1", "PRESSURE")
    assert abs(end_m - start_m) > 0.01
    assert (end_m - start_m) * area_m2 == pytest.approx(inflow_m3, rel=0.05)


def test_the_pumps_of_a_program_start_every_day(net3: Hydraulics) -> None:
    # by its file pump 10 runs from 1 to 15 o'clock
    for day in (0, 1, 9):
        net3.advance(day * DAY_S + 3 * HOUR_S)
        assert net3.read("link", "10", "STATUS") == 1, day
        net3.advance(day * DAY_S + 20 * HOUR_S)
        assert net3.read("link", "10", "STATUS") == 0, day


@pytest.mark.parametrize("name", ["ky4", "ky10"])
def test_the_tuned_networks_breathe_and_stay_physical(name: str, tmp_path: Path) -> None:
    network = open_network(name, municipality_of(name), tmp_path, 1_800)
    model = network.model
    # a station's own pipes may lie above the water that it sucks
    stations = {end for _, link in model.pumps() for end in (link.start_node_name, link.end_node_name)}
    customers = [key for key in model.junction_name_list if key not in stations]
    fills: dict[str, list[float]] = {tank: [] for tank in model.tank_name_list}
    for hour in range(0, 96, 3):
        network.advance(START_S + hour * HOUR_S)
        assert min(network.read("node", key, "PRESSURE") for key in customers[::7]) > 0
        for tank, fill in fills.items():
            fill.append(network.derived(tank, "FILL"))
    network.close()
    moving = [tank for tank, fill in fills.items() if max(fill) - min(fill) > 5]
    assert set(moving) == set(fills)
    assert min(min(fill) for fill in fills.values()) > 1


def test_a_reducing_valve_holds_its_setpoint(tmp_path: Path) -> None:
    network = open_network("ky10", municipality_of("ky10"), tmp_path, 600)
    network.advance(HOUR_S)
    valve = network.model.get_link("~@RV-2")
    network.write("link", "~@RV-2", "SETTING", 45.0)
    network.advance(network.time_s + 600)
    assert network.read("node", valve.end_node_name, "PRESSURE") == pytest.approx(45.0, abs=0.1)
    assert network.derived("~@RV-2", "SETTING") == pytest.approx(45.0)
    assert 0 < network.derived("~@RV-2", "OPENING") < 100
    network.close()


def test_chlorine_decays_on_its_way(net3: Hydraulics) -> None:
    net3.advance(DAY_S)
    chlorine = [net3.read("node", key, "QUALITY") for key in net3.model.junction_name_list]
    assert max(chlorine) == pytest.approx(1.2, abs=0.01)
    assert 0 < min(chlorine) < 1


def test_what_epanet_does_not_take_changes_nothing(net3: Hydraulics) -> None:
    assert not net3.write("node", "255", "EMITTER", -1.0)
    assert not net3.write("link", "no pump", "STATUS", 1.0)
    net3.advance(net3.time_s + 60)
    assert net3.read("node", "255", "EMITTER") == 0


def test_no_file_grows_while_the_plant_runs(tmp_path: Path) -> None:
    network = open_network("ky10", municipality_of("ky10"), tmp_path, 1_800)
    sizes = []
    for day in (1, 3):
        network.advance(day * DAY_S)
        # without pressure EPANET would complain at every step
        network.write("node", "J-1", "EMITTER", 1e4)
        sizes.append(sum(path.stat().st_size for path in tmp_path.iterdir()))
    network.close()
    assert sizes[0] == sizes[1]
    assert network.engine.errcodelist == []


def test_the_networks_come_from_the_installed_package() -> None:
    assert network_file("KY10").name == "ky10.inp"
    assert "wntr" in network_file("net3").parts


def test_an_unknown_network_is_named() -> None:
    with pytest.raises(BadNetworkFile, match=r"no network 'atlantis'.*net3, ky4, ky10"):
        network_file("atlantis")
    with pytest.raises(BadNetworkFile, match="no network"):
        network_file("missing.inp")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ((" 20 ", " 20 is no number "), r"line \d+"),
        (("[END]", "[PIPES]\n 999 10 nowhere 100 12 130 0 Open\n[END]"), r"undefined node.*line \d+ '999"),
        (("[RESERVOIRS]", "[NONSENSE]"), "NONSENSE|section"),
    ],
)
def test_a_malformed_file_is_explained_in_the_words_of_epanet(
    change: tuple[str, str], words: str, tmp_path: Path
) -> None:
    text = network_file("net3").read_text(encoding="utf-8")
    path = tmp_path / "broken.inp"
    path.write_text(text.replace(*change, 1), encoding="utf-8")
    with pytest.raises(BadNetworkFile, match=words):
        open_network(str(path), Municipality("broken", "Broken"), tmp_path, 60)


def test_any_file_at_all_is_answered_by_a_sentence(tmp_path: Path) -> None:
    for content in (b"", b"hello", bytes(range(256)), b"[JUNCTIONS]\n1 2 3\n"):
        path = tmp_path / "any.inp"
        path.write_bytes(content)
        with pytest.raises(BadNetworkFile, match=r"any\.inp is no usable network"):
            open_network(str(path), Municipality("any", "Any"), tmp_path, 60)
