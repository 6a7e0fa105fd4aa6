"""The OPC UA driver against a real server in another process."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from asyncua import ua
from asyncua.client.client import Client

from control_room.core.errors import LinkLost, Refused, WrongCredentials
from control_room.core.options import check
from control_room.core.ports import Item
from control_room.core.samples import BAD_CONFIGURATION, GOOD, Grade
from drivers import opc_ua
from drivers.opc_ua import SPEC, OpcUaDriver
from tests.drivers.conftest import RememberingSink
from tests.servers import free_port, opc_ua_server


def driver(port: int, items: list[Item], **settings: Any) -> OpcUaDriver:
    given = {"endpoint": f"opc.tcp://127.0.0.1:{port}/test", "publish_ms": 50.0, "sampling_ms": 0.0, "timeout_s": 2.0}
    return OpcUaDriver(check(SPEC.fields, {**given, **settings}), items)


def items(count: int) -> list[Item]:
    return [Item(number, f"ns=2;s=v{number}") for number in range(count)]


@asynccontextmanager
async def running(one: OpcUaDriver, sink: RememberingSink) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(one.run(sink))
    try:
        up = asyncio.create_task(sink.until(lambda: sink.ups))
        await asyncio.wait([task, up], return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if task.done():
            await task
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_values_arrive_with_time_and_quality(sink: RememberingSink) -> None:
    port = free_port()
    with opc_ua_server(port):
        async with running(driver(port, items(5)), sink):
            await sink.until(lambda: {one.tag_id for one in sink.samples} == set(range(5)))
            await sink.until(lambda: sum(one.tag_id == 4 for one in sink.samples) > 3)
    first = sink.samples[0]
    assert (first.value, first.quality) == (float(first.tag_id), GOOD)
    changing = [one for one in sink.samples if one.tag_id == 4][1:]
    assert all(one.source_time.utcoffset() is not None and one.source_time <= one.arrival_time for one in changing)
    assert sink.dropped == 0


async def test_three_thousand_items_arrive_complete_at_once(sink: RememberingSink) -> None:
    port = free_port()
    with opc_ua_server(port, 3_000, 1.0):
        async with running(driver(port, items(3_000)), sink):
            await sink.until(lambda: len({one.tag_id for one in sink.samples}) == 3_000, 20)


async def test_items_that_cannot_be_had_look_bad_and_the_others_live(sink: RememberingSink) -> None:
    port = free_port()
    wanted = [Item(1, "ns=2;s=v1"), Item(2, "ns=2;s=missing"), Item(3, "no node id at all"), Item(4, "ns=2;s=words")]
    with opc_ua_server(port):
        async with running(driver(port, wanted), sink):
            await sink.until(lambda: {one.tag_id for one in sink.samples} == {1, 2, 3, 4})
    found = {one.tag_id: one for one in sink.samples}
    assert found[1].grade is Grade.GOOD
    assert found[2].quality == 0x8034  # BadNodeIdUnknown
    assert found[3].quality == BAD_CONFIGURATION
    assert (found[4].value, found[4].grade) == (None, Grade.BAD)


async def test_a_killed_server_is_a_lost_link(sink: RememberingSink) -> None:
    port = free_port()
    with opc_ua_server(port) as server:
        async with running(driver(port, items(5)), sink) as task:
            server.kill()
            async with asyncio.timeout(5):
                with pytest.raises(LinkLost, match="test"):
                    await task


async def test_a_frozen_server_is_a_lost_link(sink: RememberingSink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opc_ua, "KEEP_ALIVE_S", 0.2)
    port = free_port()
    with opc_ua_server(port) as server:
        async with running(driver(port, items(5)), sink) as task:
            server.freeze()
            async with asyncio.timeout(5):
                with pytest.raises(LinkLost, match="nothing was heard"):
                    await task


async def test_a_stall_of_this_program_is_no_silence_of_the_server(sink: RememberingSink) -> None:
    one = driver(1, items(1))
    feed = opc_ua._Feed(Client("opc.tcp://127.0.0.1:1"), one._settings, sink)
    feed._silence_s = 0.8
    watching = asyncio.create_task(feed.watch())
    await asyncio.sleep(0.1)
    # the whole loop stands still, as in a machine that has no time for it
    time.sleep(2.5)  # noqa: ASYNC251
    await asyncio.sleep(0.3)
    assert not watching.done()
    async with asyncio.timeout(5):
        with pytest.raises(LinkLost, match="nothing was heard"):
            await watching


@pytest.mark.parametrize(
    ("publish_ms", "sampling_ms", "buffer_s", "size"),
    [(250.0, 100.0, 10.0, 102), (250.0, 100.0, 0.0, 5), (50.0, 0.0, 10.0, 1_000), (60_000.0, 1_000.0, 10.0, 62)],
)
def test_a_server_is_asked_to_keep_what_a_stall_would_cost(
    publish_ms: float, sampling_ms: float, buffer_s: float, size: int
) -> None:
    one = driver(1, [], publish_ms=publish_ms, sampling_ms=sampling_ms, buffer_s=buffer_s)
    assert one._settings.queue_size == size


@pytest.mark.expects_log("a message was lost")
async def test_a_lost_message_is_counted_and_everything_read_anew(
    sink: RememberingSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = opc_ua._Feed._take
    swallowed: Iterator[int] = iter(())

    def lossy(feed: opc_ua._Feed, result: ua.PublishResult) -> None:
        if not result.NotificationMessage.NotificationData or next(swallowed, None) is None:
            take(feed, result)

    monkeypatch.setattr(opc_ua._Feed, "_take", lossy)
    port = free_port()
    with opc_ua_server(port):
        async with running(driver(port, items(5)), sink):
            await sink.until(lambda: {one.tag_id for one in sink.samples} == set(range(5)))
            assert sink.dropped == 0
            swallowed = iter(range(2))
            # of the five only one changes by itself
            await sink.until(lambda: sum(one.tag_id == 0 for one in sink.samples) == 2)
    assert sink.dropped == 2
    assert {one.tag_id for one in sink.samples[-10:]} == set(range(5))


@pytest.mark.parametrize(
    ("numbers", "dropped"),
    [
        ([1, 2, 3], 0),
        ([1, 4], 2),
        ([2], 1),
        ([1, 2, 1], 1),
        ([70_000, 70_001], 1),
    ],
)
async def test_what_a_gap_in_the_numbers_counts(sink: RememberingSink, numbers: list[int], dropped: int) -> None:
    one = driver(1, items(1))
    feed = opc_ua._Feed(Client("opc.tcp://127.0.0.1:1"), one._settings, sink)
    for number in numbers:
        message = ua.NotificationMessage(SequenceNumber=ua.UInt32(number))
        message.NotificationData = [ua.DataChangeNotification()]
        feed._take(ua.PublishResult(NotificationMessage=message))
    assert sink.dropped == dropped


async def test_nobody_there_is_a_lost_link_with_advice(sink: RememberingSink) -> None:
    with pytest.raises(LinkLost) as fault:
        await driver(free_port(), items(1)).run(sink)
    assert fault.value.advice


async def test_a_port_that_speaks_something_else_is_a_lost_link(sink: RememberingSink) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(LinkLost, match="does not answer"):
        await driver(silent.getsockname()[1], items(1), timeout_s=0.5).run(sink)


@pytest.mark.parametrize(
    "endpoint", ["opc.tcp://", "http://127.0.0.1:1", "nonsense", "opc.tcp://no.such.host.invalid:4840"]
)
async def test_a_nonsense_endpoint_is_a_lost_link(sink: RememberingSink, endpoint: str) -> None:
    with pytest.raises(LinkLost):
        await driver(1, items(1), endpoint=endpoint, timeout_s=1.0).run(sink)


async def test_a_wrong_password_is_said(sink: RememberingSink) -> None:
    port = free_port()
    with opc_ua_server(port):
        with pytest.raises(WrongCredentials):
            await driver(port, items(1), user="ada", password="wrong").run(sink)
        async with running(driver(port, items(1), user="ada", password="secret"), sink):
            await sink.until(lambda: sink.samples)


async def test_writing_arrives_and_a_refusal_is_said(sink: RememberingSink) -> None:
    port = free_port()
    with opc_ua_server(port):
        one = driver(port, items(3))
        async with running(one, sink):
            await one.write("ns=2;s=v1", 42.5)
            await sink.until(lambda: (found := sink.newest(1)) is not None and found.value == 42.5)
            with pytest.raises(Refused):
                await one.write("ns=2;s=v2", 1.0)
            with pytest.raises(Refused, match="holds no number"):
                await one.write("ns=2;s=words", 1.0)
        with pytest.raises(LinkLost):
            await one.write("ns=2;s=v1", 1.0)


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        (ua.VariantType.Boolean, 1.0, True),
        (ua.VariantType.Float, 1.5, 1.5),
        (ua.VariantType.Int16, -32_768.0, -32_768),
        (ua.VariantType.UInt64, 2.6, 3),
    ],
)
def test_a_number_is_written_in_the_type_of_its_node(kind: ua.VariantType, value: float, written: float) -> None:
    assert opc_ua._as(kind, value, "v") == written


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (ua.VariantType.Int16, 32_768.0),
        (ua.VariantType.Byte, -1.0),
        (ua.VariantType.UInt32, 2.0**32),
        (ua.VariantType.Int64, float("nan")),
        (ua.VariantType.DateTime, 1.0),
        (ua.VariantType.ByteString, 1.0),
    ],
)
def test_what_its_type_cannot_hold_is_not_written(kind: ua.VariantType, value: float) -> None:
    with pytest.raises(Refused):
        opc_ua._as(kind, value, "v")


async def test_probing_says_what_answered() -> None:
    port = free_port()
    with opc_ua_server(port):
        assert "1 of 2 items" in await driver(port, [*items(1), Item(9, "ns=2;s=missing")]).probe()


async def test_cancelling_is_prompt(sink: RememberingSink) -> None:
    port = free_port()
    with opc_ua_server(port):
        async with running(driver(port, items(2)), sink) as task:
            task.cancel()
            async with asyncio.timeout(opc_ua.CLOSE_TIMEOUT_S + 1):
                await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("source", [None, ua.DateTime(1601, 1, 1), ua.DateTime(1601, 1, 1, 8)])
@pytest.mark.parametrize("server", [None, ua.DateTime(1601, 1, 1), ua.DateTime(2026, 3, 1, 5, 59)])
def test_a_server_that_knows_no_time_is_not_taken_for_the_year_1601(
    source: ua.DateTime | None, server: ua.DateTime | None
) -> None:
    now = datetime(2026, 3, 1, 6, tzinfo=UTC)
    value = ua.DataValue(ua.Variant(1.5), SourceTimestamp=source, ServerTimestamp=server)
    expected = server.replace(tzinfo=UTC) if server is not None and server.year == 2026 else now
    assert opc_ua._sample(1, value, now).source_time == expected
