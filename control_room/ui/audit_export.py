"""The audit's pages as an export writes them."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime
from functools import partial

from control_room.ui.audit_words import cells
from control_room.ui.export import Page
from control_room.ui.people_words import Places
from db.audit import AuditEntry, AuditFilter, read_audit

EXPORT_PAGE = 1000

Act = Callable[[partial[list[AuditEntry]]], Awaitable[list[AuditEntry]]]


async def audit_pages(act: Act, wanted: AuditFilter, places: Places) -> AsyncGenerator[Page, None]:
    """Yield everything that is wanted, the newest first. Raises ControlRoomError."""
    before: datetime | None = None
    newest: int | None = None
    while True:
        rows = await act(partial(read_audit, wanted=wanted, before=before, limit=EXPORT_PAGE))
        newest = newest or (rows[0].id if rows else None)
        is_last = len(rows) < EXPORT_PAGE
        last = rows[-1].id if rows else None
        # ids count up by one: how far down tells how much is done; who may not see them sees how many were written
        percent = 100 if is_last else round(100 * (newest - last) / newest) if newest and last else None
        yield Page([cells(row, places) for row in rows], percent)
        if is_last:
            return
        before = rows[-1].time
