"""The collector's stores: the ports of core/ports.py on PostgreSQL."""

import asyncio
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, bindparam, select, text
from sqlalchemy.dialects.postgresql import insert

from control_room.core.alarm_entries import happening_of
from control_room.core.alarms import Alarm, Hold, HoldKind, OutOfService, ProcessChange, Shelving, StickyNote
from control_room.core.ports import Configuration, NumberedSamples, SpoolMark
from control_room.core.sample_rows import NO_ROWS, newest_rows, rows_of
from control_room.core.samples import Sample
from control_room.core.status import CollectorStatus, LinkStatus
from control_room.core.suppression import CauseChange, CauseState
from db.access import LATEST_LOCK
from db.array_parameters import Floats, Integers, Times
from db.rollup_store import DueMinutes, Marks
from db.sample_copy import COLUMNS, copy_bytes
from db.schema import require_schema
from db.tables import alarm, collector_status, latest, link_status, suppression, tag
from db.tag_store import read_configuration
from db.worker import DatabaseThread

T = TypeVar("T")

# days around today that get a partition of their own; the rest goes to the default partition
_PAST_DAYS = 400
_FUTURE_DAYS = 2
_DAY_US = 86_400_000_000
_DAY_ZERO = date(1970, 1, 1)
# an answer that took longer tells nothing of the clocks
_LONGEST_WAY = timedelta(seconds=0.5)

_UPDATE_LATEST = text("""
    INSERT INTO latest AS old (tag_id, value, quality, source_time, arrival_time, municipality_id, seq)
    SELECT new.tag_id, nullif(new.value, 'NaN'), new.quality, new.source_time, new.arrival_time, new.municipality_id,
        (SELECT clock_number('latest_seq'))
    FROM unnest(:ids ::int[], :values ::float8[], :qualities ::int[], :source_times ::timestamptz[],
                :arrival_times ::timestamptz[], :municipalities ::int[])
        AS new (tag_id, value, quality, source_time, arrival_time, municipality_id)
    ON CONFLICT (tag_id) DO UPDATE SET value = excluded.value, quality = excluded.quality,
        source_time = excluded.source_time, arrival_time = excluded.arrival_time, seq = excluded.seq,
        municipality_id = excluded.municipality_id
    WHERE excluded.source_time >= old.source_time
""")

_FILL_LATEST = text("""
    INSERT INTO latest (tag_id, value, quality, source_time, arrival_time, municipality_id, seq)
    SELECT tag.id, newest.value, newest.quality, newest.source_time, newest.source_time, tag.municipality_id,
        (SELECT clock_number('latest_seq'))
    FROM tag CROSS JOIN LATERAL (
        SELECT value, quality, source_time FROM sample WHERE sample.tag_id = tag.id
        ORDER BY source_time DESC LIMIT 1) AS newest
    WHERE NOT tag.is_retired
    ON CONFLICT DO NOTHING
""")

# what another collector has stored as well is not stored twice
_INSERT_UNKNOWN = text("""
    INSERT INTO sample (tag_id, source_time, value, quality, municipality_id)
    SELECT new.tag_id, new.source_time, nullif(new.value, 'NaN'), new.quality, new.municipality_id
    FROM unnest(:ids ::int[], :values ::float8[], :qualities ::int[], :source_times ::timestamptz[],
                :arrival_times ::timestamptz[], :municipalities ::int[])
        AS new (tag_id, value, quality, source_time, arrival_time, municipality_id)
    WHERE NOT EXISTS (SELECT FROM sample AS old WHERE old.tag_id = new.tag_id AND old.source_time = new.source_time
        AND old.value IS NOT DISTINCT FROM nullif(new.value, 'NaN') AND old.quality = new.quality)
""")
_BEGIN_SPOOL = text("SELECT begin_spool(:id)")
_READ_SPOOL = text("SELECT firsts, lasts, is_last FROM read_spool(:id)")
_TAKE_SPOOLED = text("SELECT firsts, lasts FROM take_spooled(:id, :first, :last)")
_RECORD = text(
    "SELECT record_process(:rules ::int[], :numbers ::bigint[], :happenings ::text[], :times ::timestamptz[],"
    " :values ::float8[], :qualities ::int[])"
)
_RECORD_CAUSES = text("SELECT record_causes(:ids ::int[], :numbers ::bigint[], :times ::timestamptz[])")
_LOCK = text("SELECT take_turn(:key)")


async def _do(thread: DatabaseThread, work: Callable[[Connection], T]) -> T:
    return await asyncio.wrap_future(thread.submit(work))


class _Kept(NamedTuple):
    """What a transaction made, to be remembered once it is committed: partitions of days, and marks of what is due."""

    days: set[date]
    marks: Marks


class PostgresSampleStore:
    """Every sample into `sample`, the newest of each tag into `latest`."""

    def __init__(self, thread: DatabaseThread) -> None:
        """Write on `thread`."""
        self._thread = thread
        self._days: set[date] = set()
        # by tag; one that is not known yet is looked up when its first sample comes
        self._municipalities: dict[int, int] = {}
        self._due = DueMinutes()

    async def write_samples(self, samples: Sequence[Sample]) -> None:
        """Commit all samples in one transaction and wake the seats."""
        rows = rows_of(samples)
        self._remember(await _do(self._thread, lambda connection: self._write(connection, rows)))

    async def read_latest(self) -> list[Sample]:
        """Return the newest sample of each tag, found again in history after a crash of the server."""
        return await _do(self._thread, _read_latest)

    async def begin_spool(self, spool_id: UUID) -> None:
        """Take note that this run leads."""
        await _do(self._thread, lambda connection: connection.execute(_BEGIN_SPOOL, {"id": spool_id}))

    async def read_spool(self, spool_id: UUID) -> SpoolMark | None:
        """Return what is stored of a run, None when it never led here."""
        row = await _do(self._thread, lambda connection: connection.execute(_READ_SPOOL, {"id": spool_id}).first())
        return SpoolMark(tuple(zip(row.firsts, row.lasts, strict=True)), row.is_last) if row is not None else None

    async def write_numbered(self, batch: NumberedSamples) -> None:
        """Commit in one transaction what is not stored yet, and its numbers."""
        self._remember(await _do(self._thread, lambda connection: self._write_numbered(connection, batch)))

    def _remember(self, kept: _Kept) -> None:
        self._days |= kept.days
        self._due.remember(kept.marks)

    def _write_numbered(self, connection: Connection, batch: NumberedSamples) -> _Kept:
        # first of all: it holds the run's row, so that a transaction whose answer was lost is waited for
        asked = {"id": batch.spool_id, "first": batch.first, "last": batch.last}
        taken = connection.execute(_TAKE_SPOOLED, asked).one()
        parts = [
            batch.rows[first - batch.first : last - batch.first + 1]
            for first, last in zip(taken.firsts, taken.lasts, strict=True)
        ]
        kept = self._keep(connection, np.concatenate([NO_ROWS, *parts]), is_shared=batch.is_shared)
        if batch.newest.size or not batch.is_past:
            self._show(connection, batch.newest if batch.is_past else np.concatenate([batch.newest, batch.rows]))
        return kept

    def _write(self, connection: Connection, rows: NDArray[np.void]) -> _Kept:
        kept = self._keep(connection, rows)
        self._show(connection, rows)
        return kept

    def _keep(self, connection: Connection, rows: NDArray[np.void], *, is_shared: bool = False) -> _Kept:
        """Write rows into history, and mark their minutes as due."""
        numbers = rows["source_us"] // _DAY_US
        by_day = {_DAY_ZERO + timedelta(days=one): numbers == one for one in np.unique(numbers).tolist()}
        days = self._ensure_partitions(connection, set(by_day))
        places = self._places(connection, rows)
        for day, is_of_day in by_day.items():
            of_day, their_places = (rows, places) if len(by_day) == 1 else (rows[is_of_day], places[is_of_day])
            if is_shared:
                connection.execute(_INSERT_UNKNOWN, _parameters(of_day, their_places))
            else:
                _copy(connection, day, of_day, their_places)
        return _Kept(days, self._due.mark(connection, rows, places))

    def _show(self, connection: Connection, rows: NDArray[np.void]) -> None:
        newest = newest_rows(rows)
        places = self._places(connection, newest)
        connection.execute(_LOCK, {"key": LATEST_LOCK})
        connection.execute(_UPDATE_LATEST, _parameters(newest, places))
        connection.execute(text("NOTIFY process"))

    def _places(self, connection: Connection, rows: NDArray[np.void]) -> NDArray[np.int32]:
        """Return each row's municipality; what belongs to none gets 0, which nobody may see."""
        found, where = np.unique(rows["tag_id"], return_inverse=True)
        tags = found.tolist()
        if unknown := [one for one in tags if one not in self._municipalities]:
            columns = select(tag.c.id, tag.c.municipality_id).where(tag.c.id.in_(unknown))
            self._municipalities |= {row.id: row.municipality_id for row in connection.execute(columns)}
        return np.array([self._municipalities.get(one, 0) for one in tags], np.int32)[where]

    def _ensure_partitions(self, connection: Connection, days: set[date]) -> set[date]:
        today = datetime.now(UTC).date()
        window = _window()
        # tomorrow's partition is made today: midnight must cost nothing
        missing = ((days | {today, today + timedelta(days=1)}) & window) - self._days
        for day in sorted(missing):
            connection.execute(text("SELECT ensure_sample_partitions(:day, :day)"), {"day": day})
        return missing


def _copy(connection: Connection, day: date, rows: NDArray[np.void], places: NDArray[np.int32]) -> None:
    # into the partition itself: COPY does not go together with row-level security
    name = f"sample_{day:%Y%m%d}" if day in _window() else "sample_default"
    with connection.connection.cursor().copy(f"COPY {name} ({', '.join(COLUMNS)}) FROM STDIN (FORMAT binary)") as copy:
        copy.write(copy_bytes(rows, places))


def _parameters(rows: NDArray[np.void], places: NDArray[np.int32]) -> dict[str, Any]:
    return {
        "ids": Integers(rows["tag_id"]),
        "values": Floats(rows["value"]),
        "qualities": Integers(rows["quality"]),
        "source_times": Times(rows["source_us"]),
        "arrival_times": Times(rows["arrival_us"]),
        "municipalities": Integers(places),
    }


def _window() -> Set[date]:
    """Return the days that have a partition of their own."""
    return _window_around(datetime.now(UTC).date())


@lru_cache(maxsize=1)
def _window_around(today: date) -> frozenset[date]:
    return frozenset(today + timedelta(days=number) for number in range(-_PAST_DAYS, _FUTURE_DAYS + 1))


def _read_latest(connection: Connection) -> list[Sample]:
    connection.execute(_LOCK, {"key": LATEST_LOCK})
    connection.execute(_FILL_LATEST)
    return [as_sample(row) for row in connection.execute(select(latest))]


def as_sample(row: Row[Any]) -> Sample:
    """Return the sample of a row of `latest`."""
    return Sample(row.tag_id, row.value, row.quality, row.source_time, row.arrival_time)


class PostgresAlarmStore:
    """Alarms and their journal."""

    def __init__(self, thread: DatabaseThread) -> None:
        """Read and write on `thread`."""
        self._thread = thread

    async def read_alarms(self) -> list[Alarm]:
        """Return every alarm that was ever raised."""
        return await _do(self._thread, lambda connection: [as_alarm(row) for row in connection.execute(select(alarm))])

    async def read_causes(self) -> list[CauseState]:
        """Return what is known of the cause of every suppression."""
        asked = select(suppression.c.id, suppression.c.number)
        return await _do(
            self._thread, lambda connection: [CauseState(row.id, row.number) for row in connection.execute(asked)]
        )

    async def record(self, changes: Sequence[ProcessChange | CauseChange]) -> None:
        """Commit what the process did and which causes changed, with the journal rows, and wake the seats."""
        if changes:
            await _do(self._thread, lambda connection: _record(connection, changes))

    async def pass_time(self) -> int:
        """Let shelvings run out and announce again what stands too long, by the database's clock; return how many."""
        ended = await _do(self._thread, lambda connection: connection.execute(text("SELECT pass_time()")).scalar_one())
        return int(ended)


def _record(connection: Connection, changes: Sequence[ProcessChange | CauseChange]) -> None:
    for is_cause, run in groupby(changes, key=lambda one: isinstance(one, CauseChange)):
        alike = list(run)
        if is_cause:
            connection.execute(_RECORD_CAUSES, _cause_columns([one for one in alike if isinstance(one, CauseChange)]))
        else:
            connection.execute(_RECORD, _columns([one for one in alike if isinstance(one, ProcessChange)]))


def _cause_columns(changes: Sequence[CauseChange]) -> dict[str, list[Any]]:
    return {
        "ids": [one.suppression_id for one in changes],
        "numbers": [one.number for one in changes],
        "times": [one.time for one in changes],
    }


def _columns(changes: Sequence[ProcessChange]) -> dict[str, list[Any]]:
    return {
        "rules": [one.rule_id for one in changes],
        "numbers": [one.number for one in changes],
        "happenings": [happening_of(one.event).value for one in changes],
        "times": [one.event.time for one in changes],
        "values": [one.event.value for one in changes],
        "qualities": [one.event.quality for one in changes],
    }


def as_alarm(row: Row[Any]) -> Alarm:
    """Return the alarm of a row of `alarm`."""
    return Alarm(
        rule_id=row.rule_id,
        is_active=row.is_active,
        is_acknowledged=row.is_acknowledged,
        is_latched=row.is_latched,
        shelving=_shelving(row),
        out_of_service=_out_of_service(row),
        event_id=row.event_id,
        process_number=row.process_number,
        raised_time=row.raised_time,
        returned_time=row.returned_time,
        acknowledged_time=row.acknowledged_time,
        acknowledged_by=row.acknowledged_by,
        value=row.value,
        quality=row.quality,
        first_out_time=row.first_out_time,
        holds=tuple(_hold(key, kept) for key, kept in sorted(row.holds.items())),
        note=StickyNote(row.note["words"], row.note["by"], datetime.fromisoformat(row.note["at"]))
        if row.note
        else None,
    )


def _hold(key: str, kept: Mapping[str, Any]) -> Hold:
    kind, _, number = key.partition(":")
    since, until = (datetime.fromisoformat(kept[name]) if kept[name] else None for name in ("since", "until"))
    assert since is not None
    return Hold(HoldKind(kind), int(number), since, until, kept["words"], kept["by"], kept["work_order"])


def _shelving(row: Row[Any]) -> Shelving | None:
    if row.shelved_until is None:
        return None
    return Shelving(row.shelved_time, row.shelved_until, row.shelved_by, row.shelved_reason, row.is_one_shot)


def _out_of_service(row: Row[Any]) -> OutOfService | None:
    if row.out_of_service_time is None:
        return None
    return OutOfService(row.out_of_service_time, row.out_of_service_by, row.out_of_service_reason, row.work_order)


class PostgresConfigurationStore:
    """The configuration."""

    def __init__(self, thread: DatabaseThread) -> None:
        """Read on `thread`."""
        self._thread = thread

    async def read_configuration(self) -> Configuration:
        """Return the whole configuration, settings of connections included."""
        return await _do(self._thread, lambda connection: read_configuration(connection, with_settings=True))

    async def check_schema(self) -> None:
        """Raise NewerSchema or OlderSchema unless the database has this program's schema."""
        await _do(self._thread, require_schema)


class PostgresStatusStore:
    """What the status bar shows."""

    def __init__(self, thread: DatabaseThread) -> None:
        """Write on `thread`."""
        self._thread = thread

    async def publish_status(self, collector: CollectorStatus, links: Sequence[LinkStatus]) -> float | None:
        """Replace the collector's and the links' status and wake the seats; return how far this clock is ahead."""
        return await _do(self._thread, lambda connection: _publish(connection, collector, links))

    async def read_beat(self) -> datetime | None:
        """Return when a collector said last that it is there, None for never."""
        return await _do(self._thread, lambda connection: connection.scalar(select(collector_status.c.beat_time)))


def _ahead_s(connection: Connection) -> float | None:
    """Return how many seconds this clock is ahead of the server's; half the way there and back is the doubt."""
    asked = datetime.now(UTC)
    told: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    answered = datetime.now(UTC)
    if answered - asked > _LONGEST_WAY:
        return None
    return (asked + (answered - asked) / 2 - told).total_seconds()


def _publish(connection: Connection, collector: CollectorStatus, links: Sequence[LinkStatus]) -> float | None:
    ahead_s = _ahead_s(connection)
    own = insert(collector_status).values({"id": 1, **_fields(collector)})
    connection.execute(own.on_conflict_do_update(index_elements=["id"], set_=_fields(collector)))
    connection.execute(
        link_status.delete().where(link_status.c.connection_id.not_in([one.connection_id for one in links]))
    )
    if links:
        rows = insert(link_status).values({name: bindparam(name) for name in _fields(links[0])})
        changing = {name: rows.excluded[name] for name in _fields(links[0]) if name != "connection_id"}
        connection.execute(
            rows.on_conflict_do_update(index_elements=["connection_id"], set_=changing), [_fields(one) for one in links]
        )
    connection.execute(text("NOTIFY status"))
    return ahead_s


def _fields(status: CollectorStatus | LinkStatus) -> dict[str, Any]:
    return {name: getattr(status, name) for name in status.__dataclass_fields__}
