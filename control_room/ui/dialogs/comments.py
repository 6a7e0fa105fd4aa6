"""Comments: which priorities demand one to be acknowledged, and the standard ones, for a municipality or all of them."""

from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from control_room.core.access import Action
from control_room.core.alarms import Priority
from control_room.core.comments import EVERYWHERE, CommentSetting
from control_room.ui.comment_rules import CommentRules
from control_room.ui.console import Console
from control_room.ui.notice_bar import NoticeBar
from control_room.ui.operations import told
from db.comments import set_comments

_SIZE_PX = (560, 460)
_WORDS = "What holds everywhere and what a municipality sets for itself add up. Shelving always needs a reason."


class CommentsDialog(QDialog):
    """A place, four boxes, a list with one comment in each line. Who may only read sees why."""

    def __init__(self, parent: QWidget, console: Console, rules: CommentRules) -> None:
        """Show what is set in the first place where the person may set something."""
        super().__init__(parent)
        self._console, self._rules = console, rules
        self.setWindowTitle("Comments")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(*_SIZE_PX)
        self.place = QComboBox(self)
        self.place.addItem("Every municipality", EVERYWHERE)
        for one in console.room.configuration.municipalities:
            self.place.addItem(one.name, one.id)
        self.place.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.boxes = {one: QCheckBox(f"{one:d} {one.name.lower()}", self) for one in Priority}
        self.comments = QPlainTextEdit(self)
        self.comments.setTabChangesFocus(True)
        self.reason = QLineEdit(self, maxLength=500)
        self.notice_bar = NoticeBar(self)
        self.save_button = QPushButton("Save", self)
        self._lay_out()
        self.place.currentIndexChanged.connect(self._show)
        self.save_button.clicked.connect(self.save)
        console.shift.changed.connect(self._allow)
        self.place.setCurrentIndex(self._first_place())
        self._show()

    def _lay_out(self) -> None:
        words = QLabel(_WORDS, self)
        words.setWordWrap(True)
        form = QFormLayout()
        form.addRow("Holds in", self.place)
        row = QHBoxLayout()
        for box in self.boxes.values():
            row.addWidget(box)
        form.addRow("Comment demanded for priority", row)
        form.addRow("Standard comments,\none in each line", self.comments)
        form.addRow("Reason", self.reason)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        buttons.addButton(self.save_button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(words)
        column.addLayout(form, 1)
        column.addWidget(self.notice_bar)
        column.addWidget(buttons)

    def _place(self) -> int:
        return int(self.place.currentData())

    def _why_not(self, place: int) -> str:
        return self._console.shift.why_not(Action.SET_COMMENTS, None if place == EVERYWHERE else place)

    def _first_place(self) -> int:
        places = range(self.place.count())
        return next((number for number in places if not self._why_not(int(self.place.itemData(number)))), 0)

    def _show(self) -> None:
        setting = self._rules.book.of(self._place())
        for priority, box in self.boxes.items():
            box.setChecked(priority in setting.priorities)
        self.comments.setPlainText("\n".join(setting.comments))
        self.notice_bar.clear()
        self._allow()

    def _allow(self) -> None:
        why = self._why_not(self._place())
        for part in (*self.boxes.values(), self.save_button):
            part.setEnabled(not why)
            part.setToolTip(why)
        for line in (self.comments, self.reason):
            line.setReadOnly(bool(why))
            line.setToolTip(why)

    def setting(self) -> CommentSetting:
        """Return what is typed; empty lines are no comments."""
        lines = (line.strip() for line in self.comments.toPlainText().splitlines())
        chosen = frozenset(priority for priority, box in self.boxes.items() if box.isChecked())
        return CommentSetting(chosen, tuple(line for line in lines if line))

    def save(self) -> None:
        """Set what is typed."""
        self._console.operations.start(self._saving())

    async def _saving(self) -> None:
        job = partial(
            set_comments, municipality_id=self._place(), setting=self.setting(), reason=self.reason.text().strip()
        )
        with told(self.notice_bar, "Nothing was saved", self.save_button):
            await self._console.operations.act(job)
            await self._rules.read()
            self.accept()
