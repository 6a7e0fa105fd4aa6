"""The alarm table: order, filter, selection, looks."""

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester, QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from control_room.core.alarms import AlarmState, Priority
from control_room.core.samples import UNCERTAIN_NO_COMMUNICATION_LAST_USABLE, Sample
from tests.fakes import FakeClock, sample
from tests.widgets.alarm_rows import acknowledged, row
from widgets.alarm_model import BY, NOW, RAISED, SYMBOL, AlarmFilter, AlarmModel, AlarmRow, board_order
from widgets.alarm_table import AlarmTable


def many(count: int, seed: int = 1) -> list[AlarmRow]:
    dice = random.Random(seed)
    return [row(number, dice.choice(list(Priority)), dice.uniform(0, 1000)) for number in range(count)]


@pytest.fixture
def model(qapp: QApplication) -> AlarmModel:
    return AlarmModel(lambda _: None, FakeClock())


def ids(model: AlarmModel) -> list[int]:
    return [one.rule.id for one in model.rows]


@pytest.fixture
def table(qtbot: QtBot) -> Iterator[AlarmTable]:
    made = AlarmTable(lambda _: None, FakeClock())
    qtbot.addWidget(made)
    made.resize(1600, 400)
    made.show()
    return made  # type: ignore[return-value]


def test_the_most_urgent_stands_first_and_within_it_the_newest(model: AlarmModel) -> None:
    model.change([row(1, Priority.LOW, 9), row(2, Priority.HIGHEST, 1), row(3, Priority.HIGHEST, 5)], [])
    assert ids(model) == [3, 2, 1]


@pytest.mark.parametrize("column", [SYMBOL, RAISED, 2, 7])
@pytest.mark.parametrize("order", list(Qt.SortOrder))
def test_small_and_large_changes_keep_the_same_order(model: AlarmModel, column: int, order: Qt.SortOrder) -> None:
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Warning)
    model.sort(column, order)
    present = {one.rule.id: one for one in many(60)}
    model.change(list(present.values()), [])
    dice = random.Random(5)
    for _ in range(40):
        number = dice.choice(list(present))
        gone = [dice.choice(list(present))]
        present[number] = replace(acknowledged(present[number]), municipality=dice.choice("ABC"))
        model.change([present[number]], [one for one in gone if one != number])
        if gone[0] != number:
            del present[gone[0]]
    other = AlarmModel(lambda _: None, FakeClock())
    other.sort(column, order)
    other.change(list(present.values()), [])
    assert ids(model) == ids(other)
    assert all(model.place_of(rule_id) == place for place, rule_id in enumerate(ids(model)))
    del tester


def test_the_filter_shows_what_matches_every_wish(model: AlarmModel) -> None:
    model.change([row(1), acknowledged(row(2, Priority.LOW)), row(3, municipality="South")], [])
    wishes = {
        AlarmFilter("tank LOW"): [1, 3, 2],
        AlarmFilter("tank 2"): [2],
        AlarmFilter(priority=Priority.LOW): [2],
        AlarmFilter(state=AlarmState.UNACKNOWLEDGED): [1, 3],
        AlarmFilter(municipality="South"): [3],
        AlarmFilter("nothing"): [],
    }
    for wish, found in wishes.items():
        model.use_filter(wish)
        assert sorted(ids(model)) == sorted(found)
        assert model.all_count == 3


def test_an_alarm_that_no_longer_matches_leaves_the_filtered_board(model: AlarmModel) -> None:
    model.use_filter(AlarmFilter(state=AlarmState.UNACKNOWLEDGED))
    model.change([row(1), row(2)], [])
    model.change([acknowledged(row(1))], [])
    assert ids(model) == [2]


@pytest.mark.parametrize("count", [3, 100])
def test_the_selection_stays_with_its_alarms(table: AlarmTable, count: int) -> None:
    table.board.change(many(count), [])
    chosen = table.board.rows[1].rule.id
    table.choose(chosen)
    table.board.change([row(1_000 + number, Priority.HIGHEST, 5_000) for number in range(count)], [])
    assert [one.rule.id for one in table.chosen()] == [chosen]


def test_values_say_what_they_are(table: AlarmTable) -> None:
    table.board.change([acknowledged(row(1))], [])
    texts = [table.board.index(0, column).data() for column in range(9)]
    assert texts[3:6] == ["Tank 1 level", "Tank 1 low", "1.25 < 1.50 m"]
    assert texts[NOW] == "…"
    assert texts[BY].startswith("m.okafor")


def test_a_stale_present_value_shows_mark_and_age(qapp: QApplication) -> None:
    clock = FakeClock()
    newest: dict[int, Sample] = {1: sample(1, 2.0, quality=UNCERTAIN_NO_COMMUNICATION_LAST_USABLE)}
    model = AlarmModel(newest.get, clock)
    model.change([row(1)], [])
    clock.pass_s(240)
    assert model.index(0, NOW).data() == "? 2.00 m · 4 min"


def test_only_the_symbol_flashes_and_stops_when_acknowledged(table: AlarmTable) -> None:
    table.board.change([row(1)], [])

    def flashes() -> bool:
        found = []
        for is_lit in (True, False):
            table.set_blink(is_lit)
            image = table.viewport().grab().toImage()
            width = table.columnWidth(SYMBOL)
            found.append((image.copy(0, 0, width, 30), image.copy(width, 0, 900, 30)))
        (lit, words), (dark, same_words) = found
        assert words == same_words
        return lit != dark

    assert flashes()
    table.board.change([acknowledged(row(1))], [])
    assert not flashes()


def test_an_empty_board_says_so(table: AlarmTable) -> None:
    before = table.viewport().grab().toImage()
    table.say_when_empty("No alarms known: The database does not answer.")
    assert table.viewport().grab().toImage() != before


def test_a_double_click_and_the_menu_name_the_alarm(table: AlarmTable, qtbot: QtBot) -> None:
    table.board.change([row(7)], [])
    place = table.visualRect(table.board.index(0, RAISED)).center()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    with qtbot.waitSignal(table.row_activated) as activated:
        QTest.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert activated.args == [7]
    assert [one.rule.id for one in table.chosen()] == [7]


def test_a_narrow_table_leaves_out_the_tags_name(table: AlarmTable, qtbot: QtBot) -> None:
    assert not table.isColumnHidden(3)
    table.resize(1000, 400)
    qtbot.waitUntil(lambda: table.isColumnHidden(3))


def test_ten_thousand_alarms_in_batches_stay_whole(model: AlarmModel) -> None:
    rows = many(10_000)
    for start in range(0, 10_000, 500):
        model.change(rows[start : start + 500], [])
    assert ids(model) == [one.rule.id for one in sorted(rows, key=board_order)]
    assert model.rowCount(QModelIndex()) == 10_000


def test_rows_that_come_and_go_above_do_not_move_what_is_looked_at(table: AlarmTable) -> None:
    table.board.change(many(200), [])
    QApplication.processEvents()
    table.verticalScrollBar().setValue(50)
    looked_at = table.board.rows[table.rowAt(0)].rule.id
    table.board.change([row(900, Priority.HIGHEST, 5_000), row(901, Priority.HIGHEST, 5_001)], [])
    assert table.board.rows[table.rowAt(0)].rule.id == looked_at
    table.board.change([], [900, 901, table.board.rows[2].rule.id])
    assert table.board.rows[table.rowAt(0)].rule.id == looked_at
    table.verticalScrollBar().setValue(table.verticalScrollBar().maximum())
    looked_at = table.board.rows[table.rowAt(0)].rule.id
    table.board.change([row(902, Priority.HIGHEST, 5_002)], [])
    assert table.board.rows[table.rowAt(0)].rule.id == looked_at


def test_a_flood_keeps_the_selection_but_not_for_what_was_raised_again(table: AlarmTable) -> None:
    table.board.change(many(60), [])
    for place in (3, 4):
        model = table.selectionModel()
        model.select(table.board.index(place, 0), model.SelectionFlag.Select | model.SelectionFlag.Rows)
    model.setCurrentIndex(table.board.index(4, 0), model.SelectionFlag.NoUpdate)
    kept, again = table.chosen()[1], table.chosen()[0]
    raised = replace(again, alarm=replace(again.alarm, event_id=again.alarm.event_id + 1))
    table.board.change([raised, *(row(number, Priority.HIGHEST, 2_000) for number in range(100, 130))], [])
    assert table.chosen() == [kept]
    assert table.board.rows[table.currentIndex().row()] == kept


def test_a_filter_of_tags_shows_exactly_theirs(model: AlarmModel) -> None:
    rows = many(30)
    model.change(rows, [])
    model.use_filter(AlarmFilter(tag_ids=frozenset({rows[3].tag.id})))
    assert {one.tag.id for one in model.rows} == {rows[3].tag.id}


def test_a_filter_leaves_the_selection_of_what_it_shows(table: AlarmTable) -> None:
    rows = many(30)
    table.board.change(rows, [])
    table.choose(rows[3].rule.id)
    table.board.use_filter(AlarmFilter(priority=rows[3].rule.priority))
    assert [one.rule.id for one in table.chosen()] == [rows[3].rule.id]


def test_enter_opens_the_row(table: AlarmTable, qtbot: QtBot) -> None:
    table.board.change(many(3), [])
    table.choose(table.board.rows[1].rule.id)
    with qtbot.waitSignal(table.row_activated) as told:
        QTest.keyClick(table, Qt.Key.Key_Return)
    assert told.args == [table.board.rows[1].rule.id]


def test_very_many_rows_are_sorted_turn_by_turn_while_the_board_goes_on(model: AlarmModel, qtbot: QtBot) -> None:
    rows = {one.rule.id: one for one in many(8_000)}
    model.change(list(rows.values()), [])
    model.sort(RAISED)
    with qtbot.waitSignal(model.sorted):
        model.sort(RAISED, Qt.SortOrder.DescendingOrder)
        assert model.is_sorting
        # what is shown meanwhile is in the order of before, and up to date
        changed = [row(number, Priority.HIGHEST, 9_000 + number) for number in (5, 9_001, 77)]
        rows |= {one.rule.id: one for one in changed}
        del rows[6]
        model.change(changed, [6])
        assert ids(model)[:3] == [9_001, 77, 5]
    wanted = sorted(rows.values(), key=lambda one: (one.raised_s(), -int(one.rule.priority), -one.rule.id))
    assert ids(model) == [one.rule.id for one in wanted]
    assert all(model.place_of(rule_id) == place for place, rule_id in enumerate(ids(model)))
    qtbot.waitUntil(lambda: not model.is_at_work)


def test_a_filter_of_very_many_rows_takes_back_the_one_before(model: AlarmModel, qtbot: QtBot) -> None:
    model.change(many(8_000), [])
    with qtbot.waitSignal(model.sorted):
        model.use_filter(AlarmFilter("tank 77"))
        model.use_filter(AlarmFilter("tank 7999"))
    assert ids(model) == [7_999]
    assert (model.shown, model.waiting, model.municipality_ids) == (1, 1, {1})
    with qtbot.waitSignal(model.sorted):
        model.use_filter(AlarmFilter())
    assert model.waiting == 8_000
    qtbot.waitUntil(lambda: not model.is_at_work)


def test_all_of_many_rows_stay_chosen_in_a_flood(table: AlarmTable) -> None:
    table.board.change(many(3_000), [])
    table.selectAll()
    table.board.change([row(10_000 + number, Priority.HIGHEST, 5_000) for number in range(50)], [])
    assert {one.rule.id for one in table.chosen()} == set(range(3_000))
    assert table.selectionModel().selection().count() < 10
