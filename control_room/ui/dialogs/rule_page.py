"""The pages of an alarm rule's dialog: fields that say what is wrong while a person types."""

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QCompleter,
    QFormLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from control_room.core.rationalisation import TEXT_MAX, Severity
from control_room.core.rule_sheet import FIELD_TITLES, parsed, tag_id, value_text

Editor = QLineEdit | QComboBox | QCheckBox | QPlainTextEdit
_LONG = ("cause", "consequence", "action", "expression")
_CHECKS: Mapping[str, str] = {
    "is_latching": "stays until a person resets it",
    "is_disabled": "nothing judges it: it is never raised",
}
_CHOICES: Mapping[str, tuple[str, ...]] = {"priority": ("1", "2", "3", "4"), "severity": ("", *Severity)}
_LONG_PX = 64
_LINE_MAX = 500


class FieldPage(QScrollArea):
    """Named fields, a line of words under each. Signal edited(): a person changed one of them."""

    edited = Signal()

    def __init__(self, names: Sequence[str], parent: QWidget | None = None) -> None:
        """Make an editor for each name of core.rule_sheet.FIELD_TITLES."""
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        body = QWidget(self)
        # what is left of the height goes below the fields, not between them
        column = QVBoxLayout(body)
        self._form = QFormLayout()
        column.addLayout(self._form)
        column.addStretch(1)
        self.editors: dict[str, Editor] = {}
        self.notes: dict[str, QLabel] = {}
        self._ids: Mapping[str, int] = {}
        for name in names:
            self._add(name, body)
        self.setWidget(body)

    def _add(self, name: str, parent: QWidget) -> None:
        editor, note = self._make(name, parent), QLabel(parent)
        editor.setAccessibleName(FIELD_TITLES[name])
        note.setProperty("role", "label")
        note.setWordWrap(True)
        note.setTextFormat(Qt.TextFormat.PlainText)
        note.hide()
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addWidget(editor)
        column.addWidget(note)
        title = QLabel(f"{FIELD_TITLES[name]}:", parent)
        title.setBuddy(editor)
        self._form.addRow(title, column)
        self.editors[name], self.notes[name] = editor, note

    def _make(self, name: str, parent: QWidget) -> Editor:
        if name in _CHOICES:
            box = QComboBox(parent)
            box.addItems(list(_CHOICES[name]))
            box.currentIndexChanged.connect(self.edited)
            return box
        if name in _CHECKS:
            check = QCheckBox(_CHECKS[name], parent)
            check.toggled.connect(self.edited)
            return check
        if name in _LONG:
            words = QPlainTextEdit(parent)
            words.setTabChangesFocus(True)
            words.setFixedHeight(_LONG_PX)
            words.textChanged.connect(self.edited)
            return words
        line = QLineEdit(parent)
        line.setMaxLength(_LINE_MAX)
        line.textEdited.connect(self.edited)
        return line

    def fill(self, values: Mapping[str, Any]) -> None:
        """Put values into the fields; this is no editing."""
        for name, editor in self.editors.items():
            text = self._key(values[name]) if name == "other_tag_id" else value_text(values[name])
            with QSignalBlocker(editor):
                if isinstance(editor, QCheckBox):
                    editor.setChecked(text == "yes")
                elif isinstance(editor, QComboBox):
                    editor.setCurrentText(text)
                elif isinstance(editor, QPlainTextEdit):
                    editor.setPlainText(text)
                else:
                    editor.setText(text)

    def know_tags(self, ids: Mapping[str, int]) -> None:
        """Take the tags that a rule may be compared with, by their keys; they are offered to whoever types."""
        self._ids = ids
        if "other_tag_id" in self.editors:
            self.offer("other_tag_id", sorted(ids))

    def _key(self, tag: int | None) -> str:
        return next((key for key, one in self._ids.items() if one == tag), "")

    def offer(self, name: str, words: Sequence[str]) -> None:
        """Offer words to a person who types into a field of one line."""
        editor = self.editors[name]
        if isinstance(editor, QLineEdit):
            completer = QCompleter(list(words), editor)
            completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
            completer.setFilterMode(Qt.MatchFlag.MatchContains)
            completer.activated.connect(lambda _: self.edited.emit())
            editor.setCompleter(completer)

    def typed(self, name: str) -> str:
        """Return what stands in a field, as a cell of a sheet says it."""
        editor = self.editors[name]
        if isinstance(editor, QCheckBox):
            return "yes" if editor.isChecked() else "no"
        if isinstance(editor, QComboBox):
            return editor.currentText()
        return editor.toPlainText()[: TEXT_MAX + 1] if isinstance(editor, QPlainTextEdit) else editor.text()

    def values(self) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the values that can be read, and the faults of the others, both by name."""
        values: dict[str, Any] = {}
        faults: dict[str, str] = {}
        for name in self.editors:
            try:
                text = self.typed(name)
                values[name] = tag_id(text, self._ids) if name == "other_tag_id" else parsed(name, text)
            except ValueError as fault:
                faults[name] = f"{FIELD_TITLES[name]} {fault}."
        return values, faults

    def say(self, name: str, words: str) -> None:
        """Say something under a field, nothing for empty words."""
        self.notes[name].setText(words)
        self.notes[name].setVisible(bool(words))

    def lock(self, why: str) -> None:
        """Let nobody edit, and say why; open for an empty reason."""
        for editor in self.editors.values():
            if isinstance(editor, QLineEdit | QPlainTextEdit):
                editor.setReadOnly(bool(why))
            else:
                editor.setEnabled(not why)
            editor.setToolTip(why)
