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

# advisory locks, taken before a number is drawn from alarm_seq or latest_seq, so that numbers become visible in their
# order; acknowledge_alarms() takes the alarms' lock too
ALARM_LOCK = 7202
LATEST_LOCK = 7204


def make_login_roles(connection: Connection, passwords: Mapping[str, str]) -> None:
    """Make or update the login roles named in `passwords`, with their group roles; needs the right to make roles."""
    cursor = connection.connection.cursor()
    libpq = connection.connection.driver_connection.pgconn  # type: ignore[union-attr]
    for name, password in passwords.items():
        role = sql.Identifier(name)
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,))
        verb = sql.SQL("ALTER" if cursor.fetchone() else "CREATE")
        # only the SCRAM verifier travels: the password itself would stand in the server's log of statements
        verifier = libpq.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
        cursor.execute(sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, role, sql.Literal(verifier)))
        for group in LOGIN_ROLES[name]:
            cursor.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), role))
