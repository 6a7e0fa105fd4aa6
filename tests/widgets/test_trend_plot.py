"""The trend plot: live and past in one picture, gaps as gaps, and never more than it needs."""

import gc
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDropEvent
from pytestqt.qtbot import QtBot

from control_room.core.alarms import AlarmKind
from control_room.core.samples import BAD_SENSOR_FAILURE, GOOD, Sample
from control_room.core.tags import Quantity, Tag
from control_room.core.trends import TrendPiece, of_samples
from widgets.palette import DARK
from widgets.quality import TAG_MIME
from widgets.trend_legend import REMOVE_COLUMN
from widgets.trend_plot import TrendPlot

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    """A clock that stands."""

    now_s = NOW.timestamp()

    def __call__(self) -> float:
        return self.now_s

    def later_s(self, seconds: float) -> None:
        self.now_s += seconds


def tag(tag_id: int, unit: str = "m", states: tuple[str, ...] = ()) -> Tag:
    return Tag(tag_id, 1, "Site", "Asset", f"T{tag_id}", f"Tag {tag_id}", Quantity.LEVEL, 1, "", unit, states=states)


def sample(tag_id: int, value: float | None, before_s: float, quality: int = GOOD) -> Sample:
    time = NOW - timedelta(seconds=before_s)
    return Sample(tag_id, value, quality, time, time)


def past(tag_id: int, count: int = 100, span_s: float = 280.0) -> TrendPiece:
    end_s = NOW.timestamp()
    time_s = np.linspace(end_s - span_s, end_s - 1, count)
    values = np.sin(np.arange(count) / 10)
    return of_samples(tag_id, end_s - span_s, end_s, time_s, values, np.zeros(count, np.uint8))


@pytest.fixture
def plot(qtbot: QtBot) -> TrendPlot:
    one = TrendPlot(clock=Clock())
    one.resize(900, 500)
    qtbot.addWidget(one)
    one.show()
    return one


def legend(plot: TrendPlot, column: int) -> str:
    item = plot._legend.item(0, column)
    assert item is not None
    return item.text()


def line(plot: TrendPlot, tag_id: int, kind: int = 0) -> tuple[np.ndarray, np.ndarray]:
    drawn = plot._lines.lines[tag_id, kind]
    return drawn.x, drawn.y


def test_live_samples_and_history_make_one_line(plot: TrendPlot) -> None:
    plot.add_pen(tag(1))
    plot.show_history(past(1))
    plot.show_sample(sample(1, 0.5, 0))
    plot.flush()
    x, y = line(plot, 1)
    assert x[~np.isnan(y)].min() <= NOW.timestamp() - 279
    assert x[~np.isnan(y)].max() == pytest.approx(NOW.timestamp())
    breaks = np.isnan(y[:-1]).sum()
    assert breaks == 0


def test_bad_values_are_not_drawn_as_measured(plot: TrendPlot) -> None:
    plot.add_pen(tag(1))
    for before_s, value, quality in ((100, 1.0, GOOD), (60, None, BAD_SENSOR_FAILURE), (20, 3.0, GOOD)):
        plot.show_sample(sample(1, value, before_s, quality))
    plot.flush()
    x, y = line(plot, 1)
    lost = (x > NOW.timestamp() - 60) & (x < NOW.timestamp() - 20)
    assert np.isnan(y[lost]).all()
    assert legend(plot, 2) != ""


def test_a_stale_value_has_its_mark_and_reason_in_the_legend(plot: TrendPlot) -> None:
    plot.add_pen(tag(1))
    plot.show_sample(sample(1, 4.2, 30, 0x408F))
    plot.flush()
    assert legend(plot, 2) == "? 4.2"
    assert "Stale" in legend(plot, 5)


def test_what_nobody_watched_is_a_gap(plot: TrendPlot) -> None:
    plot.add_pen(tag(1))
    plot.show_sample(sample(1, 1.0, 0))
    old = past(1)
    ends_before = of_samples(1, old.start_s, old.end_s - 100, old.time_s[:40], old.last[:40], old.grade[:40])
    plot.show_history(ends_before)
    plot.flush()
    x, y = line(plot, 1)
    unknown = (x > ends_before.end_s + 1) & (x < NOW.timestamp() - 1)
    assert np.isnan(y[unknown]).all()


def test_going_back_in_time_leaves_live_and_asks_for_history(plot: TrendPlot, qtbot: QtBot) -> None:
    plot.add_pen(tag(1))
    with qtbot.waitSignal(plot.history_wanted) as asked:
        qtbot.keyClick(plot, Qt.Key.Key_Left)
    assert not plot.is_live
    assert asked.args is not None
    tag_id, start_s, end_s, columns = asked.args
    assert (tag_id, round(end_s - start_s)) == (1, 300)
    assert end_s < NOW.timestamp()
    assert columns >= 200
    qtbot.keyClick(plot, Qt.Key.Key_L)
    assert plot.is_live


def test_a_span_button_changes_what_is_shown(plot: TrendPlot) -> None:
    plot.set_span_s(7_200.0)
    start_s, end_s = plot._box.viewRange()[0]
    assert end_s - start_s == pytest.approx(7_200, abs=1)


def test_a_tag_can_be_dropped(plot: TrendPlot, qtbot: QtBot) -> None:
    content = QMimeData()
    content.setData(TAG_MIME, b"4,5")
    dropped: list[int] = []
    plot.tag_dropped.connect(dropped.append)
    event = QDropEvent(
        QPointF(50, 50), Qt.DropAction.CopyAction, content, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    plot.dropEvent(event)
    assert dropped == [4, 5]


def test_the_cursor_reads_the_value_that_held(plot: TrendPlot) -> None:
    plot.add_pen(tag(1))
    plot.show_sample(sample(1, 7.0, 100))
    plot.show_sample(sample(1, 9.0, 50))
    plot.flush()
    plot._cursor_s = NOW.timestamp() - 70
    plot._show_cursor()
    assert legend(plot, 3) == "7.0"


def test_pens_of_many_units_and_states_and_a_focus(plot: TrendPlot) -> None:
    for number, unit in enumerate(("m", "L/s", "kW", "mg/L", "%")):
        plot.add_pen(tag(number, unit))
        plot.show_history(past(number))
    plot.add_pen(tag(9, "", ("stopped", "running")))
    plot.show_sample(sample(9, 1.0, 100))
    plot.set_tag(tag(0, "m"), [(AlarmKind.H, 0.5), (AlarmKind.L, -0.5)])
    plot.bring_forward(0)
    plot.apply_palette(DARK)
    plot.flush()
    assert [axis.isVisible() for axis in plot._axes] == [True, True, True]
    assert plot._marks.names() == ["H 0.5", "L -0.5"]


def test_removing_a_pen_frees_its_colour(plot: TrendPlot, qtbot: QtBot) -> None:
    for number in range(3):
        plot.add_pen(tag(number))
    item = plot._legend.item(1, REMOVE_COLUMN)
    assert item is not None
    cross = plot._legend.visualItemRect(item).center()
    qtbot.mouseClick(plot._legend.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(cross))
    assert plot.pens() == [0, 2]
    plot.add_pen(tag(7))
    assert sorted(pen.colour_number for pen in plot._pens.values()) == [0, 1, 2]


def test_a_long_watch_needs_no_more_memory(plot: TrendPlot) -> None:
    plot.add_pen(tag(1))

    def watch(rounds: int) -> int:
        for number in range(rounds):
            plot.show_sample(sample(1, float(number % 7), 0))
            if number % 100 == 0:
                plot.flush()
        gc.collect()
        return len(gc.get_objects())

    watch(25_000)
    before = watch(2_000)
    assert watch(5_000) - before < 200


def test_it_says_when_nothing_is_chosen(plot: TrendPlot) -> None:
    assert plot._hint.isVisible()
    plot.add_pen(tag(1))
    plot.flush()
    assert not plot._hint.isVisible()


def test_late_samples_and_time_make_a_live_plot_read_its_history_again(plot: TrendPlot, qtbot: QtBot) -> None:
    wishes: list[int] = []
    plot.history_wanted.connect(lambda tag_id, *_: wishes.append(tag_id))
    plot.add_pen(tag(1))
    plot._asking.stop()
    plot._ask_history()
    plot.show_history(past(1))
    plot.show_sample(sample(1, 1.0, 0))
    plot._draw_if_seen()
    assert wishes == [1]
    plot.show_sample(sample(1, 2.0, 50))
    clock = plot._clock
    assert isinstance(clock, Clock)
    clock.later_s(2.1)
    plot._draw_if_seen()
    assert wishes == [1, 1]
    clock.later_s(30)
    plot._draw_if_seen()
    assert wishes == [1, 1, 1]


def test_the_focused_pen_always_has_its_axis(plot: TrendPlot) -> None:
    for number, unit in enumerate(("m", "L/s", "kW", "mg/L")):
        plot.add_pen(tag(number, unit))
        plot.show_history(past(number))
    plot.bring_forward(3)
    assert "mg/L" in [axis.labelText for axis in plot._axes if axis.isVisible()]


def test_after_an_outage_what_was_shown_meanwhile_is_forgotten(plot: TrendPlot) -> None:
    plot.add_pen(tag(1))
    plot.show_sample(sample(1, 1.0, 20))
    plot.show_sample(sample(1, 1.0, 5, 0x408F))
    plot.read_again()
    plot.show_history(past(1))
    plot.flush()
    _, y = line(plot, 1)
    assert not np.isnan(y[-2])


def test_lines_are_told_apart_by_numbers(plot: TrendPlot) -> None:
    plot.add_pen(tag(1))
    plot.show_history(past(1))
    plot.flush()
    assert (legend(plot, 0), plot._lines.lines[1, 0].name) == ("▬", "")
    plot.add_pen(tag(2))
    plot.show_history(past(2))
    plot.flush()
    assert [plot._legend.item(number, 0).text() for number in (0, 1)] == ["1▬", "2▬"]  # type: ignore[union-attr]
    assert [plot._lines.lines[number, 0].name for number in (1, 2)] == ["1", "2"]
    assert not plot.grab().isNull()
