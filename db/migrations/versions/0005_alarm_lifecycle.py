"""The alarm's whole life in the database: latched, shelved, out of service, announced again; one function makes every
transition. Rules that compare two tags or look at a stretch of time."""

from importlib import import_module

from alembic import op

revision = "0005"
down_revision = "0004"

_TABLES = """
ALTER TABLE alarm_rule ADD COLUMN is_latching boolean DEFAULT false NOT NULL,
    ADD COLUMN shelving_limit_s float8 DEFAULT 28800 NOT NULL,
    ADD COLUMN re_alarm_s float8 DEFAULT 0 NOT NULL,
    ADD COLUMN other_tag_id integer REFERENCES tag (id),
    ADD COLUMN window_s float8 DEFAULT 60 NOT NULL;
ALTER TABLE alarm ADD COLUMN is_latched boolean DEFAULT false NOT NULL,
    ADD COLUMN process_number bigint DEFAULT 0 NOT NULL,
    ADD COLUMN shelved_time timestamptz,
    ADD COLUMN shelved_until timestamptz,
    ADD COLUMN shelved_by text DEFAULT '' NOT NULL,
    ADD COLUMN shelved_reason text DEFAULT '' NOT NULL,
    ADD COLUMN is_one_shot boolean DEFAULT false NOT NULL,
    ADD COLUMN out_of_service_time timestamptz,
    ADD COLUMN out_of_service_by text DEFAULT '' NOT NULL,
    ADD COLUMN out_of_service_reason text DEFAULT '' NOT NULL,
    ADD COLUMN work_order text DEFAULT '' NOT NULL;
CREATE INDEX alarm_shelved_until ON alarm (shelved_until) WHERE shelved_until IS NOT NULL;
CREATE INDEX alarm_standing ON alarm (acknowledged_time) WHERE is_active AND is_acknowledged;
ALTER TABLE alarm_journal ADD COLUMN happening text, ADD COLUMN detail jsonb DEFAULT '{}' NOT NULL;
ALTER TABLE alarm_journal DISABLE TRIGGER alarm_journal_append_only;
UPDATE alarm_journal SET happening = CASE trigger WHEN 'operator' THEN 'acknowledged' WHEN 'comment' THEN 'commented'
    ELSE CASE WHEN state IN ('UNACK', 'ACKED') THEN 'raised' ELSE 'returned' END END;
ALTER TABLE alarm_journal ENABLE TRIGGER alarm_journal_append_only;
ALTER TABLE alarm_journal ALTER COLUMN happening SET NOT NULL;
SELECT forget_statistics(place) FROM unnest(ARRAY['alarm', 'alarm_rule', 'alarm_journal']::regclass[]) AS place;
-- what the process did so far: each raising, and each return but of those that are active now
UPDATE alarm SET process_number = 2 * event_id - CASE WHEN is_active THEN 1 ELSE 0 END;

INSERT INTO action (key, title, is_national) VALUES
    ('shelve', 'shelve alarms', false), ('service', 'take alarms out of service', false);
INSERT INTO role_right (role, action) VALUES
    ('operator', 'shelve'), ('supervisor', 'shelve'), ('supervisor', 'service'), ('engineer', 'service');
"""

_STATE = """
DROP FUNCTION alarm_state(boolean, boolean);
CREATE FUNCTION alarm_state(a public.alarm) RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN a.out_of_service_time IS NOT NULL THEN 'OOSRV' WHEN a.shelved_until IS NOT NULL THEN 'SHLVD'
        WHEN a.is_active THEN CASE WHEN a.is_acknowledged THEN 'ACKED' ELSE 'UNACK' END
        WHEN a.is_latched THEN CASE WHEN a.is_acknowledged THEN 'LA' ELSE 'LU' END
        WHEN a.is_acknowledged THEN 'NORM' ELSE 'RTNUN' END
$$;
"""

# the machine of core/alarms.py; whoever calls it has taken turn 7202 and asked whether the person may
_STEP = """
CREATE FUNCTION why_not_stepped(a public.alarm, rule public.alarm_rule, happening text, at timestamptz, words text,
    detail jsonb) RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_suppressed boolean := a.shelved_until IS NOT NULL OR a.out_of_service_time IS NOT NULL;
    until timestamptz := (detail ->> 'until')::timestamptz;
BEGIN
    RETURN CASE happening
        WHEN 'acknowledged' THEN CASE
            WHEN a.event_id IS DISTINCT FROM (detail ->> 'event_id')::bigint
                THEN 'The alarm has been raised again since. Look at the new occurrence first.'
            WHEN is_suppressed THEN 'It is shelved or out of service: there is nothing to acknowledge.'
            WHEN a.is_acknowledged THEN coalesce(nullif(a.acknowledged_by, ''), 'Somebody') || ' acknowledged it already.'
            END
        WHEN 'reset' THEN CASE
            WHEN NOT a.is_latched THEN 'It is not latched, or its condition is still there.'
            WHEN NOT a.is_acknowledged THEN 'Acknowledge it first.' END
        WHEN 'shelved' THEN CASE
            WHEN a.out_of_service_time IS NOT NULL THEN 'It is out of service.'
            WHEN rule.shelving_limit_s <= 0 THEN 'This alarm may not be shelved.'
            WHEN until IS NULL OR until <= at THEN 'The shelving must end in the future.'
            WHEN extract(epoch FROM until - at) > rule.shelving_limit_s
                THEN format('This alarm may be shelved for at most %s min.', round(rule.shelving_limit_s::numeric / 60))
            WHEN btrim(words) = '' THEN 'A reason is needed.' END
        WHEN 'unshelved' THEN CASE WHEN a.shelved_until IS NULL THEN 'It is not shelved.' END
        WHEN 'out_of_service' THEN CASE
            WHEN a.out_of_service_time IS NOT NULL THEN 'It is out of service already.'
            WHEN btrim(words) = '' THEN 'A reason is needed.' END
        WHEN 'in_service' THEN CASE WHEN a.out_of_service_time IS NULL THEN 'It is in service.' END
        WHEN 'realarmed' THEN CASE WHEN NOT a.is_active OR NOT a.is_acknowledged OR is_suppressed
            THEN 'It does not stand acknowledged.' END
        WHEN 'raised' THEN NULL
        WHEN 'returned' THEN NULL
        ELSE 'There is no such step.'
    END;
END $$;

-- returns why it was not done, NULL when it was or when there was nothing to do
CREATE FUNCTION step_alarm(rule_id integer, happening text, at timestamptz, measured float8, grade integer, person text,
    station text, words text, detail jsonb) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    rule public.alarm_rule;
    old public.alarm;
    a public.alarm;
    is_suppressed boolean;
    refused text;
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
            "out_of_service_reason": "", "work_order": ""}'));
    END IF;
    old := a;
    is_suppressed := a.shelved_until IS NOT NULL OR a.out_of_service_time IS NOT NULL;
    refused := public.why_not_stepped(a, rule, happening, at, words, detail);
    IF refused IS NOT NULL THEN
        RETURN refused;
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
    END IF;
    IF happening IN ('unshelved', 'in_service', 'realarmed') AND a.is_active AND a.shelved_until IS NULL
            AND a.out_of_service_time IS NULL THEN
        -- what nobody was told of is told now, as new
        a.is_acknowledged := false;
        a.event_id := a.event_id + 1;
        a.acknowledged_time := NULL;
        a.acknowledged_by := '';
    END IF;
    a.seq := nextval('public.alarm_seq');
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
        out_of_service_reason = a.out_of_service_reason, work_order = a.work_order, seq = a.seq
        WHERE t.rule_id = $1;
    INSERT INTO public.alarm_journal (rule_id, event_id, happening, previous_state, state, trigger, source_time, value,
        quality, alarm_limit, priority, message, person, station, comment, detail)
    VALUES ($1, a.event_id, happening, public.alarm_state(old), public.alarm_state(a),
        CASE WHEN happening IN ('raised', 'returned') THEN 'process' WHEN person = '' THEN 'timer' ELSE 'operator' END, at,
        CASE WHEN happening IN ('raised', 'returned') THEN measured ELSE a.value END,
        CASE WHEN happening IN ('raised', 'returned') THEN grade ELSE a.quality END,
        rule.alarm_limit, rule.priority, rule.message, person, station, words, detail - 'event_id');
    RETURN NULL;
END $$;
"""

_COLLECTOR = """
CREATE FUNCTION record_process(rule_ids integer[], numbers bigint[], happenings text[], times timestamptz[],
    measured float8[], grades integer[]) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one record;
BEGIN
    IF NOT happenings <@ ARRAY['raised', 'returned'] THEN
        RAISE EXCEPTION 'The process raises and returns alarms, and does nothing else to them.';
    END IF;
    PERFORM public.take_turn(7202);
    FOR one IN SELECT * FROM unnest(rule_ids, numbers, happenings, times, measured, grades)
            AS t (rule_id, number, happening, at, measured, grade) LOOP
        PERFORM public.step_alarm(one.rule_id, one.happening, one.at, one.measured, one.grade, '', '', '',
            jsonb_build_object('process_number', one.number));
    END LOOP;
    PERFORM pg_notify('alarms', '');
END $$;

-- returns how many alarms changed, because their shelving ran out or because they stand for too long
CREATE FUNCTION pass_time() RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changed integer := 0;
    one record;
BEGIN
    IF NOT EXISTS (SELECT FROM public.due_alarms()) THEN
        RETURN 0;
    END IF;
    PERFORM public.take_turn(7202);
    -- asked again: meanwhile somebody may have done it
    FOR one IN SELECT * FROM public.due_alarms() AS d ORDER BY d.rule_id LOOP
        PERFORM public.step_alarm(one.rule_id, one.happening, clock_timestamp(), NULL, NULL, '', '', one.words, '{}');
        changed := changed + 1;
    END LOOP;
    PERFORM pg_notify('alarms', '');
    RETURN changed;
END $$;

CREATE FUNCTION due_alarms() RETURNS TABLE (rule_id integer, happening text, words text) LANGUAGE sql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT a.rule_id, 'unshelved', 'The time ran out.' FROM public.alarm AS a WHERE a.shelved_until <= clock_timestamp()
    UNION ALL
    SELECT a.rule_id, 'realarmed', 'It still stands.' FROM public.alarm AS a
        JOIN public.alarm_rule AS r ON r.id = a.rule_id
    WHERE a.is_active AND a.is_acknowledged AND a.shelved_until IS NULL AND a.out_of_service_time IS NULL
        AND r.re_alarm_s > 0 AND a.acknowledged_time <= clock_timestamp() - make_interval(secs => r.re_alarm_s)
$$;
REVOKE ALL ON alarm, alarm_journal, alarm_seq, alarm_journal_id_seq FROM collector_service;
GRANT SELECT ON alarm, alarm_journal TO collector_service;
"""

_PEOPLE = """
CREATE FUNCTION act_on_alarms(action text, happening text, rule_ids integer[], event_ids bigint[], detail jsonb, words text)
RETURNS TABLE (rule_id integer, event_id bigint, is_done boolean, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    wanted record;
    place integer;
    own public.session := public.my_session();
    seen boolean[] := public.my_municipalities();
    nothing text := public.why_nothing();
    refusals jsonb := '{}';
    told jsonb[] := '{}';
    said text := left(coalesce(words, ''), 500);
    deed text := CASE happening WHEN 'acknowledged' THEN 'acknowledge' WHEN 'shelved' THEN 'shelve'
        WHEN 'unshelved' THEN 'unshelve' ELSE happening END;
BEGIN
    IF coalesce(cardinality(rule_ids), 0) <> coalesce(cardinality(event_ids), 0) THEN
        RAISE EXCEPTION 'Every alarm needs its occurrence.';
    ELSIF cardinality(rule_ids) > 10000 THEN
        RAISE EXCEPTION 'At most 10000 alarms are acted on at once.';
    END IF;
    -- whoever may do it nowhere keeps nobody waiting
    IF true = ANY (public.municipalities_where(action)) THEN
        PERFORM public.take_turn(7202);
    END IF;
    FOR wanted IN SELECT pair.rule_id, pair.event_id FROM unnest(rule_ids, event_ids) AS pair (rule_id, event_id) LOOP
        rule_id := wanted.rule_id;
        event_id := wanted.event_id;
        SELECT r.municipality_id INTO place FROM public.alarm_rule AS r WHERE r.id = wanted.rule_id
            AND seen[r.municipality_id];
        IF place IS NOT NULL AND NOT refusals ? place::text THEN
            refusals := refusals || jsonb_build_object(place, public.refusal(action, place));
        END IF;
        answer := CASE WHEN place IS NULL THEN coalesce(nothing, 'There is no such alarm.')
            ELSE refusals ->> place::text END;
        IF answer IS NULL THEN
            answer := public.step_alarm(wanted.rule_id, happening, clock_timestamp(), NULL, NULL, session_user::text,
                coalesce(own.station, ''), said, detail || jsonb_build_object('event_id', wanted.event_id));
        END IF;
        is_done := answer IS NULL;
        answer := coalesce(answer, 'Done.');
        told := told || jsonb_build_object('municipality', place, 'is_done', is_done, 'answer', answer,
            'alarm', jsonb_build_array(wanted.rule_id, wanted.event_id));
        RETURN NEXT;
    END LOOP;
    FOR wanted IN
        SELECT one ->> 'municipality' AS municipality, (one ->> 'is_done')::boolean AS is_done,
            min(one ->> 'answer') AS answer, jsonb_agg(one -> 'alarm') AS alarms
        FROM unnest(told) AS one GROUP BY 1, 2 ORDER BY 1, 2
    LOOP
        PERFORM public.write_audit(deed, 'alarms', wanted.municipality::integer, NULL,
            detail || jsonb_build_object('alarms', wanted.alarms), CASE WHEN NOT wanted.is_done THEN wanted.answer END,
            said);
    END LOOP;
    PERFORM pg_notify('alarms', '');
END $$;

CREATE OR REPLACE FUNCTION acknowledge_alarms(rule_ids integer[], event_ids bigint[], words text)
RETURNS TABLE (rule_id integer, event_id bigint, is_done boolean, answer text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM public.act_on_alarms('acknowledge', 'acknowledged', rule_ids, event_ids, '{}', words)
$$;
CREATE FUNCTION reset_alarms(rule_ids integer[], event_ids bigint[], words text)
RETURNS TABLE (rule_id integer, event_id bigint, is_done boolean, answer text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM public.act_on_alarms('acknowledge', 'reset', rule_ids, event_ids, '{}', words)
$$;
CREATE FUNCTION shelve_alarms(rule_ids integer[], event_ids bigint[], minutes integer, is_one_shot boolean, words text)
RETURNS TABLE (rule_id integer, event_id bigint, is_done boolean, answer text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM public.act_on_alarms('shelve', 'shelved', rule_ids, event_ids, jsonb_build_object(
        'until', clock_timestamp() + make_interval(mins => least(minutes, 1000000)),
        'is_one_shot', coalesce(is_one_shot, false)), words)
$$;
CREATE FUNCTION unshelve_alarms(rule_ids integer[], event_ids bigint[], words text)
RETURNS TABLE (rule_id integer, event_id bigint, is_done boolean, answer text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM public.act_on_alarms('shelve', 'unshelved', rule_ids, event_ids, '{}', words)
$$;
CREATE FUNCTION take_out_of_service(rule_ids integer[], event_ids bigint[], work_order text, words text)
RETURNS TABLE (rule_id integer, event_id bigint, is_done boolean, answer text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM public.act_on_alarms('service', 'out_of_service', rule_ids, event_ids,
        jsonb_build_object('work_order', left(coalesce(work_order, ''), 100)), words)
$$;
CREATE FUNCTION return_to_service(rule_ids integer[], event_ids bigint[], words text)
RETURNS TABLE (rule_id integer, event_id bigint, is_done boolean, answer text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM public.act_on_alarms('service', 'in_service', rule_ids, event_ids, '{}', words)
$$;

CREATE OR REPLACE FUNCTION comment_alarm(rule_id integer, event_id bigint, words text)
RETURNS TABLE (is_done boolean, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    found public.alarm;
    rule public.alarm_rule;
BEGIN
    SELECT * INTO found FROM public.alarm AS a
        WHERE a.rule_id = $1 AND (public.my_municipalities())[a.municipality_id];
    SELECT * INTO rule FROM public.alarm_rule AS r WHERE r.id = found.rule_id;
    answer := CASE WHEN found.rule_id IS NULL THEN public.why_nothing()
        ELSE public.refusal('comment', found.municipality_id) END;
    IF answer IS NULL AND (found.rule_id IS NULL OR found.event_id IS DISTINCT FROM $2) THEN
        answer := 'There is no such alarm.';
    ELSIF answer IS NULL AND btrim(coalesce(words, '')) = '' THEN
        answer := 'A comment needs words.';
    END IF;
    is_done := answer IS NULL;
    IF is_done THEN
        INSERT INTO public.alarm_journal (rule_id, event_id, happening, previous_state, state, trigger, source_time, value,
            quality, alarm_limit, priority, message, person, station, comment)
        VALUES ($1, $2, 'commented', public.alarm_state(found), public.alarm_state(found), 'comment', now(), found.value,
            found.quality, rule.alarm_limit, rule.priority, rule.message, session_user, (public.my_session()).station,
            left(words, 500));
        PERFORM pg_notify('alarms', '');
    END IF;
    PERFORM public.write_audit('comment', concat('alarm ', $1), found.municipality_id, NULL,
        jsonb_build_object('event', $2), answer, left(words, 500));
    answer := coalesce(answer, 'Commented.');
    RETURN NEXT;
END $$;
"""

# the other tag is the one that was imported: to name one is to reach into its municipality
_CONFIGURE = """
CREATE OR REPLACE FUNCTION configure_rule(rule_id integer, changes jsonb, reason text) RETURNS TABLE (is_done boolean, words text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
#variable_conflict use_column
DECLARE
    old public.alarm_rule;
    new public.alarm_rule;
BEGIN
    PERFORM public.take_turn(7205);
    SELECT * INTO old FROM public.alarm_rule AS r WHERE r.id = $1 AND (public.my_municipalities())[r.municipality_id];
    words := CASE WHEN old.id IS NULL THEN coalesce(public.why_nothing(), 'There is no such alarm rule.')
        ELSE public.refusal('configure', old.municipality_id) END;
    IF length(changes::text) > 10000 THEN
        changes := NULL;
        words := coalesce(words, 'That is too much at once.');
    END IF;
    IF words IS NULL THEN
        -- whoever writes of this row needs only its key, and goes on
        SELECT * INTO old FROM public.alarm_rule AS r WHERE r.id = $1 FOR NO KEY UPDATE;
        BEGIN
            new := jsonb_populate_record(old, (SELECT jsonb_object_agg(key, value) FROM jsonb_each(changes) WHERE key IN
                ('priority', 'alarm_limit', 'deadband', 'on_delay_s', 'off_delay_s', 'message',
                'is_latching', 'shelving_limit_s', 'window_s', 're_alarm_s')));
        EXCEPTION WHEN data_exception OR invalid_text_representation THEN
            words := 'A value has the wrong form.';
        END;
    END IF;
    IF words IS NULL AND NOT coalesce(new.priority BETWEEN 1 AND 4 AND new.deadband BETWEEN 0 AND 1e12
            AND new.on_delay_s BETWEEN 0 AND 86400 AND new.off_delay_s BETWEEN 0 AND 86400
            AND new.is_latching IS NOT NULL AND new.shelving_limit_s BETWEEN 0 AND 86400
            AND new.window_s BETWEEN 1 AND 86400 AND new.re_alarm_s BETWEEN 0 AND 86400
            AND new.alarm_limit BETWEEN -1e15 AND 1e15 AND length(new.message) <= 500, false) THEN
        words := 'Priorities are 1 to 4, deadbands not negative, delays, shelving and windows at most a day, '
            'limits numbers.';
    END IF;
    is_done := words IS NULL;
    IF is_done THEN
        UPDATE public.alarm_rule AS r SET priority = new.priority, alarm_limit = new.alarm_limit,
            deadband = new.deadband, on_delay_s = new.on_delay_s, off_delay_s = new.off_delay_s,
            message = new.message, is_latching = new.is_latching,
            shelving_limit_s = new.shelving_limit_s, window_s = new.window_s, re_alarm_s = new.re_alarm_s WHERE r.id = $1;
        PERFORM pg_notify('configuration', '');
    END IF;
    PERFORM public.write_audit('configure', concat('alarm rule ', $1), old.municipality_id,
        CASE WHEN old.id IS NOT NULL THEN to_jsonb(old) END,
        CASE WHEN new.id IS NOT NULL THEN to_jsonb(new) ELSE changes END, words, left($3, 500));
    words := coalesce(words, 'Changed.');
    RETURN NEXT;
END $$;
"""

_GRANTS = """
REVOKE ALL ON FUNCTION alarm_state(alarm), why_not_stepped(alarm, alarm_rule, text, timestamptz, text, jsonb),
    step_alarm(integer, text, timestamptz, float8, integer, text, text, text, jsonb),
    record_process(integer[], bigint[], text[], timestamptz[], float8[], integer[]), pass_time(), due_alarms(),
    act_on_alarms(text, text, integer[], bigint[], jsonb, text), reset_alarms(integer[], bigint[], text),
    shelve_alarms(integer[], bigint[], integer, boolean, text), unshelve_alarms(integer[], bigint[], text),
    take_out_of_service(integer[], bigint[], text, text), return_to_service(integer[], bigint[], text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION alarm_state(alarm) TO viewer;
GRANT EXECUTE ON FUNCTION record_process(integer[], bigint[], text[], timestamptz[], float8[], integer[]), pass_time()
    TO collector_service;
GRANT EXECUTE ON FUNCTION reset_alarms(integer[], bigint[], text),
    shelve_alarms(integer[], bigint[], integer, boolean, text), unshelve_alarms(integer[], bigint[], text),
    take_out_of_service(integer[], bigint[], text, text), return_to_service(integer[], bigint[], text) TO person;
"""


def upgrade() -> None:
    """Add the facts and the one machine; the collector no longer writes alarms itself."""
    for statements in (_TABLES, _STATE, _STEP, _COLLECTOR, _PEOPLE, _CONFIGURE, _GRANTS):
        op.execute(statements)


_DROPS = """
DROP FUNCTION reset_alarms(integer[], bigint[], text), shelve_alarms(integer[], bigint[], integer, boolean, text),
    unshelve_alarms(integer[], bigint[], text), take_out_of_service(integer[], bigint[], text, text),
    return_to_service(integer[], bigint[], text), act_on_alarms(text, text, integer[], bigint[], jsonb, text),
    record_process(integer[], bigint[], text[], timestamptz[], float8[], integer[]), pass_time(), due_alarms(),
    step_alarm(integer, text, timestamptz, float8, integer, text, text, text, jsonb),
    why_not_stepped(alarm, alarm_rule, text, timestamptz, text, jsonb), alarm_state(alarm), acknowledge_alarms(integer[],
    bigint[], text), comment_alarm(integer, bigint, text);
DELETE FROM role_right WHERE action IN ('shelve', 'service');
DELETE FROM action WHERE key IN ('shelve', 'service');
DROP INDEX alarm_shelved_until, alarm_standing;
ALTER TABLE alarm DROP COLUMN is_latched, DROP COLUMN process_number, DROP COLUMN shelved_time, DROP COLUMN shelved_until,
    DROP COLUMN shelved_by, DROP COLUMN shelved_reason, DROP COLUMN is_one_shot, DROP COLUMN out_of_service_time,
    DROP COLUMN out_of_service_by, DROP COLUMN out_of_service_reason, DROP COLUMN work_order;
ALTER TABLE alarm_rule DROP COLUMN is_latching, DROP COLUMN shelving_limit_s, DROP COLUMN re_alarm_s,
    DROP COLUMN other_tag_id, DROP COLUMN window_s;
ALTER TABLE alarm_journal DROP COLUMN happening, DROP COLUMN detail;
"""
_BACK = """
REVOKE ALL ON FUNCTION alarm_state(boolean, boolean), acknowledge_alarms(integer[], bigint[], text),
    comment_alarm(integer, bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION alarm_state(boolean, boolean) TO viewer, collector_service;
GRANT EXECUTE ON FUNCTION acknowledge_alarms(integer[], bigint[], text), comment_alarm(integer, bigint, text) TO person;
GRANT INSERT, UPDATE, DELETE ON alarm TO collector_service;
GRANT INSERT ON alarm_journal TO collector_service;
GRANT USAGE ON SEQUENCE alarm_seq, alarm_journal_id_seq TO collector_service;
"""


def downgrade() -> None:
    """Forget what is shelved, latched or out of service; journal rows of it stay, with states that nobody knows then."""
    op.execute(_DROPS)
    first = import_module("db.migrations.versions.0001_first")
    state = first._FUNCTIONS[first._FUNCTIONS.index("CREATE FUNCTION alarm_state") :]
    op.execute(state[: state.index("$$;") + 3])
    access = import_module("db.migrations.versions.0003_access")
    op.execute(access._ALARMS.split(";", 1)[1])
    configure = access._CONFIGURE[: access._CONFIGURE.index("CREATE FUNCTION configure_tag")]
    op.execute(configure.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    op.execute(_BACK)
