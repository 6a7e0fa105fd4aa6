"""The room: everything that the seat knows of the plant, on the GUI thread, with few signals that tell what changed.

A value that is no longer fed may not look alive. When the database or the collector is lost, the room hands out every
trusted sample as stale since the loss, until it hears of both again.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from PySide6.QtCore import QObject, Signal

from control_room.core.alarms import Alarm, AlarmRule, AlarmState
from control_room.core.network import Network
from control_room.core.ports import Configuration
from control_room.core.samples import Grade, Sample, stale
from control_room.core.status import CollectorStatus, LinkStatus
from control_room.core.suppression import Suppression
from control_room.core.tags import Connection, Municipality, Tag

SILENT_AFTER_S = 5.0
EMPTY = Configuration((), (), (), ())


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why nothing on screen is fed any more, and since when; `is_database`: else it is the collector."""

    words: str
    since: datetime
    is_database: bool


class Room(QObject):
    """Holds configuration, newest samples, alarms and statuses; every method belongs to the GUI thread.

    Signals: samples_changed(list of Sample), alarms_changed(list of Alarm, those that became normal included),
    status_changed(), configuration_changed().
    """

    samples_changed = Signal(list)
    alarms_changed = Signal(list)
    status_changed = Signal()
    configuration_changed = Signal()

    def __init__(self, now: Callable[[], datetime], parent: QObject | None = None) -> None:
        """Begin empty, waiting for the database; `now` returns aware UTC."""
        super().__init__(parent)
        self.now = now
        self.configuration = EMPTY
        self.networks: tuple[Network, ...] = ()
        # the database stands on another machine and the way to it is not protected: the person wanted it so
        self.is_plain = False
        self.tags: dict[int, Tag] = {}
        self.rules: dict[int, AlarmRule] = {}
        self.suppressions: dict[int, Suppression] = {}
        self.municipalities: dict[int, Municipality] = {}
        self.connections: dict[int, Connection] = {}
        self.alarms: dict[int, Alarm] = {}
        self.collector: CollectorStatus | None = None
        self.links: dict[int, LinkStatus] = {}
        self.is_connected = False
        self.is_configured = False
        self._has_alarms = False
        self._lost = Trouble("The database has not answered yet.", now(), is_database=True)
        self._beat_seen: datetime | None = None
        self._real: dict[int, Sample] = {}
        self._shown: dict[int, Sample] = {}
        self.trouble: Trouble | None = self._lost

    @property
    def knows_alarms(self) -> bool:
        """Return whether the alarms are all that there are now: without that, none means nothing."""
        return self.trouble is None and self.is_configured and self._has_alarms

    def sample(self, tag_id: int) -> Sample | None:
        """Return the tag's newest sample as it may be shown, or None before the first."""
        return self._shown.get(tag_id)

    def use_configuration(self, configuration: Configuration, networks: Iterable[Network]) -> None:
        """Take a whole configuration; what belongs to tags and rules that are gone is forgotten."""
        self.configuration = configuration
        self.networks = tuple(networks)
        self.tags = {tag.id: tag for tag in configuration.tags}
        self.rules = {rule.id: rule for rule in configuration.rules}
        self.suppressions = {one.id: one for one in configuration.suppressions}
        self.municipalities = {one.id: one for one in configuration.municipalities}
        self.connections = {one.id: one for one in configuration.connections}
        self.is_configured = True
        self.forget(set(self._real) - set(self.tags))
        self.configuration_changed.emit()

    def take_samples(self, samples: list[Sample]) -> None:
        """Take newer samples."""
        self._real.update((one.tag_id, one) for one in samples)
        shown = [self._as_shown(one) for one in samples]
        self._shown.update((one.tag_id, one) for one in shown)
        self.samples_changed.emit(shown)

    def forget(self, tag_ids: Iterable[int]) -> None:
        """Drop samples that nobody feeds any more, so that none of them can be shown as new later."""
        for tag_id in tag_ids:
            self._real.pop(tag_id, None)
            self._shown.pop(tag_id, None)

    def take_alarms(self, alarms: list[Alarm], is_whole: bool) -> None:
        """Take changed alarms, or all that are not normal."""
        changed = {one.rule_id: one for one in alarms}
        if is_whole:
            self._has_alarms = True
            for rule_id, known in self.alarms.items():
                changed.setdefault(rule_id, Alarm(rule_id, event_id=known.event_id))
        self.alarms.update(changed)
        for rule_id, one in changed.items():
            if one.state is AlarmState.NORMAL:
                del self.alarms[rule_id]
        self.alarms_changed.emit(list(changed.values()))

    def take_status(self, collector: CollectorStatus | None, links: list[LinkStatus]) -> None:
        """Take the collector's and the links' status."""
        before = self.collector.beat_time if self.collector else None
        if collector is not None and collector.beat_time != before:
            # of the first beat nobody knows how old it is; of every other, that it came just now. So a collector whose
            # clock is wrong is not taken for dead
            is_first = before is None
            self._beat_seen = min(self.now(), collector.beat_time) if is_first else self.now()
        self.collector = collector
        self.links = {one.connection_id: one for one in links}
        self._judge()
        self.status_changed.emit()

    def take_connected(self, is_connected: bool, reason: str) -> None:
        """Learn that the database answers, or why it does not."""
        self.is_connected = is_connected
        if not is_connected:
            self._has_alarms = False
            self._lost = Trouble(reason or "The database does not answer.", self.now(), is_database=True)
        self._judge()
        self.status_changed.emit()

    def tick(self) -> None:
        """Look whether the collector still beats; call it each second."""
        if self._judge():
            self.status_changed.emit()

    def beat_age_s(self) -> float | None:
        """Return how long ago the collector was last heard, None for never."""
        return None if self._beat_seen is None else (self.now() - self._beat_seen).total_seconds()

    def _judge(self) -> bool:
        trouble = self._trouble_now()
        if trouble == self.trouble:
            return False
        self.trouble = trouble
        shown = [self._as_shown(one) for one in self._real.values()]
        self._shown = {one.tag_id: one for one in shown}
        if shown:
            self.samples_changed.emit(shown)
        return True

    def _trouble_now(self) -> Trouble | None:
        if not self.is_connected:
            return self._lost
        if self.collector is None or self._beat_seen is None:
            since = self.trouble.since if self.trouble else self.now()
            return Trouble("No collector has reported yet.", since, is_database=False)
        if self.collector.message == "stopped":
            return Trouble("The collector was stopped.", self._beat_seen, is_database=False)
        if (self.now() - self._beat_seen).total_seconds() > SILENT_AFTER_S:
            return Trouble("The collector is silent.", self._beat_seen, is_database=False)
        return None

    def _as_shown(self, sample: Sample) -> Sample:
        if self.trouble is None or sample.grade >= Grade.STALE:
            return sample
        return stale(sample, self.trouble.since)
