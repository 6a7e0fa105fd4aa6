"""Every export is noted in the audit before its file is written: what, by which filter, how many rows."""

from alembic import op

revision = "0014"
down_revision = "0013"

# `rows` is NULL where nobody knows yet how many there will be: such an export is noted again when it is complete
_NOTE = """
DROP FUNCTION note_export(jsonb);
CREATE FUNCTION note_export(what text, wanted jsonb, rows bigint) RETURNS TABLE (is_done boolean, words text) LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_known boolean := coalesce(what IN ('audit', 'journal', 'alarm report', 'alarm rules'), false);
    -- another municipality may not learn of what it has no part in
    town integer := CASE WHEN jsonb_typeof(wanted -> 'municipality_id') = 'number'
        THEN (SELECT one FROM unnest(public.my_municipality_ids()) AS one
            WHERE one = (wanted ->> 'municipality_id')::numeric) END;
BEGIN
    IF public.why_nothing() IS NOT NULL THEN
        words := public.why_nothing();
    ELSIF NOT is_known THEN
        words := 'There is no such export.';
    ELSIF what = 'audit' AND NOT coalesce(true = ANY (public.municipalities_where('read_audit')), false) THEN
        words := public.refusal('read_audit', 0);
    ELSIF cardinality(public.my_municipality_ids()) = 0 THEN
        words := public.refusal('view', 0);
    ELSIF jsonb_typeof(wanted) IS DISTINCT FROM 'object' OR pg_column_size(wanted) > 4000 THEN
        words := 'The filter of the export is missing or too long.';
    ELSIF rows < 0 THEN
        words := 'An export has no less than 0 rows.';
    END IF;
    is_done := words IS NULL;
    PERFORM public.write_audit(CASE WHEN is_known THEN 'export_' || replace(what, ' ', '_') ELSE 'export' END,
        CASE WHEN is_known THEN what ELSE 'export' END, town, NULL,
        CASE WHEN words IS NULL THEN wanted || jsonb_strip_nulls(jsonb_build_object('rows', rows)) END, words, '');
    words := coalesce(words, 'Noted.');
    RETURN NEXT;
END $$;
REVOKE ALL ON FUNCTION note_export(text, jsonb, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION note_export(text, jsonb, bigint) TO person;
SELECT seal_functions();
"""

_BACK = """
DROP FUNCTION note_export(text, jsonb, bigint);
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
    """Note every export."""
    op.execute(_NOTE)


def downgrade() -> None:
    """Note those of the audit alone."""
    op.execute(_BACK)
