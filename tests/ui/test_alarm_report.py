"""The alarm report: period, area, figures, lists, files; with nothing, much, and a database that refuses."""

from pathlib import Path

import numpy as np
import pytest
from openpyxl import load_workbook
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from control_room.core.alarm_kpis import Deed, Events, Standing
from control_room.core.alarms import AlarmState
from control_room.core.errors import DatabaseUnavailable, Refused
from control_room.core.kpi_targets import Verdict
from control_room.ui.period_choice import ANY_TIME, FROM_TO, LAST_HOUR, LAST_WEEK
from control_room.ui.report_pages import bad_actors, html
from control_room.ui.views.alarm_report import AlarmReportView
from db.alarm_figures import read_events, read_set_aside, read_standing
from tests.ui.gallery import PALETTES, save_as_seen
from tests.ui.rooms import Stage
from widgets.bin_bars import BinBars
from widgets.palette import Palette


@pytest.fixture
def view(stage: Stage, qtbot: QtBot) -> AlarmReportView:
    made = AlarmReportView(stage.console)
    qtbot.addWidget(made)
    made.resize(1366, 500)
    made.show()
    stage.fill()
    return made


def busy_week(stage: Stage, count: int = 60) -> Events:
    """Return a flood of the first rules in the last half hour, acknowledged after two minutes, and one that chatters."""
    rules = [rule.id for rule in stage.console.room.rules.values()]
    priorities = {rule.id: int(rule.priority) for rule in stage.console.room.rules.values()}
    end_s = stage.clock.now.timestamp()
    rows = [(end_s - 1800 + place, rules[place % len(rules)], 1, Deed.ANNOUNCED) for place in range(count)]
    rows += [(end_s - 1680 + place, rules[place % len(rules)], 1, Deed.ACKNOWLEDGED) for place in range(count)]
    rows += [(end_s - 7200 + 5 * place, rules[0], place + 2, Deed.ANNOUNCED) for place in range(5)]
    columns = list(zip(*sorted(rows), strict=True))
    ids = np.array(columns[1], np.int64)
    return Events(
        np.array(columns[0], np.float64),
        ids,
        np.array(columns[2], np.int64),
        np.array(columns[3], np.int64),
        np.array([priorities[one] for one in ids.tolist()], np.int64),
    )


def feed(stage: Stage, events: Events, *standing: Standing) -> None:
    stage.reading.answers = {
        **stage.reading.answers,
        read_events: lambda begin, end: events,
        read_standing: lambda at: list(standing),
    }


def make(view: AlarmReportView) -> None:
    QTest.mouseClick(view.make_button, Qt.MouseButton.LeftButton)


def value(view: AlarmReportView, title: str) -> str:
    return next(one.value for one in view.figures.rows if one.title == title)


def test_before_anybody_asks_nothing_is_read(view: AlarmReportView, stage: Stage) -> None:
    assert read_events not in [job for job, _ in stage.reading.asked]
    assert not view.csv_button.isEnabled()
    assert not view.pdf_button.isEnabled()


def test_a_week_with_a_flood_is_told_in_figures_and_lists(view: AlarmReportView, stage: Stage) -> None:
    first = next(iter(stage.console.room.rules.values()))
    feed(stage, busy_week(stage), Standing(first.id, stage.clock.now.timestamp() - 2 * 86_400))
    make(view)
    assert value(view, "Alarms announced") == "65"
    assert (value(view, "Chattering alarms"), value(view, "Stale alarms")) == ("1", "1")
    assert [flood[2] for flood in view.floods.rows] == ["60"]
    assert view.actors.rows[0][0] == first.id
    assert "chattering" in view.actors.rows[0][2]
    assert "stale" in view.actors.rows[0][2]
    [words] = [one for job, one in stage.reading.asked if job is read_events]
    assert (words["end"] - words["begin"]).days == 7
    assert "All that I see" in view.head.text()
    verdicts = {one.title: one.verdict for one in view.figures.rows}
    assert verdicts["Most alarms in 10 min"] is Verdict.ACT


def test_a_period_without_alarms_has_a_report(view: AlarmReportView) -> None:
    make(view)
    assert value(view, "Alarms announced") == "0"
    assert view.floods.rows == []
    assert view.csv_button.isEnabled()


def test_an_area_counts_its_own_alone(view: AlarmReportView, stage: Stage) -> None:
    events = busy_week(stage)
    feed(stage, events)
    room = stage.console.room
    place = room.configuration.municipalities[0]
    view.area.setCurrentText(place.name)
    make(view)
    own = {rule.id for rule in room.rules.values() if room.tags[rule.tag_id].municipality_id == place.id}
    told = (events.deed == int(Deed.ANNOUNCED)) & np.isin(events.rule, list(own))
    assert value(view, "Alarms announced") == f"{told.sum()}"
    assert place.name in view.head.text()
    site = view.area.itemText(view.area.currentIndex() + 1)
    view.area.setCurrentText(site)
    make(view)
    assert site in view.head.text()


def test_the_period_is_the_persons(view: AlarmReportView, stage: Stage) -> None:
    assert view.period.box.currentIndex() == LAST_WEEK
    assert not view.period.box.model().index(ANY_TIME, 0).flags() & Qt.ItemFlag.ItemIsEnabled
    view.period.box.setCurrentIndex(LAST_HOUR)
    make(view)
    words = [one for job, one in stage.reading.asked if job is read_events][-1]
    assert (words["end"] - words["begin"]).total_seconds() == 3600
    view.period.box.setCurrentIndex(FROM_TO)
    view.period.end.setDateTime(view.period.start.dateTime())
    make(view)
    assert "must come before" in view.notice_bar.text()


def test_what_the_database_refuses_is_told_and_the_last_report_stays(view: AlarmReportView, stage: Stage) -> None:
    make(view)
    stage.reading.fault = Refused("The period has more than 2000000 events.", advice="Choose a shorter one.")
    make(view)
    assert "Choose a shorter one." in view.notice_bar.text()
    stage.reading.fault = DatabaseUnavailable("The database does not answer.", advice="Wait.")
    make(view)
    assert "does not answer" in view.notice_bar.text()
    assert view.report is not None
    assert view.make_button.isEnabled()


def test_the_figures_are_written_as_csv_and_xlsx(view: AlarmReportView, stage: Stage, tmp_path: Path) -> None:
    feed(stage, busy_week(stage))
    make(view)
    view.export_to(tmp_path / "a.csv")
    lines = (tmp_path / "a.csv").read_text("utf-8-sig").splitlines()
    assert lines[0] == "figure,value,target,verdict,remark"
    assert any(line.startswith("Alarms announced,65,") for line in lines)
    assert any(line.startswith("flood of ") for line in lines)
    view.export_to(tmp_path / "a.xlsx")
    sheet = load_workbook(tmp_path / "a.xlsx").active
    assert sheet is not None
    assert [row[0] for row in sheet.iter_rows(max_row=2, values_only=True)] == ["figure", "period"]


def test_the_report_is_a_pdf(view: AlarmReportView, stage: Stage, tmp_path: Path) -> None:
    feed(stage, busy_week(stage))
    make(view)
    view.write_pdf(tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert [one.name for one in tmp_path.iterdir() if one.suffix == ".part"] == []
    view.write_pdf(tmp_path / "nowhere" / "a.pdf")
    assert "cannot be written" in view.notice_bar.text()


def test_names_are_text_and_no_markup(view: AlarmReportView, stage: Stage) -> None:
    feed(stage, busy_week(stage))
    make(view)
    assert view.report is not None
    page = html(view.report, lambda rule: "<b>pump & tank</b>")
    assert "&lt;b&gt;pump &amp; tank&lt;/b&gt;" in page
    assert len(bad_actors(view.report.found)) >= 10


def test_an_alarm_to_look_after_opens_its_trend(view: AlarmReportView, stage: Stage, qtbot: QtBot) -> None:
    feed(stage, busy_week(stage))
    make(view)
    view.actors.selectRow(0)
    rule = stage.console.room.rules[view.actors.rows[0][0]]
    with qtbot.waitSignal(stage.console.jumps.trend_wanted) as wanted:
        view.actors.setFocus()
        QTest.keyClick(view.actors, Qt.Key.Key_Return)
    assert wanted.args == [[rule.tag_id]]


def test_bars_tell_their_count_and_time(qtbot: QtBot) -> None:
    bars = BinBars(10)
    qtbot.addWidget(bars)
    bars.resize(500, 200)
    assert bars.words_at(250) == ""
    bars.show_counts([1, 12, 3], 0.0, 600.0, [(600.0, 1200.0)])
    assert bars.words_at(270).endswith(": 12")
    assert bars.words_at(10) == ""
    # more stretches than pixels: nothing is lost between them
    bars.show_counts([0] * 4_999 + [50], 0.0, 600.0)
    assert not bars.grab().isNull()


def test_what_is_set_aside_at_the_end_is_told(view: AlarmReportView, stage: Stage) -> None:
    rules = [rule.id for rule in stage.console.room.rules.values()]
    aside = [
        (rules[0], AlarmState.SHELVED),
        (rules[-1], AlarmState.SHELVED),
        (rules[1], AlarmState.OUT_OF_SERVICE),
    ]
    stage.reading.answers = {**stage.reading.answers, read_set_aside: lambda at: aside}
    make(view)
    titles = ("Shelved at the end", "Suppressed by a known cause at the end", "Out of service at the end")
    assert [value(view, one) for one in titles] == ["2", "0", "1"]
    view.area.setCurrentText("Northfield Water")
    make(view)
    assert value(view, "Shelved at the end") == "1"


@pytest.mark.parametrize("palette", PALETTES)
def test_a_picture_of_the_report(view: AlarmReportView, stage: Stage, gallery: Path, palette: Palette) -> None:
    stage.console.theme.use(palette)
    feed(stage, busy_week(stage))
    make(view)
    view.resize(1366, 520)
    save_as_seen(view.grab(), gallery, f"alarm-report-{palette.name}")
