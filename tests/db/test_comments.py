"""Comments that are demanded, as the database keeps and judges them."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from control_room.core.alarms import Priority
from control_room.core.comments import EVERYWHERE, CommentSetting, demand_words
from control_room.core.errors import Refused
from db.alarm_journal import AlarmAnswer, acknowledge, reset
from db.comments import read_comments, set_comments
from db.embedded import EmbeddedServer
from db.schema import upgrade
from db.tag_store import import_plant
from tests.db.people import count_ids, person_engine
from tests.plants import plant

LOW_OF_TANK = 2
MORE = CommentSetting(frozenset({Priority.HIGHEST, Priority.MEDIUM}), ("Pump tried", "Ärger im Schacht"))


@pytest.fixture
def emil(owner: Engine, server: EmbeddedServer, database: str) -> Iterator[Engine]:
    """Return an engineer of the first of two municipalities; every alarm stands there unacknowledged."""
    with owner.begin() as connection:
        count_ids(connection)
        for key in ("here", "elsewhere"):
            import_plant(connection, plant(key))
        connection.execute(
            text(
                "INSERT INTO alarm (rule_id, is_active, is_acknowledged, event_id, quality, seq)"
                " SELECT id, true, false, 1, 0, id FROM alarm_rule"
            )
        )
    with person_engine(server, database, "emil", "engineer", 1) as engine:
        yield engine


def demand(engine: Engine, place: int, setting: CommentSetting = MORE) -> str:
    with engine.connect() as connection, connection.begin():
        return set_comments(connection, place, setting, "agreed")


def rules_of(owner: Engine, priority: int) -> dict[int, int]:
    """Return the first rule of a priority in each municipality."""
    query = text("SELECT municipality_id, min(id) FROM alarm_rule WHERE priority = :one GROUP BY 1")
    with owner.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(query, {"one": priority})}


def answers(engine: Engine, rules: list[int], comment: str) -> list[AlarmAnswer]:
    with engine.begin() as connection:
        return acknowledge(connection, [(rule, 1) for rule in rules], comment)


def test_a_new_database_demands_nothing_and_offers_comments(emil: Engine, operator: Engine) -> None:
    with operator.connect() as connection:
        book = read_comments(connection)
    assert not book.is_demanded(1, Priority.HIGHEST)
    assert "Crew informed" in book.comments([1])


def test_where_a_comment_is_demanded_none_is_refused(emil: Engine, operator: Engine, owner: Engine) -> None:
    assert demand(emil, 1) == "Saved."
    high, medium = rules_of(owner, 2), rules_of(owner, 3)
    # only here, and only of these priorities
    [refused, *done] = answers(operator, [medium[1], high[1], medium[2]], " \t\u00a0")
    assert (refused.is_done, refused.words) == (False, demand_words(Priority.MEDIUM))
    assert all(one.is_done for one in done)
    with owner.connect() as connection:
        row = connection.execute(
            text("SELECT * FROM audit WHERE action = 'acknowledge' AND NOT is_done ORDER BY id DESC LIMIT 1")
        ).one()
    assert (row.person, row.municipality_id, row.reason.strip()) == ("ada", 1, demand_words(Priority.MEDIUM))
    assert answers(operator, [medium[1]], "seen")[0].is_done
    # what is acknowledged already is told before a comment is asked for
    assert answers(operator, [medium[1]], "")[0].words == "ada acknowledged it already."
    with operator.begin() as connection:
        assert "comment" not in reset(connection, [(medium[2], 1)], "")[0].words


def test_what_holds_everywhere_and_here_add_up(
    emil: Engine, operator: Engine, owner: Engine, server: EmbeddedServer, database: str
) -> None:
    with pytest.raises(Refused, match="You may not set which comments are demanded here"):
        demand(emil, EVERYWHERE)
    with pytest.raises(Refused, match="There is no such municipality"):
        demand(emil, 2)
    demand(emil, 1, CommentSetting(frozenset({Priority.MEDIUM}), ("Only here",)))
    with person_engine(server, database, "anna", "administrator") as anna:
        demand(anna, EVERYWHERE, CommentSetting(frozenset({Priority.HIGH}), ("Anywhere", "Only here")))
    with operator.connect() as connection:
        book = read_comments(connection)
    assert book.comments([1]) == ["Only here", "Anywhere"]
    high, medium = rules_of(owner, 2), rules_of(owner, 3)
    told = answers(operator, [high[1], high[2], medium[1], medium[2]], "")
    assert [one.is_done for one in told] == [False, False, False, True]
    with owner.connect() as connection:
        rows = connection.execute(text("SELECT * FROM audit WHERE action = 'set_comments' ORDER BY id")).all()
    assert [(row.person, row.is_done, row.municipality_id) for row in rows] == [
        ("emil", False, None),
        ("emil", False, None),
        ("emil", True, 1),
        ("anna", True, None),
    ]
    assert (rows[2].new["priorities"], rows[2].reason) == ([3], "agreed")
    assert (rows[3].old["priorities"], rows[3].new["comments"]) == ([], ["Anywhere", "Only here"])


@pytest.mark.parametrize(
    "setting",
    [
        CommentSetting(comments=tuple(f"comment {number}" for number in range(51))),
        CommentSetting(comments=("x" * 201,)),
        CommentSetting(comments=("Twice", "twice")),
    ],
)
def test_what_cannot_be_meant_is_refused(emil: Engine, setting: CommentSetting) -> None:
    with pytest.raises(Refused, match="at most 50 standard comments"):
        demand(emil, 1, setting)
    with emil.connect() as connection:
        assert connection.execute(text("SELECT is_done FROM set_comments(1, '{0}', '{}', '')")).scalar() is False


def test_a_station_and_another_town_see_only_their_own(emil: Engine, server: EmbeddedServer, database: str) -> None:
    demand(emil, 1)
    with person_engine(server, database, "vera", "viewer", 2) as vera, vera.connect() as connection:
        assert set(read_comments(connection).settings) == {EVERYWHERE}


def test_a_database_in_use_is_upgraded(
    owner: Engine, emil: Engine, operator: Engine, server: EmbeddedServer, database: str
) -> None:
    from alembic import command

    from db.schema import _config

    with owner.begin() as connection:
        command.downgrade(_config(connection), "0011")
    upgrade(server.url("postgres", database), {})
    medium = rules_of(owner, 3)
    assert answers(operator, [medium[1]], "")[0].is_done
