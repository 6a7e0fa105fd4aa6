"""Suppression by design, planned work and disabled rules.

What should hold an alarm stands in `suppression` and `planned_work`; one function, settle_holds(), compares it with what does
hold it and lets the machine make every difference a step of its own. So a cause, a work, an import of the plant and the clock
have one way to an alarm, and each step is in the journal.
"""

from importlib import import_module

from alembic import op

revision = "0007"
down_revision = "0006"

_TABLES = """
ALTER TABLE alarm_rule ADD COLUMN is_disabled boolean DEFAULT false NOT NULL;
-- by key ("design:7", "work:12"): since, until, words, by, work_order
ALTER TABLE alarm ADD COLUMN holds jsonb DEFAULT '{}' NOT NULL;
CREATE INDEX alarm_held ON alarm (rule_id) WHERE holds <> '{}';
CREATE TABLE suppression (
    id integer DEFAULT unused_id('suppression'::regclass) NOT NULL,
    municipality_id integer NOT NULL,
    name text NOT NULL,
    cause text NOT NULL,
    cause_rule_id integer,
    cause_tag_id integer,
    kind text NOT NULL,
    cause_limit float8 NOT NULL,
    deadband float8 NOT NULL,
    on_delay_s float8 NOT NULL,
    delay_s float8 NOT NULL,
    is_retired boolean DEFAULT false NOT NULL,
    number bigint DEFAULT 0 NOT NULL,
    since timestamptz,
    ends_time timestamptz,
    PRIMARY KEY (id),
    UNIQUE (municipality_id, name),
    FOREIGN KEY (municipality_id) REFERENCES municipality (id),
    FOREIGN KEY (cause_rule_id) REFERENCES alarm_rule (id) ON DELETE SET NULL,
    FOREIGN KEY (cause_tag_id) REFERENCES tag (id)
);
CREATE TABLE suppression_consequence (
    suppression_id integer NOT NULL,
    rule_id integer NOT NULL,
    municipality_id integer NOT NULL,
    PRIMARY KEY (suppression_id, rule_id),
    FOREIGN KEY (suppression_id) REFERENCES suppression (id),
    FOREIGN KEY (rule_id) REFERENCES alarm_rule (id) ON DELETE CASCADE
);
CREATE INDEX ix_suppression_consequence_rule_id ON suppression_consequence (rule_id);
CREATE TABLE planned_work (
    id integer DEFAULT unused_id('planned_work'::regclass) NOT NULL,
    municipality_id integer NOT NULL,
    asset_id integer,
    work_order text NOT NULL,
    reason text NOT NULL,
    person text NOT NULL,
    station text NOT NULL,
    planned_time timestamptz DEFAULT now() NOT NULL,
    begin_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL,
    begun_time timestamptz,
    ended_time timestamptz,
    ended_by text DEFAULT '' NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY (municipality_id) REFERENCES municipality (id),
    FOREIGN KEY (asset_id) REFERENCES asset (id)
);
CREATE INDEX planned_work_open ON planned_work (end_time) WHERE ended_time IS NULL;
SELECT forget_statistics(place) FROM unnest(ARRAY['alarm', 'alarm_rule', 'suppression', 'suppression_consequence',
    'planned_work']::regclass[]) AS place;
"""

_POLICIES = """
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['suppression', 'suppression_consequence', 'planned_work'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I FOR SELECT TO reader_service'
            ' USING (((SELECT public.my_municipalities())::boolean[])[municipality_id])', name);
        EXECUTE format('CREATE POLICY collector ON %I TO collector_service USING (true) WITH CHECK (true)', name);
        EXECUTE format('GRANT SELECT ON %I TO reader_service, collector_service', name);
        PERFORM show_table(name::regclass);
    END LOOP;
END $$;
SELECT show_table('alarm_rule');
SELECT show_table('alarm');
"""

# control_room/core/alarms.py derives the same from the same facts
_STATE = """
CREATE OR REPLACE FUNCTION alarm_state(a public.alarm) RETURNS text LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN a.out_of_service_time IS NOT NULL THEN 'OOSRV'
        WHEN a.shelved_until IS NOT NULL THEN 'SHLVD'
        WHEN a.holds <> '{}' THEN CASE WHEN EXISTS (SELECT FROM jsonb_object_keys(a.holds) AS key WHERE key LIKE 'work:%')
            THEN 'SHLVD' ELSE 'DSUPR' END
        WHEN a.is_active THEN CASE WHEN a.is_acknowledged THEN 'ACKED' ELSE 'UNACK' END
        WHEN a.is_latched THEN CASE WHEN a.is_acknowledged THEN 'LA' ELSE 'LU' END
        WHEN a.is_acknowledged THEN 'NORM' ELSE 'RTNUN' END
$$;
"""

# the machine of core/alarms.py; whoever calls it has taken turn 7202 and asked whether the person may
_STEP = """
CREATE OR REPLACE FUNCTION why_not_stepped(a public.alarm, rule public.alarm_rule, happening text, at timestamptz, words text,
    detail jsonb) RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_suppressed boolean := a.shelved_until IS NOT NULL OR a.out_of_service_time IS NOT NULL OR a.holds <> '{}';
    off text := CASE WHEN rule.is_disabled THEN 'It is disabled in the configuration.' END;
    until timestamptz := (detail ->> 'until')::timestamptz;
BEGIN
    RETURN CASE happening
        WHEN 'acknowledged' THEN CASE
            WHEN a.event_id IS DISTINCT FROM (detail ->> 'event_id')::bigint
                THEN 'The alarm has been raised again since. Look at the new occurrence first.'
            WHEN is_suppressed THEN 'It is shelved, suppressed or out of service: there is nothing to acknowledge.'
            WHEN a.is_acknowledged THEN coalesce(nullif(a.acknowledged_by, ''), 'Somebody') || ' acknowledged it already.'
            END
        WHEN 'reset' THEN CASE
            WHEN NOT a.is_latched THEN 'It is not latched, or its condition is still there.'
            WHEN NOT a.is_acknowledged THEN 'Acknowledge it first.' END
        WHEN 'shelved' THEN CASE
            WHEN rule.is_disabled THEN off
            WHEN a.out_of_service_time IS NOT NULL THEN 'It is out of service.'
            WHEN rule.shelving_limit_s <= 0 THEN 'This alarm may not be shelved.'
            WHEN until IS NULL OR until <= at THEN 'The shelving must end in the future.'
            WHEN extract(epoch FROM until - at) > rule.shelving_limit_s
                THEN format('This alarm may be shelved for at most %s min.', round(rule.shelving_limit_s::numeric / 60))
            WHEN btrim(words) = '' THEN 'A reason is needed.' END
        WHEN 'unshelved' THEN CASE WHEN a.shelved_until IS NULL THEN 'It is not shelved.' END
        WHEN 'out_of_service' THEN CASE
            WHEN rule.is_disabled THEN off
            WHEN a.out_of_service_time IS NOT NULL THEN 'It is out of service already.'
            WHEN btrim(words) = '' THEN 'A reason is needed.' END
        WHEN 'in_service' THEN CASE WHEN a.out_of_service_time IS NULL THEN 'It is in service.' END
        WHEN 'realarmed' THEN CASE WHEN NOT a.is_active OR NOT a.is_acknowledged OR is_suppressed
            THEN 'It does not stand acknowledged.' END
        WHEN 'suppressed' THEN off
        WHEN 'work_begun' THEN off
        WHEN 'unsuppressed' THEN CASE WHEN NOT a.holds ? (detail ->> 'hold') THEN 'Nothing of that kind holds it.' END
        WHEN 'work_ended' THEN CASE WHEN NOT a.holds ? (detail ->> 'hold') THEN 'Nothing of that kind holds it.' END
        WHEN 'disabled' THEN CASE
            WHEN rule.is_disabled THEN 'It is disabled already.'
            WHEN btrim(words) = '' THEN 'A reason is needed.' END
        WHEN 'enabled' THEN CASE WHEN NOT rule.is_disabled THEN 'It is enabled.' END
        WHEN 'raised' THEN NULL
        WHEN 'returned' THEN NULL
        ELSE 'There is no such step.'
    END;
END $$;

-- returns why it was not done, NULL when it was or when there was nothing to do
CREATE OR REPLACE FUNCTION step_alarm(rule_id integer, happening text, at timestamptz, measured float8, grade integer,
    person text, station text, words text, detail jsonb) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    rule public.alarm_rule;
    old public.alarm;
    a public.alarm;
    is_suppressed boolean;
    refused text;
    hold jsonb;
BEGIN
    SELECT * INTO rule FROM public.alarm_rule AS r WHERE r.id = $1;
    IF rule.id IS NULL THEN
        RETURN 'There is no such alarm.';
    END IF;
    SELECT * INTO a FROM public.alarm AS t WHERE t.rule_id = $1;
    IF a.rule_id IS NULL THEN
        a := (SELECT jsonb_populate_record(NULL::public.alarm, '{"is_active": false, "is_acknowledged": true,
            "is_latched": false, "event_id": 0, "process_number": 0, "quality": 0, "acknowledged_by": "",
            "shelved_by": "", "shelved_reason": "", "is_one_shot": false, "out_of_service_by": "",
            "out_of_service_reason": "", "work_order": "", "holds": {}}'));
    END IF;
    old := a;
    is_suppressed := a.shelved_until IS NOT NULL OR a.out_of_service_time IS NOT NULL OR a.holds <> '{}';
    refused := public.why_not_stepped(a, rule, happening, at, words, detail);
    IF refused IS NOT NULL THEN
        RETURN refused;
    END IF;
    IF rule.is_disabled AND happening IN ('raised', 'returned') THEN
        RETURN NULL;
    END IF;
    IF happening = 'raised' THEN
        IF a.is_active OR (detail ->> 'process_number')::bigint <= a.process_number THEN
            RETURN NULL;
        END IF;
        a.is_active := true;
        a.is_acknowledged := is_suppressed;
        a.is_latched := false;
        a.event_id := a.event_id + 1;
        a.process_number := (detail ->> 'process_number')::bigint;
        a.raised_time := at;
        a.returned_time := NULL;
        a.acknowledged_time := NULL;
        a.acknowledged_by := '';
        a.value := measured;
        a.quality := grade;
    ELSIF happening = 'returned' THEN
        IF NOT a.is_active OR (detail ->> 'process_number')::bigint <= a.process_number THEN
            RETURN NULL;
        END IF;
        a.is_active := false;
        a.is_latched := rule.is_latching AND NOT is_suppressed;
        a.process_number := (detail ->> 'process_number')::bigint;
        a.returned_time := at;
        IF a.is_one_shot THEN
            a.shelved_time := NULL;
            a.shelved_until := NULL;
            a.is_one_shot := false;
        END IF;
    ELSIF happening = 'acknowledged' THEN
        a.is_acknowledged := true;
        a.acknowledged_time := at;
        a.acknowledged_by := person;
    ELSIF happening = 'reset' THEN
        a.is_latched := false;
    ELSIF happening = 'shelved' THEN
        a.shelved_time := at;
        a.shelved_until := (detail ->> 'until')::timestamptz;
        a.shelved_by := person;
        a.shelved_reason := words;
        a.is_one_shot := coalesce((detail ->> 'is_one_shot')::boolean, false);
        a.is_acknowledged := true;
        a.is_latched := false;
    ELSIF happening = 'unshelved' THEN
        a.shelved_time := NULL;
        a.shelved_until := NULL;
        a.is_one_shot := false;
    ELSIF happening = 'out_of_service' THEN
        a.out_of_service_time := at;
        a.out_of_service_by := person;
        a.out_of_service_reason := words;
        a.work_order := coalesce(detail ->> 'work_order', '');
        a.is_acknowledged := true;
        a.is_latched := false;
    ELSIF happening = 'in_service' THEN
        a.out_of_service_time := NULL;
    ELSIF happening IN ('suppressed', 'work_begun') THEN
        hold := a.holds -> (detail ->> 'hold');
        IF hold -> 'until' = detail -> 'until' THEN
            RETURN NULL;
        END IF;
        a.holds := a.holds || jsonb_build_object(detail ->> 'hold', jsonb_build_object('since', coalesce(hold -> 'since',
            to_jsonb(at)), 'until', detail -> 'until', 'words', words, 'by', detail ->> 'by',
            'work_order', detail ->> 'work_order'));
        a.is_acknowledged := true;
        a.is_latched := false;
    ELSIF happening IN ('unsuppressed', 'work_ended') THEN
        a.holds := a.holds - (detail ->> 'hold');
    ELSIF happening = 'disabled' THEN
        a.process_number := a.process_number + a.is_active::integer;
        a.returned_time := CASE WHEN a.is_active THEN at ELSE a.returned_time END;
        a.is_active := false;
        a.is_acknowledged := true;
        a.is_latched := false;
        a.shelved_time := NULL;
        a.shelved_until := NULL;
        a.is_one_shot := false;
        a.out_of_service_time := NULL;
        a.holds := '{}';
    END IF;
    IF happening IN ('unshelved', 'in_service', 'realarmed', 'unsuppressed', 'work_ended') AND a.is_active
            AND a.shelved_until IS NULL AND a.out_of_service_time IS NULL AND a.holds = '{}' THEN
        -- what nobody was told of is told now, as new
        a.is_acknowledged := false;
        a.event_id := a.event_id + 1;
        a.acknowledged_time := NULL;
        a.acknowledged_by := '';
    END IF;
    a.seq := public.clock_number('public.alarm_seq');
    IF a.rule_id IS NULL THEN
        a.rule_id := $1;
        INSERT INTO public.alarm SELECT a.*;
    END IF;
    UPDATE public.alarm AS t SET is_active = a.is_active, is_acknowledged = a.is_acknowledged, is_latched = a.is_latched,
        event_id = a.event_id, process_number = a.process_number, raised_time = a.raised_time,
        returned_time = a.returned_time, acknowledged_time = a.acknowledged_time, acknowledged_by = a.acknowledged_by,
        value = a.value, quality = a.quality, shelved_time = a.shelved_time, shelved_until = a.shelved_until,
        shelved_by = a.shelved_by, shelved_reason = a.shelved_reason, is_one_shot = a.is_one_shot,
        out_of_service_time = a.out_of_service_time, out_of_service_by = a.out_of_service_by,
        out_of_service_reason = a.out_of_service_reason, work_order = a.work_order,
        holds = a.holds, seq = a.seq
        WHERE t.rule_id = $1;
    INSERT INTO public.alarm_journal (rule_id, event_id, happening, previous_state, state, trigger, source_time, value,
        quality, alarm_limit, priority, message, person, station, comment, detail)
    VALUES ($1, a.event_id, happening, public.alarm_state(old), public.alarm_state(a),
        CASE WHEN happening IN ('raised', 'returned') THEN 'process' WHEN happening IN ('suppressed', 'unsuppressed')
            THEN 'logic' WHEN happening IN ('disabled', 'enabled') THEN 'config' WHEN person = '' THEN 'timer'
            ELSE 'operator' END, at,
        CASE WHEN happening IN ('raised', 'returned') THEN measured ELSE a.value END,
        CASE WHEN happening IN ('raised', 'returned') THEN grade ELSE a.quality END,
        rule.alarm_limit, rule.priority, rule.message, person, station, words, detail - 'event_id');
    RETURN NULL;
END $$;
"""

_SETTLE = """
-- makes alarms be held by what should hold them, and by nothing else; returns how many steps that took. Whoever calls it has
-- taken turn 7202. What comes is done before what goes: nothing is announced in between.
CREATE FUNCTION settle_holds(only_key text, only_rules integer[], person text, station text, said text) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    one record;
    changed integer := 0;
BEGIN
    FOR one IN
        WITH wanted AS (
            SELECT c.rule_id, 'design:' || s.id AS key, s.ends_time AS until, s.cause AS words, '' AS planner, '' AS work_order
            FROM public.suppression AS s JOIN public.suppression_consequence AS c ON c.suppression_id = s.id
                JOIN public.alarm_rule AS r ON r.id = c.rule_id
            WHERE NOT s.is_retired AND NOT r.is_disabled AND (s.number % 2 = 1 OR s.ends_time > clock_timestamp())
            UNION ALL
            -- what may not be shelved is heard during planned work as well
            SELECT r.id, 'work:' || w.id, w.end_time, w.reason, w.person, w.work_order
            FROM public.planned_work AS w JOIN public.alarm_rule AS r ON r.municipality_id = w.municipality_id
                JOIN public.tag AS t ON t.id = r.tag_id JOIN public.asset AS p ON p.id = t.asset_id
            WHERE w.begun_time IS NOT NULL AND w.ended_time IS NULL AND NOT r.is_disabled AND r.shelving_limit_s > 0
                AND NOT t.is_retired AND (w.asset_id IS NULL OR w.asset_id = p.id OR w.asset_id = p.parent_id)),
        held AS (
            SELECT a.rule_id, h.key, (h.value ->> 'until')::timestamptz AS until, h.value ->> 'words' AS words
            FROM public.alarm AS a, jsonb_each(a.holds) AS h WHERE a.holds <> '{}')
        SELECT rule_id, key, w.rule_id IS NOT NULL AS is_wanted, w.until, coalesce(w.words, h.words) AS words, w.planner,
            w.work_order, key LIKE 'design:%' AS is_design
        FROM wanted AS w FULL JOIN held AS h USING (rule_id, key)
        WHERE (only_key IS NULL OR key = only_key) AND (only_rules IS NULL OR rule_id = ANY (only_rules))
            AND (w.rule_id IS NULL OR h.rule_id IS NULL OR w.until IS DISTINCT FROM h.until)
        ORDER BY w.rule_id IS NULL, rule_id, key
    LOOP
        PERFORM public.step_alarm(one.rule_id, CASE WHEN one.is_design
                THEN CASE WHEN one.is_wanted THEN 'suppressed' ELSE 'unsuppressed' END
                ELSE CASE WHEN one.is_wanted THEN 'work_begun' ELSE 'work_ended' END END,
            clock_timestamp(), NULL, NULL, CASE WHEN one.is_design THEN '' ELSE person END,
            CASE WHEN one.is_design THEN '' ELSE station END,
            CASE WHEN one.is_wanted THEN one.words ELSE coalesce(said, one.words) END,
            CASE WHEN one.is_wanted THEN jsonb_build_object('hold', one.key, 'until', one.until, 'by', one.planner,
                'work_order', one.work_order) ELSE jsonb_build_object('hold', one.key) END);
        changed := changed + 1;
    END LOOP;
    RETURN changed;
END $$;
"""

_COLLECTOR = """
-- an odd number: the cause is there; what is told twice is done once
CREATE FUNCTION record_causes(suppression_ids integer[], numbers bigint[], times timestamptz[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one record;
BEGIN
    PERFORM public.take_turn(7202);
    FOR one IN SELECT * FROM unnest(suppression_ids, numbers, times) AS t (id, number, at) LOOP
        UPDATE public.suppression AS s SET number = one.number,
            since = CASE WHEN one.number % 2 = 1 AND s.ends_time IS NULL THEN one.at ELSE s.since END,
            ends_time = CASE WHEN one.number % 2 = 0 THEN clock_timestamp() + make_interval(secs => s.delay_s) END
        WHERE s.id = one.id AND s.number < one.number;
        IF FOUND THEN
            PERFORM public.settle_holds('design:' || one.id, NULL, '', '', NULL);
        END IF;
    END LOOP;
    PERFORM pg_notify('process', '');
END $$;

CREATE FUNCTION is_hold_due() RETURNS boolean LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM public.suppression AS s WHERE s.ends_time <= clock_timestamp())
        OR EXISTS (SELECT FROM public.planned_work AS w WHERE w.ended_time IS NULL
            AND (w.end_time <= clock_timestamp() OR w.begun_time IS NULL AND w.begin_time <= clock_timestamp()))
$$;

-- work begins and ends by the clock, also where the collector was away: what is over before it began never begins
CREATE FUNCTION follow_clock() RETURNS integer LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    work public.planned_work;
    is_over boolean;
    changed integer := 0;
BEGIN
    -- what begins comes before what ends, so that nothing is announced in between
    FOR work IN SELECT * FROM public.planned_work AS w WHERE w.ended_time IS NULL
            AND (w.end_time <= clock_timestamp() OR w.begun_time IS NULL AND w.begin_time <= clock_timestamp())
            ORDER BY w.end_time <= clock_timestamp(), w.end_time, w.id LOOP
        is_over := work.end_time <= clock_timestamp();
        UPDATE public.planned_work AS w SET
            begun_time = CASE WHEN is_over THEN w.begun_time ELSE coalesce(w.begun_time, clock_timestamp()) END,
            ended_time = CASE WHEN is_over THEN clock_timestamp() END
            WHERE w.id = work.id;
        changed := changed + public.settle_holds('work:' || work.id, NULL, '', '',
            CASE WHEN is_over THEN 'The time ran out.' END);
        PERFORM public.write_audit(CASE WHEN is_over THEN 'end_work' ELSE 'begin_work' END, concat('work ', work.id),
            work.municipality_id, NULL, to_jsonb(work), NULL, 'By the clock.');
    END LOOP;
    UPDATE public.suppression AS s SET ends_time = NULL, since = NULL WHERE s.ends_time <= clock_timestamp();
    RETURN changed + public.settle_holds(NULL, NULL, '', '', NULL);
END $$;

CREATE OR REPLACE FUNCTION due_alarms() RETURNS TABLE (rule_id integer, happening text, words text) LANGUAGE sql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT a.rule_id, 'unshelved', 'The time ran out.' FROM public.alarm AS a WHERE a.shelved_until <= clock_timestamp()
    UNION ALL
    SELECT a.rule_id, 'realarmed', 'It still stands.' FROM public.alarm AS a
        JOIN public.alarm_rule AS r ON r.id = a.rule_id
    WHERE a.is_active AND a.is_acknowledged AND a.shelved_until IS NULL AND a.out_of_service_time IS NULL
        AND a.holds = '{}' AND r.re_alarm_s > 0
        AND a.acknowledged_time <= clock_timestamp() - make_interval(secs => r.re_alarm_s)
$$;

-- returns how many steps alarms took because time has passed
CREATE OR REPLACE FUNCTION pass_time() RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changed integer := 0;
    one record;
BEGIN
    IF NOT EXISTS (SELECT FROM public.due_alarms()) AND NOT public.is_hold_due() THEN
        RETURN 0;
    END IF;
    PERFORM public.take_turn(7202);
    -- asked again: meanwhile somebody may have done it
    FOR one IN SELECT * FROM public.due_alarms() AS d ORDER BY d.rule_id LOOP
        PERFORM public.step_alarm(one.rule_id, one.happening, clock_timestamp(), NULL, NULL, '', '', one.words, '{}');
        changed := changed + 1;
    END LOOP;
    IF public.is_hold_due() THEN
        changed := changed + public.follow_clock();
    END IF;
    PERFORM pg_notify('process', '');
    RETURN changed;
END $$;

-- what is announced again is counted as announced
DO $$
DECLARE
    one regprocedure := (SELECT p.oid FROM pg_proc AS p WHERE p.proname = 'read_announced');
BEGIN
    EXECUTE replace(pg_get_functiondef(one), '''realarmed'')', '''realarmed'', ''unsuppressed'', ''work_ended'')');
END $$;
"""

# in the audit people and stations are enabled and disabled as well
_DEED = "ELSE happening END;"
_NEW_DEED = "WHEN 'disabled' THEN 'disable_alarm' WHEN 'enabled' THEN 'enable_alarm' ELSE happening END;"
_NAME_DEEDS = """
DO $$
DECLARE
    one regprocedure := (SELECT p.oid FROM pg_proc AS p WHERE p.proname = 'act_on_alarms');
BEGIN
    EXECUTE replace(pg_get_functiondef(one), $deed${old}$deed$, $deed${new}$deed$);
END $$;
"""

_PEOPLE = """
-- disabling is a change of the configuration (ISA-18.2): an engineer's act, not an operator's
CREATE FUNCTION configure_rules(happening text, rule_ids integer[], words text)
RETURNS TABLE (rule_id integer, event_id bigint, is_done boolean, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    wanted integer[] := ARRAY(SELECT DISTINCT one FROM unnest(rule_ids) AS one ORDER BY one);
    done integer[] := '{}';
    busy constant text := 'The configuration is being changed. Try again in a moment.';
BEGIN
    IF true = ANY (public.municipalities_where('configure')) THEN
        PERFORM public.take_turn(7202);
        PERFORM public.take_turn(7205);
        BEGIN
            -- never waits for rows while it has a turn: who has the rows may wait for the turn
            PERFORM 1 FROM public.alarm_rule AS r WHERE r.id = ANY (wanted)
                AND (public.my_municipalities())[r.municipality_id] FOR NO KEY UPDATE NOWAIT;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM public.write_audit(CASE happening WHEN 'disabled' THEN 'disable_alarm' ELSE 'enable_alarm' END,
                'alarms', NULL, NULL, to_jsonb(wanted), busy, left(words, 500));
            RETURN QUERY SELECT one, 0::bigint, false, busy FROM unnest(wanted) AS one;
            RETURN;
        END;
    END IF;
    FOR rule_id, event_id, is_done, answer IN SELECT * FROM public.act_on_alarms('configure', happening, wanted,
            array_fill(0::bigint, ARRAY[cardinality(wanted)]), '{}', words) LOOP
        IF is_done THEN
            done := done || rule_id;
        END IF;
        RETURN NEXT;
    END LOOP;
    UPDATE public.alarm_rule AS r SET is_disabled = (happening = 'disabled') WHERE r.id = ANY (done);
    IF cardinality(done) > 0 THEN
        PERFORM public.settle_holds(NULL, done, '', '', NULL);
        PERFORM pg_notify('configuration', '');
    END IF;
END $$;
CREATE FUNCTION disable_alarms(rule_ids integer[], words text)
RETURNS TABLE (rule_id integer, event_id bigint, is_done boolean, answer text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM public.configure_rules('disabled', rule_ids, words)
$$;
CREATE FUNCTION enable_alarms(rule_ids integer[], words text)
RETURNS TABLE (rule_id integer, event_id bigint, is_done boolean, answer text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM public.configure_rules('enabled', rule_ids, words)
$$;

-- why this person may not plan work there, NULL when they may: on an asset also who may only shelve, elsewhere who may take out
-- of service
CREATE FUNCTION refusal_of_work(asset_id integer, municipality_id integer) RETURNS text LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    words text := public.refusal('service', $2);
BEGIN
    IF words IS NOT NULL AND EXISTS (SELECT FROM public.asset AS a WHERE a.id = $1 AND a.parent_id IS NOT NULL) THEN
        words := public.refusal('shelve', $2);
    END IF;
    RETURN words;
END $$;

-- whoever may plan work nowhere keeps nobody waiting
CREATE FUNCTION take_turn_for_work() RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF true = ANY (public.municipalities_where('shelve')) OR true = ANY (public.municipalities_where('service')) THEN
        PERFORM public.take_turn(7202);
    END IF;
END $$;

-- why there may be no such work, NULL when there may
CREATE FUNCTION why_not_planned(work public.planned_work, minutes integer) RETURNS text LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT coalesce((public.my_municipalities())[work.municipality_id], false) THEN
        RETURN coalesce(public.why_nothing(), 'There is no such municipality.');
    ELSIF work.asset_id IS NOT NULL AND NOT EXISTS (SELECT FROM public.asset AS a WHERE a.id = work.asset_id
            AND a.municipality_id = work.municipality_id) THEN
        RETURN 'There is no such site or asset.';
    END IF;
    RETURN coalesce(public.refusal_of_work(work.asset_id, work.municipality_id), CASE
        WHEN minutes IS NULL OR minutes NOT BETWEEN 1 AND 720 THEN 'Planned work lasts 1 min to 12 h.'
        WHEN work.begin_time > work.planned_time + interval '31 days' THEN 'It begins now or within 31 days.'
        WHEN work.reason = '' THEN 'A reason is needed.' END,
        (SELECT format('%s planned work there for that time already: %s. Extend that one, or end it first.', w.person,
            w.reason) FROM public.planned_work AS w WHERE w.municipality_id = work.municipality_id
            AND w.asset_id IS NOT DISTINCT FROM work.asset_id AND w.ended_time IS NULL
            AND w.begin_time < work.end_time AND w.end_time > work.begin_time LIMIT 1));
END $$;

CREATE FUNCTION begin_work(municipality_id integer, asset_id integer, begin_time timestamptz, minutes integer,
    work_order text, reason text) RETURNS TABLE (is_done boolean, words text) LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    work public.planned_work;
    held integer := 0;
BEGIN
    PERFORM public.take_turn_for_work();
    work.planned_time := clock_timestamp();
    work.municipality_id := $1;
    work.asset_id := $2;
    -- what began a moment ago by another clock begins now
    work.begin_time := greatest($3, work.planned_time);
    work.end_time := work.begin_time + make_interval(mins => least(minutes, 1000000));
    work.begun_time := CASE WHEN work.begin_time = work.planned_time THEN work.planned_time END;
    work.work_order := left(btrim(coalesce($5, '')), 100);
    work.reason := left(btrim(coalesce($6, '')), 500);
    work.person := session_user;
    work.station := coalesce((public.my_session()).station, '');
    work.ended_by := '';
    words := public.why_not_planned(work, minutes);
    is_done := words IS NULL;
    IF is_done THEN
        work.id := public.unused_id('public.planned_work');
        INSERT INTO public.planned_work SELECT work.*;
        IF work.begun_time IS NOT NULL THEN
            held := public.settle_holds('work:' || work.id, NULL, work.person, work.station, NULL);
        END IF;
        PERFORM pg_notify('process', '');
    END IF;
    PERFORM public.write_audit('begin_work', concat_ws(' ', 'work', work.id),
        (SELECT m.id FROM public.municipality AS m WHERE m.id = $1 AND (public.my_municipalities())[m.id]), NULL,
        to_jsonb(work), words, work.reason);
    words := coalesce(words, CASE WHEN work.begun_time IS NULL THEN 'Planned.'
        ELSE format('Begun: %s alarms are held.', held) END);
    RETURN NEXT;
END $$;

-- why this person may not touch the work, NULL when they may
CREATE FUNCTION why_not_work(work public.planned_work) RETURNS text LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF work.id IS NULL THEN
        RETURN coalesce(public.why_nothing(), 'There is no such work.');
    END IF;
    RETURN coalesce(public.refusal_of_work(work.asset_id, work.municipality_id), CASE
        WHEN work.ended_time IS NOT NULL AND work.ended_by = '' THEN 'It has ended: its time ran out.'
        WHEN work.ended_time IS NOT NULL THEN format('%s ended it already.', work.ended_by) END);
END $$;

CREATE FUNCTION end_work(work_id integer, reason text) RETURNS TABLE (is_done boolean, words text) LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    work public.planned_work;
    said text := left(btrim(coalesce($2, '')), 500);
BEGIN
    PERFORM public.take_turn_for_work();
    SELECT * INTO work FROM public.planned_work AS w WHERE w.id = $1 AND (public.my_municipalities())[w.municipality_id];
    words := public.why_not_work(work);
    is_done := words IS NULL;
    IF is_done THEN
        UPDATE public.planned_work AS w SET ended_time = clock_timestamp(), ended_by = session_user WHERE w.id = $1;
        PERFORM public.settle_holds('work:' || $1, NULL, session_user::text, coalesce((public.my_session()).station, ''), said);
        PERFORM pg_notify('process', '');
    END IF;
    PERFORM public.write_audit('end_work', concat('work ', $1), work.municipality_id,
        CASE WHEN work.id IS NOT NULL THEN to_jsonb(work) END, NULL, words, said);
    words := coalesce(words, 'Ended.');
    RETURN NEXT;
END $$;

-- another end, so many minutes from now or, of what has not begun, from its beginning
CREATE FUNCTION extend_work(work_id integer, minutes integer, reason text) RETURNS TABLE (is_done boolean, words text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    work public.planned_work;
    new public.planned_work;
    said text := left(btrim(coalesce($3, '')), 500);
BEGIN
    PERFORM public.take_turn_for_work();
    SELECT * INTO work FROM public.planned_work AS w WHERE w.id = $1 AND (public.my_municipalities())[w.municipality_id];
    words := coalesce(public.why_not_work(work), CASE
        WHEN minutes IS NULL OR minutes NOT BETWEEN 1 AND 720 THEN 'Planned work lasts 1 min to 12 h.'
        WHEN said = '' THEN 'A reason is needed.' END);
    is_done := words IS NULL;
    IF is_done THEN
        UPDATE public.planned_work AS w SET end_time = greatest(w.begin_time, clock_timestamp())
            + make_interval(mins => minutes) WHERE w.id = $1 RETURNING * INTO new;
        PERFORM public.settle_holds('work:' || $1, NULL, session_user::text, coalesce((public.my_session()).station, ''), NULL);
        PERFORM pg_notify('process', '');
    END IF;
    PERFORM public.write_audit('extend_work', concat('work ', $1), work.municipality_id,
        CASE WHEN work.id IS NOT NULL THEN to_jsonb(work) END,
        CASE WHEN new.id IS NOT NULL THEN to_jsonb(new) END, words, said);
    words := coalesce(words, 'It has another end.');
    RETURN NEXT;
END $$;
"""

_GRANTS = """
REVOKE ALL ON FUNCTION settle_holds(text, integer[], text, text, text), record_causes(integer[], bigint[], timestamptz[]),
    is_hold_due(), follow_clock(), configure_rules(text, integer[], text), disable_alarms(integer[], text),
    enable_alarms(integer[], text), refusal_of_work(integer, integer), take_turn_for_work(), why_not_work(planned_work),
    why_not_planned(planned_work, integer), end_work(integer, text), extend_work(integer, integer, text),
    begin_work(integer, integer, timestamptz, integer, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION record_causes(integer[], bigint[], timestamptz[]) TO collector_service;
GRANT EXECUTE ON FUNCTION disable_alarms(integer[], text), enable_alarms(integer[], text), end_work(integer, text),
    extend_work(integer, integer, text), begin_work(integer, integer, timestamptz, integer, text, text) TO person;
SELECT seal_functions();
"""


def upgrade() -> None:
    """Add what may hold an alarm, and the steps that it makes."""
    deeds = _NAME_DEEDS.format(old=_DEED, new=_NEW_DEED)
    for statements in (_TABLES, _POLICIES, _STATE, _STEP, _SETTLE, _COLLECTOR, deeds, _PEOPLE, _GRANTS):
        op.execute(statements)


_DROPS = """
SELECT hide_table(name::regclass) FROM unnest(ARRAY['suppression', 'suppression_consequence', 'planned_work', 'alarm_rule',
    'alarm']) AS name;
DROP FUNCTION begin_work(integer, integer, timestamptz, integer, text, text), end_work(integer, text),
    extend_work(integer, integer, text), why_not_work(planned_work), why_not_planned(planned_work, integer),
    refusal_of_work(integer, integer), take_turn_for_work(), disable_alarms(integer[], text), enable_alarms(integer[], text),
    configure_rules(text, integer[], text), record_causes(integer[], bigint[], timestamptz[]), is_hold_due(),
    follow_clock(), settle_holds(text, integer[], text, text, text);
DROP TABLE suppression_consequence, suppression, planned_work;
DO $$
DECLARE
    one regprocedure := (SELECT p.oid FROM pg_proc AS p WHERE p.proname = 'read_announced');
BEGIN
    EXECUTE replace(pg_get_functiondef(one), ', ''unsuppressed'', ''work_ended'')', ')');
END $$;
ALTER TABLE alarm DROP COLUMN holds;
ALTER TABLE alarm_rule DROP COLUMN is_disabled;
SELECT show_table('alarm_rule'), show_table('alarm');
"""


def downgrade() -> None:
    """Forget holds and disabled rules; journal rows of them stay, with words that nobody knows then."""
    op.execute(_DROPS)
    op.execute(_NAME_DEEDS.format(old=_NEW_DEED, new=_DEED))
    earlier = import_module("db.migrations.versions.0005_alarm_lifecycle")
    collector = earlier._COLLECTOR[earlier._COLLECTOR.index("-- returns how many") : earlier._COLLECTOR.index("REVOKE")]
    state = earlier._STATE[earlier._STATE.index("CREATE") :]
    for statements in (state, earlier._STEP, collector):
        words = statements.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
        words = words.replace("nextval('public.alarm_seq')", "public.clock_number('public.alarm_seq')")
        op.execute(words.replace("pg_notify('alarms',", "pg_notify('process',"))
    op.execute("SELECT seal_functions()")
