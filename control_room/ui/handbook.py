"""The handbook window: the guide of resources/handbook with contents, search and working links."""

from pathlib import Path

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import (
    QDesktopServices,
    QKeySequence,
    QShortcut,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextTable,
)
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QSplitter,
    QTextBrowser,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from control_room.ui.theme import Theme

_PATH = Qt.ItemDataRole.UserRole
FIRST_PAGE = "index.md"
_LINE_PERCENT = 122


class HandbookPage(QTextBrowser):
    """Shows markdown pages; links inside the handbook stay in it, others open in the system's browser."""

    def __init__(self, folder: Path, parent: QWidget) -> None:
        """Read from `folder`."""
        super().__init__(parent)
        self._folder = folder
        self.setOpenLinks(False)
        self.setSearchPaths([str(folder)])
        self.document().setDocumentMargin(24)
        self.anchorClicked.connect(self.follow)
        self.sourceChanged.connect(lambda _: self._dress())

    def open_page(self, path: Path) -> None:
        """Show a page."""
        self.setSource(QUrl.fromLocalFile(str(path)), QTextDocument.ResourceType.MarkdownResource)

    def follow(self, link: QUrl) -> None:
        """Follow a link of the present page."""
        if link.scheme() not in ("", "file"):
            QDesktopServices.openUrl(link)
            return
        if not link.path():
            self.scrollToAnchor(link.fragment())
            return
        target = Path(self.source().resolved(link).toLocalFile())
        if target.is_file() and self._folder in target.parents:
            self.open_page(target)

    def _dress(self) -> None:
        # what comes from markdown stands too close for a person to read
        block = self.document().begin()
        while block.isValid():
            is_heading = block.blockFormat().headingLevel() > 0
            cursor = QTextCursor(block)
            if cursor.currentTable() is None:
                form = QTextBlockFormat()
                form.setTopMargin(18 if is_heading else 2)
                form.setBottomMargin(6 if is_heading else 8)
                form.setLineHeight(_LINE_PERCENT, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
                cursor.mergeBlockFormat(form)
            block = block.next()
        self._dress_tables()

    def _dress_tables(self) -> None:
        for frame in self.document().rootFrame().childFrames():
            if isinstance(frame, QTextTable):
                form = frame.format()
                form.setCellPadding(5)
                form.setCellSpacing(0)
                form.setBorder(1)
                form.setProperty(QTextFormat.Property.TableBorderCollapse, True)
                frame.setFormat(form)


class HandbookWindow(QWidget):
    """Contents at the left, the page at the right, search above."""

    def __init__(self, folder: Path, theme: Theme) -> None:
        """Show the first page."""
        super().__init__()
        self.setWindowTitle("Handbook")
        self.resize(1120, 780)
        self._theme = theme
        self.contents = QListWidget(self)
        self.page = HandbookPage(folder, self)
        self.search = QLineEdit(self)
        self.search.setPlaceholderText("Search the handbook")
        self.search.setClearButtonEnabled(True)
        self.found = QLabel(self)
        self._texts = {path: path.read_text(encoding="utf-8") for path in _pages(folder)}
        self._lay_out()
        self.contents.currentItemChanged.connect(self._on_chosen)
        self.page.sourceChanged.connect(self._show_chosen)
        self.search.textChanged.connect(self._on_search)
        self.search.returnPressed.connect(self.find_next)
        QShortcut(QKeySequence.StandardKey.Find, self, self.search.setFocus)
        QShortcut(QKeySequence("Escape"), self, self.close)
        theme.changed.connect(self._dress)
        self._dress()
        self._fill("")
        self.contents.setCurrentRow(0)

    def _lay_out(self) -> None:
        self.contents.setSpacing(3)
        self.contents.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._back = QToolButton(self)
        self._back.setToolTip("Back (Alt+Left)")
        self._back.setShortcut(QKeySequence.StandardKey.Back)
        self._back.clicked.connect(self.page.backward)
        self.page.backwardAvailable.connect(self._back.setEnabled)
        self._back.setEnabled(False)
        top = QHBoxLayout()
        for widget in (self._back, self.search, self.found):
            top.addWidget(widget)
        halves = QSplitter(self)
        halves.addWidget(self.contents)
        halves.addWidget(self.page)
        halves.setSizes([270, 850])
        column = QVBoxLayout(self)
        column.addLayout(top)
        column.addWidget(halves, 1)

    def _dress(self) -> None:
        self._back.setIcon(self._theme.icon("back"))

    def _fill(self, words: str) -> None:
        self.contents.clear()
        for path, text in self._texts.items():
            if words.lower() in text.lower():
                item = QListWidgetItem(_title(text, path))
                item.setData(_PATH, str(path))
                self.contents.addItem(item)

    def _on_chosen(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.page.open_page(Path(item.data(_PATH)))
            self._mark(self.search.text())

    def _show_chosen(self, source: QUrl) -> None:
        # a link leads to a page as a click in the contents does
        for row in range(self.contents.count()):
            if self.contents.item(row).data(_PATH) == source.toLocalFile():
                self.contents.blockSignals(True)
                self.contents.setCurrentRow(row)
                self.contents.blockSignals(False)

    def _on_search(self, words: str) -> None:
        self._fill(words)
        self.contents.setCurrentRow(0)
        count = self.contents.count()
        self.found.setText(f"{count} page{'' if count == 1 else 's'}" if words else "")
        self._mark(words)

    def find_next(self) -> None:
        """Go to the next occurrence on the page, from the end to the first."""
        words = self.search.text()
        if words and not self.page.find(words):
            self.page.moveCursor(self.page.textCursor().MoveOperation.Start)
            self.page.find(words)

    def _mark(self, words: str) -> None:
        marks = []
        cursor = self.page.document().find(words) if words else None
        while cursor is not None and not cursor.isNull():
            mark = QTextBrowser.ExtraSelection()
            form = QTextCharFormat()
            form.setBackground(self.palette().highlight())
            form.setForeground(self.palette().highlightedText())
            mark.format, mark.cursor = form, cursor
            marks.append(mark)
            cursor = self.page.document().find(words, cursor)
        self.page.setExtraSelections(marks)


def _pages(folder: Path) -> list[Path]:
    first, rest = folder / FIRST_PAGE, sorted(folder.rglob("*.md"), key=lambda path: (len(path.parts), path.name))
    return [first, *(path for path in rest if path != first)] if first.is_file() else rest


def _title(text: str, path: Path) -> str:
    first = next((line for line in text.splitlines() if line.startswith("#")), path.stem)
    return first.lstrip("# ").strip()
