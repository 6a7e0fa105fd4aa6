"""Who may connect and act: login roles of this program's own services, and what people do about people.

Group roles carry the rights, made by the migrations; people's and stations' login roles are made by functions of the
database. Functions are SECURITY DEFINER with a fixed search_path, so that nobody can slip another table under them.
"""

from collections.abc import Mapping
from typing import Any

from psycopg import sql
from sqlalchemy import Connection, text

from control_room.core.errors import Refused

VIEWER = "viewer"
COLLECTOR = "collector_service"
STATION = "station_service"

# login role of a service -> the group roles whose rights it has
LOGIN_ROLES: Mapping[str, tuple[str, ...]] = {
    "collector": (COLLECTOR,),
    "station": (VIEWER, STATION),
}

# taken before a number is drawn from latest_seq, so that numbers become visible in their order; the functions that step alarms
# do the same with 7202 for alarm_seq
LATEST_LOCK = 7204

ADD_ACCOUNT = text("""
    INSERT INTO account (login, kind, name) VALUES (:login, :kind, :name) ON CONFLICT DO NOTHING""")
SEE_ALL = text("""
    INSERT INTO membership (login, municipality_id, role) SELECT :login, NULL, 'viewer'
    WHERE NOT EXISTS (SELECT FROM membership WHERE login = :login)""")


def scram_verifier(connection: Connection, login: str, password: str) -> str:
    """Return what the server keeps of a password: only this travels, for the password would stand in the server's log."""
    libpq = connection.connection.driver_connection.pgconn  # type: ignore[union-attr]
    return str(libpq.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode())


def make_login_roles(connection: Connection, passwords: Mapping[str, str]) -> None:
    """Make or update the services' login roles named in `passwords`; needs the right to make roles."""
    for name, password in passwords.items():
        _make_role(connection, name, password, LOGIN_ROLES[name])
        kind = "station" if STATION in LOGIN_ROLES[name] else "collector"
        connection.execute(ADD_ACCOUNT, {"login": name, "kind": kind, "name": name.capitalize()})
        if kind == "station":
            connection.execute(SEE_ALL, {"login": name})


def _make_role(connection: Connection, name: str, password: str, groups: tuple[str, ...]) -> None:
    cursor = connection.connection.cursor()
    role = sql.Identifier(name)
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,))
    verb = sql.SQL("ALTER" if cursor.fetchone() else "CREATE")
    word = sql.Literal(scram_verifier(connection, name, password))
    cursor.execute(sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, role, word))
    if STATION in groups:
        # what a client asks of a table by its name comes from the view
        cursor.execute(sql.SQL("ALTER ROLE {} SET search_path = seen, public").format(role))
    for group in groups:
        cursor.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), role))


def has_people(connection: Connection) -> bool:
    """Return whether any person has an account; needs the owner's rights."""
    return bool(connection.execute(text("SELECT EXISTS (SELECT FROM account WHERE kind = 'person')")).scalar())


def make_first_administrator(
    connection: Connection, login: str, name: str, password: str, *, is_operating: bool = False
) -> None:
    """Make the national administrator of a database without people; needs the owner's rights. Raises Refused.

    `is_operating`: who works alone is supervisor as well, for an administrator may not acknowledge.
    """
    if has_people(connection):
        raise Refused("The database has people already.", advice="An administrator makes further accounts.")
    make_person(connection, login, name, password, None, "administrator")
    if is_operating:
        asked = {"login": login}
        connection.execute(text("INSERT INTO membership (login, role) VALUES (:login, 'supervisor')"), asked)
        connection.execute(text("SELECT follow_memberships(:login)"), asked)


def make_person(
    connection: Connection, login: str, name: str, password: str, municipality_id: int | None, role: str
) -> None:
    """Make a person as the owner of the database, who has chosen the password for good. Raises Refused."""
    asked: dict[str, Any] = {"login": login, "name": name, "municipality": municipality_id, "role": role}
    asked["word"] = scram_verifier(connection, login, password)
    refused = connection.execute(text("SELECT make_account(:login, 'person', :name, :word, false)"), asked).scalar()
    if refused:
        raise Refused(str(refused))
    connection.execute(
        text("INSERT INTO membership (login, municipality_id, role) VALUES (:login, :municipality, :role)"), asked
    )
    connection.execute(text("SELECT follow_memberships(:login)"), asked)
    connection.execute(
        text("SELECT write_audit('create_person', :login, :municipality, NULL, NULL, NULL, 'made by the owner')"), asked
    )
