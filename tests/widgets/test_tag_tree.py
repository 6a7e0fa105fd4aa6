"""The navigation tree: structure, filter, alarms rolled up, what is seen, drags."""

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester, QTest
from pytestqt.qtbot import QtBot

from control_room.core.alarms import AlarmState, Priority
from control_room.core.samples import UNCERTAIN_NO_COMMUNICATION_LAST_USABLE, Sample
from control_room.core.tags import Municipality, Quantity, Tag
from tests.fakes import FakeClock, sample
from widgets.quality import TAG_MIME
from widgets.tag_tree import NAME, VALUE, TagTree, natural

TOWNS = (Municipality(1, "n", "North"), Municipality(2, "s", "South"))


def tag(number: int, municipality: int = 1, site: str = "Hill") -> Tag:
    name = f"Tank {number} level"
    return Tag(number, municipality, site, f"Tank {number}", f"T{number}", name, Quantity.LEVEL, 1, "", "m", decimals=2)


@pytest.fixture
def newest() -> dict[int, Sample]:
    return {}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def tree(qtbot: QtBot, newest: dict[int, Sample], clock: FakeClock) -> TagTree:
    made = TagTree(newest.get, clock)
    qtbot.addWidget(made)
    made.resize(340, 500)
    made.show_tags(TOWNS, [tag(1), tag(10), tag(2), tag(3, 2)])
    made.show()
    return made


def names(tree: TagTree, parent: QModelIndex | None = None, depth: int = 0) -> list[str]:
    found = []
    above = parent or QModelIndex()
    for row in range(tree.model.rowCount(above)):
        index = tree.model.index(row, NAME, above)
        found += ["  " * depth + index.data(), *names(tree, index, depth + 1)]
    return found


def test_the_tree_goes_from_municipality_to_tag_in_natural_order(tree: TagTree) -> None:
    QAbstractItemModelTester(tree.model, QAbstractItemModelTester.FailureReportingMode.Warning)
    north = ["North", "  Hill", "    Tank 1", "      Level", "    Tank 2", "      Level"]
    assert names(tree)[:8] == [*north, "    Tank 10", "      Level"]
    assert names(tree)[8:] == ["South", "  Hill", "    Tank 3", "      Level"]
    assert sorted(["Pump 10", "Pump 2", "A 3"], key=natural) == ["A 3", "Pump 2", "Pump 10"]


def test_the_filter_opens_what_matches_and_restores_what_was_open(tree: TagTree) -> None:
    open_before = tree.view.isExpanded(tree.model.index(0, 0))
    tree.filter.setText("tank 10")
    tree.flush()
    assert names(tree) == ["North", "  Hill", "    Tank 10", "      Level"]
    assert tree.view.isExpanded(tree.model.index_of(10).parent())
    tree.filter.setText("no such thing")
    tree.flush()
    assert names(tree) == []
    tree.filter.clear()
    tree.flush()
    assert len(names(tree)) == 12
    assert tree.view.isExpanded(tree.model.index(0, 0)) is open_before
    assert not tree.view.isExpanded(tree.model.index_of(3).parent())


def test_alarms_roll_up_with_the_highest_priority_and_flash_while_one_is_unacknowledged(tree: TagTree) -> None:
    tree.show_alarms({1: (Priority.LOW, AlarmState.UNACKNOWLEDGED), 2: (Priority.HIGHEST, AlarmState.ACKNOWLEDGED)})
    north, south = tree.model.index(0, 0), tree.model.index(1, 0)
    top = tree.model.branch(north)
    assert (top.worst, top.is_flashing, top.count) == (Priority.HIGHEST, True, 2)
    assert north.data() == "North  (2)"
    assert south.data(Qt.ItemDataRole.DecorationRole) is None
    assert north.data(Qt.ItemDataRole.DecorationRole) is not None
    tree.show_alarms({2: (Priority.HIGHEST, AlarmState.ACKNOWLEDGED)})
    assert not tree.model.is_anything_flashing
    tree.show_alarms({})
    assert north.data() == "North"


def test_values_carry_mark_and_age(tree: TagTree, newest: dict[int, Sample], clock: FakeClock) -> None:
    place = tree.model.index_of(1).siblingAtColumn(VALUE)
    assert place.data() == "…"
    newest[1] = sample(1, 2.5)
    assert place.data() == "2.50 m"
    newest[1] = sample(1, 2.5, quality=UNCERTAIN_NO_COMMUNICATION_LAST_USABLE)
    clock.pass_s(30)
    assert place.data() == "? 2.50 m · 30 s"
    assert "Stale: no communication" in place.data(Qt.ItemDataRole.ToolTipRole)


def test_only_the_rows_that_can_be_seen_are_worth_feeding(tree: TagTree, qtbot: QtBot) -> None:
    assert tree.seen() == [1, 2, 10]
    with qtbot.waitSignal(tree.tags_seen) as seen:
        tree.select(3)
    assert seen.args == [[1, 2, 10, 3]]
    tree.show_tags(TOWNS, [tag(number, 1, f"Site {number // 10}") for number in range(1_000)])
    tree.view.expandAll()
    assert 0 < len(tree.seen()) < 20


def test_a_selection_that_the_filter_hides_clears_the_filter(tree: TagTree) -> None:
    tree.filter.setText("tank 10")
    tree.flush()
    tree.select(3)
    assert tree.filter.text() == ""
    assert tree.model.tag_of(tree.view.currentIndex()) == tag(3, 2)


def test_a_drag_of_a_branch_carries_its_tags(tree: TagTree) -> None:
    tank, north = tree.model.index_of(1), tree.model.index(0, 0)
    content = tree.model.mimeData([north, tank, tank.siblingAtColumn(VALUE)])
    assert bytes(content.data(TAG_MIME).data()) == b"1,2,10"


def test_a_double_click_opens_a_tag_and_not_a_branch(tree: TagTree, qtbot: QtBot) -> None:
    tree.select(1)
    at = tree.view.visualRect(tree.model.index_of(1)).center()
    QTest.mouseClick(tree.view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    with qtbot.waitSignal(tree.tag_activated) as activated:
        QTest.mouseDClick(tree.view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert activated.args == [1]


def test_enter_opens_the_tag_and_the_menu_names_what_is_selected(tree: TagTree, qtbot: QtBot) -> None:
    tree.select(1)
    with qtbot.waitSignal(tree.tag_activated) as activated:
        QTest.keyClick(tree.view, Qt.Key.Key_Return)
    assert activated.args == [1]
    with qtbot.waitSignal(tree.menu_wanted) as wanted:
        tree.view.customContextMenuRequested.emit(tree.view.visualRect(tree.model.index_of(1)).center())
    assert wanted.args is not None
    assert wanted.args[:2] == [[1], "Tank 1 level"]
