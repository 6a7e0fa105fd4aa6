"""Reading the audit as real people: filter, pages, tenants, the chain."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, text

from control_room.core.errors import Refused, SessionEnded
from db.audit import AuditFilter, note_export, read_audit, verify_audit
from db.embedded import EmbeddedServer
from db.engine import translated
from db.municipalities import list_municipalities
from tests.db.people import person_engine

_ROWS = text("""
    SELECT write_audit('configure', 'tag ' || number, CASE number % 3 WHEN 0 THEN NULL ELSE number % 3 END,
        '{"high": 1}', jsonb_build_object('high', number), CASE WHEN number % 4 = 0 THEN 'Refused.' END, 'as agreed',
        CASE number % 2 WHEN 0 THEN 'Omar' ELSE '100%_sure' END)
    FROM generate_series(1, :count) AS number""")
Reader = Callable[..., Connection]


@pytest.fixture
def filled(owner: Engine) -> None:
    """Fill the audit with 60 entries of two people in two municipalities and the whole installation."""
    with owner.begin() as connection:
        connection.execute(text("INSERT INTO municipality (id, key, name) VALUES (1, 'a', 'Ash'), (2, 'b', 'Birch')"))
        connection.execute(_ROWS, {"count": 60})


@pytest.fixture
def reader(server: EmbeddedServer, database: str, filled: None) -> Iterator[Reader]:
    """Return a function that gives a person's connection."""
    with ExitStack() as stack:

        @contextmanager
        def opened(role: str, place: int | None) -> Iterator[Connection]:
            with person_engine(server, database, "reader", role, place) as engine, engine.connect() as connection:
                yield connection

        yield lambda role="auditor", place=None: stack.enter_context(opened(role, place))


def test_pages_follow_each_other_without_gaps(reader: Reader) -> None:
    connection = reader()
    everything = read_audit(connection, AuditFilter())
    assert [one.id for one in everything] == list(range(len(everything), 0, -1))
    pages, before = [], None
    while page := read_audit(connection, AuditFilter(), before, 7):
        assert len(page) <= 7
        pages += page
        before = page[-1].time
    assert pages == everything


def test_an_entry_tells_everything(reader: Reader) -> None:
    [one] = read_audit(reader(), AuditFilter(object="tag 8"))
    assert (one.action, one.person, one.municipality_id, one.is_done) == ("configure", "Omar", 2, False)
    assert (one.old, one.new, one.reason) == ({"high": 1}, {"high": 8}, "Refused. as agreed")
    assert (one.time.tzinfo is not None, len(one.hash)) == (True, 64)


def test_every_filter_is_the_databases(reader: Reader) -> None:
    connection = reader()

    def count(**wanted: object) -> int:
        return len(read_audit(connection, AuditFilter(action="configure", **wanted)))  # type: ignore[arg-type]

    assert count() == 60
    # in any case; and signs mean themselves
    assert (count(person="OMAR"), count(person="%_S"), count(person="mar%"), count(person="'; --")) == (30, 30, 0, 0)
    assert (count(object="Tag 6"), count(is_done=False), count(is_done=True)) == (2, 15, 45)
    now = datetime.now(UTC)
    assert count(start=now - timedelta(minutes=5), end=now + timedelta(minutes=5)) == 60
    assert (count(start=now + timedelta(minutes=5)), count(end=now - timedelta(minutes=5))) == (0, 0)
    assert read_audit(connection, AuditFilter(action="config")) == []


def test_an_export_is_noted_with_its_filter(reader: Reader) -> None:
    connection = reader()
    start = datetime(2026, 3, 1, tzinfo=UTC)
    note_export(connection, "audit", {"person": "omar", "start": start, "is_done": False}, 7)
    newest = read_audit(connection, AuditFilter())[0]
    assert (newest.action, newest.person, newest.object, newest.is_done) == ("export_audit", "reader", "audit", True)
    assert newest.new == {"person": "omar", "start": str(start), "is_done": False, "rows": 7}


def test_who_may_not_read_the_audit_notes_no_export_and_is_recorded(reader: Reader, owner: Engine) -> None:
    with pytest.raises(Refused, match="You may not read the audit"):
        note_export(reader("operator"), "audit", {}, None)
    with owner.begin() as hands:
        assert hands.execute(text("SELECT is_done FROM audit WHERE action = 'export_audit'")).scalars().all() == [False]


def test_an_ended_session_is_said_and_not_shown_as_an_empty_audit(reader: Reader, owner: Engine) -> None:
    connection = reader()
    with owner.begin() as hands:
        hands.execute(text("UPDATE session SET expires_time = now()"))
    with pytest.raises(SessionEnded):
        read_audit(connection, AuditFilter())


@pytest.mark.parametrize("role", ["auditor", "administrator"])
def test_who_reads_for_one_municipality_reads_nothing_else(reader: Reader, role: str) -> None:
    connection = reader(role, 1)
    assert {one.municipality_id for one in read_audit(connection, AuditFilter())} == {1}
    assert [one.name for one in list_municipalities(connection)] == ["Ash"]


@pytest.mark.parametrize("role", ["viewer", "operator", "supervisor", "engineer"])
def test_who_may_not_read_is_refused(reader: Reader, role: str) -> None:
    connection = reader(role)
    for job in (lambda: read_audit(connection, AuditFilter()), lambda: verify_audit(connection)):
        with pytest.raises(Refused), translated(), connection.begin():
            job()


def test_the_chain_is_whole_until_somebody_changes_a_row(reader: Reader, owner: Engine) -> None:
    connection = reader()
    newest = read_audit(connection, AuditFilter(), limit=1)[0]
    found = verify_audit(connection)
    connection.rollback()
    assert (found.entries, found.first_broken, found.newest_hash) == (newest.id, None, newest.hash)
    with owner.begin() as breaking:
        breaking.execute(text("ALTER TABLE audit DISABLE TRIGGER USER"))
        breaking.execute(text("UPDATE audit SET reason = 'nothing' WHERE id = 17"))
    assert verify_audit(connection).first_broken == 17


@pytest.mark.parametrize("what", ["journal", "alarm report", "alarm rules"])
def test_whoever_is_signed_in_exports_and_is_noted(reader: Reader, owner: Engine, what: str) -> None:
    connection = reader("viewer", 1)
    note_export(connection, what, {"text": "pump", "municipality_id": 1, "kinds": ()}, None)
    note_export(connection, what, {"municipality_id": 2}, 12)
    connection.commit()
    with owner.begin() as hands:
        rows = hands.execute(
            text(
                "SELECT action, person, object, municipality_id, new FROM audit WHERE action LIKE 'export%' ORDER BY id"
            )
        ).all()
    noted = (f"export_{what.replace(' ', '_')}", "reader", what)
    assert rows == [
        (*noted, 1, {"text": "pump", "municipality_id": 1}),
        # a municipality that the person has no part in does not learn of it
        (*noted, None, {"municipality_id": 2, "rows": 12}),
    ]


@pytest.mark.parametrize(
    ("what", "wanted", "rows", "words"),
    [
        ("passwords", {}, 1, "There is no such export"),
        ("journal", {"text": "".join(chr(200 + n % 2000) for n in range(4000))}, 1, "too long"),
        ("journal", {}, -1, "no less than 0"),
    ],
)
def test_what_is_no_export_is_refused_and_noted(
    reader: Reader, owner: Engine, what: str, wanted: dict[str, str], rows: int, words: str
) -> None:
    with pytest.raises(Refused, match=words):
        note_export(reader("operator"), what, wanted, rows)
    with owner.begin() as hands:
        found = hands.execute(text("SELECT is_done, new FROM audit WHERE action LIKE 'export%'")).all()
    assert found == [(False, None)]
