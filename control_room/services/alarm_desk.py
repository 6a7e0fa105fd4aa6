"""The alarm desk: judges every sample by the rules of its tag, watches causes of suppressions, and records what changes."""

import asyncio
import heapq
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from control_room.core.alarms import (
    PAIRED,
    AlarmKind,
    AlarmRule,
    Corrected,
    ProcessChange,
    ProcessEvent,
    Raised,
    Returned,
)
from control_room.core.conditions import Condition, begin_silence, judge, settle
from control_room.core.errors import PASSING
from control_room.core.lateness import Known, follow
from control_room.core.onset import JUDGED, Onset, look_back
from control_room.core.ports import AlarmStore, ChangeKeeper
from control_room.core.rules.bad_quality import trusted_value
from control_room.core.samples import Sample
from control_room.core.suppression import CauseChange, Suppression
from control_room.services.tasks import Commit

log = logging.getLogger(__name__)

RETRY_S = 1.0
PASSING_TIME = timedelta(seconds=1.0)


class AlarmDesk:
    """Owns the condition of every rule and tells what it does; what becomes of the alarm is decided by the database."""

    def __init__(self, store: AlarmStore, clock: Callable[[], datetime], keeper: ChangeKeeper | None = None) -> None:
        """Start without rules; `clock` returns aware UTC. `keeper` has what is not recorded yet; without one memory alone has."""
        self._store = store
        self._keeper = keeper
        self._clock = clock
        self._rules: dict[int, AlarmRule] = {}
        self._rules_by_tag: dict[int, tuple[AlarmRule, ...]] = {}
        self._conditions: dict[int, Condition] = {}
        # how often the process changed an alarm, and how often a cause came or went
        self._numbers: dict[int, int] = {}
        self._causes: dict[int, int] = {}
        self._suppressions: dict[int, Suppression] = {}
        self._caused_by: dict[int, tuple[int, ...]] = {}
        # of tags that are judged together with others, the newest value as far as it may be trusted
        self._values: dict[int, float] = {}
        self._compared: frozenset[int] = frozenset()
        # when the newest of each tag was measured: what is older is history
        self._known: dict[int, Known] = {}
        # of rules whose condition holds: when it began, as far as late data may tell
        self._onsets: dict[int, Onset] = {}
        self._due: list[tuple[datetime, int]] = []
        # of each rule in that heap, when it is looked at next: a delay that begins anew needs no second place
        self._awaited: dict[int, datetime] = {}
        self._changes: deque[ProcessChange | CauseChange] = deque()
        self._changed = asyncio.Event()
        self._commit = Commit[None]()
        self._looked = clock()
        self.raised = 0
        self.late = 0
        self.trouble = ""

    async def load(self) -> None:
        """Take over alarms and causes as the store knows them: what stands there is not announced again."""
        known, causes = await self._store.read_alarms(), await self._store.read_causes()
        self._numbers = {alarm.rule_id: alarm.process_number for alarm in known}
        self._causes = {one.suppression_id: one.number for one in causes}
        active = [alarm.rule_id for alarm in known if alarm.is_active]
        active += [-one.suppression_id for one in causes if one.is_there]
        self._conditions = {rule_id: Condition(is_active=True, is_raw=True) for rule_id in active}

    def use_rules(self, rules: Iterable[AlarmRule], suppressions: Iterable[Suppression] = ()) -> None:
        """Judge by `rules` and watch the causes of `suppressions` from now on; the alarm of a rule that is gone or disabled
        returns to normal, and so does a cause."""
        by_tag: defaultdict[int, list[AlarmRule]] = defaultdict(list)
        self._suppressions = {one.id: one for one in suppressions}
        former = self._rules
        # a cause is judged before the alarms of its own tag: what follows from a sample is known before it is announced
        watches = [watch for one in self._suppressions.values() if (watch := one.watch()) is not None]
        self._rules = {rule.id: rule for rule in [*watches, *(rule for rule in rules if not rule.is_disabled)]}
        self._onsets = {key: one for key, one in self._onsets.items() if self._rules.get(key) == former.get(key)}
        compared: set[int] = set()
        for rule in self._rules.values():
            judged_by = _judged_by(rule)
            for tag_id in judged_by:
                by_tag[tag_id].append(rule)
            if rule.kind in PAIRED or rule.kind is AlarmKind.EXPRESSION:
                # the own value too: the board says it as the alarm comes
                compared.update(judged_by, (rule.tag_id,))
        self._compared = frozenset(compared)
        self._values = {tag_id: value for tag_id, value in self._values.items() if tag_id in self._compared}
        self._rules_by_tag = {tag_id: tuple(of_tag) for tag_id, of_tag in by_tag.items()}
        for rule_id in self._conditions.keys() - self._rules.keys():
            condition = self._conditions.pop(rule_id)
            known = self._suppressions.get(-rule_id)
            # a cause that is an alarm has no condition of its own
            if condition.is_active and (known is None or known.rule_id is None):
                self._tell(rule_id, Returned(self._clock(), None, 0))
        self._watch_alarms()
        for rule in self._rules.values():
            if rule.kind is AlarmKind.STALE and rule.id not in self._conditions:
                self._accept(rule.id, begin_silence(rule, self._clock()), ())

    def _watch_alarms(self) -> None:
        """Let alarms that are causes be known as what they are now."""
        caused_by: defaultdict[int, list[int]] = defaultdict(list)
        for one in self._suppressions.values():
            if one.rule_id is not None:
                caused_by[one.rule_id].append(one.id)
        self._caused_by = {rule_id: tuple(ids) for rule_id, ids in caused_by.items()}
        for rule_id, ids in self._caused_by.items():
            for number in ids:
                self._tell_cause(number, self._is_active(rule_id), self._clock())
        for one in self._suppressions.values():
            # its alarm is in the configuration no more
            if one.rule_id is None and one.tag_id is None:
                self._tell_cause(one.id, False, self._clock())

    def _is_active(self, rule_id: int) -> bool:
        return self._conditions.get(rule_id, _NORMAL).is_active

    @property
    def active(self) -> int:
        """Return how many conditions hold now, whether anybody is told of them or not."""
        return sum(condition.is_active for rule_id, condition in self._conditions.items() if rule_id > 0)

    def take(self, samples: Sequence[Sample]) -> None:
        """Judge samples in order, but for late ones; what changes is recorded by run()."""
        rules_by_tag, conditions, compared, values = self._rules_by_tag, self._conditions, self._compared, self._values
        for sample in samples:
            known = self._known.get(sample.tag_id)
            if self._is_late(sample):
                self._look_back(sample)
                continue
            if sample.tag_id in compared:
                self._remember(sample)
            for rule in rules_by_tag.get(sample.tag_id, ()):
                before = conditions.get(rule.id, _NORMAL)
                after, events = judge(rule, before, sample, values.get)
                if after is not before:
                    if after.is_raw and not (before.is_raw or before.is_active) and rule.kind in JUDGED:
                        self._begin_onset(rule.id, after, known)
                    self._accept(rule.id, after, events)

    def _begin_onset(self, rule_id: int, condition: Condition, known: Known | None) -> None:
        self._onsets.pop(rule_id, None)
        if rule_id > 0 and known is not None and condition.changed is not None:
            first = Corrected(condition.changed, condition.value, condition.quality)
            self._onsets[rule_id] = Onset(known.time, first, first.time)

    def _look_back(self, sample: Sample) -> None:
        for rule in self._rules_by_tag.get(sample.tag_id, ()):
            if (onset := self._onsets.get(rule.id)) is not None and self._conditions.get(rule.id, _NORMAL).is_raw:
                self._onsets[rule.id] = look_back(rule, onset, sample)
                self._correct(rule.id)

    def _correct(self, rule_id: int) -> None:
        """Tell when an alarm that stands began, where that is not what was told."""
        onset = self._onsets.get(rule_id)
        if onset is not None and onset.event.time != onset.told and self._is_active(rule_id):
            self._onsets[rule_id] = replace(onset, told=onset.event.time)
            self._note(rule_id, onset.event)

    def know(self, samples: Iterable[Sample]) -> None:
        """Take note of when values of before this desk began were measured: what is older is history also for this one."""
        for sample in samples:
            after, _ = follow(self._known.get(sample.tag_id), sample)
            if after is not None:
                self._known[sample.tag_id] = after

    def _is_late(self, sample: Sample) -> bool:
        before = self._known.get(sample.tag_id)
        after, is_late = follow(before, sample)
        if after is not None and after is not before:
            self._known[sample.tag_id] = after
        self.late += is_late
        return is_late

    def _remember(self, sample: Sample) -> None:
        value = trusted_value(sample)
        if value is None:
            # compared with an old one, what is trusted could end an alarm that still holds
            self._values.pop(sample.tag_id, None)
        else:
            self._values[sample.tag_id] = value

    def _accept(self, rule_id: int, condition: Condition, events: Iterable[ProcessEvent]) -> None:
        self._conditions[rule_id] = condition
        if condition.due is not None:
            self._await(rule_id, condition.due)
        for event in events:
            self._tell(rule_id, event)
        self._correct(rule_id)

    def _await(self, rule_id: int, due: datetime) -> None:
        awaited = self._awaited.get(rule_id)
        if awaited is None or due < awaited:
            self._awaited[rule_id] = due
            heapq.heappush(self._due, (due, rule_id))
            self._changed.set()

    def _settle_due(self) -> None:
        now = self._clock()
        while self._due and self._due[0][0] <= now:
            at, rule_id = heapq.heappop(self._due)
            if self._awaited.get(rule_id) == at:
                del self._awaited[rule_id]
            condition, event = settle(self._conditions.get(rule_id, _NORMAL), now)
            if event is not None:
                self._accept(rule_id, condition, [event])
            elif condition.due is not None:
                self._await(rule_id, condition.due)

    def _tell(self, rule_id: int, event: ProcessEvent) -> None:
        is_there = isinstance(event, Raised)
        if rule_id < 0:
            self._tell_cause(-rule_id, is_there, event.time)
            return
        # what suppresses others is told first
        for number in self._caused_by.get(rule_id, ()):
            self._tell_cause(number, is_there, event.time)
        self.raised += is_there
        self._note(rule_id, event)

    def _note(self, rule_id: int, event: ProcessEvent) -> None:
        # an odd number: the condition holds, and a correction leaves it so
        more = 2 if isinstance(event, Corrected) else 1
        number = self._numbers[rule_id] = self._numbers.get(rule_id, 0) + more
        self._add(ProcessChange(rule_id, number, event))

    def _tell_cause(self, suppression_id: int, is_there: bool, time: datetime) -> None:
        before = self._causes.get(suppression_id, 0)
        if (before % 2 == 1) is not is_there:
            self._causes[suppression_id] = before + 1
            self._add(CauseChange(suppression_id, before + 1, time))

    def _add(self, change: ProcessChange | CauseChange) -> None:
        self._changes.append(change)
        if self._keeper is not None:
            self._keeper.keep(change)
        self._changed.set()

    async def run(self) -> None:
        """Record changes, let delays run out and tell the store that time passes, until cancelled."""
        while True:
            self._changed.clear()
            self._settle_due()
            if not await self._record():
                await asyncio.sleep(RETRY_S)
                continue
            if self._clock() >= self._looked + PASSING_TIME:
                await self._pass_time()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), self._pause_s())

    def _pause_s(self) -> float:
        wake = self._looked + PASSING_TIME
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
        if self._keeper is not None and not self._changes:
            self._keeper.forget()

    async def _pass_time(self) -> None:
        self._looked = self._clock()
        # a database that is away does what is due when it is back
        with suppress(*PASSING):
            await self._store.pass_time()


def _judged_by(rule: AlarmRule) -> tuple[int, ...]:
    """Return the tags whose samples say whether the rule's condition holds."""
    if rule.kind is AlarmKind.EXPRESSION:
        return rule.inputs
    if rule.kind in PAIRED and rule.other_tag_id not in (None, rule.tag_id):
        return (rule.tag_id, rule.other_tag_id)
    return (rule.tag_id,)


_NORMAL = Condition()
