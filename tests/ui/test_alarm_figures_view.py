"""The view of the alarm figures of now: areas, figures with signs, the most frequent; read little, never kept too long."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from control_room.core.alarm_kpis import Events
from control_room.core.errors import DatabaseUnavailable
from control_room.ui.views.alarm_figures import AlarmFiguresView
from db.alarm_figures import read_events
from tests.ui.gallery import PALETTES, SIZES
from tests.ui.rooms import Stage
from tests.ui.test_alarm_report import busy_week
from widgets.palette import Palette


@pytest.fixture
def view(stage: Stage, qtbot: QtBot) -> AlarmFiguresView:
    stage.fill()
    week = busy_week(stage)

    def found(begin: datetime, end: datetime) -> Events:
        return week.of_time(begin.timestamp(), end.timestamp())

    stage.reading.answers = {**stage.reading.answers, read_events: found}
    made = AlarmFiguresView(stage.console)
    qtbot.addWidget(made)
    made.resize(1366, 420)
    made.show()
    made._soon.stop()
    made.refresh()
    return made


def value(view: AlarmFiguresView, title: str) -> str:
    return next(one.value for one in view.figures.rows if one.title == title)


def test_areas_and_figures_are_there_when_it_is_seen(view: AlarmFiguresView, stage: Stage) -> None:
    titles = [view.areas.model().index(row, 0).data() for row in range(4)]
    assert titles[:2] == ["All that this seat shows", "Northfield Water"]
    assert titles[2].startswith("› ")
    assert value(view, "Alarms in the last 24 h") == "65"
    assert value(view, "Chattering alarms") == "1"
    standing = sum(one.is_active and not one.is_suppressed for one in stage.console.room.alarms.values())
    assert (value(view, "Standing"), view.areas.rows[0].standing) == (f"{standing}", standing)
    signs = {view.figures.model().index(row, 3).data() for row in range(len(view.figures.rows))}
    assert signs <= {"", "✓", "▲ watch", "■ act"}
    assert "■ act" in signs
    assert view.top.rows[0][1] == 6
    assert "All that this seat shows, at " in view.head.text()


def test_another_area_is_chosen_by_key(view: AlarmFiguresView) -> None:
    view.areas.selectRow(0)
    view.areas.setFocus()
    before = value(view, "Standing")
    for _ in range(2):
        QTest.keyClick(view.areas, Qt.Key.Key_Down)
    assert value(view, "Standing") == f"{view.areas.rows[2].standing}"
    assert value(view, "Standing") != before
    view.refresh()
    assert view.areas.chosen() == view.areas.rows[2]


def test_only_what_is_new_is_read_again(view: AlarmFiguresView, stage: Stage) -> None:
    view.refresh()
    first, second = [asked["begin"] for job, asked in stage.reading.asked if job is read_events]
    assert second - first > timedelta(hours=22)
    assert value(view, "Alarms in the last 24 h") == "65"


def test_nobody_looks_and_nothing_is_read(view: AlarmFiguresView, stage: Stage) -> None:
    view.hide()
    count = len(stage.reading.asked)
    view.refresh()
    assert len(stage.reading.asked) == count
    assert not view._timer.isActive()


def test_when_the_database_is_away_no_figure_stays(view: AlarmFiguresView, stage: Stage) -> None:
    stage.reading.fault = DatabaseUnavailable("The database does not answer.", advice="Wait, it is tried again.")
    view.refresh()
    assert view.head.text().startswith("The figures are not known: The database does not answer.")
    assert [len(table.rows) for table in (view.areas, view.figures, view.top)] == [0, 0, 0]
    stage.reading.fault = None
    view.refresh()
    assert value(view, "Alarms in the last 24 h") == "65"


def test_the_most_frequent_leads_to_its_trend(view: AlarmFiguresView, stage: Stage, qtbot: QtBot) -> None:
    view.top.selectRow(0)
    rule = stage.console.room.rules[view.top.rows[0][0]]
    with qtbot.waitSignal(stage.console.jumps.trend_wanted) as jumped:
        view.top.activated.emit(view.top.model().index(0, 0))
    assert jumped.args == [[rule.tag_id]]


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("size", SIZES)
def test_pictures(view: AlarmFiguresView, stage: Stage, gallery: Path, palette: Palette, size: tuple[int, int]) -> None:
    view.resize(size[0], 420)
    stage.console.theme.use(palette)
    assert view.grab().save(str(gallery / f"alarm-figures-{size[0]}-{palette.name}.png"))
