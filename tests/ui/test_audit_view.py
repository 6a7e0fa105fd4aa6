"""The view Audit: filter, pages, detail, the chain, the export, who may read; pictures."""

import csv
import re
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QFileDialog
from pytestqt.qtbot import QtBot

import db.migrations
from control_room.core.access import Action, refusal
from control_room.core.errors import DatabaseUnavailable
from control_room.ui import audit_export
from control_room.ui.audit_words import ACTIONS, TITLES, change_lines, changes, detail
from control_room.ui.export import Progress
from control_room.ui.main_window import MainWindow
from control_room.ui.period_choice import FROM_TO, LAST_HOUR, LAST_MONTH, TODAY
from control_room.ui.table_files import harmless
from control_room.ui.views.audit import AuditView
from db.audit import AuditEntry, AuditFilter, Chain, read_audit
from tests.fakes import START
from tests.ui.gallery import PALETTES, SIZES
from tests.ui.office import ADAM, SOFIA, Office, entry, make_office, with_long_names
from tests.ui.rooms import Stage
from widgets.palette import Palette


@pytest.fixture
def office(stage: Stage) -> Office:
    made = make_office(stage, ADAM)
    made.entries = [entry(number) for number in range(1, 1201)]
    stage.clock.pass_s(37 * 1200)
    return made


@pytest.fixture
def view(stage: Stage, office: Office, qtbot: QtBot) -> AuditView:
    made = AuditView(stage.console)
    qtbot.addWidget(made)
    made.resize(1500, 400)
    made.show()
    settle(made, qtbot)
    return made


def settle(view: AuditView, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not view._soon.isActive() and not view.filter._soon.isActive())


def ids(view: AuditView) -> list[int]:
    return [one.id or 0 for one in view.table.rows]


def wanted(stage: Stage) -> AuditFilter:
    found: AuditFilter = [words["wanted"] for job, words in stage.acting.asked if job is read_audit][-1]
    return found


# --- pages and filter


def test_the_newest_come_first_500_a_page(view: AuditView, qtbot: QtBot) -> None:
    assert ids(view) == list(range(1200, 700, -1))
    assert (view.count.text(), view.newer_button.isEnabled()) == ("1–500", False)
    for text, first, last in (("501–1,000", 700, 201), ("1,001–1,200", 200, 1)):
        QTest.mouseClick(view.older_button, Qt.MouseButton.LeftButton)
        settle(view, qtbot)
        assert (view.count.text(), ids(view)[0], ids(view)[-1]) == (text, first, last)
    assert not view.older_button.isEnabled()
    QTest.mouseClick(view.newer_button, Qt.MouseButton.LeftButton)
    settle(view, qtbot)
    assert (view.count.text(), ids(view)[0]) == ("501–1,000", 700)
    QTest.mouseClick(view.refresh_button, Qt.MouseButton.LeftButton)
    settle(view, qtbot)
    assert ids(view)[0] == 1200


def test_every_column_says_its_part(view: AuditView) -> None:
    board = view.table.board
    titles = [board.headerData(number, Qt.Orientation.Horizontal) for number in range(board.columnCount())]
    row = next(number for number, one in enumerate(view.table.rows) if one.action == "set_membership")
    cells = [board.data(board.index(row, number)) for number in range(board.columnCount())]
    one = view.table.rows[row]
    assert dict(zip(titles, cells, strict=True)) == {
        "Time": f"{one.time.astimezone():%Y-%m-%d %H:%M:%S}",
        "Person": "anna",
        "Station": "desk-1",
        "Address": "10.3.0.17",
        "Action": "change roles",
        "Object": "kay",
        "Municipality": "Laurel County Water District",
        "Outcome": "done",
        "Reason": "as agreed with the shift",
    }


def pick(box: QComboBox, text: str) -> None:
    assert box.findText(text) >= 0
    box.setCurrentText(text)


def test_the_filter_asks_the_database(view: AuditView, stage: Stage, qtbot: QtBot) -> None:
    QTest.mouseClick(view.older_button, Qt.MouseButton.LeftButton)
    settle(view, qtbot)
    view.filter.person.setText("  OMA ")
    view.filter.object.setText("larm")
    qtbot.waitUntil(lambda: wanted(stage) == AuditFilter("OMA", "larm"))
    settle(view, qtbot)
    # another question begins at its newest page
    assert view.count.text() == "1–300"
    assert {one.person for one in view.table.rows} == {"omar"}
    pick(view.filter.action, "acknowledge")
    pick(view.filter.outcome, "Refused")
    settle(view, qtbot)
    assert wanted(stage) == AuditFilter("OMA", "larm", "acknowledge", False)
    assert (ids(view), view.count.text(), view.table.empty_words) == ([], "none", "No entry matches the filter.")


def test_periods_are_counted_from_now(view: AuditView, stage: Stage, qtbot: QtBot) -> None:
    now = stage.clock.now
    view.filter.period.box.setCurrentIndex(LAST_HOUR)
    assert view.filter.wanted().start == now - timedelta(hours=1)
    view.filter.period.box.setCurrentIndex(LAST_MONTH)
    assert view.filter.wanted().start == now - timedelta(days=30)
    view.filter.period.box.setCurrentIndex(TODAY)
    start = view.filter.wanted().start
    assert start is not None
    assert f"{start:%H:%M:%S}" == "00:00:00"
    assert start.astimezone().date() == now.astimezone().date()
    assert view.filter.period.isHidden()


def test_two_moments_bound_the_period(view: AuditView, stage: Stage, qtbot: QtBot) -> None:
    view.filter.period.box.setCurrentIndex(FROM_TO)
    assert view.filter.period.isVisible()
    view.filter.period.put((START + timedelta(minutes=10)).astimezone(), (START + timedelta(minutes=20)).astimezone())
    view.filter.period.end.dateTimeChanged.emit(view.filter.period.end.dateTime())
    settle(view, qtbot)
    settle(view, qtbot)
    assert wanted(stage) == AuditFilter(start=START + timedelta(minutes=10), end=START + timedelta(minutes=20))
    assert ids(view) == list(range(32, 16, -1))
    asked = len(stage.acting.asked)
    view.filter.period.end.setDateTime(view.filter.period.start.dateTime())
    settle(view, qtbot)
    assert view.filter.period.fault.text() == "The first moment must come before the second."
    assert len(stage.acting.asked) == asked


def test_actions_of_a_newer_database_can_be_chosen(view: AuditView, office: Office, qtbot: QtBot) -> None:
    office.entries.append(entry(1201, action="shelve"))
    view.show_newest()
    settle(view, qtbot)
    pick(view.filter.action, "shelve")
    settle(view, qtbot)
    assert ids(view) == [1201]


def test_the_known_actions_are_those_that_the_migrations_write() -> None:
    folder = Path(db.migrations.__path__[0]) / "versions"
    text = "\n".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    written = set(re.findall(r"write_audit\('(\w+)'", text))
    assert written <= set(ACTIONS)
    assert len(ACTIONS) == len(set(ACTIONS))


# --- detail


def test_the_detail_tells_only_what_changed(view: AuditView) -> None:
    row = next(number for number, one in enumerate(view.table.rows) if one.action == "configure")
    view.table.selectRow(row)
    text = view.detail.toPlainText()
    assert "alarm_limit: 0.6 → 0.8" in text
    assert "priority" not in text
    assert f"Hash: {view.table.rows[row].hash}" in text
    assert "alarm_limit: 0.6 → 0.8" in view.table.board.data(
        view.table.board.index(row, 0), Qt.ItemDataRole.ToolTipRole
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (None, None, []),
        (None, {"a": 1, "b": None}, ["a: 1", "b: –"]),
        ({"a": 1, "b": 2}, {"b": 3}, ["b: 2 → 3"]),
        ({"a": None}, {"a": "x"}, ["a: – → x"]),
        ({"a": 1}, None, ["a: 1 → –"]),
        ({"a": 1}, {"a": 1}, []),
        (None, {"a": {"b": 1}}, ['a: {\n  "b": 1\n}']),
        (None, {"alarms": [[1, 2], [3, 4]]}, ["alarms: [[1, 2], [3, 4]]"]),
    ],
)
def test_changes_of_every_kind(
    old: dict[str, object] | None, new: dict[str, object] | None, expected: list[str]
) -> None:
    assert change_lines(entry(1, old=old, new=new)) == expected


def test_values_that_are_no_objects_are_told_too() -> None:
    assert changes(entry(1, old=None, new=["x"])) == [("value", None, ["x"])]


def test_a_detail_without_anything_is_a_detail() -> None:
    text = detail(entry(4, person="", station="", object="", municipality_id=None, old=None, new=None, reason=""), {})
    assert "Person: –" in text
    assert "Reason" not in text


def test_a_narrow_view_leaves_the_detail_to_its_button(view: AuditView) -> None:
    assert view.detail.isVisible()
    view.resize(1060, 300)
    assert (view.detail.isVisible(), view.width()) == (False, 1060)
    QTest.mouseClick(view.detail_button, Qt.MouseButton.LeftButton)
    assert view.detail.isVisible()
    view.resize(1070, 300)
    assert view.detail.isVisible()


# --- who may read


def test_who_may_not_reads_why(stage: Stage, qtbot: QtBot) -> None:
    make_office(stage, SOFIA)
    view = AuditView(stage.console)
    qtbot.addWidget(view)
    view.show()
    settle(view, qtbot)
    words = refusal(Action.READ_AUDIT)
    assert (view.table.empty_words, stage.acting.asked) == (words, [])
    for button in (view.refresh_button, view.older_button, view.verify_button, view.export_button):
        assert (button.isEnabled(), button.toolTip()) == (False, words)


def test_a_locked_station_shows_nothing_of_it(view: AuditView, stage: Stage, qtbot: QtBot) -> None:
    view.table.selectRow(0)
    stage.console.shift.person, stage.console.shift.locked = None, ADAM
    stage.console.shift.changed.emit()
    settle(view, qtbot)
    assert (ids(view), view.detail.toPlainText(), view.count.text()) == ([], "", "")
    assert view.table.empty_words == "The station is locked. Unlock it first."
    stage.console.shift.person, stage.console.shift.locked = ADAM, None
    stage.console.shift.changed.emit()
    settle(view, qtbot)
    assert len(ids(view)) == 500


def test_a_database_that_is_away_is_said_and_the_page_stays(view: AuditView, stage: Stage, qtbot: QtBot) -> None:
    stage.acting.fault = DatabaseUnavailable("The database does not answer.", advice="Wait.")
    view.show_newest()
    settle(view, qtbot)
    assert view.notice_bar.text() == "The audit was not read: The database does not answer. Wait."
    assert len(ids(view)) == 500
    assert view.refresh_button.isEnabled()
    view.verify()
    assert view.notice_bar.text() == "The chain was not checked: The database does not answer. Wait."


# --- the chain


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        (Chain(12_345, None, "ab12"), "The chain is whole: 12,345 entries, newest hash ab12."),
        (Chain(1, None, "ab12"), "The chain is whole: 1 entry, newest hash ab12."),
        (Chain(0, None, ""), "The chain is whole: 0 entries, no hash yet."),
        (Chain(9, 4, "ff"), "THE CHAIN IS BROKEN, first at row 4 of 9 entries; newest hash ff."),
    ],
)
def test_the_chain_is_checked(view: AuditView, office: Office, chain: Chain, words: str) -> None:
    office.chain = chain
    QTest.mouseClick(view.verify_button, Qt.MouseButton.LeftButton)
    assert view.notice_bar.text().startswith(words)
    assert view.verify_button.isEnabled()


# --- the export


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_everything_that_the_filter_matches_is_exported(
    view: AuditView, office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setattr(audit_export, "EXPORT_PAGE", 100)
    view.filter.person.setText("omar")
    path = tmp_path / "audit ö.csv"
    path.write_text("what was there before")
    view.export_to(path)
    found = lines(path)
    assert [int(line["id"]) for line in found] == list(range(1200, 0, -4))
    assert tuple(found[0]) == TITLES
    assert found[0]["time_utc"] == "2026-03-01T18:20:00.000000Z"
    assert (found[0]["action"], found[0]["municipality"]) == ("acknowledge", "Northfield Water")
    assert (found[0]["new"], found[0]["outcome"]) == ('{"failed": 2}', "done")
    assert view.notice_bar.text() == f"300 entries exported to {path}"
    wanted = asdict(AuditFilter(person="omar"))
    assert office.done == [("export audit", {**wanted, "rows": None}), ("export audit", {**wanted, "rows": 300})]
    assert view.export_row.isHidden()
    assert list(tmp_path.glob("*.part")) == []
    settle(view, qtbot)


def test_a_file_that_is_a_multiple_of_pages_ends_too(
    view: AuditView, office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_export, "EXPORT_PAGE", 600)
    view.export_to(tmp_path / "a.csv")
    assert len(lines(tmp_path / "a.csv")) == 1200
    office.entries = []
    view.export_to(tmp_path / "b.csv")
    assert (lines(tmp_path / "b.csv"), view.notice_bar.text().startswith("0 entries")) == ([], True)


def test_no_cell_is_a_formula(view: AuditView, office: Office, tmp_path: Path) -> None:
    nasty = ("=1+1", "+cmd", "-2", "@sum", "\t=x", " =x")
    office.entries = [entry(number, person=word, reason=word, old=None) for number, word in enumerate(nasty, 1)]
    view.export_to(tmp_path / "a.csv")
    assert [line["person"] for line in lines(tmp_path / "a.csv")] == [f"'{word}" for word in reversed(nasty)]
    assert [harmless(word) for word in ("", "a=b", "3 - 2")] == ["", "a=b", "3 - 2"]


def test_an_export_is_cancelled_and_leaves_nothing(
    view: AuditView, office: Office, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_export, "EXPORT_PAGE", 100)
    seen: list[tuple[bool, int, str]] = []

    def read(**asked: object) -> list[AuditEntry]:
        if asked["before"]:
            seen.append((view.export_row.isHidden(), view.export_row.bar.value(), view.export_row.bar.text()))
            QTest.mouseClick(view.export_row.cancel_button, Qt.MouseButton.LeftButton)
        return list(office.read(**asked))  # type: ignore[arg-type]

    stage.acting.answers = {**stage.acting.answers, read_audit: read}
    path = tmp_path / "a.csv"
    path.write_text("what was there before")
    view.export_to(path)
    assert seen == [(False, 8, "100 entries written (8%)")]
    assert view.notice_bar.text() == "The export was cancelled; no file was made."
    assert [one.name for one in tmp_path.iterdir() if one.suffix in (".csv", ".part")] == ["a.csv"]
    assert path.read_text() == "what was there before"
    assert view.export_button.isEnabled()


def test_a_file_that_cannot_be_written_is_said(view: AuditView, tmp_path: Path) -> None:
    view.export_to(tmp_path / "no such folder" / "a.csv")
    assert view.notice_bar.text().startswith("Nothing was exported: The file cannot be written: No such file")


def test_a_database_that_goes_away_leaves_no_half_a_file(
    view: AuditView, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_export, "EXPORT_PAGE", 100)
    answer = stage.acting.answers[read_audit]

    def once(**asked: object) -> object:
        stage.acting.fault = DatabaseUnavailable("The database does not answer.")
        return answer(**asked)

    stage.acting.answers = {**stage.acting.answers, read_audit: once}
    view.export_to(tmp_path / "a.csv")
    assert view.notice_bar.text() == "Nothing was exported: The database does not answer."
    assert not list(tmp_path.glob("a.csv*"))


def test_an_export_ends_when_another_person_signs_in(
    view: AuditView, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_export, "EXPORT_PAGE", 100)
    answer = stage.acting.answers[read_audit]

    def changing(**asked: object) -> object:
        stage.console.shift.person = SOFIA
        stage.console.shift.changed.emit()
        return answer(**asked)

    stage.acting.answers = {**stage.acting.answers, read_audit: changing}
    view.export_to(tmp_path / "a.csv")
    assert not list(tmp_path.glob("a.csv*"))
    assert len([job for job, words in stage.acting.asked if words.get("limit") == 100]) == 1


def test_the_person_is_asked_for_a_file_without_waiting(view: AuditView, tmp_path: Path, qtbot: QtBot) -> None:
    QTest.mouseClick(view.export_button, Qt.MouseButton.LeftButton)
    [dialog] = view.findChildren(QFileDialog)
    assert dialog.isVisible()
    dialog.fileSelected.emit(str(tmp_path / "a.csv"))
    assert len(lines(tmp_path / "a.csv")) == 1200
    dialog.close()
    qtbot.waitUntil(lambda: not view.findChildren(QFileDialog))


# --- pictures for a person to look at


def empty(office: Office) -> None:
    office.entries = []


SCENES: dict[str, Callable[[Office], None]] = {
    "audit": lambda office: None,
    "audit-long": with_long_names,
    "audit-empty": empty,
}


@pytest.mark.parametrize("scene", [*SCENES, "audit-refused", "audit-moments", "audit-page"])
@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("size", SIZES, ids=["wide", "narrow"])
def test_the_audit_fits_the_screen(
    stage: Stage,
    office: Office,
    room: MainWindow,
    qtbot: QtBot,
    gallery: Path,
    scene: str,
    palette: Palette,
    size: tuple[int, int],
) -> None:
    if scene in SCENES:
        SCENES[scene](office)
    stage.console.theme.use(palette)
    room.resize(*size)
    room.show()
    stage.fill()
    room.bring("audit")
    view = room.views["audit"]
    assert isinstance(view, AuditView)
    qtbot.wait(100)
    if scene == "audit-refused":
        stage.console.shift.person = SOFIA
        stage.console.shift.changed.emit()
    if scene == "audit-page":
        view.show_older()
        qtbot.wait(60)
        office.chain = Chain(1200, 17, "ab" * 32)
        view.verify()
    if scene == "audit-moments":
        view.filter.period.box.setCurrentIndex(FROM_TO)
        view.export_row.tell(Progress(123_456, 41))
        view.export_row.show()
    if view.table.rows:
        view.table.selectRow(1)
    qtbot.wait(100)
    assert (room.width(), room.height()) == size
    for one in (view.filter.person, view.filter.period.box, view.count, view.export_button):
        assert view.rect().contains(one.geometry().translated(view.filter.pos()))
    assert room.grab().save(str(gallery / f"{scene}-{palette.name}-{size[0]}.png"))
