"""An office for tests: people, stations, sessions and an audit in memory, answering as the database's functions do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from control_room.core.access import Membership, Person, Role
from control_room.core.errors import ControlRoomError, Refused
from control_room.core.tags import Municipality
from db.audit import AuditEntry, AuditFilter, Chain, note_export, read_audit, verify_audit
from db.municipalities import list_municipalities
from db.people import (
    Account,
    Session,
    Station,
    create_person,
    create_station,
    end_session,
    list_people,
    list_sessions,
    list_stations,
    reset_password,
    save_municipality,
    set_enabled,
    set_membership,
)
from tests.fakes import START
from tests.ui.rooms import NAMES, FakeThread, Stage

ANNA = Person("anna", "Anna Weiss", frozenset({Membership(None, Role.ADMINISTRATOR)}))
OMAR = Person("omar", "Omar Haddad", frozenset({Membership(None, Role.OPERATOR)}))
SOFIA = Person("sofia", "Sofia Lind", frozenset({Membership(2, Role.SUPERVISOR)}))
ADAM = Person("adam", "Adam Okoro", frozenset({Membership(None, Role.AUDITOR)}))
LONG = " of the joint municipal waterworks association of the northern and the eastern district, stage two"


def held(*roles: tuple[int | None, Role]) -> frozenset[Membership]:
    return frozenset(Membership(place, role) for place, role in roles)


def accounts() -> list[Account]:
    """Return people in every state."""
    made, seen = START - timedelta(days=400), START - timedelta(hours=2)
    return [
        Account("adam", "Adam Okoro", True, False, seen, made, 0, None, held((None, Role.AUDITOR))),
        Account("anna", "Anna Weiss", True, False, seen, made, 0, None, held((None, Role.ADMINISTRATOR))),
        Account("emil", "Emil Novak", True, True, None, made, 2, None, held((1, Role.ENGINEER), (2, Role.VIEWER))),
        Account(
            "kay", "Kay Duran", True, False, seen, made, 5, START + timedelta(minutes=14), held((2, Role.OPERATOR))
        ),
        Account("lena", "Lena Fox", False, False, made, made, 0, None, held((1, Role.OPERATOR), (3, Role.OPERATOR))),
        Account("omar", "Omar Haddad", True, False, seen, made, 0, None, held((None, Role.OPERATOR))),
        Account("zoe", "Zoe Marsh", True, False, None, made, 0, None, held()),
    ]


def entry(number: int, **more: Any) -> AuditEntry:
    """Return an entry that is one of a mixed lot."""
    person = ("omar", "sofia", "anna", "nobody.known")[number % 4]
    action = ("acknowledge", "configure", "set_membership", "sign_in")[number % 4]
    made = AuditEntry(
        id=number,
        time=START + timedelta(seconds=37 * number),
        person=person,
        station="desk-1",
        address="10.3.0.17",
        action=action,
        object=("alarms", f"alarm rule {number}", "kay", person)[number % 4],
        municipality_id=(1, 2, 3, None)[number % 4],
        old={"alarm_limit": 0.6, "priority": 3, "message": "Tank 1 low"} if action == "configure" else None,
        new={"alarm_limit": 0.8, "priority": 3, "message": "Tank 1 low"} if action == "configure" else {"failed": 2},
        is_done=number % 4 != 3,
        reason="The user name or password was wrong." if number % 4 == 3 else "as agreed with the shift",
        hash=f"{number:064x}",
    )
    return replace(made, **more)


class OfficeThread(FakeThread):
    """A fake thread whose answers may refuse."""

    def release(self) -> None:
        work, future = self.held.pop(0)
        try:
            if self.fault is not None:
                raise self.fault
            future.set_result(self.answers[work.func](**work.keywords))
        except ControlRoomError as fault:
            future.set_exception(fault)


@dataclass
class Office:
    """The database's functions about people; every change is noted in `done`."""

    people: list[Account] = field(default_factory=accounts)
    stations: list[Station] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    places: list[Municipality] = field(default_factory=list)
    entries: list[AuditEntry] = field(default_factory=list)
    chain: Chain = field(default_factory=lambda: Chain(0, None, ""))
    done: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)

    def answers(self) -> dict[Any, Callable[..., Any]]:
        """Return what a FakeThread answers."""
        reads: dict[Any, Callable[..., Any]] = {
            list_people: lambda: list(self.people),
            list_stations: lambda: list(self.stations),
            note_export: lambda what, wanted, rows: self.done.append((f"export {what}", {**wanted, "rows": rows})),
            list_sessions: lambda: list(self.sessions),
            list_municipalities: lambda: list(self.places),
            read_audit: self.read,
            verify_audit: lambda: self.chain,
        }
        changes = (
            create_person,
            create_station,
            end_session,
            reset_password,
            save_municipality,
            set_enabled,
            set_membership,
        )
        return reads | {one: self._noting(one.__name__) for one in changes}

    def _noting(self, name: str) -> Callable[..., str]:
        def change(**asked: Any) -> str:
            if refusal := self.refusals.get(name):
                raise Refused(refusal)
            self.done.append((name, asked))
            return "Changed."

        return change

    def read(self, wanted: AuditFilter, before: datetime | None, limit: int) -> Sequence[AuditEntry]:
        found = [one for one in self.entries if _is_wanted(one, wanted) and (before is None or one.time < before)]
        return sorted(found, key=lambda one: one.time, reverse=True)[:limit]


def _is_wanted(one: AuditEntry, wanted: AuditFilter) -> bool:
    return (
        wanted.person.lower() in one.person.lower()
        and wanted.object.lower() in one.object.lower()
        and wanted.action in ("", one.action)
        and wanted.is_done in (None, one.is_done)
        and (wanted.start is None or one.time >= wanted.start)
        and (wanted.end is None or one.time < wanted.end)
    )


def make_office(stage: Stage, person: Person | None = ANNA) -> Office:
    """Return a filled office that answers the stage's acting thread, with this person signed in."""
    now = stage.clock.now
    office = Office(
        stations=[
            Station("desk-1", "Control room, desk 1", True, frozenset({None})),
            Station("north", "Northfield, pump hall", True, frozenset({1, 3})),
            Station("old", "Old desk", False, frozenset({2})),
        ],
        sessions=[
            Session(7, "omar", "Omar Haddad", "desk-1", "10.3.0.17", now - timedelta(hours=2)),
            Session(8, "anna", "Anna Weiss", "north", "local", now - timedelta(minutes=3)),
        ],
        places=[Municipality(number, name.lower().replace(" ", "-"), name) for number, name in enumerate(NAMES, 1)],
    )
    stage.acting = stage.console.operations._acting = OfficeThread(office.answers())
    stage.console.shift.person = person
    return office


def with_long_names(office: Office) -> None:
    """Give everything a name as long as somebody will surely choose."""
    office.people = [replace(one, name=one.name + LONG) for one in office.people]
    office.stations = [replace(one, name=one.name + LONG) for one in office.stations]
    office.sessions = [replace(one, name=one.name + LONG, station="a" * 63) for one in office.sessions]
    office.places = [replace(one, name=one.name + LONG, key=f"{one.key}-{'x' * 40}"[:63]) for one in office.places]
    office.entries = [
        replace(one, person="p" * 63, station="s" * 63, object="o" * 63, reason=f"{one.reason} {LONG * 4}")
        for one in office.entries
    ]


def many(office: Office, now: datetime) -> None:
    """Fill every list with 500 rows."""
    people = accounts()
    office.people = [
        replace(
            people[number % 7], login=f"{people[number % 7].login}{number}", name=f"{people[number % 7].name} {number}"
        )
        for number in range(500)
    ]
    office.stations = [
        Station(f"desk-{number}", f"Desk {number}", number % 9 > 0, frozenset({1})) for number in range(500)
    ]
    office.sessions = [
        Session(number, f"omar{number}", f"Omar {number}", "desk-1", "10.3.0.17", now) for number in range(500)
    ]
    office.places = [Municipality(number, f"town-{number}", f"Town {number}") for number in range(1, 501)]
