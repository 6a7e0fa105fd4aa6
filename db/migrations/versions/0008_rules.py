"""Alarm rules with an expression over several tags, first-out groups, and what chatters."""

from alembic import op

revision = "0008"
down_revision = "0007"

_TABLES = """
ALTER TABLE alarm_rule ADD COLUMN expression text DEFAULT '' NOT NULL,
    ADD COLUMN first_out_group text DEFAULT '' NOT NULL;
CREATE INDEX alarm_rule_first_out ON alarm_rule (municipality_id, first_out_group) WHERE first_out_group <> '';
ALTER TABLE alarm ADD COLUMN first_out_time timestamptz;
SELECT show_table('alarm_rule');
SELECT show_table('alarm');
SELECT forget_statistics('alarm_rule'), forget_statistics('alarm');
"""

# core/first_out.py says the same of the journal
_FIRST_OUT = """
CREATE FUNCTION is_abnormal(a public.alarm) RETURNS boolean LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT public.alarm_state(a) IN ('UNACK', 'ACKED', 'RTNUN', 'LU', 'LA')
$$;
CREATE FUNCTION mark_first_out() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own public.alarm_rule;
    earliest timestamptz;
    is_any boolean;
BEGIN
    SELECT * INTO own FROM public.alarm_rule AS r WHERE r.id = NEW.rule_id AND r.first_out_group <> '';
    IF own.id IS NULL OR NOT public.is_abnormal(NEW) OR TG_OP = 'UPDATE' AND public.is_abnormal(OLD) THEN
        RETURN NEW;
    END IF;
    -- whoever changes an alarm has taken its turn: nobody else of the group changes meanwhile
    SELECT coalesce(bool_or(public.is_abnormal(a)), false), min(a.first_out_time) INTO is_any, earliest
        FROM public.alarm AS a JOIN public.alarm_rule AS r ON r.id = a.rule_id
        WHERE r.municipality_id = own.municipality_id AND r.first_out_group = own.first_out_group
            AND r.id <> own.id;
    earliest := least(earliest, NEW.first_out_time);
    -- what stood before its rule was put into the group has no mark, and came first all the same
    IF is_any AND coalesce(earliest <= NEW.raised_time, true) THEN
        RETURN NEW;
    END IF;
    UPDATE public.alarm AS a SET first_out_time = NULL, seq = public.clock_number('public.alarm_seq')
        FROM public.alarm_rule AS r WHERE r.id = a.rule_id AND r.id <> own.id AND a.first_out_time IS NOT NULL
            AND r.municipality_id = own.municipality_id AND r.first_out_group = own.first_out_group;
    NEW.first_out_time := NEW.raised_time;
    RETURN NEW;
END $$;
CREATE TRIGGER alarm_first_out_insert BEFORE INSERT ON alarm FOR EACH ROW EXECUTE FUNCTION mark_first_out();
CREATE TRIGGER alarm_first_out_update BEFORE UPDATE ON alarm FOR EACH ROW
    WHEN (OLD.event_id <> NEW.event_id) EXECUTE FUNCTION mark_first_out();
"""

# the newest are enough: who is in a flood looks at it first
_TURNS = """
CREATE FUNCTION read_turns(since timestamptz, most integer) RETURNS TABLE (rule_id integer, happening text,
    source_time timestamptz) LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT t.rule_id, t.happening, t.source_time FROM (
        SELECT j.id, j.rule_id, j.happening, j.source_time FROM public.alarm_journal AS j
            WHERE j.commit_time > since AND j.happening IN ('raised', 'returned', 'acknowledged')
                AND j.state IN ('NORM', 'UNACK', 'ACKED', 'RTNUN', 'LU', 'LA')
            ORDER BY j.commit_time DESC, j.id DESC LIMIT most) AS t ORDER BY t.id;
END $$;
ALTER FUNCTION read_turns(timestamptz, integer) OWNER TO reader_service;
REVOKE ALL ON FUNCTION read_turns(timestamptz, integer), mark_first_out(), is_abnormal(alarm) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION read_turns(timestamptz, integer) TO viewer;
SELECT seal_functions();
"""


def upgrade() -> None:
    """Add what they need."""
    for statements in (_TABLES, _FIRST_OUT, _TURNS):
        op.execute(statements)


_BACK = """
DROP TRIGGER alarm_first_out_insert ON alarm;
DROP TRIGGER alarm_first_out_update ON alarm;
DROP FUNCTION mark_first_out(), is_abnormal(alarm), read_turns(timestamptz, integer);
SELECT hide_table('alarm_rule'), hide_table('alarm');
DROP INDEX alarm_rule_first_out;
ALTER TABLE alarm_rule DROP COLUMN expression, DROP COLUMN first_out_group;
ALTER TABLE alarm DROP COLUMN first_out_time;
SELECT show_table('alarm_rule'), show_table('alarm');
SELECT seal_functions();
"""


def downgrade() -> None:
    """Forget expressions and groups; a rule that had one is judged no longer."""
    op.execute(_BACK)
