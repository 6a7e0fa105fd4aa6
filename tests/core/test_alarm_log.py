"""A recorded alarm log through the state machine: the figures agree with a computation from the log's lines alone."""

import csv
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from control_room.core.alarm_kpis import Deed, Events, Kpis, kpis
from control_room.core.alarms import Alarm, AlarmKind, AlarmRule, Happening, Priority, Raised, Returned, step

LOG = Path(__file__).parent.parent / "data" / "alarm_log.csv"
Line = tuple[datetime, str, bool]


def lines() -> list[Line]:
    """Return the log: when, which alarm (tag and limit), and whether it became abnormal."""
    with LOG.open(newline="", encoding="utf-8") as file:
        return [
            (
                datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC),
                f"{row['tag']} {row['type'].removesuffix(' NR')}",
                not row["type"].endswith(" NR"),
            )
            for row in csv.DictReader(file)
        ]


def names(log: list[Line]) -> list[str]:
    return sorted({name for _, name, _ in log})


def stepped(log: list[Line]) -> tuple[Kpis, set[str]]:
    """Return the figures of what the state machine makes of the log, and the alarms that stand at its end."""
    known = {name: number for number, name in enumerate(names(log), start=1)}
    alarms = {number: Alarm(number) for number in known.values()}
    rows = []
    for time, name, is_abnormal in log:
        number = known[name]
        event = Raised(time, 1.0, 0) if is_abnormal else Returned(time, 1.0, 0)
        alarms[number], entry = step(alarms[number], event, AlarmRule(number, 1, AlarmKind.H, Priority.HIGH))
        if entry is not None:
            deed = Deed.ANNOUNCED if entry.happening is Happening.RAISED else Deed.RETURNED
            rows.append((time.timestamp(), number, entry.event_id, deed, int(Priority.HIGH)))
    columns = list(zip(*rows, strict=True))
    events = Events(np.array(columns[0], np.float64), *(np.array(one, np.int64) for one in columns[1:]))
    found = kpis(events, log[0][0].timestamp(), log[-1][0].timestamp() + 1)
    return found, {name for name, number in known.items() if alarms[number].is_active}


def test_the_figures_of_a_recorded_log_agree_with_its_lines() -> None:
    log = lines()
    found, standing = stepped(log)
    is_on: dict[str, bool] = {}
    told: dict[str, list[datetime]] = defaultdict(list)
    for time, name, is_abnormal in log:
        if is_abnormal and not is_on.get(name, False):
            told[name].append(time)
        is_on[name] = is_abnormal
    known = names(log)
    assert found.announced == sum(map(len, told.values()))
    assert {known[rule - 1]: count for rule, count in found.counts.items()} == {
        one: len(at) for one, at in told.items()
    }
    assert standing == {name for name, on in is_on.items() if on}
    chatters = {
        name
        for name, at in told.items()
        if any((later - first).total_seconds() <= 60 for first, later in zip(at, at[2:], strict=False))
    }
    assert {known[rule - 1] for rule in found.chattering} == chatters
    per_bin = Counter(int(time.timestamp()) // 600 for at in told.values() for time in at)
    first = min(per_bin)
    assert found.bins.tolist() == [per_bin[first + number] for number in range(len(found.bins))]
    assert {(one.begin_s, one.end_s) for one in found.floods} == floods(per_bin, first, len(found.bins))


def floods(per_bin: Counter[int], first: int, count: int) -> set[tuple[float, float]]:
    """Return when floods began and ended, by a walk over the bins: above ten it begins, below five it ends."""
    found, begin = set(), None
    for number in range(first, first + count):
        if begin is None and per_bin[number] >= 11:
            begin = number
        elif begin is not None and per_bin[number] <= 4:
            found.add((begin * 600.0, number * 600.0))
            begin = None
    return found if begin is None else found | {(begin * 600.0, (first + count) * 600.0)}
