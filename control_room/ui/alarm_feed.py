"""The alarm feed: alarms with all that is said of them, in gathered changes, for banner, board, tree and map."""

from collections.abc import Iterable, Mapping
from itertools import islice

from PySide6.QtCore import QObject, QTimer, Signal

from control_room.core.alarms import Alarm, AlarmKind, AlarmRule, AlarmState, Priority
from control_room.core.tags import Quantity, Tag
from control_room.ui.room import Room
from control_room.ui.words import municipality_name
from widgets.alarm_model import AlarmRow

GATHER_MS = 250
# so many at once do not hold up a frame; the others follow in the next turns
_AT_ONCE = 120
_LOUD = (AlarmState.UNACKNOWLEDGED, AlarmState.LATCHED_UNACKNOWLEDGED)
Marks = dict[int, tuple[Priority, AlarmState]]


class AlarmFeed(QObject):
    """The room's alarms as rows, by rule id. Signal changed(rows that are new or other, rule ids that are gone)."""

    changed = Signal(list, list)

    def __init__(self, room: Room, parent: QObject | None = None) -> None:
        """Follow the room."""
        super().__init__(parent)
        self._room = room
        self.rows: dict[int, AlarmRow] = {}
        # of each tag with alarms: priority and state of the one that presses most
        self.marks: Marks = {}
        # the tags whose marks the last change may have changed
        self.touched: set[int] = set()
        self._by_tag: dict[int, dict[int, AlarmRow]] = {}
        self._waiting: set[int] = set()
        self._nuisances: Mapping[int, str] = {}
        self._gathering = QTimer(self, singleShot=True, interval=GATHER_MS)
        self._gathering.timeout.connect(self._tell_some)
        room.alarms_changed.connect(self._gather)
        room.configuration_changed.connect(self._configured)

    def name_nuisances(self, found: Mapping[int, str]) -> None:
        """Say of each rule by which word its alarm is a nuisance, and of all others that they are none."""
        before, self._nuisances = self._nuisances, dict(found)
        other = (rule_id for rule_id in before.keys() | found.keys() if before.get(rule_id) != found.get(rule_id))
        self._waiting.update(rule_id for rule_id in other if rule_id in self.rows)
        self.flush()

    def flush(self) -> None:
        """Tell now what was gathered, all of it."""
        self._gathering.stop()
        waiting, self._waiting = self._waiting, set()
        self._tell(waiting)

    def _tell_some(self) -> None:
        some = set(islice(self._waiting, _AT_ONCE))
        self._waiting -= some
        self._tell(some)
        if self._waiting:
            self._gathering.start(0)

    def _tell(self, waiting: set[int]) -> None:
        if not waiting or not self._room.is_configured:
            return
        before = [self.rows.pop(rule_id) for rule_id in waiting if rule_id in self.rows]
        changed = [self._row(self._room.alarms[rule_id]) for rule_id in waiting if rule_id in self._room.alarms]
        self.rows.update((row.rule.id, row) for row in changed)
        self._mark(before, changed)
        self.changed.emit(changed, [row.rule.id for row in before if row.rule.id not in self.rows])

    def _mark(self, before: Iterable[AlarmRow], after: Iterable[AlarmRow]) -> None:
        touched = self.touched = set()
        for row in before:
            self._by_tag.get(row.tag.id, {}).pop(row.rule.id, None)
            touched.add(row.tag.id)
        for row in after:
            if row.alarm.is_suppressed:
                continue
            self._by_tag.setdefault(row.tag.id, {})[row.rule.id] = row
            touched.add(row.tag.id)
        for tag_id in touched:
            if rows := self._by_tag.get(tag_id, {}).values():
                pressing = min(rows, key=_pressing)
                self.marks[tag_id] = (pressing.rule.priority, pressing.alarm.state)
            else:
                self._by_tag.pop(tag_id, None)
                self.marks.pop(tag_id, None)

    def _gather(self, alarms: Iterable[Alarm]) -> None:
        self._waiting.update(alarm.rule_id for alarm in alarms)
        if not self._gathering.isActive():
            self._gathering.start(GATHER_MS)

    def _configured(self) -> None:
        self._waiting.update(self.rows, self._room.alarms)
        self.flush()

    def _row(self, alarm: Alarm) -> AlarmRow:
        room = self._room
        rule = room.rules.get(alarm.rule_id) or _unknown_rule(alarm.rule_id)
        tag = room.tags.get(rule.tag_id) or _unknown_tag(rule.tag_id)
        municipality = municipality_name(room, tag.municipality_id)
        return AlarmRow(alarm, rule, tag, municipality, self._nuisances.get(rule.id, ""))


def _pressing(row: AlarmRow) -> tuple[bool, Priority]:
    """Return what orders a tag's alarms: what was raised and not acknowledged first, then by priority."""
    return (row.alarm.state not in _LOUD, row.rule.priority)


def _unknown_rule(rule_id: int) -> AlarmRule:
    # an alarm is never hidden, also not one whose rule this seat cannot read
    words = f"Alarm number {rule_id}, which this seat does not know"
    return AlarmRule(rule_id, 0, AlarmKind.BAD, Priority.HIGH, message=words)


def _unknown_tag(tag_id: int) -> Tag:
    return Tag(tag_id, 0, "?", "?", "?", "unknown tag", Quantity.OTHER, 0, "")
