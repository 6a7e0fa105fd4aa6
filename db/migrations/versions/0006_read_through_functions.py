"""People read through functions, and numbers count nothing.

A plan tells of every row that it met, whoever it belongs to, and a counter tells how much others do. So people and
stations read no table any more: functions of the role `reader_service`, which the policies bind, give them rows, and a plan
shows a function and no more. In the schema `seen` a view of the same name stands for each table that is small enough to be
read whole.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

_READER = """
DO $$
BEGIN
    CREATE ROLE reader_service NOLOGIN;
-- roles belong to the whole server: another database may have made it already
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
CREATE SCHEMA seen;
GRANT USAGE ON SCHEMA seen TO viewer, person, station_service;
GRANT USAGE ON SCHEMA public TO reader_service;
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT polname AS name, polrelid::regclass AS place FROM pg_policy
            WHERE polname IN ('tenant', 'readers', 'everybody') LOOP
        EXECUTE format('ALTER POLICY %I ON %s TO reader_service', one.name, one.place);
    END LOOP;
    FOR one IN SELECT c.oid::regclass AS place FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace
            AND c.relkind IN ('r', 'p') AND has_table_privilege('viewer', c.oid, 'SELECT') AND c.relrowsecurity LOOP
        EXECUTE format('REVOKE ALL ON %s FROM viewer', one.place);
        EXECUTE format('GRANT SELECT ON %s TO reader_service', one.place);
    END LOOP;
END $$;
REVOKE SELECT (id, municipality_id, name, driver, is_enabled) ON connection FROM viewer;
GRANT SELECT (id, municipality_id, name, driver, is_enabled) ON connection TO reader_service;
REVOKE ALL ON audit FROM auditor, administrator;
GRANT SELECT ON audit TO reader_service;
REVOKE EXECUTE ON FUNCTION my_municipalities(), my_municipality_ids() FROM viewer;
REVOKE EXECUTE ON FUNCTION municipalities_where(text) FROM auditor, administrator;
GRANT EXECUTE ON FUNCTION my_municipalities(), my_municipality_ids(), municipalities_where(text), alarm_state(alarm)
    TO reader_service;

CREATE OR REPLACE FUNCTION follow_memberships(login text) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    one text;
BEGIN
    FOREACH one IN ARRAY ARRAY['viewer', 'operator', 'supervisor', 'engineer', 'administrator', 'auditor'] LOOP
        IF EXISTS (SELECT FROM public.membership AS m WHERE m.login = $1 AND m.role = one) THEN
            EXECUTE format('GRANT %I TO %I', one, $1);
        ELSE
            EXECUTE format('REVOKE %I FROM %I', one, $1);
        END IF;
    END LOOP;
    -- what a client asks of a table by its name comes from the view
    EXECUTE format('ALTER ROLE %I SET search_path = seen, public', $1);
END $$;
-- somebody may have taken a role away by hand
SELECT follow_memberships(a.login) FROM account AS a JOIN pg_roles AS r ON r.rolname = a.login
    WHERE a.kind IN ('person', 'station');
"""

_SHOW = """
-- a view in `seen` of what the reader may select of a table; to be called again when the table's columns changed
CREATE FUNCTION show_table(place regclass, groups text DEFAULT 'viewer') RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name name := (SELECT c.relname FROM pg_class AS c WHERE c.oid = place);
    columns text;
    types text;
BEGIN
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum),
        string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
        INTO columns, types
        FROM pg_attribute AS a WHERE a.attrelid = place AND a.attnum > 0 AND NOT a.attisdropped
            AND has_column_privilege('reader_service', place, a.attnum, 'SELECT');
    PERFORM public.hide_table(place);
    EXECUTE format('CREATE FUNCTION seen.%I() RETURNS TABLE (%s) LANGUAGE plpgsql STABLE SECURITY DEFINER'
        ' SET search_path = pg_catalog, pg_temp AS $f$ #variable_conflict use_column'
        ' BEGIN RETURN QUERY SELECT %s FROM public.%I; END $f$', name || '_rows', types, columns, name);
    EXECUTE format('ALTER FUNCTION seen.%I() OWNER TO reader_service', name || '_rows');
    EXECUTE format('REVOKE ALL ON FUNCTION seen.%I() FROM PUBLIC', name || '_rows');
    EXECUTE format('GRANT EXECUTE ON FUNCTION seen.%I() TO %s', name || '_rows', groups);
    EXECUTE format('CREATE VIEW seen.%1$I AS SELECT * FROM seen.%2$I()', name, name || '_rows');
    EXECUTE format('GRANT SELECT ON seen.%I TO %s', name, groups);
END $$;

CREATE FUNCTION hide_table(place regclass) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name name := (SELECT c.relname FROM pg_class AS c WHERE c.oid = place);
BEGIN
    EXECUTE format('DROP VIEW IF EXISTS seen.%I', name);
    EXECUTE format('DROP FUNCTION IF EXISTS seen.%I()', name || '_rows');
END $$;

-- by a setting of their own people would see the plans of what a function asks
CREATE FUNCTION seal_functions() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one regprocedure;
BEGIN
    FOR one IN SELECT p.oid FROM pg_proc AS p WHERE p.prosecdef
            AND p.pronamespace IN ('public'::regnamespace, 'seen'::regnamespace)
            AND NOT coalesce('debug_print_plan=off' = ANY (p.proconfig), false) LOOP
        EXECUTE format('ALTER FUNCTION %s SET debug_print_plan = off', one);
    END LOOP;
END $$;
"""

# Where a plan is made with values instead of parameters, the planner knows how much is asked for, as it would of a query.
# No function looks for what another municipality has: EXPLAIN (BUFFERS) would tell that it was found.
_READ = """
CREATE FUNCTION read_latest(wanted integer[], after bigint, new integer[]) RETURNS TABLE (tag_id integer, value float8,
    quality integer, source_time timestamptz, arrival_time timestamptz, seq bigint) LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT l.tag_id, l.value, l.quality, l.source_time, l.arrival_time, l.seq FROM public.latest AS l
        WHERE l.tag_id = ANY (wanted) AND (l.seq > after OR l.tag_id = ANY (new));
END $$;

-- what changed after a number, in order; after a negative one: all that is not normal
CREATE FUNCTION read_alarms(after bigint) RETURNS SETOF public.alarm LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF after >= 0 THEN
        RETURN QUERY SELECT * FROM public.alarm AS a WHERE a.seq > after ORDER BY a.seq;
    ELSE
        RETURN QUERY SELECT * FROM public.alarm AS a WHERE public.alarm_state(a) <> 'NORM' ORDER BY a.seq;
    END IF;
END $$;

CREATE FUNCTION newest_alarm_seq() RETURNS bigint LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT coalesce(max(a.seq), 0) FROM public.alarm AS a);
END $$;

-- of one rule the newest rows, the newest first
CREATE FUNCTION read_journal(rule_id integer, most integer) RETURNS SETOF public.alarm_journal LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
BEGIN
    IF EXISTS (SELECT FROM public.alarm_rule AS r WHERE r.id = $1) THEN
        RETURN QUERY SELECT * FROM public.alarm_journal AS j WHERE j.rule_id = $1 ORDER BY j.id DESC LIMIT most;
    END IF;
END $$;

-- how many alarms were announced in each ten seconds, by the end of the ten seconds
CREATE FUNCTION read_announced(since timestamptz) RETURNS TABLE ("time" timestamptz, many bigint) LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
BEGIN
    RETURN QUERY SELECT to_timestamp(10 * floor(extract(epoch FROM j.commit_time) / 10) + 10), count(*)
        FROM public.alarm_journal AS j WHERE j.commit_time > since AND j.state = 'UNACK'
            AND j.happening IN ('raised', 'unshelved', 'in_service', 'realarmed')
        GROUP BY 1 ORDER BY 1;
END $$;

-- core/samples.py, grade(): 0 good, 1 uncertain, 2 stale, 3 bad
CREATE FUNCTION sample_grade(quality integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN quality >= 32768 THEN 3 WHEN quality IN (16527, 16528) THEN 2 WHEN quality >= 16384 THEN 1 ELSE 0 END
$$;

-- The samples of a stretch and the last one from before it, in columns of one row: a row for each would have to be kept in
-- between. None where there are more than `most`.
CREATE FUNCTION read_samples(tag_id integer, begin_time timestamptz, end_time timestamptz, most integer)
RETURNS TABLE (times_s float8[], "values" float8[], grades integer[]) LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (SELECT FROM public.tag AS t WHERE t.id = $1)
            OR (SELECT count(*) FROM (SELECT FROM public.sample AS s WHERE s.tag_id = $1 AND s.source_time >= begin_time
                AND s.source_time <= end_time LIMIT most + 1) AS first_rows) > most THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT array_agg(extract(epoch FROM f.source_time)::float8), array_agg(f.value),
            array_agg(public.sample_grade(f.quality)) FROM (
        (SELECT s.source_time, s.value, s.quality FROM public.sample AS s
            WHERE s.tag_id = $1 AND s.source_time < begin_time ORDER BY s.source_time DESC LIMIT 1)
        UNION ALL
        (SELECT s.source_time, s.value, s.quality FROM public.sample AS s
            WHERE s.tag_id = $1 AND s.source_time >= begin_time AND s.source_time <= end_time ORDER BY s.source_time)) AS f;
END $$;

-- The same, reduced to one entry for each stretch of so many seconds. How a stretch ends is looked up by the index: sorting the
-- samples of every stretch would cost several times as much.
CREATE FUNCTION read_columns(tag_id integer, begin_time timestamptz, end_time timestamptz, width_s float8)
RETURNS TABLE (times_s float8[], lows float8[], highs float8[], lasts float8[], grades integer[], worsts integer[])
LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (SELECT FROM public.tag AS t WHERE t.id = $1) THEN
        RETURN;
    END IF;
    RETURN QUERY
        WITH in_columns AS (
            SELECT min(s.source_time) AS first_time, max(s.source_time) AS last_time,
                max(s.source_time) FILTER (WHERE public.sample_grade(s.quality) <= 1) AS last_ok_time,
                min(s.value) FILTER (WHERE public.sample_grade(s.quality) <= 1) AS low,
                max(s.value) FILTER (WHERE public.sample_grade(s.quality) <= 1) AS high,
                max(public.sample_grade(s.quality)) AS worst
            FROM public.sample AS s WHERE s.tag_id = $1 AND s.source_time >= begin_time AND s.source_time <= end_time
            GROUP BY floor(extract(epoch FROM s.source_time - begin_time) / width_s))
        SELECT array_agg(extract(epoch FROM f.time)::float8), array_agg(f.low), array_agg(f.high), array_agg(f.last),
            array_agg(f.grade), array_agg(f.worst) FROM (
            (SELECT s.source_time AS time, s.value AS low, s.value AS high, s.value AS last,
                public.sample_grade(s.quality) AS grade, public.sample_grade(s.quality) AS worst
                FROM public.sample AS s WHERE s.tag_id = $1 AND s.source_time < begin_time ORDER BY s.source_time DESC LIMIT 1)
            UNION ALL
            (SELECT c.first_time, c.low, c.high,
                (SELECT s.value FROM public.sample AS s WHERE s.tag_id = $1 AND s.source_time = c.last_ok_time
                    AND public.sample_grade(s.quality) <= 1 LIMIT 1),
                (SELECT max(public.sample_grade(s.quality)) FROM public.sample AS s
                    WHERE s.tag_id = $1 AND s.source_time = c.last_time), c.worst
                FROM in_columns AS c ORDER BY c.first_time)) AS f;
END $$;

-- The newest entries first, before a time. Numbers of entries count over all municipalities: only who reads them all sees them.
CREATE FUNCTION read_audit(wanted jsonb, before timestamptz, most integer) RETURNS SETOF public.audit LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    entry public.audit;
    is_national boolean := coalesce((public.municipalities_where('read_audit'))[0], false);
BEGIN
    FOR entry IN SELECT * FROM public.audit AS a WHERE (before IS NULL OR a.time < before)
            AND (wanted ->> 'person' IS NULL OR strpos(lower(a.person), lower(wanted ->> 'person')) > 0)
            AND (wanted ->> 'object' IS NULL OR strpos(lower(a.object), lower(wanted ->> 'object')) > 0)
            AND (wanted ->> 'action' IS NULL OR a.action = wanted ->> 'action')
            AND (wanted ->> 'is_done' IS NULL OR a.is_done = (wanted ->> 'is_done')::boolean)
            AND (wanted ->> 'start' IS NULL OR a.time >= (wanted ->> 'start')::timestamptz)
            AND (wanted ->> 'end' IS NULL OR a.time < (wanted ->> 'end')::timestamptz)
            ORDER BY a.time DESC, a.id DESC LIMIT most LOOP
        IF NOT is_national THEN
            entry.id := NULL;
        END IF;
        RETURN NEXT entry;
    END LOOP;
END $$;

DO $$
DECLARE
    one regprocedure;
BEGIN
    FOR one IN SELECT p.oid FROM pg_proc AS p WHERE p.pronamespace = 'public'::regnamespace AND p.proname IN
            ('read_latest', 'read_alarms', 'newest_alarm_seq', 'read_journal', 'read_announced', 'read_samples',
            'read_columns', 'read_audit', 'sample_grade') LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO reader_service', one);
    END LOOP;
END $$;
SELECT show_table(name::regclass) FROM unnest(ARRAY['municipality', 'network', 'network_node', 'network_link', 'asset',
    'connection', 'tag', 'alarm_rule', 'alarm', 'latest', 'link_status', 'collector_status']) AS name;
"""

# A number that counts over all municipalities tells one how busy the others are. What must be in order is numbered by the
# clock, which everybody knows; what needs no order gets any number.
_NUMBERS = """
-- microseconds since 1970, each greater than the one before; whoever calls it has taken the turn that goes with the counter
CREATE FUNCTION clock_number(counter regclass) RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    number bigint := nextval(counter);
    clock bigint := extract(epoch FROM clock_timestamp()) * 1000000;
BEGIN
    IF clock > number THEN
        PERFORM setval(counter, clock);
        number := clock;
    END IF;
    RETURN number;
END $$;

CREATE FUNCTION unused_id(place regclass) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    number integer;
    is_used boolean;
BEGIN
    LOOP
        number := 1 + floor(random() * 2147483646)::integer;
        EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE id = $1)', place) INTO is_used USING number;
        IF NOT is_used THEN
            RETURN number;
        END IF;
    END LOOP;
END $$;
DO $$
DECLARE
    name text;
    step regprocedure := (SELECT p.oid FROM pg_proc AS p WHERE p.proname = 'step_alarm');
BEGIN
    FOREACH name IN ARRAY ARRAY['asset', 'connection', 'tag', 'alarm_rule'] LOOP
        EXECUTE format('ALTER TABLE %1$I ALTER COLUMN id SET DEFAULT unused_id(''%1$I''::regclass)', name);
        EXECUTE format('DROP SEQUENCE %I', name || '_id_seq');
    END LOOP;
    EXECUTE replace(pg_get_functiondef(step), 'nextval(''public.alarm_seq'')', 'public.clock_number(''public.alarm_seq'')');
END $$;
ALTER TABLE alarm_journal ALTER COLUMN id SET DEFAULT clock_number('alarm_journal_id_seq'::regclass);
-- one word for values and alarms: values come all the time, so it does not tell that somebody somewhere has an alarm
DO $$
DECLARE
    one regprocedure := (SELECT p.oid FROM pg_proc AS p WHERE p.proname = 'comment_alarm');
BEGIN
    -- whoever writes to the journal takes the turn, for its numbers
    EXECUTE replace(pg_get_functiondef(one), 'INSERT INTO public.alarm_journal',
        'PERFORM public.take_turn(7202); INSERT INTO public.alarm_journal');
    FOR one IN SELECT p.oid FROM pg_proc AS p WHERE p.pronamespace = 'public'::regnamespace
            AND p.prosrc LIKE '%pg_notify(''alarms'',%' LOOP
        EXECUTE replace(pg_get_functiondef(one), 'pg_notify(''alarms'',', 'pg_notify(''process'',');
    END LOOP;
END $$;
REVOKE ALL ON SEQUENCE latest_seq FROM collector_service;
"""

# how many rows a table has and how many were written to it, over all municipalities
_OF_THE_SERVER = """
DO $$
DECLARE
    one regprocedure;
    columns text;
BEGIN
    FOR one IN SELECT p.oid FROM pg_proc AS p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND (
            p.proname ~ '^pg_stat_get_' AND p.proname !~ '^pg_stat_get_(activity|backend|wal_senders|wal_receiver|snapshot)'
            OR p.proname ~ '^pg_(relation|table|indexes|total_relation)_size$') LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', one);
    END LOOP;
    SELECT string_agg(quote_ident(a.attname), ', ') INTO columns FROM pg_attribute AS a
        WHERE a.attrelid = 'pg_class'::regclass AND NOT a.attisdropped
            AND a.attname NOT IN ('relpages', 'reltuples', 'relallvisible', 'relallfrozen');
    REVOKE SELECT ON pg_class FROM PUBLIC;
    EXECUTE format('GRANT SELECT (%s) ON pg_class TO PUBLIC', columns);
END $$;
"""

_GRANTS = """
REVOKE ALL ON FUNCTION show_table(regclass, text), hide_table(regclass), seal_functions(), clock_number(regclass),
    unused_id(regclass), read_latest(integer[], bigint, integer[]), read_alarms(bigint), newest_alarm_seq(),
    read_journal(integer, integer), read_announced(timestamptz), sample_grade(integer),
    read_samples(integer, timestamptz, timestamptz, integer), read_columns(integer, timestamptz, timestamptz, float8),
    read_audit(jsonb, timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION read_latest(integer[], bigint, integer[]), read_alarms(bigint), newest_alarm_seq(),
    read_journal(integer, integer), read_announced(timestamptz),
    read_samples(integer, timestamptz, timestamptz, integer), read_columns(integer, timestamptz, timestamptz, float8)
    TO viewer;
GRANT EXECUTE ON FUNCTION read_audit(jsonb, timestamptz, integer) TO auditor, administrator;
GRANT EXECUTE ON FUNCTION clock_number(regclass) TO collector_service;
REVOKE EXECUTE ON FUNCTION alarm_state(alarm) FROM viewer;
SELECT seal_functions();
"""


def upgrade() -> None:
    """Put functions between people and tables; number by the clock or by chance; close the server's counters."""
    for statements in (_READER, _SHOW, _READ, _NUMBERS, _OF_THE_SERVER, _GRANTS):
        op.execute(statements)


_BACK = """
DROP SCHEMA seen CASCADE;
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT polname AS name, polrelid::regclass AS place FROM pg_policy
            WHERE polname IN ('tenant', 'everybody') LOOP
        EXECUTE format('ALTER POLICY %I ON %s TO viewer', one.name, one.place);
        EXECUTE format('REVOKE ALL ON %s FROM reader_service', one.place);
        IF one.place <> 'connection'::regclass THEN
            EXECUTE format('GRANT SELECT ON %s TO viewer', one.place);
        END IF;
    END LOOP;
    FOR one IN SELECT name FROM unnest(ARRAY['asset', 'connection', 'tag', 'alarm_rule']) AS name LOOP
        EXECUTE format('CREATE SEQUENCE %1$I AS integer OWNED BY %2$I.id', one.name || '_id_seq', one.name);
        EXECUTE format('SELECT setval(%1$L, 1 + coalesce(max(id), 0), false) FROM %2$I', one.name || '_id_seq', one.name);
        EXECUTE format('ALTER TABLE %2$I ALTER COLUMN id SET DEFAULT nextval(%1$L)', one.name || '_id_seq', one.name);
    END LOOP;
    EXECUTE replace(pg_get_functiondef((SELECT p.oid FROM pg_proc AS p WHERE p.proname = 'step_alarm')),
        'public.clock_number(''public.alarm_seq'')', 'nextval(''public.alarm_seq'')');
    ALTER TABLE alarm_journal ALTER COLUMN id SET DEFAULT nextval('alarm_journal_id_seq');
    FOR one IN SELECT oid AS name FROM pg_proc WHERE pronamespace = 'public'::regnamespace
            AND prosrc LIKE '%pg_notify(''process'',%' LOOP
        EXECUTE replace(pg_get_functiondef(one.name), 'pg_notify(''process'',', 'pg_notify(''alarms'',');
    END LOOP;
    FOR one IN SELECT oid::regprocedure AS name FROM pg_proc WHERE pronamespace = 'public'::regnamespace
            AND (proname ~ '^read_(latest|alarms|journal|announced|samples|columns|audit)$' OR proname IN ('newest_alarm_seq',
            'sample_grade', 'show_table', 'hide_table', 'seal_functions', 'clock_number', 'unused_id')) LOOP
        EXECUTE format('DROP FUNCTION %s', one.name);
    END LOOP;
    FOR one IN SELECT oid::regprocedure AS name FROM pg_proc WHERE 'debug_print_plan=off' = ANY (proconfig) LOOP
        EXECUTE format('ALTER FUNCTION %s RESET debug_print_plan', one.name);
    END LOOP;
    FOR one IN SELECT oid::regprocedure AS name FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
            AND (proname ~ '^pg_stat_get_' OR proname ~ '^pg_(relation|table|indexes|total_relation)_size$') LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO PUBLIC', one.name);
    END LOOP;
END $$;
GRANT SELECT ON pg_class TO PUBLIC;
ALTER POLICY readers ON audit TO auditor, administrator;
REVOKE ALL ON audit FROM reader_service;
GRANT SELECT ON audit TO auditor, administrator;
REVOKE SELECT (id, municipality_id, name, driver, is_enabled) ON connection FROM reader_service;
GRANT SELECT (id, municipality_id, name, driver, is_enabled) ON connection TO viewer;
REVOKE ALL ON SCHEMA public FROM reader_service;
REVOKE EXECUTE ON FUNCTION my_municipalities(), my_municipality_ids(), municipalities_where(text), alarm_state(alarm)
    FROM reader_service;
GRANT EXECUTE ON FUNCTION my_municipalities(), my_municipality_ids(), alarm_state(alarm) TO viewer;
GRANT EXECUTE ON FUNCTION municipalities_where(text) TO auditor, administrator;
GRANT USAGE ON SEQUENCE latest_seq TO collector_service;
"""


def downgrade() -> None:
    """Let people read tables again; the search path that their roles have names a schema that is gone, which harms nobody."""
    op.execute(_BACK)
