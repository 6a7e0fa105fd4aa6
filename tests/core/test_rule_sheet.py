"""Rules as rows of a sheet: read again they are the same, and every fault has its row and column."""

from dataclasses import replace
from datetime import date

import pytest

from control_room.core.alarms import AlarmKind, AlarmRule, Priority
from control_room.core.expressions import parse_condition
from control_room.core.rationalisation import Held, Level, Record, Severity
from control_room.core.rule_check import tag_faults
from control_room.core.rule_sheet import (
    KEYS,
    TITLES,
    Known,
    Line,
    Sheet,
    as_plant_tag,
    cells,
    harmless,
    plain,
    read_sheet,
)
from control_room.core.tags import Quantity, Tag

TAG = Tag(1, 1, "Hill", "Tank 1", "T1.level", "Tank 1 level", Quantity.LEVEL, 1, "a", "m")
RECORD = Record("Inlet open", None, "=HYPERLINK(1)", Severity.MAJOR, 20.0, None, "Works", date(2027, 3, 31))
HELD = Held(RECORD, {"owner": (Level.MUNICIPALITY, 1), **dict.fromkeys(("cause", "action"), (Level.RULE, 1))})
LINES = (
    Line("north", TAG, AlarmRule(1, 1, AlarmKind.L, Priority.LOW, 0.1 + 0.2, message='-5 "low"'), HELD),
    Line("north", TAG, AlarmRule(2, 1, AlarmKind.H, Priority.HIGH, -7.5, message="high\nand dry"), Held(Record(), {})),
)
RULES = [one.rule for one in LINES]
KNOWN = Known({(one.place, one.tag.key, one.rule.kind.value): one for one in LINES}, {1: RULES}, {1: TAG})


def read(*rows: list[str]) -> Sheet:
    return list(read_sheet(iter(rows), KNOWN))[-1]


def row(line: int = 0, **changed: str) -> list[str]:
    found = dict(zip(TITLES, cells(LINES[line]), strict=True))
    titles = {title.split(" (")[0].casefold().replace(" ", "_").replace("-", "_"): title for title in TITLES}
    return list((found | {titles[name]: words for name, words in changed.items()}).values())


def test_what_was_written_says_nothing_new() -> None:
    # 0.1 + 0.2 is read again to the last digit, texts that look like formulas as well
    sheet = read(list(TITLES), row(0), row(1), [])
    assert (sheet.rows, sheet.differences, sheet.faults) == (2, [], [])


def test_nothing_that_is_written_is_a_formula() -> None:
    for cell in ("=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", " =1", "\n=1"):
        assert harmless(cell).startswith("'")
        assert plain(harmless(cell)) == cell
    for cell in ("-5", "1e-05", "", "Tank", "'quoted'"):
        assert (harmless(cell), plain(cell)) == (cell, cell)
    assert [cell for cell in cells(LINES[0]) if cell.startswith(("=", "+", "@"))] == []


def test_a_changed_cell_is_a_difference_and_own_values_may_be_emptied() -> None:
    sheet = read(list(TITLES), row(0, limit="-8", owner="Hill crew", cause=""))
    [one] = sheet.differences
    assert (one.row, dict(one.settings)) == (2, {"limit": (0.1 + 0.2, -8.0)})
    assert dict(one.record) == {"cause": ("Inlet open", None), "owner": (None, "Hill crew")}
    assert one.doubts == ("A major consequence with 20 min to respond means priority 3, not 4.",)


def test_a_file_may_have_some_columns_only() -> None:
    sheet = read([*KEYS, "Priority"], ["north", "T1.level", "L", "2"])
    assert [dict(one.settings) for one in sheet.differences] == [{"priority": (Priority.LOW, Priority.HIGH)}]


@pytest.mark.parametrize(
    ("changed", "column", "words"),
    [
        ({"priority": "5"}, "Priority", "from 1 to 4"),
        ({"priority": "1.5"}, "Priority", "must be 1, 2, 3 or 4"),
        ({"limit": ""}, "Limit", "must be a number"),
        ({"limit": "nan"}, "Limit", "must be a number"),
        ({"limit": "1,5"}, "Limit", "with a decimal point"),
        ({"limit": "=A1"}, "Limit", "is a formula"),
        ({"deadband": "-1"}, "Deadband", "from 0"),
        ({"on_delay": "1e9"}, "On-delay (s)", "to 86400"),
        ({"latching": "maybe"}, "Latching", "yes or no"),
        ({"message": "x" * 501}, "Message", "at most 500"),
        ({"severity": "awful"}, "Severity", "minor, major, severe"),
        ({"time_to_respond": "0"}, "Time to respond (min)", "to 1440"),
        ({"review_date": "31.3.2027"}, "Review date", "2027-03-31"),
        ({"cause": "x" * 2001}, "Cause", "more than 2,000 letters"),
        ({"owner": ""}, "Owner", "“Works” holds from above"),
        ({"tag": "T9"}, "Tag", "There is no alarm L of the tag “T9” in “north”"),
    ],
)
def test_a_fault_has_its_row_and_column(changed: dict[str, str], column: str, words: str) -> None:
    sheet = read(list(TITLES), row(1), row(0, **changed))
    [fault] = sheet.faults
    assert (fault.row, fault.column) == (3, column)
    assert words in fault.words
    assert sheet.fault_count == 1


def test_rules_are_checked_beside_the_others_of_their_tag() -> None:
    sheet = read(list(TITLES), row(1, limit="-8.5"))
    [fault] = sheet.faults
    assert (fault.row, fault.column) == (2, "Limit")
    assert fault.words == "T1.level: the limit L (0.3) must be below H (-8.5)."


def test_a_rule_with_an_expression_is_checked_with_it() -> None:
    rule = AlarmRule(3, 1, AlarmKind.EXPRESSION, Priority.LOW, expression=parse_condition("tag('T1.level') > 3"))
    assert tag_faults(as_plant_tag(TAG, [rule], {1: TAG}), {"T1.level": "m"}) == []
    assert tag_faults(as_plant_tag(TAG, [rule], {1: TAG}), {"T2.level": "m"}) != []


def test_columns_are_known_and_rows_stand_once() -> None:
    assert [(one.row, one.column) for one in read(["Municipality", "Tag", "Colour", "Tag"]).faults] == [
        (1, "Colour"),
        (1, "Tag"),
        (1, "Alarm"),
    ]
    assert [one.column for one in read().faults] == list(KEYS)
    [twice] = read(list(TITLES), row(0), row(0)).faults
    assert twice.words == "The same alarm stands in row 2 already."


def test_faults_are_bounded_and_counted() -> None:
    sheet = read(list(TITLES), *([["x", "y", "z"]] * 1500))
    assert (len(sheet.faults), sheet.fault_count) == (1000, 1500)


def test_expression_group_and_disabled_stand_in_the_sheet() -> None:
    expression = parse_condition("tag('T1.level') > 3 and T1 > 1")
    rule = AlarmRule(
        3, 1, AlarmKind.EXPRESSION, Priority.LOW, expression=expression, first_out_group="Pump 1", is_disabled=True
    )
    line = Line("north", TAG, rule, Held(Record(), {}))
    written = dict(zip(TITLES, cells(line), strict=True))
    assert (written["Expression"], written["First-out group"], written["Disabled"]) == (
        expression.text,
        "Pump 1",
        "yes",
    )
    known = Known(
        {("north", "T1.level", "EXPR"): line}, {1: [rule]}, {1: TAG, 2: replace(TAG, id=2, key="T1", unit="bar")}
    )
    head = [*KEYS, "Expression", "First-out group", "Disabled"]

    def said(*values: str) -> Sheet:
        return list(read_sheet(iter([head, ["north", "T1.level", "EXPR", *values]]), known))[-1]

    assert said(expression.text, "Pump 1", "yes").differences == []
    [one] = said("T1 > 2", "", "no").differences
    assert dict(one.settings) == {
        "expression": (expression.text, "T1 > 2"),
        "first_out_group": ("Pump 1", ""),
        "is_disabled": (True, False),
    }
    for text, words in (
        ("T9 > 2", "names 'T9', which is no tag of this plant, at character 1"),
        ("T1 >", "is not understood at character 1"),
        ("", "is empty"),
        ("T1 + 1", "gives a number"),
        ("tag('T1.level') > T1", "puts bar and m together in tag('T1.level') > T1"),
    ):
        [fault] = said(text, "Pump 1", "yes").faults
        assert fault.column == "Expression"
        assert words in fault.words
    # a spreadsheet's formula is none of ours
    [formula] = said("=T1", "Pump 1", "yes").faults
    assert "is a formula" in formula.words


def test_only_a_rule_with_an_expression_may_have_one() -> None:
    *_, fault = read([*KEYS, "Expression"], ["north", "T1.level", "L", "T1 > 2"]).faults
    assert (fault.column, fault.words) == ("Expression", "T1.level: L has an expression, and such a rule has none.")


def test_the_tag_compared_with_stands_by_its_key() -> None:
    rule = AlarmRule(3, 1, AlarmKind.DEVIATION, Priority.LOW, 1.0, other_tag_id=2)
    tags = {
        1: TAG,
        2: replace(TAG, id=2, key="T2"),
        3: replace(TAG, id=3, key="T3"),
        4: replace(TAG, id=4, key="P", unit="bar"),
    }
    line = Line("north", TAG, rule, Held(Record(), {}), "T2")
    assert dict(zip(TITLES, cells(line), strict=True))["Compared with"] == "T2"
    ids = {1: {one.key: one.id for one in tags.values()}}
    known = Known({("north", "T1.level", "DEV"): line}, {1: [rule]}, tags, ids)

    def said(other: str) -> Sheet:
        rows = [[*KEYS, "Compared with"], ["north", "T1.level", "DEV", other]]
        return list(read_sheet(iter(rows), known))[-1]

    assert said("T2").differences == []
    [one] = said("T3").differences
    assert dict(one.settings) == {"other_tag_id": (2, 3)}
    for text, words in (
        ("T9", "must be the key of a tag of this municipality, is “T9”"),
        ("", "needs another tag to compare with"),
        ("T1.level", "needs another tag to compare with"),
        ("P", "compares m with bar of P"),
    ):
        [fault] = said(text).faults
        assert fault.column == "Compared with"
        assert words in fault.words
