"""The main window: docks, layout, keys, trouble, status, closing, pictures."""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from PySide6.QtCore import QByteArray, QRect, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from control_room.core.errors import CannotStart
from control_room.core.ports import Configuration
from control_room.core.samples import Sample
from control_room.ui.main_window import MainWindow
from control_room.ui.pictures import save_pictures
from control_room.ui.theme import Theme
from control_room.ui.view_spec import find_views
from tests.fakes import FakeClock
from tests.ui.rooms import Stage, collector_status, link_statuses, make_stage, spoiled, ten_times, with_long_names
from widgets.palette import DARK, LIGHT, Palette
from widgets.status_lights import Light

KEYS = [
    *("navigation", "map", "trends", "alarms", "connections", "people", "audit", "journal", "planned_work"),
    *("alarm_report", "alarm_figures", "rules"),
]


def test_every_view_is_found_by_its_spec_with_a_shortcut_of_its_own() -> None:
    specs = find_views()
    assert [spec.key for spec in specs] == KEYS
    assert len({spec.shortcut for spec in specs}) == len(specs)


def test_a_shortcut_brings_its_view_to_the_front(window: MainWindow, qtbot: QtBot) -> None:
    window.docks["connections"].close()
    assert not window.docks["connections"].isVisible()
    next(act for act in window.actions() if act.text() == "Connections").trigger()
    assert window.docks["connections"].isVisible()
    qtbot.waitUntil(lambda: not window.views["connections"].visibleRegion().isEmpty())


def test_jumps_bring_the_view_that_they_lead_to(window: MainWindow, stage: Stage, qtbot: QtBot) -> None:
    stage.fill()
    window.docks["trends"].close()
    stage.console.jumps.trend_wanted.emit([20])
    assert window.docks["trends"].isVisible()
    assert 20 in window.views["trends"].plots()[0].pens()  # type: ignore[attr-defined]


def test_the_window_remembers_how_it_was_left(window: MainWindow, stage: Stage, qtbot: QtBot) -> None:
    window.docks["map"].setFloating(True)
    window.docks["alarms"].close()
    window.close()
    again = MainWindow(stage.console, lambda: None)
    again.show()
    try:
        assert again.docks["map"].isFloating()
        assert not again.docks["alarms"].isVisible()
        again.arrange_again()
        assert not again.docks["map"].isFloating()
        assert again.docks["alarms"].isVisible()
    finally:
        again.finish()
        again.deleteLater()


@pytest.mark.parametrize("broken", [QByteArray(b"nonsense"), "text", 17, None])
def test_a_broken_layout_is_replaced_by_the_first_one(stage: Stage, qtbot: QtBot, broken: object) -> None:
    stage.console.settings.setValue("window/geometry", broken)
    stage.console.settings.setValue("window/state", broken)
    made = MainWindow(stage.console, lambda: None)
    made.show()
    try:
        assert all(dock.isVisible() for dock in made.docks.values())
    finally:
        made.finish()
        made.deleteLater()


def test_closing_asks_whoever_built_the_room(stage: Stage, qtbot: QtBot) -> None:
    asked: list[bool] = []
    made = MainWindow(stage.console, lambda: asked.append(True))
    made.show()
    made.close()
    assert (asked, made.isVisible()) == ([True], True)
    made.finish()
    assert not made.isVisible()
    made.deleteLater()


def test_a_lost_database_is_said_in_bar_banner_and_lights(window: MainWindow, stage: Stage) -> None:
    stage.fill()
    assert window.trouble_bar.isHidden()
    assert window.strip.database.light is Light.OK
    assert window.banner.text() == "27 to acknowledge"
    stage.console.room.take_connected(False, "The database does not answer.")
    stage.clock.pass_s(240)
    window._tick()
    assert window.trouble_bar.text().startswith("NOT LIVE for 4 min; values and alarms are those of ")
    assert window.trouble_bar.text().endswith("The database does not answer.")
    assert window.banner.text() == "not up to date"
    assert (window.strip.database.light, window.strip.database.text()) == (Light.TROUBLE, "Database: away 4 min")
    assert {light.light for light in window.strip.links.values()} == {Light.WAITING}
    stage.connect()
    assert window.trouble_bar.isHidden()
    assert window.strip.database.light is Light.OK


def test_the_strip_tells_of_each_link(window: MainWindow, stage: Stage) -> None:
    stage.fill()
    lights = [light.light for light in window.strip.links.values()]
    assert lights == [Light.OK, Light.OK, Light.TROUBLE, Light.OK, Light.OK, Light.WAITING]
    down = window.strip.links[3]
    assert down.text() == "OPC UA Cedar Valley Utilities: down 4 min · 12 lost"
    assert "does not answer" in down.toolTip()
    assert window.strip.collector.text() == "Collector: 450 values/s · 12 lost"
    stage.clock.pass_s(6)
    window._tick()
    assert (window.strip.collector.light, window.strip.collector.text()) == (Light.TROUBLE, "Collector: silent 6 s")


def test_the_strip_tells_the_level_and_age_of_the_spool(window: MainWindow, stage: Stage) -> None:
    stage.fill()
    now = stage.clock.now
    status = replace(collector_status(now), spool_limit_bytes=2 * 1024**3)
    stage.console.room.take_status(status, link_statuses(now))
    assert "Spool empty, room for 2.0 GB" in window.strip.collector.toolTip()
    oldest = now - timedelta(minutes=10)
    filled = replace(status, spooled=9_300_000, spool_bytes=300 * 1024**2, oldest_time=oldest)
    stage.console.room.take_status(filled, link_statuses(now))
    assert window.strip.collector.light is Light.TROUBLE
    assert window.strip.collector.text() == "Collector: spool 300.0 MB, 10 min · 12 lost"
    words = window.strip.collector.toolTip()
    assert "9,300,000 values wait on the collector's disk, 300.0 MB of 2.0 GB (15 %), the oldest for 10 min" in words
    assert "the oldest values are lost" in words


def test_the_strip_says_that_the_way_to_the_database_is_not_protected(window: MainWindow, stage: Stage) -> None:
    stage.console.room.is_plain = True
    stage.fill()
    assert window.strip.database.text() == "Database: not protected"
    assert window.strip.database.light is Light.TROUBLE


def test_a_narrow_strip_keeps_links_in_trouble_and_counts_the_others(
    window: MainWindow, stage: Stage, qtbot: QtBot
) -> None:
    stage.fill()
    window.resize(940, 700)
    qtbot.waitUntil(lambda: not window.strip.more.isHidden())
    seen = [number for number, light in window.strip.links.items() if not light.isHidden()]
    assert 3 in seen
    assert window.strip.more.text() == f"{6 - len(seen)} more"


def test_a_click_on_the_banner_leads_to_the_alarm(window: MainWindow, stage: Stage, qtbot: QtBot) -> None:
    stage.fill()
    window.docks["alarms"].close()
    newest = window.banner.entries()[0]
    place = window.banner._places()[0][0].center().toPoint()
    QTest.mouseClick(window.banner, Qt.MouseButton.LeftButton, pos=place)
    assert window.docks["alarms"].isVisible()
    assert [row.rule.id for row in window.views["alarms"].table.chosen()] == [newest]  # type: ignore[attr-defined]


def test_the_theme_is_kept(window: MainWindow, stage: Stage, qapp: QApplication) -> None:
    before = stage.console.theme.palette
    stage.console.theme.toggle()
    assert stage.console.theme.palette is not before
    assert Theme(qapp, stage.console.settings).palette is stage.console.theme.palette
    stage.console.settings.setValue("theme", 3)
    assert Theme(qapp, stage.console.settings).palette is LIGHT


def test_handbook_and_about_open_beside_the_room(window: MainWindow) -> None:
    window.open_handbook()
    window.open_about()
    assert window.handbook is not None
    assert window.handbook.isVisible()
    assert window.about is not None
    assert "0.1" in window.about.words.text()


def test_a_failure_is_shown_with_details_to_copy(window: MainWindow, qtbot: QtBot, qapp: QApplication) -> None:
    window.show_failure("A part of the program failed.", "Traceback ...")
    QTest.mouseClick(window.notice_bar.copy_button, Qt.MouseButton.LeftButton)
    assert qapp.clipboard().text() == "Traceback ..."


async def test_a_picture_of_every_view_is_saved(window: MainWindow, stage: Stage, tmp_path: Path) -> None:
    stage.fill()
    await save_pictures(window, stage.console.theme, tmp_path / "new" / "folder")
    sizes = {path.stem: QImage(str(path)).size() for path in (tmp_path / "new" / "folder").glob("*.png")}
    assert {"window", *KEYS, "window-1366x768-day", "window-1366x768-night"} <= set(sizes)
    assert all(size.width() > 300 and size.height() > 150 for size in sizes.values())
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotStart):
        await save_pictures(window, stage.console.theme, tmp_path / "file")


# --- pictures for a person to look at

FOLDER = os.environ.get("CONTROL_ROOM_PICTURES")
CHANGES: dict[str, Callable[[Configuration], Configuration]] = {"long": with_long_names, "flood": ten_times}
SPOILS: dict[str, Callable[[Sequence[Sample]], list[Sample]]] = {"spoiled": spoiled}


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    folder = Path(FOLDER) if FOLDER else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


@pytest.mark.parametrize("scene", ["full", "empty", "lost", "long", "spoiled", "flood"])
@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["day", "night"])
@pytest.mark.parametrize("size", [(1920, 1080), (1366, 768)], ids=["wide", "narrow"])
def test_the_window_fits_its_screen(
    qtbot: QtBot,
    qapp: QApplication,
    tmp_path: Path,
    gallery: Path,
    runner: asyncio.Runner,
    scene: str,
    palette: Palette,
    size: tuple[int, int],
) -> None:
    stage = make_stage(qapp, tmp_path, FakeClock(), runner)
    stage.console.theme.use(palette)
    made = MainWindow(stage.console, lambda: None)
    made.resize(*size)
    made.show()
    try:
        if scene != "empty":
            stage.fill(
                2_000 if scene == "flood" else 40, CHANGES.get(scene, lambda known: known), SPOILS.get(scene, list)
            )
            pens = [tag.id for tag in stage.console.room.configuration.tags[:9]]
            stage.console.jumps.trend_wanted.emit(pens)
            made.views["map"].setFocus()
        if scene == "lost":
            stage.console.room.take_connected(False, "The database does not answer. Check that it runs.")
            stage.clock.pass_s(75)
        made._tick()
        qtbot.wait(250)
        # nothing in it asks for more room than the screen has
        assert (made.width(), made.height()) == size
        screen = QRect(0, 0, *size)
        for view in made.views.values():
            is_seen = not view.visibleRegion().isEmpty()
            assert screen.contains(QRect(view.mapTo(made, view.rect().topLeft()), view.size())) or not is_seen
        assert made.grab().save(str(gallery / f"{scene}-{palette.name}-{size[0]}.png"))
    finally:
        made.finish()
        made.deleteLater()
        stage.console.blink.stop()
