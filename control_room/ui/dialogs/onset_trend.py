"""The trend around the onset of an alarm, with the limits that were in force then."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from control_room.core.alarms import LIMITS, AlarmKind, AlarmRule, Happening
from control_room.core.limit_history import LimitChange, LimitStep, SeenLimit, limit_steps
from control_room.core.rationalisation import Level
from control_room.core.tags import Tag
from control_room.ui.console import Console
from control_room.ui.history_reads import HistoryReads
from db.alarm_journal import Occurrence
from db.rationalisation import RuleChange, read_rule_changes
from widgets.alarm_model import AlarmRow
from widgets.trend_marks import LimitLine, Moment
from widgets.trend_plot import TrendPlot

CHANGES_READ = 200
_MOST_PENS = 5
# a quarter of what came after is shown of what came before, within these bounds
_BEFORE_S = (300.0, 7_200.0)
_FOLLOW_MS = 10_000


@dataclass(frozen=True, slots=True)
class Onset:
    """One time that an alarm came; `limit` as the journal saw it. No `returned`: it stands."""

    came: datetime
    acknowledged: datetime | None
    returned: datetime | None
    limit: float | None = None

    def stretch_s(self, now: datetime, delay_s: float) -> tuple[float, float]:
        """Return what to show, from when to when, since 1970; it began `delay_s` before it came."""
        came_s = self.came.timestamp()
        end_s = (self.returned or now).timestamp()
        before_s = delay_s + min(max((end_s - came_s) / 4, _BEFORE_S[0]), _BEFORE_S[1])
        after_s = min(before_s, now.timestamp() - end_s) / 2 if self.returned else 0.0
        return came_s - before_s, max(end_s + after_s, came_s + 1)

    def moments(self) -> list[Moment]:
        """Return what happened, in its order."""
        told = ((self.came, "came"), (self.acknowledged, "acknowledged"), (self.returned, "returned"))
        return [Moment(time.timestamp(), words) for time, words in told if time is not None]


def present_onset(row: AlarmRow) -> Onset | None:
    """Return how the alarm stands, None when it has not come."""
    alarm = row.alarm
    if alarm.raised_time is None:
        return None
    returned = None if alarm.is_active else _after(alarm.returned_time, alarm.raised_time)
    return Onset(alarm.raised_time, _after(alarm.acknowledged_time, alarm.raised_time), returned)


def past_onset(one: Occurrence) -> Onset | None:
    """Return one time that it came, None when nobody was told of it."""
    if one.raised_time is None:
        return None
    acknowledged = (note.time for note in one.notes if note.happening is Happening.ACKNOWLEDGED)
    return Onset(one.raised_time, next(acknowledged, None), _after(one.returned_time, one.raised_time), one.limit)


def _after(time: datetime | None, came: datetime) -> datetime | None:
    return time if time is not None and time >= came else None


class OnsetTrend(QWidget):
    """Shows one onset at a time; while the alarm stands the picture goes on to the present."""

    def __init__(self, parent: QWidget, console: Console, row: AlarmRow) -> None:
        """Show nothing yet."""
        super().__init__(parent)
        self._console, self._row = console, row
        self._onset: Onset | None = None
        self._changes: dict[int, list[RuleChange]] = {}
        self._stretch_s = (0.0, 0.0)
        self._left_out = 0
        self._is_closed = False
        self.words = QLabel(self)
        self.words.setProperty("role", "label")
        self.words.setWordWrap(True)
        self.plot = TrendPlot(self, lambda: console.room.now().timestamp(), is_fixed=True)
        self.plot.setMinimumHeight(230)
        self.plot.setAccessibleName("Trend around the onset")
        self._reads = HistoryReads(self.plot, console.operations)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.words)
        column.addWidget(self.plot, 1)
        self._follow = QTimer(self, interval=_FOLLOW_MS)
        self._follow.timeout.connect(self._go_on)
        console.theme.changed.connect(self.plot.apply_palette)
        self.plot.apply_palette(console.theme.palette)
        self._add_pens()
        self._tell()

    def _add_pens(self) -> None:
        room, rule = self._console.room, self._row.rule
        wanted = dict.fromkeys((self._row.tag.id, rule.other_tag_id, *rule.inputs))
        tags = [room.tags[one] for one in wanted if one is not None and one in room.tags]
        self._left_out = len(tags[_MOST_PENS:])
        for tag in tags[:_MOST_PENS]:
            self.plot.add_pen(tag)
            if (sample := room.sample(tag.id)) is not None:
                self.plot.show_sample(sample)
        if len(tags) == 1:
            self.plot.bring_forward(self._row.tag.id)

    def pens(self) -> list[int]:
        """Return the tags that are drawn, the alarm's own first."""
        return self.plot.pens()

    def show_onset(self, onset: Onset | None) -> None:
        """Show another onset; None: there is none to show."""
        if self._onset is not None and onset == self._onset:
            return
        self._onset = onset
        self._tell()
        self.plot.setVisible(onset is not None)
        if onset is None:
            self._follow.stop()
            return
        self.plot.show_moments(onset.moments())
        self._show_limits()
        self._show_stretch(onset)
        if onset.returned is None:
            self._follow.start()
        else:
            self._follow.stop()

    def _show_stretch(self, onset: Onset) -> None:
        rule = self._row.rule
        delay_s = rule.on_delay_s + (rule.window_s if rule.kind is AlarmKind.RATE else 0.0)
        self._stretch_s = onset.stretch_s(self._console.room.now(), delay_s)
        self.plot.show_stretch(*self._stretch_s)

    def _go_on(self) -> None:
        # who moved the picture wants it to stay
        is_left_alone = all(abs(a - b) < 1 for a, b in zip(self.plot.stretch_s, self._stretch_s, strict=True))
        if self._onset is None or not is_left_alone or not self.isVisible():
            return
        row = self._console.alarms.rows.get(self._row.rule.id)
        now = present_onset(row) if row is not None else None
        if now is not None and now.came == self._onset.came:
            # acknowledged or returned meanwhile
            self.show_onset(replace(now, limit=self._onset.limit))
        if self._onset.returned is None:
            self._show_stretch(self._onset)

    def _tell(self) -> None:
        parts = []
        if self._onset is None:
            parts.append("It has not come yet, or nobody was told of it: there is no onset to show.")
        if self._left_out:
            parts.append(f"{self._left_out:,} more of its inputs are not drawn.")
        self.words.setText(" ".join(parts))
        self.words.setVisible(bool(parts))

    # --- the limits of then

    async def read_limits(self) -> None:
        """Read how the tag's limits were changed, and draw them as they were. Raises ControlRoomError."""
        found = {}
        for rule in self._limit_rules():
            job = partial(read_rule_changes, rule_id=rule.id, count=CHANGES_READ)
            found[rule.id] = await self._console.operations.read(job)
        self._changes = found
        if not self._is_closed:
            self._show_limits()

    def _limit_rules(self) -> list[AlarmRule]:
        rules = [one for one in self._console.room.rules.values() if one.tag_id == self._row.tag.id]
        # before the configuration is there, the row knows its own rule
        known = {one.id: one for one in (self._row.rule, *rules)}
        return [one for one in known.values() if one.kind in LIMITS]

    def _show_limits(self) -> None:
        lines = [self._line(one) for one in self._limit_rules() if one.id in self._changes]
        self.plot.show_limits(self._row.tag.id, lines)
        self.plot.flush()

    def _line(self, rule: AlarmRule) -> LimitLine:
        own = rule.id == self._row.rule.id
        onset = self._onset
        seen = None
        if own and onset is not None and onset.limit is not None:
            seen = SeenLimit(onset.came.timestamp(), onset.limit)
        return LimitLine(_namer(rule, self._row.tag), limits_of(rule, self._changes[rule.id], seen), is_shown=own)

    def close_reads(self) -> None:
        """Forget what is still on its way: the panel goes away."""
        self._is_closed = True
        self._reads.close()
        self._follow.stop()

    def open_in_trends(self) -> None:
        """Show the stretch that is seen in the view Trends."""
        title = f"{self._row.tag.name}, onset"
        self._console.jumps.stretch_wanted.emit(title, self.pens(), *self.plot.stretch_s)


def _namer(rule: AlarmRule, tag: Tag) -> Callable[[float], str]:
    return lambda value: f"{rule.kind} {tag.text(value)}"


def limits_of(rule: AlarmRule, changes: Sequence[RuleChange], seen: SeenLimit | None) -> list[LimitStep]:
    """Return a rule's limit over time from the notes of its changes, of which at most CHANGES_READ were read."""
    limits = [
        LimitChange(one.time, one.old["limit"], one.new["limit"])
        for one in changes
        if one.level is Level.RULE
        and one.object_id == rule.id
        and not one.is_record
        and "limit" in one.new
        and "limit" in one.old
    ]
    steps = limit_steps(rule.limit, limits, seen)
    # what was before the oldest that was read is not known
    return steps[1:] if len(changes) >= CHANGES_READ else steps
