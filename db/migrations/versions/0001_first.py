"""The first schema: plant, samples, alarms, status, roles."""

from alembic import op

from db.access import FUNCTIONS, GRANTS, GROUP_ROLES, REVOKES
from db.tables import metadata

revision = "0001"
down_revision = None

_PARTITIONS = """
CREATE TABLE sample_default PARTITION OF sample DEFAULT;

CREATE FUNCTION ensure_sample_partitions(first_day date, last_day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    day date;
    name text;
BEGIN
    -- two collectors at once: one makes the partitions, the other finds them
    PERFORM pg_advisory_xact_lock(7201);
    FOR day IN SELECT generate_series(first_day, least(last_day, first_day + 800), interval '1 day')::date LOOP
        name := 'sample_' || to_char(day, 'YYYYMMDD');
        IF to_regclass('public.' || name) IS NULL THEN
            EXECUTE format('CREATE TABLE public.%I (LIKE public.sample INCLUDING DEFAULTS)', name);
            -- what came before its partition waits in the default partition
            EXECUTE format(
                'WITH moved AS (DELETE FROM public.sample_default WHERE source_time >= %L AND source_time < %L RETURNING *)'
                ' INSERT INTO public.%I SELECT * FROM moved',
                day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC', name);
            EXECUTE format(
                'ALTER TABLE public.sample ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                name, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
        END IF;
    END LOOP;
END $$;
"""

_APPEND_ONLY = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'The alarm journal is append-only.' USING HINT = 'Write a new entry instead.';
END $$;
CREATE TRIGGER alarm_journal_append_only BEFORE UPDATE OR DELETE ON alarm_journal
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER alarm_journal_no_truncate BEFORE TRUNCATE ON alarm_journal
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    """Make everything."""
    for statement in GROUP_ROLES:
        op.execute(statement)
    metadata.create_all(op.get_bind())
    op.execute(_PARTITIONS)
    op.execute(_APPEND_ONLY)
    for statement in (*FUNCTIONS, *REVOKES, *GRANTS):
        op.execute(statement)


def downgrade() -> None:
    """Drop everything; the roles stay, because other databases of the server may use them."""
    op.execute("DROP FUNCTION IF EXISTS acknowledge_alarms(integer[], bigint[], text, text)")
    op.execute("DROP FUNCTION IF EXISTS alarm_state(boolean, boolean)")
    op.execute("DROP FUNCTION IF EXISTS ensure_sample_partitions(date, date)")
    metadata.drop_all(op.get_bind())
    op.execute("DROP FUNCTION IF EXISTS refuse_change()")
