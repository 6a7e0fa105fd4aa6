"""The alarm board: every alarm that is not normal, and what a person does about it."""

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QTabBar,
    QVBoxLayout,
    QWidget,
)

from control_room.core.access import Action
from control_room.core.alarm_load import ACCEPTABLE, FLOOD_ABOVE, FLOOD_ENDS_BELOW, MANAGEABLE, AlarmLoad
from control_room.core.alarms import SUPPRESSED, AlarmState, Priority
from control_room.core.errors import ControlRoomError
from control_room.ui.acknowledging import Acknowledging
from control_room.ui.alarm_deeds import AlarmDeeds
from control_room.ui.alarm_notes import AlarmNotes
from control_room.ui.board_memory import BoardMemory, Filter
from control_room.ui.board_views import BoardViews
from control_room.ui.comment_rules import CommentLine, CommentRules
from control_room.ui.console import Console
from control_room.ui.dialogs.comments import CommentsDialog
from control_room.ui.dialogs.why import WhyDialog
from control_room.ui.notice_bar import NoticeBar
from control_room.ui.view_spec import Place, ViewSpec
from db.alarm_journal import AlarmAnswer, read_load, read_nuisances
from widgets.alarm_model import COLUMNS, MESSAGE, AlarmFilter, AlarmRow, shelf_of, time_text
from widgets.alarm_table import AlarmTable
from widgets.column_list import ColumnList
from widgets.quality import STATE_WORDS

_KEY = "alarms"
# by their place in the list: Qt would turn them into plain numbers and words
_PRIORITIES = (None, *Priority)
_STATES = (None, *(one for one in AlarmState if one is not AlarmState.NORMAL and one not in SUPPRESSED))
_SHELVES = (
    (None, "Alarms"),
    (AlarmState.SHELVED, "Shelved"),
    (AlarmState.SUPPRESSED_BY_DESIGN, "Suppressed"),
    (AlarmState.OUT_OF_SERVICE, "Out of service"),
)
# of refusals that differ, so many are told word by word
_TOLD = 3
_TITLE_LENGTH = 28
LOAD_MS = 5_000
# so many rows beside those that are seen have their present values too: scrolling meets them
_AROUND = 30
_LOAD_TIP = (
    f"Announced in the last ten minutes. About {ACCEPTABLE} is acceptable, {MANAGEABLE} can be managed; more than "
    f"{FLOOD_ABOVE} are a flood, until they are fewer than {FLOOD_ENDS_BELOW} (ISA-18.2, EEMUA 191)."
)
_ACK_TIP = "Acknowledge the selected alarms (Ctrl+K)"
_ALL_TIP = "Acknowledge every alarm that the filter shows (Ctrl+Shift+K)"


class AlarmsView(QWidget):
    """Filter, table, comment, acknowledgement: Ctrl+K of what is selected, Ctrl+Shift+K of all that is visible."""

    def __init__(self, console: Console) -> None:
        """Follow the alarm feed."""
        super().__init__()
        self._console = console
        self._asked: list[AlarmRow] = []
        self._only_tags: frozenset[int] | None = None
        self._only_title = ""
        self._memory = BoardMemory(console.settings)
        self.table = AlarmTable(console.room.sample, console.room.now, self)
        self.notice_bar = NoticeBar(self)
        self.rules = CommentRules(console, self)
        self._make_controls()
        self._make_keys()
        self.acknowledging = Acknowledging(
            self, console, self.notice_bar, self.rules, self.comment, self._tell, self._count
        )
        self.deeds = AlarmDeeds(
            self, console, self.notice_bar, lambda: self.comment.text().strip(), partial(self._tell, deed="done")
        )
        self.notes = AlarmNotes(self, console, self.notice_bar)
        self._lay_out()
        self._connect()
        self.table.apply_palette(console.theme.palette)
        self.table.board.change(list(console.alarms.rows.values()), [])
        self._fill_areas()
        self._count()
        self._use_columns()

    # --- what it is made of

    def _make_controls(self) -> None:
        self.text = QLineEdit(self)
        self.text.setPlaceholderText("Filter by words")
        self.text.setToolTip("Every word must occur (Ctrl+F; Esc shows everything again)")
        self.text.setClearButtonEnabled(True)
        self.text.setMinimumWidth(90)
        self.priority = _choice(self, ["Any priority", *(f"{int(one)} {one.name.lower()}" for one in Priority)])
        self.state = _choice(self, ["Any state", *(STATE_WORDS[one] for one in _STATES if one)])
        self.area = QComboBox(self)
        self.area.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.area.setMinimumContentsLength(11)
        self.area.setToolTip("Only a municipality, or one of its sites")
        self.views = BoardViews(self, self._memory, self._console.shift, self.filter_values, self.use_values)
        self.only_button = QPushButton(self)
        self.only_button.setToolTip("Show the alarms of everything again")
        self.only_button.hide()
        self.shelves = QTabBar(self, shape=QTabBar.Shape.RoundedSouth, expanding=False, drawBase=False)
        self.shelves.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        for _ in _SHELVES:
            self.shelves.addTab("")
        self.load = QLabel(self)
        self.load.setToolTip(_LOAD_TIP)
        self.show_load(None)
        self.counts = QLabel(self)
        self.counts.setProperty("role", "label")
        self.comment = CommentLine(self.rules, self)
        self.acknowledge_button = QPushButton("Acknowledge", self)
        self.all_button = QPushButton("All visible…", self)
        self.acknowledge_action = self._action("Acknowledge", "Ctrl+K", self.acknowledge_chosen)
        self.why_action = self._action("Why this alarm", "F2", self.show_why)
        self.all_action = self._action("Acknowledge all visible", "Ctrl+Shift+K", self.ask_all)

    def _make_keys(self) -> None:
        # every other deed by the menu of the keyboard, with the letters of its lines
        self._action("What may be done", "Shift+F10", self._open_menu_by_key)
        self._action("Filter by words", "Ctrl+F", self._begin_to_filter)
        self._action("Columns", "Ctrl+Shift+C", self.open_columns)
        self._action("Note that stays", "Ctrl+Shift+N", self._edit_note)
        self._action("Standard and demanded comments", "Alt+K", self.open_comments)
        self._action("Show everything", "Esc", self._show_everything)
        for number in range(len(_SHELVES)):
            self._action("List", f"Alt+{number + 1}", lambda _=False, one=number: self.shelves.setCurrentIndex(one))

    def _action(self, text: str, keys: str, act: object) -> QAction:
        action = QAction(text, self)
        action.setShortcut(QKeySequence(keys))
        # never of a board that nobody looks at
        action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        action.triggered.connect(act)
        self.addAction(action)
        return action

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(4)
        for widget, stretch in (
            (self.text, 2),
            (self.priority, 0),
            (self.state, 0),
            (self.area, 0),
            (self.views, 0),
            (self.only_button, 0),
            (self.comment, 2),
            (self.acknowledge_button, 0),
            (self.all_button, 0),
        ):
            row.addWidget(widget, stretch)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self.notice_bar)
        column.addWidget(self.table, 1)
        foot = QHBoxLayout()
        foot.addWidget(self.shelves)
        foot.addStretch(1)
        foot.addWidget(self.load)
        foot.addSpacing(16)
        foot.addWidget(self.counts)
        column.addLayout(foot)
        self.setFocusProxy(self.table)

    def _connect(self) -> None:
        console, table = self._console, self.table
        self.text.textChanged.connect(self._refilter)
        for choice in (self.priority, self.state, self.area):
            choice.currentIndexChanged.connect(self._refilter)
        self.shelves.currentChanged.connect(self._refilter)
        self.only_button.clicked.connect(lambda _=False: self.filter_by())
        self.acknowledge_button.clicked.connect(self.acknowledge_chosen)
        self.all_button.clicked.connect(self.ask_all)
        self.notice_bar.confirmed.connect(self._acknowledge_asked)
        table.selectionModel().selectionChanged.connect(self._count)
        table.board.sorted.connect(self._count)
        table.seen_changed.connect(self._watch_seen)
        table.menu_wanted.connect(self._open_menu)
        table.row_activated.connect(lambda rule_id: self._jump_to_trend([console.alarms.rows[rule_id]]))
        console.alarms.changed.connect(self._on_alarms)
        console.room.samples_changed.connect(self._on_samples)
        console.room.status_changed.connect(self._count)
        console.room.configuration_changed.connect(self._fill_areas)
        console.room.alarms_changed.connect(lambda _: self._count())
        console.shift.changed.connect(self._count)
        console.shift.changed.connect(self._use_columns)
        table.arranged.connect(self._keep_columns)
        table.header.list_wanted.connect(self.open_columns)
        console.blink.changed.connect(table.set_blink)
        console.theme.changed.connect(table.apply_palette)
        self._load_timer = QTimer(self, interval=LOAD_MS)
        self._load_timer.timeout.connect(lambda: console.operations.start(self._follow_load()))
        self._load_timer.start()
        console.jumps.alarms_wanted.connect(self.filter_by)
        console.jumps.alarm_wanted.connect(self.show_alarm)

    # --- what it follows

    def show_load(self, found: AlarmLoad | None) -> None:
        """Say how many alarms came in the last ten minutes; None: nobody knows."""
        count = "–" if found is None else f"{found.count:,}"
        is_flood = found is not None and found.flood_since is not None
        flood = f"Flood since {time_text(found.flood_since)}: " if found is not None and is_flood else ""
        self.load.setText(f"{flood}{count} in 10 min")
        font = self.load.font()
        font.setBold(is_flood)
        self.load.setFont(font)

    async def _follow_load(self) -> None:
        try:
            self.show_load(await self._console.operations.read(partial(read_load)))
            self._console.alarms.name_nuisances(await self._console.operations.read(partial(read_nuisances)))
        except ControlRoomError:
            # the trouble bar says why
            self.show_load(None)

    def _on_alarms(self, changed: list[AlarmRow], gone: list[int]) -> None:
        self.table.board.change(changed, gone)
        self._count()

    def _watch_seen(self) -> None:
        """Want the present values of the rows that can be seen, and of those around them."""
        self._console.live_tags.watch(_KEY, {row.tag.id for row in self.table.seen(_AROUND)})

    def _on_samples(self, samples: Sequence[object]) -> None:
        if self.table.board.shown:
            self.table.show_present()

    def _fill_areas(self) -> None:
        chosen = self.area.currentData()
        known = self._console.room.configuration
        sites: dict[int, set[str]] = {}
        for tag in known.tags:
            sites.setdefault(tag.municipality_id, set()).add(tag.site)
        self.area.blockSignals(True)
        self.area.clear()
        self.area.addItem("All municipalities", ["", ""])
        for one in known.municipalities:
            self.area.addItem(one.name, [one.name, ""])
            for site in sorted(sites.get(one.id, ())):
                self.area.addItem(f"{one.name} › {site}", [one.name, site])
        self.area.setCurrentIndex(max(0, self.area.findData(chosen)))
        self.area.blockSignals(False)
        self._refilter()

    def _refilter(self) -> None:
        self.notice_bar.clear()
        municipality, site = self.area.currentData() or ("", "")
        self.table.board.use_filter(
            AlarmFilter(
                self.text.text().strip(),
                _PRIORITIES[self.priority.currentIndex()],
                _STATES[self.state.currentIndex()],
                municipality,
                site,
                self._only_tags,
                _SHELVES[self.shelves.currentIndex()][0],
            )
        )
        self._count()

    def _count(self) -> None:
        board = self.table.board
        for number, (shelf, title) in enumerate(_SHELVES):
            self.shelves.setTabText(number, f"{title} {board.counts[shelf]:,}")
        waiting, shown = board.waiting, board.shown
        of_all = "" if shown == board.all_count else f" of {board.all_count:,}"
        sorting = "Sorting … " if board.is_sorting else ""
        self.counts.setText(f"{sorting}{shown:,}{of_all} shown, {waiting:,} to ack.")
        self.counts.setToolTip(f"{shown:,}{of_all} alarms shown, {waiting:,} of them to acknowledge")
        chosen = {row.tag.municipality_id for row in self.table.chosen() if row.needs_acknowledgement}
        _allow(self.acknowledge_button, _ACK_TIP, bool(chosen), self._why_not(chosen or board.municipality_ids))
        _allow(self.all_button, _ALL_TIP, waiting > 0, self._why_not(board.municipality_ids))
        self.table.say_when_empty(self._empty_words())

    def _why_not(self, municipality_ids: set[int]) -> str:
        """Return why nothing there may be acknowledged; what may only be in part is answered row by row."""
        shift = self._console.shift
        if not municipality_ids:
            return shift.why_nowhere(Action.ACKNOWLEDGE)
        return shift.why_in_none(Action.ACKNOWLEDGE, municipality_ids)

    def _empty_words(self) -> str:
        room, board = self._console.room, self.table.board
        if room.trouble is not None:
            return f"No alarms known: {room.trouble.words}"
        if not room.knows_alarms:
            return "The alarms are being read"
        words = (
            "No alarms",
            "Nothing is shelved",
            "Nothing is suppressed by a known cause",
            "Nothing is out of service",
        )
        nothing = words[self.shelves.currentIndex()]
        return "No alarm matches the filter" if board.all_count else nothing

    def _login(self) -> str:
        person = self._console.shift.person
        return person.login if person else ""

    def _use_columns(self) -> None:
        self.table.arrange(self._memory.columns(self._login()))

    def _keep_columns(self) -> None:
        self._memory.keep_columns(self._login(), self.table.arrangement())

    # --- what a person does

    def filter_values(self) -> Filter:
        """Return the present filter and order, to be kept as a view."""
        header = self.table.header
        return {
            "text": self.text.text(),
            "priority": self.priority.currentIndex(),
            "state": _STATES[self.state.currentIndex()],
            "area": self.area.currentData(),
            "shelf": _SHELVES[self.shelves.currentIndex()][0],
            "tags": None if self._only_tags is None else sorted(self._only_tags),
            "title": self._only_title,
            "sorted_by": header.sortIndicatorSection(),
            "is_reversed": header.sortIndicatorOrder() is Qt.SortOrder.DescendingOrder,
        }

    def use_values(self, wanted: Filter) -> None:
        """Filter and sort as a view says; what is not there any more is not filtered by."""
        tags = wanted.get("tags")
        self.filter_by([int(one) for one in tags] if isinstance(tags, list) else None, str(wanted.get("title", "")))
        self.text.setText(str(wanted.get("text", "")))
        self.priority.setCurrentIndex(_known(wanted.get("priority"), range(len(_PRIORITIES))))
        self.state.setCurrentIndex(_known(wanted.get("state"), _STATES))
        self.area.setCurrentIndex(max(0, self.area.findData(wanted.get("area"))))
        self.shelves.setCurrentIndex(_known(wanted.get("shelf"), [one for one, _ in _SHELVES]))
        order = Qt.SortOrder.DescendingOrder if wanted.get("is_reversed") else Qt.SortOrder.AscendingOrder
        self.table.sortByColumn(_known(wanted.get("sorted_by"), range(len(COLUMNS))), order)

    def filter_by(self, tag_ids: Sequence[int] | None = None, title: str = "") -> None:
        """Show the alarms of these tags, or all, whatever was filtered before; `title` is what the tags are called."""
        for choice in (self.priority, self.state, self.area):
            choice.setCurrentIndex(0)
        self.text.clear()
        self._only_title = title
        self._only_tags = None if tag_ids is None else frozenset(tag_ids)
        self.only_button.setText(f"{_shortened(title)}  ✕")
        self.only_button.setVisible(tag_ids is not None)
        self._refilter()

    def show_alarm(self, rule_id: int) -> None:
        """Select one alarm; a filter that hides it is cleared."""
        if not self.table.choose(rule_id):
            self.filter_by()
            row = self._console.alarms.rows.get(rule_id)
            self.shelves.setCurrentIndex([one for one, _ in _SHELVES].index(shelf_of(row) if row else None))
            self.table.choose(rule_id)

    def show_why(self) -> None:
        """Open the panel of the first selected alarm."""
        if chosen := self.table.chosen():
            WhyDialog(self, self._console, chosen[0]).show()

    def acknowledge_chosen(self) -> None:
        """Acknowledge what is selected."""
        self.table.show_chosen()
        self._acknowledge(self.table.chosen())

    def ask_all(self) -> None:
        """Ask once before everything visible is acknowledged; what comes later is not meant."""
        self._asked = [row for row in self.table.board.rows if row.needs_acknowledgement]
        if self.acknowledging.needs_comment(self._asked):
            # the dialog for the comment is the question
            self._acknowledge(self._asked)
        elif self._asked:
            count = len(self._asked)
            self.notice_bar.ask(f"Acknowledge all {count:,} visible alarms?", f"Acknowledge {count:,}")

    def _acknowledge_asked(self) -> None:
        self._acknowledge(self._asked)

    def _acknowledge(self, rows: Sequence[AlarmRow]) -> None:
        self.acknowledging.begin(rows, self.acknowledge_button, self.all_button)

    def _edit_note(self) -> None:
        if chosen := self.table.chosen():
            self.table.show_chosen()
            self.notes.edit(chosen[0])

    def open_columns(self) -> None:
        """Show the columns as a list to be arranged by keys."""
        ColumnList(self.table.header, self).open()

    def open_comments(self) -> None:
        """Show which comments are demanded and offered."""
        CommentsDialog(self, self._console, self.rules).open()

    def _tell(self, refused: Sequence[AlarmAnswer], count: int, deed: str = "acknowledged") -> None:
        if not refused:
            return
        lines = [f"{self._name(answer.rule_id)}: {answer.words}" for answer in refused[:_TOLD]]
        more = f"\nand {len(refused) - _TOLD:,} more" if len(refused) > _TOLD else ""
        done = count - len(refused)
        self.notice_bar.say(f"{done:,} {deed}, {len(refused):,} not.\n" + "\n".join(lines) + more)

    def _name(self, rule_id: int) -> str:
        # one that is refused may have left the board meanwhile
        row, rule = self._console.alarms.rows.get(rule_id), self._console.room.rules.get(rule_id)
        return row.message if row else rule.message if rule else f"Alarm {rule_id}"

    def _open_menu_by_key(self) -> None:
        if chosen := self.table.chosen():
            self.table.show_chosen()
            place = self.table.board.place_of(chosen[0].rule.id) or 0
            at = self.table.visualRect(self.table.board.index(place, MESSAGE)).bottomLeft()
            self._open_menu(self.table.viewport().mapToGlobal(at))

    def _begin_to_filter(self) -> None:
        self.text.setFocus()
        self.text.selectAll()

    def _show_everything(self) -> None:
        self.filter_by()
        self.table.setFocus()

    def _open_menu(self, place: QPoint) -> None:
        chosen = self.table.chosen()
        if chosen:
            self.menu(chosen).popup(place)

    def menu(self, chosen: Sequence[AlarmRow]) -> QMenu:
        """Return the menu of the selected alarms."""
        menu = QMenu(self)
        menu.setObjectName("deeds")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(self.acknowledge_action)
        menu.addAction(self.why_action)
        self.deeds.fill(menu, chosen)
        self.notes.fill(menu, chosen)
        menu.addSeparator()
        menu.addAction("Comments…", self.open_comments)
        menu.addAction("Open trend", lambda: self._jump_to_trend(chosen))
        menu.addAction("Show on map", lambda: self._console.jumps.map_wanted.emit(chosen[0].tag.id))
        menu.addAction("Show in navigation", lambda: self._console.jumps.tree_wanted.emit(chosen[0].tag.id))
        return menu

    def _jump_to_trend(self, rows: Sequence[AlarmRow]) -> None:
        self._console.jumps.trend_wanted.emit(list(dict.fromkeys(row.tag.id for row in rows)))


def _known(value: object, choices: Sequence[object]) -> int:
    """Return the place of a value among the choices, the first one for what is none of them."""
    return choices.index(value) if value in choices else 0


def _allow(button: QPushButton, tip: str, is_possible: bool, why_not: str) -> None:
    button.setEnabled(is_possible and not why_not)
    button.setToolTip(why_not or tip)


def _shortened(title: str) -> str:
    return title if len(title) <= _TITLE_LENGTH else f"{title[: _TITLE_LENGTH - 1]}…"


def _choice(parent: QWidget, choices: Sequence[str]) -> QComboBox:
    box = QComboBox(parent)
    box.addItems(list(choices))
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(9)
    return box


SPEC = ViewSpec(_KEY, "Alarms", "alarms", "Ctrl+4", Place.BOTTOM, AlarmsView)
