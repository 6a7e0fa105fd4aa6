"""The stores against a real PostgreSQL, as the roles that use them."""

from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from random import Random

import numpy as np
import pytest
from sqlalchemy import Engine, text

from control_room.core.alarms import AlarmKind, Priority, ProcessChange, Raised, Returned
from control_room.core.errors import BadOption, Refused
from control_room.core.plant import Plant, PlantRule
from control_room.core.samples import BAD, BAD_SENSOR_FAILURE, Sample
from db import history
from db.alarm_journal import acknowledge, comment, read_load, read_occurrences, shelve, unshelve
from db.embedded import EmbeddedServer
from db.engine import translated
from db.history import read_history
from db.network_store import read_networks
from db.people import who_am_i
from db.stores import PostgresAlarmStore, PostgresSampleStore
from db.tag_store import import_plant, read_configuration
from db.worker import DatabaseThread
from tests.db.people import count_ids, person_engine
from tests.fakes import START, sample
from tests.plants import plant


def change(owner: Engine, document: Plant) -> None:
    with owner.begin() as connection:
        import_plant(connection, document)


def test_a_plant_document_is_read_back_as_configuration(owner: Engine, station: Engine) -> None:
    change(owner, plant())
    with station.connect() as connection:
        found = read_configuration(connection)
        [network] = read_networks(connection)
    assert [(one.site, one.asset, one.key) for one in found.tags][1] == ("Hill", "Tank 1", "T1.level")
    assert len(found.rules) == 10
    assert found.connections[0].settings == {}
    assert (set(network.nodes), set(network.links)) == (set(plant().nodes), set(plant().links))


def test_importing_again_keeps_ids_and_retires_what_is_gone(owner: Engine) -> None:
    change(owner, plant(tags=3))
    with owner.connect() as connection:
        before = read_configuration(connection)
    change(owner, plant(tags=2))
    with owner.connect() as connection:
        after = read_configuration(connection)
    assert set(before.tags) - set(after.tags) == {one for one in before.tags if one.key == "T3.level"}
    change(owner, plant(tags=3))
    with owner.connect() as connection:
        assert read_configuration(connection).tags == before.tags


def test_a_station_may_not_read_how_to_reach_the_plant(owner: Engine, station: Engine) -> None:
    change(owner, plant())
    with station.connect() as connection, pytest.raises(Refused), translated():
        connection.execute(text("SELECT settings FROM public.connection"))


async def test_samples_are_stored_with_quality_and_the_newest_is_kept(thread: DatabaseThread, owner: Engine) -> None:
    store = PostgresSampleStore(thread)
    await store.write_samples([sample(1, 1.5), sample(2, None, 0, BAD_SENSOR_FAILURE), sample(1, 2.5, 1)])
    # older than the newest: history wants it, `latest` does not
    await store.write_samples([sample(1, 9.0, 0.5), sample(3, float("inf"), 2)])
    newest = {one.tag_id: (one.value, one.quality) for one in await store.read_latest()}
    assert newest == {1: (2.5, 0), 2: (None, BAD_SENSOR_FAILURE), 3: (None, BAD)}
    with owner.connect() as connection:
        rows = connection.execute(text("SELECT tag_id, value, quality, source_time FROM sample ORDER BY 1, 4")).all()
    assert [tuple(row)[:3] for row in rows] == [
        (1, 1.5, 0),
        (1, 9.0, 0),
        (1, 2.5, 0),
        (2, None, BAD_SENSOR_FAILURE),
        (3, None, BAD),
    ]
    assert rows[2].source_time == START + timedelta(seconds=1)


async def test_latest_is_found_again_after_a_crash(thread: DatabaseThread, owner: Engine) -> None:
    store = PostgresSampleStore(thread)
    await store.write_samples([sample(1, 1.0), sample(1, 2.0, 5), sample(2, 3.0)])
    with owner.begin() as connection:
        connection.execute(text("TRUNCATE latest"))
    assert {one.tag_id: one.value for one in await store.read_latest()} == {1: 2.0, 2: 3.0}


async def test_samples_of_insane_times_are_kept(thread: DatabaseThread, owner: Engine) -> None:
    old = Sample(1, 1.0, 0, START - timedelta(days=20_000), START)
    await PostgresSampleStore(thread).write_samples([old, sample(1, 2.0)])
    with owner.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM sample")).scalar() == 2


@pytest.mark.parametrize("columns", [10, 1000])
async def test_history_keeps_extremes_and_what_held_before(
    thread: DatabaseThread, station: Engine, columns: int
) -> None:
    values = [Random(4).uniform(0, 100) for _ in range(500)]
    written = [sample(1, -50.0, -60), *(sample(1, value, number) for number, value in enumerate(values))]
    written[300] = sample(1, 1e9, 299, BAD_SENSOR_FAILURE)
    await PostgresSampleStore(thread).write_samples(written)
    with station.connect() as connection:
        piece = read_history(connection, 1, START, START + timedelta(seconds=600), columns)
    trusted = [one.value for one in written[1:] if one.quality == 0]
    assert piece.low[0] == -50.0
    assert np.nanmin(piece.low[1:]) == min(x for x in trusted if x is not None)
    assert np.nanmax(piece.high[1:]) == max(x for x in trusted if x is not None)
    assert max(piece.worst) == 3
    assert (piece.grade[-1], piece.last[-1]) == (0, values[-1])
    assert piece.time_s.size == (501 if columns == 1000 else 10)


@pytest.mark.parametrize("most", [10, 1_000])
async def test_statistics_are_reckoned_from_every_sample_or_say_that_they_are_not(
    thread: DatabaseThread, station: Engine, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_SAMPLES", most)
    values = [4.0, *(float(number % 7) for number in range(100))]
    written = [sample(1, value, number - 1) for number, value in enumerate(values)]
    await PostgresSampleStore(thread).write_samples(written)
    with station.connect() as connection:
        found = history.read_statistics(connection, 1, START, START + timedelta(seconds=100))
        nothing = history.read_statistics(connection, 1, START, START - timedelta(seconds=1))
    assert (found.begin, found.end, found.low, found.high) == (0.0, 99 % 7, 0.0, 6.0)
    assert found.trusted_share == 1.0
    if most == 1_000:
        assert found.average == pytest.approx(np.mean(values[1:]))
        assert found.deviation == pytest.approx(np.std(values[1:]))
        assert found.count == 100
    else:
        assert np.isnan(found.average)
        assert found.count is None
    assert nothing.count == 0


@pytest.mark.parametrize("width_us", [1, 50, 1_999])
async def test_a_stretch_of_less_than_a_microsecond_for_a_column_is_read(
    thread: DatabaseThread, station: Engine, width_us: int
) -> None:
    await PostgresSampleStore(thread).write_samples([sample(1, 4.0, -60)])
    with station.connect() as connection:
        piece = read_history(connection, 1, START, START + timedelta(microseconds=width_us), 2_000)
    assert piece.last.tolist() == [4.0]


async def test_who_may_not_acknowledge_is_refused(thread: DatabaseThread, station: Engine) -> None:
    await PostgresAlarmStore(thread).record([ProcessChange(1, 1, Raised(START, 1.0, 0))])
    with station.connect() as connection, pytest.raises(Refused), translated():
        acknowledge(connection, [(1, 1)], "")


async def test_the_journal_is_append_only(thread: DatabaseThread, owner: Engine) -> None:
    await PostgresAlarmStore(thread).record([ProcessChange(1, 1, Raised(START, 1.0, 0))])
    for statement in ("DELETE FROM alarm_journal", "UPDATE alarm_journal SET person = 'x'", "TRUNCATE alarm_journal"):
        with owner.connect() as connection, pytest.raises(Refused, match="append-only"), translated():
            connection.execute(text(statement))


async def test_the_collector_writes_no_alarm_by_itself(collector: Engine, thread: DatabaseThread) -> None:
    await PostgresAlarmStore(thread).record([ProcessChange(1, 1, Raised(START, 1.0, 0))])
    for statement in (
        "UPDATE alarm SET is_acknowledged = true",
        "DELETE FROM alarm",
        "INSERT INTO alarm_journal DEFAULT VALUES",
        "SELECT step_alarm(1, 'acknowledged', now(), NULL, NULL, 'ada', '', '', '{\"event_id\": 1}')",
        "SELECT act_on_alarms('acknowledge', 'acknowledged', '{1}', '{1}', '{}', '')",
    ):
        with collector.connect() as connection, pytest.raises(Refused), translated():
            connection.execute(text(statement.replace(": ", "\\: ")))
    forged = text("SELECT record_process('{1}', '{2}', '{acknowledged}', ARRAY[now()], '{1}', '{0}')")
    with collector.connect() as connection, pytest.raises(Refused, match="nothing else"), translated():
        connection.execute(forged)


def with_rules(*rules: PlantRule) -> Plant:
    """Return a plant whose first tag has these rules alone."""
    whole = plant()
    first, *others = whole.tags
    return replace(whole, tags=(replace(first, rules=rules), *others))


def test_a_rule_that_compares_finds_its_other_tag(owner: Engine) -> None:
    rule = PlantRule(AlarmKind.DEVIATION, Priority.LOW, 2.0, other="T2.level", window_s=90.0, is_latching=True)
    with owner.begin() as connection:
        import_plant(connection, with_rules(rule))
        found = read_configuration(connection)
    keys = {tag.id: tag.key for tag in found.tags}
    [read] = [one for one in found.rules if one.kind is AlarmKind.DEVIATION]
    assert (keys[read.tag_id], read.other_tag_id and keys[read.other_tag_id]) == ("T1.level", "T2.level")
    assert (read.window_s, read.is_latching) == (90.0, True)


def test_rules_that_cannot_be_meant_change_nothing(owner: Engine) -> None:
    with owner.begin() as connection:
        import_plant(connection, plant())
        before = read_configuration(connection)
        with pytest.raises(BadOption, match=r"T1\.level: the limit L"):
            import_plant(
                connection, with_rules(PlantRule(AlarmKind.L, Priority.LOW, 5.0), PlantRule(AlarmKind.H, Priority.LOW))
            )
        assert read_configuration(connection) == before


def test_an_engineer_sets_what_the_alarms_life_needs(owner: Engine, server: EmbeddedServer, database: str) -> None:
    with owner.begin() as connection:
        count_ids(connection)
        import_plant(connection, plant())
    call = text("SELECT is_done, words FROM configure_rule(1, CAST(:changes AS jsonb), 'agreed')")
    with person_engine(server, database, "emil", "engineer") as engine, engine.begin() as connection:
        good = {"changes": '{"is_latching": true, "shelving_limit_s": 600, "window_s": 30}'}
        assert tuple(connection.execute(call, good).one()) == (True, "Changed.")
        for bad in ('{"shelving_limit_s": -1}', '{"window_s": 0}', '{"is_latching": null}'):
            assert not connection.execute(call, {"changes": bad}).one().is_done
    with owner.connect() as connection:
        [rule] = [one for one in read_configuration(connection).rules if one.id == 1]
    assert (rule.is_latching, rule.shelving_limit_s, rule.window_s) == (True, 600.0, 30.0)


async def test_the_load_counts_what_was_announced_where_a_person_may_see(
    thread: DatabaseThread, owner: Engine, station: Engine, server: EmbeddedServer, database: str
) -> None:
    with owner.begin() as connection:
        import_plant(connection, plant("south"))
    store = PostgresAlarmStore(thread)
    both = [ProcessChange(rule_id, number, event) for rule_id in (1, 2, 11) for number, event in TWICE]
    await store.record(both)
    with station.connect() as connection:
        found = read_load(connection)
    assert (found.count, found.flood_since) == (6, None)
    with person_engine(server, database, "ada", "operator", 1) as engine, engine.begin() as connection:
        assert read_load(connection).count == 4
        # neither an acknowledgement nor what nobody is told of counts
        acknowledge(connection, [(1, 2)], "")
        assert shelve(connection, [(2, 2)], "test", 15, is_one_shot=False)[0].is_done
    await store.record([ProcessChange(2, 4, Returned(START, 0.0, 0)), ProcessChange(2, 5, Raised(START, 1.0, 0))])
    with person_engine(server, database, "bo", "operator", 1) as engine, engine.begin() as connection:
        assert read_load(connection).count == 4


TWICE = ((1, Raised(START, 1.0, 0)), (2, Returned(START, 0.0, 0)), (3, Raised(START, 1.0, 0)))


async def test_the_past_of_an_alarm_tells_when_it_came_and_what_was_done(
    thread: DatabaseThread, operator: Engine, station: Engine
) -> None:
    store = PostgresAlarmStore(thread)
    at = [START + timedelta(minutes=number) for number in range(4)]
    with station.connect() as connection:
        assert read_occurrences(connection, 1, 5) == []
    await store.record([ProcessChange(1, 1, Raised(at[0], 95.0, 0)), ProcessChange(1, 2, Returned(at[1], 80.0, 0))])
    with operator.begin() as connection:
        acknowledge(connection, [(1, 1)], "on my way")
        [answer] = comment(connection, [(1, 1)], "ice on the weir")
        assert answer.is_done
        shelve(connection, [(1, 1)], "Test", 15, is_one_shot=False)
    await store.record([ProcessChange(1, 3, Raised(at[2], 97.0, 0))])
    with operator.begin() as connection:
        unshelve(connection, [(1, 2)], "")
    with station.connect() as connection:
        newest, shelved, first = read_occurrences(connection, 1, 5)
        assert read_occurrences(connection, 1, 1) == [newest]
    assert (first.raised_time, first.returned_time, first.value, first.limit) == (at[0], at[1], 95.0, 90.0)
    assert [(one.person, one.happening, one.comment) for one in first.notes] == [
        ("ada", "acknowledged", "on my way"),
        ("ada", "commented", "ice on the weir"),
        ("ada", "shelved", "Test"),
    ]
    assert (shelved.event_id, shelved.raised_time, shelved.notes) == (2, at[2], ())
    # announced as new when it came back from the shelf
    assert (newest.event_id, newest.raised_time, newest.value) == (3, None, 97.0)
    assert [one.happening for one in newest.notes] == ["unshelved"]


async def test_two_seats_that_acknowledge_at_once_get_one_row_and_one_polite_answer(
    thread: DatabaseThread, owner: Engine, server: EmbeddedServer, database: str
) -> None:
    await PostgresAlarmStore(thread).record([ProcessChange(1, 1, Raised(START, 1.0, 0))])
    with ExitStack() as stack:
        seats = []
        for login in ("ada", "bo"):
            engine = stack.enter_context(person_engine(server, database, login, "operator"))
            seat = DatabaseThread(engine, login)
            stack.callback(seat.close)
            seat.submit(who_am_i).result(10)
            seats.append(seat)
        asked = [seat.submit(lambda connection: acknowledge(connection, [(1, 1)], "")) for seat in seats]
        answers = [answer for future in asked for answer in future.result(10)]
    assert sorted(one.is_done for one in answers) == [False, True]
    [refused] = [one.words for one in answers if not one.is_done]
    assert refused in ("ada acknowledged it already.", "bo acknowledged it already.")
    with owner.connect() as connection:
        rows = connection.execute(text("SELECT count(*) FROM alarm_journal WHERE happening = 'acknowledged'")).scalar()
    assert rows == 1
