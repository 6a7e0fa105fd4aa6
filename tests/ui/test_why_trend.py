"""The panel "Why this alarm": the trend around the onset, with the limits of then."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from control_room.core.alarms import AlarmKind, Happening
from control_room.core.errors import DatabaseUnavailable
from control_room.core.rationalisation import Level
from control_room.core.samples import Grade
from control_room.core.trends import TrendPiece, of_samples
from control_room.ui.dialogs.why import WhyDialog
from control_room.ui.operations import Work
from control_room.ui.views.trends import TrendsView
from db.alarm_journal import Note, Occurrence, read_occurrences
from db.history import read_history
from db.rationalisation import RuleChange, read_rule_changes
from tests.ui.gallery import PALETTES, save_as_seen
from tests.ui.rooms import Stage, fake_history
from widgets.alarm_model import AlarmRow
from widgets.palette import Palette


@pytest.fixture
def row(stage: Stage) -> AlarmRow:
    """Return a high alarm of a level that stands since a quarter of an hour."""
    stage.fill()
    room = stage.console.room
    rule = next(one for one in room.rules.values() if one.kind is AlarmKind.H and room.tags[one.tag_id].unit == "m")
    tag = room.tags[rule.tag_id]
    one = next(iter(stage.console.alarms.rows.values()))
    came = stage.clock.now - timedelta(minutes=15)
    alarm = replace(
        one.alarm, rule_id=rule.id, is_active=True, raised_time=came, acknowledged_time=came + timedelta(minutes=2)
    )
    return replace(one, rule=rule, tag=tag, alarm=alarm)


def opened(stage: Stage, qtbot: QtBot, row: AlarmRow) -> WhyDialog:
    dialog = WhyDialog(None, stage.console, row)  # type: ignore[arg-type]
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(lambda: not dialog.trend.plot._asking.isActive())
    dialog.trend.plot.flush()
    return dialog


def noted(row: AlarmRow, time: datetime, old: float, new: float) -> RuleChange:
    return RuleChange("a", Level.RULE, row.rule.id, False, time, "mona", "", "", {"limit": old}, {"limit": new})


def wave(peak: float, grade: Grade = Grade.GOOD) -> Any:
    def read(tag_id: int, start: datetime, end: datetime, columns: int) -> TrendPiece:
        time_s = np.linspace(start.timestamp(), end.timestamp(), 300)
        value = peak - 1 + np.minimum(1, (time_s - time_s[0]) / 300)
        grades = np.full(300, int(grade), np.uint8)
        return of_samples(tag_id, start.timestamp(), end.timestamp(), time_s, value, grades)

    return read


def nothing(tag_id: int, start: datetime, end: datetime, columns: int) -> TrendPiece:
    none = np.array([])
    return of_samples(tag_id, start.timestamp(), end.timestamp(), none, none, none.astype(np.uint8))


def test_the_stretch_begins_before_the_onset_and_ends_now(stage: Stage, qtbot: QtBot, row: AlarmRow) -> None:
    dialog = opened(stage, qtbot, row)
    start_s, end_s = dialog.trend.plot.stretch_s
    came = row.alarm.raised_time
    assert came is not None
    assert start_s <= came.timestamp() - 300
    assert end_s == pytest.approx(stage.clock.now.timestamp())
    assert dialog.trend.pens() == [row.tag.id]
    assert [words for _, words in dialog.trend.plot._marks.moments()] == ["came", "acknowledged"]


def test_a_limit_that_was_changed_meanwhile_is_a_step(stage: Stage, qtbot: QtBot, row: AlarmRow) -> None:
    answers: Any = stage.reading.answers
    changed = stage.clock.now - timedelta(minutes=5)
    then = row.rule.limit - 0.5
    answers[read_rule_changes] = lambda rule_id, count: (
        [noted(row, changed, then, row.rule.limit)] if rule_id == row.rule.id else []
    )
    dialog = opened(stage, qtbot, row)
    [own] = [one for one in dialog.trend.plot._limits[row.tag.id] if one.is_shown]
    assert (own.steps[0].limit, own.steps[0].end_s) == (then, changed.timestamp())
    names = dialog.trend.plot._marks.names()
    assert {f"H {row.tag.text(then)}", f"H {row.tag.text(row.rule.limit)}"} <= set(names)


@pytest.mark.parametrize(
    ("read", "words"),
    [(nothing, "No history was recorded"), (wave(7, Grade.BAD), "can be trusted")],
    ids=["empty", "bad"],
)
def test_no_history_looks_like_none(read: Any, words: str, stage: Stage, qtbot: QtBot, row: AlarmRow) -> None:
    answers: Any = stage.reading.answers
    answers[read_history] = read
    stage.console.room._shown.clear()
    dialog = opened(stage, qtbot, row)
    hint = dialog.trend.plot._hint
    assert (hint.isVisible(), words in hint.text()) == (True, True)


def test_a_database_that_is_away_is_told(stage: Stage, qtbot: QtBot, row: AlarmRow) -> None:
    stage.reading.fault = DatabaseUnavailable("The database does not answer.")
    stage.console.room._shown.clear()
    dialog = opened(stage, qtbot, row)
    assert dialog.trend.plot._hint.text() == "The database does not answer."
    assert "The past cannot be read" in dialog.notice_bar.text()


def test_what_comes_after_the_panel_was_closed_is_dropped(stage: Stage, qtbot: QtBot, row: AlarmRow) -> None:
    waiting: list[Work] = []
    run, stage.console.operations._start = stage.console.operations._start, waiting.append
    dialog = WhyDialog(None, stage.console, row)  # type: ignore[arg-type]
    dialog.show()
    qtbot.waitUntil(lambda: len(waiting) == 3)
    assert dialog.table.empty_words == "The past is being read"
    with qtbot.waitSignal(dialog.destroyed):
        dialog.close()
    for work in waiting:
        run(work)


def test_the_inputs_of_an_expression_are_drawn_too(stage: Stage, qtbot: QtBot, row: AlarmRow) -> None:
    inputs = tuple(one for one in stage.console.room.tags if one != row.tag.id)[:7]
    rule = replace(row.rule, kind=AlarmKind.EXPRESSION, inputs=inputs)
    dialog = opened(stage, qtbot, replace(row, rule=rule))
    assert dialog.trend.pens() == [row.tag.id, *inputs[:4]]
    assert "3 more of its inputs are not drawn." in dialog.trend.words.text()
    pair = replace(row.rule, kind=AlarmKind.DEVIATION, other_tag_id=inputs[0])
    assert opened(stage, qtbot, replace(row, rule=pair)).trend.pens() == [row.tag.id, inputs[0]]


def test_an_earlier_onset_is_shown_when_it_is_chosen(stage: Stage, qtbot: QtBot, row: AlarmRow) -> None:
    came = stage.clock.now - timedelta(days=3)
    note = Note(came + timedelta(minutes=1), "omar", Happening.ACKNOWLEDGED, "")
    past = Occurrence(1, came, came + timedelta(hours=1), 7.0, 6.5, (note,))
    answers: Any = stage.reading.answers
    answers[read_occurrences] = lambda rule_id, count: [
        Occurrence(2, row.alarm.raised_time, None, 7.0, row.rule.limit, ()),
        past,
    ]
    dialog = opened(stage, qtbot, row)
    dialog.table.selectRow(1)
    start_s, end_s = dialog.trend.plot.stretch_s
    assert start_s < came.timestamp() < came.timestamp() + 3600 < end_s
    assert [words for _, words in dialog.trend.plot._marks.moments()] == ["came", "acknowledged", "returned"]
    dialog.trend.plot.flush()
    assert "H 6.50" in dialog.trend.plot._marks.names()


def test_what_never_came_has_no_trend(stage: Stage, qtbot: QtBot, row: AlarmRow) -> None:
    dialog = opened(stage, qtbot, replace(row, alarm=replace(row.alarm, raised_time=None)))
    assert not dialog.trend.plot.isVisible()
    assert "no onset to show" in dialog.trend.words.text()


def test_the_stretch_opens_in_the_trends_beside_what_is_live(stage: Stage, qtbot: QtBot, row: AlarmRow) -> None:
    trends = TrendsView(stage.console)
    qtbot.addWidget(trends)
    dialog = opened(stage, qtbot, row)
    for _ in range(2):
        dialog.trend.open_in_trends()
    names = [trends.tabs.tabText(number) for number in range(trends.tabs.count())]
    assert names == ["Levels", f"{row.tag.name}, onset"]
    live, onset = trends.plots()
    assert (live.is_live, onset.is_live, onset.pens()) == (True, False, [row.tag.id])
    assert onset.stretch_s == pytest.approx(dialog.trend.plot.stretch_s)


@pytest.mark.parametrize("palette", PALETTES)
def test_a_picture_of_the_panel(palette: Palette, stage: Stage, qtbot: QtBot, row: AlarmRow, gallery: Path) -> None:
    stage.console.theme.use(palette)
    answers: Any = stage.reading.answers
    answers[read_history] = fake_history
    inputs = tuple(one for one, tag in stage.console.room.tags.items() if tag.unit == "m" and one != row.tag.id)[:3]
    panel = opened(stage, qtbot, replace(row, rule=replace(row.rule, kind=AlarmKind.EXPRESSION, inputs=inputs)))
    save_as_seen(panel.grab(), gallery, f"why-inputs-{palette.name}")
    answers[read_history] = wave(row.rule.limit + 0.4)
    changed = stage.clock.now - timedelta(minutes=5)
    answers[read_rule_changes] = lambda rule_id, count: (
        [noted(row, changed, row.rule.limit - 0.3, row.rule.limit)] if rule_id == row.rule.id else []
    )
    dialog = opened(stage, qtbot, row)
    assert dialog.width() <= 1366
    assert dialog.height() <= 700
    save_as_seen(dialog.grab(), gallery, f"why-panel-{palette.name}")
