"""Lights say their state by shape, so that they can be told apart in grey."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from widgets.palette import DARK, LIGHT
from widgets.status_lights import Light, StatusLight, light_pixmap


def test_every_light_has_a_shape_of_its_own_in_both_themes(qtbot: QtBot) -> None:
    for palette in (LIGHT, DARK):
        grey = [light_pixmap(light, palette).toImage().convertToFormat(QImage.Format.Format_Alpha8) for light in Light]
        assert all(one != other for number, one in enumerate(grey) for other in grey[number + 1 :])


def test_a_light_says_name_detail_and_reason(qtbot: QtBot) -> None:
    light = StatusLight()
    qtbot.addWidget(light)
    light.show_state(Light.TROUBLE, "Database", "away 4 s", "It does not answer.")
    assert (light.light, light.text(), light.toolTip()) == (Light.TROUBLE, "Database: away 4 s", "It does not answer.")
    with qtbot.waitSignal(light.clicked):
        QTest.mouseClick(light, Qt.MouseButton.LeftButton)
