"""Docks: the frame around each view, and the layout that is remembered."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from PySide6.QtCore import QByteArray, QSettings, Qt
from PySide6.QtWidgets import QDockWidget, QFrame, QHBoxLayout, QLabel, QMainWindow, QSizePolicy, QToolButton, QWidget

from control_room.ui.theme import Theme
from control_room.ui.view_spec import Place, ViewSpec

# raise it when docks are added, removed or renamed: a layout of another version is not restored
LAYOUT_VERSION = 3
_GEOMETRY, _STATE = "window/geometry", "window/state"
# from this width on, map and trends stand side by side
WIDE_PX = 1600


class Dock(QDockWidget):
    """A view in its frame with a title, a float and a close button."""

    def __init__(self, spec: ViewSpec, view: QWidget, theme: Theme, parent: QMainWindow) -> None:
        """Frame the view."""
        super().__init__(spec.title, parent)
        self.setObjectName(spec.key)
        self.spec = spec
        self.setWidget(view)
        title = QFrame(self)
        title.setObjectName("dock_title")
        row = QHBoxLayout(title)
        row.setContentsMargins(8, 2, 4, 2)
        row.setSpacing(4)
        name = QLabel(spec.title, title)
        name.setProperty("role", "heading")
        name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        row.addWidget(name, 1)
        self._buttons = {
            "float": self._button("float", "Float or dock again", self._float),
            "close": self._button("close", f"Close; {spec.shortcut} brings it back", self.close),
        }
        for button in self._buttons.values():
            row.addWidget(button)
        self.setTitleBarWidget(title)
        self.dress(theme)

    def _button(self, name: str, tip: str, act: object) -> QToolButton:
        button = QToolButton(self)
        button.setAutoRaise(True)
        button.setToolTip(tip)
        button.setAccessibleName(f"{name} {self.spec.title}")
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.clicked.connect(act)
        return button

    def _float(self) -> None:
        self.setFloating(not self.isFloating())

    def dress(self, theme: Theme) -> None:
        """Draw the buttons in the theme's colours."""
        for name, button in self._buttons.items():
            button.setIcon(theme.icon(name))


def arrange(window: QMainWindow, docks: Mapping[str, Dock], width_px: int, height_px: int) -> None:
    """Put every dock where it stands in the first layout, for a window of this size."""
    for dock in docks.values():
        dock.setFloating(False)
        window.removeDockWidget(dock)
    left, centre, bottom = ([dock for dock in docks.values() if dock.spec.place is place] for place in Place)
    is_wide = width_px >= WIDE_PX
    for dock in left:
        window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
    for dock in (*centre[:1], *bottom[:1]):
        window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
    if centre and bottom:
        window.splitDockWidget(centre[0], bottom[0], Qt.Orientation.Vertical)
    _join(window, centre, side_by_side=is_wide)
    _join(window, bottom, side_by_side=False)
    for dock in docks.values():
        dock.show()
    for dock in (*centre[:1], *bottom[:1]):
        dock.raise_()
    _share(window, (left, centre, bottom), width_px, height_px)


def _join(window: QMainWindow, docks: Sequence[Dock], *, side_by_side: bool) -> None:
    for before, dock in pairwise(docks):
        if side_by_side:
            window.splitDockWidget(before, dock, Qt.Orientation.Horizontal)
        else:
            window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
            window.tabifyDockWidget(before, dock)


def _share(
    window: QMainWindow, places: tuple[list[Dock], list[Dock], list[Dock]], width_px: int, height_px: int
) -> None:
    left, centre, bottom = places
    is_wide = width_px >= WIDE_PX
    left_px = 370 if is_wide else 300
    across = centre if is_wide else centre[:1]
    each_px = (width_px - left_px) // max(1, len(across))
    window.resizeDocks([*left, *across], [left_px] * len(left) + [each_px] * len(across), Qt.Orientation.Horizontal)
    if centre and bottom:
        bottom_px = round(height_px * (0.3 if height_px >= 900 else 0.4))
        window.resizeDocks([centre[0], bottom[0]], [height_px - bottom_px, bottom_px], Qt.Orientation.Vertical)


def save_layout(window: QMainWindow, settings: QSettings) -> None:
    """Remember where everything stands."""
    settings.setValue(_GEOMETRY, window.saveGeometry())
    settings.setValue(_STATE, window.saveState(LAYOUT_VERSION))
    settings.sync()


def restore_geometry(window: QMainWindow, settings: QSettings) -> bool:
    """Restore size and place; return whether something sensible was remembered."""
    known = settings.value(_GEOMETRY)
    return isinstance(known, QByteArray) and window.restoreGeometry(known)


def restore_state(window: QMainWindow, settings: QSettings) -> bool:
    """Restore the docks; return whether something sensible was remembered."""
    known = settings.value(_STATE)
    return isinstance(known, QByteArray) and window.restoreState(known, LAYOUT_VERSION)
