"""Notes that stay on alarms: written, kept by the journal, removed, and not overwritten unseen."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from control_room.core.alarms import Happening, ProcessChange, Raised, StickyNote
from control_room.core.errors import Refused
from db.alarm_journal import acknowledge
from db.comments import set_note
from db.embedded import EmbeddedServer
from db.journal_search import JournalFilter, search_journal
from db.stores import PostgresAlarmStore, as_alarm
from db.tag_store import import_plant
from db.worker import DatabaseThread
from tests.db.people import count_ids, person_engine
from tests.db.test_planned_work import raise_alarm
from tests.fakes import START
from tests.plants import plant

WORDS = "Valve sticks, call the fitter before a reset"
FAR = 11


@pytest.fixture
def ada(owner: Engine, server: EmbeddedServer, database: str) -> Iterator[Engine]:
    """Return an operator of the first of two municipalities; rules from FAR on are of the other."""
    with owner.begin() as connection:
        count_ids(connection)
        for key in ("here", "elsewhere"):
            import_plant(connection, plant(key))
    with person_engine(server, database, "ada", "operator", 1) as engine:
        yield engine


def leave(engine: Engine, rule: int, words: str, expected: str = "") -> str:
    with engine.connect() as connection, connection.begin():
        return set_note(connection, rule, expected, words)


def note(engine: Engine, rule: int = 1) -> StickyNote | None:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM read_alarms(0) WHERE rule_id = :rule"), {"rule": rule}).all()
    return as_alarm(rows[0]).note if rows else None


def test_a_note_stays_whatever_becomes_of_the_alarm(ada: Engine, collector: Engine, station: Engine) -> None:
    raise_alarm(collector, 1, 1)
    with station.connect() as connection:
        before = connection.execute(text("SELECT newest_alarm_seq()")).scalar_one()
    assert leave(ada, 1, f"  {WORDS} ") == "Done."
    with station.connect() as connection:
        # every seat hears of it as of an alarm that changed
        assert [row.rule_id for row in connection.execute(text(f"SELECT * FROM read_alarms({before})"))] == [1]
    with ada.begin() as connection:
        acknowledge(connection, [(1, 1)], "seen")
    raise_alarm(collector, 1, 2, "returned")
    raise_alarm(collector, 1, 3)
    found = note(station)
    assert found is not None
    assert (found.words, found.person) == (WORDS, "ada")
    assert leave(ada, 1, "", WORDS) == "Done."
    assert note(station) is None
    with station.connect() as connection:
        rows = search_journal(connection, JournalFilter(text="sticks fitter"))
        kinds = search_journal(connection, JournalFilter(kinds=(Happening.NOTE_REMOVED,)))
    assert [(row.happening, row.event_id, row.comment) for row in rows] == [
        ("note_removed", 2, WORDS),
        ("noted", 1, WORDS),
    ]
    assert [row.person for row in kinds] == ["ada"]


def test_nobodys_words_are_overwritten_unseen(ada: Engine, owner: Engine) -> None:
    leave(ada, 1, WORDS)
    with pytest.raises(Refused, match=r"Somebody else changed the note meanwhile\. It says: Valve sticks"):
        leave(ada, 1, "pump is loud")
    leave(ada, 1, "", WORDS)
    with pytest.raises(Refused, match="Somebody else removed the note"):
        leave(ada, 1, "", WORDS)
    with pytest.raises(Refused, match="A note needs words"):
        leave(ada, 1, "  ")
    with owner.connect() as connection:
        rows = connection.execute(text("SELECT * FROM audit WHERE person = 'ada' AND action LIKE '%note' ORDER BY id"))
        told = [(row.action, row.object, row.municipality_id, row.is_done) for row in rows]
    assert told == [
        ("write_note", "alarm 1", 1, True),
        ("write_note", "alarm 1", 1, False),
        ("remove_note", "alarm 1", 1, True),
        ("remove_note", "alarm 1", 1, False),
        ("remove_note", "alarm 1", 1, False),
    ]


def test_who_may_not_is_refused(ada: Engine, server: EmbeddedServer, database: str, station: Engine) -> None:
    with pytest.raises(Refused, match="There is no such alarm"):
        leave(ada, FAR, WORDS)
    with (
        person_engine(server, database, "vera", "viewer") as vera,
        pytest.raises(Refused, match="You may not comment on alarms here"),
    ):
        leave(vera, 1, WORDS)
    assert note(station) is None
    with ada.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM alarm")).scalar() == 0


async def test_a_note_on_what_never_came_waits_for_it(ada: Engine, collector: Engine, station: Engine) -> None:
    leave(ada, 2, WORDS)
    thread = DatabaseThread(collector, "test")

    await PostgresAlarmStore(thread).record([ProcessChange(2, 1, Raised(START, 1.0, 0))])
    thread.close()
    assert (found := note(station, 2)) is not None
    assert found.words == WORDS


def test_long_words_are_cut(ada: Engine, station: Engine) -> None:
    leave(ada, 1, "é" * 900)
    assert (found := note(station)) is not None
    assert len(found.words) == 500
