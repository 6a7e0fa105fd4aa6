"""The speaker: plays the horn's sounds through QtMultimedia, or says why nothing can be heard."""

from pathlib import Path
from typing import Any, Protocol

from PySide6.QtCore import QObject, QTemporaryDir, QUrl, Signal

from control_room.core.alarms import Priority
from control_room.core.horn import sound

NO_DEVICE = "This machine has no sound device, or it is not plugged in."
_NO_LIBRARY = "Sounds cannot be played here: {}. On Debian and Ubuntu install libpulse0, then start again."


class Speaker(Protocol):
    """Plays sounds; `problem` says why none can be heard, empty when they can."""

    @property
    def problem(self) -> str:
        """Return why nothing can be heard."""

    def play(self, priority: Priority, volume: float) -> None:
        """Play a priority's sound once, at a volume from 0 to 1; nothing happens where nothing can be heard."""


class Mute:
    """The speaker of a seat that has none."""

    problem = "This seat has no speaker."

    def play(self, priority: Priority, volume: float) -> None:
        """Play nothing."""


class QtSpeaker(QObject):
    """Sounds through QtMultimedia. Signal changed(): a device came or went."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        """Load the library and the sounds; whatever is missing becomes the problem and no error."""
        super().__init__(parent)
        self._effects: dict[Priority, Any] = {}
        self._devices: Any = None
        # a player takes files only; they go with this object
        self._folder = QTemporaryDir()
        self._failure = ""
        try:
            from PySide6.QtMultimedia import QMediaDevices, QSoundEffect
        except ImportError as fault:
            self._failure = _NO_LIBRARY.format(fault)
            return
        self._devices = QMediaDevices(self)
        self._devices.audioOutputsChanged.connect(self._follow_device)
        for priority in Priority:
            Path(self._file(priority)).write_bytes(sound(priority))
            self._effects[priority] = QSoundEffect(self)
        self._load()

    @property
    def problem(self) -> str:
        if self._failure:
            return self._failure
        return NO_DEVICE if self._devices.defaultAudioOutput().isNull() else ""

    def play(self, priority: Priority, volume: float) -> None:
        if not self.problem:
            self._effects[priority].setVolume(volume)
            self._effects[priority].play()

    def _file(self, priority: Priority) -> str:
        return self._folder.filePath(f"{priority:d}.wav")

    def _load(self) -> None:
        # without a device the player would only complain of the format
        if not self.problem:
            for priority, effect in self._effects.items():
                effect.setAudioDevice(self._devices.defaultAudioOutput())
                effect.setSource(QUrl.fromLocalFile(self._file(priority)))

    def _follow_device(self) -> None:
        self._load()
        self.changed.emit()
