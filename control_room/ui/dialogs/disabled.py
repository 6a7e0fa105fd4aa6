"""Disabled alarms: the rules that a change of the configuration took out of service, and the way back."""

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QPushButton, QVBoxLayout, QWidget

from control_room.core.access import Action
from control_room.core.alarms import AlarmRule
from control_room.core.errors import Refused
from control_room.ui.console import Console
from control_room.ui.notice_bar import NoticeBar
from control_room.ui.operations import told
from control_room.ui.words import municipality_name
from db.alarm_journal import enable
from widgets.row_table import RowColumn, RowTable

_SIZE_PX = (820, 420)


class DisabledDialog(QDialog):
    """A list with a button; it follows the configuration while it is open."""

    def __init__(self, parent: QWidget, console: Console) -> None:
        """Show the rules that are disabled now."""
        super().__init__(parent)
        self._console = console
        self.setWindowTitle("Disabled alarms")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(*_SIZE_PX)
        self.notice_bar = NoticeBar(self)
        self.table: RowTable[AlarmRule] = RowTable(self._columns(), lambda rule: rule.id, parent=self)
        self.table.apply_palette(console.theme.palette)
        self.table.say_when_empty("No alarm is disabled")
        self.enable_button = QPushButton("Enable", self)
        self.enable_button.clicked.connect(self.enable_chosen)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        buttons.addButton(self.enable_button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.close)
        column = QVBoxLayout(self)
        for widget, stretch in ((self.notice_bar, 0), (self.table, 1), (buttons, 0)):
            column.addWidget(widget, stretch)
        self.table.chosen_changed.connect(self._allow)
        console.room.configuration_changed.connect(self._refresh)
        console.shift.changed.connect(self._allow)
        self._refresh()

    def _columns(self) -> Sequence[RowColumn[AlarmRule]]:
        room = self._console.room

        def place(rule: AlarmRule) -> str:
            tag = room.tags.get(rule.tag_id)
            return f"{municipality_name(room, tag.municipality_id)} › {tag.site} › {tag.asset}" if tag else "?"

        return (
            RowColumn("Place", place, 260, 2),
            RowColumn("Alarm", lambda rule: rule.message, 260, 3),
            RowColumn("Kind", lambda rule: str(rule.kind), 60),
            RowColumn("Priority", lambda rule: str(int(rule.priority)), 70),
        )

    def _refresh(self) -> None:
        self.table.show_rows([rule for rule in self._console.room.rules.values() if rule.is_disabled])
        self._allow()

    def _allow(self) -> None:
        rule = self.table.chosen()
        tag = self._console.room.tags.get(rule.tag_id) if rule else None
        why = self._console.shift.why_not(Action.CONFIGURE, tag.municipality_id) if tag else "Choose an alarm first."
        self.enable_button.setEnabled(not why)
        self.enable_button.setToolTip(why or "Let it be judged again")

    def enable_chosen(self) -> None:
        """Let the chosen rule be judged again."""
        if (rule := self.table.chosen()) is not None:
            self._console.operations.start(self._enabling(rule.id))

    async def _enabling(self, rule_id: int) -> None:
        with told(self.notice_bar, "Nothing was enabled", self.enable_button):
            [answer] = await self._console.operations.act(partial(enable, occurrences=[(rule_id, 0)], comment=""))
            if not answer.is_done:
                raise Refused(answer.words)
