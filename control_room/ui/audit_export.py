"""The export of the audit: page after page from the database into a CSV file that appears when it is complete."""

import asyncio
import csv
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from control_room.core.errors import ControlRoomError, DiskFull
from control_room.ui.audit_words import CSV_TITLES, csv_row
from control_room.ui.people_words import Places
from db.audit import AuditEntry, AuditFilter, read_audit

EXPORT_PAGE = 1000
_NO_SPACE = 28

Act = Callable[[partial[list[AuditEntry]]], Awaitable[list[AuditEntry]]]


@dataclass(slots=True)
class Progress:
    """How far an export is; `is_cancelled` is set by the person."""

    written: int = 0
    percent: int = 0
    is_cancelled: bool = False


async def export(
    act: Act,
    wanted: AuditFilter,
    places: Places,
    path: Path,
    progress: Progress,
    tell: Callable[[Progress], None],
) -> bool:
    """Write everything that is wanted to `path`, the newest first; return whether it was done, not cancelled.

    What was there before stays until then. Raises ControlRoomError.
    """
    draft = path.with_name(f"{path.name}.part")
    try:
        await _in_thread(partial(_begin, draft))
        before: datetime | None = None
        newest: int | None = None
        while not progress.is_cancelled:
            rows = await act(partial(read_audit, wanted=wanted, before=before, limit=EXPORT_PAGE))
            await _in_thread(partial(_append, draft, rows, places))
            progress.written += len(rows)
            if len(rows) < EXPORT_PAGE:
                await _in_thread(partial(draft.replace, path))
                return True
            newest, last, before = newest or rows[0].id, rows[-1].id, rows[-1].time
            if newest and last:
                # ids count up by one: how far down tells how much is done; who may not see them sees how many were written
                progress.percent = round(100 * (newest - last) / newest)
            tell(progress)
        return False
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


async def _in_thread(job: Callable[[], Any]) -> None:
    """Run file work on another thread, to its end even when the export is given up meanwhile."""
    writing = asyncio.ensure_future(asyncio.to_thread(job))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait([writing])
        raise
    except OSError as fault:
        raise _translated(fault) from fault


def _translated(fault: OSError) -> ControlRoomError:
    if fault.errno == _NO_SPACE:
        return DiskFull("No space is left for the file.", advice="Free disk space or choose another folder.")
    return ControlRoomError(f"The file cannot be written: {fault.strerror}.", advice="Choose another folder or name.")


def _begin(draft: Path) -> None:
    # the mark lets spreadsheets read names as they are written
    with draft.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerow(CSV_TITLES)


def _append(draft: Path, rows: Sequence[AuditEntry], places: Places) -> None:
    with draft.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(csv_row(row, places) for row in rows)
