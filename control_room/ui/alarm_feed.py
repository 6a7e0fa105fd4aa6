"""The alarm feed: alarms with all that is said of them, in gathered changes, for banner, board, tree and map."""

from collections.abc import Iterable

from PySide6.QtCore import QObject, QTimer, Signal

from control_room.core.alarms import Alarm, AlarmKind, AlarmRule, AlarmState, Priority
from control_room.core.tags import Quantity, Tag
from control_room.ui.room import Room
from control_room.ui.words import municipality_name
from widgets.alarm_table import AlarmRow

GATHER_MS = 250


class AlarmFeed(QObject):
    """The room's alarms as rows, by rule id. Signal changed(rows that are new or other, rule ids that are gone)."""

    changed = Signal(list, list)

    def __init__(self, room: Room, parent: QObject | None = None) -> None:
        """Follow the room."""
        super().__init__(parent)
        self._room = room
        self.rows: dict[int, AlarmRow] = {}
        self._waiting: set[int] = set()
        self._gathering = QTimer(self, singleShot=True, interval=GATHER_MS)
        self._gathering.timeout.connect(self.flush)
        room.alarms_changed.connect(self._gather)
        room.configuration_changed.connect(self._configured)

    def flush(self) -> None:
        """Tell now what was gathered."""
        self._gathering.stop()
        waiting, self._waiting = self._waiting, set()
        if not waiting or not self._room.is_configured:
            return
        present = [self._room.alarms[rule_id] for rule_id in waiting if rule_id in self._room.alarms]
        gone = [rule_id for rule_id in waiting if rule_id not in self._room.alarms and rule_id in self.rows]
        for rule_id in gone:
            del self.rows[rule_id]
        changed = [self._row(alarm) for alarm in present]
        self.rows.update((row.rule.id, row) for row in changed)
        self.changed.emit(changed, gone)

    def marks(self) -> dict[int, tuple[Priority, AlarmState]]:
        """Return the most urgent alarm of each tag that has one."""
        worst: dict[int, AlarmRow] = {}
        for row in self.rows.values():
            known = worst.get(row.tag.id)
            if known is None or _urgency(row) < _urgency(known):
                worst[row.tag.id] = row
        return {tag_id: (row.rule.priority, row.alarm.state) for tag_id, row in worst.items()}

    def _gather(self, alarms: Iterable[Alarm]) -> None:
        self._waiting.update(alarm.rule_id for alarm in alarms)
        if not self._gathering.isActive():
            self._gathering.start()

    def _configured(self) -> None:
        self._waiting.update(self.rows, self._room.alarms)
        self.flush()

    def _row(self, alarm: Alarm) -> AlarmRow:
        room = self._room
        rule = room.rules.get(alarm.rule_id) or _unknown_rule(alarm.rule_id)
        tag = room.tags.get(rule.tag_id) or _unknown_tag(rule.tag_id)
        return AlarmRow(alarm, rule, tag, municipality_name(room, tag.municipality_id))


def _urgency(row: AlarmRow) -> tuple[bool, int]:
    # what nobody has seen comes before what is more important and known
    return row.alarm.is_acknowledged, int(row.rule.priority)


def _unknown_rule(rule_id: int) -> AlarmRule:
    # an alarm is never hidden, also not one whose rule this seat cannot read
    words = f"Alarm number {rule_id}, which this seat does not know"
    return AlarmRule(rule_id, 0, AlarmKind.BAD, Priority.HIGH, message=words)


def _unknown_tag(tag_id: int) -> Tag:
    return Tag(tag_id, 0, "?", "?", "?", "unknown tag", Quantity.OTHER, 0, "")
