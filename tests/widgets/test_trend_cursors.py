"""Two cursors: where they stand, how they are moved, what is told between them."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from control_room.core.trend_statistics import NOTHING, Statistics
from tests.widgets.test_trend_plot import NOW, Clock, past, plot, tag
from widgets.trend_cursors import duration_words
from widgets.trend_plot import TrendPlot

__all__ = ["plot"]


def cell(plot: TrendPlot, heading: str, row: int = 0) -> str:
    for column in range(plot._legend.columnCount()):
        head, item = plot._legend.horizontalHeaderItem(column), plot._legend.item(row, column)
        if head is not None and head.text() == heading and item is not None:
            assert not plot._legend.isColumnHidden(column)
            return item.text()
    raise AssertionError(heading)


def test_cursors_come_by_a_key_and_want_what_lies_between(plot: TrendPlot, qtbot: QtBot) -> None:
    plot.add_pen(tag(1))
    plot.add_pen(tag(2, "l/s"))
    plot.show_history(past(1))
    plot.flush()
    wanted: list[tuple[int, float, float]] = []
    plot.statistics_wanted.connect(lambda *words: wanted.append(words))
    QTest.keyClick(plot, Qt.Key.Key_C)
    assert plot._bar.cursors_button.isChecked()
    now_s = NOW.timestamp()
    assert [one[0] for one in wanted] == [1, 2]
    assert wanted[0][1:] == pytest.approx((now_s - 200, now_s - 100), abs=1)
    assert "Δt 1 min 40.0 s" in plot._bar.cursor_label.text()
    assert cell(plot, "Mean") == "…"
    plot.show_statistics(1, Statistics(1.0, 3.5, 0.5, 4.0, 2.25, 0.125, 0.987, 1_234))
    assert [cell(plot, head) for head in ("At A", "At B", "B − A", "Lowest", "Mean", "Highest")] == [
        "1.0", "3.5", "2.5", "0.5", "2.2", "4.0",
    ]  # fmt: skip
    assert (cell(plot, "Std dev"), cell(plot, "Trusted")) == ("0.1", "98.7 %")
    # what is known stays when the legend is filled anew
    plot.bring_forward(1)
    assert cell(plot, "At B") == "3.5"
    plot.show_statistics(2, None)
    assert cell(plot, "Lowest", 1) == "?"
    plot.show_statistics(2, NOTHING)
    assert cell(plot, "Lowest", 1) == "—"
    QTest.keyClick(plot, Qt.Key.Key_C)
    assert not plot._cursors.is_shown
    assert plot._bar.cursor_label.text() == ""


def test_keys_move_each_cursor_and_ask_anew(plot: TrendPlot) -> None:
    plot.add_pen(tag(1))
    plot.flush()
    QTest.keyClick(plot, Qt.Key.Key_C)
    wanted: list[tuple[float, float]] = []
    plot.statistics_wanted.connect(lambda _, *stretch: wanted.append(stretch))
    before = plot._cursors.stretch_s
    QTest.keyClick(plot, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClick(plot, Qt.Key.Key_Right, Qt.KeyboardModifier.ControlModifier)
    after = plot._cursors.stretch_s
    assert after[0] == pytest.approx(before[0] - 1.5)
    assert after[1] == pytest.approx(before[1] + 1.5)
    assert len(wanted) == 2
    assert plot.is_live


def test_nothing_is_asked_of_what_is_yet_to_come(plot: TrendPlot) -> None:
    plot.add_pen(tag(1))
    QTest.keyClick(plot, Qt.Key.Key_C)
    wanted: list[float] = []
    plot.statistics_wanted.connect(lambda _, _start, end: wanted.append(end))
    plot._cursors.lines["B"].setValue(NOW.timestamp() + 500)
    plot._cursors.moved.emit()
    assert wanted == [NOW.timestamp()]


def test_a_fixed_plot_has_no_cursors(qtbot: QtBot) -> None:
    fixed = TrendPlot(clock=Clock(), is_fixed=True)
    qtbot.addWidget(fixed)
    fixed.show()
    QTest.keyClick(fixed, Qt.Key.Key_C)
    assert not fixed._cursors.is_shown
    assert not fixed._bar.cursors_button.isVisible()


def test_digital_states_are_named_and_their_average_is_a_number(plot: TrendPlot) -> None:
    plot.add_pen(tag(1, "", ("off", "on")))
    QTest.keyClick(plot, Qt.Key.Key_C)
    plot.show_statistics(1, Statistics(0.0, 1.0, 0.0, 1.0, 0.25, 0.43, 1.0, 12))
    assert [cell(plot, head) for head in ("At A", "At B", "B − A", "Mean")] == ["off", "on", "1.00", "0.25"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (3.44, "3.4 s"),
        (-62, "-1 min 02.0 s"),
        (3_600, "1 h 00 min 00.0 s"),
        (90_061.5, "1 d 1 h 01 min 01.5 s"),
    ],
)
def test_durations_are_read_as_people_say_them(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words
