"""Pictures of a running window, for a person to look at: in the sizes and themes of control rooms."""

import asyncio
from pathlib import Path

from PySide6.QtWidgets import QWidget

from control_room.core.errors import CannotStart
from control_room.ui.main_window import MainWindow
from control_room.ui.theme import Theme
from widgets.palette import DARK, LIGHT

SIZES = ((1920, 1080), (1366, 768))
# until the window has laid itself out and its views have painted
SETTLE_S = 0.7


async def save_pictures(window: MainWindow, theme: Theme, folder: Path) -> None:
    """Save the window and every view as it is, then the window in every size by day and by night, as PNG.

    Raises CannotStart when one cannot be written. Theme and size are put back.
    """
    _make(folder)
    size, palette = window.size(), theme.palette
    _save(window, folder / "window.png")
    in_front = [key for key, view in window.views.items() if not view.visibleRegion().isEmpty()]
    for key, view in window.views.items():
        # a view that lies behind another has not laid itself out yet
        if key not in in_front:
            window.bring(key)
            await asyncio.sleep(SETTLE_S)
        _save(view, folder / f"{key}.png")
    for key in in_front:
        window.bring(key)
    for width, height in SIZES:
        window.resize(width, height)
        window.arrange_again()
        for each in (LIGHT, DARK):
            theme.use(each)
            await asyncio.sleep(SETTLE_S)
            _save(window, folder / f"window-{width}x{height}-{each.name}.png")
    theme.use(palette)
    window.resize(size)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise CannotStart(f"{folder} cannot be made: {fault.strerror}.", advice="Name another folder.") from fault


def _save(widget: QWidget, path: Path) -> None:
    if not widget.grab().save(str(path)):
        raise CannotStart(f"{path} cannot be written.", advice="Check the folder's rights and the free space.")
