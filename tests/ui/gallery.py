"""Pictures of the seat for a person to look at: CONTROL_ROOM_PICTURES names their folder."""

import os
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QImage, QPixmap

from widgets.palette import DARK, LIGHT

FOLDER = os.environ.get("CONTROL_ROOM_PICTURES")
SIZES = [(1920, 1080), (1366, 768)]
# what fits by day fits by night
PALETTES = [pytest.param(LIGHT, id="day"), *([pytest.param(DARK, id="night")] if FOLDER else [])]
# how linear RGB looks without one kind of cones (Machado, Oliveira and Fernandes 2009, severity 1)
_SEEN_BY = {
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def save_as_seen(picture: QPixmap, folder: Path, name: str) -> None:
    """Save a picture as it is, and as people with each kind of colour-vision deficiency see it."""
    assert picture.save(str(folder / f"{name}.png"))
    image = picture.toImage().convertToFormat(QImage.Format.Format_RGB888)
    shape = (image.height(), image.bytesPerLine())
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(shape)[:, : 3 * image.width()]
    encoded = rows.reshape(image.height(), image.width(), 3) / 255.0
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    for kind, matrix in _SEEN_BY.items():
        seen = np.clip(linear @ np.array(matrix).T, 0, 1)
        shown = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
        pixels = np.ascontiguousarray(np.round(255 * shown).astype(np.uint8))
        made = QImage(pixels.data, image.width(), image.height(), 3 * image.width(), QImage.Format.Format_RGB888)
        assert made.save(str(folder / f"{name}-{kind}.png"))
