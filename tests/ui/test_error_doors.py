"""Errors that nobody caught are told once, and the room goes on."""

import asyncio
import sys
import threading
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from control_room.ui.error_doors import ErrorDoors

pytestmark = pytest.mark.expects_log("A part of the program failed")


@pytest.fixture
def doors(qtbot: QtBot) -> Iterator[ErrorDoors]:
    made = ErrorDoors()
    yield made
    made.take_down()


def fail(words: str = "no such thing") -> BaseException:
    try:
        raise ValueError(words)
    except ValueError as fault:
        return fault


def test_the_same_fault_is_told_once_however_often_it_comes(doors: ErrorDoors, qtbot: QtBot) -> None:
    told: list[tuple[str, str]] = []
    doors.noticed.connect(lambda words, details: told.append((words, details)))
    for number in range(5):
        fault = fail(f"number {number}")
        doors.slot_failed(type(fault), fault, fault.__traceback__)
    qtbot.waitUntil(lambda: list(doors.counts.values()) == [5])
    [(words, details)] = told
    assert "ValueError: number 0" in words
    assert "Traceback" in details


def test_a_failing_thread_comes_to_the_same_door(doors: ErrorDoors, qtbot: QtBot) -> None:
    doors.hang()
    with qtbot.waitSignal(doors.noticed) as noticed:
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
    assert noticed.args is not None
    assert "ZeroDivisionError" in noticed.args[0]


def test_a_lost_task_comes_to_the_same_door(doors: ErrorDoors, qtbot: QtBot) -> None:
    loop = asyncio.new_event_loop()
    with qtbot.waitSignal(doors.noticed) as noticed:
        doors.loop_failed(loop, {"message": "Task exception was never retrieved", "exception": fail()})
    loop.close()
    assert noticed.args is not None
    assert "no such thing" in noticed.args[0]


def test_the_doors_are_given_back(doors: ErrorDoors) -> None:
    before = (sys.excepthook, threading.excepthook)
    doors.hang()
    assert sys.excepthook != before[0]
    doors.take_down()
    assert (sys.excepthook, threading.excepthook) == before
