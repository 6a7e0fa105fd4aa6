"""What a replay plays: the journal of a period and how the board stood before it, read page by page."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from control_room.core.alarms import (
    AlarmKind,
    AlarmRule,
    AlarmState,
    Happening,
    JournalEntry,
    Priority,
    Trigger,
)
from control_room.core.errors import ControlRoomError
from control_room.core.replay import Replay, ReplayRow
from control_room.core.tags import Quantity, Tag
from db.journal_search import JournalFilter, JournalRow, read_opening, search_journal

PAGE = 2_000
MOST_ROWS = 50_000
Read = Callable[[partial[list[JournalRow]]], Awaitable[list[JournalRow]]]
Rules = Mapping[int, AlarmRule]


async def read_rows(read: Read, wanted: JournalFilter, tell: Callable[[int], bool]) -> list[JournalRow]:
    """Return the rows of an area's period in the order in which they were written, those that open it first.

    `wanted` has a start; only area and period of it count. `tell` gets how many were read and returns whether to go on.
    Raises ControlRoomError, also when there are too many.
    """
    assert wanted.start is not None
    asked = replace(wanted, text="", person="", kinds=())
    rows: list[JournalRow] = []
    while True:
        before = rows[-1].id if rows else None
        page = await read(partial(search_journal, wanted=asked, before=before, limit=PAGE))
        rows += page
        if len(rows) > MOST_ROWS:
            words = f"More than {MOST_ROWS:,} rows were written in this period."
            raise ControlRoomError(words, advice="Choose a shorter one, or a smaller area.")
        if not tell(len(rows)) or len(page) < PAGE:
            break
    rows += await read(partial(read_opening, area=asked, at=wanted.start))
    return rows[::-1]


async def made_ready(rows: Sequence[JournalRow], rules: Rules) -> Replay:
    """Return the replay of the rows, at its beginning, played through once on another thread: thousands of rows take as
    long as several frames."""
    return await asyncio.to_thread(partial(_played_through, rows, rules))


def _played_through(rows: Sequence[JournalRow], rules: Rules) -> Replay:
    made = replay_rows(rows, rules)
    replay = Replay(made)
    if made:
        replay.seek(made[-1].written)
        replay.seek(made[0].written - timedelta.resolution)
    return replay


def replay_rows(rows: Iterable[JournalRow], rules: Rules) -> list[ReplayRow]:
    """Return the rows for the machine; limit, priority and message are those of then."""
    return [
        ReplayRow(datetime.fromtimestamp(row.id / 1e6, UTC), _entry(row), _rule(row, rules), row.municipality_id)
        for row in rows
    ]


def _entry(row: JournalRow) -> JournalEntry:
    return JournalEntry(
        rule_id=row.rule_id,
        event_id=row.event_id,
        # what only a newer program knows is told by its state
        happening=Happening(row.happening) if row.happening in set(Happening) else Happening.COMMENTED,
        previous=_state(row.previous_state),
        state=_state(row.state),
        trigger=Trigger.OPERATOR if row.person else Trigger.PROCESS,
        time=row.source_time,
        value=row.value,
        quality=row.quality,
        person=row.person,
        comment=row.comment,
        detail=row.detail,
    )


def _state(name: str) -> AlarmState:
    return AlarmState(name) if name in set(AlarmState) else AlarmState.NORMAL


def _rule(row: JournalRow, rules: Rules) -> AlarmRule:
    # of a rule that is retired nothing else is known
    known = rules.get(row.rule_id) or AlarmRule(row.rule_id, row.tag_id, AlarmKind.BAD, Priority.LOW)
    return replace(known, limit=row.limit, priority=Priority(row.priority), message=row.message)


def tag_of(row: JournalRow, tags: Mapping[int, Tag]) -> Tag:
    """Return the row's tag, one that is retired as far as the journal tells of it."""
    retired = Tag(
        row.tag_id, row.municipality_id, row.site, row.asset, row.tag_key, row.tag_name, Quantity.OTHER, 0, ""
    )
    return tags.get(row.tag_id) or retired
