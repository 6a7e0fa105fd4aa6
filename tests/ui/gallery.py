"""Pictures of the seat for a person to look at: CONTROL_ROOM_PICTURES names their folder."""

import os

import pytest

from widgets.palette import DARK, LIGHT

FOLDER = os.environ.get("CONTROL_ROOM_PICTURES")
SIZES = [(1920, 1080), (1366, 768)]
# what fits by day fits by night
PALETTES = [pytest.param(LIGHT, id="day"), *([pytest.param(DARK, id="night")] if FOLDER else [])]
