"""What the program brings along that is no code: icons, themes, handbook."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent
