"""The theme: Fusion with our own palette for day and night, and icons drawn in its colours."""

from string import Template

from PySide6.QtCore import QByteArray, QObject, QRectF, QSettings, Qt, Signal
from PySide6.QtGui import QColor, QFont, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

import resources
from widgets.palette import DARK, LIGHT, Palette

TEXT_SIZE_PX = 14
_SETTING = "theme"
_ICON_SIZE_PX = 48
_INK = "#000000"


def qt_palette(palette: Palette) -> QPalette:
    """Return the palette as Qt's widgets understand it."""
    result = QPalette(QColor(palette.raised), QColor(palette.ground))
    role = QPalette.ColorRole
    colours = {
        role.WindowText: palette.text,
        role.Text: palette.text,
        role.ButtonText: palette.text,
        role.BrightText: palette.text,
        role.Base: palette.panel,
        role.AlternateBase: palette.raised,
        role.Highlight: palette.selection,
        role.HighlightedText: palette.selection_text,
        role.ToolTipBase: palette.raised,
        role.ToolTipText: palette.text,
        role.PlaceholderText: palette.faint,
        role.Link: palette.pens[0],
        role.LinkVisited: palette.pens[0],
        role.Accent: palette.selection,
    }
    for which, colour in colours.items():
        result.setColor(which, QColor(colour))
    for which in (role.WindowText, role.Text, role.ButtonText):
        result.setColor(QPalette.ColorGroup.Disabled, which, QColor(palette.faint))
    return result


def icon(name: str, palette: Palette) -> QIcon:
    """Return a line icon of resources/icons in the palette's text colour."""
    drawing = (resources.FOLDER / "icons" / f"{name}.svg").read_text(encoding="utf-8")
    result = QIcon()
    for colour, mode in ((palette.text, QIcon.Mode.Normal), (palette.faint, QIcon.Mode.Disabled)):
        pixmap = QPixmap(_ICON_SIZE_PX, _ICON_SIZE_PX)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        renderer = QSvgRenderer(QByteArray(drawing.replace(_INK, colour).encode()))
        renderer.render(painter, QRectF(0, 0, _ICON_SIZE_PX, _ICON_SIZE_PX))
        painter.end()
        result.addPixmap(pixmap, mode)
    return result


class Theme(QObject):
    """Day or night, remembered. Signal changed(Palette)."""

    changed = Signal(object)

    def __init__(self, application: QApplication, settings: QSettings, parent: QObject | None = None) -> None:
        """Dress the application as it was left, by day when nothing sensible is remembered."""
        super().__init__(parent)
        self._application = application
        self._settings = settings
        self.palette = DARK if settings.value(_SETTING) == DARK.name else LIGHT
        application.setStyle("Fusion")
        font = QFont(application.font())
        font.setPixelSize(TEXT_SIZE_PX)
        application.setFont(font)
        self._dress()

    def toggle(self) -> None:
        """Change between day and night."""
        self.use(LIGHT if self.palette is DARK else DARK)

    def use(self, palette: Palette) -> None:
        """Dress everything in another palette and remember it."""
        self.palette = palette
        self._settings.setValue(_SETTING, palette.name)
        self._dress()
        self.changed.emit(palette)

    def icon(self, name: str) -> QIcon:
        """Return an icon in the present palette."""
        return icon(name, self.palette)

    def _dress(self) -> None:
        sheet = Template((resources.FOLDER / "themes" / "room.qss").read_text(encoding="utf-8"))
        named = ("raised", "panel", "ground", "border", "text", "label", "replay", "replay_text")
        names = {name: getattr(self.palette, name) for name in named}
        self._application.setPalette(qt_palette(self.palette))
        self._application.setStyleSheet(sheet.substitute(names))
