"""The about box."""

import platform

from PySide6.QtCore import Qt, qVersion
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from control_room import __version__


class AboutBox(QDialog):
    """Says what this is and which version."""

    def __init__(self, parent: QWidget) -> None:
        """Prepare; open() shows it."""
        super().__init__(parent)
        self.setWindowTitle("About the control room")
        self.words = QLabel(
            f"<h2>Control room {__version__}</h2>"
            "<p>Live trends, network map and alarm board for water networks, on one shared PostgreSQL.</p>"
            f"<p>Qt {qVersion()}, Python {platform.python_version()}, {platform.system()} {platform.machine()}</p>",
            self,
        )
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.words.setWordWrap(True)
        self.words.setMinimumWidth(420)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(self.words)
        column.addWidget(buttons)
