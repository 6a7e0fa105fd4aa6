"""The journal, searched by the database's function, against the same search written plainly in Python."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from db.embedded import EmbeddedServer
from db.engine import make_engine
from db.journal_search import JournalFilter, JournalRow, read_opening, search_journal
from db.tag_store import import_plant
from tests.db.people import own_database, person_engine
from tests.plants import plant

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
KINDS = ("raised", "returned", "acknowledged", "shelved", "commented", "out_of_service")
COMMENTS = ("", "", "Crew informed", "100 % sure: pump_7 is BLOCKED", "Seen, being watched", "pumpX7")
PEOPLE = ("", "", "ada", "adam", "eva")
ROWS = 900

_INSERT = text(
    "INSERT INTO alarm_journal (id, rule_id, event_id, happening, previous_state, state, trigger, source_time, commit_time,"
    " value, quality, alarm_limit, priority, message, person, comment) VALUES (:id, :rule, 1, :happening, 'NORM', 'UNACK',"
    " 'process', :time, :time, 1.5, 0, 2.5, 3, :message, :person, :comment)"
)


@dataclass(frozen=True)
class Books:
    """A database with a journal, and the same rows in memory, the newest first."""

    owner: Engine
    station: Engine
    rows: Sequence[JournalRow]


@pytest.fixture(scope="module")
def books(server: EmbeddedServer) -> Iterator[Books]:
    with own_database(server, "books") as name:
        owner = make_engine(server.url("postgres", name), "owner")
        station = make_engine(server.url("station", name), "station")
        with owner.begin() as connection:
            for key in ("north", "south"):
                import_plant(connection, plant(key, 4))
            _write(connection)
            rows = _read_all(connection)
        yield Books(owner, station, rows)
        station.dispose()
        owner.dispose()


def _write(connection: Connection) -> None:
    dice = random.Random(5)
    rules = connection.execute(text("SELECT id, message FROM alarm_rule ORDER BY municipality_id, id")).all()
    for number in range(ROWS):
        rule = dice.choice(rules)
        time = BEGIN + timedelta(seconds=90 * number)
        person = dice.choice(PEOPLE)
        asked: dict[str, Any] = {
            "id": int(time.timestamp()) * 1_000_000,
            "rule": rule.id,
            "message": rule.message,
            "happening": dice.choice(KINDS),
            "time": time,
            "person": person,
            "comment": dice.choice(COMMENTS) if person else "",
        }
        connection.execute(_INSERT, asked)


def _read_all(connection: Connection) -> list[JournalRow]:
    rows = connection.execute(
        text(
            "SELECT j.id, j.commit_time, j.source_time, j.rule_id, j.event_id, j.happening, j.previous_state, j.state, j.value,"
            " j.quality, j.alarm_limit, j.priority, j.message, j.person, j.station, j.comment, j.detail, j.municipality_id,"
            " t.id, t.key, t.name, p.name, a.name FROM alarm_journal AS j JOIN alarm_rule AS r ON r.id = j.rule_id"
            " JOIN tag AS t ON t.id = r.tag_id JOIN asset AS a ON a.id = t.asset_id JOIN asset AS p ON p.id = a.parent_id"
            " ORDER BY j.id DESC"
        )
    )
    return [JournalRow(*row) for row in rows]


def is_wanted(row: JournalRow, wanted: JournalFilter) -> bool:
    """Return whether the row is wanted, as JournalFilter says it."""
    words = wanted.text.lower().split()
    of_rule = f"{row.tag_key} {row.tag_name} {row.site} {row.asset} {row.message}".lower()
    return (
        (all(word in of_rule for word in words) or all(word in row.comment.lower() for word in words))
        and wanted.municipality_id in (None, row.municipality_id)
        and wanted.site in ("", row.site)
        and wanted.asset in ("", row.asset)
        and (not wanted.person or wanted.person.lower() in row.person)
        and (not wanted.kinds or row.happening in wanted.kinds)
        and (wanted.start is None or row.commit_time >= wanted.start)
        and (wanted.end is None or row.commit_time < wanted.end)
    )


def during(first_h: int, last_h: int, **more: Any) -> JournalFilter:
    return JournalFilter(start=BEGIN + timedelta(hours=first_h), end=BEGIN + timedelta(hours=last_h), **more)


FILTERS = (
    JournalFilter(),
    during(3, 7),
    JournalFilter(municipality_id=2),
    JournalFilter(municipality_id=77),
    JournalFilter(kinds=("shelved",)),
    during(1, 20, kinds=("raised", "commented"), municipality_id=1),
    JournalFilter(person="ADA"),
    during(2, 15, person="ev", kinds=("acknowledged",)),
    JournalFilter(person="nobody"),
    JournalFilter(text="level LOW"),
    JournalFilter(text="t3."),
    JournalFilter(text="tank 2 high", kinds=("returned",)),
    JournalFilter(text="crew"),
    JournalFilter(text="pump_7"),
    JournalFilter(text="100 %"),
    JournalFilter(text="level", person="eva", site="Hill"),
    during(0, 12, text="informed", asset="Tank 1"),
    JournalFilter(text="no such word"),
    JournalFilter(site="Hill", asset="Tank 4"),
    JournalFilter(site="Valley"),
    JournalFilter(asset="Tank 4", municipality_id=2, kinds=("out_of_service",), person="ada"),
)


@pytest.mark.parametrize("wanted", FILTERS, ids=str)
def test_what_is_found_is_what_a_plain_search_finds_page_by_page(books: Books, wanted: JournalFilter) -> None:
    expected = [row for row in books.rows if is_wanted(row, wanted)]
    found: list[JournalRow] = []
    with books.station.connect() as connection:
        while page := search_journal(connection, wanted, found[-1].id if found else None, 17):
            assert len(page) == min(17, len(expected) - len(found))
            found += page
    assert found == expected


def test_somebody_of_one_municipality_finds_nothing_of_another(books: Books, server: EmbeddedServer) -> None:
    with person_engine(server, "books", "vera", "viewer", 1) as engine, engine.connect() as connection:
        for wanted in FILTERS:
            expected = [row for row in books.rows if row.municipality_id == 1 and is_wanted(row, wanted)]
            assert search_journal(connection, wanted, limit=ROWS) == expected


@pytest.mark.parametrize("area", [JournalFilter(), JournalFilter(municipality_id=2), JournalFilter(asset="Tank 3")])
def test_the_opening_is_what_was_not_normal(books: Books, area: JournalFilter) -> None:
    """In these books every row ends in UNACK but the last of one rule."""
    at = books.rows[ROWS // 2].commit_time
    before = [row for row in books.rows if row.commit_time < at and is_wanted(row, area)]
    calm = before[0].rule_id
    by_rule: dict[int, list[JournalRow]] = {}
    for row in before:
        by_rule.setdefault(row.rule_id, []).append(row)
    expected = sorted(
        (row.id for rule_id, rows in by_rule.items() if rule_id != calm for row in rows[:20]), reverse=True
    )
    with books.owner.begin() as connection:
        connection.execute(text("ALTER TABLE alarm_journal DISABLE TRIGGER alarm_journal_append_only"))
        change = text("UPDATE alarm_journal SET state = :state WHERE id = :id")
        connection.execute(change, {"state": "NORM", "id": before[0].id})
    with books.station.connect() as connection:
        found = read_opening(connection, area, at)
    with books.owner.begin() as connection:
        connection.execute(change, {"state": "UNACK", "id": before[0].id})
        connection.execute(text("ALTER TABLE alarm_journal ENABLE TRIGGER alarm_journal_append_only"))
    assert [row.id for row in found] == expected


def test_what_somebody_does_now_is_found_by_the_present_time(books: Books) -> None:
    with books.owner.connect() as connection:
        connection.execute(
            text(
                "INSERT INTO alarm_journal (rule_id, event_id, happening, previous_state, state, trigger, source_time, quality,"
                " alarm_limit, priority, message) SELECT rule_id, 9, 'raised', 'NORM', 'UNACK', 'process', source_time, 0, 0, 1,"
                " 'x' FROM alarm_journal LIMIT 1"
            )
        )
        now = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        found = "SELECT id, commit_time FROM alarm_journal WHERE event_id = 9"
        row = connection.execute(text(found)).one()
        connection.rollback()
    written = datetime.fromtimestamp(row.id / 1e6, UTC)
    assert abs(row.commit_time - written) < timedelta(seconds=1)
    assert written <= now


def test_a_message_of_before_is_found_too(books: Books) -> None:
    with books.owner.begin() as connection:
        rule_id = books.rows[0].rule_id
        for number in range(25):
            asked = {"rule": rule_id, "message": f"Overflow near, weir-{number}."}
            connection.execute(text("UPDATE alarm_rule SET message = :message WHERE id = :rule"), asked)
        kept = "SELECT former_messages FROM alarm_rule WHERE id = :rule"
        former = connection.execute(text(kept), {"rule": rule_id}).scalar_one()
    assert former == [f"Overflow near, weir-{number}." for number in range(4, 24)]
    with books.station.connect() as connection:
        for words in ("weir-24.", "weir-23."):
            found = search_journal(connection, JournalFilter(words), limit=ROWS)
            assert {row.rule_id for row in found} == {rule_id}
        assert search_journal(connection, JournalFilter("weir-3.")) == []


def test_rows_of_an_older_database_are_numbered_by_their_time(owner: Engine) -> None:
    from importlib import import_module

    migration = import_module("db.migrations.versions.0009_journal_search")
    with owner.connect() as connection:
        import_plant(connection, plant())
        _write(connection)
        connection.execute(text("ALTER TABLE alarm_journal DISABLE TRIGGER alarm_journal_append_only"))
        connection.execute(text("UPDATE alarm_journal SET id = id / 1000000 - 1772323000"))
        before = [replace(row, id=0) for row in _read_all(connection)]
        connection.execute(text(migration._TABLES[: migration._TABLES.index("CREATE INDEX")].replace(":", "\\:")))
        after = _read_all(connection)
        connection.rollback()
    assert [replace(row, id=0) for row in after] == before
    assert all(0 <= row.id / 1e6 - row.commit_time.timestamp() < 0.01 for row in after)
