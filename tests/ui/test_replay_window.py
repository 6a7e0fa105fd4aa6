"""The replay of a period: the board at every moment, play and pause, what cannot be read; pictures."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from control_room.core.alarms import AlarmState
from control_room.core.errors import DatabaseUnavailable
from control_room.ui import replay_reading
from control_room.ui.operations import Work
from control_room.ui.period_choice import ANY_TIME, LAST_HOUR
from control_room.ui.replay_window import SPEEDS, TICK_MS, ReplayWindow
from control_room.ui.views.journal import JournalView
from db.journal_search import JournalFilter, JournalRow, search_journal
from tests.fakes import START
from tests.ui.books import Books, keep_books, row
from tests.ui.gallery import PALETTES, SIZES
from tests.ui.rooms import NAMES, Stage, configuration
from widgets.alarm_model import NOW
from widgets.palette import Palette

BEGIN, END = START + timedelta(seconds=40 * 100), START + timedelta(seconds=40 * 300)
WANTED = JournalFilter(text="not of a replay", start=BEGIN, end=END)


@pytest.fixture
def books(stage: Stage) -> Books:
    stage.fill()
    return keep_books(stage)


@pytest.fixture
def desk(qtbot: QtBot) -> QWidget:
    made = QWidget()
    qtbot.addWidget(made)
    return made


@pytest.fixture
def window(stage: Stage, books: Books, desk: QWidget) -> ReplayWindow:
    made = ReplayWindow(desk, stage.console, WANTED)
    made.show()
    return made


def at(number: int) -> datetime:
    """Return when row `number` of the books was written."""
    return START + timedelta(seconds=40 * number)


def standing(books: Books, time: datetime) -> dict[int, str]:
    """Return the state of every alarm that is not normal, as the newest row of each before the end tells it."""
    newest: dict[int, JournalRow] = {}
    for one in books.rows:
        if one.commit_time <= time and one.commit_time < END:
            newest[one.rule_id] = one
    return {rule_id: one.state for rule_id, one in newest.items() if one.state != "NORM"}


def shown(window: ReplayWindow) -> dict[int, str]:
    """Return what is on the three lists together."""
    found: dict[int, str] = {}
    for number in range(window.shelves.count()):
        window.shelves.setCurrentIndex(number)
        found |= {one.rule.id: one.alarm.state.value for one in window.table.board.rows}
    window.shelves.setCurrentIndex(0)
    return found


def click(button: QWidget) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


# --- the board


@pytest.mark.parametrize("numbers", [[0, 7, 63, 200], [200, 150, 199, 3, 0]], ids=["forwards", "to and fro"])
def test_the_board_is_what_the_journal_says_at_every_moment(
    window: ReplayWindow, books: Books, numbers: list[int]
) -> None:
    for number in numbers:
        window.slider.setValue(40 * number)
        assert window.time == at(100 + number)
        assert shown(window) == standing(books, window.time)


def test_it_is_marked_and_nothing_of_the_present_is_in_it(window: ReplayWindow, stage: Stage) -> None:
    assert window.band.text().startswith("REPLAY")
    assert "not the present" in window.band.text()
    assert window.windowTitle() == "Replay"
    assert window.table.isColumnHidden(NOW)
    before = shown(window)
    stage.console.room.take_alarms([], True)
    stage.console.alarms.flush()
    assert shown(window) == before


def test_limit_priority_and_message_are_those_of_then(stage: Stage, books: Books, desk: QWidget) -> None:
    old = row(300, configuration(), limit=77.0, priority=1, message="Overflow", happening="raised", state="UNACK")
    books.rows = [old]
    window = ReplayWindow(desk, stage.console, replace(WANTED, end=END + timedelta(hours=1)))
    window.go_on()
    [one] = window.table.board.rows
    assert (one.rule.limit, int(one.rule.priority), one.message) == (77.0, 1, "Overflow")
    assert (one.tag.key, one.municipality) == (old.tag_key, NAMES[old.municipality_id - 1])
    window.close()


def test_what_is_retired_is_told_by_the_journal_alone(stage: Stage, books: Books, desk: QWidget) -> None:
    more = {"rule_id": 99_999, "tag_id": 99_999, "tag_name": "Old pump", "site": "Hill"}
    books.rows = [
        row(150, configuration(), happening="raised", previous_state="NORM", state="UNACK", **more),
        row(160, configuration(), happening="only_later", previous_state="UNACK", state="UNHEARD_OF", **more),
    ]
    window = ReplayWindow(desk, stage.console, WANTED)
    window.go_on()
    [one] = window.table.board.rows
    assert (one.tag.name, one.tag.site, one.alarm.state) == ("Old pump", "Hill", AlarmState.UNACKNOWLEDGED)
    window.go_on()
    assert window.table.board.rows == []
    window.close()


# --- time


def test_next_and_previous_go_from_one_happening_to_the_other(window: ReplayWindow, books: Books) -> None:
    assert not window.previous_button.isEnabled()
    for number in (100, 101, 102):
        click(window.next_button) if number > 100 else None
        assert window.time == at(number)
        assert window.newest.text().startswith(f"{at(number).astimezone():%Y-%m-%d %H:%M:%S}")
    QTest.keyClick(window, Qt.Key.Key_Left, Qt.KeyboardModifier.ControlModifier)
    assert window.time == at(101)
    QTest.keyClick(window, Qt.Key.Key_Right, Qt.KeyboardModifier.ControlModifier)
    assert window.time == at(102)
    window.go_to(END)
    assert not window.next_button.isEnabled()


def test_it_tells_who_did_what(window: ReplayWindow, books: Books) -> None:
    number = next(n for n, one in enumerate(books.rows) if n > 100 and one.person and one.comment)
    window.go_to(at(number))
    one = books.rows[number]
    assert f"by {one.person}: {one.comment}" in window.newest.text()
    assert len(window.newest.text()) <= 201


def test_playing_goes_on_by_the_chosen_speed_until_it_is_paused(window: ReplayWindow, books: Books) -> None:
    window.setFocus()
    window.speed.setCurrentIndex(SPEEDS.index(600))
    QTest.keyClick(window, Qt.Key.Key_Space)
    assert (window._timer.isActive(), window.play_button.text()) == (True, "Pause")
    window._timer.stop()
    before = window.time
    window._timer.timeout.emit()
    assert window.time - before == timedelta(seconds=600 * TICK_MS / 1000)
    assert window.slider.value() == round((window.time - BEGIN).total_seconds())
    assert shown(window) == standing(books, window.time)
    window._timer.start()
    click(window.play_button)
    assert (window._timer.isActive(), window.play_button.text()) == (False, "Play")


def test_playing_ends_at_the_end_and_begins_anew_from_there(window: ReplayWindow) -> None:
    window.go_to(END - timedelta(seconds=1))
    click(window.play_button)
    window._timer.timeout.emit()
    assert (window.time, window._timer.isActive(), window.play_button.text()) == (END, False, "Play")
    click(window.play_button)
    assert (window.time, window._timer.isActive()) == (BEGIN, True)
    window.close()
    assert not window._timer.isActive()


# --- reading


def test_only_the_area_and_the_period_are_asked_for(window: ReplayWindow, books: Books) -> None:
    assert set(books.asked) == {JournalFilter(start=BEGIN, end=END)}


def test_a_long_period_is_read_page_by_page(
    stage: Stage, books: Books, desk: QWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_reading, "PAGE", 30)
    window = ReplayWindow(desk, stage.console, WANTED)
    assert len(books.asked) == 7
    window.go_to(END - timedelta(seconds=1))
    assert shown(window) == standing(books, window.time)
    window.close()


def test_too_many_rows_are_refused_in_words(
    stage: Stage, books: Books, desk: QWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_reading, "MOST_ROWS", 99)
    window = ReplayWindow(desk, stage.console, WANTED)
    window.show()
    assert window.notice_bar.text().startswith("There is no replay: More than 99 rows were written in this period.")
    assert window.table.empty_words == "The period is not known"
    for one in (window.play_button, window.next_button, window.previous_button, window.slider):
        assert not one.isEnabled()
    QTest.keyClick(window, Qt.Key.Key_Space)
    assert not window._timer.isActive()
    window.close()


def test_a_database_that_is_away_is_said(stage: Stage, books: Books, desk: QWidget) -> None:
    stage.reading.fault = DatabaseUnavailable("The database does not answer.", advice="Wait.")
    window = ReplayWindow(desk, stage.console, WANTED)
    window.show()
    assert window.notice_bar.text() == "There is no replay: The database does not answer. Wait."
    window.close()


def test_a_period_in_which_nothing_happened_says_so(stage: Stage, books: Books, desk: QWidget) -> None:
    books.rows = []
    window = ReplayWindow(desk, stage.console, WANTED)
    assert window.table.empty_words == "Nothing happened in the period, and nothing stood at its beginning"
    assert not window.play_button.isEnabled()
    window.close()


def test_a_window_that_is_closed_while_it_reads_asks_for_no_more(
    stage: Stage, books: Books, desk: QWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_reading, "PAGE", 30)
    begun: list[Work] = []
    start = stage.console.operations._start
    stage.console.operations._start = begun.append
    window = ReplayWindow(desk, stage.console, WANTED)
    window.show()

    def closing(**asked: object) -> object:
        if len(books.asked) == 2:
            window.close()
        return books.read(**asked)  # type: ignore[arg-type]

    stage.reading.answers = {**stage.reading.answers, search_journal: closing}
    [work] = begun
    start(work)
    assert len(books.asked) == 3


# --- from the journal


def test_the_journal_opens_it_with_its_area_and_period(stage: Stage, books: Books, qtbot: QtBot) -> None:
    view = JournalView(stage.console)
    qtbot.addWidget(view)
    view.show()
    qtbot.waitUntil(lambda: not view._soon.isActive())
    view.filter.period.box.setCurrentIndex(ANY_TIME)
    qtbot.waitUntil(lambda: not view._soon.isActive())
    assert (view.replay_button.isEnabled(), view.replay_button.toolTip()) == (
        False,
        "A replay needs a period that begins: choose one.",
    )
    view.filter.period.box.setCurrentIndex(LAST_HOUR)
    view.filter.municipality.setCurrentText(NAMES[1])
    qtbot.waitUntil(lambda: not view._soon.isActive())
    click(view.replay_button)
    [window] = view.findChildren(ReplayWindow)
    now = stage.clock.now
    assert (window.start, window.end) == (now - timedelta(hours=1), now)
    assert {one.municipality for one in window.table.board.rows} == {NAMES[1]}
    window.close()


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("size", SIZES, ids=["wide", "narrow"])
@pytest.mark.parametrize("scene", ["replay", "replay-shelved", "replay-away"])
def test_pictures_of_the_replay(
    stage: Stage,
    books: Books,
    desk: QWidget,
    qtbot: QtBot,
    gallery: Path,
    scene: str,
    palette: Palette,
    size: tuple[int, int],
) -> None:
    stage.console.theme.use(palette)
    if scene == "replay-away":
        stage.reading.fault = DatabaseUnavailable("The database does not answer.", advice="It is tried again.")
    window = ReplayWindow(desk, stage.console, WANTED)
    window.resize(*size)
    window.show()
    window.go_to(datetime.fromtimestamp(BEGIN.timestamp() + 5_000, UTC))
    if scene == "replay-shelved":
        window.shelves.setCurrentIndex(1)
    qtbot.wait(50)
    assert (window.width(), window.height()) == size
    assert window.grab().save(str(gallery / f"{scene}-{palette.name}-{size[0]}.png"))
    window.close()
