"""The view People and its dialogs: who may see what, every action, what is refused, pictures."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QLineEdit, QPushButton
from pytestqt.qtbot import QtBot

from control_room.core.access import Action, Membership, Role, refusal
from control_room.core.errors import DatabaseUnavailable
from control_room.ui.dialogs.form import FormDialog
from control_room.ui.dialogs.one_time_password import OneTimePassword, generate_password
from control_room.ui.dialogs.role_grid import RoleGrid
from control_room.ui.main_window import MainWindow
from control_room.ui.operations import Work
from control_room.ui.people_pages import OWN_ACCOUNT
from control_room.ui.people_words import roles_words
from control_room.ui.views.people import CHOOSE, PeopleView
from db.people import list_sessions, set_membership
from tests.ui.gallery import PALETTES, SIZES
from tests.ui.office import ANNA, OMAR, SOFIA, Office, make_office, many, with_long_names
from tests.ui.rooms import Stage
from widgets.palette import Palette

SHIFT, PEOPLE, STATIONS, PLACES = range(4)


@pytest.fixture
def office(stage: Stage) -> Office:
    return make_office(stage)


@pytest.fixture
def view(stage: Stage, office: Office, qtbot: QtBot) -> PeopleView:
    made = PeopleView(stage.console)
    qtbot.addWidget(made)
    made.resize(1200, 360)
    made.show()
    return made


def front(view: PeopleView, tab: int, qtbot: QtBot) -> None:
    """Bring a tab to the front and wait for its rows."""
    view.tabs.setCurrentIndex(tab)
    qtbot.waitUntil(lambda: bool(view.page.table.rows) and not view._soon.isActive())


def choose(view: PeopleView, name: str) -> None:
    rows = [one.name for one in view.page.table.rows]
    view.page.table.selectRow(rows.index(name))


def button(view: PeopleView, title: str) -> QPushButton:
    [found] = [one for one in view.buttons[view.tabs.currentIndex()] if one.text() == title]
    return found


def press(view: PeopleView, title: str) -> FormDialog:
    """Press an action's button; return the dialog that it opens."""
    QTest.mouseClick(button(view, title), Qt.MouseButton.LeftButton)
    [found] = view.findChildren(FormDialog)
    return found


def fill(dialog: FormDialog, **words: str) -> None:
    for key, word in words.items():
        editor = dialog.editors[key]
        assert isinstance(editor, QLineEdit)
        editor.setText(word)


def grid_of(dialog: FormDialog) -> RoleGrid:
    [found] = dialog.findChildren(RoleGrid)
    return found


def once(view: PeopleView) -> OneTimePassword:
    [found] = view.findChildren(OneTimePassword)
    return found


def texts(view: PeopleView, row: int) -> list[str]:
    board = view.page.table.board
    return [board.data(board.index(row, column)) for column in range(board.columnCount())]


# --- who may see what


def test_each_tab_lists_what_the_database_gives(view: PeopleView, qtbot: QtBot) -> None:
    front(view, SHIFT, qtbot)
    assert texts(view, 0)[:4] == ["Omar Haddad", "omar", "desk-1", "10.3.0.17"]
    front(view, PEOPLE, qtbot)
    by_login = {texts(view, row)[1]: texts(view, row) for row in range(7)}
    assert by_login["emil"][2:] == [
        "viewer in Cedar Valley Utilities; engineer in Northfield Water",
        "must change password",
        "–",
        "2",
    ]
    assert by_login["kay"][3].startswith("locked until ")
    assert by_login["lena"][2:4] == ["operator in Laurel County Water District and in Northfield Water", "disabled"]
    assert (by_login["omar"][2:4], by_login["zoe"][2]) == (["operator everywhere", "enabled"], "no role")
    front(view, STATIONS, qtbot)
    assert [texts(view, row)[2:] for row in range(3)] == [
        ["every municipality", "enabled"],
        ["Laurel County Water District and Northfield Water", "enabled"],
        ["Cedar Valley Utilities", "disabled"],
    ]
    front(view, PLACES, qtbot)
    assert texts(view, 0) == ["Northfield Water", "northfield-water"]


def test_a_lock_that_is_over_is_none(stage: Stage, view: PeopleView, qtbot: QtBot) -> None:
    stage.clock.pass_s(15 * 60)
    front(view, PEOPLE, qtbot)
    assert next(texts(view, row) for row in range(7) if texts(view, row)[1] == "kay")[3] == "enabled"


def test_disabled_people_stay_listed_in_grey(view: PeopleView, qtbot: QtBot) -> None:
    front(view, PEOPLE, qtbot)
    board = view.page.table.board
    grey = [texts(view, row)[1] for row in range(7) if board.data(board.index(row, 0), Qt.ItemDataRole.ForegroundRole)]
    assert grey == ["lena"]


@pytest.mark.parametrize(
    ("tab", "right"),
    [
        (PEOPLE, Action.MANAGE_PEOPLE),
        (STATIONS, Action.MANAGE_INSTALLATION),
        (PLACES, Action.MANAGE_INSTALLATION),
    ],
)
def test_a_supervisor_sees_who_is_on_shift_and_nothing_else(
    stage: Stage, qtbot: QtBot, tab: int, right: Action
) -> None:
    make_office(stage, SOFIA)
    view = PeopleView(stage.console)
    qtbot.addWidget(view)
    view.show()
    front(view, SHIFT, qtbot)
    choose(view, "Omar Haddad")
    end = button(view, "End session…")
    assert (end.isEnabled(), end.toolTip()) == (False, refusal(Action.MANAGE_PEOPLE))
    asked = len(stage.acting.asked)
    view.tabs.setCurrentIndex(tab)
    qtbot.wait(80)
    assert view.page.table.empty_words == refusal(right)
    assert len(stage.acting.asked) == asked
    for one in (*view.buttons[tab], view.refresh_button):
        assert (one.isEnabled(), one.toolTip()) == (False, refusal(right))


def test_nobody_and_a_locked_station_read_nothing(stage: Stage, view: PeopleView, qtbot: QtBot) -> None:
    front(view, PEOPLE, qtbot)
    press(view, "New person…")
    stage.console.shift.person, stage.console.shift.locked = None, ANNA
    stage.console.shift.changed.emit()
    assert list(view.page.table.rows) == []
    assert view.page.table.empty_words == "The station is locked. Unlock it first."
    # what stood in a dialog is not for the next person
    qtbot.waitUntil(lambda: not view.findChildren(QDialog))
    stage.console.shift.locked = None
    stage.console.shift.changed.emit()
    assert view.page.table.empty_words == "Nobody is signed in. Sign in first."
    stage.console.shift.person = ANNA
    stage.console.shift.changed.emit()
    qtbot.waitUntil(lambda: len(view.page.table.rows) == 7)


def test_what_was_asked_for_by_another_person_is_not_shown(stage: Stage, view: PeopleView, qtbot: QtBot) -> None:
    front(view, SHIFT, qtbot)
    answer = stage.acting.answers[list_sessions]

    def late() -> Any:
        stage.console.shift.person = OMAR
        stage.console.shift.changed.emit()
        return answer()

    stage.acting.answers = {**stage.acting.answers, list_sessions: late}
    view.refresh()
    qtbot.waitUntil(lambda: stage.console.shift.person is OMAR)
    assert list(view.page.table.rows) == []
    assert view.page.table.empty_words == refusal(Action.SEE_SHIFT)


# --- when it reads


def test_it_reads_when_shown_when_told_and_by_the_button(
    stage: Stage, office: Office, view: PeopleView, qtbot: QtBot
) -> None:
    front(view, SHIFT, qtbot)
    office.sessions = office.sessions[:1]
    stage.console.live_tags.people_told.emit()
    qtbot.waitUntil(lambda: len(view.page.table.rows) == 1)
    office.sessions = []
    QTest.mouseClick(view.refresh_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not view.page.table.rows)
    assert view.page.table.empty_words == "Nobody is signed in."
    view.hide()
    asked = len(stage.acting.asked)
    stage.console.live_tags.people_told.emit()
    qtbot.wait(80)
    assert len(stage.acting.asked) == asked
    office.sessions = make_office(stage).sessions
    view.show()
    qtbot.waitUntil(lambda: len(view.page.table.rows) == 2)


def test_a_refresh_keeps_choice_order_and_filter(stage: Stage, office: Office, view: PeopleView, qtbot: QtBot) -> None:
    front(view, PEOPLE, qtbot)
    view.page.table.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    view.filter.setText("operator NORTH")
    assert [one.login for one in view.page.table.rows] == ["lena"]
    view.filter.clear()
    choose(view, "Omar Haddad")
    office.people = [*office.people, replace(office.people[0], login="new", name="Aaron New")]
    view.refresh()
    qtbot.waitUntil(lambda: len(view.page.table.rows) == 8)
    assert [one.name for one in view.page.table.rows][::7] == ["Zoe Marsh", "Aaron New"]
    chosen = view.page.table.chosen()
    assert chosen is not None
    assert chosen.login == "omar"
    view.filter.setText("no such")
    assert view.page.table.empty_words == "Nothing matches the filter."


def test_a_database_that_is_away_is_said_and_the_list_stays(
    stage: Stage, office: Office, view: PeopleView, qtbot: QtBot
) -> None:
    front(view, PEOPLE, qtbot)
    stage.acting.fault = DatabaseUnavailable("The database does not answer.", advice="Wait.")
    view.refresh()
    qtbot.waitUntil(lambda: bool(view.notice_bar.text()))
    assert view.notice_bar.text() == "People: the list was not read: The database does not answer. Wait."
    assert len(view.page.table.rows) == 7
    assert view.refresh_button.isEnabled()
    view.tabs.setCurrentIndex(STATIONS)
    qtbot.waitUntil(lambda: view.page.table.empty_words == "Not known: The database does not answer. Wait.")


# --- what a person does


def test_a_session_is_ended_with_a_reason(office: Office, view: PeopleView, qtbot: QtBot) -> None:
    front(view, SHIFT, qtbot)
    assert button(view, "End session…").toolTip() == CHOOSE
    choose(view, "Omar Haddad")
    dialog = press(view, "End session…")
    dialog.send()
    assert (office.done, "must not be empty" in dialog.notice_bar.text()) == ([], True)
    fill(dialog, reason="left the room")
    office.sessions = office.sessions[1:]
    dialog.send()
    assert office.done == [("end_session", {"session_id": 7, "reason": "left the room"})]
    qtbot.waitUntil(lambda: [one.id for one in view.page.table.rows] == [8])


def test_a_new_person_gets_a_password_that_is_shown_once(office: Office, view: PeopleView, qtbot: QtBot) -> None:
    front(view, PEOPLE, qtbot)
    dialog = press(view, "New person…")
    where = dialog.editors["place"]
    assert [where.itemText(row) for row in range(where.count())] == [  # type: ignore[union-attr]
        "Everywhere",
        "Cedar Valley Utilities",
        "Laurel County Water District",
        "Northfield Water",
    ]
    fill(dialog, name=" Kim Ray ", login=" kim ")
    where.setCurrentText("Laurel County Water District")  # type: ignore[union-attr]
    dialog.editors["role"].setCurrentText("supervisor")  # type: ignore[union-attr]
    dialog.send()
    [(job, asked)] = office.done
    password = asked.pop("password")
    assert (job, asked) == (
        "create_person",
        {"login": "kim", "name": "Kim Ray", "municipality_id": 3, "role": Role.SUPERVISOR},
    )
    shown = once(view)
    assert (shown.password.text(), len(password)) == (password, 19)
    QTest.mouseClick(shown.copy_button, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == password
    for key in (Qt.Key.Key_Escape, Qt.Key.Key_Return):
        QTest.keyClick(shown, key)
    assert shown.isVisible()
    QTest.mouseClick(shown.close_button, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == ""
    qtbot.waitUntil(lambda: not view.findChildren(QDialog))


def test_a_person_whom_the_server_knows_otherwise_gets_no_password(
    office: Office, view: PeopleView, qtbot: QtBot
) -> None:
    front(view, PEOPLE, qtbot)
    dialog = press(view, "New person…")
    fill(dialog, name="Kim Ray", login="kim")
    dialog.editors["is_local"].setChecked(False)  # type: ignore[union-attr]
    dialog.send()
    assert office.done[0][1]["password"] is None
    qtbot.waitUntil(lambda: not view.findChildren(QDialog))


def test_a_refusal_is_said_in_the_dialog_and_what_was_typed_stays(
    office: Office, view: PeopleView, qtbot: QtBot
) -> None:
    front(view, PEOPLE, qtbot)
    office.refusals["create_person"] = "This user name is taken."
    dialog = press(view, "New person…")
    fill(dialog, name="Kim Ray", login="omar")
    dialog.send()
    assert dialog.notice_bar.text() == "Not done: This user name is taken."
    assert dialog.values()["name"] == "Kim Ray"
    assert (dialog.isVisible(), dialog.send_button.isEnabled()) == (True, True)
    assert not view.findChildren(OneTimePassword)
    dialog.reject()


def test_roles_are_given_before_any_is_taken(office: Office, view: PeopleView, qtbot: QtBot) -> None:
    front(view, PEOPLE, qtbot)
    choose(view, "Emil Novak")
    dialog = press(view, "Roles…")
    grid = grid_of(dialog)
    dialog.editors["reason"].setText("new job")  # type: ignore[union-attr]
    dialog.send()
    assert dialog.notice_bar.text() == "Not done: Nothing was changed."
    check(grid, 1, Role.ENGINEER, is_held=False)
    check(grid, None, Role.SUPERVISOR, is_held=True)
    check(grid, 2, Role.OPERATOR, is_held=True)
    dialog.send()
    assert [(asked["membership"], asked["is_held"]) for _, asked in office.done] == [
        (Membership(None, Role.SUPERVISOR), True),
        (Membership(2, Role.OPERATOR), True),
        (Membership(1, Role.ENGINEER), False),
    ]
    assert {(asked["login"], asked["reason"]) for _, asked in office.done} == {("emil", "new job")}


def check(grid: RoleGrid, place: int | None, role: Role, *, is_held: bool) -> None:
    state = Qt.CheckState.Checked if is_held else Qt.CheckState.Unchecked
    grid.boxes[Membership(place, role)].setCheckState(state)


def test_roles_that_were_refused_in_part_are_tried_again_without_what_was_done(
    office: Office, stage: Stage, view: PeopleView, qtbot: QtBot
) -> None:
    front(view, PEOPLE, qtbot)
    choose(view, "Zoe Marsh")
    dialog = press(view, "Roles…")
    grid = grid_of(dialog)
    fill(dialog, reason="new job")
    check(grid, 1, Role.VIEWER, is_held=True)
    check(grid, 2, Role.VIEWER, is_held=True)
    answer = stage.acting.answers[set_membership]

    def only_once(**asked: Any) -> Any:
        words = answer(**asked)
        office.refusals["set_membership"] = "The person was disabled meanwhile."
        return words

    stage.acting.answers = {**stage.acting.answers, set_membership: only_once}
    dialog.send()
    assert dialog.notice_bar.text() == "Not done: 1 of 2 changes were made. The person was disabled meanwhile."
    office.refusals.clear()
    dialog.send()
    assert [asked["membership"] for _, asked in office.done] == [
        Membership(1, Role.VIEWER),
        Membership(2, Role.VIEWER),
    ]


def test_nobody_shuts_themselves_out(view: PeopleView, qtbot: QtBot) -> None:
    front(view, PEOPLE, qtbot)
    choose(view, "Anna Weiss")
    disable = button(view, "Disable…")
    assert (disable.isEnabled(), disable.toolTip()) == (False, OWN_ACCOUNT)
    grid = grid_of(press(view, "Roles…"))
    box = grid.boxes[Membership(None, Role.ADMINISTRATOR)]
    assert not box.flags() & Qt.ItemFlag.ItemIsEnabled
    assert box.toolTip() == "Nobody takes the role of administrator from themselves."


def test_a_password_is_reset_with_a_reason_and_shown_once(office: Office, view: PeopleView, qtbot: QtBot) -> None:
    front(view, PEOPLE, qtbot)
    choose(view, "Kay Duran")
    dialog = press(view, "Reset password…")
    fill(dialog, reason="forgotten")
    dialog.send()
    [(job, asked)] = office.done
    assert (job, asked["login"], asked["reason"]) == ("reset_password", "kay", "forgotten")
    assert once(view).password.text() == asked["password"]


@pytest.mark.parametrize(
    ("name", "title", "is_enabled"), [("Omar Haddad", "Disable…", False), ("Lena Fox", "Enable…", True)]
)
def test_an_account_is_disabled_and_enabled_with_a_reason(
    office: Office, view: PeopleView, qtbot: QtBot, name: str, title: str, is_enabled: bool
) -> None:
    front(view, PEOPLE, qtbot)
    choose(view, name)
    dialog = press(view, title)
    fill(dialog, reason="on leave")
    dialog.send()
    login = name.split(maxsplit=1)[0].lower()
    assert office.done == [("set_enabled", {"login": login, "is_enabled": is_enabled, "reason": "on leave"})]


def test_a_station_is_made_with_what_it_shows(office: Office, view: PeopleView, qtbot: QtBot) -> None:
    front(view, STATIONS, qtbot)
    dialog = press(view, "New station…")
    grid = grid_of(dialog)
    fill(dialog, name="Desk 9", login="desk-9")
    check(grid, None, Role.VIEWER, is_held=False)
    dialog.send()
    assert dialog.notice_bar.text() == "Not done: Choose at least one municipality that it shows."
    check(grid, 2, Role.VIEWER, is_held=True)
    dialog.send()
    [(job, asked)] = office.done
    assert (job, asked["login"], asked["name"], asked["municipality_ids"]) == (
        "create_station",
        "desk-9",
        "Desk 9",
        [2],
    )
    assert once(view).password.text() == asked["password"]


def test_what_a_station_shows_is_changed(office: Office, view: PeopleView, qtbot: QtBot) -> None:
    front(view, STATIONS, qtbot)
    choose(view, "Northfield, pump hall")
    dialog = press(view, "Shows…")
    check(grid_of(dialog), 3, Role.VIEWER, is_held=False)
    fill(dialog, reason="moved")
    dialog.send()
    assert office.done == [
        (
            "set_membership",
            {"login": "north", "membership": Membership(3, Role.VIEWER), "is_held": False, "reason": "moved"},
        )
    ]


def test_municipalities_are_made_and_renamed(office: Office, view: PeopleView, qtbot: QtBot) -> None:
    front(view, PLACES, qtbot)
    dialog = press(view, "New municipality…")
    fill(dialog, name="Elm Town", key="northfield-water")
    dialog.send()
    assert dialog.notice_bar.text() == "Not done: The key 'northfield-water' is taken."
    fill(dialog, key="elm-town")
    dialog.send()
    qtbot.waitUntil(lambda: not view.findChildren(QDialog))
    choose(view, "Northfield Water")
    dialog = press(view, "Rename…")
    fill(dialog, name="Northfield")
    dialog.send()
    assert office.done == [
        ("save_municipality", {"key": "elm-town", "name": "Elm Town"}),
        ("save_municipality", {"key": "northfield-water", "name": "Northfield"}),
    ]


def test_an_administrator_of_one_municipality_gives_roles_there_only(stage: Stage, qtbot: QtBot) -> None:
    make_office(stage, replace(ANNA, memberships=frozenset({Membership(2, Role.ADMINISTRATOR)})))
    view = PeopleView(stage.console)
    qtbot.addWidget(view)
    view.show()
    front(view, PEOPLE, qtbot)
    choose(view, "Kay Duran")
    grid = grid_of(press(view, "Roles…"))
    assert {one.municipality_id for one in grid.boxes} == {2}
    view.tabs.setCurrentIndex(STATIONS)
    assert view.page.table.empty_words == refusal(Action.MANAGE_INSTALLATION)


def test_an_action_on_its_way_can_neither_be_repeated_nor_left(
    office: Office, stage: Stage, view: PeopleView, qtbot: QtBot
) -> None:
    front(view, PEOPLE, qtbot)
    choose(view, "Omar Haddad")
    dialog = press(view, "Disable…")
    fill(dialog, reason="on leave")
    started: list[Work] = []
    stage.console.operations._start = started.append
    dialog.send()
    dialog.send()
    dialog.reject()
    assert (len(started), dialog.isVisible()) == (1, True)
    started[0].close()


# --- words


def test_generated_passwords_pass_every_rule(stage: Stage) -> None:
    made = {generate_password("ab") for _ in range(200)}
    assert len(made) == 200
    for password in made:
        stage.console.shift.judge(password, "ab")


def test_roles_are_told_in_the_order_of_the_roles() -> None:
    everything = frozenset({Membership(None, Role.AUDITOR), Membership(9, Role.VIEWER), Membership(None, Role.VIEWER)})
    assert roles_words(everything, {}) == "viewer everywhere and in municipality 9; auditor everywhere"


# --- pictures for a person to look at

Scene = Callable[[Office, Stage], None]
SCENES: dict[str, Scene] = {
    "people": lambda office, stage: None,
    "people-long": lambda office, stage: with_long_names(office),
    "people-many": lambda office, stage: many(office, stage.clock.now),
}


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("size", SIZES, ids=["wide", "narrow"])
def test_people_fit_the_screen(
    stage: Stage,
    room: MainWindow,
    qtbot: QtBot,
    gallery: Path,
    scene: str,
    palette: Palette,
    size: tuple[int, int],
) -> None:
    SCENES[scene](make_office(stage), stage)
    stage.console.theme.use(palette)
    room.resize(*size)
    room.show()
    stage.fill()
    room.bring("people")
    view = room.views["people"]
    assert isinstance(view, PeopleView)
    for tab, title in enumerate(("shift", "accounts", "stations", "places")):
        front(view, tab, qtbot)
        qtbot.wait(60)
        assert (room.width(), room.height()) == size
        for one in (view.filter, view.refresh_button, *view.buttons[tab]):
            assert view.rect().contains(one.geometry())
        assert room.grab().save(str(gallery / f"{scene}-{title}-{palette.name}-{size[0]}.png"))


@pytest.mark.parametrize("is_long", [False, True], ids=["plain", "long"])
@pytest.mark.parametrize("palette", PALETTES)
def test_dialogs_fit_the_smallest_screen(
    stage: Stage, office: Office, view: PeopleView, qtbot: QtBot, gallery: Path, palette: Palette, is_long: bool
) -> None:
    stage.console.theme.use(palette)
    if is_long:
        with_long_names(office)
        office.places = [replace(office.places[0], id=one, key=f"town-{one}") for one in range(1, 41)]
    name = office.people[5].name
    for tab, title, row in (
        (PEOPLE, "New person…", ""),
        (PEOPLE, "Roles…", name),
        (PEOPLE, "Reset password…", name),
        (PEOPLE, "Disable…", name),
        (STATIONS, "New station…", ""),
        (PLACES, "New municipality…", ""),
    ):
        view.refresh()
        front(view, tab, qtbot)
        if row:
            choose(view, row)
        dialog = press(view, title)
        dialog.send()
        qtbot.wait(60)
        assert dialog.width() <= 1100
        assert dialog.height() <= 700
        words = title.rstrip("…").replace(" ", "-").lower()
        assert dialog.grab().save(str(gallery / f"dialog-{words}-{'long' if is_long else 'plain'}-{palette.name}.png"))
        dialog.reject()
        qtbot.waitUntil(lambda: not view.findChildren(QDialog))


@pytest.mark.parametrize("palette", PALETTES)
def test_a_fault_and_a_password_fit_their_dialogs(
    stage: Stage, view: PeopleView, qtbot: QtBot, gallery: Path, palette: Palette
) -> None:
    stage.console.theme.use(palette)
    front(view, PEOPLE, qtbot)
    choose(view, "Omar Haddad")
    dialog = press(view, "Reset password…")
    fill(dialog, reason="forgotten")
    stage.acting.fault = DatabaseUnavailable("The database does not answer.", advice="Wait.")
    dialog.send()
    qtbot.wait(60)
    assert dialog.grab().save(str(gallery / f"dialog-fault-{palette.name}.png"))
    stage.acting.fault = None
    dialog.send()
    qtbot.wait(60)
    assert once(view).grab().save(str(gallery / f"dialog-once-{palette.name}.png"))
