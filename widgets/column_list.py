"""The columns of a table as a list: shown, hidden and moved by keys as well as by the mouse."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from widgets.column_header import ColumnHeader

_WORDS = "From left to right. Space shows or hides a column, Alt+Up moves it left, Alt+Down right. It holds at once."
_NUMBER = Qt.ItemDataRole.UserRole


class ColumnList(QDialog):
    """Arranges the columns of a header; what is changed here holds at once."""

    def __init__(self, header: ColumnHeader, parent: QWidget | None = None) -> None:
        """Show the columns as they stand."""
        super().__init__(parent)
        self._header = header
        self.setWindowTitle("Columns")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        words = QLabel(_WORDS, self)
        words.setWordWrap(True)
        self.list = QListWidget(self)
        self.left_button = self._button("Move left", "Alt+Up", -1)
        self.right_button = self._button("Move right", "Alt+Down", 1)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        for button in (self.left_button, self.right_button):
            buttons.addButton(button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        for part in (words, self.list, buttons):
            column.addWidget(part)
        self._fill(0)
        self.list.itemChanged.connect(self._on_item)
        self.list.currentRowChanged.connect(self._allow)
        self.list.setFocus()

    def _button(self, title: str, keys: str, step: int) -> QPushButton:
        button = QPushButton(title, self)
        button.setToolTip(f"{title} ({keys})")
        button.setAutoDefault(False)
        button.clicked.connect(lambda _=False: self.move_column(step))
        action = QAction(title, self)
        action.setShortcut(QKeySequence(keys))
        action.triggered.connect(lambda _=False: self.move_column(step))
        self.addAction(action)
        return button

    def _fill(self, row: int) -> None:
        self.list.blockSignals(True)
        self.list.clear()
        for number in self._header.in_order():
            item = QListWidgetItem(self._header.title(number), self.list)
            item.setData(_NUMBER, number)
            if self._header.is_fixed(number):
                item.setText(f"{item.text()} (always shown)")
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsUserCheckable)
                continue
            shown = Qt.CheckState.Unchecked if self._header.isSectionHidden(number) else Qt.CheckState.Checked
            item.setCheckState(shown)
        self.list.setCurrentRow(row)
        self.list.blockSignals(False)
        self._allow()

    def _allow(self) -> None:
        row = self.list.currentRow()
        self.left_button.setEnabled(row > 0)
        self.right_button.setEnabled(0 <= row < self.list.count() - 1)

    def _on_item(self, item: QListWidgetItem) -> None:
        self._header.show_column(item.data(_NUMBER), item.checkState() is Qt.CheckState.Checked)

    def move_column(self, step: int) -> None:
        """Move the chosen column by so many places; at the end it stays."""
        row = self.list.currentRow()
        if 0 <= row + step < self.list.count():
            self._header.move_column(self.list.item(row).data(_NUMBER), step)
            self._fill(row + step)
