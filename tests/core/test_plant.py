"""A plant's document is read as it was written, and every link has a tag."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from control_room.core.alarms import AlarmKind, Priority
from control_room.core.errors import ControlRoomError
from control_room.core.plant import LINK_ALARM_DELAY_S, Plant, as_document, as_link_tag, from_document, with_link_tags
from control_room.core.ports import LINK_ADDRESS, LINK_IS_LOST, LINK_IS_UP
from control_room.core.tags import Quantity
from tests.plants import plant

_DIGITAL = replace(
    plant().tags[0],
    key="P1.state",
    quantity=Quantity.STATE,
    unit="",
    low=-0.5,
    high=1.0,
    decimals=3,
    states=("stopped", "running"),
    element="",
    is_writable=True,
    rules=(),
)


@pytest.mark.parametrize(
    "one",
    [
        plant(),
        Plant("empty", "Empty"),
        replace(plant(), is_schematic=True, tags=(_DIGITAL,)),
        with_link_tags(plant()),
    ],
)
def test_a_document_is_read_as_it_was_written(one: Plant) -> None:
    assert from_document(json.loads(json.dumps(as_document(one)))) == one


def without(*path: str) -> Callable[[dict[str, Any]], None]:
    def spoil(document: dict[str, Any]) -> None:
        place: Any = document
        for step in path[:-1]:
            place = place[step][0] if isinstance(place[step], list) else place[step]
        del place[path[-1]]

    return spoil


def with_value(value: Any, *path: str) -> Callable[[dict[str, Any]], None]:
    def spoil(document: dict[str, Any]) -> None:
        place: Any = document
        for step in path[:-1]:
            place = place[step][0] if isinstance(place[step], list) else place[step]
        place[path[-1]] = value

    return spoil


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (without("name"), "'name'"),
        (without("tags", "quantity"), "'quantity'"),
        (without("tags", "address"), "'address'"),
        (without("nodes", "key"), "'key'"),
        (with_value("heat", "tags", "quantity"), "'heat'"),
        (with_value("HHH", "tags", "rules", "kind"), "'HHH'"),
        (with_value(9, "tags", "rules", "priority"), "9"),
        (with_value("canal", "links", "kind"), "'canal'"),
        (with_value([[0.0]], "links", "vertices"), "unpack"),
        (with_value("blue", "tags", "colour"), "'colour'"),
        (with_value(None, "connections"), "NoneType"),
    ],
)
def test_a_document_that_is_not_understood_is_refused_in_words(
    spoil: Callable[[dict[str, Any]], None], words: str
) -> None:
    document = json.loads(json.dumps(as_document(plant())))
    spoil(document)
    with pytest.raises(ControlRoomError, match="plant document is not understood") as fault:
        from_document(document)
    assert words in str(fault.value)
    assert fault.value.advice


def test_every_connection_gets_one_tag_with_an_alarm_that_waits() -> None:
    before = plant()
    tag = with_link_tags(before).tags[-1]
    assert with_link_tags(before).tags[:-1] == before.tags
    assert (tag.key, tag.connection, tag.address) == ("link.works", "works", LINK_ADDRESS)
    [rule] = tag.rules
    assert (rule.kind, rule.priority, rule.on_delay_s) == (AlarmKind.H, Priority.HIGH, LINK_ALARM_DELAY_S)
    assert "works is lost" in rule.message


def test_a_link_tag_names_what_it_says_and_alarms_between_up_and_lost() -> None:
    tag = as_link_tag(_DIGITAL, "The outstation has lost its link")
    assert (tag.states[round(LINK_IS_UP)], tag.states[round(LINK_IS_LOST)]) == ("up", "lost")
    assert LINK_IS_UP < tag.rules[0].limit < LINK_IS_LOST
    assert (tag.low, tag.high) == (LINK_IS_UP, LINK_IS_LOST)
