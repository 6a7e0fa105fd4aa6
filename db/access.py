"""Who may do what: the roles. Their rights and the functions through which people act are made by the migrations.

Group roles carry the rights; login roles are members. Functions are SECURITY DEFINER with a fixed search_path, so that
nobody can slip another table under them, and EXECUTE is granted only to the role that needs it.
"""

from collections.abc import Mapping

from psycopg import sql
from sqlalchemy import Connection

VIEWER = "viewer"
OPERATOR = "operator"
COLLECTOR = "collector_service"

# login role -> the group roles whose rights it has
LOGIN_ROLES: Mapping[str, tuple[str, ...]] = {
    "collector": (COLLECTOR,),
    "station": (VIEWER,),
    "local_operator": (VIEWER, OPERATOR),
}


# taken before alarm_seq is drawn, so that numbers become visible in their order; acknowledge_alarms() takes it too
ALARM_LOCK = 7202


def make_login_roles(connection: Connection, passwords: Mapping[str, str]) -> None:
    """Make or update the login roles named in `passwords`, with their group roles; needs the right to make roles."""
    cursor = connection.connection.cursor()
    for name, password in passwords.items():
        role = sql.Identifier(name)
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,))
        verb = sql.SQL("ALTER" if cursor.fetchone() else "CREATE")
        # PostgreSQL takes no parameters here; psycopg's Literal quotes the password
        statement = sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, role, sql.Literal(password))
        cursor.execute(statement)
        for group in LOGIN_ROLES[name]:
            cursor.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), role))
