"""What an administrator asks of people: new person, roles, new password, disable and enable, end a session."""

from functools import partial

from PySide6.QtWidgets import QWidget

from control_room.core.access import Action, Membership, Role
from control_room.core.errors import Refused
from control_room.core.options import Field
from control_room.ui.console import Console
from control_room.ui.dialogs.form import FormDialog, Values
from control_room.ui.dialogs.one_time_password import OneTimePassword, generate_password
from control_room.ui.dialogs.role_grid import Place, RoleGrid
from control_room.ui.people_words import EVERYWHERE, Places
from db.people import (
    Account,
    Session,
    Station,
    create_person,
    end_session,
    reset_password,
    set_enabled,
    set_membership,
)

REASON = Field("reason", "Reason", "", "It stands in the audit.", is_required=True)
NOT_ONESELF = "Nobody takes the role of administrator from themselves."
HANDED_OVER = (
    "This password is shown only now and stored nowhere. Hand it over in person or by telephone. "
    "It opens one sign-in: then the person must choose their own."
)
HANDED_OVER_STATION = (
    "This password is shown only now and stored nowhere. Type it where the station asks for it; that machine keeps it."
)
_NAME = Field("name", "Full name", "", is_required=True)
_LOGIN = Field("login", "User name", "", "2 to 63 small letters, digits, dots, dashes; for good", is_required=True)
_ROLE = Field("role", "First role", Role.VIEWER.value, choices=tuple(role.value for role in Role))
_IS_LOCAL = Field("is_local", "Make a password; off: LDAP, Kerberos or certificate", default=True)


def places_to_manage(console: Console, action: Action, places: Places) -> list[Place]:
    """Return where the person may act, every municipality at once first where they may nationally; names are unique."""
    names = [one.name for one in places.values()]
    allowed = [one for one in places.values() if not console.shift.why_not(action, one.id)]
    everywhere: list[Place] = [] if console.shift.why_not(action) else [(None, EVERYWHERE.capitalize())]
    return everywhere + [
        (one.id, f"{one.name} ({one.key})" if names.count(one.name) > 1 else one.name)
        for one in sorted(allowed, key=lambda one: (one.name, one.key))
    ]


def new_person(parent: QWidget, console: Console, places: Places) -> FormDialog:
    """Ask for a new person with a first role; shows the generated password once."""
    where = {name: place for place, name in places_to_manage(console, Action.MANAGE_PEOPLE, places)}
    titles = tuple(where)
    fields = (_NAME, _LOGIN, _ROLE, Field("place", "Where", titles[0] if titles else "", choices=titles), _IS_LOCAL)

    async def send(values: Values) -> None:
        login = values["login"].strip()
        password = generate_password(login) if values["is_local"] else None
        job = partial(
            create_person,
            login=login,
            name=values["name"].strip(),
            password=password,
            municipality_id=where[values["place"]],
            role=Role(values["role"]),
        )
        await console.operations.act(job)
        if password is not None:
            dialog.accepted.connect(lambda: show_once(parent, login, password, HANDED_OVER))

    words = "An account is for one person and for good: who leaves is disabled, and their name stays in the audit."
    dialog = FormDialog(parent, console.operations, "New person", fields, send, words=words, button="Create")
    return dialog


def show_once(parent: QWidget, login: str, password: str, words: str) -> None:
    """Show a generated password until it was handed over."""
    OneTimePassword(parent, login, password, words).open()


def roles(parent: QWidget, console: Console, places: Places, account: Account) -> FormDialog:
    """Ask which roles a person holds where."""
    own = console.shift.person

    def why_fixed(membership: Membership) -> str:
        is_own = own is not None and own.login == account.login
        is_kept = is_own and membership.role is Role.ADMINISTRATOR and membership in account.memberships
        return NOT_ONESELF if is_kept else ""

    titles = {role: role.value.capitalize() for role in Role}
    found = places_to_manage(console, Action.MANAGE_PEOPLE, places)
    grid = RoleGrid(parent, found, titles, account.memberships, why_fixed)
    title = f"Roles of {account.name} ({account.login})"
    return grid_form(parent, console, title, account.login, grid)


def grid_form(parent: QWidget, console: Console, title: str, login: str, grid: RoleGrid) -> FormDialog:
    """Return a dialog that makes of an account's roles what the grid shows."""

    async def send(values: Values) -> None:
        changes = grid.changes()
        if not changes:
            raise Refused("Nothing was changed.")
        for number, (membership, is_held) in enumerate(changes):
            job = partial(set_membership, login=login, membership=membership, is_held=is_held, reason=values["reason"])
            try:
                await console.operations.act(job)
            except Refused as fault:
                raise _refused_in_part(fault, number, len(changes)) from fault
            grid.note(membership, is_held=is_held)

    return FormDialog(parent, console.operations, title, (REASON,), send, content=grid)


def _refused_in_part(fault: Refused, done: int, count: int) -> Refused:
    words = str(fault.args[0])
    return Refused(f"{done} of {count} changes were made. {words}" if done else words, advice=fault.advice)


def new_password(parent: QWidget, console: Console, account: Account | Station) -> FormDialog:
    """Ask why an account gets a new password, which is then shown once."""
    is_person = isinstance(account, Account)
    words = (
        f"{account.name} ({account.login}) gets a new password and is signed out everywhere at once."
        if is_person
        else f"The station {account.name} ({account.login}) gets a new password and shows nothing until it is typed there."
    )

    async def send(values: Values) -> None:
        password = generate_password(account.login)
        job = partial(reset_password, login=account.login, password=password, reason=values["reason"])
        await console.operations.act(job)
        told = HANDED_OVER if is_person else HANDED_OVER_STATION
        dialog.accepted.connect(lambda: show_once(parent, account.login, password, told))

    dialog = FormDialog(
        parent, console.operations, "Reset password", (REASON,), send, words=words, button="Reset password"
    )
    return dialog


def enable_or_disable(parent: QWidget, console: Console, account: Account | Station) -> FormDialog:
    """Ask why an account is disabled, or enabled again."""
    who = f"{account.name} ({account.login})"
    is_enabled = not account.is_enabled
    verb = "Enable" if is_enabled else "Disable"
    words = (
        f"{who} may sign in again. Failed tries are forgotten."
        if is_enabled
        else f"{who} is signed out at once and cannot sign in any more. Nothing is deleted: the audit keeps the name."
    )

    async def send(values: Values) -> None:
        job = partial(set_enabled, login=account.login, is_enabled=is_enabled, reason=values["reason"])
        await console.operations.act(job)

    return FormDialog(parent, console.operations, verb, (REASON,), send, words=words, button=verb)


def end_a_session(parent: QWidget, console: Console, session: Session) -> FormDialog:
    """Ask why somebody's session is ended."""

    async def send(values: Values) -> None:
        await console.operations.act(partial(end_session, session_id=session.id, reason=values["reason"]))

    where = f"at {session.station}" if session.station else f"from {session.address}"
    words = f"{session.name} ({session.login}) is signed out {where} at once. The picture there stays."
    return FormDialog(parent, console.operations, "End session", (REASON,), send, words=words, button="End session")
