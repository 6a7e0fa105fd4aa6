"""One alarm rule: its settings, its rationalisation record with what it inherits, and who changed what."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from control_room.core.access import Action
from control_room.core.alarms import AlarmRule
from control_room.core.errors import ControlRoomError
from control_room.core.rationalisation import NAMES, Level, Place, Record, RecordBook, doubts, inherited
from control_room.core.rule_check import tag_faults
from control_room.core.rule_sheet import about, as_plant_tag, names_of, settings_of, value_text, with_settings
from control_room.ui.console import Console
from control_room.ui.dialogs.rule_page import FieldPage
from control_room.ui.notice_bar import NoticeBar
from control_room.ui.operations import told
from control_room.ui.rule_words import RuleRow, change_words, difference_words, place_words
from control_room.ui.words import local
from db.rationalisation import Change, RuleChange, change_rules, read_records, read_rule_changes, undoing
from widgets.row_table import RowColumn, RowTable

CHANGES = 200
_SIZE_PX = (760, 640)
_NO_REASON = "Write a reason first."
_NOTHING = "Nothing is changed yet."


class RuleDialog(QDialog):
    """Shows a rule to everybody, and lets an engineer change it."""

    def __init__(self, parent: QWidget, console: Console, row: RuleRow) -> None:
        """Show what the room knows, and ask for record and changes."""
        super().__init__(parent)
        self._console, self._row, self._rule = console, row, row.rule
        self._book, self._is_read, self._is_sending = RecordBook(), False, False
        self._chain: list[Place] = []
        self.setWindowTitle(f"Alarm rule: {row.tag.key} {row.rule.kind}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(*_SIZE_PX)
        self._names = names_of(self._rule.kind)
        self.settings_page = FieldPage(self._names, self)
        self.settings_page.offer("first_out_group", self._groups())
        self.settings_page.know_tags(self._others())
        self.record_page = FieldPage(list(NAMES), self)
        self.place_box = QComboBox(self)
        self.table: RowTable[RuleChange] = RowTable(
            self._columns(), lambda one: one.id, tip=self._change_tip, is_sortable=False, parent=self
        )
        self._make_controls()
        self._lay_out()
        self._connect()
        self.settings_page.fill(self._settings())
        self._look()
        console.operations.start(self._read())

    # --- what it is made of

    def _columns(self) -> tuple[RowColumn[RuleChange], ...]:
        return (
            RowColumn("Time", lambda one: local(one.time), 178),
            RowColumn("Person", lambda one: one.person, 80),
            RowColumn("Of", lambda one: place_words((one.level, one.object_id), self._row, self._book), 110),
            RowColumn("Changed", lambda one: change_words(one, self._console.room.tags), 170, share=2),
            RowColumn("Reason", lambda one: one.reason, 100, share=1),
        )

    def _make_controls(self) -> None:
        tag = self._row.tag
        unit = f", in {tag.unit}" if tag.unit else ""
        place = f"{self._row.municipality} › {tag.site} › {tag.asset} › {tag.name}"
        self.head = _label(self, f"{self._rule.message}\n{place} ({tag.key}), {self._rule.kind}{unit}")
        self.doubt = _label(self)
        self.notice_bar = NoticeBar(self)
        self.reason = QLineEdit(self, maxLength=500, placeholderText="Why, and who agreed (management of change)")
        self.reason.setAccessibleName("Reason")
        self.save_button = QPushButton("Save", self)
        self.undo_button = QPushButton("Undo the chosen change", self)
        self.table.apply_palette(self._console.theme.palette)
        self.table.say_when_empty("The changes are being read")
        self.place_box.setAccessibleName("The record of")

    def _lay_out(self) -> None:
        record = QWidget(self)
        column = QVBoxLayout(record)
        above = QFormLayout()
        above.addRow("The record of:", self.place_box)
        column.addLayout(above)
        column.addWidget(self.record_page, 1)
        self.tabs = QTabWidget(self)
        self.tabs.addTab(self.settings_page, "Settings")
        self.tabs.addTab(record, "Record")
        self.tabs.addTab(self.table, "Changes")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        buttons.addButton(self.undo_button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.addButton(self.save_button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        self.save_button.setDefault(True)
        below = QFormLayout()
        below.addRow("Reason:", self.reason)
        whole = QVBoxLayout(self)
        whole.addWidget(self.head)
        whole.addWidget(self.tabs, 1)
        whole.addWidget(self.doubt)
        whole.addLayout(below)
        whole.addWidget(self.notice_bar)
        whole.addWidget(buttons)

    def _connect(self) -> None:
        for page in (self.settings_page, self.record_page):
            page.edited.connect(self._look)
        self.reason.textChanged.connect(self._look)
        self.table.chosen_changed.connect(self._look)
        self.place_box.currentIndexChanged.connect(self._show_record)
        self.notice_bar.confirmed.connect(self.read_again)
        self.save_button.clicked.connect(self.save)
        self.undo_button.clicked.connect(self.undo)
        self._console.room.configuration_changed.connect(self._on_configuration)
        self._console.shift.changed.connect(self._look)

    # --- what it shows

    def _settings(self) -> dict[str, Any]:
        return {name: value for name, value in settings_of(self._rule).items() if name in self._names}

    def _others(self) -> dict[str, int]:
        own = self._row.tag
        tags = self._console.room.tags.values()
        return {one.key: one.id for one in tags if one.municipality_id == own.municipality_id and one.id != own.id}

    def _change_tip(self, change: RuleChange) -> str:
        lines = [f"{local(change.time)} {change.person} at {change.station or '–'}", change.reason]
        return "\n".join([*lines, *difference_words(change.old, change.new, self._console.room.tags)])[:1500]

    def _groups(self) -> list[str]:
        room, place = self._console.room, self._row.tag.municipality_id
        tags = {one.id for one in room.tags.values() if one.municipality_id == place}
        return sorted({one.first_out_group for one in room.rules.values() if one.tag_id in tags} - {""})

    def _group_words(self, name: str, settings: Mapping[str, Any]) -> str:
        group = settings.get("first_out_group", "")
        if name == "first_out_group" and group and group not in self._groups():
            return "No other alarm is in a group of this name yet: alone it is always the first."
        return ""

    def _place(self) -> Place:
        place: Place = self.place_box.currentData() or (Level.RULE, self._rule.id)
        return place

    def _own(self) -> Record:
        return self._book.records.get(self._place(), Record())

    async def _read(self) -> None:
        try:
            self._book = await self._console.operations.read(partial(read_records))
            job = partial(read_rule_changes, rule_id=self._rule.id, count=CHANGES)
            changes = await self._console.operations.read(job)
        except ControlRoomError as fault:
            self.table.say_when_empty("The changes are not known")
            self.notice_bar.show_fault("Record and changes were not read", fault)
            return
        self._is_read = True
        self._show_places()
        self.table.say_when_empty("Nothing was changed since the plant was imported")
        self.table.show_rows(changes)
        self._look()

    def _show_places(self) -> None:
        chosen, tag = self._place(), self._row.tag
        self._chain = list(self._book.chain(tag.municipality_id, tag.id, self._rule.id))
        self.place_box.blockSignals(True)
        self.place_box.clear()
        for place in self._chain:
            self.place_box.addItem(place_words(place, self._row, self._book), place)
        self.place_box.setCurrentIndex(self._chain.index(chosen) if chosen in self._chain else 0)
        self.place_box.blockSignals(False)
        self._show_record()

    def _show_record(self) -> None:
        self.record_page.fill(asdict(self._own()))
        self._look()

    def _above_words(self, name: str, value: Any) -> str:
        above = inherited(self._book.records, self._chain[max(0, self.place_box.currentIndex()) + 1 :])
        source = above.sources.get(name)
        if source is None:
            return ""
        holds = " ".join(value_text(getattr(above.record, name)).split())[:60]
        deed = "Holds" if value is None else "Instead of"
        return f"{deed}: {holds}, from {place_words(source, self._row, self._book)}"

    def _look(self) -> None:
        """Say what is wrong with what is typed, and what may be done."""
        settings, faults = self.settings_page.values()
        record, record_faults = self.record_page.values()
        faults |= self._rule_faults(settings) if not faults else {}
        why = self._console.shift.why_not(Action.CONFIGURE, self._row.tag.municipality_id)
        for name in self._names:
            self.settings_page.say(name, faults.get(name, "") or self._group_words(name, settings))
        for name in NAMES:
            self.record_page.say(name, record_faults.get(name) or self._above_words(name, record.get(name)))
        self.doubt.setText("\n".join(self._doubts(settings, record)))
        self.doubt.setVisible(bool(self.doubt.text()))
        for page in (self.settings_page, self.record_page):
            page.lock(why)
        self.reason.setReadOnly(bool(why))
        blank = "" if self.reason.text().strip() else _NO_REASON
        fault = next(iter((faults | record_faults).values()), "")
        nothing = "" if self._has_changed(settings, record) else _NOTHING
        self._allow(self.save_button, why or fault or nothing or blank)
        self._allow(self.undo_button, why or self._why_not_undone() or blank)

    def _why_not_undone(self) -> str:
        if (chosen := self.table.chosen()) is None:
            return "Choose a change first."
        wanted = undoing(chosen)
        return "" if wanted.settings or wanted.record else "This is taken back where it was done, on the board."

    def _allow(self, button: QPushButton, why: str) -> None:
        button.setEnabled(not why and not self._is_sending)
        button.setToolTip(why)

    def _rule_faults(self, settings: Mapping[str, Any]) -> dict[str, str]:
        room, tag = self._console.room, self._row.tag
        edited = with_settings(self._rule, settings)
        rules = [edited if one.id == edited.id else one for one in room.rules.values() if one.tag_id == tag.id]
        units = {one.key: one.unit for one in room.tags.values() if one.municipality_id == tag.municipality_id}
        found: dict[str, str] = {}
        for words in tag_faults(as_plant_tag(tag, rules or [edited], room.tags), units):
            found.setdefault(about(words), f"{words[0].upper()}{words[1:]}.")
        return found

    def _doubts(self, settings: Mapping[str, Any], record: Mapping[str, Any]) -> list[str]:
        if not self._is_read or len(settings) < len(self._names) or len(record) < len(NAMES):
            return []
        records = {**self._book.records, self._place(): Record(**record)}
        held = inherited(records, self._chain).record
        return doubts(held, settings["priority"], settings["on_delay_s"])

    def _pairs(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        return {name: (before[name], after[name]) for name in before}

    def _has_changed(self, settings: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
        own = asdict(self._own())
        return any(settings.get(name, value) != value for name, value in self._settings().items()) or (
            self._is_read and any(record.get(name, value) != value for name, value in own.items())
        )

    # --- what a person does

    def save(self) -> None:
        """Send what was changed; what somebody else changed meanwhile is refused by the database."""
        settings, record = self.settings_page.values()[0], self.record_page.values()[0]
        before, own = self._settings(), asdict(self._own())
        places: dict[Place, list[dict[str, tuple[Any, Any]]]] = {}
        if settings != before:
            places[Level.RULE, self._rule.id] = [self._pairs(before, settings), {}]
        if self._is_read and record != own:
            places.setdefault(self._place(), [{}, {}])[1] = self._pairs(own, record)
        self._send([Change(*place, *pairs) for place, pairs in places.items()], with_settings(self._rule, settings))

    def undo(self) -> None:
        """Take the chosen change back, as a new change with a reason of its own."""
        if (chosen := self.table.chosen()) is not None:
            wanted = undoing(chosen)
            is_own = chosen.level is Level.RULE and not chosen.is_record
            now = settings_of(self._rule)
            after = {
                name: pair[1] if name == "other_tag_id" else type(now[name])(pair[1])
                for name, pair in wanted.settings.items()
            }
            self._send([wanted], with_settings(self._rule, after) if is_own else self._rule)

    def _send(self, changes: list[Change], rule: AlarmRule) -> None:
        if not self._is_sending:
            self._is_sending = True
            self._console.operations.start(self._sending(changes, rule))

    async def _sending(self, changes: list[Change], rule: AlarmRule) -> None:
        is_done = False
        try:
            with told(self.notice_bar, "Not changed", self.save_button, self.undo_button):
                job = partial(change_rules, changes=changes, reason=self.reason.text().strip())
                await self._console.operations.act(job)
                is_done = True
        finally:
            self._is_sending = False
            if is_done:
                self._rule = rule
                self.settings_page.fill(self._settings())
                self.reason.clear()
                self.notice_bar.say("Changed. The collector judges by it from now on.")
                await self._read()
            self._look()

    def read_again(self) -> None:
        """Show the rule as it is now; what was typed is gone."""
        self._rule = self._console.room.rules.get(self._rule.id, self._rule)
        self.settings_page.fill(self._settings())
        self._console.operations.start(self._read())
        self._look()

    def _on_configuration(self) -> None:
        now = self._console.room.rules.get(self._rule.id)
        if now is None:
            self.notice_bar.say("This rule was removed from the plant meanwhile.")
        elif settings_of(now) != settings_of(self._rule) and not self._is_sending:
            words = "; ".join(difference_words(*_differing(self._rule, now), self._console.room.tags))
            self.notice_bar.ask(
                f"Somebody else changed this rule meanwhile: {words}. What you typed is still here.", "Show it"
            )


def _differing(old: AlarmRule, new: AlarmRule) -> tuple[dict[str, Any], dict[str, Any]]:
    before, after = settings_of(old), settings_of(new)
    names = [name for name in before if before[name] != after[name]]
    return {name: before[name] for name in names}, {name: after[name] for name in names}


def _label(parent: QWidget, words: str = "") -> QLabel:
    label = QLabel(words, parent)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
