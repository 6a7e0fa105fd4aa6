"""A higher limit of the same tag is an alarm of its own: what was acknowledged stays so, what is worse is announced.

Row 12 of the transitions (ISA-18.2: an escalation is heard): the lower limit's alarm is not announced again beside it,
which would be two alarms for one thing.
"""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from control_room.core.alarms import AlarmKind, AlarmRule, AlarmState, Priority
from control_room.services.alarm_desk import AlarmDesk
from tests.fakes import FakeAlarmStore, FakeClock, sample

HIGH = AlarmRule(1, 10, AlarmKind.H, Priority.MEDIUM, 5.0, 1.0)
HIGHEST = AlarmRule(2, 10, AlarmKind.HH, Priority.HIGHEST, 8.0, 1.0)
S = AlarmState


class Board:
    """A desk with both limits, fed with a value at a time."""

    def __init__(self) -> None:
        self.store, self.clock = FakeAlarmStore(), FakeClock()
        self.desk = AlarmDesk(self.store, self.clock)
        self.desk.use_rules([HIGH, HIGHEST])

    async def comes(self, value: float) -> tuple[AlarmState, AlarmState]:
        """Return the states of both limits after the value."""
        self.desk.take([sample(10, value)])
        await self.desk.flush()
        return self.state(1), self.state(2)

    def state(self, rule_id: int) -> AlarmState:
        alarm = self.store.alarms.get(rule_id)
        return alarm.state if alarm else S.NORMAL

    def acknowledge(self, rule_id: int) -> None:
        self.store.acknowledge(rule_id, "ada", self.clock.now)


async def test_the_higher_limit_is_announced_though_the_lower_was_acknowledged() -> None:
    board = Board()
    assert await board.comes(6.0) == (S.UNACKNOWLEDGED, S.NORMAL)
    board.acknowledge(1)
    assert await board.comes(9.0) == (S.ACKNOWLEDGED, S.UNACKNOWLEDGED)
    board.acknowledge(2)
    # back below the higher limit: nothing is announced, the lower still stands
    assert await board.comes(6.0) == (S.ACKNOWLEDGED, S.NORMAL)
    assert await board.comes(9.0) == (S.ACKNOWLEDGED, S.UNACKNOWLEDGED)
    assert [board.store.alarms[rule_id].event_id for rule_id in (1, 2)] == [1, 2]
    assert await board.comes(1.0) == (S.NORMAL, S.RETURNED)


async def test_a_jump_past_both_announces_both() -> None:
    board = Board()
    assert await board.comes(9.0) == (S.UNACKNOWLEDGED, S.UNACKNOWLEDGED)
    board.acknowledge(1)
    assert board.state(2) is S.UNACKNOWLEDGED


@given(st.lists(st.tuples(st.integers(0, 10).map(float), st.sampled_from([0, 1])), max_size=20))
def test_an_acknowledgement_of_the_lower_never_hides_the_higher(steps: list[tuple[float, int]]) -> None:
    """After each value the lower is acknowledged or not; the higher never is."""

    async def play() -> None:
        board = Board()
        for value, is_acknowledged in steps:
            _, highest = await board.comes(value)
            if is_acknowledged and board.state(1) in (S.UNACKNOWLEDGED, S.RETURNED):
                board.acknowledge(1)
            assert value < HIGHEST.limit or highest is S.UNACKNOWLEDGED
            assert board.state(2) is highest

    asyncio.run(play())
