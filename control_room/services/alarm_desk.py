"""The alarm desk: judges every sample by the rules of its tag and records what changes."""

import asyncio
import heapq
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from control_room.core.alarms import (
    Alarm,
    AlarmEvent,
    AlarmRule,
    IllegalTransition,
    JournalEntry,
    Raised,
    Returned,
    step,
)
from control_room.core.conditions import Condition, judge, settle
from control_room.core.errors import PASSING
from control_room.core.ports import AlarmStore
from control_room.core.samples import Sample
from control_room.services.tasks import Commit

log = logging.getLogger(__name__)

RETRY_S = 1.0
ACKNOWLEDGEMENTS = timedelta(seconds=0.5)


class AlarmDesk:
    """Owns the state of every alarm; the database holds the same, one commit behind."""

    def __init__(self, store: AlarmStore, clock: Callable[[], datetime]) -> None:
        """Start without rules; `clock` returns aware UTC."""
        self._store = store
        self._clock = clock
        self._rules: dict[int, AlarmRule] = {}
        self._rules_by_tag: dict[int, tuple[AlarmRule, ...]] = {}
        self._conditions: dict[int, Condition] = {}
        self._alarms: dict[int, Alarm] = {}
        self._due: list[tuple[datetime, int]] = []
        self._changes: deque[tuple[Alarm, JournalEntry]] = deque()
        self._changed = asyncio.Event()
        self._commit = Commit[None]()
        self._journal_id = 0
        self._learned = clock()
        self.raised = 0
        self.trouble = ""

    async def load(self) -> None:
        """Take over the alarms as the store knows them: what stands there is not announced again."""
        self._alarms = {alarm.rule_id: alarm for alarm in await self._store.read_alarms()}
        self._conditions = {
            alarm.rule_id: Condition(is_active=True, is_raw=True) for alarm in self._alarms.values() if alarm.is_active
        }
        _, self._journal_id = await self._store.read_acknowledgements(-1)

    def use_rules(self, rules: Iterable[AlarmRule]) -> None:
        """Judge by `rules` from now on; the alarm of a rule that is gone returns to normal."""
        by_tag: defaultdict[int, list[AlarmRule]] = defaultdict(list)
        self._rules = {rule.id: rule for rule in rules}
        for rule in self._rules.values():
            by_tag[rule.tag_id].append(rule)
        self._rules_by_tag = {tag_id: tuple(of_tag) for tag_id, of_tag in by_tag.items()}
        for rule_id in self._conditions.keys() - self._rules.keys():
            condition = self._conditions.pop(rule_id)
            if condition.is_active:
                self._step(rule_id, Returned(self._clock(), None, 0))

    @property
    def active(self) -> int:
        """Return how many alarms are active now."""
        return sum(alarm.is_active for alarm in self._alarms.values())

    def take(self, samples: Sequence[Sample]) -> None:
        """Judge samples in order; what changes is recorded by run()."""
        rules_by_tag, conditions = self._rules_by_tag, self._conditions
        for sample in samples:
            for rule in rules_by_tag.get(sample.tag_id, ()):
                before = conditions.get(rule.id, _NORMAL)
                after, events = judge(rule, before, sample)
                if after is not before:
                    self._accept(rule.id, after, events)

    def _accept(self, rule_id: int, condition: Condition, events: Iterable[AlarmEvent]) -> None:
        self._conditions[rule_id] = condition
        if condition.due is not None:
            heapq.heappush(self._due, (condition.due, rule_id))
            self._changed.set()
        for event in events:
            self._step(rule_id, event)

    def _settle_due(self) -> None:
        now = self._clock()
        while self._due and self._due[0][0] <= now:
            _, rule_id = heapq.heappop(self._due)
            condition, event = settle(self._conditions.get(rule_id, _NORMAL), now)
            if event is not None:
                self._accept(rule_id, condition, [event])

    def _step(self, rule_id: int, event: AlarmEvent) -> None:
        alarm, entry = step(self._alarms.get(rule_id) or Alarm(rule_id), event)
        self._alarms[rule_id] = alarm
        if entry is not None:
            self._changes.append((alarm, entry))
            self.raised += isinstance(event, Raised)
            self._changed.set()

    async def run(self) -> None:
        """Record changes, let delays run out and learn of acknowledgements until cancelled."""
        while True:
            self._changed.clear()
            self._settle_due()
            if not await self._record():
                await asyncio.sleep(RETRY_S)
                continue
            if self._clock() >= self._learned + ACKNOWLEDGEMENTS:
                await self._learn_acknowledgements()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), self._pause_s())

    def _pause_s(self) -> float:
        wake = self._learned + ACKNOWLEDGEMENTS
        if self._due:
            wake = min(wake, self._due[0][0])
        return max(0.01, (wake - self._clock()).total_seconds())

    async def flush(self) -> bool:
        """Settle what is due and record it; return False when the database did not take it."""
        self._settle_due()
        return await self._record()

    async def _record(self) -> bool:
        try:
            while self._commit.is_running or self._changes:
                await self._commit.run(self._commit_changes)
        except PASSING as fault:
            self._report_trouble(str(fault))
            return False
        self._report_trouble("")
        return True

    def _report_trouble(self, trouble: str) -> None:
        if trouble and not self.trouble:
            log.warning("Alarms cannot be recorded: %s They are kept in memory meanwhile.", trouble)
        if self.trouble and not trouble:
            log.info("Alarms are recorded again.")
        self.trouble = trouble

    async def _commit_changes(self) -> None:
        changes = list(self._changes)
        await self._store.record(changes)
        for _ in changes:
            self._changes.popleft()

    async def _learn_acknowledgements(self) -> None:
        self._learned = self._clock()
        try:
            acknowledgements, self._journal_id = await self._store.read_acknowledgements(self._journal_id)
        except PASSING:
            return
        for rule_id, acknowledged in acknowledgements:
            try:
                # the database wrote the journal row when it took the acknowledgement
                self._alarms[rule_id], _ = step(self._alarms[rule_id], acknowledged)
            except (KeyError, IllegalTransition) as fault:
                log.info("Acknowledgement of alarm %d came late: %s", rule_id, fault)


_NORMAL = Condition()
