"""The alarm state machine against the transition table of ISA-18.2 and IEC 62682, and against whatever may happen."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from control_room.core.alarms import (
    SUPPRESSED,
    Acknowledged,
    Alarm,
    AlarmEvent,
    AlarmKind,
    AlarmRule,
    AlarmState,
    Corrected,
    Disabled,
    Enabled,
    Held,
    Hold,
    HoldKind,
    IllegalTransition,
    JournalEntry,
    Priority,
    Raised,
    ReAlarmed,
    Released,
    Reset,
    Returned,
    ReturnedToService,
    Shelved,
    TakenOutOfService,
    Unshelved,
    step,
)
from control_room.core.replay import event_of
from tests.fakes import START

PLAIN = AlarmRule(7, 1, AlarmKind.H, Priority.HIGH)
LATCHING = replace(PLAIN, is_latching=True)
UP, DOWN = Raised(START, 5.0, 0), Returned(START, 1.0, 0)
RESET = Reset(START, "ada")
SHELVE = Shelved(START, START + timedelta(hours=1), "ada", "pump test")
ONE_SHOT = replace(SHELVE, is_one_shot=True)
BACK = Unshelved(START, "ada")
EXPIRE = Unshelved(START)
OUT = TakenOutOfService(START, "eva", "sensor is exchanged", "WO 17")
IN = ReturnedToService(START, "eva")
AGAIN = ReAlarmed(START)
HOUR = timedelta(hours=1)
BY_CAUSE = Held(START, Hold(HoldKind.DESIGN, 3, START, None, "Pump 1 is stopped"))
BY_OTHER = Held(START, Hold(HoldKind.DESIGN, 4, START, None, "The station has no power"))
ENDING = Held(START, replace(BY_CAUSE.hold, until=START + HOUR))
CAUSE_GONE = Released(START, HoldKind.DESIGN, 3)
OTHER_GONE = Released(START, HoldKind.DESIGN, 4)
WORK = Held(START, Hold(HoldKind.WORK, 3, START, START + HOUR, "valve is exchanged", "eva", "WO 17"), "eva")
WORK_OVER = Released(START, HoldKind.WORK, 3)
OFF = Disabled(START, "eva", "sensor is removed")
ON = Enabled(START, "eva")
DISABLED = replace(PLAIN, is_disabled=True)


def ack(event_id: int) -> Acknowledged:
    return Acknowledged(START, event_id, "ada")


def walk(events: list[AlarmEvent], rule: AlarmRule = PLAIN) -> tuple[Alarm, list[JournalEntry | None]]:
    alarm, entries = Alarm(rule.id), []
    for event in events:
        alarm, entry = step(alarm, event, rule)
        entries.append(entry)
    return alarm, entries


@pytest.mark.parametrize(
    ("row", "events", "states"),
    [
        ("1", [UP], "UNACK"),
        ("1, nothing new", [UP, UP], "UNACK -"),
        ("1, nothing there", [DOWN], "-"),
        ("2", [UP, ack(1)], "UNACK ACKED"),
        ("3", [UP, DOWN], "UNACK RTNUN"),
        ("5", [UP, ack(1), DOWN], "UNACK ACKED NORM"),
        ("7", [UP, DOWN, ack(1)], "UNACK RTNUN NORM"),
        ("8", [UP, DOWN, UP, ack(2)], "UNACK RTNUN UNACK ACKED"),
        ("12, by the clock", [UP, ack(1), AGAIN, ack(2), DOWN], "UNACK ACKED UNACK ACKED NORM"),
        ("13 of A, 14 quiet", [SHELVE, BACK], "SHLVD NORM"),
        ("13 of B, 14 loud", [UP, SHELVE, BACK], "UNACK SHLVD UNACK"),
        ("13 of C, 14 expired", [UP, ack(1), SHELVE, EXPIRE], "UNACK ACKED SHLVD UNACK"),
        ("13 of D, 14 quiet", [UP, DOWN, SHELVE, BACK], "UNACK RTNUN SHLVD NORM"),
        ("13 again: another end", [SHELVE, SHELVE], "SHLVD SHLVD"),
        ("rule i: shelved goes on to be judged", [SHELVE, UP, DOWN, UP, EXPIRE], "SHLVD SHLVD SHLVD SHLVD UNACK"),
        ("15", [UP, ONE_SHOT, DOWN], "UNACK SHLVD NORM"),
        ("15, then heard again", [UP, ONE_SHOT, DOWN, UP], "UNACK SHLVD NORM UNACK"),
        ("18 of A, 19 quiet", [OUT, IN], "OOSRV NORM"),
        ("18 of B, 19 loud", [UP, OUT, IN], "UNACK OOSRV UNACK"),
        ("18 of C", [UP, ack(1), OUT, DOWN, IN], "UNACK ACKED OOSRV OOSRV NORM"),
        ("18 of D", [UP, DOWN, OUT, IN], "UNACK RTNUN OOSRV NORM"),
        ("rule ii: out of service and shelved", [UP, SHELVE, OUT, BACK, IN], "UNACK SHLVD OOSRV OOSRV UNACK"),
        ("rule ii, the other way", [UP, SHELVE, OUT, IN, BACK], "UNACK SHLVD OOSRV SHLVD UNACK"),
        ("15 while out of service", [UP, ONE_SHOT, OUT, DOWN, IN], "UNACK SHLVD OOSRV OOSRV NORM"),
        ("16 of A, 17 quiet", [BY_CAUSE, CAUSE_GONE], "DSUPR NORM"),
        ("16 of A, its consequence comes, 17 loud", [BY_CAUSE, UP, CAUSE_GONE], "DSUPR DSUPR UNACK"),
        ("16 of B, 17 loud", [UP, BY_CAUSE, CAUSE_GONE], "UNACK DSUPR UNACK"),
        ("16 of C, gone meanwhile", [UP, ack(1), BY_CAUSE, DOWN, CAUSE_GONE], "UNACK ACKED DSUPR DSUPR NORM"),
        ("16 of D, 17 quiet", [UP, DOWN, BY_CAUSE, CAUSE_GONE], "UNACK RTNUN DSUPR NORM"),
        ("un-suppress delay", [BY_CAUSE, UP, ENDING, CAUSE_GONE], "DSUPR DSUPR DSUPR UNACK"),
        ("the same cause twice", [BY_CAUSE, BY_CAUSE], "DSUPR -"),
        ("two causes", [UP, BY_CAUSE, BY_OTHER, CAUSE_GONE, OTHER_GONE], "UNACK DSUPR DSUPR DSUPR UNACK"),
        ("rule ii: by design and shelved", [UP, BY_CAUSE, SHELVE, CAUSE_GONE, BACK], "UNACK DSUPR SHLVD SHLVD UNACK"),
        ("rule ii: by design, then shelving ends", [UP, SHELVE, BY_CAUSE, BACK], "UNACK SHLVD SHLVD DSUPR"),
        (
            "rule ii: all three",
            [UP, BY_CAUSE, SHELVE, OUT, BACK, IN, CAUSE_GONE],
            "UNACK DSUPR SHLVD OOSRV OOSRV DSUPR UNACK",
        ),
        ("planned work is a shelf", [WORK, UP, WORK_OVER], "SHLVD SHLVD UNACK"),
        ("planned work and a cause", [WORK, BY_CAUSE, UP, WORK_OVER, CAUSE_GONE], "SHLVD SHLVD SHLVD DSUPR UNACK"),
        (
            "work and a cause of one number",
            [UP, WORK, BY_CAUSE, CAUSE_GONE, WORK_OVER],
            "UNACK SHLVD SHLVD SHLVD UNACK",
        ),
        ("a person's shelf in planned work", [WORK, UP, SHELVE, WORK_OVER, BACK], "SHLVD SHLVD SHLVD SHLVD UNACK"),
        ("20 of B", [UP, OFF], "UNACK NORM"),
        ("20 of E, F and G together", [UP, BY_CAUSE, SHELVE, OUT, OFF], "UNACK DSUPR SHLVD OOSRV NORM"),
    ],
)
def test_transitions_of_alarms_that_do_not_latch(row: str, events: list[AlarmEvent], states: str) -> None:
    _, entries = walk(events)
    assert " ".join(entry.state.value if entry else "-" for entry in entries) == states, row


@pytest.mark.parametrize(
    ("row", "events", "states"),
    [
        ("4, 9, 10", [UP, DOWN, ack(1), RESET], "UNACK LU LA NORM"),
        ("6, 10", [UP, ack(1), DOWN, RESET], "UNACK ACKED LA NORM"),
        ("11 of LU", [UP, DOWN, UP], "UNACK LU UNACK"),
        ("11 of LA", [UP, ack(1), DOWN, UP], "UNACK ACKED LA UNACK"),
        ("13 of LU, 14", [UP, DOWN, SHELVE, BACK], "UNACK LU SHLVD NORM"),
        ("13 of LA, 14", [UP, ack(1), DOWN, SHELVE, BACK], "UNACK ACKED LA SHLVD NORM"),
        ("18 of LU, 19", [UP, DOWN, OUT, IN], "UNACK LU OOSRV NORM"),
        ("16 of LA, 17", [UP, ack(1), DOWN, BY_CAUSE, CAUSE_GONE], "UNACK ACKED LA DSUPR NORM"),
        ("20 of LU", [UP, DOWN, OFF], "UNACK LU NORM"),
        ("nothing latches unheard", [SHELVE, UP, DOWN, BACK], "SHLVD SHLVD SHLVD NORM"),
    ],
)
def test_transitions_of_alarms_that_latch(row: str, events: list[AlarmEvent], states: str) -> None:
    _, entries = walk(events, LATCHING)
    assert " ".join(entry.state.value if entry else "-" for entry in entries) == states, row


@pytest.mark.parametrize(
    ("events", "refused", "words"),
    [
        ([], ack(0), "Somebody acknowledged it already"),
        ([UP, DOWN, UP], ack(1), "raised again"),
        ([UP, ack(1)], ack(1), "ada acknowledged it already"),
        ([UP, SHELVE], ack(1), "nothing to acknowledge"),
        ([UP, OUT], ack(1), "nothing to acknowledge"),
        ([UP], RESET, "its condition is still there"),
        ([UP, DOWN], RESET, "Acknowledge it first"),
        ([], RESET, "not latched"),
        ([OUT], SHELVE, "out of service"),
        ([], replace(SHELVE, comment=" "), "reason"),
        ([], replace(SHELVE, until=START), "in the future"),
        ([], replace(SHELVE, until=START + timedelta(hours=8, seconds=1)), "at most 480 min"),
        ([], BACK, "not shelved"),
        ([UP], EXPIRE, "not shelved"),
        ([OUT], OUT, "already"),
        ([], replace(OUT, comment=""), "reason"),
        ([], IN, "in service"),
        ([], AGAIN, "does not stand"),
        ([UP], AGAIN, "does not stand"),
        ([UP, DOWN, ack(1)], AGAIN, "does not stand"),
        ([UP, ack(1), SHELVE], AGAIN, "does not stand"),
        ([UP, BY_CAUSE], ack(1), "nothing to acknowledge"),
        ([UP, ack(1), BY_CAUSE], AGAIN, "does not stand"),
        ([BY_OTHER], CAUSE_GONE, "Nothing of that kind"),
        ([WORK], CAUSE_GONE, "Nothing of that kind"),
        ([], ON, "is enabled"),
        ([], replace(OFF, comment=" "), "reason"),
    ],
)
def test_what_is_not_in_the_table_is_refused_in_words(
    events: list[AlarmEvent], refused: AlarmEvent, words: str
) -> None:
    alarm, _ = walk(events, LATCHING)
    with pytest.raises(IllegalTransition, match=words):
        step(alarm, refused, LATCHING)


def test_what_may_not_be_shelved_is_not() -> None:
    with pytest.raises(IllegalTransition, match="may not be shelved"):
        step(Alarm(7), SHELVE, replace(PLAIN, shelving_limit_s=0))


@pytest.mark.parametrize("event", [OFF, SHELVE, OUT, BY_CAUSE, WORK])
def test_what_is_disabled_is_left_alone(event: AlarmEvent) -> None:
    with pytest.raises(IllegalTransition, match="disabled"):
        step(Alarm(7), event, DISABLED)
    assert step(Alarm(7), UP, DISABLED) == (Alarm(7), None)
    alarm, entry = step(Alarm(7), ON, DISABLED)
    assert entry is not None
    assert (alarm.state, entry.happening, entry.trigger, entry.person) == ("NORM", "enabled", "config", "eva")


def test_the_journal_names_the_cause_and_its_end() -> None:
    _, entries = walk([UP, BY_CAUSE, ENDING, CAUSE_GONE, WORK, WORK_OVER, OFF])
    seen = [(one.happening, one.trigger, one.comment, dict(one.detail)) for one in entries[1:] if one is not None]
    hold = {"hold": "design:3", "by": "", "work_order": ""}
    end = (START + HOUR).isoformat()
    assert seen == [
        ("suppressed", "logic", "Pump 1 is stopped", {**hold, "until": None}),
        ("suppressed", "logic", "Pump 1 is stopped", {**hold, "until": end}),
        ("unsuppressed", "logic", "", {"hold": "design:3"}),
        (
            "work_begun",
            "operator",
            "valve is exchanged",
            {"hold": "work:3", "by": "eva", "work_order": "WO 17", "until": end},
        ),
        ("work_ended", "timer", "", {"hold": "work:3"}),
        ("disabled", "config", "sensor is removed", {}),
    ]


def test_another_end_leaves_when_it_began() -> None:
    later = replace(ENDING, hold=replace(ENDING.hold, since=START + HOUR))
    alarm, _ = walk([BY_CAUSE, later])
    assert alarm.holds == (replace(BY_CAUSE.hold, until=START + HOUR),)


def test_what_comes_back_from_the_shelf_is_a_new_occurrence() -> None:
    alarm, entries = walk([UP, SHELVE, EXPIRE])
    assert (alarm.event_id, alarm.is_acknowledged) == (2, False)
    with pytest.raises(IllegalTransition, match="raised again"):
        step(alarm, ack(1))
    assert entries[-1] is not None
    assert (entries[-1].trigger, entries[-1].person) == ("timer", "")


def test_the_sequence_of_opc_ua_part_9_annex_b_1() -> None:
    """Table B.1: active and acknowledged, then inactive; active again, inactive, then acknowledged."""
    events: list[AlarmEvent] = [UP, ack(1), DOWN, UP, DOWN, ack(2)]
    seen, alarm = [], Alarm(7)
    for event in events:
        alarm, _ = step(alarm, event)
        # Retain: whether the condition is of interest to a client
        seen.append((alarm.is_active, alarm.is_acknowledged, alarm.state is not AlarmState.NORMAL))
    assert seen == [
        (True, False, True),
        (True, True, True),
        (False, True, False),
        (True, False, True),
        (False, False, True),
        (False, True, False),
    ]


class Life(RuleBasedStateMachine):
    """Anything may happen to an alarm, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.alarm = Alarm(7)
        # what the journal alone tells
        self.replayed = Alarm(7)
        self.journal: list[JournalEntry] = []
        self.rule = PLAIN
        self.now = START
        self.acknowledged: set[int] = set()

    def _do(self, event: AlarmEvent) -> bool:
        before = self.alarm
        try:
            self.alarm, entry = step(before, event, self.rule)
        except IllegalTransition:
            return False
        assert (entry is None) == (self.alarm is before)
        if entry is not None:
            assert (entry.previous, entry.state) == (before.state, self.alarm.state)
            self.journal.append(entry)
            told = event_of(entry)
            assert told is not None
            self.replayed, _ = step(self.replayed, told, self.rule)
        return True

    def _time(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    @rule(is_latching=st.booleans())
    def configure(self, is_latching: bool) -> None:
        self.rule = replace(self.rule, is_latching=is_latching)

    @rule(value=st.floats(allow_nan=False) | st.none())
    def rise(self, value: float | None) -> None:
        self._do(Raised(self._time(), value, 0))

    @rule(seconds=st.integers(1, 1000))
    def correct(self, seconds: int) -> None:
        before = self.alarm
        self._do(Corrected(self._time() - timedelta(seconds=seconds), 3.0, 0))
        # nothing is raised, announced, acknowledged or ended by it
        kept = replace(self.alarm, raised_time=before.raised_time, value=before.value, quality=before.quality)
        assert replace(kept, process_number=before.process_number) == before

    @rule()
    def go(self) -> None:
        self._do(Returned(self._time(), 0.0, 0))

    @rule(back=st.integers(0, 2))
    def acknowledge(self, back: int) -> None:
        event_id = self.alarm.event_id - back
        if self._do(Acknowledged(self._time(), event_id, "ada")):
            # an acknowledgement never hides a new alarm
            assert back == 0
            assert event_id not in self.acknowledged
            self.acknowledged.add(event_id)

    @rule()
    def reset(self) -> None:
        self._do(Reset(self._time(), "ada"))

    @rule(minutes=st.integers(-5, 600), is_one_shot=st.booleans())
    def shelve(self, minutes: int, is_one_shot: bool) -> None:
        time = self._time()
        is_done = self._do(Shelved(time, time + timedelta(minutes=minutes), "ada", "why", is_one_shot))
        assert not (is_done and not 0 < minutes <= 480)

    @rule(person=st.sampled_from(["ada", ""]))
    def unshelve(self, person: str) -> None:
        self._do(Unshelved(self._time(), person))

    @rule()
    def announce_again(self) -> None:
        if self._do(ReAlarmed(self._time())):
            assert self.alarm.state is AlarmState.UNACKNOWLEDGED

    @rule()
    def take_out_of_service(self) -> None:
        self._do(TakenOutOfService(self._time(), "eva", "why"))

    @rule()
    def return_to_service(self) -> None:
        self._do(ReturnedToService(self._time(), "eva"))

    @rule(kind=st.sampled_from(HoldKind), number=st.integers(1, 2), is_ending=st.booleans())
    def hold(self, kind: HoldKind, number: int, is_ending: bool) -> None:
        time = self._time()
        until = time + HOUR if is_ending else None
        self._do(Held(time, Hold(kind, number, time, until, "why")))

    @rule(kind=st.sampled_from(HoldKind), number=st.integers(1, 2))
    def let_go(self, kind: HoldKind, number: int) -> None:
        before = self.alarm
        if self._do(Released(self._time(), kind, number)):
            # announced when nothing else holds it, and then as a new occurrence
            is_announced = self.alarm.event_id > before.event_id
            assert is_announced == (before.is_active and not self.alarm.is_suppressed)

    @rule(is_disabled=st.booleans())
    def disable(self, is_disabled: bool) -> None:
        kind = Disabled if is_disabled else Enabled
        if self._do(kind(self._time(), "eva", "why")):
            self.rule = replace(self.rule, is_disabled=is_disabled)

    @precondition(lambda self: self.rule.is_disabled)
    @invariant()
    def what_is_disabled_is_normal(self) -> None:
        assert self.alarm.state is AlarmState.NORMAL

    @precondition(lambda self: self.alarm.is_suppressed)
    @invariant()
    def what_is_suppressed_is_told_to_nobody(self) -> None:
        assert self.alarm.is_acknowledged
        assert not self.alarm.is_latched
        assert self.alarm.state in SUPPRESSED

    @invariant()
    def the_process_number_tells_whether_the_condition_holds(self) -> None:
        assert self.alarm.is_active == (self.alarm.process_number % 2 == 1)

    @invariant()
    def an_alarm_that_is_on_and_heard_is_announced_or_was_acknowledged(self) -> None:
        alarm = self.alarm
        if alarm.is_active and not alarm.is_suppressed and alarm.is_acknowledged:
            assert alarm.event_id in self.acknowledged

    @invariant()
    def the_journal_alone_gives_the_alarm(self) -> None:
        assert self.replayed == self.alarm

    @invariant()
    def the_journal_ends_where_the_alarm_is(self) -> None:
        last = self.journal[-1] if self.journal else None
        assert self.alarm.state is (last.state if last else AlarmState.NORMAL)
        assert all(one.state is two.previous for one, two in zip(self.journal, self.journal[1:], strict=False))


TestLife = Life.TestCase
