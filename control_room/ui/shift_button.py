"""The shift button: who is signed in, on every layout, and the ways to sign in, lock, change the password and leave."""

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QLineEdit, QMenu, QToolButton, QWidget

from control_room.core.errors import Refused
from control_room.core.options import Field
from control_room.ui.console import Console
from control_room.ui.dialogs.form import FormDialog, Send, Values
from control_room.ui.operations import Work

_NAME_PX = 200
USE_NOTICE = (
    "This system controls a public water supply. Only people who were given an account may use it; every action is "
    "recorded with name, station and time."
)
_LOGIN = Field("login", "User name", "", is_required=True)
_WORD = Field("word", "Password", "", is_secret=True, is_required=True)
_NEW = Field(
    "new", "New password", "", "At least 12 characters; a sentence is easiest.", is_secret=True, is_required=True
)
_AGAIN = Field("again", "The same again", "", is_secret=True, is_required=True)
_FIRST = (
    _LOGIN,
    Field("name", "Full name", "", is_required=True),
    _NEW,
    _AGAIN,
    Field("is_operating", "I also watch and acknowledge (supervisor)", default=True),
)
_FIRST_WORDS = (
    "This database has no people yet. Choose the administrator's name and password: nobody else knows it, and there is "
    "no other way in. The administrator makes the accounts of everybody else."
)


class ShiftButton(QToolButton):
    """Shows the person; its menu and shortcuts act."""

    def __init__(self, console: Console, parent: QWidget) -> None:
        """Follow the shift."""
        super().__init__(parent)
        self._console = console
        self._shift = console.shift
        self.dialog: FormDialog | None = None
        # while the database has no people: makes the first one
        self.make_first: Send | None = None
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self)
        self.sign_in_action = self._add(menu, "Sign in…", "Ctrl+I", self.ask_sign_in)
        self.lock_action = self._add(menu, "Lock", "Ctrl+L", lambda: self._start(self._shift.lock()))
        self.word_action = self._add(menu, "Change password…", "", self.ask_password)
        self.leave_action = self._add(menu, "Sign out", "", lambda: self._start(self._shift.sign_out()))
        self.setMenu(menu)
        self._shift.changed.connect(self._show)
        self._show()

    def _add(self, menu: QMenu, text: str, keys: str, act: Callable[[], object]) -> QAction:
        action = QAction(text, self)
        action.setShortcut(QKeySequence(keys))
        action.triggered.connect(lambda _=False: act())
        menu.addAction(action)
        self.addAction(action)
        return action

    def _start(self, work: Work) -> None:
        self._console.operations.start(work)

    def _show(self) -> None:
        person, locked = self._shift.person, self._shift.locked
        text = person.name if person else f"Locked: {locked.name}" if locked else "Nobody signed in"
        # a long name may not push the views' buttons out of the window
        self.setText(self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, _NAME_PX))
        self.setToolTip(
            f"{person.name} ({person.login}) is signed in" if person else "View only. Sign in to act (Ctrl+I)"
        )
        self.sign_in_action.setText("Change of person…" if person else "Unlock…" if locked else "Sign in…")
        for action in (self.lock_action, self.word_action, self.leave_action):
            action.setEnabled(person is not None)
        if person is not None and person.must_change_password:
            self.ask_password()

    def tick(self) -> None:
        """Lock when nobody is there any more; call it each second."""
        if self._shift.is_idle():
            self._start(self._shift.lock())

    def ask_sign_in(self) -> None:
        """Ask for name and password; for those of the first administrator where there is nobody yet."""
        if self.make_first is not None:
            self._open("First start: the administrator", _FIRST, self._make_first, _FIRST_WORDS, "Create")
            return
        locked = self._shift.locked
        login = Field("login", "User name", locked.login if locked else "", is_required=True)
        title = "Unlock the station" if locked else "Sign in"
        self._open(title, (login, _WORD), self._sign_in, USE_NOTICE, "Unlock" if locked else "Sign in")
        if locked and self.dialog is not None:
            self.dialog.editors["word"].setFocus()

    async def _sign_in(self, values: Values) -> None:
        await self._shift.sign_in(values["login"], values["word"])

    async def _make_first(self, values: Values) -> None:
        assert self.make_first is not None
        if values["new"] != values["again"]:
            raise Refused("The two passwords differ.")
        await self.make_first(values)
        self.make_first = None
        await self._shift.sign_in(values["login"], values["new"])

    def ask_password(self) -> None:
        """Ask for a new password."""
        person = self._shift.person
        must = person is not None and person.must_change_password
        words = "The password was given by somebody else. Choose your own before you go on." if must else ""
        self._open("Change password", (_NEW, _AGAIN), self._change, words, "Change password")

    async def _change(self, values: Values) -> None:
        if values["new"] != values["again"]:
            raise Refused("The two passwords differ.")
        await self._shift.change_password(values["new"])

    def _open(self, title: str, fields: tuple[Field, ...], send: Send, words: str, button: str) -> None:
        if self.dialog is not None:
            self.dialog.close()
        self.dialog = FormDialog(self, self._console.operations, title, fields, send, words=words, button=button)
        self.dialog.finished.connect(partial(self._forget, self.dialog))
        self.dialog.open()

    def _forget(self, dialog: FormDialog, _: int) -> None:
        # a sign-in that is followed by a forced change of password ends after the next dialog has opened
        if self.dialog is dialog:
            self.dialog = None
        for editor in dialog.editors.values():
            if isinstance(editor, QLineEdit):
                editor.clear()
