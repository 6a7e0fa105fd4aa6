"""Notes that stay on an alarm until somebody removes them: written, changed and removed from its row."""

from collections.abc import Sequence
from functools import partial

from PySide6.QtWidgets import QMenu, QWidget

from control_room.core.access import Action
from control_room.core.options import Field
from control_room.ui.console import Console
from control_room.ui.dialogs.form import FormDialog, Values
from control_room.ui.notice_bar import NoticeBar
from control_room.ui.operations import told
from db.comments import set_note
from widgets.alarm_model import AlarmRow

_WORDS = "It stays on the alarm, whatever becomes of it, until somebody removes it; the journal keeps it for good."


class AlarmNotes:
    """What a person does to the note of one alarm. Nobody's words are overwritten unseen: the database compares."""

    def __init__(self, parent: QWidget, console: Console, notice_bar: NoticeBar) -> None:
        """Take where a refusal to remove is said."""
        self._parent, self._console, self._bar = parent, console, notice_bar

    def fill(self, menu: QMenu, rows: Sequence[AlarmRow]) -> None:
        """Add what can be done to the note of a single row."""
        if len(rows) != 1:
            return
        [row] = rows
        why_not = self._console.shift.why_not(Action.COMMENT, row.tag.municipality_id)
        title = "Change the note that stays…" if row.alarm.note else "Leave a note that stays…"
        actions = [menu.addAction(title, partial(self.edit, row))]
        if row.alarm.note:
            actions.append(menu.addAction("Remove the note", partial(self.remove, row)))
        for action in actions:
            action.setEnabled(not why_not)
            action.setToolTip(why_not)

    def edit(self, row: AlarmRow) -> None:
        """Ask for the words; who may not is told why."""
        if why_not := self._console.shift.why_not(Action.COMMENT, row.tag.municipality_id):
            self._bar.say(why_not)
            return
        before = row.alarm.note.words if row.alarm.note else ""

        async def send(values: Values) -> None:
            await self._console.operations.act(
                partial(set_note, rule_id=row.rule.id, expected=before, words=values["words"].strip())
            )

        field = Field("words", "Note", before, "What everybody must know who meets this alarm.", is_required=True)
        words = f"{row.message}\n\n{_WORDS}"
        FormDialog(
            self._parent, self._console.operations, "Note that stays", (field,), send, words=words, button="Leave"
        ).open()

    def remove(self, row: AlarmRow) -> None:
        """Take the note away that the row has."""
        if row.alarm.note:
            self._console.operations.start(self._removing(row.rule.id, row.alarm.note.words))

    async def _removing(self, rule_id: int, before: str) -> None:
        with told(self._bar, "The note was not removed"):
            await self._console.operations.act(partial(set_note, rule_id=rule_id, expected=before, words=""))
