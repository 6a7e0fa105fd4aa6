"""The horn: what is heard, silence, and the sounds."""

import wave
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_room.core.alarms import AlarmState, Priority
from control_room.core.horn import AUDIBLE, SAMPLES_PER_S, Heard, Horn, sound

UNACK, ACKED, RETURNED = AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED, AlarmState.RETURNED
LOW, HIGHEST = Priority.LOW, Priority.HIGHEST


@pytest.mark.parametrize("state", list(AlarmState))
def test_only_what_the_table_of_states_calls_audible_is_heard(state: AlarmState) -> None:
    horn = Horn()
    horn.hear([Heard(1, 1, LOW, state)])
    assert (horn.sounding is LOW) is (state in {UNACK, AlarmState.LATCHED_UNACKNOWLEDGED})


def test_the_most_urgent_is_heard_until_it_is_acknowledged() -> None:
    horn = Horn()
    horn.hear([Heard(1, 1, LOW, UNACK), Heard(2, 1, HIGHEST, UNACK)])
    assert horn.sounding is HIGHEST
    horn.hear([Heard(2, 1, HIGHEST, ACKED)])
    assert horn.sounding is LOW
    horn.hear([], gone=[1])
    assert horn.sounding is None


def test_silence_is_no_acknowledgement_and_the_next_one_sounds_again() -> None:
    horn = Horn()
    horn.hear([Heard(1, 1, LOW, UNACK)])
    assert (horn.silence(), horn.sounding, horn.silenced) == (1, None, 1)
    horn.hear([Heard(2, 1, LOW, UNACK)])
    assert (horn.sounding, horn.silenced) == (LOW, 1)
    # the same alarm, raised anew
    assert (horn.silence(), horn.silenced) == (1, 2)
    horn.hear([Heard(1, 2, LOW, UNACK)])
    assert (horn.sounding, horn.silenced) == (LOW, 1)


def test_what_is_told_again_unchanged_stays_silent() -> None:
    horn = Horn()
    horn.hear([Heard(1, 1, LOW, UNACK)])
    horn.silence()
    horn.hear([Heard(1, 1, LOW, UNACK)])
    assert horn.sounding is None
    # gone and back within one reading is another occurrence; returned and acknowledged it is forgotten
    horn.hear([Heard(1, 1, LOW, RETURNED)])
    assert horn.silenced == 0


@st.composite
def news(draw: st.DrawFn) -> Heard | int | None:
    """Return an alarm's change, the id of one that left the board, or None: somebody silences."""
    rule_id = draw(st.integers(1, 4))
    return draw(
        st.one_of(
            st.builds(
                Heard, st.just(rule_id), st.integers(1, 3), st.sampled_from(Priority), st.sampled_from(AlarmState)
            ),
            st.just(rule_id),
            st.none(),
        )
    )


@given(st.lists(news(), max_size=40))
def test_it_is_quiet_only_where_all_that_is_audible_was_silenced(told: list[Heard | int | None]) -> None:
    horn, board, quiet = Horn(), dict[int, Heard](), set[tuple[int, int]]()
    for one in told:
        if one is None:
            horn.silence()
            quiet = {(heard.rule_id, heard.event_id) for heard in board.values() if heard.state in AUDIBLE}
        elif isinstance(one, int):
            horn.hear([], [one])
            board.pop(one, None)
            quiet = {pair for pair in quiet if pair[0] != one}
        else:
            horn.hear([one])
            board[one.rule_id] = one
            if one.state not in AUDIBLE or (one.rule_id, one.event_id) not in quiet:
                quiet = {pair for pair in quiet if pair[0] != one.rule_id}
        loud = [
            heard.priority
            for heard in board.values()
            if heard.state in AUDIBLE and (heard.rule_id, heard.event_id) not in quiet
        ]
        assert horn.sounding == min(loud, default=None)


def test_every_priority_has_a_sound_of_its_own_that_ends_before_it_is_repeated() -> None:
    heard = set()
    for priority in Priority:
        with wave.open(BytesIO(sound(priority))) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, SAMPLES_PER_S)
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)
        assert 0.2 < len(samples) / SAMPLES_PER_S < 1.2
        assert 20_000 < np.abs(samples).max() <= 32_767
        # no click at either end
        assert max(abs(samples[0]), abs(samples[-1])) < 200
        spectrum = np.abs(np.fft.rfft(samples))
        heard.add(round(float(np.fft.rfftfreq(len(samples), 1 / SAMPLES_PER_S)[spectrum.argmax()]), -1))
    assert len(heard) == len(Priority)
    assert all(300 <= one <= 3_000 for one in heard)
