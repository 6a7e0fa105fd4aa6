"""A form in a dialog: fields in, an action out; what goes wrong is said in the form, and what was typed stays."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QStyle,
    QVBoxLayout,
    QWidget,
)

from control_room.core.errors import BadOption
from control_room.core.options import Field, check
from control_room.ui.notice_bar import NoticeBar
from control_room.ui.operations import Work, told

Values = Mapping[str, Any]
Send = Callable[[Values], Coroutine[Any, Any, object]]
Editor = QLineEdit | QComboBox | QCheckBox
_LEAST_WIDTH_PX = 440


class Starter(Protocol):
    """Runs a coroutine from a slot: ui.operations.Operations."""

    def start(self, work: Work) -> None:
        """Run it."""


class FormDialog(QDialog):
    """A title, a sentence, fields, a button; closes when `send` has done its work."""

    def __init__(
        self,
        parent: QWidget,
        operations: Starter,
        title: str,
        fields: Sequence[Field],
        send: Send,
        *,
        words: str = "",
        button: str = "Save",
        content: QWidget | None = None,
    ) -> None:
        """Prepare; open() shows it. `send` takes the checked values and raises ControlRoomError with what to say.

        `content` stands above the fields: what no Field can ask, as a grid of roles; `send` reads it.
        """
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._operations, self._fields, self._send = operations, tuple(fields), send
        self._is_sending = False
        self.editors = {field.key: _editor(field, self) for field in fields}
        self.notice_bar = NoticeBar(self)
        self.send_button = QPushButton(button, self)
        self.send_button.setDefault(True)
        self.cancel_button = QPushButton("Cancel", self)
        self._lay_out(words, content)
        self.send_button.clicked.connect(self.send)

    def _lay_out(self, words: str, content: QWidget | None) -> None:
        column = QVBoxLayout(self)
        column.addStrut(_LEAST_WIDTH_PX)
        if words:
            label = QLabel(words, self)
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
            column.addWidget(label)
        if content is not None:
            column.addWidget(content, 1)
        form = QFormLayout()
        for field in self._fields:
            editor = self.editors[field.key]
            form.addRow("" if isinstance(editor, QCheckBox) else field.title, editor)
            if field.help:
                editor.setToolTip(field.help)
        column.addLayout(form)
        column.addWidget(self.notice_bar)
        buttons = QDialogButtonBox(self)
        buttons.addButton(self.cancel_button, QDialogButtonBox.ButtonRole.RejectRole)
        buttons.addButton(self.send_button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        column.addWidget(buttons)

    def values(self) -> dict[str, Any]:
        """Return what was typed, unchecked."""
        return {key: _value(editor) for key, editor in self.editors.items()}

    def send(self) -> None:
        """Check what was typed and act on it."""
        if self._is_sending:
            return
        try:
            values = check(self._fields, self.values())
        except BadOption as fault:
            self.notice_bar.say(str(fault.args[0]))
            return
        self._is_sending = True
        self._operations.start(self._sending(values))

    def event(self, event: QEvent) -> bool:
        is_done = super().event(event)
        # words that wrap need more height than the layout asks for by itself: a notice may not press the fields together
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Show):
            layout = self.layout()
            needed = layout.totalHeightForWidth(self.width()) if layout else 0
            if needed > self.height():
                self.resize(self.width(), needed)
        return is_done

    def reject(self) -> None:
        # what was sent may be done already: the person reads how it ended
        if not self._is_sending:
            super().reject()

    async def _sending(self, values: Values) -> None:
        is_done = False
        try:
            with told(self.notice_bar, "Not done", self.send_button, self.cancel_button):
                await self._send(values)
                is_done = True
        finally:
            self._is_sending = False
            if is_done:
                self.accept()


def _editor(field: Field, parent: QWidget) -> Editor:
    if isinstance(field.default, bool):
        box = QCheckBox(field.title, parent)
        box.setChecked(field.default)
        return box
    if field.choices:
        choice = QComboBox(parent)
        choice.addItems(list(field.choices))
        # a long name is elided: it may not make the dialog wider than the screen
        choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        choice.setMinimumContentsLength(24)
        choice.setCurrentText(str(field.default))
        return choice
    line = QLineEdit(str(field.default), parent)
    line.setMaxLength(500)
    if field.is_secret:
        line.setEchoMode(QLineEdit.EchoMode.Password)
    if field.is_file:
        icon = line.style().standardIcon(QStyle.StandardPixmap.SP_DialogOpenButton)
        choose = line.addAction(icon, QLineEdit.ActionPosition.TrailingPosition)
        choose.setToolTip("Choose a file")
        choose.triggered.connect(lambda: _choose_file(line, field.title))
    return line


def _choose_file(line: QLineEdit, title: str) -> None:
    dialog = QFileDialog(line, title)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.fileSelected.connect(line.setText)
    dialog.open()


def _value(editor: Editor) -> str | bool:
    if isinstance(editor, QCheckBox):
        return editor.isChecked()
    if isinstance(editor, QComboBox):
        return editor.currentText()
    return editor.text()
