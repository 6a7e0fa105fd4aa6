"""Expressions, first-out groups and disabled rules through the real database's functions: what is malformed is refused."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from alembic import command
from sqlalchemy import Engine, text

from control_room.core.alarms import AlarmKind, AlarmRule, Priority
from control_room.core.plant import Plant, PlantRule
from control_room.core.rationalisation import Level
from db.embedded import EmbeddedServer
from db.rationalisation import Change, ChangeRefused, change_rules, read_rule_changes, undoing
from db.schema import _config
from db.tag_store import import_plant, read_configuration
from tests.db.people import count_ids, person_engine
from tests.plants import plant

BOTH = "tag('T1.level') > 90 and tag('T2.level') < 10"


def with_expression(key: str) -> Plant:
    whole = plant(key)
    rule = PlantRule(AlarmKind.EXPRESSION, Priority.LOW, expression=BOTH)
    own = tuple(
        replace(one, key="T5.level") if key == "elsewhere" and one.key == "T2.level" else one for one in whole.tags
    )
    return (
        replace(whole, tags=(*own[:2], replace(own[2], rules=(rule,)))) if key == "here" else replace(whole, tags=own)
    )


@pytest.fixture
def emil(owner: Engine, server: EmbeddedServer, database: str) -> Iterator[Engine]:
    """Return an engineer of the municipality here, whose third tag has an expression."""
    with owner.begin() as connection:
        count_ids(connection)
        for key in ("here", "elsewhere"):
            import_plant(connection, with_expression(key))
    with person_engine(server, database, "emil", "engineer", 1) as engine:
        yield engine


def joint(engine: Engine) -> AlarmRule:
    with engine.connect() as connection:
        rules = read_configuration(connection).rules
    return next(one for one in rules if one.kind is AlarmKind.EXPRESSION)


def change(engine: Engine, rule_id: int, **pairs: tuple[object, object]) -> str:
    with engine.connect() as connection, connection.begin():
        return change_rules(connection, [Change(Level.RULE, rule_id, pairs, {})], "agreed")


def test_an_expression_and_a_group_are_changed_noted_and_taken_back(emil: Engine, collector: Engine) -> None:
    rule = joint(emil)
    change(emil, rule.id, expression=(BOTH, "max(tag('T1.level'), 2) > 1e2"), first_out_group=("", "Hill"))
    now = joint(collector)
    assert now.expression is not None
    assert (now.expression.text, now.first_out_group, len(now.inputs)) == ("max(tag('T1.level'), 2) > 1e2", "Hill", 1)
    with emil.connect() as connection:
        [noted] = read_rule_changes(connection, rule_id=rule.id, count=9)
    assert noted.old == {"expression": BOTH, "first_out_group": ""}
    with emil.connect() as connection, connection.begin():
        change_rules(connection, [undoing(noted)], "back")
    again = joint(collector).expression
    assert again is not None
    assert again.text == BOTH


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("tag('T9.level') > 1", "names 'T9.level', which is no tag of this municipality"),
        # of the other municipality
        ("tag('T5.level') > 1", "names 'T5.level', which is no tag of this municipality"),
        ('tag("T5.level") > 1', "names 'T5.level'"),
        ("inflow > 1", "names 'inflow'"),
        ("__import__('os').system('x')", "is not understood"),
        ("tag('T1.level'", "is not understood"),
        ("tag('T1.level') > '1'", "is not understood"),
        ("lambda: tag('T1.level')", "names 'lambda:'"),
        (r"tag('T1\x2elevel') > 1", "is not understood"),
        ("1 > 2", "names no tag"),
        ("", "needs an expression"),
        ("tag('T1.level') > " + "1" * 1000, "is not understood"),
    ],
)
def test_what_is_malformed_is_refused(emil: Engine, expression: str, words: str) -> None:
    rule = joint(emil)
    with pytest.raises(ChangeRefused, match=words):
        change(emil, rule.id, expression=(BOTH, expression))
    assert joint(emil) == rule
    call = text(
        "SELECT is_done, words FROM configure_rule(:id, jsonb_build_object('expression', CAST(:it AS text)), 'x')"
    )
    with emil.connect() as connection:
        answer = connection.execute(call, {"id": rule.id, "it": expression}).one()
    assert (answer.is_done, words.split(", ", maxsplit=1)[0] in answer.words) == (False, True)


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ({"first_out_group": ("", "x" * 101)}, "at most 100 letters"),
        ({"first_out_group": ("", None)}, "Priorities are"),
        ({"expression": ("", "tag('T1.level') > 1")}, "has no expression"),
        ({"is_disabled": (False, "perhaps")}, "wrong form"),
    ],
)
def test_other_rules_are_checked_as_well(emil: Engine, pairs: dict[str, tuple[object, object]], words: str) -> None:
    with pytest.raises(ChangeRefused, match=words):
        change(emil, 1, **pairs)


def test_a_rule_is_disabled_with_its_alarm_and_enabled(emil: Engine, collector: Engine, owner: Engine) -> None:
    with collector.begin() as connection:
        raise_first = "SELECT record_process('{1}', '{1}', '{raised}', ARRAY[now()], '{95}', '{0}')"
        connection.exec_driver_sql(raise_first)
    change(emil, 1, is_disabled=(False, True), priority=(3, 2))
    with owner.connect() as connection:
        alarm = connection.execute(text("SELECT is_active, is_acknowledged FROM alarm WHERE rule_id = 1")).one()
        last = connection.execute(text("SELECT * FROM alarm_journal ORDER BY id DESC LIMIT 1")).one()
    assert tuple(alarm) == (False, True)
    assert (last.happening, last.person, last.comment, last.trigger) == ("disabled", "emil", "agreed", "config")
    with pytest.raises(ChangeRefused, match="meanwhile: is_disabled is true now"):
        change(emil, 1, is_disabled=(False, True))
    change(emil, 1, is_disabled=(True, False))
    with owner.connect() as connection:
        happened = connection.execute(text("SELECT happening FROM alarm_journal ORDER BY id")).scalars().all()
    assert happened == ["raised", "disabled", "enabled"]


def test_who_may_not_configure_keeps_nobody_waiting(
    owner: Engine, emil: Engine, server: EmbeddedServer, database: str
) -> None:
    with owner.connect() as busy, busy.begin():
        busy.execute(text("SELECT take_turn(7202)"))
        with (
            person_engine(server, database, "omar", "operator", 1) as omar,
            pytest.raises(ChangeRefused, match="You may not configure"),
        ):
            change(omar, 1, is_disabled=(False, True))


def test_rows_that_somebody_has_are_not_waited_for(owner: Engine, emil: Engine) -> None:
    with owner.connect() as busy, busy.begin():
        busy.execute(text("UPDATE alarm_rule SET deadband = 1 WHERE id = 1"))
        with pytest.raises(ChangeRefused, match="is being changed"):
            change(emil, 1, is_disabled=(False, True))


def test_down_and_up_with_alarms_and_rules(emil: Engine, owner: Engine) -> None:
    rule = joint(emil)
    with owner.begin() as connection:
        connection.execute(
            text("UPDATE alarm_rule SET expression = E' \n' || expression WHERE id = :id"), {"id": rule.id}
        )
        connection.exec_driver_sql(
            "SELECT record_process('{1,1}', '{1,3}', '{raised,corrected}', ARRAY[now(), now() - interval '1 h'],"
            " '{95,96}', '{0,0}')"
        )
        command.downgrade(_config(connection), "0011")
        command.upgrade(_config(connection), "head")
    assert joint(emil) == rule
    with owner.connect() as connection:
        happened = connection.execute(text("SELECT happening FROM alarm_journal ORDER BY id")).scalars().all()
        assert happened == ["raised", "corrected"]
        assert (
            connection.execute(text("SELECT expression FROM alarm_rule WHERE id = :id"), {"id": rule.id}).scalar()
            == BOTH
        )
    change(emil, rule.id, expression=(BOTH, "tag('T1.level') > 1"))


def compared(engine: Engine) -> AlarmRule:
    with engine.connect() as connection:
        rules = read_configuration(connection).rules
    return next(one for one in rules if one.kind is AlarmKind.DEVIATION)


@pytest.fixture
def pair(owner: Engine, emil: Engine) -> AlarmRule:
    """Return the rule of the first tag that compares it with the second."""
    whole = with_expression("here")
    rule = PlantRule(AlarmKind.DEVIATION, Priority.LOW, 2.0, other="T2.level")
    first = replace(whole.tags[0], rules=(*whole.tags[0].rules, rule))
    with owner.begin() as connection:
        import_plant(connection, replace(whole, tags=(first, *whole.tags[1:])))
    return compared(emil)


def tag_id(engine: Engine, place: int, key: str) -> int:
    with engine.connect() as connection:
        asked = text("SELECT id FROM tag WHERE municipality_id = :place AND key = :key")
        return int(connection.execute(asked, {"place": place, "key": key}).scalar_one())


def test_the_tag_compared_with_is_changed_noted_and_taken_back(
    emil: Engine, pair: AlarmRule, owner: Engine, collector: Engine
) -> None:
    third = tag_id(owner, 1, "T3.level")
    change(emil, pair.id, other_tag_id=(pair.other_tag_id, third))
    assert compared(collector).other_tag_id == third
    with emil.connect() as connection:
        noted = read_rule_changes(connection, rule_id=pair.id, count=9)[0]
    assert (noted.old, noted.new) == ({"other_tag_id": pair.other_tag_id}, {"other_tag_id": third})
    with pytest.raises(ChangeRefused, match="meanwhile: other_tag_id is"):
        change(emil, pair.id, other_tag_id=(pair.other_tag_id, third))
    with emil.connect() as connection, connection.begin():
        change_rules(connection, [undoing(noted)], "back")
    assert compared(collector) == pair


def test_what_cannot_be_compared_is_refused(emil: Engine, pair: AlarmRule, owner: Engine) -> None:
    refused: list[tuple[object, str]] = [
        (tag_id(owner, 2, "T5.level"), "no tag of this municipality"),
        (999_999, "no tag of this municipality"),
        (pair.tag_id, "needs another tag"),
        (None, "needs another tag"),
        ("T3.level", "wrong form"),
    ]
    call = text("SELECT is_done, words FROM configure_rule(:id, CAST(:changes AS jsonb), 'x')")
    for other, words in refused:
        with pytest.raises(ChangeRefused, match=words):
            change(emil, pair.id, other_tag_id=(pair.other_tag_id, other))
        with emil.connect() as connection:
            asked = {"id": pair.id, "changes": json.dumps({"other_tag_id": other})}
            answer = connection.execute(call, asked).one()
        assert (answer.is_done, words in answer.words) == (False, True)
    with pytest.raises(ChangeRefused, match="compares with nothing"):
        change(emil, joint(emil).id, other_tag_id=(None, pair.other_tag_id))
    assert compared(emil) == pair
