"""The links follow the configuration, and a link that nobody wants any more leaves no value that looks alive."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from control_room.core.ports import Configuration, DriverSpec, Item, Sink
from control_room.core.samples import Grade, Sample
from control_room.core.status import LinkState
from control_room.core.tags import Connection, Municipality, Quantity, Tag
from control_room.services.links import Links
from control_room.services.supervisor import Supervisor
from tests.fakes import START, FakeClock, sample


class LivingDriver:
    """Delivers one value of every item and stays up."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items

    async def run(self, sink: Sink) -> None:
        sink.link_up()
        sink.publish([sample(item.tag_id, 1.0) for item in self._items])
        await asyncio.Event().wait()

    async def write(self, address: str, value: float) -> None:
        raise NotImplementedError

    async def probe(self) -> str:
        return "living"


SPEC = DriverSpec("living", "Living", (), lambda _, items: LivingDriver(items))


class Living:
    """Links, and what they have published."""

    def __init__(self) -> None:
        self.newest: dict[int, Sample] = {}
        self.made: list[int] = []
        self.links = Links(self._make)

    def _make(self, connection: Connection, items: tuple[Item, ...]) -> Supervisor:
        self.made.append(connection.id)
        return Supervisor(connection, SPEC, items, self._take, FakeClock(), Random(1))

    def _take(self, samples: Sequence[Sample]) -> None:
        self.newest.update((one.tag_id, one) for one in samples)

    async def until(self, grades: dict[int, Grade]) -> None:
        async with asyncio.timeout(5):
            while {tag_id: one.grade for tag_id, one in self.newest.items()} != grades:
                await asyncio.sleep(0)


def configuration(*, is_enabled: bool = True, address: str = "b") -> Configuration:
    connections = (Connection(1, 1, "works", "living"), Connection(2, 1, "wells", "living", is_enabled=is_enabled))
    tags = (tag(1, 1, "a"), tag(2, 2, address))
    return Configuration((Municipality(1, "town", "Town"),), connections, tags, ())


def tag(tag_id: int, connection_id: int, address: str) -> Tag:
    return Tag(
        id=tag_id,
        municipality_id=1,
        connection_id=connection_id,
        key=f"T{tag_id}",
        name=f"Tag {tag_id}",
        site="Site",
        asset="Asset",
        quantity=Quantity.FLOW,
        address=address,
    )


@pytest.fixture
async def living() -> Living:
    found = Living()
    await found.links.apply(configuration())
    await found.until({1: Grade.GOOD, 2: Grade.GOOD})
    return found


async def test_only_what_changed_is_started_anew(living: Living) -> None:
    await living.links.apply(configuration(address="c"))
    assert living.made == [1, 2, 2]
    await living.until({1: Grade.GOOD, 2: Grade.GOOD})
    await living.links.stop()


async def test_a_disabled_link_leaves_stale_values(living: Living) -> None:
    await living.links.apply(configuration(is_enabled=False))
    assert living.newest[2].grade is Grade.STALE
    assert living.newest[1].grade is Grade.GOOD
    assert [one.state for one in living.links.statuses(START)] == [LinkState.UP]
    await living.links.stop()


async def test_stopping_ends_all_and_leaves_nothing_that_looks_alive(living: Living) -> None:
    await living.links.stop()
    assert {one.grade for one in living.newest.values()} == {Grade.STALE}
    assert living.links.statuses(START) == []


async def test_an_unchanged_configuration_disturbs_nobody(living: Living) -> None:
    same = configuration()
    await living.links.apply(replace(same, tags=tuple(same.tags)))
    assert living.made == [1, 2]
    await living.links.stop()
