"""Samples of a stretch as they are stored, page by page, so that a trend can be exported; such an export is noted too."""

from importlib import import_module

from alembic import op

revision = "0019"
down_revision = "0018"

# `skip`: of those at `begin_time` and after, how many the caller has; several may have the same time
_READ = """
CREATE FUNCTION read_sample_page(tag_id integer, begin_time timestamptz, end_time timestamptz, skip integer, most integer)
RETURNS TABLE (times_us bigint[], "values" float8[], qualities integer[]) LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (SELECT FROM public.tag AS t WHERE t.id = $1) THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT array_agg((1000000 * extract(epoch FROM f.source_time))::bigint), array_agg(coalesce(f.value, 'NaN')),
        array_agg(f.quality) FROM (
            SELECT s.source_time, s.value, s.quality FROM public.sample AS s
            WHERE s.tag_id = $1 AND s.source_time >= begin_time AND s.source_time <= end_time
            ORDER BY s.source_time, s.quality, s.value OFFSET skip LIMIT least(most, 100000)) AS f;
END $$;
ALTER FUNCTION read_sample_page(integer, timestamptz, timestamptz, integer, integer) OWNER TO reader_service;
REVOKE ALL ON FUNCTION read_sample_page(integer, timestamptz, timestamptz, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION read_sample_page(integer, timestamptz, timestamptz, integer, integer) TO viewer;
SELECT seal_functions();
"""
_KNOWN = "'alarm report', 'alarm rules')"
_PATCH = ("note_export", _KNOWN, _KNOWN.replace(")", ", 'trend')"))


def upgrade() -> None:
    """Let a trend be exported."""
    op.execute(_READ)
    import_module("db.migrations.versions.0012_rules_whole")._patch(*_PATCH)


def downgrade() -> None:
    """Let no trend be exported."""
    function, old, new = _PATCH
    import_module("db.migrations.versions.0012_rules_whole")._patch(function, new, old)
    op.execute("DROP FUNCTION read_sample_page(integer, timestamptz, timestamptz, integer, integer)")
