"""Roll-ups in the database: equal to what core/rollups.py reckons, whatever comes late, twice, or while nobody reckons."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random

import numpy as np
import pytest
from sqlalchemy import Engine, text

from control_room.core.errors import DatabaseUnavailable
from control_room.core.rollups import PERIODS_S, Rollup, of_period
from control_room.core.samples import BAD, GOOD, UNCERTAIN, UNCERTAIN_LAST_USABLE, Sample, grade
from db.history import read_history
from db.rollup_store import PostgresRollupStore
from db.stores import PostgresSampleStore
from db.worker import DatabaseThread

BEGIN = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=4)
FIELDS = ", ".join(
    f"extract(epoch FROM {name[:-2] if name != 'start_s' else 'start'})::float8"
    if name.endswith("time_s") or name == "start_s"
    else name
    for name in Rollup.__slots__
)

_KILL_WHO_WAITS = text("""
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE query LIKE '%roll_up(%' AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()""")


def some(count: int, seed: int, span_s: int = 2 * 86_400) -> list[Sample]:
    random = Random(seed)
    at = [BEGIN + timedelta(seconds=one) for one in sorted(random.sample(range(span_s), count))]
    qualities = random.choices([GOOD, UNCERTAIN, BAD, UNCERTAIN_LAST_USABLE], [9, 2, 1, 1], k=count)
    values = [None if random.random() < 0.02 else random.gauss(0, 5) for _ in range(count)]
    return [Sample(1, value, quality, one, one) for value, quality, one in zip(values, qualities, at, strict=True)]


async def reckon(thread: DatabaseThread, owner: Engine, most: int = 5_000) -> None:
    store = PostgresRollupStore(thread)
    while True:
        with owner.begin() as connection:
            connection.execute(text("UPDATE rollup_due SET ready_time = now() - interval '1 second'"))
        if not await store.roll_up(most):
            return


def expected(samples: list[Sample], period_s: int) -> list[Rollup]:
    rows = sorted(samples, key=lambda one: one.source_time)
    time_s = np.array([one.source_time.timestamp() for one in rows])
    values = np.array([np.nan if one.value is None else one.value for one in rows])
    grades = np.array([3 if one.value is None else grade(one.quality) for one in rows], np.uint8)
    found, before = [], None
    for start_s in sorted(set((time_s // period_s * period_s).tolist())):
        own = (time_s >= start_s) & (time_s < start_s + period_s)
        found.append(of_period(start_s, period_s, time_s[own], values[own], grades[own], before))
        before = (float(values[own][-1]), int(grades[own][-1]))
    return [one for one in found if one is not None]


def check(owner: Engine, samples: list[Sample]) -> None:
    with owner.connect() as connection:
        for period_s in PERIODS_S:
            rows = connection.execute(
                text(f"SELECT {FIELDS} FROM rollup WHERE tag_id = 1 AND period_s = {period_s} ORDER BY start")
            )
            found = np.array(rows.all(), np.float64)
            wanted = np.array(
                [[getattr(one, name) for name in Rollup.__slots__] for one in expected(samples, period_s)]
            )
            np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-6, err_msg=str(period_s))


async def test_every_level_is_what_part_13_says(thread: DatabaseThread, owner: Engine) -> None:
    samples = some(3_000, 1)
    await PostgresSampleStore(thread).write_samples(samples)
    await reckon(thread, owner)
    check(owner, samples)


async def test_late_samples_change_every_level_and_what_comes_after_them(thread: DatabaseThread, owner: Engine) -> None:
    samples, store = some(1_000, 2), PostgresSampleStore(thread)
    late = samples[::3]
    await store.write_samples([one for one in samples if one not in late])
    await reckon(thread, owner)
    await PostgresSampleStore(thread).write_samples(late)
    await reckon(thread, owner, 7)
    check(owner, samples)


async def test_reckoning_again_changes_nothing(thread: DatabaseThread, owner: Engine) -> None:
    samples = some(300, 3)
    await PostgresSampleStore(thread).write_samples(samples)
    await reckon(thread, owner)
    with owner.begin() as connection:
        connection.execute(
            text("INSERT INTO rollup_due SELECT start, now(), tag_id, municipality_id, period_s FROM rollup")
        )
    await reckon(thread, owner)
    check(owner, samples)


async def test_nothing_is_reckoned_before_its_time(thread: DatabaseThread, owner: Engine) -> None:
    await PostgresSampleStore(thread).write_samples(some(10, 4))
    assert await PostgresRollupStore(thread).roll_up(100) == 0


async def test_what_was_killed_in_a_batch_is_reckoned_again(thread: DatabaseThread, owner: Engine) -> None:
    samples = some(300, 6)
    await PostgresSampleStore(thread).write_samples(samples)
    with owner.begin() as connection:
        connection.execute(text("UPDATE rollup_due SET ready_time = now() - interval '1 second'"))
    with owner.begin() as in_the_way:
        # it has taken its marks, and waits to write what it reckoned
        in_the_way.execute(text("LOCK TABLE rollup IN SHARE MODE"))
        batch = asyncio.create_task(PostgresRollupStore(thread).roll_up(5_000))
        # in a transaction of its own each time: within one the list of who waits stays as it was
        with owner.execution_options(isolation_level="AUTOCOMMIT").connect() as killer:
            while not killer.execute(_KILL_WHO_WAITS).all():
                await asyncio.sleep(0.01)
    # the thread connects anew and does it again by itself, or says that it did not
    with suppress(DatabaseUnavailable):
        await batch
    await reckon(thread, owner)
    check(owner, samples)


@pytest.mark.parametrize("is_reckoned", [True, False])
async def test_a_read_from_rollups_shows_what_samples_show(
    thread: DatabaseThread, owner: Engine, station: Engine, is_reckoned: bool
) -> None:
    samples, columns = some(20_000, 5), 40
    store = PostgresSampleStore(thread)
    await store.write_samples(samples)
    if is_reckoned:
        await reckon(thread, owner)
        # two late ones that are not reckoned yet, one of them the highest of all
        late = [
            Sample(1, value, GOOD, BEGIN + timedelta(hours=h, seconds=0.5), BEGIN)
            for value, h in ((99.0, 20), (-99.0, 31))
        ]
        samples += late
        await PostgresSampleStore(thread).write_samples(late)
    start, end = BEGIN + timedelta(hours=1, seconds=7), BEGIN + timedelta(hours=47, seconds=3)
    with station.connect() as connection:
        piece = read_history(connection, 1, start, end, columns)
    inside = [one for one in samples if start <= one.source_time <= end]
    trusted = [one.value for one in inside if one.value is not None and grade(one.quality) <= 1]
    assert columns - 2 <= piece.time_s.size <= columns + 2
    assert (np.nanmin(piece.low[1:]), np.nanmax(piece.high[1:])) == (min(trusted), max(trusted))
    newest = max(inside, key=lambda one: one.source_time)
    assert piece.grade[-1] == grade(newest.quality)
    assert piece.worst.max() == 3
