"""The pages of the view People: what each lists, who may see it, and what a person does there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from PySide6.QtWidgets import QWidget
from sqlalchemy import Connection

from control_room.core.access import Action
from control_room.core.tags import Municipality
from control_room.ui.console import Console
from control_room.ui.dialogs import installation, people
from control_room.ui.dialogs.form import FormDialog
from control_room.ui.people_words import Places, roles_words, shown_words, state_words
from control_room.ui.words import local
from db.municipalities import list_municipalities
from db.people import Account, Session, Station, list_people, list_sessions, list_stations
from widgets.row_table import RowColumn, RowTable

T = TypeVar("T")
OWN_ACCOUNT = "Nobody disables themselves."


@dataclass(slots=True)
class Known:
    """What every page needs to speak of places: the municipalities that the person may see."""

    places: Places = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deed(Generic[T]):
    """Something that a person does about the chosen row, or about none.

    `title` names the button by the row, `why_not` says why this row does not allow it.
    """

    title: Callable[[T | None], str]
    tip: str
    right: Action
    open: Callable[[QWidget, T | None], FormDialog]
    needs_row: bool = True
    why_not: Callable[[T], str] = lambda _: ""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A tab: `right` lets a person see it, `read` is the database's job, `none` is said where there are no rows."""

    title: str
    right: Action
    read: Callable[[Connection], Sequence[T]]
    table: RowTable[T]
    none: str
    deeds: Sequence[Deed[T]]


def _named(title: str) -> Callable[[Any], str]:
    return lambda _: title


def _of(row: T | None) -> T:
    """Return the row that a deed needs: its button is disabled without."""
    assert row is not None
    return row


def make_pages(console: Console, known: Known) -> Sequence[Page[Any]]:
    """Return the four pages."""
    return (
        _shift_page(console),
        _people_page(console, known),
        _stations_page(console, known),
        _places_page(console, known),
    )


def _shift_page(console: Console) -> Page[Session]:
    columns: Sequence[RowColumn[Session]] = (
        RowColumn("Name", lambda one: one.name, 170, 3),
        RowColumn("User name", lambda one: one.login, 130, 1),
        RowColumn("Station", lambda one: one.station or "–", 150, 2),
        RowColumn("Address", lambda one: one.address, 140, 1),
        RowColumn("Signed in since", lambda one: local(one.signed_in_time), 170, 0),
    )
    end = Deed(
        _named("End session…"),
        "Sign the chosen person out there",
        Action.MANAGE_PEOPLE,
        lambda parent, one: people.end_a_session(parent, console, _of(one)),
    )
    table: RowTable[Session] = RowTable(columns, lambda one: one.id)
    return Page("On shift", Action.SEE_SHIFT, partial(list_sessions), table, "Nobody is signed in.", (end,))


def _people_page(console: Console, known: Known) -> Page[Account]:
    now = console.room.now
    columns: Sequence[RowColumn[Account]] = (
        RowColumn("Name", lambda one: one.name, 160, 2),
        RowColumn("User name", lambda one: one.login, 110, 1),
        RowColumn("Roles", lambda one: roles_words(one.memberships, known.places), 220, 6),
        RowColumn("Account", lambda one: state_words(one, now()), 176, 0),
        RowColumn("Last sign-in", lambda one: local(one.last_sign_in), 166, 0, _seconds),
        RowColumn("Failed tries", lambda one: str(one.failed_tries or "–"), 90, 0, lambda one: one.failed_tries),
    )
    table: RowTable[Account] = RowTable(columns, lambda one: one.login, is_faint=lambda one: not one.is_enabled)
    return Page(
        "People",
        Action.MANAGE_PEOPLE,
        partial(list_people),
        table,
        "There are no people here.",
        _people_deeds(console, known),
    )


def _seconds(account: Account) -> float:
    return account.last_sign_in.timestamp() if account.last_sign_in else 0.0


def _people_deeds(console: Console, known: Known) -> Sequence[Deed[Account]]:
    def why_not_disable(account: Account) -> str:
        own = console.shift.person
        return OWN_ACCOUNT if own is not None and own.login == account.login and account.is_enabled else ""

    return (
        Deed(
            _named("New person…"),
            "Make an account with a first role and a password that is shown once",
            Action.MANAGE_PEOPLE,
            lambda parent, _: people.new_person(parent, console, known.places),
            needs_row=False,
        ),
        Deed(
            _named("Roles…"),
            "Give and take roles, by municipality or everywhere",
            Action.MANAGE_PEOPLE,
            lambda parent, one: people.roles(parent, console, known.places, _of(one)),
        ),
        _reset_deed(
            console, Action.MANAGE_PEOPLE, "A new password that is shown once and must be changed; it unlocks too"
        ),
        _enable_deed(console, Action.MANAGE_PEOPLE, why_not_disable),
    )


def _stations_page(console: Console, known: Known) -> Page[Station]:
    columns: Sequence[RowColumn[Station]] = (
        RowColumn("Name", lambda one: one.name, 180, 2),
        RowColumn("User name", lambda one: one.login, 140, 1),
        RowColumn("Shows", lambda one: shown_words(one.municipality_ids, known.places), 240, 5),
        RowColumn("Account", lambda one: "enabled" if one.is_enabled else "disabled", 110, 0),
    )
    table: RowTable[Station] = RowTable(columns, lambda one: one.login, is_faint=lambda one: not one.is_enabled)
    right = Action.MANAGE_INSTALLATION
    deeds: Sequence[Deed[Station]] = (
        Deed(
            _named("New station…"),
            "Make a workstation's account with a password that is shown once",
            right,
            lambda parent, _: installation.new_station(parent, console, known.places),
            needs_row=False,
        ),
        Deed(
            _named("Shows…"),
            "Choose the municipalities that the station shows",
            right,
            lambda parent, one: installation.shown_by(parent, console, known.places, _of(one)),
        ),
        _reset_deed(
            console, right, "A new password that is shown once; the station shows nothing until it is typed there"
        ),
        _enable_deed(console, right, lambda _: ""),
    )
    return Page("Stations", right, partial(list_stations), table, "There are no stations.", deeds)


def _places_page(console: Console, known: Known) -> Page[Municipality]:
    columns: Sequence[RowColumn[Municipality]] = (
        RowColumn("Name", lambda one: one.name, 260, 3),
        RowColumn("Key", lambda one: one.key, 200, 1),
    )
    right = Action.MANAGE_INSTALLATION
    deeds: Sequence[Deed[Municipality]] = (
        Deed(
            _named("New municipality…"),
            "Make a tenant of its own",
            right,
            lambda parent, _: installation.new_municipality(parent, console, known.places),
            needs_row=False,
        ),
        Deed(
            _named("Rename…"),
            "Give the chosen municipality another name",
            right,
            lambda parent, one: installation.rename_municipality(parent, console, _of(one)),
        ),
    )
    table: RowTable[Municipality] = RowTable(columns, lambda one: one.id)
    return Page("Municipalities", right, partial(list_municipalities), table, "There are no municipalities.", deeds)


def _reset_deed(console: Console, right: Action, tip: str) -> Deed[Any]:
    return Deed(
        _named("Reset password…"), tip, right, lambda parent, one: people.new_password(parent, console, _of(one))
    )


def _enable_deed(console: Console, right: Action, why_not: Callable[[Any], str]) -> Deed[Any]:
    def title(account: Account | Station | None) -> str:
        return "Enable…" if account is not None and not account.is_enabled else "Disable…"

    tip = "Keep the account out without deleting it, or let it in again"
    return Deed(
        title, tip, right, lambda parent, one: people.enable_or_disable(parent, console, _of(one)), why_not=why_not
    )
