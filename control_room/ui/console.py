"""The console: what every view of the seat is given."""

from dataclasses import dataclass

from PySide6.QtCore import QObject, QSettings, QTimer, Signal

from control_room.ui.alarm_feed import AlarmFeed
from control_room.ui.live_tags import LiveTags
from control_room.ui.operations import Operations
from control_room.ui.room import Room
from control_room.ui.shift import Shift
from control_room.ui.theme import Theme

HALF_BLINK_MS = 500


class Jumps(QObject):
    """The ways from one view to another; the main window brings the view to the front.

    trend_wanted(tag ids), map_wanted(tag id), alarms_wanted(tag ids, what they are called),
    tree_wanted(tag id), alarm_wanted(rule id) and tag_shown(tag id), which follows a person's choice without bringing
    anything to the front. notice_wanted(words): what the person must read whatever is in front.
    work_wanted(tag ids): work is to be planned where they are.
    stretch_wanted(title, tag ids, start, end): their trend of the past, times in seconds since 1970.
    rule_wanted(rule id): the dialog of an alarm rule.
    """

    trend_wanted = Signal(list)
    map_wanted = Signal(int)
    alarms_wanted = Signal(list, str)
    tree_wanted = Signal(int)
    alarm_wanted = Signal(int)
    tag_shown = Signal(int)
    notice_wanted = Signal(str)
    work_wanted = Signal(list)
    stretch_wanted = Signal(str, list, float, float)
    rule_wanted = Signal(int)


class Blink(QObject):
    """The one rhythm of everything that flashes: 1 Hz, half of it lit. Signal changed(is_lit)."""

    changed = Signal(bool)

    def __init__(self, parent: QObject | None = None) -> None:
        """Start still and lit."""
        super().__init__(parent)
        self.is_lit = True
        self._timer = QTimer(self, interval=HALF_BLINK_MS)
        self._timer.timeout.connect(self._turn)

    def start(self) -> None:
        """Begin to flash."""
        self._timer.start()

    def stop(self) -> None:
        """Stop, lit."""
        self._timer.stop()
        self.is_lit = True

    def _turn(self) -> None:
        self.is_lit = not self.is_lit
        self.changed.emit(self.is_lit)


@dataclass(frozen=True, slots=True)
class Console:
    """Room, alarms, bridge, database, shift, settings, ways, rhythm and looks."""

    room: Room
    alarms: AlarmFeed
    live_tags: LiveTags
    operations: Operations
    shift: Shift
    settings: QSettings
    jumps: Jumps
    blink: Blink
    theme: Theme

    def open_trend(self, rule_id: int) -> None:
        """Lead to the trend of a rule's tag, where the rule is still configured."""
        rule = self.room.rules.get(rule_id)
        if rule is not None:
            self.jumps.trend_wanted.emit([rule.tag_id])
