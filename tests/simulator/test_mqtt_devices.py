"""The payloads of devices, as the module documents them."""

import json

from control_room.core.samples import BAD_SENSOR_FAILURE, GOOD
from control_room.simulator.mqtt_devices import DevicesOrder, address_of, payloads

ORDER = DevicesOrder(
    1883,
    {
        ("town", "PL01.pressure"): ("town", "north-zone"),
        ("town", "CL01.chlorine"): ("town", "north-zone"),
        ("town", "PL02.pressure"): ("town", "south-zone"),
    },
)


def test_one_message_for_each_outstation_and_quality() -> None:
    reports = [
        ("PL01.pressure", 41.3, GOOD),
        ("CL01.chlorine", None, BAD_SENSOR_FAILURE),
        ("PL02.pressure", 30.0, GOOD),
    ]
    made = payloads(ORDER, "town", reports, 1_772_344_800.25)
    time = "2026-03-01T06:00:00.250Z"
    assert made == {
        (("town", "north-zone"), 192): {"t": time, "q": 192, "PL01": {"pressure": 41.3}},
        (("town", "north-zone"), 0): {"t": time, "q": 0, "CL01": {"chlorine": None}},
        (("town", "south-zone"), 192): {"t": time, "q": 192, "PL02": {"pressure": 30.0}},
    }


def test_an_address_leads_to_the_value() -> None:
    address = address_of("town", "north-zone", "PL01.pressure")
    assert address == "town/north-zone/data#PL01.pressure"
    content = json.loads(json.dumps(next(iter(payloads(ORDER, "town", [("PL01.pressure", 41.3, GOOD)], 0.0).values()))))
    for part in address.partition("#")[2].split("."):
        content = content[part]
    assert content == 41.3
