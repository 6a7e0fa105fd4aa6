"""The trends: groups, history reads, what is remembered."""

import asyncio
from datetime import UTC, datetime

import pytest
from PySide6.QtCore import QMimeData, QPointF, QSettings, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QGraphicsView
from pytestqt.qtbot import QtBot

from control_room.core.errors import DatabaseUnavailable
from control_room.core.trend_statistics import NOTHING
from control_room.ui.operations import Work
from control_room.ui.views import trends
from control_room.ui.views.trends import Group, TrendsView, remembered
from db.history import read_history, read_statistics
from tests.ui.rooms import Stage
from widgets.quality import TAG_MIME


@pytest.fixture
def view(stage: Stage, qtbot: QtBot) -> TrendsView:
    stage.console.settings.setValue("trends/groups", '[{"name": "Mine", "tags": [1, 3, 99999]}]')
    made = TrendsView(stage.console)
    qtbot.addWidget(made)
    made.resize(900, 600)
    made.show()
    stage.fill(0)
    return made


def test_what_was_left_is_there_again_without_tags_that_are_gone(view: TrendsView, stage: Stage) -> None:
    assert view.tabs.tabText(0) == "Mine"
    [plot] = view.plots()
    assert plot.pens() == [1, 3]
    view.show_tags([5])
    assert remembered(stage.console.settings) == [Group("Mine", (1, 3, 5))]
    assert stage.console.live_tags._wanted["trends"] == {1, 3, 5}


@pytest.mark.parametrize("broken", ["", "{", "17", '[{"tags": 3}, 5, {"name": "ok", "tags": ["x", 4]}]'])
def test_broken_settings_are_salvaged(broken: str, stage: Stage) -> None:
    stage.console.settings.setValue("trends/groups", broken)
    assert remembered(stage.console.settings) == ([Group("ok", (4,))] if "ok" in broken else [])


def test_who_has_never_chosen_anything_sees_levels(stage: Stage, qtbot: QtBot) -> None:
    view = TrendsView(stage.console)
    qtbot.addWidget(view)
    assert view.plots() == []
    stage.fill(0)
    tags = stage.console.room.tags
    assert {tags[tag_id].quantity for tag_id in view.plots()[0].pens()} == {"level"}


def test_the_past_is_read_for_every_line(view: TrendsView, stage: Stage, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: {words["tag_id"] for _, words in stage.reading.asked} == {1, 3})
    job, words = stage.reading.asked[0]
    assert job is read_history
    assert words["end"] == stage.clock.now


def test_one_read_a_line_runs_and_the_newest_wish_wins(view: TrendsView, stage: Stage, qtbot: QtBot) -> None:
    [plot] = view.plots()
    reads = view._reads[plot]
    stage.reading.asked.clear()
    started: list[Work] = []
    stage.console.operations._start = started.append
    for end_s in (100.0, 200.0, 300.0):
        reads.want(1, 0.0, end_s, 50)
    reads.want(3, 0.0, 300.0, 50)
    assert len(started) == 2
    with asyncio.Runner() as runner:
        for work in started:
            runner.run(work)
    ends = [(words["tag_id"], words["end"]) for _, words in stage.reading.asked]
    late = datetime.fromtimestamp(300, UTC)
    assert ends == [(1, late), (3, late)]


def test_a_read_that_fails_is_told_beside_its_line(view: TrendsView, stage: Stage) -> None:
    [plot] = view.plots()
    told: list[tuple[int, str]] = []
    plot.show_failure = lambda tag_id, words: told.append((tag_id, words))  # type: ignore[method-assign]
    stage.reading.fault = DatabaseUnavailable("The database does not answer.")
    view._reads[plot].want(1, 0.0, 100.0, 50)
    assert told == [(1, "The database does not answer.")]


def test_a_group_takes_many_lines_and_says_where_more_go(view: TrendsView, monkeypatch: pytest.MonkeyPatch) -> None:
    view.show_tags(list(range(1, 21)))
    assert len(view.plots()[0].pens()) == 20
    assert view.notice_bar.text() == ""
    monkeypatch.setattr(trends, "_MOST_PENS", 20)
    view.show_tags([21])
    assert len(view.plots()[0].pens()) == 20
    assert "at most 20 lines" in view.notice_bar.text()


def test_groups_are_added_named_and_closed(view: TrendsView, stage: Stage) -> None:
    view.add_group(tag_ids=[7])
    view._name(1, " Pumps ")
    assert [view.tabs.tabText(number) for number in range(2)] == ["Mine", "Pumps"]
    view.tabs.tabCloseRequested.emit(0)
    assert [plot.pens() for plot in view.plots()] == [[7]]
    view.tabs.tabCloseRequested.emit(0)
    assert len(view.plots()) == 1
    assert remembered(stage.console.settings) == [Group("Pumps", (7,))]


def test_after_an_outage_the_past_is_read_again(view: TrendsView, stage: Stage, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: len(stage.reading.asked) >= 2)
    stage.console.room.take_connected(False, "away")
    stage.reading.asked.clear()
    stage.connect()
    qtbot.waitUntil(lambda: {words["tag_id"] for _, words in stage.reading.asked} == {1, 3})


def test_settings_hold_the_groups_across_a_restart(view: TrendsView, stage: Stage) -> None:
    view.show_tags([9])
    stage.console.settings.sync()
    again = QSettings(stage.console.settings.fileName(), QSettings.Format.IniFormat)
    assert remembered(again) == [Group("Mine", (1, 3, 9))]


def test_tags_that_are_dropped_on_the_plot_become_lines(view: TrendsView) -> None:
    [plot] = view.plots()
    canvas = plot.findChild(QGraphicsView)
    assert canvas is not None
    content = QMimeData()
    content.setData(TAG_MIME, b"5,7")
    at, copy, button, keys = (
        QPointF(40, 40),
        Qt.DropAction.CopyAction,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    enter = QDragEnterEvent(at.toPoint(), copy, content, button, keys)
    QApplication.sendEvent(canvas.viewport(), enter)
    assert enter.isAccepted()
    QApplication.sendEvent(plot, QDropEvent(at, copy, content, button, keys))
    assert plot.pens() == [1, 3, 5, 7]


def test_what_lies_between_two_cursors_is_read_for_every_line(view: TrendsView, stage: Stage) -> None:
    [plot] = view.plots()
    told: list[tuple[int, object]] = []
    plot.show_statistics = lambda tag_id, found: told.append((tag_id, found))  # type: ignore[method-assign]
    stage.reading.answers = {**stage.reading.answers, read_statistics: lambda tag_id, start, end: NOTHING}
    plot._bar.cursors_button.click()
    assert told == [(1, NOTHING), (3, NOTHING)]
    told.clear()
    stage.reading.fault = DatabaseUnavailable("The database does not answer.")
    plot._cursors.moved.emit()
    assert told == [(1, None), (3, None)]
