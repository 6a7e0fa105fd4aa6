"""The row above a trend: the spans, the time at the cursor, and the way back to the present."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QPushButton, QWidget

SPANS_S = {"5 min": 300.0, "30 min": 1_800.0, "2 h": 7_200.0, "8 h": 28_800.0, "24 h": 86_400.0, "7 d": 604_800.0}


class TrendBar(QWidget):
    """Signals span_wanted(seconds), cursors_wanted(are_shown) and live_wanted(is_live)."""

    span_wanted = Signal(float)
    live_wanted = Signal(bool)
    cursors_wanted = Signal(bool)

    def __init__(self, parent: QWidget, *, has_live: bool) -> None:
        """Start live, with no span chosen; `has_live`: a person may follow the clock."""
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        self.spans = QButtonGroup(self)
        for text, span_s in SPANS_S.items():
            button = self._button(text)
            button.clicked.connect(lambda _, chosen_s=span_s: self.span_wanted.emit(chosen_s))
            self.spans.addButton(button)
            row.addWidget(button)
        self.cursor_label = QLabel(self)
        self.cursor_label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        # long words do not make the window wider
        self.cursor_label.setMinimumWidth(1)
        row.addWidget(self.cursor_label, 1)
        self.cursors_button = self._button("Cursors")
        self.cursors_button.setToolTip("Two cursors and what lies between them (C)")
        self.cursors_button.toggled.connect(self.cursors_wanted)
        self.cursors_button.setVisible(has_live)
        row.addWidget(self.cursors_button)
        self.live_button = self._button("Live")
        self.live_button.setChecked(True)
        self.live_button.setToolTip("Follow the clock (L)")
        self.live_button.clicked.connect(lambda _: self.live_wanted.emit(self.live_button.isChecked()))
        self.live_button.setVisible(has_live)
        row.addWidget(self.live_button)

    def _button(self, text: str) -> QPushButton:
        button = QPushButton(text, self)
        button.setCheckable(True)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return button

    def say(self, words: str) -> None:
        """Show words of the cursors, as many as there is room for; the tip has them all."""
        metrics = self.cursor_label.fontMetrics()
        short = metrics.elidedText(words, Qt.TextElideMode.ElideRight, max(0, self.cursor_label.width() - 12))
        self.cursor_label.setText(f"{short}  " if short else "")
        self.cursor_label.setToolTip(words)

    def show_span_s(self, span_s: float) -> None:
        """Show as chosen the button of a span, or none."""
        self.spans.setExclusive(False)
        for button in self.spans.buttons():
            button.setChecked(abs(SPANS_S[button.text()] - span_s) <= 1)
        self.spans.setExclusive(True)
