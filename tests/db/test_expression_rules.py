"""Expression rules through the real database: imported, read by the collector and by people, named before they are saved."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from control_room.core.alarms import AlarmKind, AlarmRule, Priority
from control_room.core.errors import BadOption
from control_room.core.plant import Plant, PlantRule, as_document, from_document
from db.tag_store import import_plant, read_configuration
from tests.plants import plant

BOTH = "tag('T1.level') > 90 and tag('T2.level') < 10"


def with_expression(expression: str) -> Plant:
    whole = plant()
    rule = PlantRule(AlarmKind.EXPRESSION, Priority.LOW, expression=expression, on_delay_s=5.0)
    return replace(whole, tags=(replace(whole.tags[2], rules=(rule,)), *whole.tags[:2]))


def read(engine: Engine) -> list[AlarmRule]:
    with engine.connect() as connection:
        found = read_configuration(connection)
    keys = {tag.id: tag.key for tag in found.tags}
    rules = [rule for rule in found.rules if rule.kind is AlarmKind.EXPRESSION]
    assert [keys[tag_id] for rule in rules for tag_id in rule.inputs] == ["T1.level", "T2.level"] * len(rules)
    return rules


def test_an_expression_finds_the_tags_of_its_own_municipality(
    owner: Engine, collector: Engine, station: Engine
) -> None:
    with owner.begin() as connection:
        import_plant(connection, plant("elsewhere"))
        import_plant(connection, from_document(as_document(with_expression(BOTH))))
    [rule] = read(collector)
    assert rule.expression is not None
    assert (rule.expression.text, rule.on_delay_s) == (BOTH, 5.0)
    assert read(station) == [rule]
    with collector.connect() as connection:
        places = {tag.id: tag.municipality_id for tag in read_configuration(connection).tags}
    assert {places[tag_id] for tag_id in rule.inputs} == {places[rule.tag_id]}


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("tag('T1.level') > 90 and tag('T9.level') < 10", r"T3\.level: EXPR .* names 'T9\.level', .* at character 26"),
        ("tag('T1.level') >", "is not understood"),
        ("tag('T1.level') + 1", "an alarm needs true or false"),
    ],
)
def test_an_expression_that_cannot_be_meant_changes_nothing(owner: Engine, expression: str, words: str) -> None:
    with owner.begin() as connection:
        import_plant(connection, with_expression(BOTH))
        before = read_configuration(connection)
        with pytest.raises(BadOption, match=words):
            import_plant(connection, with_expression(expression))
        assert read_configuration(connection) == before


def test_what_a_newer_program_wrote_is_left_alone(owner: Engine) -> None:
    with owner.begin() as connection:
        import_plant(connection, with_expression(BOTH))
        connection.execute(text("UPDATE alarm_rule SET expression = 'median(a, b, c) > 1' WHERE expression <> ''"))
        [rule] = [one for one in read_configuration(connection).rules if one.kind is AlarmKind.EXPRESSION]
    assert rule.expression is not None
    assert (rule.expression.text, rule.inputs) == ("median(a, b, c) > 1", ())
    assert rule.expression.value(()) is None
