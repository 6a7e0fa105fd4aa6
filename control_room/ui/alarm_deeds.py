"""What a person does to alarms beside acknowledging: a note, reset, shelve, take back, take out of service, return."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from PySide6.QtWidgets import QMenu, QWidget

from control_room.core.access import Action
from control_room.core.alarms import (
    AlarmEvent,
    Disabled,
    Reset,
    ReturnedToService,
    Shelved,
    TakenOutOfService,
    Unshelved,
    is_legal,
)
from control_room.core.errors import Refused
from control_room.core.options import Field
from control_room.ui.console import Console
from control_room.ui.dialogs.form import FormDialog, Values
from control_room.ui.notice_bar import NoticeBar
from control_room.ui.operations import told
from db.alarm_journal import (
    AlarmAnswer,
    comment,
    disable,
    reset,
    return_to_service,
    shelve,
    take_out_of_service,
    unshelve,
)
from widgets.alarm_model import AlarmRow

MINUTES = {"15 min": 15, "30 min": 30, "1 h": 60, "2 h": 120, "4 h": 240, "8 h": 480}
# standards 1.6: so many at once
MOST_SHELVED = 20
REASONS = ("Maintenance", "Faulty instrument", "Known cause, dealt with", "Test", "Other")
Occurrences = list[tuple[int, int]]
Job = partial[list[AlarmAnswer]]
Tell = Callable[[Sequence[AlarmAnswer], int], None]

_WORDS = Field("words", "In words", "", "What the next shift must know.")
_SHELVING = (
    Field("time", "For", "30 min", choices=tuple(MINUTES)),
    Field("is_one_shot", "At most until it returns to normal", False),
    Field("reason", "Reason", REASONS[0], choices=REASONS),
    _WORDS,
)
_SERVICE = (
    Field("work_order", "Work order", "", "May be empty."),
    Field("reason", "Reason", REASONS[0], choices=REASONS),
    _WORDS,
)


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that can be done to alarms; with `fields` a dialog asks first."""

    title: str
    right: Action
    is_possible: Callable[[AlarmRow], bool]
    job: Callable[[Values, str], Job]
    fields: tuple[Field, ...] = ()
    words: str = ""


def _comment(values: Values) -> str:
    return f"{values['reason']}: {values['words']}" if values["words"].strip() else str(values["reason"])


def _takes(event: AlarmEvent, row: AlarmRow) -> bool:
    return is_legal(row.alarm, event, row.rule)


# whether the machine takes an event is asked of one by nobody at no time: the database says the rest
_AT, _SOMEBODY = datetime.min.replace(tzinfo=UTC), "-"
DEEDS = (
    Deed(
        "Write a note…",
        Action.COMMENT,
        lambda row: row.alarm.event_id > 0,
        lambda values, _: partial(comment, comment=values["words"]),
        (replace(_WORDS, title="Note", is_required=True),),
        "It stands in the alarm's journal, and whoever asks why the alarm came reads it.",
    ),
    Deed(
        "Reset",
        Action.ACKNOWLEDGE,
        partial(_takes, Reset(_AT, _SOMEBODY)),
        lambda _, comment: partial(reset, comment=comment),
    ),
    Deed(
        "Shelve…",
        Action.SHELVE,
        partial(_takes, Shelved(_AT, _AT + timedelta.resolution, _SOMEBODY, _SOMEBODY)),
        lambda values, _: partial(
            shelve, comment=_comment(values), minutes=MINUTES[values["time"]], is_one_shot=values["is_one_shot"]
        ),
        _SHELVING,
        "Nobody is told of it until the time has run out; what is abnormal then is announced as new.",
    ),
    Deed(
        "Take back from the shelf",
        Action.SHELVE,
        partial(_takes, Unshelved(_AT, _SOMEBODY)),
        lambda _, comment: partial(unshelve, comment=comment),
    ),
    Deed(
        "Take out of service…",
        Action.SERVICE,
        partial(_takes, TakenOutOfService(_AT, _SOMEBODY, _SOMEBODY)),
        lambda values, _: partial(take_out_of_service, comment=_comment(values), work_order=values["work_order"]),
        _SERVICE,
        "Nobody is told of it until somebody returns it to service.",
    ),
    Deed(
        "Return to service",
        Action.SERVICE,
        partial(_takes, ReturnedToService(_AT, _SOMEBODY)),
        lambda _, comment: partial(return_to_service, comment=comment),
    ),
    Deed(
        "Disable…",
        Action.CONFIGURE,
        partial(_takes, Disabled(_AT, _SOMEBODY, _SOMEBODY)),
        lambda values, _: partial(disable, comment=_comment(values)),
        (Field("reason", "Reason", REASONS[0], choices=REASONS), _WORDS),
        "A change of the configuration: nothing judges it until somebody enables it again (Planned work, Disabled alarms).",
    ),
)


class AlarmDeeds:
    """Fills a menu with what may be done to the selected alarms, and does it."""

    def __init__(
        self, parent: QWidget, console: Console, notice_bar: NoticeBar, comment: Callable[[], str], tell: Tell
    ) -> None:
        """Take where refusals are said: `tell(refused answers, how many were asked for)`."""
        self._parent, self._console, self._bar, self._comment, self._tell = parent, console, notice_bar, comment, tell

    def fill(self, menu: QMenu, rows: Sequence[AlarmRow]) -> None:
        """Add what is possible with the rows; what the person may not do is disabled and says why."""
        menu.setToolTipsVisible(True)
        for deed in DEEDS:
            meant = [row for row in rows if deed.is_possible(row)]
            if not meant:
                continue
            action = menu.addAction(deed.title, partial(self.begin, deed, meant))
            why_not = self._why_not(deed, meant)
            action.setEnabled(not why_not)
            action.setToolTip(why_not)
        if len(rows) == 1:
            self._add_rule(menu, rows[0])

    def _add_rule(self, menu: QMenu, row: AlarmRow) -> None:
        action = menu.addAction("Change the rule…", partial(self._console.jumps.rule_wanted.emit, row.rule.id))
        why_not = self._console.shift.why_not(Action.CONFIGURE, row.tag.municipality_id)
        action.setEnabled(not why_not)
        action.setToolTip(why_not)

    def _why_not(self, deed: Deed, rows: Sequence[AlarmRow]) -> str:
        if deed.right is Action.SHELVE and len(rows) > MOST_SHELVED:
            return f"At most {MOST_SHELVED} alarms are shelved at once."
        return self._console.shift.why_in_none(deed.right, (row.tag.municipality_id for row in rows))

    def begin(self, deed: Deed, rows: Sequence[AlarmRow]) -> None:
        """Do it, or ask first what must be said."""
        occurrences = [(row.rule.id, row.alarm.event_id) for row in rows]
        if not deed.fields:
            self._console.operations.start(self._doing(deed, occurrences))
            return
        what = rows[0].message if len(rows) == 1 else f"{len(rows)} alarms"
        title = deed.title.rstrip("…")
        words = f"{what}\n\n{deed.words}"
        send = self._sender(deed, occurrences)
        FormDialog(self._parent, self._console.operations, title, deed.fields, send, words=words, button=title).open()

    def _sender(self, deed: Deed, occurrences: Occurrences) -> Callable[[Values], Coroutine[Any, Any, object]]:
        async def send(values: Values) -> None:
            if values.get("reason") == REASONS[-1] and not values["words"].strip():
                raise Refused("Another reason needs words.")
            answers = await self._act(deed.job(values, ""), occurrences)
            refused = [answer for answer in answers if not answer.is_done]
            if len(refused) == len(answers):
                raise Refused(refused[0].words)
            self._tell(refused, len(answers))

        return send

    async def _doing(self, deed: Deed, occurrences: Occurrences) -> None:
        with told(self._bar, "Nothing was done"):
            answers = await self._act(deed.job({}, self._comment()), occurrences)
            self._tell([answer for answer in answers if not answer.is_done], len(answers))

    async def _act(self, job: Job, occurrences: Occurrences) -> list[AlarmAnswer]:
        return await self._console.operations.act(partial(job.func, occurrences=occurrences, **job.keywords))
