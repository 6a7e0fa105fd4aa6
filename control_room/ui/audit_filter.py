"""The filter above the audit: person, object, action, outcome, period. Signal changed()."""

from collections.abc import Callable, Sequence
from datetime import datetime

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from control_room.ui.audit_words import ACTIONS, action_words
from control_room.ui.period_choice import PeriodChoice, choice_box
from db.audit import AuditEntry, AuditFilter

# a word that is being typed is not asked for letter by letter
_TYPING_MS = 350
_OUTCOMES = (("Any outcome", None), ("Done", True), ("Refused", False))


class AuditFilterBar(QWidget):
    """Fields in a row; more widgets join it by `row`. The two moments stand in a row of their own while they are wanted."""

    changed = Signal()

    def __init__(self, now: Callable[[], datetime], parent: QWidget) -> None:
        """Start with everything, at any time."""
        super().__init__(parent)
        self.person = self._line("Person")
        self.object = self._line("Object")
        self.action = choice_box(self, 6)
        self.outcome = choice_box(self, 7, *(title for title, _ in _OUTCOMES))
        self.period = PeriodChoice(now, self)
        self._fill_actions(ACTIONS)
        self.row = QHBoxLayout()
        self._lay_out()
        self._soon = QTimer(self, singleShot=True, interval=_TYPING_MS)
        self._soon.timeout.connect(self.changed)
        self._connect()

    def _line(self, words: str) -> QLineEdit:
        line = QLineEdit(self)
        line.setPlaceholderText(words)
        line.setToolTip(f"A part of the {words.lower()}'s name, capitals or not")
        line.setClearButtonEnabled(True)
        line.setMaxLength(100)
        line.setMinimumWidth(70)
        return line

    def _lay_out(self) -> None:
        self.row.setSpacing(4)
        for line in (self.person, self.object):
            self.row.addWidget(line, 1)
        for choice in (self.action, self.outcome, self.period.box):
            self.row.addWidget(choice, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(self.row)
        column.addWidget(self.period)

    def _connect(self) -> None:
        for line in (self.person, self.object):
            line.textChanged.connect(lambda _: self._soon.start())
            line.returnPressed.connect(self._at_once)
        for choice in (self.action, self.outcome):
            choice.currentIndexChanged.connect(self._at_once)
        self.period.changed.connect(self._at_once)
        self.period.moment_changed.connect(self._on_moment)

    def _at_once(self) -> None:
        self._soon.stop()
        self.changed.emit()

    def _on_moment(self) -> None:
        if self.period.is_empty:
            self._soon.stop()
        else:
            self._soon.start()

    def note_actions(self, entries: Sequence[AuditEntry]) -> None:
        """Offer the actions of these entries too: a newer database knows more."""
        offered = [self.action.itemData(number) for number in range(self.action.count())]
        if more := sorted({entry.action for entry in entries} - set(offered)):
            self._fill_actions([*filter(None, offered), *more])

    def _fill_actions(self, actions: Sequence[str]) -> None:
        chosen = self.action.currentData()
        self.action.blockSignals(True)
        self.action.clear()
        self.action.addItem("Any action", "")
        for action in actions:
            self.action.addItem(action_words(action), action)
        self.action.setCurrentIndex(max(0, self.action.findData(chosen)))
        self.action.blockSignals(False)

    def wanted(self) -> AuditFilter:
        """Return what is wanted now."""
        start, end = self.period.period()
        return AuditFilter(
            self.person.text().strip(),
            self.object.text().strip(),
            self.action.currentData() or "",
            _OUTCOMES[self.outcome.currentIndex()][1],
            start,
            end,
        )
