"""The view Journal: pages, filter, one question at a time, failures, ways to elsewhere, the export; pictures."""

import csv
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from openpyxl import load_workbook
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QFileDialog
from pytestqt.qtbot import QtBot

from control_room.core.errors import DatabaseUnavailable
from control_room.core.samples import BAD_SENSOR_FAILURE
from control_room.ui import journal_export, table_files
from control_room.ui.export import Progress
from control_room.ui.journal_words import TITLES, cells, tip
from control_room.ui.main_window import MainWindow
from control_room.ui.operations import Work
from control_room.ui.period_choice import ANY_TIME, FROM_TO, LAST_HOUR
from control_room.ui.views.journal import JournalView
from db.journal_search import JournalFilter, JournalRow, search_journal
from tests.ui.books import LONG, Books, keep_books, row
from tests.ui.gallery import PALETTES, SIZES
from tests.ui.rooms import NAMES, Stage, configuration
from widgets.palette import Palette


@pytest.fixture
def books(stage: Stage) -> Books:
    stage.fill()
    return keep_books(stage)


@pytest.fixture
def view(stage: Stage, books: Books, qtbot: QtBot) -> JournalView:
    made = JournalView(stage.console)
    qtbot.addWidget(made)
    made.resize(1500, 400)
    made.show()
    settle(made, qtbot)
    return made


def settle(view: JournalView, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not view._soon.isActive() and not view.filter._soon.isActive())


def numbers(view: JournalView, books: Books) -> list[int]:
    """Return which rows of the books are shown, by their place."""
    place = {one.id: number for number, one in enumerate(books.rows)}
    return [place[one.id] for one in view.table.rows]


def pick(box: QComboBox, text: str) -> None:
    assert box.findText(text) >= 0
    box.setCurrentText(text)


def click(button: object, view: JournalView, qtbot: QtBot) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)  # type: ignore[call-overload]
    settle(view, qtbot)


# --- pages


def test_the_newest_come_first_200_a_page(view: JournalView, books: Books, qtbot: QtBot) -> None:
    assert numbers(view, books) == list(range(449, 249, -1))
    assert (view.count.text(), view.newer_button.isEnabled()) == ("1–200", False)
    for words, first, last in (("201–400", 249, 50), ("401–450", 49, 0)):
        click(view.older_button, view, qtbot)
        assert (view.count.text(), numbers(view, books)[0], numbers(view, books)[-1]) == (words, first, last)
    assert not view.older_button.isEnabled()
    click(view.newer_button, view, qtbot)
    assert (view.count.text(), numbers(view, books)[0]) == ("201–400", 249)
    books.rows.append(row(450, configuration()))
    click(view.refresh_button, view, qtbot)
    assert numbers(view, books)[0] == 450


def test_every_column_says_its_part(view: JournalView, books: Books) -> None:
    board = view.table.board
    titles = [board.headerData(number, Qt.Orientation.Horizontal) for number in range(board.columnCount())]
    line = next(number for number, one in enumerate(view.table.rows) if one.happening == "acknowledged" and one.comment)
    one = view.table.rows[line]
    said = dict(zip(titles, (board.data(board.index(line, number)) for number in range(len(titles))), strict=True))
    assert said["Time"] == f"{one.commit_time.astimezone():%Y-%m-%d %H:%M:%S}"
    assert (said["Happening"], said["P"]) == ("acknowledged", str(one.priority))
    assert said["Place"].startswith(f"{NAMES[one.municipality_id - 1]} › {one.site}")
    assert (said["Tag"], said["Alarm"]) == (one.tag_name, one.message)
    assert (said["Person"], said["Comment"]) == (one.person, one.comment)


def test_a_tip_tells_when_it_happened_where_that_was_earlier(books: Books, stage: Stage) -> None:
    room = stage.console.room
    late, punctual = books.rows[11], books.rows[12]
    assert "happened " in tip(late, room.municipalities, room.tags)
    words = tip(replace(punctual, quality=BAD_SENSOR_FAILURE, value=3.0), room.municipalities, room.tags)
    assert "happened " not in words
    assert "quality bad" in words
    assert "acknowledged → normal" in words
    assert "by " not in words
    newer = replace(books.rows[1], happening="flood_began", state="FLOOD")
    assert "flood began" in tip(newer, {}, {})
    assert "unacknowledged → FLOOD" in tip(newer, {}, {})


# --- the filter


def test_the_filter_asks_the_database(view: JournalView, books: Books, stage: Stage, qtbot: QtBot) -> None:
    assert books.asked[-1] == JournalFilter(start=stage.clock.now - timedelta(days=7))
    view.filter.period.box.setCurrentIndex(ANY_TIME)
    click(view.older_button, view, qtbot)
    QTest.keyClicks(view.filter.text, "  pump TEST ")
    QTest.keyClicks(view.filter.person, "LIND")
    qtbot.waitUntil(lambda: books.asked[-1] == JournalFilter("pump TEST", person="LIND"))
    settle(view, qtbot)
    # another question begins at its newest page
    assert view.count.text().startswith("1–")
    assert {one.person for one in view.table.rows} == {"j.lind"}
    pick(view.filter.kind, "Shelved")
    settle(view, qtbot)
    assert books.asked[-1] == JournalFilter("pump TEST", person="LIND", kinds=("shelved",))
    pick(view.filter.kind, "Returned")
    settle(view, qtbot)
    assert (len(view.table.rows), view.count.text()) == (0, "none")
    assert view.table.empty_words == "Nothing in the journal matches the filter."


def test_an_area_is_chosen_from_the_large_to_the_small(view: JournalView, books: Books, qtbot: QtBot) -> None:
    assert (view.filter.site.isEnabled(), view.filter.site.toolTip()) == (False, "Choose a municipality first")
    pick(view.filter.municipality, NAMES[1])
    settle(view, qtbot)
    assert (books.asked[-1].municipality_id, view.filter.asset.isEnabled()) == (2, False)
    site = view.filter.site.itemText(1)
    pick(view.filter.site, site)
    asset = view.filter.asset.itemText(1)
    pick(view.filter.asset, asset)
    settle(view, qtbot)
    assert (books.asked[-1].site, books.asked[-1].asset) == (site, asset)
    assert {(one.municipality_id, one.site, one.asset) for one in view.table.rows} <= {(2, site, asset)}
    # what the new choice does not have is not kept
    pick(view.filter.municipality, "All municipalities")
    settle(view, qtbot)
    assert (books.asked[-1].site, books.asked[-1].asset) == ("", "")


def test_what_was_chosen_stays_when_the_configuration_comes_again(view: JournalView, stage: Stage) -> None:
    pick(view.filter.municipality, NAMES[2])
    pick(view.filter.site, view.filter.site.itemText(1))
    before = view.filter.wanted()
    view.filter.show_areas(stage.console.room.configuration)
    assert view.filter.wanted() == before


def test_two_moments_bound_the_period(view: JournalView, books: Books, qtbot: QtBot) -> None:
    view.filter.period.box.setCurrentIndex(FROM_TO)
    start, end = books.rows[15].commit_time.astimezone(), books.rows[30].commit_time.astimezone()
    view.filter.period.put(start, end)
    view.filter.period.end.dateTimeChanged.emit(view.filter.period.end.dateTime())
    settle(view, qtbot)
    settle(view, qtbot)
    assert numbers(view, books) == list(range(29, 14, -1))
    asked = len(books.asked)
    view.filter.period.end.setDateTime(view.filter.period.start.dateTime())
    settle(view, qtbot)
    assert (view.filter.period.fault.text(), len(books.asked)) == (
        "The first moment must come before the second.",
        asked,
    )


# --- one question at a time, and failures


def test_only_one_question_is_in_flight_and_only_the_newest_follows(stage: Stage, books: Books, qtbot: QtBot) -> None:
    begun: list[Work] = []
    view = JournalView(stage.console)
    qtbot.addWidget(view)
    start = stage.console.operations._start
    stage.console.operations._start = begun.append
    view.show()
    settle(view, qtbot)
    assert view.table.empty_words == "The journal is being read."
    for kind in ("Shelved", "Note", "Raised"):
        pick(view.filter.kind, kind)
        settle(view, qtbot)
    [work] = begun
    start(work)
    assert [one.kinds for one in books.asked] == [("raised",)]
    assert {one.happening for one in view.table.rows} == {"raised"}


def test_what_was_asked_before_is_not_shown_when_more_was_asked(stage: Stage, books: Books, qtbot: QtBot) -> None:
    view = JournalView(stage.console)
    qtbot.addWidget(view)
    shown: list[int] = []
    view._show = lambda rows, page: shown.append(len(rows))  # type: ignore[method-assign]

    def slow(**asked: object) -> object:
        if not shown and len(books.asked) == 0:
            # the person asks for something else meanwhile
            view._is_stale = True
        return books.read(**asked)  # type: ignore[arg-type]

    stage.reading.answers = {**stage.reading.answers, search_journal: slow}
    view.show()
    settle(view, qtbot)
    assert (len(books.asked), shown) == (2, [201])


def test_a_database_that_is_away_is_said_and_the_page_stays(view: JournalView, stage: Stage, qtbot: QtBot) -> None:
    stage.reading.fault = DatabaseUnavailable("The database does not answer.", advice="Wait.")
    click(view.refresh_button, view, qtbot)
    assert view.notice_bar.text() == "The journal was not read: The database does not answer. Wait."
    assert (len(view.table.rows), view.count.text()) == (200, "not known")
    stage.reading.fault = None
    click(view.refresh_button, view, qtbot)
    assert (view.notice_bar.text(), view.count.text()) == ("", "1–200")


def test_a_first_reading_that_fails_says_why_there_is_nothing(stage: Stage, books: Books, qtbot: QtBot) -> None:
    stage.reading.fault = DatabaseUnavailable("The database does not answer.")
    view = JournalView(stage.console)
    qtbot.addWidget(view)
    view.show()
    settle(view, qtbot)
    assert view.table.empty_words == "Not known: The database does not answer."


# --- ways to elsewhere


def test_a_row_leads_to_trend_map_and_board(view: JournalView, stage: Stage, qtbot: QtBot) -> None:
    jumps, seen = stage.console.jumps, []
    jumps.trend_wanted.connect(lambda tags: seen.append(("trend", tags)))
    jumps.map_wanted.connect(lambda tag: seen.append(("map", tag)))
    jumps.alarms_wanted.connect(lambda tags, words: seen.append((words, tags)))
    one = view.table.rows[2]
    view.table.selectRow(2)
    menu = view.menu()
    for action in menu.actions():
        action.trigger()
    assert seen == [("trend", [one.tag_id]), ("map", one.tag_id), (one.tag_name, [one.tag_id])]
    menu.close()
    view.table.setFocus()
    QTest.keyClick(view.table, Qt.Key.Key_Return)
    assert seen[-1] == ("trend", [one.tag_id])
    view.table.customContextMenuRequested.emit(QPoint(5, 5))


def test_what_is_retired_leads_nowhere_and_says_so(view: JournalView, books: Books, qtbot: QtBot) -> None:
    books.rows.append(row(450, configuration(), tag_id=99_999, tag_name="Old pump", value=2.5))
    click(view.refresh_button, view, qtbot)
    view.table.selectRow(0)
    view._jump("trend")
    assert view.notice_bar.text() == "Old pump is retired: its history is all that is left."


# --- the export


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_export, "EXPORT_PAGE", 100)


@pytest.mark.usefixtures("small_pages")
def test_everything_that_the_filter_matches_is_in_the_csv(view: JournalView, books: Books, tmp_path: Path) -> None:
    pick(view.filter.kind, "Raised and returned")
    path = tmp_path / "journal ö.csv"
    path.write_text("what was there before")
    view.export_to(path)
    found = lines(path)
    expected = [one for one in reversed(books.rows) if one.happening in ("raised", "returned")]
    assert [line["written_utc"] for line in found] == [f"{one.commit_time:%Y-%m-%dT%H:%M:%S.%fZ}" for one in expected]
    assert tuple(found[0]) == TITLES
    assert (found[0]["municipality"], found[0]["happening"]) == (NAMES[expected[0].municipality_id - 1], "returned")
    assert float(found[0]["limit"]) == expected[0].limit
    assert view.notice_bar.text() == f"{len(expected)} rows exported to {path}"
    assert (list(tmp_path.glob("*.part")), view.export_row.isHidden()) == ([], True)


@pytest.mark.usefixtures("small_pages")
def test_the_same_rows_are_in_the_workbook(view: JournalView, stage: Stage, books: Books, tmp_path: Path) -> None:
    nasty = '=HYPERLINK("http://x","y")'
    books.rows.append(row(450, configuration(), comment=nasty, person="+1", value=-2.5))
    path = tmp_path / "journal.XLSX"
    view.filter.period.box.setCurrentIndex(ANY_TIME)
    view.export_to(path)
    sheet = load_workbook(path).worksheets[0]
    title, first, *others = sheet.iter_rows()
    assert [cell.value for cell in title] == list(TITLES)
    assert len(others) == 450
    room = stage.console.room
    expected = cells(books.rows[-1], room.municipalities, room.tags)
    for cell, value in zip(first, expected, strict=True):
        if isinstance(value, datetime):
            value = value.astimezone().replace(tzinfo=None)  # noqa: PLW2901
        assert (cell.value or "") == (value or "")
        assert cell.data_type != "f"
    assert list(tmp_path.iterdir()) == [path]


def test_no_cell_of_a_csv_is_a_formula_and_numbers_stay_numbers(
    view: JournalView, books: Books, tmp_path: Path, qtbot: QtBot
) -> None:
    books.rows = [row(450, configuration(), comment="=1+1", person="@x", message=" -2", value=-2.5)]
    view.export_to(tmp_path / "a.csv")
    [line] = lines(tmp_path / "a.csv")
    assert (line["comment"], line["person"], line["alarm"], line["value"]) == ("'=1+1", "'@x", "' -2", "-2.5")
    assert view.notice_bar.text().startswith("1 row exported")


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
@pytest.mark.usefixtures("small_pages")
def test_an_export_is_cancelled_and_leaves_nothing(
    view: JournalView, books: Books, stage: Stage, tmp_path: Path, name: str
) -> None:
    seen: list[tuple[bool, int, str]] = []
    view.filter.period.box.setCurrentIndex(FROM_TO)
    view.filter.period.put(books.rows[0].commit_time.astimezone(), stage.clock.now.astimezone() + timedelta(hours=1))

    def read(**asked: object) -> object:
        if asked["before"]:
            seen.append((view.export_row.isHidden(), view.export_row.bar.value(), view.export_row.bar.text()))
            QTest.mouseClick(view.export_row.cancel_button, Qt.MouseButton.LeftButton)
        return books.read(**asked)  # type: ignore[arg-type]

    stage.reading.answers = {**stage.reading.answers, search_journal: read}
    path = tmp_path / name
    path.write_text("what was there before")
    view.export_to(path)
    assert seen == [(False, 22, "100 rows written (22%)")]
    assert view.notice_bar.text() == "The export was cancelled; no file was made."
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith("a.")] == [name]
    assert path.read_text() == "what was there before"


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_a_file_that_cannot_be_written_is_said(view: JournalView, tmp_path: Path, name: str) -> None:
    view.export_to(tmp_path / "no such folder" / name)
    assert view.notice_bar.text().startswith("Nothing was exported: The file cannot be written: No such file")
    assert view.export_button.isEnabled()


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
@pytest.mark.usefixtures("small_pages")
def test_a_database_that_goes_away_leaves_no_half_a_file(
    view: JournalView, books: Books, stage: Stage, tmp_path: Path, name: str
) -> None:
    def once(**asked: object) -> object:
        stage.reading.fault = DatabaseUnavailable("The database does not answer.")
        return books.read(**asked)  # type: ignore[arg-type]

    stage.reading.answers = {**stage.reading.answers, search_journal: once}
    view.export_to(tmp_path / name)
    assert view.notice_bar.text() == "Nothing was exported: The database does not answer."
    assert [one for one in tmp_path.iterdir() if one.name.startswith("a.")] == []


def test_more_rows_than_a_sheet_holds_go_on_in_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_files, "SHEET_ROWS", 4)
    file = table_files.table_file(tmp_path / "a.xlsx")
    file.begin(["number"])
    file.append([[number] for number in range(5)])
    file.finish()
    sheets = load_workbook(tmp_path / "a.xlsx").worksheets
    assert [[cell for (cell,) in one.iter_rows(values_only=True)] for one in sheets] == [
        ["number", 0, 1, 2],
        ["number", 3, 4],
    ]


def test_the_person_is_asked_for_a_file_of_either_kind(view: JournalView, tmp_path: Path, qtbot: QtBot) -> None:
    click(view.export_button, view, qtbot)
    [dialog] = view.findChildren(QFileDialog)
    assert dialog.isVisible()
    assert dialog.defaultSuffix() == "csv"
    dialog.filterSelected.emit("Excel workbooks (*.xlsx)")
    assert dialog.defaultSuffix() == "xlsx"
    dialog.fileSelected.emit(str(tmp_path / "a.xlsx"))
    assert (tmp_path / "a.xlsx").stat().st_size > 1000
    dialog.close()
    qtbot.waitUntil(lambda: not view.findChildren(QFileDialog))


# --- pictures for a person to look at


def with_long_names(books: Books) -> None:
    def long(one: JournalRow) -> JournalRow:
        comment = one.comment + LONG if one.person else ""
        return replace(one, message=one.message + LONG, tag_name=one.tag_name + LONG, comment=comment)

    books.rows = [long(one) for one in books.rows]


def empty(books: Books) -> None:
    books.rows = []


SCENES: dict[str, Callable[[Books], None]] = {
    "journal": lambda books: None,
    "journal-long": with_long_names,
    "journal-empty": empty,
}


@pytest.mark.parametrize("scene", [*SCENES, "journal-away", "journal-moments"])
@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("size", SIZES, ids=["wide", "narrow"])
def test_the_journal_fits_the_screen(
    stage: Stage,
    books: Books,
    room: MainWindow,
    qtbot: QtBot,
    gallery: Path,
    scene: str,
    palette: Palette,
    size: tuple[int, int],
) -> None:
    if scene in SCENES:
        SCENES[scene](books)
    if scene == "journal-away":
        stage.reading.fault = DatabaseUnavailable("The database does not answer.", advice="It is tried again.")
    stage.console.theme.use(palette)
    room.resize(*size)
    room.show()
    room.bring("journal")
    view = room.views["journal"]
    assert isinstance(view, JournalView)
    qtbot.wait(100)
    if scene == "journal-moments":
        pick(view.filter.municipality, NAMES[2])
        view.filter.period.box.setCurrentIndex(FROM_TO)
        view.export_row.tell(Progress(123_456, 41))
        view.export_row.show()
    if scene == "journal":
        view.filter.period.box.setCurrentIndex(LAST_HOUR)
    qtbot.wait(100)
    if view.table.rows:
        view.table.selectRow(1)
    qtbot.wait(50)
    assert (room.width(), room.height()) == size
    for one in (view.filter.text, view.filter.period.box, view.count, view.export_button):
        assert view.rect().contains(one.geometry().translated(view.filter.pos()))
    assert room.grab().save(str(gallery / f"{scene}-{palette.name}-{size[0]}.png"))


# --- what comes while it is open


def come(stage: Stage, books: Books, view: JournalView, *numbers_: int) -> None:
    """Write rows, and let the notification that wakes the board come."""
    books.rows.extend(row(number, configuration()) for number in numbers_)
    stage.console.room.alarms_changed.emit([])
    stage.console.room.alarms_changed.emit([])
    assert view._news.isActive()
    assert view._news.interval() == 1000
    view._news.stop()
    view._news.timeout.emit()


def test_new_rows_appear_at_the_top(view: JournalView, books: Books, stage: Stage) -> None:
    asked = len(books.asked)
    come(stage, books, view, 450, 451)
    assert numbers(view, books)[:2] == [451, 450]
    assert len(books.asked) == asked + 1
    assert view.new_button.isHidden()


@pytest.mark.parametrize("is_chosen", [True, False])
def test_what_is_read_does_not_move(
    is_chosen: bool, view: JournalView, books: Books, stage: Stage, qtbot: QtBot
) -> None:
    if is_chosen:
        view.table.selectRow(2)
    else:
        view.table.verticalScrollBar().setValue(30)
    before, place = numbers(view, books), view.table.verticalScrollBar().value()
    come(stage, books, view, 450, 451, 452)
    come(stage, books, view, 453)
    assert (numbers(view, books), view.table.verticalScrollBar().value()) == (before, place)
    assert (view.new_button.isVisible(), view.new_button.text()) == (True, "4 new")
    click(view.new_button, view, qtbot)
    assert (numbers(view, books)[0], view.new_button.isVisible()) == (453, False)
    come(stage, books, view, 454)
    assert numbers(view, books)[0] == 454


def test_an_older_page_or_period_asks_nothing(view: JournalView, books: Books, stage: Stage, qtbot: QtBot) -> None:
    click(view.older_button, view, qtbot)
    asked = len(books.asked)
    come(stage, books, view, 450)
    assert (len(books.asked), view.count.text()) == (asked, "201–400")
    view.hide()
    stage.console.room.alarms_changed.emit([])
    assert not view._news.isActive()


def test_a_database_that_is_away_leaves_what_is_shown(view: JournalView, books: Books, stage: Stage) -> None:
    before = numbers(view, books)
    stage.reading.fault = DatabaseUnavailable("away")
    come(stage, books, view, 450)
    assert numbers(view, books) == before
    stage.reading.fault = None
    come(stage, books, view, 451)
    assert numbers(view, books)[:2] == [451, 450]
