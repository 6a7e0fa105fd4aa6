"""The filter above the journal: words, area, person, kind, period. Signal changed()."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from control_room.core.alarms import Happening
from control_room.core.ports import Configuration
from control_room.ui.journal_words import HAPPENING_WORDS
from control_room.ui.period_choice import LAST_WEEK, PeriodChoice, choice_box
from db.journal_search import JournalFilter

# a word that is being typed is not asked for letter by letter
_TYPING_MS = 350
_H = Happening
_BY_PEOPLE = (
    _H.ACKNOWLEDGED,
    _H.RESET,
    _H.SHELVED,
    _H.UNSHELVED,
    _H.OUT_OF_SERVICE,
    _H.IN_SERVICE,
    _H.COMMENTED,
    _H.NOTED,
    _H.NOTE_REMOVED,
)
KINDS: Sequence[tuple[str, tuple[str, ...]]] = (
    ("Everything", ()),
    ("Raised and returned", (_H.RAISED, _H.RETURNED)),
    ("What people did", _BY_PEOPLE),
    *((words.capitalize(), (kind,)) for kind, words in HAPPENING_WORDS.items()),
)


class JournalFilterBar(QWidget):
    """Fields in a row; `more` is the row below, with room for the view's own controls."""

    changed = Signal()

    def __init__(self, now: Callable[[], datetime], parent: QWidget) -> None:
        """Start with the last seven days."""
        super().__init__(parent)
        self.text = self._line(
            "Tag, alarm or comment", "Every word in tag, place and alarm, or every word in the comment"
        )
        self.person = self._line("Person", "A part of the person's user name, capitals or not")
        self.municipality, self.site, self.asset = (choice_box(self, width) for width in (11, 6, 6))
        self.kind = choice_box(self, 8, *(title for title, _ in KINDS))
        self.period = PeriodChoice(now, self)
        self.period.box.setCurrentIndex(LAST_WEEK)
        self._areas: dict[int, dict[str, set[str]]] = {}
        self.more = QHBoxLayout()
        self._lay_out()
        self._soon = QTimer(self, singleShot=True, interval=_TYPING_MS)
        self._soon.timeout.connect(self.changed)
        self._connect()

    def _line(self, words: str, tip: str) -> QLineEdit:
        line = QLineEdit(self)
        line.setPlaceholderText(words)
        line.setToolTip(tip)
        line.setClearButtonEnabled(True)
        line.setMaxLength(100)
        line.setMinimumWidth(80)
        return line

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.text, 3)
        for widget in (self.municipality, self.site, self.asset, self.person, self.kind, self.period.box):
            row.addWidget(widget, 1)
        self.more.setSpacing(4)
        self.more.addWidget(self.period)
        self.more.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row)
        column.addLayout(self.more)

    def _connect(self) -> None:
        for line in (self.text, self.person):
            line.textChanged.connect(lambda _: self._soon.start())
            line.returnPressed.connect(self._at_once)
        self.municipality.currentIndexChanged.connect(self._on_municipality)
        self.site.currentIndexChanged.connect(self._on_site)
        for choice in (self.asset, self.kind):
            choice.currentIndexChanged.connect(self._at_once)
        self.period.changed.connect(self._at_once)
        self.period.moment_changed.connect(self._on_moment)

    # --- areas

    def show_areas(self, known: Configuration) -> None:
        """Offer what is configured; what was chosen stays."""
        self._areas = {one.id: {} for one in known.municipalities}
        for tag in known.tags:
            self._areas.setdefault(tag.municipality_id, {}).setdefault(tag.site, set()).add(tag.asset)
        _fill(self.municipality, "All municipalities", ((one.name, one.id) for one in known.municipalities))
        self._fill_sites()

    def _sites(self) -> dict[str, set[str]]:
        return self._areas.get(self.municipality.currentData() or 0, {})

    def _fill_sites(self) -> None:
        sites = self._sites()
        _fill(self.site, "All sites", ((name, name) for name in sorted(sites)))
        self.site.setEnabled(bool(sites))
        self.site.setToolTip("" if sites else "Choose a municipality first")
        self._fill_assets()

    def _fill_assets(self) -> None:
        assets = self._sites().get(self.site.currentData() or "", set())
        _fill(self.asset, "All assets", ((name, name) for name in sorted(assets)))
        self.asset.setEnabled(bool(assets))
        self.asset.setToolTip("" if assets else "Choose a site first")

    def _on_municipality(self) -> None:
        self._fill_sites()
        self._at_once()

    def _on_site(self) -> None:
        self._fill_assets()
        self._at_once()

    # --- what is wanted

    def _at_once(self) -> None:
        self._soon.stop()
        self.changed.emit()

    def _on_moment(self) -> None:
        if self.period.is_empty:
            self._soon.stop()
        else:
            self._soon.start()

    def wanted(self) -> JournalFilter:
        """Return what is wanted now."""
        start, end = self.period.period()
        return JournalFilter(
            text=self.text.text().strip(),
            municipality_id=self.municipality.currentData() or None,
            site=self.site.currentData() or "",
            asset=self.asset.currentData() or "",
            person=self.person.text().strip(),
            kinds=KINDS[self.kind.currentIndex()][1],
            start=start,
            end=end,
        )


def _fill(box: QComboBox, everything: str, offered: Iterable[tuple[str, int | str]]) -> None:
    """Offer everything and these, without a signal; what was chosen stays if it is still offered."""
    chosen = box.currentData()
    box.blockSignals(True)
    box.clear()
    box.addItem(everything, None)
    for words, key in offered:
        box.addItem(words, key)
    box.setCurrentIndex(max(0, box.findData(chosen)) if chosen is not None else 0)
    box.blockSignals(False)
