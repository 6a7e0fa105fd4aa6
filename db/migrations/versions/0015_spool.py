"""The marks of the collectors' spools, which numbers of a run are stored, so that none is stored twice; the spool's level."""

from alembic import op

revision = "0015"
down_revision = "0014"

# no tenant's data, and nobody may touch it but by these functions
_MARKS = """
CREATE TABLE spool_mark (
    id uuid PRIMARY KEY,
    led_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    stored int8multirange NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);
ALTER TABLE spool_mark ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION begin_spool(spool uuid) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM public.spool_mark AS m WHERE m.led_time < clock_timestamp() - interval '400 days';
    INSERT INTO public.spool_mark (id) VALUES (spool) ON CONFLICT DO NOTHING;
END $$;

CREATE FUNCTION read_spool(spool uuid) RETURNS TABLE (firsts bigint[], lasts bigint[], is_last boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- a transaction of a killed collector that still runs is waited for
    PERFORM FROM public.spool_mark AS m WHERE m.id = spool FOR UPDATE;
    RETURN QUERY SELECT ARRAY(SELECT lower(r) FROM unnest(m.stored) AS r ORDER BY r),
        ARRAY(SELECT upper(r) - 1 FROM unnest(m.stored) AS r ORDER BY r),
        NOT EXISTS (SELECT FROM public.spool_mark AS other WHERE other.led_time > m.led_time)
        FROM public.spool_mark AS m WHERE m.id = spool;
END $$;

-- marks the numbers as stored by this transaction and returns those that were not before
CREATE FUNCTION take_spooled(spool uuid, first_number bigint, last_number bigint)
RETURNS TABLE (firsts bigint[], lasts bigint[]) LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    asked int8multirange := int8multirange(int8range(first_number, last_number + 1));
    new int8multirange;
BEGIN
    IF NOT EXISTS (SELECT FROM public.spool_mark AS m WHERE m.id = spool) THEN
        INSERT INTO public.spool_mark (id) VALUES (spool) ON CONFLICT DO NOTHING;
    END IF;
    SELECT asked - m.stored INTO new FROM public.spool_mark AS m WHERE m.id = spool FOR UPDATE;
    IF NOT isempty(new) THEN
        UPDATE public.spool_mark AS m SET stored = m.stored + asked WHERE m.id = spool;
    END IF;
    RETURN QUERY SELECT ARRAY(SELECT lower(r) FROM unnest(new) AS r ORDER BY r),
        ARRAY(SELECT upper(r) - 1 FROM unnest(new) AS r ORDER BY r);
END $$;
REVOKE ALL ON FUNCTION begin_spool(uuid), read_spool(uuid), take_spooled(uuid, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION begin_spool(uuid), read_spool(uuid), take_spooled(uuid, bigint, bigint) TO collector_service;
"""

_STATUS = """
ALTER TABLE collector_status ADD COLUMN spooled bigint NOT NULL DEFAULT 0, ADD COLUMN spool_bytes bigint NOT NULL DEFAULT 0,
    ADD COLUMN spool_limit_bytes bigint NOT NULL DEFAULT 0, ADD COLUMN oldest_time timestamptz;
SELECT show_table('collector_status');
SELECT seal_functions();
"""

_BACK = """
DROP FUNCTION begin_spool(uuid), read_spool(uuid), take_spooled(uuid, bigint, bigint);
DROP TABLE spool_mark;
SELECT hide_table('collector_status');
ALTER TABLE collector_status DROP COLUMN spooled, DROP COLUMN spool_bytes, DROP COLUMN spool_limit_bytes,
    DROP COLUMN oldest_time;
SELECT show_table('collector_status');
SELECT seal_functions();
"""


def upgrade() -> None:
    """Add the marks and the level."""
    op.execute(_MARKS)
    op.execute(_STATUS)


def downgrade() -> None:
    """Take them away; what waits in a spool would be stored again by numbers that nobody knows."""
    op.execute(_BACK)
