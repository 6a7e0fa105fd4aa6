"""What sets an alarm aside, in words."""

from dataclasses import replace
from datetime import timedelta

import pytest

from control_room.core.alarms import Alarm, Hold, HoldKind, OutOfService, Shelving
from tests.fakes import START
from widgets.hold_words import aside_text, hold_lines, left_text

MINUTE = timedelta(minutes=1)
STOPPED = Hold(HoldKind.DESIGN, 1, START, None, "Pump 1 is stopped")
ENDING = replace(STOPPED, number=2, until=START + 30 * MINUTE, words="The station has no power")
WORK = Hold(HoldKind.WORK, 1, START, START + 60 * MINUTE, "valve is exchanged", "eva", "WO 17")
SHELF = Shelving(START, START + 20 * MINUTE, "ada", "Test")
OUT = OutOfService(START, "eva", "sensor is exchanged")


@pytest.mark.parametrize(
    ("alarm", "left", "aside"),
    [
        (Alarm(1), "", ""),
        (Alarm(1, shelving=SHELF), "10 min left", "ada: Test"),
        (Alarm(1, holds=(STOPPED,)), "since 10 min", "Pump 1 is stopped"),
        (Alarm(1, holds=(ENDING,)), "20 min left", "The station has no power"),
        # heard again when the last one lets go, and of one nobody knows when
        (Alarm(1, holds=(STOPPED, ENDING)), "since 10 min", "Pump 1 is stopped; The station has no power"),
        (Alarm(1, holds=(WORK,)), "50 min left", "eva: WO 17, valve is exchanged"),
        (Alarm(1, holds=(STOPPED, WORK)), "50 min left", "eva: WO 17, valve is exchanged"),
        (Alarm(1, shelving=SHELF, holds=(WORK,)), "50 min left", "ada: Test"),
        (Alarm(1, out_of_service=OUT, holds=(WORK,)), "", "eva: sensor is exchanged"),
    ],
)
def test_who_or_what_and_how_long_still(alarm: Alarm, left: str, aside: str) -> None:
    assert (left_text(alarm, START + 10 * MINUTE), aside_text(alarm)) == (left, aside)


def test_each_hold_has_its_line() -> None:
    lines = list(hold_lines(Alarm(1, holds=(STOPPED, ENDING, WORK))))
    assert lines[0].endswith("as long as: Pump 1 is stopped")
    assert lines[1].endswith("after: The station has no power")
    assert lines[2].endswith("by eva: WO 17, valve is exchanged")
