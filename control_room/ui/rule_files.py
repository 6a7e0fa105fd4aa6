"""Alarm rules in files, CSV or XLSX: written and read on another thread, with progress, until a person stops it."""

import asyncio
import csv
import re
import zipfile
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.utils.exceptions import InvalidFileException

from control_room.core.errors import ControlRoomError, DiskFull
from control_room.core.rule_sheet import TITLES, Known, Line, Sheet, cells, read_sheet

T = TypeVar("T")
Rows = Generator[Sequence[str], None, None]
SIZE_MAX_BYTES = 100_000_000
# of an XLSX, which is packed: a small file may be made to fill the memory
UNPACKED_MAX_BYTES = 1_000_000_000
ROWS_MAX = 250_000
_TOLD_EVERY = 500
_WIDTH_MAX = 200
_NO_SPACE = 28
# what XML cannot hold
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_OTHER_FILE = "Choose a CSV or XLSX file, as the export writes them."


class Stopped(Exception):
    """The person gave it up."""


@dataclass(slots=True)
class FileProgress:
    """How far it is: `done` of `whole`, in rows; 0 for `whole`: not known. `is_cancelled` is set by the person.

    `told` runs on the loop of whoever waits.
    """

    told: Callable[[], None]
    whole: int = 0
    done: int = 0
    is_cancelled: bool = False
    _loop: asyncio.AbstractEventLoop | None = field(default=None)

    def step(self, done: int) -> None:
        """Note, on the other thread, how far it is. Raises Stopped."""
        if self.is_cancelled:
            raise Stopped
        self.done = done
        if done % _TOLD_EVERY == 0 and self._loop is not None:
            self._loop.call_soon_threadsafe(self.told)


async def write_rules(path: Path, lines: Sequence[Line], progress: FileProgress) -> bool:
    """Write the rules; return whether it was done, not stopped. What was there before stays until then.

    Raises ControlRoomError.
    """
    draft = path.with_name(f"{path.name}.part")
    write = _write_xlsx if path.suffix.casefold() == ".xlsx" else _write_csv
    progress.whole = len(lines)

    def work() -> None:
        try:
            write(draft, lines, progress)
            draft.replace(path)
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)

    try:
        await _in_thread(work, progress)
    except Stopped:
        return False
    except OSError as fault:
        raise _translated(fault, "written") from fault
    return True


async def read_rules(path: Path, known: Known, progress: FileProgress) -> Sheet | None:
    """Return what the file would change and what is wrong with it, None when it was stopped. Raises ControlRoomError."""

    def work() -> Sheet:
        sheet = Sheet()
        with closing(_rows(path)) as rows:
            for number, grown in enumerate(read_sheet(rows, known), 1):
                sheet = grown
                if number > ROWS_MAX:
                    raise ControlRoomError(f"The file has more than {ROWS_MAX:,} rows.", advice="Split it.")
                progress.step(number)
        return sheet

    try:
        return await _in_thread(work, progress)
    except Stopped:
        return None
    except OSError as fault:
        raise _translated(fault, "read") from fault
    except (
        UnicodeDecodeError,
        csv.Error,
        zipfile.BadZipFile,
        InvalidFileException,
        LookupError,
        ValueError,
        SyntaxError,
    ) as fault:
        raise ControlRoomError("The file is damaged or of another kind.", advice=_OTHER_FILE) from fault


async def _in_thread(work: Callable[[], T], progress: FileProgress) -> T:
    """Run file work on another thread, to its end even when whoever waits is cancelled."""
    progress._loop = asyncio.get_running_loop()
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        progress.is_cancelled = True
        await asyncio.wait([working])
        raise


def _translated(fault: OSError, deed: str) -> ControlRoomError:
    if fault.errno == _NO_SPACE:
        return DiskFull("No space is left for the file.", advice="Free disk space or choose another folder.")
    return ControlRoomError(f"The file cannot be {deed}: {fault.strerror}.", advice="Choose another folder or name.")


# --- writing


def _write_csv(draft: Path, lines: Sequence[Line], progress: FileProgress) -> None:
    # the mark lets spreadsheets read names as they are written
    with draft.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(TITLES)
        for number, line in enumerate(lines, 1):
            writer.writerow(cells(line))
            progress.step(number)


def _write_xlsx(draft: Path, lines: Sequence[Line], progress: FileProgress) -> None:
    book = Workbook(write_only=True)
    sheet: Any = book.create_sheet("Alarm rules")
    sheet.freeze_panes = "A2"
    sheet.append(list(TITLES))
    try:
        for number, line in enumerate(lines, 1):
            sheet.append([_text_cell(sheet, words) for words in cells(line)])
            progress.step(number)
    except Stopped:
        # its rows wait in a file of their own
        sheet.close()
        sheet._writer.cleanup()
        raise
    book.save(draft)


def _text_cell(sheet: Any, words: str) -> Any:
    cell = WriteOnlyCell(sheet, _CONTROL.sub(" ", words))
    # whatever it begins with, it is a text
    cell.data_type = "s"
    return cell


# --- reading


def _rows(path: Path) -> Rows:
    if path.stat().st_size > SIZE_MAX_BYTES:
        raise ControlRoomError(f"The file is larger than {SIZE_MAX_BYTES:,} bytes.", advice=_OTHER_FILE)
    return _xlsx_rows(path) if path.suffix.casefold() == ".xlsx" else _csv_rows(path)


def _csv_rows(path: Path) -> Rows:
    with path.open(newline="", encoding="utf-8-sig") as file:
        first = file.readline()
        file.seek(0)
        # spreadsheets of some countries write a semicolon
        yield from csv.reader(file, delimiter=";" if first.count(";") > first.count(",") else ",")


def _xlsx_rows(path: Path) -> Rows:
    with zipfile.ZipFile(path) as packed:
        if sum(one.file_size for one in packed.infolist()) > UNPACKED_MAX_BYTES:
            raise ControlRoomError("The file is too large when unpacked.", advice=_OTHER_FILE)
    book = load_workbook(path, read_only=True)
    try:
        for row in book.worksheets[0].iter_rows(max_col=_WIDTH_MAX, values_only=True):
            yield [_words(value) for value in row]
    finally:
        book.close()


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)
