"""What the seat knows of comments: where one is demanded, which ones are offered; and the line to type one."""

from functools import partial

from PySide6.QtCore import QObject, QStringListModel, Qt, QTimer, Signal
from PySide6.QtWidgets import QCompleter, QLineEdit, QWidget

from control_room.core.comments import CommentBook
from control_room.core.errors import ControlRoomError
from control_room.ui.console import Console
from db.comments import read_comments

LONGEST = 500


class CommentRules(QObject):
    """The newest settings that could be read. Signal changed()."""

    changed = Signal()

    def __init__(self, console: Console, parent: QObject | None = None) -> None:
        """Read with every change of the configuration."""
        super().__init__(parent)
        self._console = console
        self.book = CommentBook()
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self.refresh)
        console.room.configuration_changed.connect(self._soon.start)

    def refresh(self) -> None:
        """Read the settings anew."""
        self._console.operations.start(self.read())

    async def read(self) -> None:
        """Read the settings, or keep what was known."""
        try:
            self.book = await self._console.operations.read(partial(read_comments))
        except ControlRoomError:
            # the trouble bar says why; what was known before still holds, and the database decides
            return
        self.changed.emit()

    def offered(self) -> list[str]:
        """Return every standard comment of the municipalities that this seat shows."""
        return self.book.comments(self._console.room.municipalities)


class CommentLine(QLineEdit):
    """A line whose completer offers the standard comments."""

    def __init__(self, rules: CommentRules, parent: QWidget) -> None:
        """Offer what is known, and what will be."""
        super().__init__(parent)
        self._rules = rules
        self.setPlaceholderText("Comment")
        self.setMaxLength(LONGEST)
        self.setToolTip("Goes with what is done next; Down shows the standard comments")
        self.setMinimumWidth(90)
        self._words = QStringListModel(self)
        completer = QCompleter(self._words, self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self.setCompleter(completer)
        rules.changed.connect(self._offer)

    def _offer(self) -> None:
        self._words.setStringList(self._rules.offered())
