"""Children are never waited for, and always end."""

import signal
import socket
import time
from multiprocessing.connection import Connection
from typing import Any

import pytest

from control_room.core.errors import BadNetworkFile, CannotStart, PortInUse
from control_room.simulator.children import Child, Ended, stop
from control_room.simulator.run import _free_port
from tests.simulator.running import wait_for


def echo(pipe: "Connection[Any, Any]") -> None:
    """Send back how many messages came before the word `end`."""
    count = 0
    while pipe.recv() != "end":
        count += 1
    pipe.send(("counted", count))


def sleep_deaf(pipe: "Connection[Any, Any]") -> None:
    """Neither listen nor end."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pipe.send(("asleep",))
    time.sleep(60)


def fail(pipe: "Connection[Any, Any]") -> None:
    """Say that a network is bad."""
    pipe.send(("failed", BadNetworkFile("There is no water.")))


def test_a_child_gets_every_message_in_order() -> None:
    child = Child("echo", echo)
    for number in range(20):
        child.send(number)
    child.send("end")
    assert child.expect(lambda: False) == ("counted", 20)
    stop([child])
    assert not child.process.is_alive()


def test_a_child_that_does_not_listen_blocks_nobody_and_is_ended() -> None:
    child = Child("deaf", sleep_deaf)
    assert child.expect(lambda: False) == ("asleep",)
    began = time.monotonic()
    for _ in range(1_000):
        child.send(bytes(100_000))
    assert time.monotonic() - began < 2
    stop([child])
    assert time.monotonic() - began < 5
    assert not child.process.is_alive()


def test_a_child_that_fails_tells_why() -> None:
    child = Child("fail", fail)
    with pytest.raises(BadNetworkFile, match="no water"):
        child.expect(lambda: False)
    with pytest.raises(CannotStart, match="fail ended while starting"):
        child.expect(lambda: False)
    stop([child])


def test_waiting_for_a_child_can_be_given_up() -> None:
    child = Child("echo", echo)
    with pytest.raises(Ended):
        child.expect(lambda: True)
    stop([child])
    wait_for(lambda: not child.process.is_alive())


def test_the_next_free_port_is_taken() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        assert taken < _free_port(taken) < taken + 200
    assert _free_port(0) > 0
    with pytest.raises(PortInUse):
        _free_port(70_000)
