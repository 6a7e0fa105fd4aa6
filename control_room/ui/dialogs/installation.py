"""What a national administrator asks of the installation: stations and municipalities."""

from functools import partial

from PySide6.QtWidgets import QWidget

from control_room.core.access import Action, Membership, Role
from control_room.core.errors import Refused
from control_room.core.options import Field
from control_room.core.tags import Municipality
from control_room.ui.console import Console
from control_room.ui.dialogs.form import FormDialog, Values
from control_room.ui.dialogs.one_time_password import generate_password
from control_room.ui.dialogs.people import HANDED_OVER_STATION, grid_form, places_to_manage, show_once
from control_room.ui.dialogs.role_grid import RoleGrid
from control_room.ui.people_words import Places
from db.people import Station, create_station, save_municipality

_STATION = Field("login", "User name", "", "2 to 63 small letters, digits, dots, dashes", is_required=True)
_STATION_NAME = Field("name", "Name", "", "where it stands, as the audit shall say it", is_required=True)
_KEY = Field("key", "Key", "", "small letters, digits and dashes; for good", is_required=True)


def _name(default: str = "") -> Field:
    return Field("name", "Name", default, is_required=True)


def _grid(parent: QWidget, console: Console, places: Places, held: frozenset[Membership]) -> RoleGrid:
    found = places_to_manage(console, Action.MANAGE_INSTALLATION, places)
    return RoleGrid(parent, found, {Role.VIEWER: "Shown"}, held, lambda _: "")


def new_station(parent: QWidget, console: Console, places: Places) -> FormDialog:
    """Ask for a new workstation and what it shows; shows the generated password once."""
    grid = _grid(parent, console, places, frozenset({Membership(None, Role.VIEWER)}))

    async def send(values: Values) -> None:
        login = values["login"].strip()
        shown = [one.municipality_id for one in grid.wanted()]
        if not shown:
            raise Refused("Choose at least one municipality that it shows.")
        password = generate_password(login)
        name = values["name"].strip()
        job = partial(create_station, login=login, name=name, password=password, municipality_ids=shown)
        await console.operations.act(job)
        dialog.accepted.connect(lambda: show_once(parent, login, password, HANDED_OVER_STATION))

    words = "A station is a workstation's own account. It may only view, so that the picture stays when nobody is signed in."
    fields = (_STATION_NAME, _STATION)
    dialog = FormDialog(
        parent, console.operations, "New station", fields, send, words=words, button="Create", content=grid
    )
    return dialog


def shown_by(parent: QWidget, console: Console, places: Places, station: Station) -> FormDialog:
    """Ask which municipalities a station shows."""
    held = frozenset(Membership(one, Role.VIEWER) for one in station.municipality_ids)
    title = f"What {station.name} ({station.login}) shows"
    return grid_form(parent, console, title, station.login, _grid(parent, console, places, held))


def new_municipality(parent: QWidget, console: Console, places: Places) -> FormDialog:
    """Ask for a new municipality."""
    keys = {one.key for one in places.values()}

    async def send(values: Values) -> None:
        key = values["key"].strip()
        # the database would rename the one that is there
        if key in keys:
            raise Refused(f"The key '{key}' is taken.")
        await console.operations.act(partial(save_municipality, key=key, name=values["name"].strip()))

    words = "The key names it in files and settings. Its network, tags and connections come by an import."
    return FormDialog(
        parent, console.operations, "New municipality", (_name(), _KEY), send, words=words, button="Create"
    )


def rename_municipality(parent: QWidget, console: Console, municipality: Municipality) -> FormDialog:
    """Ask for another name of a municipality."""

    async def send(values: Values) -> None:
        await console.operations.act(partial(save_municipality, key=municipality.key, name=values["name"].strip()))

    words = f"The key '{municipality.key}' stays."
    fields = (_name(municipality.name),)
    return FormDialog(parent, console.operations, "Rename", fields, send, words=words, button="Rename")
