"""The horn: which priority is to be heard, and how its sound is made.

Silence is no acknowledgement: it holds for the occurrences that were heard, and what is raised after it sounds again. What is
acknowledged, returned, shelved or out of service is not heard (ISA-18.2, the table of states).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from wave import open as open_wave

import numpy as np

from control_room.core.alarms import AlarmState, Priority

AUDIBLE = frozenset({AlarmState.UNACKNOWLEDGED, AlarmState.LATCHED_UNACKNOWLEDGED})
# from the beginning of a sound to its next repetition, in seconds
REPEAT_S: Mapping[Priority, float] = {
    Priority.HIGHEST: 2.0,
    Priority.HIGH: 4.0,
    Priority.MEDIUM: 10.0,
    Priority.LOW: 30.0,
}
SAMPLES_PER_S = 44_100
_RAMP_S = 0.012
# above the first tone: a sound of one pure tone is hard to place in a room
_PARTIALS = (1.0, 0.45, 0.2)
# tones as (frequency in Hz, seconds); 0 Hz is a pause. 300 to 3000 Hz, distinct by number and melody (ISO 7731, 5.2)
_MELODIES: Mapping[Priority, tuple[tuple[float, float], ...]] = {
    Priority.HIGHEST: ((988.0, 0.12), (740.0, 0.12)) * 4,
    Priority.HIGH: ((784.0, 0.16), (0.0, 0.08)) * 3,
    Priority.MEDIUM: ((587.0, 0.22), (0.0, 0.10), (494.0, 0.22)),
    Priority.LOW: ((440.0, 0.30),),
}


@dataclass(frozen=True, slots=True)
class Heard:
    """What the horn needs to know of one alarm that is on the board."""

    rule_id: int
    event_id: int
    priority: Priority
    state: AlarmState


class Horn:
    """Follows the alarms of a seat."""

    def __init__(self) -> None:
        """Know of no alarm."""
        self._audible: dict[int, Heard] = {}
        self._silenced: dict[int, int] = {}
        # of each priority, how many are to be heard: a flood asks after each change
        self._loud: Counter[Priority] = Counter()

    def hear(self, changed: Iterable[Heard], gone: Iterable[int] = ()) -> None:
        """Take what changed on the board, and the rule ids of what left it."""
        for rule_id in gone:
            self._forget(rule_id)
        for one in changed:
            is_silenced = self._silenced.get(one.rule_id) == one.event_id
            self._forget(one.rule_id)
            if one.state in AUDIBLE:
                self._audible[one.rule_id] = one
                if is_silenced:
                    self._silenced[one.rule_id] = one.event_id
                else:
                    self._loud[one.priority] += 1

    def _forget(self, rule_id: int) -> None:
        before = self._audible.pop(rule_id, None)
        if self._silenced.pop(rule_id, None) is None and before is not None:
            self._loud[before.priority] -= 1

    def silence(self) -> int:
        """Be quiet about every occurrence that could be heard; return how many that were."""
        before = len(self._silenced)
        self._silenced = {one.rule_id: one.event_id for one in self._audible.values()}
        self._loud.clear()
        return len(self._silenced) - before

    @property
    def silenced(self) -> int:
        """Return how many alarms wait for their acknowledgement in silence."""
        return len(self._silenced)

    @property
    def sounding(self) -> Priority | None:
        """Return the most urgent priority that is to be heard, None for quiet."""
        return min((priority for priority, count in self._loud.items() if count), default=None)


def sound(priority: Priority) -> bytes:
    """Return the priority's sound once, as a WAV file: mono, 16 bit, SAMPLES_PER_S."""
    pieces = [_tone(frequency_hz, seconds) for frequency_hz, seconds in _MELODIES[priority]]
    samples = (np.concatenate(pieces) * 28_000).astype("<i2")
    file = BytesIO()
    with open_wave(file, "wb") as wave:
        wave.setnchannels(1)
        wave.setsampwidth(2)
        wave.setframerate(SAMPLES_PER_S)
        wave.writeframes(samples.tobytes())
    return file.getvalue()


def _tone(frequency_hz: float, seconds: float) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Return samples between -1 and 1 that begin and end softly, for a click would be heard as a fault."""
    count = round(seconds * SAMPLES_PER_S)
    if not frequency_hz:
        return np.zeros(count)
    turns = np.arange(count) * (2 * np.pi * frequency_hz / SAMPLES_PER_S)
    wave = sum(share * np.sin(number * turns) for number, share in enumerate(_PARTIALS, 1)) / sum(_PARTIALS)
    ramp = np.minimum(1.0, np.arange(count) / (_RAMP_S * SAMPLES_PER_S))
    return np.asarray(wave * ramp * ramp[::-1])
