"""The rationalisation record, and management of change: who changed which alarm rule, old and new.

A record belongs to a municipality, a site or asset, a tag or a rule; what it leaves out holds from above. Every change of a rule
or record is kept by a trigger, whoever makes it.
"""

from alembic import op

revision = "0010"
down_revision = "0009"

_TABLES = """
CREATE TABLE rationalisation (
    id integer PRIMARY KEY,
    municipality_id integer NOT NULL REFERENCES municipality (id),
    asset_id integer REFERENCES asset (id) ON DELETE CASCADE,
    tag_id integer REFERENCES tag (id) ON DELETE CASCADE,
    rule_id integer REFERENCES alarm_rule (id) ON DELETE CASCADE,
    cause text CHECK (length(cause) BETWEEN 1 AND 2000),
    consequence text CHECK (length(consequence) BETWEEN 1 AND 2000),
    action text CHECK (length(action) BETWEEN 1 AND 2000),
    severity text CHECK (severity IN ('minor', 'major', 'severe')),
    respond_min float8 CHECK (respond_min > 0 AND respond_min <= 1440),
    alarm_class text CHECK (length(alarm_class) BETWEEN 1 AND 100),
    owner text CHECK (length(owner) BETWEEN 1 AND 100),
    review_date date CHECK (review_date BETWEEN '2000-01-01' AND '2999-12-31'),
    CHECK (num_nonnulls(asset_id, tag_id, rule_id) <= 1),
    UNIQUE NULLS NOT DISTINCT (municipality_id, asset_id, tag_id, rule_id)
);
ALTER TABLE rationalisation ALTER COLUMN id SET DEFAULT unused_id('rationalisation'::regclass);
-- append-only; `old` and `new` hold what differs, of the rule's settings or of a record
CREATE TABLE rule_change (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    municipality_id integer NOT NULL,
    level text NOT NULL,
    object_id integer NOT NULL,
    is_record boolean NOT NULL,
    "time" timestamptz NOT NULL DEFAULT clock_timestamp(),
    person text NOT NULL DEFAULT session_user,
    station text NOT NULL,
    reason text NOT NULL,
    old jsonb NOT NULL,
    new jsonb NOT NULL
);
CREATE INDEX rule_change_object ON rule_change (level, object_id, "time");
ALTER TABLE rationalisation ENABLE ROW LEVEL SECURITY;
ALTER TABLE rule_change ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON rationalisation FOR SELECT TO reader_service
    USING (((SELECT public.my_municipalities())::boolean[])[municipality_id]);
CREATE POLICY tenant ON rule_change FOR SELECT TO reader_service
    USING (((SELECT public.my_municipalities())::boolean[])[municipality_id]);
GRANT SELECT ON rationalisation, rule_change TO reader_service;
SELECT forget_statistics('rationalisation'), forget_statistics('rule_change');
SELECT show_table('rationalisation');
"""

_NOTE = """
CREATE FUNCTION note_rule_change() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
DECLARE
    before jsonb := CASE WHEN TG_OP = 'INSERT' THEN '{}' ELSE to_jsonb(OLD) END;
    after jsonb := CASE WHEN TG_OP = 'DELETE' THEN '{}' ELSE to_jsonb(NEW) END;
    whole jsonb := before || after;
    was jsonb;
    become jsonb;
BEGIN
    SELECT coalesce(jsonb_object_agg(name, before -> name), '{}'), coalesce(jsonb_object_agg(name, after -> name), '{}')
        INTO was, become FROM jsonb_object_keys(whole) AS name
        WHERE coalesce(before -> name, 'null') <> coalesce(after -> name, 'null')
            AND name NOT IN ('id', 'municipality_id', 'asset_id', 'tag_id', 'rule_id', 'former_messages');
    IF was <> become THEN
        INSERT INTO public.rule_change (municipality_id, level, object_id, is_record, station, reason, old, new)
        VALUES ((whole ->> 'municipality_id')::integer,
            CASE WHEN TG_TABLE_NAME = 'alarm_rule' OR whole ->> 'rule_id' IS NOT NULL THEN 'rule'
                WHEN whole ->> 'tag_id' IS NOT NULL THEN 'tag' WHEN whole ->> 'asset_id' IS NOT NULL THEN 'asset'
                ELSE 'municipality' END,
            (CASE WHEN TG_TABLE_NAME = 'alarm_rule' THEN whole ->> 'id'
                ELSE coalesce(whole ->> 'rule_id', whole ->> 'tag_id', whole ->> 'asset_id', whole ->> 'municipality_id')
                END)::integer,
            TG_TABLE_NAME <> 'alarm_rule', coalesce((public.my_session()).station, ''),
            coalesce(left(current_setting('control_room.reason', true), 500), ''), was, become);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER change_noted AFTER UPDATE ON alarm_rule FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION note_rule_change();
CREATE TRIGGER change_noted AFTER INSERT OR UPDATE OR DELETE ON rationalisation FOR EACH ROW
    EXECUTE FUNCTION note_rule_change();
-- the reason that the person gave goes into the note of the change
DO $$
BEGIN
    EXECUTE replace(pg_get_functiondef('public.configure_rule(integer, jsonb, text)'::regprocedure),
        'UPDATE public.alarm_rule AS r SET',
        'PERFORM set_config(''control_room.reason'', coalesce($3, ''''), true); UPDATE public.alarm_rule AS r SET');
END $$;
"""

# One change: {"level", "id", "settings": {field: [before, after]}, "record": {field: [before, after]}}. What somebody changed
# since the person looked is told and not overwritten.
_CHANGE = """
CREATE FUNCTION differs(present jsonb, wanted jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT string_agg(format('%s is %s now', name, coalesce(left(present ->> name, 60), 'empty')), ', ' ORDER BY name)
    FROM jsonb_each(wanted) AS one (name, pair)
    WHERE coalesce(present -> name, 'null') <> coalesce(pair -> 0, 'null')
$$;

CREATE FUNCTION change_settings(rule_id integer, wanted jsonb) RETURNS text LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    old public.alarm_rule;
    new public.alarm_rule;
    met text;
BEGIN
    SELECT * INTO old FROM public.alarm_rule AS r WHERE r.id = $1 FOR NO KEY UPDATE;
    met := public.differs(to_jsonb(old), wanted);
    IF met IS NOT NULL THEN
        RETURN format('Somebody else changed this rule meanwhile: %s. Look at it again.', met);
    END IF;
    new := jsonb_populate_record(old, (SELECT jsonb_object_agg(name, pair -> 1) FROM jsonb_each(wanted) AS one (name, pair)
        WHERE name IN ('priority', 'alarm_limit', 'deadband', 'on_delay_s', 'off_delay_s', 'message', 'is_latching',
            'shelving_limit_s', 'window_s', 're_alarm_s')));
    IF NOT coalesce(new.priority BETWEEN 1 AND 4 AND new.deadband BETWEEN 0 AND 1e12
            AND new.on_delay_s BETWEEN 0 AND 86400 AND new.off_delay_s BETWEEN 0 AND 86400
            AND new.is_latching IS NOT NULL AND new.shelving_limit_s BETWEEN 0 AND 86400
            AND new.window_s BETWEEN 1 AND 86400 AND new.re_alarm_s BETWEEN 0 AND 86400
            AND new.alarm_limit BETWEEN -1e15 AND 1e15 AND length(new.message) <= 500, false) THEN
        RETURN 'Priorities are 1 to 4, deadbands not negative, delays, shelving and windows at most a day, limits numbers.';
    END IF;
    UPDATE public.alarm_rule AS r SET priority = new.priority, alarm_limit = new.alarm_limit, deadband = new.deadband,
        on_delay_s = new.on_delay_s, off_delay_s = new.off_delay_s, message = new.message, is_latching = new.is_latching,
        shelving_limit_s = new.shelving_limit_s, window_s = new.window_s, re_alarm_s = new.re_alarm_s WHERE r.id = $1;
    RETURN NULL;
END $$;

CREATE FUNCTION change_record(town integer, level text, object_id integer, wanted jsonb) RETURNS text LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    old public.rationalisation;
    new public.rationalisation;
    met text;
BEGIN
    INSERT INTO public.rationalisation (municipality_id, asset_id, tag_id, rule_id)
        VALUES (town, CASE WHEN level = 'asset' THEN object_id END, CASE WHEN level = 'tag' THEN object_id END,
            CASE WHEN level = 'rule' THEN object_id END) ON CONFLICT DO NOTHING;
    SELECT * INTO old FROM public.rationalisation AS r WHERE r.municipality_id = town
        AND r.asset_id IS NOT DISTINCT FROM CASE WHEN level = 'asset' THEN $3 END
        AND r.tag_id IS NOT DISTINCT FROM CASE WHEN level = 'tag' THEN $3 END
        AND r.rule_id IS NOT DISTINCT FROM CASE WHEN level = 'rule' THEN $3 END FOR UPDATE;
    met := public.differs(to_jsonb(old), wanted);
    IF met IS NOT NULL THEN
        RETURN format('Somebody else changed this record meanwhile: %s. Look at it again.', met);
    END IF;
    new := jsonb_populate_record(old, (SELECT jsonb_object_agg(name, CASE WHEN pair ->> 1 <> '' THEN pair -> 1 ELSE 'null' END)
        FROM jsonb_each(wanted) AS one (name, pair) WHERE name IN
        ('cause', 'consequence', 'action', 'severity', 'respond_min', 'alarm_class', 'owner', 'review_date')));
    IF num_nonnulls(new.cause, new.consequence, new.action, new.severity, new.respond_min, new.alarm_class, new.owner,
            new.review_date) = 0 THEN
        DELETE FROM public.rationalisation AS r WHERE r.id = old.id;
    ELSE
        UPDATE public.rationalisation AS r SET cause = new.cause, consequence = new.consequence, action = new.action,
            severity = new.severity, respond_min = new.respond_min, alarm_class = new.alarm_class, owner = new.owner,
            review_date = new.review_date WHERE r.id = old.id;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION place_of(level text, object_id integer) RETURNS integer LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE level WHEN 'rule' THEN (SELECT r.municipality_id FROM public.alarm_rule AS r WHERE r.id = object_id)
        WHEN 'tag' THEN (SELECT t.municipality_id FROM public.tag AS t WHERE t.id = object_id)
        WHEN 'asset' THEN (SELECT a.municipality_id FROM public.asset AS a WHERE a.id = object_id)
        WHEN 'municipality' THEN (SELECT m.id FROM public.municipality AS m WHERE m.id = object_id) END
$$;

-- all or nothing; `only_check`: nothing, but what would be refused is
CREATE FUNCTION change_rules(changes jsonb, reason text, only_check boolean)
RETURNS TABLE (is_done boolean, words text, place integer) LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
#variable_conflict use_column
DECLARE
    seen boolean[] := public.my_municipalities();
    refusals jsonb := '{}';
    one record;
    asked jsonb;
    about text;
    town integer;
    told record;
BEGIN
    IF public.why_nothing() IS NOT NULL THEN
        words := public.why_nothing();
    ELSIF jsonb_typeof(changes) IS DISTINCT FROM 'array' OR length(changes::text) > 200000000 THEN
        words := 'Changes come as a list.';
        changes := NULL;
    END IF;
    IF words IS NULL THEN
    BEGIN
        PERFORM set_config('control_room.reason', coalesce(left(reason, 500), ''), true);
        -- in one order, so that two who change the same ones wait instead of blocking each other
        FOR one IN SELECT value, ordinality::integer AS number, value ->> 'level' AS level,
                (value ->> 'id')::integer AS id
                FROM jsonb_array_elements(changes) WITH ORDINALITY ORDER BY value ->> 'level', (value ->> 'id')::integer LOOP
            place := one.number;
            asked := CASE WHEN length(one.value::text) < 40000 THEN one.value END;
            town := public.place_of(one.level, one.id);
            IF town IS NULL OR NOT coalesce(seen[town], false) THEN
                town := NULL;
                words := 'There is no such alarm rule.';
            ELSIF NOT refusals ? town::text THEN
                refusals := refusals || jsonb_build_object(town, public.refusal('configure', town));
            END IF;
            about := CASE WHEN town IS NOT NULL THEN
                concat_ws(' ', CASE one.level WHEN 'rule' THEN 'alarm rule' ELSE one.level END, one.id) END;
            words := coalesce(words, refusals ->> town::text,
                CASE WHEN btrim(coalesce(reason, '')) = '' THEN 'A change needs a reason.' END,
                CASE WHEN length(one.value::text) > 40000 THEN 'That is too much at once.' END);
            IF words IS NULL AND one.level = 'rule' AND one.value ? 'settings' THEN
                words := public.change_settings(one.id, one.value -> 'settings');
            END IF;
            IF words IS NULL AND one.value ? 'record' THEN
                words := public.change_record(town, one.level, one.id, one.value -> 'record');
            END IF;
            IF words IS NOT NULL THEN
                RAISE EXCEPTION USING ERRCODE = 'CR001';
            END IF;
        END LOOP;
        IF only_check THEN
            RAISE EXCEPTION USING ERRCODE = 'CR001';
        END IF;
    EXCEPTION WHEN SQLSTATE 'CR001' THEN NULL;
        WHEN check_violation THEN
            words := 'Texts have at most 2000 letters, owners and classes 100, times to respond are up to 1440 min.';
        WHEN data_exception OR invalid_text_representation THEN
            words := 'A value has the wrong form.';
    END;
    END IF;
    is_done := words IS NULL;
    IF NOT is_done THEN
        PERFORM public.write_audit('configure', coalesce(about, 'alarm rules'), town, NULL,
            CASE WHEN town IS NOT NULL THEN asked END, words, left(reason, 500));
    ELSIF NOT only_check THEN
        FOR told IN
            SELECT d.town, count(*) AS many, min(d.name) AS name, jsonb_object_agg(d.name, d.old) AS olds,
                jsonb_object_agg(d.name, d.new) AS news
            FROM (SELECT public.place_of(c ->> 'level', (c ->> 'id')::integer) AS town,
                    concat_ws(' ', CASE c ->> 'level' WHEN 'rule' THEN 'alarm rule' ELSE c ->> 'level' END, c ->> 'id') AS name,
                    (SELECT jsonb_object_agg(name, pair -> 0) FROM jsonb_each(
                        coalesce(c -> 'settings', '{}') || coalesce(c -> 'record', '{}')) AS f (name, pair)
                        WHERE pair -> 0 <> pair -> 1) AS old,
                    (SELECT jsonb_object_agg(name, pair -> 1) FROM jsonb_each(
                        coalesce(c -> 'settings', '{}') || coalesce(c -> 'record', '{}')) AS f (name, pair)
                        WHERE pair -> 0 <> pair -> 1) AS new
                FROM jsonb_array_elements(changes) AS c) AS d GROUP BY d.town ORDER BY d.town
        LOOP
            PERFORM public.write_audit('configure', CASE told.many WHEN 1 THEN told.name ELSE 'alarm rules' END, told.town,
                CASE told.many WHEN 1 THEN told.olds -> told.name ELSE told.olds END,
                CASE told.many WHEN 1 THEN told.news -> told.name ELSE told.news END, NULL, left(reason, 500));
        END LOOP;
        PERFORM pg_notify('configuration', '');
    END IF;
    words := coalesce(words, CASE WHEN only_check THEN 'Nothing is wrong.' ELSE 'Changed.' END);
    RETURN NEXT;
END $$;
"""

_READ = """
-- what was changed at a rule and at the records above it, the newest first
CREATE FUNCTION read_rule_changes(rule_id integer, most integer) RETURNS SETOF public.rule_change LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    found record;
BEGIN
    SELECT r.id, r.tag_id, t.asset_id, a.parent_id, r.municipality_id INTO found FROM public.alarm_rule AS r
        JOIN public.tag AS t ON t.id = r.tag_id JOIN public.asset AS a ON a.id = t.asset_id WHERE r.id = $1;
    RETURN QUERY SELECT c.* FROM (VALUES ('rule', found.id), ('tag', found.tag_id), ('asset', found.asset_id),
            ('asset', found.parent_id), ('municipality', found.municipality_id)) AS o (level, id)
        JOIN public.rule_change AS c ON c.level = o.level AND c.object_id = o.id
        ORDER BY c."time" DESC LIMIT most;
END $$;
ALTER FUNCTION read_rule_changes(integer, integer) OWNER TO reader_service;
REVOKE ALL ON FUNCTION note_rule_change(), differs(jsonb, jsonb), change_settings(integer, jsonb),
    change_record(integer, text, integer, jsonb), place_of(text, integer), change_rules(jsonb, text, boolean),
    read_rule_changes(integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION change_rules(jsonb, text, boolean) TO person;
GRANT EXECUTE ON FUNCTION read_rule_changes(integer, integer) TO viewer;
SELECT seal_functions();
"""


def upgrade() -> None:
    """Add records, the notes of changes, and the function that makes them."""
    for statements in (_TABLES, _NOTE, _CHANGE, _READ):
        op.execute(statements)


_BACK = """
DROP FUNCTION read_rule_changes(integer, integer), change_rules(jsonb, text, boolean), place_of(text, integer),
    change_record(integer, text, integer, jsonb), change_settings(integer, jsonb), differs(jsonb, jsonb);
DO $$
BEGIN
    EXECUTE replace(pg_get_functiondef('public.configure_rule(integer, jsonb, text)'::regprocedure),
        'PERFORM set_config(''control_room.reason'', coalesce($3, ''''), true); ', '');
END $$;
DROP TRIGGER change_noted ON alarm_rule;
SELECT hide_table('rationalisation');
DROP TABLE rationalisation, rule_change;
DROP FUNCTION note_rule_change();
"""


def downgrade() -> None:
    """Forget the records and who changed what; the audit keeps it."""
    op.execute(_BACK)
