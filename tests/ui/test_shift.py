"""The shift: sign-in, locking, change of person, forced passwords, ended sessions, a server that is away."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from control_room.core.access import NOT_SIGNED_IN, Action, Membership, Person, Role, refusal
from control_room.core.errors import ControlRoomError, DatabaseUnavailable, Refused, SessionEnded, WrongCredentials
from control_room.core.options import Field
from control_room.ui.console import Console
from control_room.ui.dialogs.form import FormDialog, Values
from control_room.ui.main_window import MainWindow
from control_room.ui.operations import Operations, Work
from control_room.ui.shift import IDLE_LOCK_S, LOCKED, MUST_CHANGE, WRONG, Shift
from control_room.ui.shift_button import USE_NOTICE, ShiftButton
from control_room.ui.views.alarms import AlarmsView
from db.people import (
    change_password,
    my_password_history,
    report_failed_sign_in,
    sign_in_wait_s,
    sign_out,
    who_am_i,
)
from tests.fakes import FakeClock
from tests.ui.gallery import FOLDER
from tests.ui.office import OMAR
from tests.ui.rooms import FakeThread, Stage
from widgets.palette import DARK, LIGHT, Palette

WORD = "a long word for tests"
NEW = "another long word for tests"
KAY = Person("kay", "Kay Duran", frozenset({Membership(2, Role.OPERATOR)}))
JOB = partial(who_am_i)
ANNA = Person("anna", "Anna Weiss", frozenset({Membership(None, Role.AUDITOR)}), must_change_password=True)


@dataclass
class PersonLine(FakeThread):
    """One person's connection to the fake server."""

    is_closed: bool = False

    def release(self) -> None:
        work, future = self.held.pop(0)
        try:
            if self.fault is not None:
                raise self.fault
            future.set_result(self.answers[work.func](**work.keywords))
        except ControlRoomError as fault:
            future.set_exception(fault)

    def close(self) -> None:
        self.is_closed = True


@dataclass
class FakeServer:
    """Knows people and their passwords; notes sessions, failed tries and how sessions ended."""

    people: dict[str, Person] = field(default_factory=lambda: {one.login: one for one in (OMAR, KAY, ANNA)})
    words: dict[str, str] = field(default_factory=lambda: {"omar": WORD, "kay": WORD, "anna": WORD})
    failed: list[str] = field(default_factory=list)
    ended: list[tuple[str, str]] = field(default_factory=list)
    lines: list[PersonLine] = field(default_factory=list)
    refusal: ControlRoomError | None = None
    history: list[str] = field(default_factory=list)
    is_held: bool = False

    def open(self, login: str, password: str) -> PersonLine:
        line = PersonLine(
            {
                who_am_i: lambda: self.enter(login, password),
                sign_out: lambda reason: self.ended.append((login, reason)),
                my_password_history: lambda: list(self.history),
                change_password: self.change,
            },
            is_held=self.is_held,
        )
        self.lines.append(line)
        return line

    def enter(self, login: str, password: str) -> Person:
        if self.words.get(login) != password:
            raise WrongCredentials("The database refused the sign-in.", advice="Check user name and password.")
        if self.refusal is not None:
            raise self.refusal
        return self.people[login]

    def change(self, login: str, password: str) -> str:
        self.words[login] = password
        old = self.people[login]
        self.people[login] = Person(old.login, old.name, old.memberships)
        return "The password was changed."

    def note_failed(self, login: str) -> None:
        self.failed.append(login)

    def wait_s(self, login: str) -> float:
        count = self.failed.count(login)
        return 900.0 if count >= 5 else 2.0 ** (count - 1) if count else 0.0


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def reading_of(server: FakeServer) -> FakeThread:
    return FakeThread({sign_in_wait_s: server.wait_s, report_failed_sign_in: server.note_failed})


@pytest.fixture
def shift(server: FakeServer, clock: FakeClock, qapp: QApplication) -> Shift:
    return Shift(server.open, reading_of(server), lambda: frozenset({"password1234"}), clock)


# --- signing in


async def test_who_knows_name_and_password_may_act(shift: Shift, server: FakeServer, qtbot: QtBot) -> None:
    assert shift.why_not(Action.ACKNOWLEDGE, 1) == NOT_SIGNED_IN
    with qtbot.waitSignal(shift.changed):
        await shift.sign_in("  omar ", WORD)
    assert shift.person == OMAR
    assert shift.why_not(Action.ACKNOWLEDGE, 1) == ""
    assert shift.why_nowhere(Action.MANAGE_PEOPLE) == refusal(Action.MANAGE_PEOPLE)
    assert server.failed == []


@pytest.mark.parametrize("login", ["omar", "nobody.known"])
async def test_a_wrong_password_and_an_unknown_person_read_the_same(
    shift: Shift, server: FakeServer, login: str
) -> None:
    with pytest.raises(Refused) as caught:
        await shift.sign_in(login, "wrong")
    assert str(caught.value).startswith(WRONG)
    assert (server.failed, shift.person) == ([login], None)
    assert [line.is_closed for line in server.lines] == [True]


async def test_after_a_failed_try_the_next_must_wait(shift: Shift, server: FakeServer) -> None:
    server.failed = ["omar"] * 3
    with pytest.raises(Refused, match=r"Too many failed tries. Wait 4 s\."):
        await shift.sign_in("omar", WORD)
    server.failed = ["omar"] * 5
    with pytest.raises(Refused, match=r"Wait 15 min\."):
        await shift.sign_in("omar", WORD)
    # a try that was not made counts for nothing
    assert (server.lines, len(server.failed)) == ([], 5)
    await shift.sign_in("kay", WORD)
    assert shift.person == KAY


async def test_what_the_server_says_of_a_right_password_is_said_as_it_is(shift: Shift, server: FakeServer) -> None:
    server.refusal = SessionEnded("This account is locked at this station after too many failed tries.")
    with pytest.raises(Refused, match="This account is locked at this station"):
        await shift.sign_in("omar", WORD)
    assert (server.failed, server.lines[0].is_closed) == ([], True)


async def test_a_server_that_is_away_leaves_everything_as_it_was(shift: Shift, server: FakeServer) -> None:
    await shift.sign_in("omar", WORD)
    server.refusal = DatabaseUnavailable("The database does not answer.", advice="Wait.")
    with pytest.raises(DatabaseUnavailable):
        await shift.sign_in("kay", WORD)
    assert (shift.person, server.ended, server.failed) == (OMAR, [], [])
    assert [line.is_closed for line in server.lines] == [False, True]


# --- change of person, lock, sign-out


async def test_a_change_of_person_ends_the_session_before(shift: Shift, server: FakeServer) -> None:
    await shift.sign_in("omar", WORD)
    with pytest.raises(Refused):
        await shift.sign_in("kay", "wrong")
    assert shift.person == OMAR
    server.failed.clear()
    await shift.sign_in("kay", WORD)
    assert (shift.person, server.ended) == (KAY, [("omar", "another person signs in")])
    assert [line.is_closed for line in server.lines] == [True, True, False]


async def test_a_locked_station_acts_for_nobody_until_it_is_unlocked(shift: Shift, server: FakeServer) -> None:
    await shift.sign_in("omar", WORD)
    await shift.lock()
    assert (shift.person, shift.locked, server.ended) == (None, OMAR, [("omar", "lock")])
    assert shift.why_not(Action.ACKNOWLEDGE, 1) == LOCKED
    with pytest.raises(Refused, match="locked"):
        shift.submit(lambda connection: None).result()
    await shift.sign_in("kay", WORD)
    assert (shift.person, shift.locked) == (KAY, None)


@pytest.mark.parametrize(("leave", "words"), [(Shift.lock, LOCKED), (Shift.sign_out, NOT_SIGNED_IN)])
async def test_a_job_that_takes_long_keeps_no_station_open(
    shift: Shift, server: FakeServer, leave: Callable[[Shift], Coroutine[Any, Any, None]], words: str
) -> None:
    await shift.sign_in("omar", WORD)
    line = server.lines[0]
    line.is_held = True
    told: list[str] = []
    shift.changed.connect(lambda: told.append(shift.why_not(Action.ACKNOWLEDGE, 1)))
    leaving = asyncio.ensure_future(leave(shift))
    await asyncio.sleep(0)
    assert (told, leaving.done(), line.is_closed) == ([words], False, False)
    line.release()
    await leaving
    assert (len(told), line.is_closed, len(server.ended)) == (1, True, 1)


async def test_who_signs_out_leaves_nobody(shift: Shift, server: FakeServer) -> None:
    await shift.sign_in("omar", WORD)
    await shift.sign_out()
    assert (shift.person, shift.locked, server.ended) == (None, None, [("omar", "sign out")])
    with pytest.raises(Refused, match="Nobody is signed in"):
        shift.submit(lambda connection: None).result()
    await shift.lock()
    assert shift.locked is None


async def test_leaving_works_without_the_server(shift: Shift, server: FakeServer) -> None:
    await shift.sign_in("omar", WORD)
    server.lines[0].fault = DatabaseUnavailable("The database does not answer.")
    await shift.close()
    assert (shift.person, server.lines[0].is_closed) == (None, True)


async def test_nobody_there_for_long_is_idle(shift: Shift, clock: FakeClock, qapp: QApplication) -> None:
    clock.pass_s(10 * IDLE_LOCK_S)
    assert not shift.is_idle()
    await shift.sign_in("omar", WORD)
    clock.pass_s(IDLE_LOCK_S)
    assert not shift.is_idle()
    shift.eventFilter(qapp, QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_A, Qt.KeyboardModifier.NoModifier))
    clock.pass_s(IDLE_LOCK_S)
    assert not shift.is_idle()
    shift.eventFilter(qapp, QEvent(QEvent.Type.Paint))
    clock.pass_s(1)
    assert shift.is_idle()


# --- passwords


async def test_a_password_that_others_chose_must_be_changed_first(shift: Shift, server: FakeServer) -> None:
    await shift.sign_in("anna", WORD)
    assert shift.why_not(Action.READ_AUDIT) == shift.why_nowhere(Action.READ_AUDIT) == MUST_CHANGE
    await shift.change_password(NEW)
    assert server.words["anna"] == NEW
    assert (shift.why_nowhere(Action.READ_AUDIT), server.failed) == ("", [])


@pytest.mark.parametrize(
    ("word", "fault"),
    [
        ("short", "It must have 12 to 200 characters."),
        ("Password1234", "It is one of the passwords that are tried first."),
        ("aaaaaaaaaaaaaa", "It is one of the passwords that are tried first."),
        ("the omar of today", "It must not contain the user name."),
    ],
)
async def test_a_bad_password_is_told_what_is_wrong(shift: Shift, server: FakeServer, word: str, fault: str) -> None:
    await shift.sign_in("omar", WORD)
    with pytest.raises(Refused) as caught:
        await shift.change_password(word)
    assert fault in str(caught.value)
    assert server.words["omar"] == WORD


async def test_nobody_changes_no_password(shift: Shift) -> None:
    with pytest.raises(Refused, match="Nobody is signed in"):
        await shift.change_password(NEW)


# --- sessions that end


@pytest.mark.parametrize(
    "fault", [SessionEnded("This session was ended (ended by anna). Sign in again."), WrongCredentials("refused")]
)
async def test_a_session_that_was_ended_elsewhere_is_told(
    shift: Shift, server: FakeServer, qtbot: QtBot, fault: ControlRoomError
) -> None:
    await shift.sign_in("omar", WORD)
    server.lines[0].fault = fault
    with qtbot.waitSignal(shift.ended) as ended:
        shift.submit(JOB)
    assert ended.args == [str(fault)]
    assert (shift.person, shift.locked, server.lines[0].is_closed) == (None, None, True)


async def test_a_refusal_or_a_break_ends_no_session(shift: Shift, server: FakeServer, qapp: QApplication) -> None:
    await shift.sign_in("omar", WORD)
    for fault in (Refused("You may not."), DatabaseUnavailable("away")):
        server.lines[0].fault = fault
        shift.submit(JOB)
    qapp.processEvents()
    assert shift.person == OMAR


async def test_what_comes_late_of_the_person_before_ends_nobody_elses_session(
    shift: Shift, server: FakeServer, qapp: QApplication
) -> None:
    await shift.sign_in("omar", WORD)
    before = server.lines[0]
    before.is_held = True
    late = shift.submit(JOB)
    before.held.clear()
    before.is_held = False
    await shift.sign_in("kay", WORD)
    late.set_exception(SessionEnded("This session was ended."))
    qapp.processEvents()
    assert shift.person == KAY


# --- the button and its dialogs


@pytest.fixture
def frame(qtbot: QtBot) -> QWidget:
    made = QWidget()
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.fixture
def desk(stage: Stage, server: FakeServer, frame: QWidget) -> ShiftButton:
    """Return the shift button of a stage where nobody is signed in."""
    return ShiftButton(with_server(stage, server), frame)


def with_server(stage: Stage, server: FakeServer) -> Console:
    """Return the stage's console with a shift at the fake server."""
    shift = Shift(server.open, reading_of(server), lambda: frozenset({"password1234"}), stage.clock)
    operations = Operations(stage.reading, shift, stage.console.operations._start)
    return replace(stage.console, shift=shift, operations=operations)


def fill(dialog: FormDialog | None, **words: str) -> FormDialog:
    assert dialog is not None
    for key, word in words.items():
        editor = dialog.editors[key]
        assert isinstance(editor, QLineEdit)
        editor.setText(word)
    return dialog


def enter(button: ShiftButton, login: str, word: str) -> FormDialog:
    """Sign in by the dialog."""
    button.sign_in_action.trigger()
    dialog = fill(button.dialog, login=login, word=word)
    dialog.send()
    return dialog


def test_the_dialog_signs_in_and_forgets_what_was_typed(desk: ShiftButton, qtbot: QtBot) -> None:
    assert (desk.text(), desk.lock_action.isEnabled()) == ("Nobody signed in", False)
    desk.sign_in_action.trigger()
    dialog = fill(desk.dialog, login="omar")
    assert any(USE_NOTICE in label.text() for label in dialog.findChildren(QLabel))
    QTest.keyClicks(dialog.editors["word"], WORD)
    word = dialog.editors["word"]
    assert isinstance(word, QLineEdit)
    assert word.displayText() == "●" * len(WORD) or WORD not in word.displayText()
    QTest.keyClick(word, Qt.Key.Key_Return)
    assert (desk.text(), desk.dialog, word.text()) == ("Omar Haddad", None, "")
    assert "omar" in desk.toolTip()
    assert desk.lock_action.isEnabled()


def test_what_is_wrong_is_said_in_the_dialog_and_the_name_stays(desk: ShiftButton, server: FakeServer) -> None:
    dialog = enter(desk, "omar", "wrong")
    assert dialog.notice_bar.text() == f"Not done: {WRONG} Both are told apart by capitals."
    assert (dialog.isVisible(), dialog.values()["login"]) == (True, "omar")
    dialog.send()
    assert dialog.notice_bar.text() == "Not done: Too many failed tries. Wait 1 s."
    fill(dialog, login=" ", word="")
    dialog.send()
    assert "must not be empty" in dialog.notice_bar.text()
    assert server.failed == ["omar"]


def test_a_sign_in_that_takes_long_is_waited_for(desk: ShiftButton, server: FakeServer) -> None:
    started: list[Work] = []
    desk._console.operations._start = started.append
    dialog = enter(desk, "omar", WORD)
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    dialog.send()
    assert (len(started), dialog.isVisible()) == (1, True)
    started[0].close()


def test_a_server_that_is_away_is_said_in_the_dialog(desk: ShiftButton, server: FakeServer) -> None:
    server.refusal = DatabaseUnavailable("The database does not answer.", advice="It is tried again by itself.")
    dialog = enter(desk, "omar", WORD)
    assert dialog.notice_bar.text() == "Not done: The database does not answer. It is tried again by itself."
    server.refusal = None
    dialog.send()
    assert desk.text() == "Omar Haddad"


def test_locking_asks_for_the_same_person_first(desk: ShiftButton, server: FakeServer) -> None:
    enter(desk, "omar", WORD)
    desk.lock_action.trigger()
    assert (desk.text(), desk.sign_in_action.text()) == ("Locked: Omar Haddad", "Unlock…")
    assert server.ended == [("omar", "lock")]
    desk.sign_in_action.trigger()
    assert desk.dialog is not None
    assert (desk.dialog.windowTitle(), desk.dialog.values()["login"]) == ("Unlock the station", "omar")
    fill(desk.dialog, word=WORD).send()
    assert desk.text() == "Omar Haddad"
    desk.leave_action.trigger()
    assert (desk.text(), server.ended[-1]) == ("Nobody signed in", ("omar", "sign out"))


def test_the_station_locks_itself_when_nobody_is_there(desk: ShiftButton, stage: Stage) -> None:
    enter(desk, "omar", WORD)
    stage.clock.pass_s(IDLE_LOCK_S + 1)
    desk.tick()
    desk.tick()
    assert desk.text() == "Locked: Omar Haddad"


def test_a_password_that_others_chose_is_asked_for_at_once(desk: ShiftButton, server: FakeServer, qtbot: QtBot) -> None:
    first = enter(desk, "anna", WORD)
    assert first.isHidden()
    dialog = desk.dialog
    assert dialog is not None
    assert (dialog.windowTitle(), dialog.isVisible()) == ("Change password", True)
    fill(dialog, new=NEW, again="something else").send()
    assert dialog.notice_bar.text() == "Not done: The two passwords differ."
    fill(dialog, new="short", again="short").send()
    assert dialog.notice_bar.text() == "Not done: It must have 12 to 200 characters."
    fill(dialog, new=NEW, again=NEW).send()
    assert (desk.dialog, server.words["anna"], desk.text()) == (None, NEW, "Anna Weiss")


def test_a_session_ended_elsewhere_leaves_nobody_and_says_why(stage: Stage, server: FakeServer, qtbot: QtBot) -> None:
    console = with_server(stage, server)
    window = MainWindow(console, lambda: None)
    window.show()
    stage.fill()
    enter(window.shift_button, "omar", WORD)
    server.lines[0].fault = SessionEnded("This session was ended (ended by anna). Sign in again.")
    console.shift.submit(JOB)
    qtbot.waitUntil(lambda: window.notice_bar.text().startswith("This session was ended (ended by anna)"))
    assert window.shift_button.text() == "Nobody signed in"
    window.finish()
    window.deleteLater()


def test_a_change_of_person_keeps_the_screens(stage: Stage, server: FakeServer, qtbot: QtBot) -> None:
    window = MainWindow(with_server(stage, server), lambda: None)
    window.resize(1600, 900)
    window.show()
    stage.fill()
    enter(window.shift_button, "omar", WORD)
    window.bring("connections")
    window.docks["trends"].close()
    window.docks["map"].setFloating(True)
    alarms = window.views["alarms"]
    assert isinstance(alarms, AlarmsView)
    alarms.text.setText("low")
    before = bytes(window.saveState().data()), len(alarms.table.board.rows)
    for person in ("kay", "omar"):
        enter(window.shift_button, person, WORD)
        window.shift_button.lock_action.trigger()
    assert (bytes(window.saveState().data()), len(alarms.table.board.rows)) == before
    assert not alarms.all_button.isEnabled()
    assert alarms.all_button.toolTip() == LOCKED
    window.finish()
    window.deleteLater()


def test_a_long_name_leaves_the_window_its_width(stage: Stage, server: FakeServer, qtbot: QtBot) -> None:
    server.people["omar"] = replace(OMAR, name="Omar Haddad " * 16)
    window = MainWindow(with_server(stage, server), lambda: None)
    window.resize(1366, 768)
    window.show()
    enter(window.shift_button, "omar", WORD)
    qtbot.wait(50)
    assert window.width() == 1366
    assert window.shift_button.width() < 260
    assert server.people["omar"].name in window.shift_button.toolTip()
    window.finish()
    window.deleteLater()


# --- the form


def make_form(stage: Stage, frame: QWidget, **more: Any) -> tuple[FormDialog, list[Values]]:
    sent: list[Values] = []

    async def send(values: Values) -> None:
        sent.append(values)

    fields = (
        Field("name", "Name", "", is_required=True),
        Field("word", "Password", "", is_secret=True),
        Field("role", "Role", "viewer", choices=("viewer", "operator")),
        Field("is_kept", "Keep it", default=True),
    )
    dialog = FormDialog(frame, stage.console.operations, "Title", fields, send, **more)
    dialog.open()
    return dialog, sent


def test_a_form_checks_before_it_sends(stage: Stage, frame: QWidget) -> None:
    dialog, sent = make_form(stage, frame, words="Why.", button="Do it")
    dialog.send()
    assert (sent, dialog.isVisible()) == ([], True)
    assert dialog.notice_bar.text() == "Name ('name'): must not be empty."
    fill(dialog, name="Kim", word="secret")
    dialog.send()
    assert sent == [{"name": "Kim", "word": "secret", "role": "viewer", "is_kept": True}]
    assert not dialog.isVisible()


def test_a_form_grows_with_what_it_says(stage: Stage, frame: QWidget, qtbot: QtBot) -> None:
    dialog, _ = make_form(stage, frame)
    qtbot.wait(20)
    before = dialog.height()
    dialog.notice_bar.say("A long sentence that wraps. " * 20)
    qtbot.wait(20)
    layout = dialog.layout()
    assert layout is not None
    assert dialog.height() >= layout.totalHeightForWidth(dialog.width()) > before
    dialog.reject()


def test_a_form_that_is_left_sends_nothing(stage: Stage, frame: QWidget) -> None:
    dialog, sent = make_form(stage, frame)
    fill(dialog, name="Kim")
    QTest.mouseClick(dialog.cancel_button, Qt.MouseButton.LeftButton)
    assert (sent, dialog.isVisible()) == ([], False)


# --- pictures for a person to look at


@pytest.mark.skipif(not FOLDER, reason="makes pictures only: CONTROL_ROOM_PICTURES names their folder")
@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["day", "night"])
def test_pictures_of_the_dialogs(
    stage: Stage, desk: ShiftButton, server: FakeServer, qtbot: QtBot, palette: Palette
) -> None:
    folder = Path(FOLDER or "")
    folder.mkdir(parents=True, exist_ok=True)
    stage.console.theme.use(palette)
    desk.sign_in_action.trigger()
    save(desk, folder / f"shift-sign-in-{palette.name}.png", qtbot)
    fill(desk.dialog, login="omar", word="wrong").send()
    save(desk, folder / f"shift-wrong-{palette.name}.png", qtbot)
    server.failed.clear()
    fill(desk.dialog, login="omar", word=WORD).send()
    desk.lock_action.trigger()
    desk.sign_in_action.trigger()
    save(desk, folder / f"shift-unlock-{palette.name}.png", qtbot)
    fill(desk.dialog, login="anna", word=WORD).send()
    fill(desk.dialog, new="short", again="short").send()
    save(desk, folder / f"shift-change-{palette.name}.png", qtbot)
    desk.dialog.reject()  # type: ignore[union-attr]
    desk.make_first = lambda values: asyncio.sleep(0)
    desk.sign_in_action.trigger()
    save(desk, folder / f"shift-first-{palette.name}.png", qtbot)
    desk.dialog.reject()  # type: ignore[union-attr]


def save(desk: ShiftButton, path: Path, qtbot: QtBot) -> None:
    qtbot.wait(50)
    assert desk.dialog is not None
    assert desk.dialog.grab().save(str(path))
