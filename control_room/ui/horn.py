"""The horn of the seat: sounds by priority until everything is acknowledged or a person silences it."""

from collections.abc import Iterable
from datetime import datetime

from PySide6.QtCore import QObject, QSettings, QTimer, Signal

from control_room.core.alarms import AlarmState, Priority
from control_room.core.horn import REPEAT_S, Heard, Horn
from control_room.core.system_tags import ABSENT_AFTER_S
from control_room.ui.alarm_feed import AlarmFeed
from control_room.ui.room import Trouble
from control_room.ui.speaker import QtSpeaker, Speaker
from widgets.alarm_model import AlarmRow
from widgets.status_lights import Light

# nobody can turn a priority down so far that it goes unheard without being off
LEAST_PERCENT = 20
FIRST_PERCENT = 80
_IS_ON = "horn/is_on"
# rules are numbered from 1
_NO_ALARM = 0


class SeatHorn(QObject):
    """Follows the alarm feed; hearing does not depend on any window being visible. Signal changed()."""

    changed = Signal()

    def __init__(self, alarms: AlarmFeed, settings: QSettings, speaker: Speaker, parent: QObject | None = None) -> None:
        """Sound for what is unacknowledged already as well."""
        super().__init__(parent)
        self._horn = Horn()
        self._settings = settings
        self._speaker = speaker
        self._playing: Priority | None = None
        self._repeat = QTimer(self, singleShot=True)
        self._repeat.timeout.connect(self._play)
        if isinstance(speaker, QtSpeaker):
            speaker.changed.connect(self.changed)
        alarms.changed.connect(self._hear)
        self._hear(alarms.rows.values(), ())

    @property
    def sounding(self) -> Priority | None:
        """Return which priority is to be heard, whether it is on or not; None when there is no reason."""
        return self._horn.sounding

    @property
    def is_on(self) -> bool:
        """Return whether a person wants to hear anything."""
        return bool(self._settings.value(_IS_ON, True, bool))

    def set_on(self, is_on: bool) -> None:
        """Turn the horn on or off at this seat, for good."""
        self._settings.setValue(_IS_ON, is_on)
        self._follow()
        self.changed.emit()

    def percent(self, priority: Priority) -> int:
        """Return a priority's volume, LEAST_PERCENT to 100."""
        found = self._settings.value(_volume_key(priority), FIRST_PERCENT, int)
        return min(100, max(LEAST_PERCENT, int(str(found))))

    def set_percent(self, priority: Priority, percent: int) -> None:
        """Remember a priority's volume."""
        self._settings.setValue(_volume_key(priority), percent)

    def watch(self, trouble: Trouble | None, now: datetime) -> None:
        """Sound while nothing on screen is live: an alarm that comes meanwhile is told by nobody."""
        if trouble is not None and (now - trouble.since).total_seconds() >= ABSENT_AFTER_S:
            lost = Heard(_NO_ALARM, int(trouble.since.timestamp()), Priority.HIGH, AlarmState.UNACKNOWLEDGED)
            self._take([lost], ())
        else:
            self._take((), [_NO_ALARM])

    def silence(self) -> int:
        """Be quiet until something new is raised; return how many alarms that concerns."""
        count = self._horn.silence()
        self._follow()
        self.changed.emit()
        return count

    def test(self, priority: Priority) -> str:
        """Play a priority's sound once, off or not; return why it cannot be heard, empty when it can."""
        self._speaker.play(priority, self.percent(priority) / 100)
        return self._speaker.problem

    def state(self) -> tuple[Light, str, str]:
        """Return lamp, detail and explanation for the status strip."""
        if not self.is_on:
            return Light.TROUBLE, "off", "The horn is off at this seat. Click to turn it on."
        if self._speaker.problem:
            return Light.TROUBLE, "no sound", f"Alarms make no sound at this seat. {self._speaker.problem}"
        if self.sounding is not None:
            return Light.OK, f"sounds, priority {self.sounding:d}", "F8 silences it; alarms stay to be acknowledged."
        if self._horn.silenced:
            words = "They still wait to be acknowledged; the next alarm sounds again."
            return Light.WAITING, f"{self._horn.silenced:,} silenced", words
        return Light.OK, "on", "Sounds when an alarm is raised. Click for volume and test."

    def _hear(self, changed: Iterable[AlarmRow], gone: Iterable[int]) -> None:
        self._take(
            [Heard(row.rule.id, row.alarm.event_id, row.rule.priority, row.alarm.state) for row in changed], gone
        )

    def _take(self, changed: Iterable[Heard], gone: Iterable[int]) -> None:
        before = self.state()
        self._horn.hear(changed, gone)
        self._follow()
        if self.state() != before:
            self.changed.emit()

    def _follow(self) -> None:
        """Sound at once where there is a reason that is new or more urgent; a flood starts nothing that plays already."""
        wanted = self.sounding if self.is_on else None
        if wanted is None:
            self._playing = None
            self._repeat.stop()
        elif self._playing is None or wanted < self._playing:
            self._play()

    def _play(self) -> None:
        self._playing = self.sounding
        if self._playing is not None:
            self._speaker.play(self._playing, self.percent(self._playing) / 100)
            self._repeat.start(round(REPEAT_S[self._playing] * 1000))


def _volume_key(priority: Priority) -> str:
    return f"horn/volume_{priority:d}"
