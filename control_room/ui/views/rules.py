"""Alarm rules: every rule in a searchable table, each opened to be read or, by an engineer, changed."""

from collections.abc import Iterator, Sequence

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from control_room.core.access import Action
from control_room.core.alarms import AlarmKind, AlarmRule
from control_room.core.tags import Tag
from control_room.ui.console import Console
from control_room.ui.dialogs.rule import RuleDialog
from control_room.ui.notice_bar import NoticeBar
from control_room.ui.rule_transfer import RuleTransfer
from control_room.ui.rule_words import RuleRow, make_row
from control_room.ui.view_spec import Place, ViewSpec
from widgets.palette import Palette
from widgets.row_table import RowColumn, RowTable

# so many rows are made before the screen gets its turn again
_PORTION = 2000
_SEARCH_MS = 120
_ORDER = {kind: place for place, kind in enumerate(AlarmKind)}


class RulesView(QWidget):
    """Search, table, buttons; the room's rules are made into rows when the view is seen."""

    def __init__(self, console: Console) -> None:
        """Make no rows before it is shown."""
        super().__init__()
        self._console = console
        self._all: list[RuleRow] = []
        self._is_stale = True
        self._building: Iterator[bool] = iter(())
        self.dialog: RuleDialog | None = None
        self.search = QLineEdit(self, maxLength=100, clearButtonEnabled=True)
        self.search.setPlaceholderText("Search: words of message, tag, site, asset, municipality, kind")
        self.search.setAccessibleName("Search alarm rules")
        self.count = QLabel(self)
        self.count.setProperty("role", "label")
        self.open_button = QPushButton("Open…", self)
        self.notice_bar = NoticeBar(self)
        self.transfer = RuleTransfer(console, self.notice_bar, lambda: self.table.rows, self.search.text, self)
        self.table: RowTable[RuleRow] = RowTable(_COLUMNS, lambda one: one.rule.id, parent=self)
        self.table.say_when_empty("The plant is not known yet.")
        self._soon = QTimer(self, singleShot=True, interval=_SEARCH_MS)
        self._turn = QTimer(self, interval=0)
        self._lay_out()
        self._connect()
        self._dress(console.theme.palette)
        self._allow()

    def _lay_out(self) -> None:
        self.head = QHBoxLayout()
        self.head.addWidget(self.search, 1)
        self.head.addWidget(self.count)
        self.head.addWidget(self.open_button)
        self.head.addWidget(self.transfer.export_button)
        self.head.addWidget(self.transfer.import_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(4)
        column.addLayout(self.head)
        column.addWidget(self.transfer)
        column.addWidget(self.notice_bar)
        column.addWidget(self.table, 1)
        self.setFocusProxy(self.search)

    def _connect(self) -> None:
        self.search.textChanged.connect(lambda _: self._soon.start())
        self._soon.timeout.connect(self._show)
        self._turn.timeout.connect(self._go_on)
        self.table.doubleClicked.connect(lambda _: self.open())
        self.table.installEventFilter(self)
        self.table.chosen_changed.connect(self._allow)
        self.open_button.clicked.connect(self.open)
        self._console.room.configuration_changed.connect(self._on_configuration)
        self._console.shift.changed.connect(self._allow)
        self._console.theme.changed.connect(self._dress)
        self._console.jumps.rule_wanted.connect(self.open_rule)

    # --- what it shows

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._build_soon()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        pressed = event.key() if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress else None
        if pressed in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.open()
            return True
        return super().eventFilter(watched, event)

    def _on_configuration(self) -> None:
        self._is_stale = True
        self._build_soon()

    def _build_soon(self) -> None:
        if self._is_stale and self.isVisible():
            self._is_stale = False
            self._building = self._build()
            self._turn.start()

    def _go_on(self) -> None:
        if next(self._building, True):
            self._turn.stop()

    def _build(self) -> Iterator[bool]:
        """Make the rows, portion by portion, in the order of the tags: by municipality, site and asset."""
        room = self._console.room
        of_tags: dict[int, list[AlarmRule]] = {}
        for rule in room.configuration.rules:
            of_tags.setdefault(rule.tag_id, []).append(rule)
        rows: list[RuleRow] = []
        done = 0
        yield False
        for tag in room.configuration.tags:
            found = sorted(of_tags.get(tag.id, ()), key=lambda one: _ORDER[one.kind])
            rows.extend(make_row(rule, tag, room) for rule in found)
            if len(rows) - done >= _PORTION:
                done = len(rows)
                yield False
        yield False
        self._all = rows
        self._show()

    def _show(self) -> None:
        words = self.search.text().casefold().split()
        found: Sequence[RuleRow] = self._all
        if words:
            found = [one for one in self._all if all(word in one.words for word in words)]
        self.table.show_rows(found)
        self.table.say_when_empty("No rule has these words." if self._all else "There is no alarm rule.")
        shown, every = f"{len(found):,}", f"{len(self._all):,}"
        self.count.setText(f"{every} rules" if len(found) == len(self._all) else f"{shown} of {every} rules")
        self._allow()

    def _allow(self) -> None:
        chosen = self.table.chosen()
        why = "Choose a rule first." if chosen is None else ""
        self.open_button.setEnabled(not why)
        place = None if chosen is None else chosen.tag.municipality_id
        is_reader = bool(self._console.shift.why_not(Action.CONFIGURE, place))
        self.open_button.setText("Show…" if is_reader else "Edit…")
        self.transfer.allow()
        self.open_button.setToolTip(why or "Settings, record and changes of the chosen rule (Enter)")

    def open(self) -> None:
        """Show the chosen rule in a dialog."""
        if (chosen := self.table.chosen()) is not None:
            self._open(self._console.room.rules.get(chosen.rule.id, chosen.rule), chosen.tag)

    def open_rule(self, rule_id: int) -> None:
        """Show a rule in a dialog, whatever the search shows."""
        rule = self._console.room.rules.get(rule_id)
        tag = self._console.room.tags.get(rule.tag_id) if rule else None
        if rule is None or tag is None:
            self.notice_bar.say("This alarm rule is configured no more.")
            return
        self._open(rule, tag)

    def _open(self, rule: AlarmRule, tag: Tag) -> None:
        self.dialog = RuleDialog(self, self._console, make_row(rule, tag, self._console.room))
        self.dialog.open()

    def _dress(self, palette: Palette) -> None:
        self.table.apply_palette(palette)


_COLUMNS: Sequence[RowColumn[RuleRow]] = (
    RowColumn("P", lambda one: str(int(one.rule.priority)), 34),
    RowColumn("Alarm", lambda one: one.rule.kind.value, 64),
    RowColumn("Message", lambda one: one.rule.message, 200, share=4),
    RowColumn("Tag", lambda one: one.tag.key, 130, share=2),
    RowColumn("Limit", lambda one: one.tag.text(one.rule.limit), 80, key=lambda one: one.rule.limit),
    RowColumn("Unit", lambda one: one.tag.unit, 50),
    RowColumn("On-delay", lambda one: f"{one.rule.on_delay_s:g} s", 74, key=lambda one: one.rule.on_delay_s),
    RowColumn("Site", lambda one: one.tag.site, 100, share=1),
    RowColumn("Asset", lambda one: one.tag.asset, 100, share=1),
    RowColumn("Municipality", lambda one: one.municipality, 120, share=1),
)
SPEC = ViewSpec("rules", "Alarm rules", "rules", "Ctrl+Shift+R", Place.BOTTOM, RulesView)
