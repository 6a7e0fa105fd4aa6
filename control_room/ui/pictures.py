"""Pictures of a running window, for a person to look at."""

from pathlib import Path

from control_room.core.errors import CannotStart
from control_room.ui.main_window import MainWindow


def save_pictures(window: MainWindow, folder: Path) -> list[Path]:
    """Save the whole window and every view as PNG; return the files. Raises CannotStart when one cannot be written."""
    folder.mkdir(parents=True, exist_ok=True)
    saved = []
    for name, widget in {"window": window, **window.views}.items():
        path = folder / f"{name}.png"
        if not widget.grab().save(str(path)):
            raise CannotStart(f"{path} cannot be written.", advice="Check the folder's rights and the free space.")
        saved.append(path)
    return saved
