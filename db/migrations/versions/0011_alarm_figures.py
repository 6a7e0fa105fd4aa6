"""What a report of a period needs of the journal, as columns of one row."""

from alembic import op

revision = "0011"
down_revision = "0010"

# the numbers of deeds are those of core/alarm_kpis.py: announced, acknowledged, returned, something else that a person did
_READ = """
CREATE FUNCTION read_alarm_events(begin_time timestamptz, end_time timestamptz, most integer)
RETURNS TABLE (times_s float8[], rules integer[], occurrences bigint[], deeds integer[], priorities integer[])
LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
BEGIN
    IF (SELECT count(*) FROM (SELECT FROM public.alarm_journal AS j WHERE j.commit_time >= begin_time
            AND j.commit_time < end_time LIMIT most + 1) AS first_rows) > most THEN
        RAISE EXCEPTION 'The period has more than % events.', most USING HINT = 'Choose a shorter one.';
    END IF;
    RETURN QUERY SELECT array_agg(extract(epoch FROM f.commit_time)::float8), array_agg(f.rule_id), array_agg(f.event_id),
            array_agg(f.deed), array_agg(f.priority::integer) FROM (
        SELECT j.commit_time, j.rule_id, j.event_id, j.priority, CASE
            WHEN j.state = 'UNACK' AND j.happening IN ('raised', 'unshelved', 'in_service', 'realarmed') THEN 0
            WHEN j.happening = 'acknowledged' THEN 1 WHEN j.happening = 'returned' THEN 2
            WHEN j.person <> '' THEN 3 ELSE 4 END AS deed
        FROM public.alarm_journal AS j WHERE j.commit_time >= begin_time AND j.commit_time < end_time
        ORDER BY j.commit_time, j.id) AS f;
END $$;

-- what was abnormal at a moment and annunciated to nobody's shelf, since its raising
CREATE FUNCTION read_standing(at timestamptz) RETURNS TABLE (rule_id integer, since timestamptz) LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT a.rule_id, coalesce((
            SELECT r.source_time FROM public.alarm_journal AS r WHERE r.rule_id = a.rule_id AND r.id <= newest.id
                AND r.happening = 'raised' ORDER BY r.id DESC LIMIT 1), newest.source_time)
        FROM public.alarm AS a CROSS JOIN LATERAL (
            SELECT j.id, j.state, j.source_time FROM public.alarm_journal AS j
            WHERE j.rule_id = a.rule_id AND j.commit_time <= at ORDER BY j.id DESC LIMIT 1) AS newest
        WHERE newest.state IN ('UNACK', 'ACKED');
END $$;
ALTER FUNCTION read_alarm_events(timestamptz, timestamptz, integer) OWNER TO reader_service;
ALTER FUNCTION read_standing(timestamptz) OWNER TO reader_service;
REVOKE ALL ON FUNCTION read_alarm_events(timestamptz, timestamptz, integer), read_standing(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION read_alarm_events(timestamptz, timestamptz, integer), read_standing(timestamptz) TO viewer;
SELECT seal_functions();
"""


def upgrade() -> None:
    """Add the readers of a report."""
    op.execute(_READ)


def downgrade() -> None:
    """Take them away."""
    op.execute(
        "DROP FUNCTION read_alarm_events(timestamptz, timestamptz, integer); DROP FUNCTION read_standing(timestamptz)"
    )
