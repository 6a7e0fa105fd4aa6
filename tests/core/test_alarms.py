"""The alarm state machine against the ISA-18.2 transition table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_room.core.alarms import (
    Acknowledged,
    Alarm,
    AlarmEvent,
    AlarmState,
    IllegalTransition,
    Raised,
    Returned,
    step,
)
from tests.fakes import START

RAISED = Raised(START, 5.0, 0)
RETURNED = Returned(START, 1.0, 0)


def acknowledge(event_id: int) -> Acknowledged:
    return Acknowledged(START, event_id, "ada")


@pytest.mark.parametrize(
    ("events", "states"),
    [
        ([RAISED], "UNACK"),
        ([RAISED, RAISED], "UNACK -"),
        ([RETURNED], "-"),
        ([RAISED, acknowledge(1)], "UNACK ACKED"),
        ([RAISED, RETURNED], "UNACK RTNUN"),
        ([RAISED, acknowledge(1), RETURNED], "UNACK ACKED NORM"),
        ([RAISED, RETURNED, acknowledge(1)], "UNACK RTNUN NORM"),
        ([RAISED, RETURNED, RAISED], "UNACK RTNUN UNACK"),
        ([RAISED, acknowledge(1), RETURNED, RAISED], "UNACK ACKED NORM UNACK"),
    ],
)
def test_transitions_of_standards_section_1_2(events: list[AlarmEvent], states: str) -> None:
    alarm, seen = Alarm(rule_id=7), []
    for event in events:
        alarm, entry = step(alarm, event)
        seen.append(entry.state.value if entry else "-")
    assert " ".join(seen) == states


def test_acknowledging_an_earlier_occurrence_is_refused() -> None:
    alarm, _ = step(Alarm(7), RAISED)
    alarm, _ = step(alarm, RETURNED)
    alarm, _ = step(alarm, RAISED)
    with pytest.raises(IllegalTransition, match="raised again"):
        step(alarm, acknowledge(1))
    assert alarm.state is AlarmState.UNACKNOWLEDGED


def test_acknowledging_twice_names_who_did_it() -> None:
    alarm, _ = step(Alarm(7), RAISED)
    alarm, _ = step(alarm, acknowledge(1))
    with pytest.raises(IllegalTransition, match="ada"):
        step(alarm, acknowledge(1))


def test_acknowledging_what_was_never_raised_is_refused() -> None:
    with pytest.raises(IllegalTransition):
        step(Alarm(7), acknowledge(0))


@given(st.lists(st.sampled_from(["raise", "return", "ack", "old ack"])))
def test_an_acknowledgement_never_hides_a_new_occurrence(names: list[str]) -> None:
    alarm, journal = Alarm(7), []
    for name in names:
        events: dict[str, AlarmEvent] = {
            "raise": RAISED,
            "return": RETURNED,
            "ack": acknowledge(alarm.event_id),
            "old ack": acknowledge(alarm.event_id - 1),
        }
        try:
            after, entry = step(alarm, events[name])
        except IllegalTransition:
            assert name in ("ack", "old ack")
            continue
        if entry is not None:
            assert (entry.previous, entry.state) == (alarm.state, after.state)
            journal.append(entry)
        alarm = after
    assert alarm.event_id == sum(entry.state is AlarmState.UNACKNOWLEDGED for entry in journal)
    assert alarm.state is (journal[-1].state if journal else AlarmState.NORMAL)
