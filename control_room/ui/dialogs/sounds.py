"""The horn's dialog: on or off, how loud each priority is, and a test of each."""

from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from control_room.core.alarms import Priority
from control_room.ui.horn import LEAST_PERCENT, SeatHorn
from control_room.ui.notice_bar import NoticeBar

_WORDS = (
    "An alarm sounds by its priority until it is acknowledged or silenced (F8). Silence is no acknowledgement, and the "
    "next alarm sounds again. This is kept for this seat."
)


class SoundsDialog(QDialog):
    """What is changed here holds at once."""

    def __init__(self, parent: QWidget, horn: SeatHorn) -> None:
        """Show what is set."""
        super().__init__(parent)
        self._horn = horn
        self.setWindowTitle("Horn")
        self.on = QCheckBox("Alarms sound at this seat", self)
        self.on.setChecked(horn.is_on)
        self.on.toggled.connect(horn.set_on)
        self.notice_bar = NoticeBar(self)
        self.volumes: dict[Priority, QSlider] = {}
        self.tests: dict[Priority, QPushButton] = {}
        words = QLabel(_WORDS, self)
        words.setWordWrap(True)
        column = QVBoxLayout(self)
        for part in (words, self.on):
            column.addWidget(part)
        column.addLayout(self._grid())
        column.addWidget(self.notice_bar)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        buttons.rejected.connect(self.reject)
        column.addWidget(buttons)

    def _grid(self) -> QGridLayout:
        grid = QGridLayout()
        for row, priority in enumerate(Priority):
            name = QLabel(f"{priority:d} {priority.name.lower()}", self)
            slider = QSlider(Qt.Orientation.Horizontal, self)
            slider.setRange(LEAST_PERCENT, 100)
            slider.setPageStep(10)
            slider.setValue(self._horn.percent(priority))
            slider.setMinimumWidth(220)
            slider.setToolTip("How loud")
            slider.setAccessibleName(f"Volume of priority {priority:d}")
            slider.valueChanged.connect(partial(self._horn.set_percent, priority))
            test = QPushButton("Test", self)
            test.setToolTip(f"Play the sound of priority {priority:d} once")
            test.clicked.connect(lambda _=False, one=priority: self._test(one))
            name.setBuddy(slider)
            self.volumes[priority], self.tests[priority] = slider, test
            for column, part in enumerate((name, slider, test)):
                grid.addWidget(part, row, column)
        return grid

    def _test(self, priority: Priority) -> None:
        if problem := self._horn.test(priority):
            self.notice_bar.say(problem)
        else:
            self.notice_bar.clear()
