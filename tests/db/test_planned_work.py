"""Planned work and suppressions in the database: two seats, a collector that is away, an import in the middle."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from control_room.core.alarms import AlarmKind
from control_room.core.errors import BadOption, Refused
from control_room.core.plant import Plant, PlantConsequence, PlantSuppression
from control_room.core.samples import GOOD, Sample
from control_room.services.alarm_desk import AlarmDesk
from db.alarm_journal import disable, enable, shelve, unshelve
from db.embedded import EmbeddedServer
from db.people import open_person
from db.planned_work import WorkPlace, begin_work, end_work, extend_work, read_places, read_works
from db.stores import PostgresAlarmStore
from db.tag_store import import_plant, read_configuration
from db.worker import DatabaseThread
from tests.db.people import count_ids, make
from tests.fakes import FakeClock
from tests.plants import plant

# tank 1 has the rules 1 to 3, tank 2 4 to 6, and so on; the last rule is of the connection
TANK_1, HILL, EVERYTHING = WorkPlace(1, 4), WorkPlace(1, 2), WorkPlace(1)
RULES_OF_TANK_1 = (1, 2, 3)
BY_LEVEL = PlantSuppression(
    "tank 1 is empty",
    "Tank 1 is empty",
    "T1.level",
    AlarmKind.L,
    (PlantConsequence(tag="T2.level", kinds=(AlarmKind.L,)),),
    is_alarm=True,
    delay_s=60.0,
)


@pytest.fixture
def seats(server: EmbeddedServer, database: str, owner: Engine) -> Iterator[dict[str, Engine]]:
    """Return the engines of an operator and a supervisor of a plant."""
    with owner.begin() as connection:
        count_ids(connection)
        import_plant(connection, plant())
        assets = {place.name: place.asset_id for place in read_places(connection)}
    assert (assets["Tank 1"], assets["Hill"]) == (TANK_1.asset_id, HILL.asset_id)
    urls = {login: make(server, database, login, (role, None)) for login, role in PEOPLE.items()}
    engines = {login: open_person(url, f"desk of {login}") for login, url in urls.items()}
    yield engines
    for engine in engines.values():
        engine.dispose()


PEOPLE = {"ada": "operator", "sam": "supervisor", "vic": "viewer"}


def begin(seats: dict[str, Engine], who: str = "ada", place: WorkPlace = TANK_1, **more: Any) -> str:
    asked: dict[str, Any] = {
        "begin_time": None,
        "minutes": 60,
        "work_order": "WO 17",
        "reason": "valve is exchanged",
        **more,
    }
    with seats[who].begin() as connection:
        return begin_work(connection, place, **asked)


def works(seats: dict[str, Engine], who: str = "ada") -> list[int]:
    with seats[who].begin() as connection:
        return [one.id for one in read_works(connection)]


def raise_alarm(collector: Engine, rule_id: int, number: int, happening: str = "raised") -> None:
    call = "SELECT record_process(ARRAY[:id], ARRAY[:number ::bigint], ARRAY[:what], ARRAY[now()], ARRAY[1.0 ::float8], ARRAY[0])"
    with collector.begin() as connection:
        connection.execute(text(call), {"id": rule_id, "number": number, "what": happening})


def pass_time(collector: Engine) -> int:
    with collector.begin() as connection:
        return int(connection.execute(text("SELECT pass_time()")).scalar_one())


def states(owner: Engine) -> dict[int, str]:
    with owner.connect() as connection:
        rows = connection.execute(text("SELECT rule_id, alarm_state(a) FROM alarm AS a ORDER BY 1"))
        return {rule_id: state for rule_id, state in rows if state != "NORM"}


def journal(owner: Engine, rule_id: int = 1) -> list[tuple[str, str, str, str]]:
    asked = "SELECT happening, trigger, person, comment FROM alarm_journal WHERE rule_id = :id ORDER BY id"
    with owner.connect() as connection:
        return [tuple(row) for row in connection.execute(text(asked), {"id": rule_id})]


def audited(owner: Engine) -> list[tuple[str, str, bool]]:
    asked = "SELECT action, person, is_done FROM audit WHERE action LIKE '%work' ORDER BY id"
    with owner.connect() as connection:
        return [tuple(row) for row in connection.execute(text(asked))]


def let_pass(owner: Engine, column: str, hours: int = 2) -> None:
    with owner.begin() as connection:
        connection.execute(text(f"UPDATE planned_work SET {column} = {column} - make_interval(hours => {hours})"))


def test_what_is_worked_on_annunciates_nothing_and_is_asked_again_at_the_end(
    seats: dict[str, Engine], collector: Engine, owner: Engine
) -> None:
    raise_alarm(collector, 1, 1)
    assert begin(seats) == "Begun: 3 alarms are held."
    raise_alarm(collector, 2, 1)
    assert states(owner) == dict.fromkeys(RULES_OF_TANK_1, "SHLVD")
    [work] = works(seats)
    with seats["ada"].begin() as connection:
        assert end_work(connection, work, "done") == "Ended."
    # those that are still abnormal are announced as new
    assert states(owner) == {1: "UNACK", 2: "UNACK"}
    assert journal(owner) == [
        ("raised", "process", "", ""),
        ("work_begun", "operator", "ada", "valve is exchanged"),
        ("work_ended", "operator", "ada", "done"),
    ]
    assert audited(owner) == [("begin_work", "ada", True), ("end_work", "ada", True)]
    with owner.connect() as connection:
        assert connection.execute(text("SELECT event_id FROM alarm WHERE rule_id = 1")).scalar() == 2
    with seats["ada"].connect() as connection:
        assert connection.execute(text("SELECT sum(many) FROM read_announced('-infinity')")).scalar() == 3


def test_two_seats_begin_one_work_and_end_it_once(seats: dict[str, Engine], owner: Engine) -> None:
    def answer(who: str) -> str:
        try:
            return begin(seats, who)
        except Refused as fault:
            return str(fault)

    with ThreadPoolExecutor(2) as pool:
        first, second = sorted(pool.map(answer, ("ada", "sam")))
    assert first == "Begun: 3 alarms are held."
    assert "planned work there for that time already: valve is exchanged" in second
    [work] = works(seats)

    def end(who: str) -> str:
        try:
            with seats[who].begin() as connection:
                return end_work(connection, work, "")
        except Refused as fault:
            return str(fault)

    with ThreadPoolExecutor(2) as pool:
        first, second = sorted(pool.map(end, ("ada", "sam")))
    assert first == "Ended."
    assert second.endswith("ended it already.")
    assert [one[0] for one in journal(owner)] == ["work_begun", "work_ended"]


def test_an_end_that_passed_while_the_collector_was_away(
    seats: dict[str, Engine], collector: Engine, owner: Engine
) -> None:
    begin(seats)
    raise_alarm(collector, 1, 1)
    let_pass(owner, "end_time")
    # nobody looks; a seat that comes late is not first
    assert states(owner)[1] == "SHLVD"
    assert pass_time(collector) == 3
    assert pass_time(collector) == 0
    assert states(owner) == {1: "UNACK"}
    assert journal(owner)[-1] == ("work_ended", "timer", "", "The time ran out.")
    assert works(seats) == []
    assert audited(owner)[-1] == ("end_work", "collector", True)


def test_work_for_later_begins_by_the_clock_and_may_be_called_off(
    seats: dict[str, Engine], collector: Engine, owner: Engine
) -> None:
    soon = datetime.now(UTC) + timedelta(hours=2)
    assert begin(seats, begin_time=soon) == "Planned."
    assert pass_time(collector) == 0
    assert states(owner) == {}
    let_pass(owner, "begin_time")
    assert pass_time(collector) == 3
    assert set(states(owner).values()) == {"SHLVD"}
    [work] = works(seats)
    with seats["ada"].begin() as connection:
        end_work(connection, work, "")
    later = datetime.now(UTC) + timedelta(hours=2)
    begin(seats, begin_time=later)
    [work] = works(seats)
    with seats["ada"].begin() as connection:
        end_work(connection, work, "called off")
    let_pass(owner, "begin_time")
    assert pass_time(collector) == 0


def test_work_that_was_over_before_anybody_looked_never_began(
    seats: dict[str, Engine], collector: Engine, owner: Engine
) -> None:
    begin(seats, begin_time=datetime.now(UTC) + timedelta(hours=1))
    for column in ("begin_time", "end_time"):
        let_pass(owner, column, 9)
    assert pass_time(collector) == 0
    assert (works(seats), states(owner), journal(owner)) == ([], {}, [])


def test_another_end(seats: dict[str, Engine], owner: Engine) -> None:
    begin(seats)
    [work] = works(seats)
    with seats["ada"].begin() as connection:
        before = read_works(connection)[0].end_time
        assert extend_work(connection, work, 120, "the thread is rusty") == "It has another end."
        after = read_works(connection)[0].end_time
    assert timedelta(minutes=59) < after - before < timedelta(minutes=61)
    assert [one[0] for one in journal(owner)] == ["work_begun", "work_begun"]


@pytest.mark.parametrize(
    ("who", "changes", "words"),
    [
        ("vic", {}, "You may not shelve alarms here"),
        ("ada", {"place": EVERYTHING}, "You may not take alarms out of service here"),
        ("ada", {"place": HILL}, "You may not take alarms out of service here"),
        ("ada", {"place": WorkPlace(2)}, "There is no such municipality"),
        ("ada", {"place": WorkPlace(1, 99)}, "There is no such site or asset"),
        ("ada", {"minutes": 721}, "1 min to 12 h"),
        ("ada", {"minutes": 0}, "1 min to 12 h"),
        ("ada", {"reason": "  "}, "A reason is needed"),
        ("ada", {"begin_time": datetime(2200, 1, 1, tzinfo=UTC)}, "within 31 days"),
    ],
)
def test_what_may_not_be_planned_is_refused_in_words(
    seats: dict[str, Engine], owner: Engine, who: str, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(Refused, match=words):
        begin(seats, who, **changes)
    assert states(owner) == {}
    assert audited(owner) == [("begin_work", who, False)]


def test_all_of_a_site_or_municipality_is_held_but_what_may_not_be_shelved(
    seats: dict[str, Engine], owner: Engine
) -> None:
    with owner.begin() as connection:
        connection.execute(text("UPDATE alarm_rule SET shelving_limit_s = 0 WHERE id = 2"))
    assert begin(seats, "sam", HILL) == "Begun: 8 alarms are held."
    # work in work: both must end
    assert begin(seats, "sam", EVERYTHING, minutes=30) == "Begun: 9 alarms are held."
    assert 2 not in states(owner)
    first, second = works(seats)
    for work in (first, second):
        assert states(owner)[1] == "SHLVD"
        with seats["sam"].begin() as connection:
            end_work(connection, work, "")
    assert states(owner) == {}


def test_a_persons_shelf_and_work_are_two_things(seats: dict[str, Engine], collector: Engine, owner: Engine) -> None:
    begin(seats)
    raise_alarm(collector, 1, 1)
    with seats["ada"].begin() as connection:
        [answer] = shelve(connection, [(1, 1)], "known", 15, is_one_shot=False)
        assert answer.is_done
    let_pass(owner, "end_time")
    pass_time(collector)
    assert states(owner) == {1: "SHLVD"}
    with seats["ada"].begin() as connection:
        unshelve(connection, [(1, 1)], "")
    assert states(owner) == {1: "UNACK"}


def test_what_an_import_adds_while_work_goes_on_is_held_as_well(seats: dict[str, Engine], owner: Engine) -> None:
    begin(seats, "sam", EVERYTHING)
    before = set(states(owner))
    with owner.begin() as connection:
        import_plant(connection, plant(tags=4))
    assert len(states(owner)) == len(before) + 3


# --- suppressions


def with_suppressions(*suppressions: PlantSuppression) -> Plant:
    return replace(plant(), suppressions=suppressions)


def cause(collector: Engine, suppression_id: int, number: int) -> None:
    call = text("SELECT record_causes(ARRAY[:id], ARRAY[:number ::bigint], ARRAY[now()])")
    with collector.begin() as connection:
        connection.execute(call, {"id": suppression_id, "number": number})


def imported(connection: Connection, *suppressions: PlantSuppression) -> int:
    import_plant(connection, with_suppressions(*suppressions))
    found = read_configuration(connection).suppressions
    return found[0].id if found else 0


def test_suppressions_are_read_as_they_were_imported_and_follow_the_next_import(
    seats: dict[str, Engine], collector: Engine, owner: Engine
) -> None:
    with owner.begin() as connection:
        number = imported(connection, BY_LEVEL)
        [one] = read_configuration(connection).suppressions
    assert (one.rule_id, one.tag_id, one.delay_s, one.consequences) == (2, None, 60.0, frozenset({5}))
    cause(collector, number, 1)
    assert states(owner) == {5: "DSUPR"}
    # a condition in place of the alarm, and another consequence; the cause is there all the same
    other = replace(BY_LEVEL, is_alarm=False, limit=3.0, consequences=(PlantConsequence(tag="T3.level"),))
    with owner.begin() as connection:
        assert imported(connection, other) == number
        [one] = read_configuration(connection).suppressions
    watch = one.watch()
    assert watch is not None
    assert (one.rule_id, watch.id, watch.tag_id, watch.kind, watch.limit) == (None, -number, 1, "L", 3.0)
    assert states(owner) == {7: "DSUPR", 8: "DSUPR", 9: "DSUPR"}
    with owner.begin() as connection:
        assert imported(connection) == 0
    assert states(owner) == {}
    with owner.begin() as connection:
        assert imported(connection, BY_LEVEL) == number


def test_a_plant_with_a_suppression_that_cannot_be_meant_is_not_imported(owner: Engine) -> None:
    wrong = replace(BY_LEVEL, tag="T9.level")
    with pytest.raises(BadOption, match=r"T9\.level, which is no tag"), owner.begin() as connection:
        imported(connection, wrong)
    with owner.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM tag")).scalar() == 0


def test_a_seat_sees_suppressions_and_work_of_its_own_municipalities(
    seats: dict[str, Engine], server: EmbeddedServer, database: str, owner: Engine
) -> None:
    with owner.begin() as connection:
        imported(connection, BY_LEVEL)
        import_plant(connection, plant("south"))
        south = int(connection.execute(text("SELECT id FROM municipality WHERE key = 'south'")).scalar_one())
    begin(seats, "sam", EVERYTHING)
    engine = open_person(make(server, database, "sue", ("viewer", south)), "desk 2")
    with engine.connect() as connection:
        assert read_works(connection) == []
        assert read_configuration(connection).suppressions == ()
        assert {one.municipality_id for one in read_places(connection)} == {south}
    engine.dispose()
    with seats["ada"].connect() as connection:
        assert len(read_configuration(connection).suppressions) == 1


def test_a_refused_collector_cannot_hold_by_hand(collector: Engine, seats: dict[str, Engine]) -> None:
    forbidden = (
        "SELECT settle_holds(NULL, NULL, '', '', NULL)",
        "UPDATE suppression SET number = 1",
        "INSERT INTO planned_work DEFAULT VALUES",
        "SELECT follow_clock()",
    )
    for statement in forbidden:
        for engine in (collector, seats["sam"]):
            with pytest.raises(Exception, match=r"denied|does not exist|cannot"), engine.connect() as connection:
                connection.execute(text(statement))


def test_disabling_does_not_wait_for_an_import(
    seats: dict[str, Engine], server: EmbeddedServer, database: str, owner: Engine
) -> None:
    engine = open_person(make(server, database, "eng", ("engineer", None)), "desk 3")
    with owner.begin() as importing:
        importing.execute(text("UPDATE alarm_rule SET priority = 1 WHERE id = 1"))
        with engine.begin() as connection:
            [answer] = disable(connection, [(1, 0)], "sensor is removed")
        assert (answer.is_done, answer.words) == (False, "The configuration is being changed. Try again in a moment.")
        # and nobody who waits for its turn is held up
        importing.execute(text("SELECT take_turn(7202)"))
    with engine.begin() as connection:
        [answer] = disable(connection, [(1, 0)], "sensor is removed")
        assert answer.is_done
        assert next(rule for rule in read_configuration(connection).rules if rule.id == 1).is_disabled
    with owner.begin() as connection:
        import_plant(connection, plant())
        assert next(rule for rule in read_configuration(connection).rules if rule.id == 1).is_disabled
    begin(seats)
    assert set(states(owner)) == {2, 3}
    with engine.begin() as connection:
        [answer] = enable(connection, [(1, 0)], "")
        assert answer.is_done
    with owner.connect() as connection:
        deeds = connection.execute(text("SELECT DISTINCT action FROM audit WHERE action ~ 'able'")).scalars()
        assert set(deeds) == {"disable_alarm", "enable_alarm"}
    # what holds its neighbours holds it from the beginning
    assert set(states(owner)) == {1, 2, 3}
    engine.dispose()


# --- a collector that starts again


async def test_a_collector_that_starts_again_in_the_middle_announces_nothing(
    seats: dict[str, Engine], collector: Engine, owner: Engine
) -> None:
    with owner.begin() as connection:
        imported(connection, BY_LEVEL)
        configuration = read_configuration(connection)
    thread, clock = DatabaseThread(collector, "test"), FakeClock(datetime.now(UTC))

    async def started() -> AlarmDesk:
        desk = AlarmDesk(PostgresAlarmStore(thread), clock)
        await desk.load()
        desk.use_rules(configuration.rules, configuration.suppressions)
        return desk

    def low(tag_id: int, after_s: float) -> Sample:
        moment = clock.now + timedelta(seconds=after_s)
        return Sample(tag_id, 1.0, GOOD, moment, moment)

    # tank 3 alone is worked on; tank 1 is the cause of tank 2
    begin(seats, "ada", WorkPlace(1, 6))
    desk = await started()
    desk.take([low(1, 0), low(2, 1), low(3, 2)])
    assert await desk.flush()
    expected = {2: "UNACK", 5: "DSUPR", 7: "SHLVD", 8: "SHLVD", 9: "SHLVD"}
    assert states(owner) == expected
    written = [journal(owner, rule_id) for rule_id in range(1, 11)]
    desk = await started()
    desk.take([low(1, 3), low(2, 4), low(3, 5)])
    assert await desk.flush()
    assert states(owner) == expected
    assert [journal(owner, rule_id) for rule_id in range(1, 11)] == written
    # the end passes while nobody collects
    let_pass(owner, "end_time")
    desk = await started()
    desk.take([low(3, 6)])
    assert await desk.flush()
    assert pass_time(collector) == 3
    assert states(owner) == {2: "UNACK", 5: "DSUPR", 8: "UNACK"}
    thread.close()
