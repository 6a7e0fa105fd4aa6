"""The figures of now: areas, load, floods, what stands and what is set aside, and the columns that grow."""

from datetime import timedelta

import numpy as np

from control_room.core import live_figures as figures_of_now
from control_room.core.alarm_kpis import DAY_S, Deed, Events
from control_room.core.alarms import Alarm, AlarmState, Priority, Shelving
from control_room.core.kpi_targets import Verdict, live_figures
from control_room.core.live_figures import EVERYTHING, Picture, places_of
from tests.fakes import START

NOW_S = START.timestamp()
AREAS = {1: (1, "Hill"), 2: (1, "Dale"), 3: (2, "Hill")}


def events(*rows: tuple[float, int, int, Deed]) -> Events:
    """Return rows (seconds before now, rule, occurrence, deed) of priority 1."""
    made = sorted((NOW_S - ago, rule, occurrence, deed) for ago, rule, occurrence, deed in rows)
    columns = list(zip(*made, strict=True)) or [(), (), (), ()]
    rule, occurrence, deed = (np.array(one, np.int64) for one in columns[1:])
    return Events(np.array(columns[0], np.float64), rule, occurrence, deed, np.ones(len(made), np.int64))


def picture(told: Events, *alarms: Alarm) -> Picture:
    return figures_of_now.picture(NOW_S, told, alarms, places_of(AREAS))


def test_each_area_counts_its_own() -> None:
    old = START - timedelta(days=2)
    shelving = Shelving(START, START + timedelta(hours=1), "ada", "test")
    found = picture(
        events(*((60.0 + number, 1, number, Deed.ANNOUNCED) for number in range(11)), (30.0, 3, 1, Deed.ANNOUNCED)),
        Alarm(1, True, True, 11, old),
        Alarm(2, True, True, 1, START, shelving=shelving),
        Alarm(3, False, False, 1, START),
        Alarm(99, True, False, 1, START),
    )
    rows = {one.area: one for one in found.overview()}
    assert list(rows) == [EVERYTHING, (1, ""), (1, "Dale"), (1, "Hill"), (2, ""), (2, "Hill")]
    assert [rows[area].load.count for area in rows] == [12, 11, 0, 11, 1, 1]
    assert [rows[area].load.flood_since is not None for area in rows] == [True, True, False, True, False, False]
    # what nobody knows the place of counts in everything
    assert [(one.standing, one.stale, one.shelved) for one in rows.values()] == [
        (2, 1, 1), (1, 1, 1), (0, 0, 1), (1, 1, 0), (0, 0, 0), (0, 0, 0),
    ]  # fmt: skip


def test_figures_of_an_area_against_their_targets() -> None:
    found = picture(
        events(
            *((3_600.0 + number, 1, number, Deed.ANNOUNCED) for number in range(4)),
            (3_000.0, 1, 0, Deed.ACKNOWLEDGED),
            (50.0, 3, 1, Deed.ANNOUNCED),
        ),
        Alarm(1, True, True, 11, START),
    )
    here, [everything, *_] = found.figures((1, "")), found.overview()
    assert (here.announced, here.top, here.end_s - here.begin_s) == (4, ((1, 4),), DAY_S)
    told = {one.title: one for one in live_figures(here, everything.load)}
    assert told["Alarms in the last 10 min"].value == "1"
    assert told["Flood"].verdict is Verdict.GOOD
    assert (told["Chattering alarms"].value, told["Chattering alarms"].verdict) == ("1", Verdict.ACT)
    assert told["Acknowledged, priority 1, median"].verdict is Verdict.ACT
    assert found.figures((2, "Hill")).announced == 1
    assert here.priorities[Priority.HIGHEST] == 4


def test_nothing_is_no_fault() -> None:
    found = picture(events())
    assert found.overview()[0].area == EVERYTHING
    empty = found.figures(EVERYTHING)
    assert empty.announced == 0
    assert list(live_figures(empty, found.overview()[0].load))
    assert empty.aside.get(AlarmState.SHELVED, 0) == 0


def test_columns_grow_by_what_is_read_again() -> None:
    before = events((100.0, 1, 1, Deed.ANNOUNCED), (50.0, 2, 1, Deed.ANNOUNCED), (10.0, 3, 1, Deed.ANNOUNCED))
    again = events((10.0, 3, 1, Deed.ANNOUNCED), (5.0, 1, 2, Deed.ANNOUNCED))
    grown = before.followed_by(again, NOW_S - 60, NOW_S - 20)
    assert grown.rule.tolist() == [2, 3, 1]
    assert grown.occurrence.tolist() == [1, 1, 2]
