"""Acknowledging alarms from the board: at once, or after asking once for the comment that some of them demand."""

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtWidgets import QPushButton, QWidget

from control_room.core.errors import Refused
from control_room.core.options import Field
from control_room.ui.alarm_deeds import Occurrences, Tell
from control_room.ui.comment_rules import CommentLine, CommentRules
from control_room.ui.console import Console
from control_room.ui.dialogs.form import FormDialog, Values
from control_room.ui.notice_bar import NoticeBar
from control_room.ui.operations import told
from db.alarm_journal import AlarmAnswer, acknowledge
from widgets.alarm_model import AlarmRow

NO_WORDS = "Choose a comment or write one."


class Acknowledging:
    """Does it with the comment that was typed, or asks for one first; `settled` is called after each try."""

    def __init__(
        self,
        parent: QWidget,
        console: Console,
        notice_bar: NoticeBar,
        rules: CommentRules,
        line: CommentLine,
        tell: Tell,
        settled: Callable[[], None],
    ) -> None:
        """Take where refusals are said: `tell(refused answers, how many were asked for)`."""
        self._parent, self._console, self._bar = parent, console, notice_bar
        self._rules, self._line, self._tell, self._settled = rules, line, tell, settled
        self._is_asking = False

    def needs_comment(self, rows: Sequence[AlarmRow]) -> bool:
        """Return whether a comment is demanded that nobody has typed yet."""
        return not self._line.text().strip() and bool(self._demanding(rows))

    def _demanding(self, rows: Sequence[AlarmRow]) -> list[AlarmRow]:
        book = self._rules.book
        return [
            row
            for row in rows
            if row.needs_acknowledgement and book.is_demanded(row.tag.municipality_id, row.rule.priority)
        ]

    def begin(self, rows: Sequence[AlarmRow], *controls: QPushButton) -> None:
        """Acknowledge what of the rows needs it, as they stand now."""
        wanted = [row for row in rows if row.needs_acknowledgement]
        # a second press before the answer would only be refused
        if not wanted or self._is_asking:
            return
        if self.needs_comment(wanted):
            self._ask(wanted)
            return
        self._is_asking = True
        self._console.operations.start(self._doing(_occurrences(wanted), *controls))

    def _ask(self, rows: Sequence[AlarmRow]) -> None:
        occurrences, demanding = _occurrences(rows), self._demanding(rows)
        offered = self._rules.book.comments(row.tag.municipality_id for row in rows)
        fields = (
            Field("standard", "Standard comment", "", choices=("", *offered)),
            Field("words", "In words", "", "Goes into the journal of each of them."),
        )

        async def send(values: Values) -> None:
            comment = ": ".join(part for part in (values["standard"], values["words"].strip()) if part)
            if not comment:
                raise Refused(NO_WORDS)
            answers = await self._act(occurrences, comment)
            refused = [answer for answer in answers if not answer.is_done]
            if len(refused) == len(answers):
                raise Refused(refused[0].words)
            self._tell(refused, len(answers))
            self._settled()

        what = rows[0].message if len(rows) == 1 else f"{len(rows):,} alarms"
        *others, last = sorted({f"{row.rule.priority:d}" for row in demanding})
        priorities = f"{', '.join(others)} and {last}" if others else last
        words = f"{what}\n\nAn acknowledgement of priority {priorities} needs a comment here."
        title = "Acknowledge" if len(rows) == 1 else f"Acknowledge {len(rows):,}"
        FormDialog(
            self._parent, self._console.operations, "Acknowledge", fields, send, words=words, button=title
        ).open()

    async def _doing(self, occurrences: Occurrences, *controls: QPushButton) -> None:
        try:
            with told(self._bar, "Nothing was acknowledged", *controls):
                answers = await self._act(occurrences, self._line.text().strip())
                refused = [answer for answer in answers if not answer.is_done]
                if not refused:
                    self._line.clear()
                self._tell(refused, len(answers))
        finally:
            self._is_asking = False
            self._settled()

    async def _act(self, occurrences: Occurrences, comment: str) -> list[AlarmAnswer]:
        return await self._console.operations.act(partial(acknowledge, occurrences=occurrences, comment=comment))


def _occurrences(rows: Sequence[AlarmRow]) -> Occurrences:
    return [(row.rule.id, row.alarm.event_id) for row in rows]
