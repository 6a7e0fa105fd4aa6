"""Files that tables are exported to, CSV and XLSX, grown row by row beside their name until they are complete.

No text of theirs is a formula to a spreadsheet (OWASP, CSV injection): in CSV it gets an apostrophe, in XLSX it is a text cell.
"""

import csv
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

# a datetime is written as the moment in local time
Cell = str | float | int | datetime | None
KINDS = {".csv": "CSV files (*.csv)", ".xlsx": "Excel workbooks (*.xlsx)"}
# a spreadsheet would run what begins so
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
# the format's own bounds
SHEET_ROWS = 1_048_576
_CELL_LENGTH = 32_767
_WIDTH, _WIDEST = 12, 40
_TIME_FORMAT = "yyyy-mm-dd hh:mm:ss"


class TableFile(Protocol):
    """A file that is being written; every call does file work and belongs on another thread. They raise OSError."""

    def begin(self, titles: Sequence[str]) -> None:
        """Make the draft, with a row of titles."""

    def append(self, rows: Sequence[Sequence[Cell]]) -> None:
        """Add rows below."""

    def finish(self) -> None:
        """Put the complete file in the place of what was there."""

    def drop(self) -> None:
        """Leave nothing of the draft; after finish() there is nothing to leave."""


def table_file(path: Path) -> TableFile:
    """Return a file of the kind that the name's end says, CSV for any that is not known."""
    return XlsxFile(path) if path.suffix.lower() == ".xlsx" else CsvFile(path)


def harmless(cell: str) -> str:
    """Return the text of a cell as a text to spreadsheets: what begins like a formula gets an apostrophe."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell


def draft_of(path: Path) -> Path:
    """Return where a file is while it is not complete."""
    return path.with_name(f"{path.name}.part")


class CsvFile:
    """Comma-separated UTF-8 with the mark by which spreadsheets read names as they are written."""

    def __init__(self, path: Path) -> None:
        """Touch nothing yet."""
        self._path, self._draft = path, draft_of(path)

    def begin(self, titles: Sequence[str]) -> None:
        """Make the draft, with a row of titles."""
        with self._draft.open("w", newline="", encoding="utf-8-sig") as file:
            csv.writer(file).writerow(titles)

    def append(self, rows: Sequence[Sequence[Cell]]) -> None:
        """Add rows below."""
        with self._draft.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([_csv_cell(cell) for cell in row] for row in rows)

    def finish(self) -> None:
        """Put the complete file in the place of what was there."""
        self._draft.replace(self._path)

    def drop(self) -> None:
        """Leave nothing of the draft."""
        self._draft.unlink(missing_ok=True)


def _csv_cell(cell: Cell) -> Cell:
    if isinstance(cell, datetime):
        return f"{cell.astimezone():%Y-%m-%d %H:%M:%S}"
    return harmless(cell) if isinstance(cell, str) else cell


class XlsxFile:
    """A workbook written with constant memory; more rows than a sheet holds go on in the next one."""

    def __init__(self, path: Path) -> None:
        """Touch nothing yet."""
        self._path, self._draft = path, draft_of(path)
        self._book: Workbook | None = None
        self._titles: Sequence[str] = ()
        self._row = 0

    def begin(self, titles: Sequence[str]) -> None:
        """Make the draft, with a row of titles."""
        from xlsxwriter import Workbook

        # what cannot be written is to be found out before the database is asked
        self._draft.touch()
        # what memory does not keep goes to disk beside the draft, and not to a small /tmp
        options = {"constant_memory": True, "tmpdir": str(self._draft.parent), "default_date_format": _TIME_FORMAT}
        self._book = Workbook(str(self._draft), options)
        self._titles = titles
        self._sheet = self._new_sheet(self._book)

    def _new_sheet(self, book: "Workbook") -> "Worksheet":
        sheet = book.add_worksheet()
        sheet.freeze_panes(1, 0)
        for number, title in enumerate(self._titles):
            sheet.set_column(number, number, min(_WIDEST, max(_WIDTH, len(title) + 2)))
            sheet.write_string(0, number, title, book.add_format({"bold": True}))
        self._row = 1
        return sheet

    def append(self, rows: Sequence[Sequence[Cell]]) -> None:
        """Add rows below."""
        assert self._book is not None
        for row in rows:
            if self._row >= SHEET_ROWS:
                self._sheet = self._new_sheet(self._book)
            for number, cell in enumerate(row):
                _write(self._sheet, self._row, number, cell)
            self._row += 1

    def finish(self) -> None:
        """Put the complete file in the place of what was there."""
        self._close()
        self._draft.replace(self._path)

    def drop(self) -> None:
        """Leave nothing of the draft."""
        try:
            self._close()
        finally:
            self._draft.unlink(missing_ok=True)

    def _close(self) -> None:
        from xlsxwriter.exceptions import FileCreateError

        book, self._book = self._book, None
        if book is None:
            return
        try:
            book.close()
        except FileCreateError as fault:
            # it hides the error of the file
            raise fault.args[0] if fault.args and isinstance(fault.args[0], OSError) else OSError(str(fault)) from None


def _write(sheet: "Worksheet", row: int, column: int, cell: Cell) -> None:
    if isinstance(cell, datetime):
        sheet.write_datetime(row, column, cell.astimezone().replace(tzinfo=None))
    elif isinstance(cell, str):
        sheet.write_string(row, column, cell[:_CELL_LENGTH])
    elif cell is not None:
        sheet.write_number(row, column, cell)
