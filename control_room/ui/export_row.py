"""The row of an export in a view: how far it is, and the way to give it up; it asks for the file too."""

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import QStandardPaths, Qt
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QProgressBar, QPushButton, QWidget

from control_room.ui.export import Note, Page, Progress, export
from control_room.ui.table_files import KINDS


class ExportRow(QWidget):
    """Hidden while nothing is exported. `noun`: what is written, one and many of them."""

    def __init__(self, noun: tuple[str, str], parent: QWidget) -> None:
        """Start hidden."""
        super().__init__(parent)
        self._noun = noun
        self.progress: Progress | None = None
        self.bar = QProgressBar(self)
        self.cancel_button = QPushButton("Cancel export", self)
        self.cancel_button.clicked.connect(self.cancel)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.bar, 1)
        row.addWidget(self.cancel_button)
        self.hide()

    def ask(self, title: str, name: str, chosen: Callable[[Path], None]) -> None:
        """Ask for a file without waiting; `name` has no end. `chosen` gets the path, which ends as the person chose."""
        folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        dialog = QFileDialog(self.parentWidget(), title, folder, ";;".join(KINDS.values()))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        ends = {words: end for end, words in KINDS.items()}
        dialog.filterSelected.connect(lambda words: dialog.setDefaultSuffix(ends[words].lstrip(".")))
        dialog.setDefaultSuffix("csv")
        dialog.selectFile(name)
        dialog.fileSelected.connect(lambda path: chosen(Path(path)))
        dialog.open()

    def cancel(self) -> None:
        """Give the export up; nothing of it stays."""
        if self.progress is not None:
            self.progress.is_cancelled = True

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Show that an export goes on; one at a time."""
        self.progress = Progress()
        self.tell(self.progress)
        self.show()
        try:
            yield
        finally:
            self.progress = None
            self.hide()

    async def write(self, titles: Sequence[str], pages: AsyncGenerator[Page, None], path: Path, note: Note) -> str:
        """Write every page to the file while busy(); return what came of it. Raises ControlRoomError."""
        assert self.progress is not None
        progress = self.progress
        if not await export(titles, pages, path, progress, self.tell, note):
            return "The export was cancelled; no file was made."
        return f"{self._count(progress.written)} exported to {path}"

    def _count(self, written: int) -> str:
        return f"{written:,} {self._noun[0] if written == 1 else self._noun[1]}"

    def tell(self, progress: Progress) -> None:
        """Show how far it is."""
        # without an end in sight it shows that it goes on
        self.bar.setRange(0, 0 if progress.percent is None else 100)
        self.bar.setValue(progress.percent or 0)
        known = "" if progress.percent is None else " (%p%)"
        self.bar.setFormat(f"{progress.written:,} {self._noun[1]} written{known}")
