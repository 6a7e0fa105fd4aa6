"""The panel "Why this alarm": what its record says, and who set its limit."""

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from control_room.core.rationalisation import Level, Record, RecordBook
from control_room.ui.dialogs.why import WhyDialog
from control_room.ui.views.alarms import AlarmsView
from control_room.ui.words import local
from db.rationalisation import RuleChange, read_records, read_rule_changes
from tests.fakes import START
from tests.ui.rooms import Stage

KNOWN = Record("Outlet open", "Zone A runs dry", "Start pump 2\nCall the crew", None, 12.0)
UNKNOWN = "Nothing is written down about cause, consequence and what to do."


def lines(stage: Stage, qtbot: QtBot, record: Record, *changes: tuple[dict[str, Any], bool]) -> list[str]:
    """Return what the panel says of the first alarm, opened with F2."""
    view = AlarmsView(stage.console)
    qtbot.addWidget(view)
    view.resize(1400, 400)
    view.show()
    stage.fill()
    view.activateWindow()
    qtbot.waitUntil(view.isActiveWindow)
    row = view.table.board.rows[0]
    noted = [
        RuleChange("a", Level.RULE, row.rule.id, is_record, START, "mona", "desk-1", "as reviewed", {}, new)
        for new, is_record in changes
    ]
    answers: Any = stage.reading.answers
    answers |= {
        read_records: lambda: RecordBook({(Level.MUNICIPALITY, row.tag.municipality_id): record}),
        read_rule_changes: lambda rule_id, count: noted,
    }
    view.table.choose(row.rule.id)
    QTest.keyClick(view.table, Qt.Key.Key_F2)
    [dialog] = view.findChildren(WhyDialog)
    return dialog.record.text().splitlines()


def test_the_record_and_who_set_the_limit(stage: Stage, qtbot: QtBot) -> None:
    assert lines(stage, qtbot, KNOWN, ({"deadband": 1}, False), ({"limit": 3}, False)) == [
        "Cause: Outlet open",
        "Consequence: Zone A runs dry",
        "What to do: Start pump 2 Call the crew",
        "Time to respond: 12 min",
        f"The limit was set by mona, {local(START)}: as reviewed.",
    ]


@pytest.mark.parametrize("change", [({"deadband": 1}, False), ({"limit": "a word of a record"}, True)])
def test_what_is_not_known_is_said(stage: Stage, qtbot: QtBot, change: tuple[dict[str, Any], bool]) -> None:
    assert lines(stage, qtbot, Record(), change) == [UNKNOWN, "The limit is that of the plant's import."]
