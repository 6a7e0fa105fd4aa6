"""Who may do what: roles, grants and the functions through which people change something.

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


def _role(name: str) -> str:
    # roles belong to the whole server: another database may have made them, even at this moment
    return f"""
DO $$ BEGIN
    CREATE ROLE {name} NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$"""


GROUP_ROLES = tuple(_role(name) for name in (VIEWER, OPERATOR, COLLECTOR))

REVOKES = (
    "REVOKE ALL ON SCHEMA public FROM PUBLIC",
    "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC",
    "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC",
)

GRANTS = (
    f"GRANT USAGE ON SCHEMA public TO {VIEWER}, {OPERATOR}, {COLLECTOR}",
    f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {VIEWER}, {COLLECTOR}",
    # how to reach the plant, passwords among it, is the collector's business alone
    f"REVOKE SELECT ON connection FROM {VIEWER}",
    f"GRANT SELECT (id, municipality_id, name, driver, is_enabled) ON connection TO {VIEWER}",
    f"GRANT INSERT ON sample, alarm_journal TO {COLLECTOR}",
    f"GRANT INSERT, UPDATE, DELETE ON latest, alarm, link_status, collector_status TO {COLLECTOR}",
    f"GRANT USAGE ON SEQUENCE latest_seq, alarm_seq, alarm_journal_id_seq TO {COLLECTOR}",
    f"GRANT EXECUTE ON FUNCTION ensure_sample_partitions(date, date) TO {COLLECTOR}",
    f"GRANT EXECUTE ON FUNCTION alarm_state(boolean, boolean) TO {COLLECTOR}, {VIEWER}",
    f"GRANT EXECUTE ON FUNCTION acknowledge_alarms(integer[], bigint[], text, text) TO {OPERATOR}",
)

# taken before alarm_seq is drawn, so that numbers become visible in their order
ALARM_LOCK = 7202

FUNCTIONS = (
    """
CREATE FUNCTION alarm_state(is_active boolean, is_acknowledged boolean) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN is_active THEN CASE WHEN is_acknowledged THEN 'ACKED' ELSE 'UNACK' END
                ELSE CASE WHEN is_acknowledged THEN 'NORM' ELSE 'RTNUN' END END
$$""",
    f"""
CREATE FUNCTION acknowledge_alarms(rule_ids integer[], event_ids bigint[], words text, station text)
RETURNS TABLE (rule_id integer, event_id bigint, is_done boolean, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    wanted record;
    found public.alarm;
    rule public.alarm_rule;
BEGIN
    IF coalesce(array_length(rule_ids, 1), 0) <> coalesce(array_length(event_ids, 1), 0) THEN
        RAISE EXCEPTION 'Every alarm needs its occurrence.';
    END IF;
    PERFORM pg_advisory_xact_lock({ALARM_LOCK});
    FOR wanted IN SELECT pair.rule_id, pair.event_id FROM unnest(rule_ids, event_ids) AS pair (rule_id, event_id) LOOP
        rule_id := wanted.rule_id;
        event_id := wanted.event_id;
        SELECT * INTO found FROM public.alarm AS a WHERE a.rule_id = wanted.rule_id FOR UPDATE;
        is_done := false;
        IF found.rule_id IS NULL OR found.event_id <> wanted.event_id THEN
            answer := 'The alarm has been raised again since. Look at the new occurrence first.';
        ELSIF found.is_acknowledged THEN
            answer := coalesce(nullif(found.acknowledged_by, ''), 'Somebody') || ' acknowledged it already.';
        ELSE
            is_done := true;
            answer := 'Acknowledged.';
            SELECT * INTO rule FROM public.alarm_rule AS r WHERE r.id = wanted.rule_id;
            UPDATE public.alarm AS a SET is_acknowledged = true, acknowledged_time = now(),
                acknowledged_by = session_user, seq = nextval('public.alarm_seq') WHERE a.rule_id = wanted.rule_id;
            INSERT INTO public.alarm_journal (rule_id, event_id, previous_state, state, trigger, source_time, value,
                quality, alarm_limit, priority, message, person, station, comment)
            VALUES (wanted.rule_id, wanted.event_id, public.alarm_state(found.is_active, false),
                public.alarm_state(found.is_active, true), 'operator', now(), found.value, found.quality,
                rule.alarm_limit, rule.priority, rule.message, session_user, station, words);
        END IF;
        RETURN NEXT;
    END LOOP;
    PERFORM pg_notify('alarms', '');
END $$""",
)


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
