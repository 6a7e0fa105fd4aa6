"""A replay against the machine that wrote the journal, at every moment, forwards and backwards; and against odd journals."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_room.core import replay
from control_room.core.alarms import (
    Acknowledged,
    Alarm,
    AlarmEvent,
    AlarmKind,
    AlarmRule,
    AlarmState,
    Corrected,
    Happening,
    IllegalTransition,
    JournalEntry,
    Priority,
    Raised,
    ReAlarmed,
    Reset,
    Returned,
    ReturnedToService,
    Shelved,
    TakenOutOfService,
    Trigger,
    Unshelved,
    step,
)
from control_room.core.replay import Replay, ReplayRow
from tests.fakes import START

RULES = (
    AlarmRule(1, 1, AlarmKind.H, Priority.HIGH),
    AlarmRule(2, 1, AlarmKind.L, Priority.LOW, is_latching=True),
    AlarmRule(3, 2, AlarmKind.H, Priority.MEDIUM),
)
KINDS = 11


def event(kind: int, alarm: Alarm, time: datetime) -> AlarmEvent:
    made: Sequence[AlarmEvent] = (
        Raised(time, 5.0 + kind, 0),
        Returned(time, 1.0, 0),
        Acknowledged(time, alarm.event_id, "ada", "seen"),
        Reset(time, "ada"),
        Shelved(time, time + timedelta(hours=1), "ada", "pump test"),
        Shelved(time, time + timedelta(hours=1), "ada", "pump test", is_one_shot=True),
        Unshelved(time),
        TakenOutOfService(time, "eva", "sensor is exchanged", "WO 17"),
        ReturnedToService(time, "eva"),
        ReAlarmed(time),
        Corrected(time - timedelta(seconds=90), 4.0, 0),
    )
    return made[kind]


def at(number: int) -> datetime:
    return START + timedelta(seconds=number)


def life(deeds: Sequence[tuple[int, int]]) -> tuple[list[ReplayRow], list[dict[int, Alarm]]]:
    """Return the journal of a life, and the alarms after each of its rows."""
    alarms: dict[int, Alarm] = {}
    rows: list[ReplayRow] = []
    boards: list[dict[int, Alarm]] = []
    for which, kind in deeds:
        rule, time = RULES[which], at(len(rows))
        alarm = alarms.get(rule.id, Alarm(rule.id))
        try:
            after, entry = step(alarm, event(kind, alarm, time), rule)
        except IllegalTransition:
            continue
        if entry is not None:
            alarms[rule.id] = after
            rows.append(ReplayRow(time, entry, rule))
            boards.append(dict(alarms))
    return rows, boards


DEEDS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, KINDS - 1)), max_size=60)


@given(deeds=DEEDS, jumps=st.lists(st.integers(-1, 60), max_size=20), kept_every=st.sampled_from([1, 3, 500]))
def test_the_journal_alone_gives_the_board_at_every_moment(
    deeds: list[tuple[int, int]], jumps: list[int], kept_every: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "_KEPT_EVERY", kept_every)
        rows, boards = life(deeds)
        player = Replay(rows)
        shown: dict[int, Alarm] = {}
        for number in [*range(len(rows)), *jumps]:
            changed = player.seek(at(number))
            place = min(number, len(rows) - 1)
            expected = boards[place] if place >= 0 else {}
            assert player.alarms == expected
            # who follows only what changed has the same
            shown = {key: alarm for key, alarm in shown.items() if key not in changed} | {
                key: player.alarms[key] for key in changed & player.alarms.keys()
            }
            assert shown == expected
            assert player.newest == (rows[place] if place >= 0 else None)
            assert player.previous_time() == (at(place - 1) if place > 0 else None)
            assert player.next_time() == (at(place + 1) if place + 1 < len(rows) else None)


@given(deeds=DEEDS, cut=st.integers(0, 59))
def test_from_any_row_on_the_states_are_those_of_the_journal(deeds: list[tuple[int, int]], cut: int) -> None:
    rows, boards = life(deeds)
    player = Replay(rows[cut:])
    for row, board in zip(rows[cut:], boards[cut:], strict=True):
        player.seek(row.written)
        for rule_id, alarm in player.alarms.items():
            assert (alarm.state, alarm.event_id) == (board[rule_id].state, board[rule_id].event_id)
            assert alarm.state is not AlarmState.SHELVED or alarm.shelving is not None


def test_where_the_rule_is_another_one_now_the_journal_is_right() -> None:
    rows, boards = life([(1, 0), (1, 2), (1, 1)])
    assert boards[-1][2].state is AlarmState.LATCHED_ACKNOWLEDGED
    player = Replay([replace(row, rule=replace(row.rule, is_latching=False)) for row in rows])
    player.seek(at(9))
    alarm = player.alarms[2]
    assert (alarm.state, alarm.raised_time) == (AlarmState.LATCHED_ACKNOWLEDGED, START)


def entry(happening: Happening, previous: AlarmState, state: AlarmState, **more: object) -> JournalEntry:
    made = JournalEntry(1, 4, happening, previous, state, Trigger.OPERATOR, START, 3.0, 0, "ada", "why")
    return replace(made, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("state", AlarmState)
def test_a_note_changes_nothing_in_any_state(state: AlarmState) -> None:
    player = Replay([ReplayRow(START, entry(Happening.COMMENTED, state, state), RULES[0])])
    player.seek(START)
    assert (player.alarms[1].state, player.alarms[1].event_id) == (state, 4)


def test_what_an_older_journal_does_not_tell_is_left_open() -> None:
    shelved = entry(Happening.SHELVED, AlarmState.UNACKNOWLEDGED, AlarmState.SHELVED)
    player = Replay([ReplayRow(START, shelved, RULES[0])])
    player.seek(START)
    alarm = player.alarms[1]
    assert alarm.shelving is not None
    assert (alarm.shelving.person, alarm.shelving.reason, alarm.shelving.until) == ("ada", "why", START)
