"""The notice bar: a sentence beside the control that it concerns, in place of a pop-up."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from control_room.core.errors import ControlRoomError


class NoticeBar(QFrame):
    """A strip with words and buttons, hidden while there is nothing to say. Signal confirmed(): the person agreed."""

    confirmed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        """Start hidden."""
        super().__init__(parent)
        self.setObjectName("notice_bar")
        self._words = QLabel(self)
        self._words.setWordWrap(True)
        self._words.setTextFormat(Qt.TextFormat.PlainText)
        self._words.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._details = ""
        self._focus_before: QWidget | None = None
        self.confirm_button = self._button("", self._confirm)
        self.copy_button = self._button("Copy details", self._copy)
        self.dismiss_button = self._button("Dismiss", self.clear)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 4, 6, 4)
        for widget in (self._words, self.confirm_button, self.copy_button, self.dismiss_button):
            row.addWidget(widget)
        self.hide()

    def _button(self, text: str, act: object) -> QPushButton:
        button = QPushButton(text, self)
        # Enter presses it as the space bar does
        button.setAutoDefault(True)
        button.clicked.connect(act)
        return button

    def text(self) -> str:
        """Return the words that are shown, empty when hidden."""
        return self._words.text() if not self.isHidden() else ""

    def say(self, words: str) -> None:
        """Say something that the person may dismiss."""
        self._show(words, "Dismiss")

    def show_fault(self, what: str, fault: ControlRoomError) -> None:
        """Say what could not be done, why, and what to do."""
        self.say(f"{what}: {fault}")

    def show_details(self, words: str, details: str) -> None:
        """Say something with details that can be copied for those who maintain the program."""
        self._show(words, "Dismiss", details=details)

    def ask(self, question: str, yes: str) -> None:
        """Ask without holding up anything else; `confirmed` follows when the person agrees."""
        self._focus_before = QApplication.focusWidget()
        self._show(question, "Cancel", yes=yes)
        self.confirm_button.setFocus()

    def clear(self) -> None:
        """Hide; the focus goes back to where the person was before a question."""
        before, self._focus_before = self._focus_before, None
        if before is not None and self.isAncestorOf(QApplication.focusWidget() or self):
            before.setFocus()
        self.hide()

    def _show(self, words: str, dismiss: str, *, yes: str = "", details: str = "") -> None:
        self._words.setText(words)
        self._details = details
        self.dismiss_button.setText(dismiss)
        self.confirm_button.setText(yes)
        self.confirm_button.setVisible(bool(yes))
        self.copy_button.setVisible(bool(details))
        self.show()

    def _confirm(self) -> None:
        self.clear()
        self.confirmed.emit()

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._details)
