"""The button of a person's views of the board: choose one, keep the present filter as one, remove one."""

from collections.abc import Callable
from functools import partial

from PySide6.QtWidgets import QInputDialog, QLineEdit, QMenu, QToolButton, QWidget

from control_room.ui.board_memory import LONGEST_NAME, BoardMemory, Filter
from control_room.ui.shift import Shift


class BoardViews(QToolButton):
    """`present()` is what is filtered now, `use(filter)` filters as it was kept."""

    def __init__(
        self,
        parent: QWidget,
        memory: BoardMemory,
        shift: Shift,
        present: Callable[[], Filter],
        use: Callable[[Filter], None],
    ) -> None:
        """Offer the views of whoever is signed in."""
        super().__init__(parent)
        self._memory = memory
        self._shift = shift
        self._present = present
        self._use = use
        self.dialog: QInputDialog | None = None
        self.setText("Views")
        self.setToolTip("Filters that you kept under a name, and the present one to be kept")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self)
        menu.aboutToShow.connect(self._fill)
        self.setMenu(menu)

    def _login(self) -> str:
        return self._shift.person.login if self._shift.person else ""

    def _fill(self) -> None:
        menu = self.menu()
        menu.clear()
        views = self._memory.views(self._login())
        for name, wanted in views.items():
            # an ampersand of a person's is no shortcut
            menu.addAction(name.replace("&", "&&"), partial(self._use, wanted))
        if views:
            menu.addSeparator()
            remove = menu.addMenu("Remove")
            for name in views:
                remove.addAction(name.replace("&", "&&"), partial(self._memory.forget_view, self._login(), name))
        menu.addAction("Keep the present filter…", self.ask_name)

    def ask_name(self) -> None:
        """Ask under which name the present filter is kept."""
        self.dialog = QInputDialog(self)
        self.dialog.setWindowTitle("Keep the filter as a view")
        self.dialog.setLabelText("Name; one of the same name is replaced")
        for line in self.dialog.findChildren(QLineEdit):
            line.setMaxLength(LONGEST_NAME)
        self.dialog.textValueSelected.connect(self._keep)
        self.dialog.open()

    def _keep(self, name: str) -> None:
        if name.strip():
            self._memory.keep_view(self._login(), name.strip(), self._present())
