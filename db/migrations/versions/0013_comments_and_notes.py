"""Comments that are demanded, comments to choose from, notes that stay, and what was set aside at a moment.

Which priorities demand a comment, and the standard comments, are kept for each municipality and, without one, for all of them;
both add up. A note is a fact of its alarm, so that it reaches every seat as the alarm does.
"""

from alembic import op

revision = "0013"
down_revision = "0012"

_TABLES = """
CREATE TABLE comment_setting (
    id integer PRIMARY KEY,
    municipality_id integer REFERENCES municipality (id),
    priorities smallint[] NOT NULL,
    comments text[] NOT NULL,
    UNIQUE NULLS NOT DISTINCT (municipality_id)
);
ALTER TABLE comment_setting ALTER COLUMN id SET DEFAULT unused_id('comment_setting'::regclass);
INSERT INTO comment_setting (municipality_id, priorities, comments) VALUES (NULL, '{}', ARRAY['Seen, being watched',
    'Crew informed', 'Known cause, dealt with', 'Planned work', 'Instrument is doubtful', 'Handed over to the next shift']);
ALTER TABLE comment_setting ENABLE ROW LEVEL SECURITY;
-- what holds everywhere is seen by whoever sees anything
CREATE POLICY tenant ON comment_setting FOR SELECT TO reader_service USING (CASE WHEN municipality_id IS NULL
    THEN cardinality((SELECT public.my_municipality_ids())) > 0
    ELSE ((SELECT public.my_municipalities())::boolean[])[municipality_id] END);
GRANT SELECT ON comment_setting TO reader_service;
-- words, by, at
ALTER TABLE alarm ADD COLUMN note jsonb;
SELECT forget_statistics('comment_setting'), forget_statistics('alarm');
SELECT show_table('comment_setting'), show_table('alarm');
INSERT INTO action (key, title, is_national) VALUES ('set_comments', 'set which comments are demanded', false);
INSERT INTO role_right (role, action) VALUES ('engineer', 'set_comments'), ('administrator', 'set_comments');
"""

_DEMAND = """
-- core/comments.py says the same
CREATE FUNCTION why_comment(rule_id integer, event_id bigint, words text) RETURNS text LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('An acknowledgement of priority %s needs a comment here.', r.priority)
    FROM public.alarm_rule AS r JOIN public.alarm AS a ON a.rule_id = r.id
    WHERE r.id = $1 AND NOT a.is_acknowledged AND a.event_id = $2 AND btrim(words, E' \\t\\r\\n' || chr(160)) = ''
        AND EXISTS (SELECT FROM public.comment_setting AS c WHERE r.priority = ANY (c.priorities)
            AND (c.municipality_id IS NULL OR c.municipality_id = r.municipality_id))
$$;
DO $$
DECLARE
    one regprocedure := (SELECT p.oid FROM pg_proc AS p WHERE p.proname = 'act_on_alarms');
    old constant text := 'IF answer IS NULL THEN
            answer := public.step_alarm(';
    new constant text := 'IF answer IS NULL AND happening = ''acknowledged'' THEN
            answer := public.why_comment(wanted.rule_id, wanted.event_id, said);
        END IF;
        ' || old;
BEGIN
    ASSERT strpos(pg_get_functiondef(one), old) > 0, 'act_on_alarms() is another one';
    EXECUTE replace(pg_get_functiondef(one), old, new);
END $$;

-- without a municipality: for all of them
CREATE FUNCTION set_comments(municipality_id integer, priorities integer[], comments text[], reason text)
RETURNS TABLE (is_done boolean, words text) LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    old public.comment_setting;
    is_seen boolean := $1 IS NULL OR coalesce((public.my_municipalities())[$1], false);
    wanted integer[] := ARRAY(SELECT DISTINCT one FROM unnest($2) AS one ORDER BY one);
    said text[] := ARRAY(SELECT btrim(one) FROM unnest($3) WITH ORDINALITY AS t (one, number) WHERE btrim(one) <> ''
        ORDER BY number);
BEGIN
    PERFORM public.take_turn(7205);
    words := CASE WHEN is_seen THEN public.refusal('set_comments', coalesce($1, 0))
        ELSE coalesce(public.why_nothing(), 'There is no such municipality.') END;
    IF words IS NULL AND NOT coalesce($2 IS NOT NULL AND $3 IS NOT NULL
            AND wanted <@ ARRAY[1, 2, 3, 4] AND cardinality(said) <= 50
            AND (SELECT coalesce(max(length(one)), 0) <= 200 AND count(*) = count(DISTINCT lower(one))
                FROM unnest(said) AS one), false) THEN
        words := 'Priorities are 1 to 4; at most 50 standard comments, each of them once and at most 200 letters long.';
    END IF;
    is_done := words IS NULL;
    SELECT * INTO old FROM public.comment_setting AS c WHERE c.municipality_id IS NOT DISTINCT FROM $1 AND is_done;
    IF is_done THEN
        INSERT INTO public.comment_setting (municipality_id, priorities, comments) VALUES ($1, wanted, said)
            ON CONFLICT (municipality_id) DO UPDATE SET priorities = excluded.priorities, comments = excluded.comments;
        PERFORM pg_notify('configuration', '');
    END IF;
    PERFORM public.write_audit('set_comments', 'comments', CASE WHEN is_seen THEN $1 END,
        CASE WHEN old.id IS NOT NULL THEN jsonb_build_object('priorities', old.priorities, 'comments', old.comments) END,
        CASE WHEN is_done OR cardinality(said) <= 50 THEN jsonb_build_object('priorities', wanted[1 : 10], 'comments',
            ARRAY(SELECT left(one, 200) FROM unnest(said) AS one)) END, words, left($4, 500));
    words := coalesce(words, 'Saved.');
    RETURN NEXT;
END $$;
"""

_NOTE = """
-- Empty words take the note away. `expected`: the note that the person saw; another one is not overwritten unseen.
CREATE FUNCTION set_note(rule_id integer, expected text, words text) RETURNS TABLE (is_done boolean, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    rule public.alarm_rule;
    found public.alarm;
    said text := left(btrim(coalesce(words, '')), 500);
    deed text := CASE WHEN btrim(coalesce(words, '')) = '' THEN 'remove_note' ELSE 'write_note' END;
BEGIN
    IF true = ANY (public.municipalities_where('comment')) THEN
        PERFORM public.take_turn(7202);
    END IF;
    SELECT * INTO rule FROM public.alarm_rule AS r WHERE r.id = $1 AND (public.my_municipalities())[r.municipality_id];
    answer := CASE WHEN rule.id IS NULL THEN coalesce(public.why_nothing(), 'There is no such alarm.')
        ELSE public.refusal('comment', rule.municipality_id) END;
    IF answer IS NULL THEN
        -- of an alarm that never came as well
        INSERT INTO public.alarm (rule_id, is_active, is_acknowledged, event_id, quality, seq)
            VALUES ($1, false, true, 0, 0, public.clock_number('public.alarm_seq')) ON CONFLICT DO NOTHING;
        SELECT * INTO found FROM public.alarm AS a WHERE a.rule_id = $1;
        answer := CASE WHEN coalesce(found.note ->> 'words', '') <> coalesce(expected, '')
                THEN coalesce('Somebody else changed the note meanwhile. It says: ' || (found.note ->> 'words'),
                    'Somebody else removed the note meanwhile.')
            WHEN said = '' AND found.note IS NULL THEN 'A note needs words.' END;
    END IF;
    is_done := answer IS NULL;
    IF is_done THEN
        UPDATE public.alarm AS a SET seq = public.clock_number('public.alarm_seq'), note = CASE WHEN said <> '' THEN
            jsonb_build_object('words', said, 'by', session_user::text, 'at', clock_timestamp()) END WHERE a.rule_id = $1;
        INSERT INTO public.alarm_journal (rule_id, event_id, happening, previous_state, state, trigger, source_time, value,
            quality, alarm_limit, priority, message, person, station, comment)
        VALUES ($1, found.event_id, CASE WHEN said = '' THEN 'note_removed' ELSE 'noted' END, public.alarm_state(found),
            public.alarm_state(found), 'comment', clock_timestamp(), found.value, found.quality, rule.alarm_limit,
            rule.priority, rule.message, session_user, (public.my_session()).station,
            coalesce(nullif(said, ''), found.note ->> 'words'));
        PERFORM pg_notify('process', '');
    END IF;
    PERFORM public.write_audit(deed, concat('alarm ', $1), rule.municipality_id,
        CASE WHEN found.note IS NOT NULL THEN jsonb_build_object('note', found.note ->> 'words') END,
        jsonb_build_object('note', nullif(said, '')), answer, '');
    answer := coalesce(answer, 'Done.');
    RETURN NEXT;
END $$;
"""

_READ = """
-- what was set aside at a moment, and how
CREATE FUNCTION read_set_aside(at timestamptz) RETURNS TABLE (rule_id integer, state text) LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT a.rule_id, newest.state FROM public.alarm AS a CROSS JOIN LATERAL (
            SELECT j.state FROM public.alarm_journal AS j WHERE j.rule_id = a.rule_id AND j.commit_time <= at
            ORDER BY j.id DESC LIMIT 1) AS newest
        WHERE newest.state IN ('SHLVD', 'DSUPR', 'OOSRV');
END $$;
ALTER FUNCTION read_set_aside(timestamptz) OWNER TO reader_service;
REVOKE ALL ON FUNCTION why_comment(integer, bigint, text), set_comments(integer, integer[], text[], text),
    set_note(integer, text, text), read_set_aside(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION set_comments(integer, integer[], text[], text), set_note(integer, text, text) TO person;
GRANT EXECUTE ON FUNCTION read_set_aside(timestamptz) TO viewer;
SELECT seal_functions();
"""


def upgrade() -> None:
    """Add settings, notes and their functions; an acknowledgement looks whether a comment is demanded."""
    for statements in (_TABLES, _DEMAND, _NOTE, _READ):
        op.execute(statements)


_BACK = """
DO $$
DECLARE
    one regprocedure := (SELECT p.oid FROM pg_proc AS p WHERE p.proname = 'act_on_alarms');
BEGIN
    EXECUTE replace(pg_get_functiondef(one), 'IF answer IS NULL AND happening = ''acknowledged'' THEN
            answer := public.why_comment(wanted.rule_id, wanted.event_id, said);
        END IF;
        ', '');
END $$;
DROP FUNCTION read_set_aside(timestamptz), set_note(integer, text, text), why_comment(integer, bigint, text),
    set_comments(integer, integer[], text[], text);
DELETE FROM role_right WHERE action = 'set_comments';
DELETE FROM action WHERE key = 'set_comments';
SELECT hide_table('comment_setting'), hide_table('alarm');
DROP TABLE comment_setting;
ALTER TABLE alarm DROP COLUMN note;
SELECT show_table('alarm');
SELECT seal_functions();
"""


def downgrade() -> None:
    """Forget settings and notes; the journal keeps what was noted."""
    op.execute(_BACK)
