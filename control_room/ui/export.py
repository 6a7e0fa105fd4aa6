"""An export: noted in the audit, then page after page from the database into a file that appears when it is complete.

Whatever leaves the control room as a file is noted here first; without the note there is no file.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from control_room.core.errors import ControlRoomError, DiskFull
from control_room.ui.operations import Operations
from control_room.ui.table_files import Cell, table_file
from db.audit import note_export

EXPORT_PAGE = 1000
_NO_SPACE = 28


@dataclass(slots=True)
class Progress:
    """How far an export is; `percent` is None when nobody knows. `is_cancelled` is set by the person."""

    written: int = 0
    percent: int | None = 0
    is_cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of cells, and how much is done with them, 0 to 100; None: nobody knows."""

    rows: Sequence[Sequence[Cell]]
    percent: int | None = None


# notes that so many rows go out, None: nobody knows yet; raises ControlRoomError
Note = Callable[[int | None], Awaitable[None]]


def note_of(operations: Operations, what: str, wanted: Mapping[str, Any]) -> Note:
    """Return what notes an export of the audit, the journal, the alarm report or the alarm rules by this filter."""

    async def note(rows: int | None) -> None:
        await operations.act(partial(note_export, what=what, wanted=wanted, rows=rows))

    return note


async def export(
    titles: Sequence[str],
    pages: AsyncGenerator[Page, None],
    path: Path,
    progress: Progress,
    tell: Callable[[Progress], None],
    note: Note,
) -> bool:
    """Write every page to `path`, as CSV or XLSX by its name; return whether it was done, not cancelled.

    It is noted before the first row is written, and with their number before the file gets its name. What was there
    before stays until then. Raises ControlRoomError.
    """
    file = table_file(path)
    await note(None)
    try:
        await _in_thread(partial(file.begin, titles))
        async with aclosing(pages) as following:
            async for page in following:
                await _in_thread(partial(file.append, page.rows))
                progress.written += len(page.rows)
                progress.percent = page.percent
                tell(progress)
                if progress.is_cancelled:
                    return False
        await note(progress.written)
        await _in_thread(file.finish)
        return True
    finally:
        with suppress(ControlRoomError):
            await _in_thread(file.drop)


async def _in_thread(job: Callable[[], None]) -> None:
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
