"""Which alarm of a group came first: until all are normal, by source time, from the journal alone."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_room.core.alarms import (
    Acknowledged,
    Alarm,
    AlarmEvent,
    AlarmKind,
    AlarmRule,
    IllegalTransition,
    JournalEntry,
    Priority,
    Raised,
    Returned,
    Shelved,
    Unshelved,
    step,
)
from control_room.core.first_out import FirstOut, first_out, is_abnormal
from control_room.core.replay import Replay, ReplayRow
from tests.fakes import START

MEMBERS = frozenset({1, 2, 3})


class Board:
    """Alarms 1 to 4, of which the last belongs to no group; every step lasts a second."""

    def __init__(self) -> None:
        self.alarms = {rule_id: Alarm(rule_id) for rule_id in (1, 2, 3, 4)}
        self.journal: list[JournalEntry] = []
        self.seconds = 0

    def do(self, word: str) -> None:
        """'+1' raised, '+1@3' measured at 3 s, '-1' returned, 'a1' acknowledged, 's1' shelved, 'u1' taken back."""
        what, _, measured_s = word.partition("@")
        self.seconds += 1
        now = START + timedelta(seconds=float(measured_s or self.seconds))
        alarm = self.alarms[int(what[1])]
        events: dict[str, AlarmEvent] = {
            "+": Raised(now, 1.0, 0),
            "-": Returned(now, 0.0, 0),
            "a": Acknowledged(now, alarm.event_id, "ada"),
            "s": Shelved(now, now + timedelta(minutes=5), "ada", "work"),
            "u": Unshelved(now, "ada"),
        }
        self.alarms[alarm.rule_id], entry = step(alarm, events[what[0]])
        self.journal += [entry] if entry is not None else []


@pytest.mark.parametrize(
    ("words", "rule_id"),
    [
        ("", None),
        ("+4", None),
        ("+1", 1),
        ("+4 +2 +1", 2),
        # the mark stands until all are normal: gone and acknowledged
        ("+2 +1 -2 a2", 2),
        ("+2 +1 -2 a2 -1", 2),
        ("+2 +1 -2 a2 -1 a1", None),
        ("+2 +1 -2 a2 -1 a1 +1 +2", 1),
        # one that comes again while others stand is the first no more and no less than before
        ("+2 +1 -2 a2 +2", 2),
        ("+2 +1 -1 a1 +1", 2),
        # what was measured earlier came first, whenever it is told
        ("+2@10 +1@9.5", 1),
        ("+2@10 +1@10", 2),
        ("+2@10 +1@11 -2 a2 +2@20 +3@15", 2),
        # what is set aside neither holds the group nor leads it
        ("s2 +2 +1", 1),
        ("+2 s2 +1", 1),
        ("s2 +2 u2 +1", 2),
        ("s2 +2 +1 u2", 2),
    ],
)
def test_the_first_of_a_group(words: str, rule_id: int | None) -> None:
    board = Board()
    for word in words.split():
        board.do(word)
    found = first_out(MEMBERS, board.journal)
    assert (found and found.rule_id) == rule_id


def replayed(board: Board) -> list[Alarm]:
    """Return the alarms as a replay of the journal shows them."""
    rows = [
        ReplayRow(START + timedelta(seconds=number), entry, rule_of(entry.rule_id))
        for number, entry in enumerate(board.journal)
    ]
    replay = Replay(rows)
    replay.seek(START + timedelta(days=1))
    return list(replay.alarms.values())


def rule_of(rule_id: int) -> AlarmRule:
    return AlarmRule(rule_id, rule_id, AlarmKind.H, Priority.LOW, first_out_group="trip" if rule_id in MEMBERS else "")


def marked(alarms: list[Alarm]) -> FirstOut | None:
    """Return the one with the mark, which it keeps when it has returned while others stand."""
    found = [FirstOut(one.rule_id, one.first_out_time) for one in alarms if one.first_out_time is not None]
    assert len(found) <= 1
    return found[0] if found and any(is_abnormal(one.state) for one in alarms if one.rule_id in MEMBERS) else None


def test_a_jump_back_and_forth_shows_where_the_mark_was() -> None:
    board = Board()
    for word in ["+1@10", "+2@9", "-2", "a2", "-1", "a1", "+1@30"]:
        board.do(word)
    rows = [
        ReplayRow(START + timedelta(seconds=number), entry, rule_of(entry.rule_id))
        for number, entry in enumerate(board.journal)
    ]
    replay = Replay(rows)
    for number, rule_id in ((0, 1), (1, 2), (0, 1), (6, 1), (3, 2)):
        changed = replay.seek(START + timedelta(seconds=number))
        assert changed == {1, 2} or number == 0
        assert [one.rule_id for one in replay.alarms.values() if one.first_out_time is not None] == [rule_id]


WORDS = st.tuples(st.sampled_from("++--aaasu"), st.integers(1, 4), st.floats(-3, 0)).map(tuple)


@given(st.lists(WORDS, max_size=40))
def test_there_is_one_while_any_is_abnormal_and_only_a_reset_or_an_earlier_one_changes_it(
    words: list[tuple[str, int, float]],
) -> None:
    board = Board()
    before: FirstOut | None = None
    for sign, number, late_s in words:
        late = f"@{board.seconds + 1 + late_s}" if sign == "+" else ""
        try:
            board.do(f"{sign}{number}{late}")
        except IllegalTransition:
            continue
        found = first_out(MEMBERS, board.journal)
        assert found == marked(replayed(board))
        assert (found is not None) == any(is_abnormal(board.alarms[one].state) for one in MEMBERS)
        if before is not None and found is not None and found != before:
            assert found.time < before.time
        before = found
