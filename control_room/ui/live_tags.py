"""The bridge from the database's live thread to the room: lists cross by queued signals, wishes go back as one set."""

from collections.abc import Callable, Iterable
from itertools import chain

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from control_room.core.alarms import Alarm
from control_room.core.samples import Sample
from control_room.core.status import CollectorStatus, LinkStatus
from control_room.ui.room import Room

Watch = Callable[[frozenset[int]], None]


class LiveTags(QObject):
    """Listens for the live reader on its thread, tells the room on the GUI thread, and knows which tags views want.

    Signals: configuration_wanted(): somebody changed the configuration, read it again; people_told(): somebody signed
    in or out, failed to, or rights changed. Both are emitted on the reader's thread.
    """

    configuration_wanted = Signal()
    people_told = Signal()
    _samples = Signal(list)
    _alarms = Signal(list, bool)
    _status = Signal(object, list)
    _connected = Signal(bool, str)

    def __init__(self, room: Room, parent: QObject | None = None) -> None:
        """Connect to the room; `use_reader` must follow before anything is delivered."""
        super().__init__(parent)
        self._room = room
        self._watch: Watch | None = None
        self._wanted: dict[str, frozenset[int]] = {}
        self._watched: frozenset[int] = frozenset()
        queued = Qt.ConnectionType.QueuedConnection
        self._samples.connect(self._take, queued)
        self._alarms.connect(room.take_alarms, queued)
        self._status.connect(room.take_status, queued)
        self._connected.connect(room.take_connected, queued)
        # several views change their wishes in one turn: the reader hears once
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self._tell_reader)

    def use_reader(self, watch: Watch) -> None:
        """Tell `watch` (LiveReader.watch) which tags are wanted, now and at every change."""
        self._watch = watch
        watch(self._watched)

    def watch(self, view_key: str, tag_ids: Iterable[int]) -> None:
        """Want these tags for a view instead of those it wanted before."""
        wanted = frozenset(tag_ids)
        if wanted != self._wanted.get(view_key, frozenset()):
            self._wanted[view_key] = wanted
            self._soon.start()

    @property
    def watched(self) -> frozenset[int]:
        """Return what the reader was told."""
        return self._watched

    def _take(self, samples: list[Sample]) -> None:
        # what was on its way when nobody wanted it any more would stand still in the room, looking alive
        self._room.take_samples([one for one in samples if one.tag_id in self._watched])

    def _tell_reader(self) -> None:
        watched = frozenset(chain.from_iterable(self._wanted.values()))
        if watched == self._watched:
            return
        self._room.forget(self._watched - watched)
        self._watched = watched
        if self._watch is not None:
            self._watch(watched)

    # --- called on the reader's thread

    def samples(self, samples: list[Sample]) -> None:
        """Hand over changed samples."""
        self._samples.emit(samples)

    def alarms(self, alarms: list[Alarm], is_whole: bool) -> None:
        """Hand over changed alarms."""
        self._alarms.emit(alarms, is_whole)

    def status(self, collector: CollectorStatus | None, links: list[LinkStatus]) -> None:
        """Hand over the statuses."""
        self._status.emit(collector, links)

    def configuration_changed(self) -> None:
        """Hand over that the configuration changed."""
        self.configuration_wanted.emit()

    def people_changed(self) -> None:
        """Hand over that something happened about people."""
        self.people_told.emit()

    def connected(self, is_connected: bool, reason: str) -> None:
        """Hand over whether the database answers."""
        self._connected.emit(is_connected, reason)
