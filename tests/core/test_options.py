"""Settings are taken as they are or refused with every fault named."""

from typing import Any

import pytest

from control_room.core.errors import BadOption
from control_room.core.options import Field, check

FIELDS = (
    Field("host", "Host", "", is_required=True),
    Field("port", "Port", 1883, low=1, high=65_535),
    Field("wait_s", "Wait", 5.0, low=0.5, high=60.0),
    Field("protocol", "Protocol", "auto", choices=("auto", "5")),
    Field("use_tls", "Encrypt", False),
)


def test_defaults_fill_in_what_is_not_given() -> None:
    assert check(FIELDS, {"host": "plant", "port": 8883}) == {
        "host": "plant",
        "port": 8883,
        "wait_s": 5.0,
        "protocol": "auto",
        "use_tls": False,
    }


@pytest.mark.parametrize(
    "given",
    [
        {"port": 1},
        {"port": 65_535},
        # a whole number is a number, too
        {"wait_s": 60},
        {"wait_s": 0.5},
        {"protocol": "5"},
        {"use_tls": True},
    ],
)
def test_what_is_allowed(given: dict[str, Any]) -> None:
    assert check(FIELDS, {"host": "plant", **given}).items() >= given.items()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"host": ""}, "Host ('host'): must not be empty"),
        ({"host": " \t"}, "Host ('host'): must not be empty"),
        ({"host": None}, "Host ('host'): must be a str, is None"),
        ({"port": "1883"}, "Port ('port'): must be a int, is '1883'"),
        ({"port": 1883.0}, "must be a int"),
        ({"port": True}, "must be a int"),
        ({"port": 0}, "Port ('port'): must be at least 1, is 0"),
        ({"port": 65_536}, "must be at most 65535, is 65536"),
        ({"wait_s": 0.4}, "must be at least 0.5, is 0.4"),
        ({"wait_s": 61}, "must be at most 60, is 61"),
        ({"wait_s": float("nan")}, "must be at least 0.5, is nan"),
        ({"wait_s": float("inf")}, "must be at most 60, is inf"),
        ({"protocol": "4"}, "Protocol ('protocol'): must be one of auto, 5, is '4'"),
        ({"use_tls": 1}, "Encrypt ('use_tls'): must be a bool, is 1"),
        ({"hots": "plant"}, "'hots' is no setting (there are: host, port, protocol, use_tls, wait_s)"),
    ],
)
def test_what_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(BadOption) as fault:
        check(FIELDS, {"host": "plant", **given})
    assert words in str(fault.value)
    assert fault.value.advice


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(BadOption) as fault:
        check(FIELDS, {"port": 0, "protocol": "4", "colour": "blue"})
    assert all(f"'{key}'" in str(fault.value) for key in ("host", "port", "protocol", "colour"))


def test_a_number_without_bounds_may_be_any() -> None:
    assert check((Field("offset", "Offset", 0.0),), {"offset": -1e9}) == {"offset": -1e9}
