"""Every setting of an alarm rule is changed by one function: expression, first-out group and whether it is disabled too; late
data corrects the beginning of an alarm that stands."""

from importlib import import_module

from alembic import op

revision = "0012"
down_revision = "0011"

# The server reads no expression. It sees which tags are named, so that nothing reaches into another municipality, and
# refuses what is no key, number, word or sign of the language; the rest is for core/expressions.py.
_CHECK = """
UPDATE alarm_rule SET expression = btrim(expression, E' \\t\\r\\n') WHERE expression <> btrim(expression, E' \\t\\r\\n');
CREATE FUNCTION why_not_judged(rule public.alarm_rule) RETURNS text LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    named constant text := $re$\\mtag\\s*\\(\\s*('([^'\\\\]*)'|"([^"\\\\]*)")\\s*\\)$re$;
    rest text := regexp_replace(rule.expression, named, ' 1 ', 'g');
    keys text[];
    unknown text;
BEGIN
    IF length(rule.first_out_group) > 100 THEN
        RETURN 'The name of a first-out group has at most 100 letters.';
    ELSIF (rule.kind = 'EXPR') <> (rule.expression <> '') THEN
        RETURN CASE rule.kind WHEN 'EXPR' THEN 'This rule needs an expression.' ELSE 'This rule has no expression.' END;
    ELSIF rule.expression = '' THEN
        RETURN NULL;
    ELSIF length(rule.expression) > 1000 OR rest ~ $re$['"\\\\]$re$
            OR length(replace(rest, '(', '')) <> length(replace(rest, ')', '')) THEN
        RETURN 'The expression is not understood.';
    END IF;
    keys := ARRAY(SELECT coalesce(m[2], m[3]) FROM regexp_matches(rule.expression, named, 'g') AS m)
        || ARRAY(SELECT word FROM regexp_split_to_table(rest, '[\\s()<>=!+*/,-]+') AS word WHERE word !~ '^[0-9.]|^$'
            AND word NOT IN ('and', 'or', 'not', 'if', 'else', 'abs', 'min', 'max', 'round'));
    SELECT wanted INTO unknown FROM unnest(keys) AS wanted WHERE NOT EXISTS (SELECT FROM public.tag AS t
        WHERE t.municipality_id = rule.municipality_id AND t.key = wanted AND NOT t.is_retired) LIMIT 1;
    RETURN CASE WHEN cardinality(keys) = 0 THEN 'The expression names no tag.'
        WHEN unknown IS NOT NULL THEN format('The expression names %s, which is no tag of this municipality.',
            quote_literal(left(unknown, 60))) END;
END $$;
"""

_SETTINGS = """
CREATE OR REPLACE FUNCTION change_settings(rule_id integer, wanted jsonb) RETURNS text LANGUAGE plpgsql
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
            'shelving_limit_s', 'window_s', 're_alarm_s', 'expression', 'first_out_group', 'is_disabled')));
    IF NOT coalesce(new.priority BETWEEN 1 AND 4 AND new.deadband BETWEEN 0 AND 1e12
            AND new.on_delay_s BETWEEN 0 AND 86400 AND new.off_delay_s BETWEEN 0 AND 86400
            AND new.is_latching IS NOT NULL AND new.shelving_limit_s BETWEEN 0 AND 86400
            AND new.window_s BETWEEN 1 AND 86400 AND new.re_alarm_s BETWEEN 0 AND 86400
            AND new.alarm_limit BETWEEN -1e15 AND 1e15 AND length(new.message) <= 500
            AND new.expression IS NOT NULL AND new.first_out_group IS NOT NULL AND new.is_disabled IS NOT NULL, false) THEN
        RETURN 'Priorities are 1 to 4, deadbands not negative, delays, shelving and windows at most a day, limits numbers.';
    END IF;
    -- what was there before this was checked may stay
    IF (old.expression, old.first_out_group) <> (new.expression, new.first_out_group) THEN
        met := public.why_not_judged(new);
    END IF;
    IF met IS NULL AND new.is_disabled <> old.is_disabled THEN
        met := public.step_alarm($1, CASE WHEN new.is_disabled THEN 'disabled' ELSE 'enabled' END, clock_timestamp(), NULL,
            NULL, session_user::text, coalesce((public.my_session()).station, ''),
            current_setting('control_room.reason', true), '{}');
    END IF;
    IF met IS NOT NULL THEN
        RETURN met;
    END IF;
    UPDATE public.alarm_rule AS r SET priority = new.priority, alarm_limit = new.alarm_limit, deadband = new.deadband,
        on_delay_s = new.on_delay_s, off_delay_s = new.off_delay_s, message = new.message, is_latching = new.is_latching,
        shelving_limit_s = new.shelving_limit_s, window_s = new.window_s, re_alarm_s = new.re_alarm_s,
        expression = new.expression, first_out_group = new.first_out_group, is_disabled = new.is_disabled WHERE r.id = $1;
    IF new.is_disabled <> old.is_disabled THEN
        PERFORM public.settle_holds(NULL, ARRAY[$1], '', '', NULL);
        PERFORM pg_notify('process', '');
    END IF;
    RETURN NULL;
END $$;

-- who disables a rule changes its alarm: that takes the alarms' turn, and whoever has it never waits for rows
CREATE FUNCTION await_turn_to_disable(changes jsonb) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT coalesce(true = ANY (public.municipalities_where('configure')), false) OR NOT EXISTS (
            SELECT FROM jsonb_array_elements(changes) AS one
            WHERE one #> '{settings,is_disabled,0}' <> one #> '{settings,is_disabled,1}') THEN
        RETURN;
    END IF;
    PERFORM public.take_turn(7202);
    PERFORM 1 FROM public.alarm_rule AS r WHERE r.id IN (SELECT (one ->> 'id')::integer
            FROM jsonb_array_elements(changes) AS one WHERE one ->> 'level' = 'rule')
        AND (public.my_municipalities())[r.municipality_id] ORDER BY r.id FOR NO KEY UPDATE NOWAIT;
END $$;
"""

# a record may be set at every level of a tree of any depth; a circle ends, because a place is met once
_READ = """
CREATE OR REPLACE FUNCTION read_rule_changes(rule_id integer, most integer) RETURNS SETOF public.rule_change
LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    found record;
BEGIN
    SELECT r.id, r.tag_id, t.asset_id, r.municipality_id INTO found FROM public.alarm_rule AS r
        JOIN public.tag AS t ON t.id = r.tag_id WHERE r.id = $1;
    RETURN QUERY WITH RECURSIVE above (id) AS (
            SELECT found.asset_id
            UNION SELECT a.parent_id FROM above JOIN public.asset AS a ON a.id = above.id WHERE a.parent_id IS NOT NULL)
        SELECT c.* FROM (VALUES ('rule', found.id), ('tag', found.tag_id), ('municipality', found.municipality_id)
                UNION ALL SELECT 'asset', above.id FROM above) AS o (level, id)
            JOIN public.rule_change AS c ON c.level = o.level AND c.object_id = o.id
        ORDER BY c."time" DESC LIMIT most;
END $$;
"""

# (function, what stands there, what shall stand there)
_PATCHES = (
    ("configure_rule", "'re_alarm_s')", "'re_alarm_s', 'expression', 'first_out_group')"),
    (
        "configure_rule",
        "    is_done := words IS NULL;\n",
        "    words := coalesce(words, public.why_not_judged(new));\n    is_done := words IS NULL;\n",
    ),
    (
        "configure_rule",
        "re_alarm_s = new.re_alarm_s WHERE",
        (
            "re_alarm_s = new.re_alarm_s, expression = coalesce(new.expression, ''),"
            " first_out_group = coalesce(new.first_out_group, '') WHERE"
        ),
    ),
    # the beginning of an alarm is corrected by the same machine: nothing else of it changes
    ("step_alarm", "IN ('raised', 'returned')", "IN ('raised', 'returned', 'corrected')"),
    (
        "step_alarm",
        "    ELSIF happening = 'acknowledged' THEN\n",
        """    ELSIF happening = 'corrected' THEN
        IF NOT a.is_active OR at = a.raised_time OR (detail ->> 'process_number')::bigint <= a.process_number THEN
            RETURN NULL;
        END IF;
        detail := detail || jsonb_build_object('was', a.raised_time);
        a.process_number := (detail ->> 'process_number')::bigint;
        a.raised_time := at;
        a.value := measured;
        a.quality := grade;
    ELSIF happening = 'acknowledged' THEN
""",
    ),
    (
        "why_not_stepped",
        "        WHEN 'returned' THEN NULL\n",
        "        WHEN 'returned' THEN NULL\n        WHEN 'corrected' THEN NULL\n",
    ),
    ("record_process", "ARRAY['raised', 'returned']", "ARRAY['raised', 'returned', 'corrected']"),
    # what began earlier may have been the first after all
    (
        "mark_first_out",
        "AND public.is_abnormal(OLD) THEN",
        "AND public.is_abnormal(OLD) AND OLD.raised_time IS NOT DISTINCT FROM NEW.raised_time THEN",
    ),
    (
        "change_rules",
        "        -- in one order,",
        "        PERFORM public.await_turn_to_disable(changes);\n        -- in one order,",
    ),
    (
        "change_rules",
        "        WHEN check_violation THEN",
        (
            "        WHEN lock_not_available THEN\n"
            "            words := 'The configuration is being changed. Try again in a moment.';\n"
            "        WHEN check_violation THEN"
        ),
    ),
)


_FIRST_OUT = """
DROP TRIGGER alarm_first_out_update ON alarm;
CREATE TRIGGER alarm_first_out_update BEFORE UPDATE ON alarm FOR EACH ROW
    WHEN (OLD.event_id <> NEW.event_id{more}) EXECUTE FUNCTION mark_first_out();
"""


def _patch(function: str, old: str, new: str) -> None:
    """Replace a part of a function. Raises where it is not there: a function that is silently the old one would be worse."""
    op.execute(f"""
        DO $patch$
        DECLARE
            one regprocedure := (SELECT p.oid FROM pg_proc AS p WHERE p.proname = '{function}'
                AND p.pronamespace = 'public'::regnamespace);
            was text := pg_get_functiondef(one);
        BEGIN
            IF position($old${old}$old$ IN was) = 0 THEN
                RAISE EXCEPTION 'The function {function} is not as it should be.';
            END IF;
            EXECUTE replace(was, $old${old}$old$, $new${new}$new$);
        END $patch$""")


_GRANTS = """
REVOKE ALL ON FUNCTION why_not_judged(alarm_rule), await_turn_to_disable(jsonb) FROM PUBLIC;
SELECT seal_functions();
"""


def upgrade() -> None:
    """Let rules of every kind be changed."""
    for statements in (_CHECK, _SETTINGS, _READ):
        op.execute(statements)
    for one in _PATCHES:
        _patch(*one)
    op.execute(_FIRST_OUT.format(more=" OR OLD.raised_time IS DISTINCT FROM NEW.raised_time"))
    op.execute(_GRANTS)


def downgrade() -> None:
    """Leave expressions, groups and disabled rules as they are; they are changed by the import of a plant, or on the board."""
    op.execute(_FIRST_OUT.format(more=""))
    for function, old, new in reversed(_PATCHES):
        _patch(function, new, old)
    earlier = import_module("db.migrations.versions.0010_rationalisation")._CHANGE
    read = import_module("db.migrations.versions.0010_rationalisation")._READ
    op.execute(
        read[read.index("CREATE FUNCTION") : read.index("ALTER FUNCTION")].replace("CREATE F", "CREATE OR REPLACE F")
    )
    settings = earlier[
        earlier.index("CREATE FUNCTION change_settings") : earlier.index("CREATE FUNCTION change_record")
    ]
    op.execute(settings.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    op.execute("DROP FUNCTION why_not_judged(alarm_rule), await_turn_to_disable(jsonb)")
