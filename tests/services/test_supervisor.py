"""The supervisor: back-off, stale marks, counters and one log line each way, without sleeping."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from control_room.core.errors import LinkLost
from control_room.core.options import Field
from control_room.core.ports import LINK_ADDRESS, LINK_IS_LOST, LINK_IS_UP, Driver, DriverSpec, Item, Sink
from control_room.core.samples import Grade, Sample, stale
from control_room.core.status import LinkState
from control_room.core.tags import Connection
from control_room.services.supervisor import Supervisor, backoff_s
from tests.fakes import START, FakeClock, sample

ITEMS = (Item(1, "a"), Item(2, "b"))
Act = Callable[[Sink], Any]


class ScriptedDriver:
    """Does one act per attempt."""

    def __init__(self, acts: list[Act]) -> None:
        self._acts = acts

    async def run(self, sink: Sink) -> None:
        act = self._acts.pop(0) if self._acts else hang
        await act(sink)

    async def write(self, address: str, value: float) -> None:
        self.written = (address, value)

    async def probe(self) -> str:
        return "scripted"


async def hang(sink: Sink) -> None:
    await asyncio.Event().wait()


async def refuse(sink: Sink) -> None:
    raise LinkLost("Nobody answers.", advice="Look.")


async def live_then_break(sink: Sink) -> None:
    sink.link_up()
    sink.publish([sample(1, 5.0)])
    raise LinkLost("The link broke.")


async def live_on(sink: Sink) -> None:
    sink.link_up()
    sink.publish([sample(1, 6.0, 9), sample(2, 7.0, 9)])
    await hang(sink)


async def bug(sink: Sink) -> None:
    raise ZeroDivisionError("oops")


class Plant:
    """A supervisor with everything around it."""

    def __init__(
        self,
        acts: Sequence[Act],
        driver: str = "x",
        settings: Mapping[str, Any] | None = None,
        items: Sequence[Item] = ITEMS,
    ) -> None:
        self.published: list[Sample] = []
        self.clock = FakeClock()
        self.pauses: list[float] = []
        acts = list(acts)
        fields = (Field("host", "Host", "h"),)

        def make(settings: Mapping[str, Any], items: Sequence[Item]) -> Driver:
            return ScriptedDriver(acts)

        self.supervisor = Supervisor(
            Connection(1, 1, "works", driver, dict(settings or {})),
            DriverSpec("x", "X", fields, make) if driver == "x" else None,
            items,
            self.published.extend,
            self.clock,
            Random(1),
        )

    async def play(self, monkeypatch: pytest.MonkeyPatch, rounds: int) -> None:
        """Run until `rounds` pauses were made, without waiting for them."""
        enough = asyncio.Event()

        async def pause(seconds: float) -> None:
            self.pauses.append(seconds)
            self.clock.pass_s(seconds)
            if len(self.pauses) >= rounds:
                enough.set()
                await asyncio.Event().wait()

        monkeypatch.setattr("asyncio.sleep", pause)
        running = asyncio.create_task(self.supervisor.run())
        await asyncio.wait(
            [running, asyncio.create_task(enough.wait())], return_when=asyncio.FIRST_COMPLETED, timeout=1
        )
        monkeypatch.undo()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.gather(running, return_exceptions=True)


def test_the_pause_grows_to_a_minute_and_is_never_below_a_second() -> None:
    pauses = [[backoff_s(attempt, Random(seed)) for seed in range(200)] for attempt in (1, 2, 5, 9, 500)]
    assert all(1.0 <= one <= 60.0 for of_attempt in pauses for one in of_attempt)
    assert [round(max(of_attempt)) for of_attempt in pauses] == [2, 4, 32, 60, 60]


@pytest.mark.expects_log("lost")
async def test_a_lost_link_makes_every_item_stale_once(monkeypatch: pytest.MonkeyPatch) -> None:
    plant = Plant([live_then_break, refuse, refuse])
    await plant.play(monkeypatch, 3)
    good, *lost = plant.published
    assert good.grade is Grade.GOOD
    assert [(one.tag_id, one.value, one.grade) for one in lost] == [(1, 5.0, Grade.STALE), (2, None, Grade.BAD)]
    assert lost[0].source_time == START


@pytest.mark.expects_log("lost")
async def test_the_link_itself_is_a_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    plant = Plant([live_then_break, refuse, live_then_break], items=(*ITEMS, Item(9, LINK_ADDRESS)))
    await plant.play(monkeypatch, 3)
    assert [(one.value, one.grade) for one in plant.published if one.tag_id == 9] == [
        (LINK_IS_UP, Grade.GOOD),
        (LINK_IS_LOST, Grade.GOOD),
        (LINK_IS_UP, Grade.GOOD),
        (LINK_IS_LOST, Grade.GOOD),
    ]


@pytest.mark.expects_log("lost")
async def test_one_line_down_and_one_up(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    plant = Plant([live_then_break, refuse, refuse, live_then_break])
    await plant.play(monkeypatch, 4)
    lines = [record.message for record in caplog.records if "works" in record.message]
    assert [line.split(") ")[1].split()[0] for line in lines] == ["lost:", "is", "lost:"]


@pytest.mark.expects_log("works")
async def test_a_bug_in_a_driver_is_a_lost_link_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plant = Plant([bug, bug, bug])
    await plant.play(monkeypatch, 3)
    assert sum(record.levelname == "ERROR" for record in caplog.records) == 1
    assert "ZeroDivisionError" in plant.supervisor.status(plant.clock()).reason


@pytest.mark.expects_log("lost")
@pytest.mark.parametrize(("driver", "settings"), [("unknown", {}), ("x", {"hots": "typo"})])
async def test_bad_settings_are_said_and_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, driver: str, settings: dict[str, str]
) -> None:
    plant = Plant([], driver, settings)
    await plant.play(monkeypatch, 1)
    status = plant.supervisor.status(plant.clock())
    assert status.state is LinkState.DOWN
    assert driver in status.reason or "hots" in status.reason
    assert plant.pauses == []


async def one_hour_ahead(sink: Sink) -> None:
    sink.link_up()
    sink.publish([replace(sample(1, 5.0), source_time=START + timedelta(hours=1)), sample(2, 7.0)])
    raise LinkLost("The link broke.")


@pytest.mark.expects_log("lost")
async def test_a_time_from_the_future_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    plant = Plant([one_hour_ahead])
    await plant.play(monkeypatch, 1)
    first, second, *lost = plant.published
    assert (first.source_time, first.grade) == (START, Grade.UNCERTAIN)
    assert second == sample(2, 7.0)
    assert {one.grade for one in lost} == {Grade.STALE}


@pytest.mark.expects_log("lost")
async def test_what_a_slow_clock_measures_after_an_outage_is_newer_than_the_outage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    behind = timedelta(seconds=40)

    def measure(value: float) -> Sample:
        now = plant.clock.pass_s(6)
        return Sample(1, value, 0, now - behind, now)

    async def live(sink: Sink) -> None:
        sink.link_up()
        for value in (1.0, 2.0):
            sink.publish([measure(value)])
        raise LinkLost("The link broke.")

    plant = Plant([live, live])
    await plant.play(monkeypatch, 2)
    times = [one.source_time for one in plant.published if one.tag_id == 1]
    assert [one.value for one in plant.published if one.tag_id == 1] == [1.0, 2.0, 2.0, 1.0, 2.0, 2.0]
    assert times == sorted(times)


def test_a_stale_mark_is_never_older_than_what_it_marks() -> None:
    ahead = sample(1, 5.0, 4)
    assert stale(ahead, START).source_time == ahead.source_time


async def test_the_status_counts() -> None:
    plant = Plant([live_on])
    running = asyncio.create_task(plant.supervisor.run())
    await asyncio.sleep(0.01)
    status = plant.supervisor.status(plant.clock.pass_s(4))
    assert (status.state, status.received, status.values_per_s) == (LinkState.UP, 2, 0.5)
    assert status.last_good_time == sample(1, 0, 9).arrival_time
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_writing_without_a_link_is_refused() -> None:
    with pytest.raises(LinkLost):
        await Plant([]).supervisor.write(1, 2.0)
