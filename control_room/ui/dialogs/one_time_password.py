"""A generated password: shown once, to be handed over, never stored."""

import secrets

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontDatabase, QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QDialog, QFormLayout, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

# without what is mistaken for something else when it is read aloud or from paper
_SIGNS = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP = 4, 4


def generate_password(login: str) -> str:
    """Return a random password of 79 bits in groups that people can read; as every password, without the user name."""
    while True:
        groups = ["".join(secrets.choice(_SIGNS) for _ in range(_GROUP)) for _ in range(_GROUPS)]
        password = "-".join(groups)
        if not login or login.casefold() not in password.casefold():
            return password


class OneTimePassword(QDialog):
    """Shows user name and password until the person closes it; no key closes it by chance."""

    def __init__(self, parent: QWidget, login: str, password: str, words: str) -> None:
        """Prepare; open() shows it. `words` say what to do with it."""
        super().__init__(parent)
        self.setWindowTitle("Password")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.password = QLineEdit(password, self)
        self.password.setReadOnly(True)
        self.password.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.copy_button = QPushButton("Copy", self)
        self.copy_button.clicked.connect(lambda _=False: QGuiApplication.clipboard().setText(password))
        self.close_button = QPushButton("I have handed it over: close", self)
        self.close_button.clicked.connect(self.accept)
        for button in (self.copy_button, self.close_button):
            button.setAutoDefault(False)
        self._lay_out(login, words)
        self.finished.connect(self._forget)
        self.setMinimumWidth(460)

    def _lay_out(self, login: str, words: str) -> None:
        label = QLabel(words, self)
        label.setWordWrap(True)
        label.setTextFormat(Qt.TextFormat.PlainText)
        name = QLineEdit(login, self)
        name.setReadOnly(True)
        row = QHBoxLayout()
        row.addWidget(self.password)
        row.addWidget(self.copy_button)
        form = QFormLayout()
        form.addRow("User name", name)
        form.addRow("Password", row)
        column = QVBoxLayout(self)
        column.addWidget(label)
        column.addLayout(form)
        column.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignRight)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # what is gone by a wrong key cannot be shown again
        if event.key() not in (Qt.Key.Key_Escape, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            super().keyPressEvent(event)

    def _forget(self, _: int) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard.text() == self.password.text():
            clipboard.clear()
        self.password.clear()
