"""The collector takes turns like everybody, and an export of the audit is in the audit."""

from alembic import op

revision = "0004"
down_revision = "0003"

# whoever keeps the others waiting loses connection and turn, but not the collector: it stores what the plant said
_TAKE_TURN = """
CREATE OR REPLACE FUNCTION take_turn(key bigint) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'Actions need the isolation level read committed.'
            USING HINT = 'Under another one the rights of an earlier moment would count.';
    END IF;
    LOOP
        BEGIN
            PERFORM pg_advisory_xact_lock(key);
            RETURN;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_terminate_backend(a.pid) FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
                JOIN pg_roles AS r ON r.oid = a.usesysid
            WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid = 0 AND l.objid = key::oid
                AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                AND NOT pg_has_role(r.oid, 'collector_service', 'MEMBER')
                AND a.xact_start < clock_timestamp() - interval '5 seconds';
        END;
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION take_turn(bigint) TO collector_service;
"""

_NOTE_EXPORT = """
CREATE FUNCTION note_export(wanted jsonb) RETURNS TABLE (is_done boolean, words text) LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT true = ANY (public.municipalities_where('read_audit')) THEN
        words := public.refusal('read_audit', 0);
    ELSIF wanted IS NULL OR pg_column_size(wanted) > 4000 THEN
        words := 'The filter of the export is missing or too long.';
    END IF;
    is_done := words IS NULL;
    PERFORM public.write_audit('export_audit', 'audit', NULL, NULL,
        CASE WHEN words IS NULL THEN wanted END, words, '');
    words := coalesce(words, 'Noted.');
    RETURN NEXT;
END $$;
REVOKE ALL ON FUNCTION note_export(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION note_export(jsonb) TO person;
"""


def upgrade() -> None:
    """Grant the turn, note exports."""
    op.execute(_TAKE_TURN)
    op.execute(_NOTE_EXPORT)


def downgrade() -> None:
    """Forget the export's note; the collector is refused the turn again."""
    op.execute("DROP FUNCTION note_export(jsonb); REVOKE EXECUTE ON FUNCTION take_turn(bigint) FROM collector_service")
    not_collector = "pg_has_role(r.oid, 'collector_service', 'MEMBER')"
    earlier = _TAKE_TURN.split("GRANT EXECUTE", maxsplit=1)[0].replace(not_collector, "r.rolsuper")
    op.execute(earlier)
