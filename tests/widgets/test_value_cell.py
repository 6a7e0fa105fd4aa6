"""A value in a cell is shown whole or not at all."""

import pytest
from PySide6.QtGui import QFont, QFontMetrics
from PySide6.QtWidgets import QApplication

from control_room.core.samples import BAD_SENSOR_FAILURE, UNCERTAIN_NO_COMMUNICATION_LAST_USABLE
from control_room.core.tags import Quantity, Tag
from tests.fakes import FakeClock, sample
from widgets.value_cell import aged_text, fitting

TAG = Tag(1, 1, "Hill", "Tank 1", "T1", "Tank 1 level", Quantity.LEVEL, 1, "", "m", decimals=2)


def test_only_a_value_that_is_no_longer_fed_carries_its_age() -> None:
    clock = FakeClock()
    later = clock.pass_s(240)
    assert aged_text(TAG, None, later) == "…"
    assert aged_text(TAG, sample(1, 2.5), later) == "2.50 m"
    assert aged_text(TAG, sample(1, 2.5, quality=UNCERTAIN_NO_COMMUNICATION_LAST_USABLE), later) == "? 2.50 m · 4 min"
    assert aged_text(TAG, sample(1, None, quality=BAD_SENSOR_FAILURE), later) == "? —"


@pytest.mark.parametrize(("spare_of", "shown"), [(0, "? 124.9 m · 75 s"), (1, "? 124.9 m"), (2, "? 124.9"), (3, "…")])
def test_a_narrow_cell_leaves_out_age_and_unit_but_never_digits(qapp: QApplication, spare_of: int, shown: str) -> None:
    metrics = QFontMetrics(QFont())
    words = ("? 124.9 m · 75 s", "? 124.9 m", "? 124.9")
    width = metrics.horizontalAdvance(words[spare_of]) if spare_of < 3 else 10
    assert fitting(metrics, words, width) == shown
