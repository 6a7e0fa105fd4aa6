"""Other tools read with a person's own rights: the schema `report`.

Such tools connect and ask; none of them can be told to sign in first. So a connection on which nobody ever signed in reads
here, and nowhere else, what its account may view. A role of its own does the reading, with policies of its own, so that no
setting of a client opens anything besides.
"""

from alembic import op

revision = "0017"
down_revision = "0016"

_ROLE = """
DO $$
BEGIN
    CREATE ROLE report_service NOLOGIN;
-- roles belong to the whole server: another database may have made it already
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
CREATE SCHEMA report;
COMMENT ON SCHEMA report IS 'For other tools: what your account may view, and nothing else';
GRANT USAGE ON SCHEMA report TO viewer;
GRANT USAGE ON SCHEMA public TO report_service;

-- Where this account may view. A session that was ended, an expired one and a password changed meanwhile end the reading.
CREATE FUNCTION report_municipality_ids() RETURNS integer[] LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own public.account;
    since timestamptz := (SELECT a.backend_start FROM pg_stat_get_activity(pg_backend_pid()) AS a);
BEGIN
    SELECT * INTO own FROM public.account AS a WHERE a.login = session_user AND a.is_enabled;
    IF own.login IS NULL OR own.must_change_password OR own.password_time > since
            OR (public.my_session()).id IS NULL AND EXISTS (SELECT FROM public.session AS s
                WHERE s.process_id = pg_backend_pid() AND s.login = session_user AND s.process_start = since) THEN
        RETURN '{}';
    END IF;
    RETURN ARRAY(SELECT m.id FROM public.municipality AS m WHERE public.may(session_user, 'view', m.id));
END $$;
REVOKE ALL ON FUNCTION report_municipality_ids() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION report_municipality_ids(), alarm_state(alarm), sample_grade(integer) TO report_service;
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['municipality', 'asset', 'tag', 'alarm_rule', 'alarm', 'alarm_journal', 'latest', 'sample'] LOOP
        EXECUTE format('CREATE POLICY report ON public.%I FOR SELECT TO report_service USING '
            '(%I = ANY ((SELECT public.report_municipality_ids())::integer[]))', name,
            CASE name WHEN 'municipality' THEN 'id' ELSE 'municipality_id' END);
        EXECUTE format('GRANT SELECT ON public.%I TO report_service', name);
    END LOOP;
END $$;
CREATE POLICY report ON collector_status FOR SELECT TO report_service USING (true);
GRANT SELECT ON collector_status TO report_service;
"""

_VIEWS = """
CREATE FUNCTION report.quality_word(quality integer) RETURNS text LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT (ARRAY['good', 'uncertain', 'stale', 'bad'])[1 + public.sample_grade(quality)]
$$;

CREATE FUNCTION report.tags_rows() RETURNS TABLE (key text, name text, municipality text, site text, asset text, quantity text,
    unit text, low float8, high float8, decimals integer, states text[], is_retired boolean) LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT t.key, t.name, m.key, coalesce(s.name, a.name), a.name, t.quantity, t.unit, t.low, t.high,
            t.decimals::integer, t.states, t.is_retired
        FROM public.tag AS t JOIN public.municipality AS m ON m.id = t.municipality_id
            JOIN public.asset AS a ON a.id = t.asset_id LEFT JOIN public.asset AS s ON s.id = a.parent_id;
END $$;

-- what was good when the last collector went away is not good now
CREATE FUNCTION report.latest_values_rows() RETURNS TABLE (key text, name text, municipality text, value float8, unit text,
    quality text, quality_code integer, "time" timestamptz, arrival_time timestamptz) LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_collected boolean := coalesce((SELECT c.beat_time > clock_timestamp() - interval '{absent} seconds'
        FROM public.collector_status AS c), false);
BEGIN
    RETURN QUERY SELECT t.key, t.name, m.key, l.value, t.unit,
            CASE WHEN is_collected OR public.sample_grade(l.quality) > 1 THEN report.quality_word(l.quality) ELSE 'stale' END,
            l.quality, l.source_time, l.arrival_time
        FROM public.latest AS l JOIN public.tag AS t ON t.id = l.tag_id
            JOIN public.municipality AS m ON m.id = t.municipality_id WHERE NOT t.is_retired;
END $$;

CREATE FUNCTION report.alarms_rows() RETURNS TABLE (key text, name text, municipality text, site text, asset text, kind text,
    priority integer, message text, state text, raised_time timestamptz, returned_time timestamptz,
    acknowledged_time timestamptz, acknowledged_by text, value float8, alarm_limit float8) LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT t.key, t.name, m.key, coalesce(s.name, a.name), a.name, r.kind, r.priority::integer, r.message,
            public.alarm_state(o), o.raised_time, o.returned_time, o.acknowledged_time, o.acknowledged_by, o.value,
            r.alarm_limit
        FROM public.alarm AS o JOIN public.alarm_rule AS r ON r.id = o.rule_id JOIN public.tag AS t ON t.id = r.tag_id
            JOIN public.municipality AS m ON m.id = t.municipality_id
            JOIN public.asset AS a ON a.id = t.asset_id LEFT JOIN public.asset AS s ON s.id = a.parent_id
        WHERE public.alarm_state(o) <> 'NORM';
END $$;

-- Refused where there are more than a million: half a stretch that looks like a whole one would be a wrong figure.
CREATE FUNCTION report.samples(tag_key text, start_time timestamptz, end_time timestamptz, municipality text DEFAULT NULL)
RETURNS TABLE ("time" timestamptz, value float8, quality text, quality_code integer) LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET jit = off AS $$
#variable_conflict use_column
DECLARE
    wanted integer[] := ARRAY(SELECT t.id FROM public.tag AS t JOIN public.municipality AS m ON m.id = t.municipality_id
        WHERE t.key = $1 AND ($4 IS NULL OR m.key = $4));
    many bigint;
BEGIN
    IF cardinality(wanted) > 1 THEN
        RAISE EXCEPTION 'More than one of your municipalities has a tag of this key.'
            USING HINT = 'Name the municipality as the fourth argument.';
    ELSIF cardinality(wanted) = 1 THEN
        RETURN QUERY SELECT s.source_time, s.value, report.quality_word(s.quality), s.quality FROM public.sample AS s
            WHERE s.tag_id = wanted[1] AND s.source_time >= $2 AND s.source_time < $3 ORDER BY s.source_time LIMIT 1000001;
        GET DIAGNOSTICS many = ROW_COUNT;
        IF many > 1000000 THEN
            RAISE EXCEPTION 'That is more than 1000000 samples.' USING HINT = 'Ask for a shorter stretch.';
        END IF;
    END IF;
END $$;

-- rows are numbered by the clock, so that the index by municipality and number finds a stretch of time
CREATE FUNCTION report.alarm_journal(start_time timestamptz, end_time timestamptz) RETURNS TABLE ("time" timestamptz,
    source_time timestamptz, municipality text, key text, name text, site text, asset text, kind text, priority integer,
    happening text, previous_state text, state text, value float8, alarm_limit float8, message text, person text,
    station text, comment text) LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET jit = off AS $$
#variable_conflict use_column
DECLARE
    low bigint := extract(epoch FROM least(greatest($1, '1970-01-01'), '2200-01-01')) * 1000000;
    high bigint := extract(epoch FROM greatest(least($2, '2200-01-01'), '1970-01-01')) * 1000000;
    many bigint;
BEGIN
    RETURN QUERY WITH j AS MATERIALIZED (SELECT f.* FROM unnest(public.report_municipality_ids()) AS p (place), LATERAL (
            SELECT * FROM public.alarm_journal AS o WHERE o.municipality_id = p.place AND o.id >= low AND o.id < high
                ORDER BY o.id LIMIT 200001) AS f LIMIT 200001)
        SELECT j.commit_time, j.source_time, m.key, t.key, t.name, coalesce(s.name, a.name), a.name, r.kind,
            j.priority::integer, j.happening, j.previous_state, j.state, j.value, j.alarm_limit, j.message, j.person,
            j.station, j.comment
        FROM j JOIN public.alarm_rule AS r ON r.id = j.rule_id JOIN public.tag AS t ON t.id = r.tag_id
            JOIN public.municipality AS m ON m.id = j.municipality_id
            JOIN public.asset AS a ON a.id = t.asset_id LEFT JOIN public.asset AS s ON s.id = a.parent_id ORDER BY j.id;
    GET DIAGNOSTICS many = ROW_COUNT;
    IF many > 200000 THEN
        RAISE EXCEPTION 'That is more than 200000 rows of the journal.' USING HINT = 'Ask for a shorter stretch.';
    END IF;
END $$;

DO $$
DECLARE
    one regprocedure;
    name text;
BEGIN
    FOR one IN SELECT p.oid FROM pg_proc AS p WHERE p.pronamespace = 'report'::regnamespace LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', one);
        EXECUTE format('ALTER FUNCTION %s OWNER TO report_service', one);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO viewer', one);
    END LOOP;
    REVOKE EXECUTE ON FUNCTION report.quality_word(integer) FROM viewer;
    FOREACH name IN ARRAY ARRAY['tags', 'latest_values', 'alarms'] LOOP
        EXECUTE format('CREATE VIEW report.%1$I AS SELECT * FROM report.%2$I()', name, name || '_rows');
        EXECUTE format('GRANT SELECT ON report.%I TO viewer', name);
    END LOOP;
END $$;
GRANT USAGE ON SCHEMA report TO report_service;
"""

# a column means the same wherever it stands
_WORDS = """
COMMENT ON VIEW report.tags IS 'Every measuring point, signal and set point, retired ones too';
COMMENT ON VIEW report.latest_values IS 'The newest value of every tag; never use a value without its quality';
COMMENT ON VIEW report.alarms IS 'Every alarm that is not normal now';
COMMENT ON FUNCTION report.samples(text, timestamptz, timestamptz, text) IS
    'The history of one tag from a time up to before another, at most 1000000 samples';
COMMENT ON FUNCTION report.alarm_journal(timestamptz, timestamptz) IS
    'What happened to alarms from a time up to before another, at most 200000 rows';
DO $$
DECLARE
    words jsonb := '{"key": "Key of the tag, unique in its municipality", "name": "Name of the tag",
        "municipality": "Key of the municipality", "site": "Site", "asset": "Asset, the site itself where there is none below",
        "quantity": "What is measured", "unit": "Unit of value, low, high and alarm_limit", "low": "Lower end of the range",
        "high": "Upper end of the range", "decimals": "Decimals that are worth showing",
        "states": "Words of the values 0, 1, 2 ...; empty for a measurement",
        "is_retired": "No longer collected; its history stays", "value": "The value, NULL where there is none",
        "quality": "good, uncertain, stale or bad; stale too while nothing is collected",
        "quality_code": "Upper 16 bits of the OPC UA StatusCode, as collected", "time": "When the device measured it",
        "arrival_time": "When it came to the collector", "kind": "Kind of the alarm rule", "priority": "1 is the most urgent",
        "message": "What the operator reads", "state": "State after ISA-18.2: UNACK, ACKED, RTNUN, LU, LA, SHLVD, OOSRV ...",
        "raised_time": "When it was raised", "returned_time": "When the process returned to normal",
        "acknowledged_time": "When it was acknowledged", "acknowledged_by": "By whom", "alarm_limit": "Limit of the rule"}';
    one record;
BEGIN
    FOR one IN SELECT a.attrelid::regclass AS place, a.attname AS name FROM pg_attribute AS a
            JOIN pg_class AS c ON c.oid = a.attrelid
            WHERE c.relnamespace = 'report'::regnamespace AND c.relkind = 'v' AND a.attnum > 0 LOOP
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', one.place, one.name, words ->> one.name);
    END LOOP;
    EXECUTE replace(pg_get_functiondef('seal_functions'::regproc), '''seen''::regnamespace)',
        '''seen''::regnamespace, ''report''::regnamespace)');
END $$;
SELECT seal_functions();
"""


def upgrade() -> None:
    """Make the schema, its role and what it shows."""
    # so long without a beat, and no collector is there (core/system_tags.py, as it was when this was written)
    for statements in (_ROLE, _VIEWS.replace("{absent}", "10"), _WORDS):
        op.execute(statements)


_BACK = """
DO $$
DECLARE
    one record;
BEGIN
    EXECUTE replace(pg_get_functiondef('seal_functions'::regproc), ', ''report''::regnamespace)', ')');
    DROP SCHEMA report CASCADE;
    FOR one IN SELECT polrelid::regclass AS place FROM pg_policy WHERE polname = 'report' LOOP
        EXECUTE format('DROP POLICY report ON %s', one.place);
        EXECUTE format('REVOKE ALL ON %s FROM report_service', one.place);
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION alarm_state(alarm), sample_grade(integer) FROM report_service;
DROP FUNCTION report_municipality_ids();
REVOKE ALL ON SCHEMA public FROM report_service;
"""


def downgrade() -> None:
    """Let other tools read nothing any more."""
    op.execute(_BACK)
