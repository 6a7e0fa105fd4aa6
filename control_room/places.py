"""Where this program keeps its files on this machine."""

from pathlib import Path

import platformdirs

APPLICATION = "control-room"


def default_folder(name: str) -> Path:
    """Return the person's own folder for `name` ("local" for the embedded database, "demo" for the demo's)."""
    return Path(platformdirs.user_data_dir(APPLICATION, appauthor=False)) / name


def log_file(folder: Path, process: str) -> Path:
    """Return the log of one process ("seat", "collector", "simulator") in its data folder."""
    return folder / "logs" / f"{process}.log"
