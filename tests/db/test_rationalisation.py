"""Records and changes of alarm rules in a real database: all or nothing, nothing overwritten, everything noted."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from time import monotonic, sleep

import pytest
from sqlalchemy import Engine, text

from control_room.core.alarms import AlarmKind
from control_room.core.errors import Refused
from control_room.core.rationalisation import Level, Record, Severity
from db.embedded import EmbeddedServer
from db.engine import translated
from db.rationalisation import (
    Change,
    ChangeRefused,
    NamedRecord,
    change_rules,
    read_records,
    read_rule_changes,
    undoing,
    write_records,
)
from db.stop import Cancelled, Stop
from db.tag_store import import_plant, read_configuration
from tests.db.people import count_ids, person_engine
from tests.plants import plant

FAR = 11


@pytest.fixture
def emil(owner: Engine, server: EmbeddedServer, database: str) -> Iterator[Engine]:
    """Return an engineer of the first of two municipalities; rules 1 to 10 are of it, those above of the other."""
    with owner.begin() as connection:
        count_ids(connection)
        for key in ("here", "elsewhere"):
            import_plant(connection, plant(key))
    with person_engine(server, database, "emil", "engineer", 1) as engine:
        yield engine


def settings(rule_id: int, **pairs: tuple[object, object]) -> Change:
    return Change(Level.RULE, rule_id, pairs, {})


def record(level: Level, key: int, **pairs: tuple[object, object]) -> Change:
    return Change(level, key, {}, pairs)


def change(engine: Engine, *changes: Change, reason: str = "agreed", only_check: bool = False) -> str:
    with engine.connect() as connection, connection.begin():
        return change_rules(connection, changes, reason, only_check=only_check)


def limit_of(engine: Engine, rule_id: int) -> float:
    with engine.connect() as connection:
        return next(one.limit for one in read_configuration(connection).rules if one.id == rule_id)


def test_a_rule_is_changed_noted_and_taken_back(emil: Engine, owner: Engine) -> None:
    assert change(emil, settings(1, limit=(90.0, 85.5), message=("Level high", "Level too high"))) == "Changed."
    assert limit_of(emil, 1) == 85.5
    with emil.begin() as connection:
        [noted] = read_rule_changes(connection, rule_id=1, count=9)
    assert (noted.person, noted.station, noted.reason, noted.is_record) == ("emil", "desk 1", "agreed", False)
    assert noted.old == {"limit": 90, "message": "Level high"}
    assert noted.new == {"limit": 85.5, "message": "Level too high"}
    with owner.connect() as connection:
        row = connection.execute(text("SELECT * FROM audit WHERE person = 'emil' AND action = 'configure'")).one()
    assert (row.object, row.municipality_id, row.reason, row.is_done) == ("alarm rule 1", 1, "agreed", True)
    assert (row.old["alarm_limit"], row.new["alarm_limit"]) == (90.0, 85.5)
    change(emil, undoing(noted), reason="too early")
    assert limit_of(emil, 1) == 90.0
    with emil.begin() as connection:
        assert [one.reason for one in read_rule_changes(connection, rule_id=1, count=9)] == ["too early", "agreed"]
    with pytest.raises(ChangeRefused, match="Somebody else changed this rule meanwhile: alarm_limit is 90 now"):
        change(emil, undoing(noted))


def test_configure_rule_is_noted_as_well_and_so_is_the_owner(emil: Engine, owner: Engine) -> None:
    with emil.begin() as connection:
        connection.execute(text("SELECT configure_rule(1, '{\"priority\"\\: 1}', 'by hand')"))
    with owner.begin() as connection:
        connection.execute(text("UPDATE alarm_rule SET deadband = 3 WHERE id = 1"))
    with emil.begin() as connection:
        noted = read_rule_changes(connection, rule_id=1, count=9)
    assert [(one.person, one.reason, one.new) for one in noted] == [
        ("postgres", "", {"deadband": 3}),
        ("emil", "by hand", {"priority": 1}),
    ]


def test_what_somebody_changed_meanwhile_is_not_overwritten(emil: Engine) -> None:
    change(emil, settings(1, limit=(90.0, 80.0)))
    with pytest.raises(ChangeRefused, match="meanwhile: alarm_limit is 80 now") as refusal:
        change(emil, settings(2, limit=(10.0, 11.0)), settings(1, limit=(90.0, 95.0), deadband=(2.0, 1.0)))
    assert refusal.value.place == 1
    assert (limit_of(emil, 1), limit_of(emil, 2)) == (80.0, 10.0)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (settings(3, priority=(4, 9)), "Priorities are 1 to 4"),
        (settings(3, deadband=(0.0, -1.0)), "deadbands not negative"),
        (settings(3, priority=(4, "x")), "wrong form"),
        (settings(FAR, priority=(3, 1)), "There is no such alarm rule"),
        (settings(999, priority=(3, 1)), "There is no such alarm rule"),
        (record(Level.MUNICIPALITY, 2, owner=(None, "me")), "There is no such"),
        (record(Level.TAG, 1, cause=(None, "x" * 2001)), "at most 2000 letters"),
        (record(Level.TAG, 1, respond_min=(None, 0.0)), "1440 min"),
        (record(Level.TAG, 1, severity=(None, "awful")), "2000 letters"),
        (record(Level.TAG, 1, review_date=(None, "soon")), "wrong form"),
        (record(Level.TAG, 1, cause=(None, "x" * 50_000)), "too much at once"),
    ],
)
def test_all_or_nothing(emil: Engine, owner: Engine, wrong: Change, words: str) -> None:
    with pytest.raises(ChangeRefused, match=words):
        change(emil, settings(1, limit=(90.0, 80.0)), record(Level.RULE, 1, owner=(None, "Works")), wrong)
    assert limit_of(emil, 1) == 90.0
    with emil.connect() as connection:
        assert read_records(connection).records == {}
    with owner.connect() as connection:
        row = connection.execute(text("SELECT * FROM audit WHERE person = 'emil' AND action = 'configure'")).one()
    assert (row.is_done, row.municipality_id in (1, None)) == (False, True)


def test_a_reason_is_demanded_and_a_check_changes_nothing(emil: Engine) -> None:
    good = settings(1, limit=(90.0, 80.0))
    for blank in ("", "   "):
        with pytest.raises(ChangeRefused, match="needs a reason"):
            change(emil, good, reason=blank)
    assert change(emil, good, only_check=True) == "Nothing is wrong."
    assert limit_of(emil, 1) == 90.0


def test_a_record_is_inherited_and_forgotten_where_nothing_of_it_is_left(emil: Engine) -> None:
    day = date(2027, 3, 1)
    change(
        emil,
        record(Level.MUNICIPALITY, 1, owner=(None, "Works"), severity=(None, Severity.MAJOR)),
        record(Level.RULE, 1, cause=(None, "Inlet open"), review_date=(None, day), respond_min=(None, 15.0)),
    )
    with emil.begin() as connection:
        held = read_records(connection).held(1, 1, 1)
        assert held.record == Record("Inlet open", None, None, Severity.MAJOR, 15.0, None, "Works", day)
        assert held.sources["owner"] == (Level.MUNICIPALITY, 1)
        noted = read_rule_changes(connection, rule_id=1, count=9)
        assert {(one.level, one.is_record) for one in noted} == {(Level.MUNICIPALITY, True), (Level.RULE, True)}
        # the other rule of the tag has what is set above, and its history
        assert [one.level for one in read_rule_changes(connection, rule_id=2, count=9)] == [Level.MUNICIPALITY]
    [own] = [one for one in noted if one.level is Level.RULE]
    change(emil, undoing(own))
    with emil.begin() as connection:
        assert list(read_records(connection).records) == [(Level.MUNICIPALITY, 1)]


def test_records_of_every_level_of_a_deep_tree_are_told_and_a_circle_ends(emil: Engine, owner: Engine) -> None:
    with owner.begin() as connection:
        # a region above the site, and a chamber between the asset and its tag
        place = connection.execute(text("SELECT asset_id FROM tag WHERE id = 1")).scalar_one()
        site = connection.execute(text("SELECT parent_id FROM asset WHERE id = :id"), {"id": place}).scalar_one()
        add = text("INSERT INTO asset (municipality_id, parent_id, name) VALUES (1, :above, :name) RETURNING id")
        region = connection.execute(add, {"above": None, "name": "Region"}).scalar_one()
        chamber = connection.execute(add, {"above": place, "name": "Chamber"}).scalar_one()
        connection.execute(
            text("UPDATE asset SET parent_id = :region WHERE id = :site"), {"region": region, "site": site}
        )
        connection.execute(text("UPDATE tag SET asset_id = :chamber WHERE id = 1"), {"chamber": chamber})
    levels = (region, site, place, chamber)
    change(emil, *(record(Level.ASSET, one, owner=(None, f"Crew {n}")) for n, one in enumerate(levels)))
    change(emil, record(Level.ASSET, region, cause=(None, "Frost")))
    with emil.begin() as connection:
        held = read_records(connection).held(1, 1, 1)
        noted = read_rule_changes(connection, rule_id=1, count=99)
    assert (held.record.owner, held.record.cause) == ("Crew 3", "Frost")
    assert sorted(one.object_id for one in noted) == sorted((*levels, region))
    with owner.begin() as connection:
        connection.execute(
            text("UPDATE asset SET parent_id = :it WHERE id = :region"), {"it": chamber, "region": region}
        )
    with emil.begin() as connection:
        assert len(read_rule_changes(connection, rule_id=1, count=99)) == 5
        assert read_records(connection).held(1, 1, 1).record == held.record


def test_nobody_sees_another_municipalitys_records(emil: Engine, owner: Engine) -> None:
    with owner.begin() as connection:
        write_records(connection, [NamedRecord("elsewhere", Record(owner="Other works"))])
        connection.execute(text("UPDATE alarm_rule SET deadband = 3 WHERE id = :far"), {"far": FAR})
    with emil.begin() as connection:
        assert read_records(connection).records == {}
        assert read_rule_changes(connection, rule_id=FAR, count=9) == []
    with owner.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM rule_change WHERE municipality_id = 2")).scalar() == 2


def test_a_plants_records_are_written_once(emil: Engine, owner: Engine) -> None:
    records = [
        NamedRecord("here", Record(owner="Works")),
        NamedRecord("here", Record(respond_min=20.0), site="Hill"),
        NamedRecord("here", Record(cause="Inlet open"), tag="T1.level", kind="H"),
        NamedRecord("here", Record(cause="Frost"), tag="T1.level"),
        NamedRecord("here", Record(cause="x"), tag="T9.level"),
        NamedRecord("here", Record(cause="x"), tag="T1.level", kind="ROC"),
        NamedRecord("nowhere", Record(cause="x")),
    ]
    with owner.begin() as connection:
        write_records(connection, records)
    change(emil, record(Level.MUNICIPALITY, 1, owner=("Works", "Operations")))
    with owner.begin() as connection:
        write_records(connection, records)
    with emil.begin() as connection:
        book = read_records(connection)
        rules = {one.kind: one for one in read_configuration(connection).rules if one.tag_id == 1}
    assert len(book.records) == 4
    assert book.held(1, 1, rules[AlarmKind.H].id).record == Record("Inlet open", owner="Operations", respond_min=20.0)
    assert book.held(1, 1, rules[AlarmKind.L].id).record.cause == "Frost"


def test_only_engineers_change(owner: Engine, emil: Engine, server: EmbeddedServer, database: str) -> None:
    with (
        person_engine(server, database, "omar", "operator", 1) as omar,
        pytest.raises(Refused, match=r"You may not configure tags and alarm rules here\. It needs the role engineer"),
    ):
        change(omar, settings(1, limit=(90.0, 80.0)))
    assert limit_of(emil, 1) == 90.0


@pytest.mark.parametrize("garbage", ["{}", "null", "[1]", '[{"level": "rule"}]', '[{"id": "x", "level": "rule"}]'])
def test_garbage_is_refused_in_words(emil: Engine, garbage: str) -> None:
    call = text("SELECT is_done, words FROM change_rules(CAST(:changes AS jsonb), 'x', false)")
    with emil.begin() as connection:
        assert connection.execute(call, {"changes": garbage}).one().is_done is False


def test_many_changes_are_one_entry_of_the_audit_for_each_municipality(emil: Engine, owner: Engine) -> None:
    change(emil, *(settings(number, deadband=(0.0 if number % 3 == 0 else 2.0, 1.0)) for number in range(1, 10)))
    with owner.connect() as connection:
        row = connection.execute(text("SELECT * FROM audit WHERE person = 'emil' AND action = 'configure'")).one()
    assert row.object == "alarm rules"
    assert row.old["alarm rule 1"] == {"deadband": 2.0}
    assert len(json.dumps(row.new)) > 9
    assert len(row.new) == 9


def test_a_change_that_is_cancelled_stored_nothing_and_the_next_goes_on(emil: Engine, owner: Engine) -> None:
    stop = Stop()
    with owner.begin() as hands, ThreadPoolExecutor(1) as pool, emil.connect() as connection:

        def ask() -> str:
            with translated(), connection.begin():
                changes = [settings(1, limit=(90.0, 80.0)), settings(2, limit=(10.0, 11.0))]
                return change_rules(connection, changes, "agreed", stop=stop)

        # the second rule is held by somebody else: the first is changed already, and the change waits
        hands.execute(text("SELECT FROM alarm_rule WHERE id = 2 FOR UPDATE"))
        asked = pool.submit(ask)
        waits = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = 'emil'")
        until = monotonic() + 10
        while not hands.execute(waits).scalar() and monotonic() < until:
            sleep(0.02)
        stop.send()
        with pytest.raises(Cancelled):
            asked.result(10)
        # a word that comes late reaches nobody
        stop.send()
        with connection.begin():
            assert connection.execute(text("SELECT 1")).scalar() == 1
    assert (limit_of(emil, 1), limit_of(emil, 2)) == (90.0, 10.0)
    with owner.connect() as hands:
        assert hands.execute(text("SELECT count(*) FROM rule_change WHERE NOT is_record")).scalar() == 0
    with pytest.raises(Cancelled), emil.begin() as connection:
        change_rules(connection, [settings(1, limit=(90.0, 80.0))], "agreed", stop=stop)
    assert change(emil, settings(1, limit=(90.0, 80.0))) == "Changed."
