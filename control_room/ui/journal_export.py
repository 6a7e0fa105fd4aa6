"""The journal's pages as an export writes them."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial

from control_room.ui.export import Page
from control_room.ui.journal_words import Municipalities, Tags, cells
from db.journal_search import JournalFilter, JournalRow, search_journal

EXPORT_PAGE = 1000

Read = Callable[[partial[list[JournalRow]]], Awaitable[list[JournalRow]]]


async def journal_pages(
    read: Read, wanted: JournalFilter, places: Municipalities, tags: Tags
) -> AsyncGenerator[Page, None]:
    """Yield everything that is wanted, the newest first. Raises ControlRoomError."""
    before: int | None = None
    newest: int | None = None
    while True:
        rows = await read(partial(search_journal, wanted=wanted, before=before, limit=EXPORT_PAGE))
        newest = newest or (rows[0].id if rows else None)
        is_last = len(rows) < EXPORT_PAGE
        yield Page(
            [cells(row, places, tags) for row in rows], 100 if is_last else _percent(wanted, newest, rows[-1].id)
        )
        if is_last:
            return
        before = rows[-1].id


def _percent(wanted: JournalFilter, newest: int | None, last: int) -> int | None:
    """Return how much of the period is behind, by its time; None when it has no beginning."""
    if wanted.start is None or newest is None:
        return None
    whole = newest - wanted.start.timestamp() * 1_000_000
    return round(100 * (newest - last) / whole) if whole > 0 else 100
