"""Planned work: what is worked on and how long still; plan, end, another end; and the rules that are disabled."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial

from PySide6.QtCore import QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from control_room.core.access import Action
from control_room.core.alarms import HoldKind
from control_room.core.errors import ControlRoomError, Refused
from control_room.core.options import Field
from control_room.ui.alarm_deeds import REASONS
from control_room.ui.console import Console
from control_room.ui.dialogs.disabled import DisabledDialog
from control_room.ui.dialogs.form import FormDialog, Values
from control_room.ui.notice_bar import NoticeBar
from control_room.ui.operations import told
from control_room.ui.view_spec import Place, ViewSpec
from control_room.ui.work_words import (
    NOW,
    begin_of,
    left_words,
    moment,
    open_to,
    place_names,
    place_of,
    reminder,
    reminder_words,
    why_no_work,
    work_place_name,
)
from db.planned_work import PlannedWork, WorkPlace, begin_work, end_work, extend_work, read_places, read_works
from widgets.palette import Palette
from widgets.row_table import RowColumn, RowTable

MINUTES = {"30 min": 30, "1 h": 60, "2 h": 120, "4 h": 240, "8 h": 480, "12 h": 720}
# to others it is known by this at the latest
READ_MS = 5_000
GATHER_MS = 1_000
REMIND_BEFORE = timedelta(minutes=15)
_PLAN_WORDS = (
    "From its beginning to its end nobody is told of the alarms there; what is abnormal at the end is announced as new. "
    "Alarms that may not be shelved are told all the same."
)


class PlannedWorkView(QWidget):
    """A list of what goes on and what is planned, with its buttons; it reminds who planned it before the end."""

    def __init__(self, console: Console) -> None:
        """Read nothing before it is shown or time has passed."""
        super().__init__()
        self._console = console
        self._names: dict[WorkPlace, str] = {}
        self._held: Mapping[int, int] = {}
        self._reminded: set[tuple[int, object]] = set()
        self._is_reading = False
        self.works: list[PlannedWork] = []
        self.notice_bar = NoticeBar(self)
        self.table: RowTable[PlannedWork] = RowTable(
            self._columns(), lambda one: one.id, is_sortable=False, parent=self
        )
        self.count = QLabel(self)
        self.count.setProperty("role", "label")
        self.plan_button = self._button("Plan work…", self.ask_plan)
        self.extend_button = self._button("Another end…", self.ask_extend)
        self.end_button = self._button("End now…", self.ask_end)
        self.disabled_button = self._button("Disabled alarms…", self.show_disabled)
        self._lay_out()
        self._connect()
        self.table.apply_palette(console.theme.palette)
        self.table.say_when_empty("Planned work is being read")
        self._refresh()
        self._on_configuration()

    # --- what it is made of

    def _columns(self) -> Sequence[RowColumn[PlannedWork]]:
        return (
            RowColumn("Place", lambda one: work_place_name(one, self._names), 250, 3),
            RowColumn("Work order", lambda one: one.work_order, 100, 1),
            RowColumn("Reason", lambda one: one.reason, 160, 4),
            RowColumn("Planned by", lambda one: one.person, 100, 1),
            RowColumn("Begins", lambda one: moment(one.begin_time), 112),
            RowColumn("Ends", lambda one: moment(one.end_time), 112),
            RowColumn("Left", lambda one: left_words(one, self._console.room.now()), 128),
            RowColumn("Alarms held", lambda one: f"{self._held.get(one.id, 0):,}", 96),
        )

    def _button(self, title: str, act: object) -> QPushButton:
        button = QPushButton(title, self)
        button.clicked.connect(act)
        return button

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(4)
        for widget in (self.plan_button, self.extend_button, self.end_button):
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self.count)
        row.addWidget(self.disabled_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self.notice_bar)
        column.addWidget(self.table, 1)
        self.setFocusProxy(self.table)

    def _connect(self) -> None:
        console = self._console
        self._soon = QTimer(self, singleShot=True, interval=GATHER_MS)
        self._soon.timeout.connect(self.read)
        self._timer = QTimer(self, interval=READ_MS)
        self._timer.timeout.connect(self.read)
        self._timer.start()
        console.room.alarms_changed.connect(self._on_alarms)
        console.room.configuration_changed.connect(self._on_configuration)
        console.shift.changed.connect(self._refresh)
        console.jumps.work_wanted.connect(self.plan_for)
        console.theme.changed.connect(self._dress)
        self.table.chosen_changed.connect(self._refresh)

    def _dress(self, palette: Palette) -> None:
        self.table.apply_palette(palette)

    # --- what it follows

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._soon.start()

    def _on_alarms(self, _: object) -> None:
        # in a flood not for every change
        if not self._soon.isActive():
            self._soon.start()

    def read(self) -> None:
        """Ask the database what is worked on."""
        if not self._is_reading:
            self._console.operations.start(self._reading())

    async def _reading(self) -> None:
        self._is_reading = True
        try:
            works = await self._console.operations.read(partial(read_works))
            if {(one.municipality_id, one.asset_id) for one in works} - self._known():
                await self._read_places()
            self.works = works
            self.table.say_when_empty("No work is planned")
        except ControlRoomError:
            # the trouble bar says why
            self.works = []
            self.table.say_when_empty("Planned work is not known")
        finally:
            self._is_reading = False
        self._refresh()
        self._remind()

    def _known(self) -> set[tuple[int, int | None]]:
        return {(one.municipality_id, one.asset_id) for one in self._names}

    async def _read_places(self) -> None:
        self._names = place_names(self._console.room, await self._console.operations.read(partial(read_places)))

    def _refresh(self) -> None:
        # of a list that nobody looks at nothing is counted, for in a flood there are very many alarms
        if self.isVisible():
            holds = (one for alarm in self._console.room.alarms.values() if alarm.holds for one in alarm.holds)
            self._held = Counter(one.number for one in holds if one.kind is HoldKind.WORK)
        self.table.show_rows(self.works)
        self.table.viewport().update()
        going = sum(one.begun_time is not None for one in self.works)
        self.count.setText(f"{going:,} going on, {len(self.works) - going:,} planned")
        self._allow()

    def _on_configuration(self) -> None:
        disabled = sum(rule.is_disabled for rule in self._console.room.rules.values())
        self.disabled_button.setText(f"Disabled alarms {disabled:,}…")
        self._soon.start()

    def _allow(self) -> None:
        shift, work = self._console.shift, self.table.chosen()
        why = [shift.why_nowhere(right) for right in (Action.SERVICE, Action.SHELVE)]
        _set_allowed(self.plan_button, "Hold the alarms of an asset, a site or a municipality", why[0] and why[1])
        none = "" if work is not None else "Choose a work first."
        refused = none or (self._why_not(work) if work is not None else "")
        _set_allowed(self.extend_button, "Let the chosen work end earlier or later", refused)
        _set_allowed(self.end_button, "End the chosen work; what is abnormal is announced as new", refused)

    def _why_not(self, work: PlannedWork) -> str:
        place = next((one for one in self._names if one.asset_id == work.asset_id), WorkPlace(work.municipality_id))
        return why_no_work(self._console.shift, place)

    def _why_not_at(self, name: str) -> str:
        known = next((place for place, one in self._names.items() if one == name), None)
        return why_no_work(self._console.shift, known) if known else f"{name} is not known here."

    def _remind(self) -> None:
        """Tell who planned it, wherever they are signed in, once for each end."""
        person, now = self._console.shift.person, self._console.room.now()
        for work in reminder(self.works, now, REMIND_BEFORE):
            if person is not None and work.person == person.login and (work.id, work.end_time) not in self._reminded:
                self._reminded.add((work.id, work.end_time))
                self._console.jumps.notice_wanted.emit(reminder_words(work, work_place_name(work, self._names), now))

    # --- what a person does

    def ask_plan(self) -> None:
        """Ask what is worked on, from when and how long."""
        self._console.operations.start(self._planning(""))

    def plan_for(self, tag_ids: Sequence[int]) -> None:
        """Ask the same of the place where the tags are."""
        self._console.operations.start(self._planning(place_of(self._console.room, tag_ids)))

    async def _planning(self, wanted: str) -> None:
        with told(self.notice_bar, "Places cannot be read"):
            await self._read_places()
            places = open_to(self._console.shift, self._names)
            if not places:
                raise Refused(self.plan_button.toolTip())
            if wanted and wanted not in places:
                raise Refused(self._why_not_at(wanted))
            FormDialog(
                self,
                self._console.operations,
                "Plan work",
                _plan_fields(tuple(places), wanted),
                partial(self._plan, places),
                words=_PLAN_WORDS,
                button="Plan work",
            ).open()

    async def _plan(self, places: Mapping[str, WorkPlace], values: Values) -> None:
        job = partial(
            begin_work,
            place=places[values["place"]],
            begin_time=begin_of(values["begin"], self._console.room.now()),
            minutes=MINUTES[values["time"]],
            work_order=values["work_order"],
            reason=_reason(values),
        )
        await self._act(job)

    def ask_extend(self) -> None:
        """Ask for another end of the chosen work."""
        if (work := self.table.chosen()) is not None:
            fields = (Field("time", "From now", "1 h", choices=tuple(MINUTES)), *_REASON)
            words = f"{work_place_name(work, self._names)}: {work.reason}"
            send = partial(self._extend, work.id)
            FormDialog(
                self, self._console.operations, "Another end", fields, send, words=words, button="Set the end"
            ).open()

    async def _extend(self, work_id: int, values: Values) -> None:
        await self._act(partial(extend_work, work_id=work_id, minutes=MINUTES[values["time"]], reason=_reason(values)))

    def ask_end(self) -> None:
        """Ask for words and end the chosen work."""
        if (work := self.table.chosen()) is not None:
            fields = (Field("words", "In words", "", "What the next shift must know."),)
            words = f"{work_place_name(work, self._names)}: {work.reason}\n\nWhat is abnormal is announced as new."
            send = partial(self._end, work.id)
            FormDialog(self, self._console.operations, "End work", fields, send, words=words, button="End now").open()

    async def _end(self, work_id: int, values: Values) -> None:
        await self._act(partial(end_work, work_id=work_id, reason=values["words"]))

    async def _act(self, job: "partial[str]") -> None:
        try:
            self.notice_bar.say(await self._console.operations.act(job))
        finally:
            # also after a refusal: somebody else may have been first
            await self._reading()

    def show_disabled(self) -> None:
        """Show the rules that nothing judges."""
        DisabledDialog(self, self._console).show()


_REASON = (
    Field("reason", "Reason", REASONS[0], choices=REASONS),
    Field("words", "In words", "", "What the next shift must know."),
)


def _plan_fields(places: tuple[str, ...], wanted: str) -> tuple[Field, ...]:
    return (
        Field("place", "Place", wanted or places[0], choices=places),
        Field("begin", "Begins", NOW, "now, a time as 14:30, or a day and a time as 2026-03-01 14:30"),
        Field("time", "For", "2 h", choices=tuple(MINUTES)),
        Field("work_order", "Work order", "", "May be empty."),
        *_REASON,
    )


def _reason(values: Values) -> str:
    words = values["words"].strip()
    if values["reason"] == REASONS[-1] and not words:
        raise Refused("Another reason needs words.")
    return f"{values['reason']}: {words}" if words else str(values["reason"])


def _set_allowed(button: QPushButton, tip: str, why_not: str) -> None:
    button.setEnabled(not why_not)
    button.setToolTip(why_not or tip)


SPEC = ViewSpec("planned_work", "Planned work", "work", "Ctrl+9", Place.BOTTOM, PlannedWorkView)
