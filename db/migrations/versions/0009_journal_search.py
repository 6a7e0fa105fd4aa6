"""The journal is searched: by time, area, person, kind and words, the newest first, in pages.

Its rows are numbered by the clock, so that their numbers are the time and one column orders and bounds everything. Under
row-level security an index serves only what is compared by =, < and >: words are looked for in the few rules and in the
rows with a comment, never in all rows.
"""

from alembic import op

revision = "0009"
down_revision = "0008"

_TABLES = """
-- rows from before they were numbered by the clock
ALTER TABLE alarm_journal DISABLE TRIGGER alarm_journal_append_only;
UPDATE alarm_journal AS j SET id = n.number FROM (SELECT id, (extract(epoch FROM commit_time) * 1000000)::bigint
    + row_number() OVER (ORDER BY id) AS number FROM alarm_journal WHERE id < 1000000000000000) AS n WHERE n.id = j.id;
ALTER TABLE alarm_journal ENABLE TRIGGER alarm_journal_append_only;
CREATE INDEX alarm_journal_place ON alarm_journal (municipality_id, id);
CREATE INDEX alarm_journal_happening ON alarm_journal (municipality_id, happening, id);
CREATE INDEX alarm_journal_rule_happening ON alarm_journal (rule_id, happening, id);
CREATE INDEX alarm_journal_person ON alarm_journal (municipality_id, person, id) WHERE person <> '';
CREATE INDEX alarm_journal_comment ON alarm_journal (municipality_id, id) INCLUDE (comment) WHERE comment <> '';

-- the journal has the words of its time: who looks for them must find the rule that had them
ALTER TABLE alarm_rule ADD COLUMN former_messages text[] DEFAULT '{}' NOT NULL;
UPDATE alarm_rule AS r SET former_messages = f.messages FROM (SELECT j.rule_id, array_agg(DISTINCT j.message) AS messages
    FROM alarm_journal AS j JOIN alarm_rule AS o ON o.id = j.rule_id WHERE j.message <> o.message GROUP BY j.rule_id) AS f
    WHERE f.rule_id = r.id;
CREATE FUNCTION keep_message() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.message <> OLD.message THEN
        NEW.former_messages := array_append(array_remove(OLD.former_messages, OLD.message), OLD.message);
        -- somebody who changes it all the time fills no table
        NEW.former_messages := NEW.former_messages[greatest(1, cardinality(NEW.former_messages) - 19):];
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER alarm_rule_message BEFORE UPDATE OF message ON alarm_rule FOR EACH ROW EXECUTE FUNCTION keep_message();
SELECT forget_statistics(place) FROM unnest(ARRAY['alarm_rule', 'alarm_journal']::regclass[]) AS place;
SELECT show_table('alarm_rule');
"""

_SEARCH = """
-- who of these municipalities has a part of the name; from one person to the next by the index, over all their rows
CREATE FUNCTION journal_people(places integer[], part text) RETURNS text[] LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
BEGIN
    RETURN ARRAY(WITH RECURSIVE one (place, person) AS (
        SELECT p.place, (SELECT min(j.person) FROM public.alarm_journal AS j
            WHERE j.municipality_id = p.place AND j.person <> '') FROM unnest(places) AS p (place)
        UNION ALL
        SELECT o.place, (SELECT min(j.person) FROM public.alarm_journal AS j
            WHERE j.municipality_id = o.place AND j.person <> '' AND j.person > o.person) FROM one AS o
            WHERE o.person IS NOT NULL)
        SELECT DISTINCT o.person FROM one AS o WHERE strpos(lower(o.person), lower(part)) > 0);
END $$;

-- the rules of an area whose tag, place or message, of now or before, has every one of the words
CREATE FUNCTION journal_rules(places integer[], wanted jsonb, words text[]) RETURNS integer[] LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
BEGIN
    RETURN ARRAY(SELECT r.id FROM public.alarm_rule AS r JOIN public.tag AS t ON t.id = r.tag_id
        JOIN public.asset AS a ON a.id = t.asset_id LEFT JOIN public.asset AS s ON s.id = a.parent_id
        WHERE r.municipality_id = ANY (places)
            AND (wanted ->> 'site' IS NULL OR coalesce(s.name, a.name) = wanted ->> 'site')
            AND (wanted ->> 'asset' IS NULL OR a.name = wanted ->> 'asset')
            AND (words IS NULL OR lower(concat_ws(' ', t.key, t.name, s.name, a.name, r.message,
                array_to_string(r.former_messages, ' '))) LIKE ALL (words)));
END $$;

-- these rows with the tag that each is of, the newest first
CREATE FUNCTION journal_rows(chosen bigint[]) RETURNS TABLE (id bigint, commit_time timestamptz,
    source_time timestamptz, rule_id integer, event_id bigint, happening text, previous_state text, state text, value float8,
    quality integer, alarm_limit float8, priority smallint, message text, person text, station text, comment text,
    detail jsonb, municipality_id integer, tag_id integer, tag_key text, tag_name text, site text, asset text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY WITH j AS MATERIALIZED (SELECT * FROM public.alarm_journal AS o WHERE o.id = ANY (chosen))
        SELECT j.id, j.commit_time, j.source_time, j.rule_id, j.event_id, j.happening, j.previous_state, j.state,
            j.value, j.quality, j.alarm_limit, j.priority, j.message, j.person, j.station, j.comment, j.detail,
            j.municipality_id, t.id, t.key, t.name, coalesce(s.name, a.name), a.name
        FROM j JOIN public.alarm_rule AS r ON r.id = j.rule_id JOIN public.tag AS t ON t.id = r.tag_id
            JOIN public.asset AS a ON a.id = t.asset_id LEFT JOIN public.asset AS s ON s.id = a.parent_id
        ORDER BY j.id DESC;
END $$;

-- Rows before a number, the newest first. `wanted`: municipality, site, asset; start, end (when it was written); person (a
-- part of the name); kinds; text (every word in tag, place and message, or every word in the comment).
-- Every step goes down an index and stops; the planner would rather gather a rule's rows and sort them, and compile.
CREATE FUNCTION search_journal(wanted jsonb, before bigint, most integer) RETURNS TABLE (id bigint, commit_time timestamptz,
    source_time timestamptz, rule_id integer, event_id bigint, happening text, previous_state text, state text, value float8,
    quality integer, alarm_limit float8, priority smallint, message text, person text, station text, comment text,
    detail jsonb, municipality_id integer, tag_id integer, tag_key text, tag_name text, site text, asset text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
    many integer := least(greatest(most, 0), 5000);
    -- numbers are microseconds since 1970
    low bigint := coalesce(extract(epoch FROM (wanted ->> 'start')::timestamptz) * 1000000, 0);
    high bigint := least(before, extract(epoch FROM (wanted ->> 'end')::timestamptz) * 1000000, 9223372036854775807);
    places integer[] := ARRAY(SELECT one FROM unnest(public.my_municipality_ids()) AS one
        WHERE wanted ->> 'municipality' IS NULL OR one = (wanted ->> 'municipality')::integer);
    kinds text[] := CASE WHEN wanted ? 'kinds' THEN ARRAY(SELECT jsonb_array_elements_text(wanted -> 'kinds')) END;
    words text[] := CASE WHEN wanted ? 'text' THEN ARRAY(SELECT '%' || regexp_replace(lower(one), '([\\\\%_])', '\\\\\\1', 'g')
        || '%' FROM regexp_split_to_table(left(wanted ->> 'text', 200), '\\s+') AS one) END;
    area integer[] := CASE WHEN wanted ?| ARRAY['site', 'asset'] THEN public.journal_rules(places, wanted, NULL) END;
    -- of the area those that the words name; without words all of it
    named integer[] := CASE WHEN words IS NULL THEN area ELSE public.journal_rules(places, wanted, words) END;
    people text[] := CASE WHEN wanted ? 'person' THEN public.journal_people(places, wanted ->> 'person') END;
    chosen bigint[];
BEGIN
    IF people IS NOT NULL THEN
        chosen := ARRAY(SELECT f.id FROM unnest(places) AS p (place), unnest(people) AS q (person), LATERAL (
            SELECT j.id FROM public.alarm_journal AS j WHERE j.municipality_id = p.place AND j.person = q.person
                AND j.person <> '' AND j.id >= low AND j.id < high AND (kinds IS NULL OR j.happening = ANY (kinds))
                AND (area IS NULL OR j.rule_id = ANY (area))
                AND (words IS NULL OR j.rule_id = ANY (named) OR lower(j.comment) LIKE ALL (words))
                ORDER BY j.id DESC LIMIT many) AS f ORDER BY f.id DESC LIMIT many);
    ELSIF named IS NULL AND kinds IS NULL THEN
        chosen := ARRAY(SELECT f.id FROM unnest(places) AS p (place), LATERAL (
            SELECT j.id FROM public.alarm_journal AS j WHERE j.municipality_id = p.place AND j.id >= low AND j.id < high
                ORDER BY j.id DESC LIMIT many) AS f ORDER BY f.id DESC LIMIT many);
    ELSIF named IS NULL THEN
        chosen := ARRAY(SELECT f.id FROM unnest(places) AS p (place), unnest(kinds) AS k (kind), LATERAL (
            SELECT j.id FROM public.alarm_journal AS j WHERE j.municipality_id = p.place AND j.happening = k.kind
                AND j.id >= low AND j.id < high ORDER BY j.id DESC LIMIT many) AS f ORDER BY f.id DESC LIMIT many);
    ELSE
        -- a row among the newest is one of a rule whose own newest is among them, and is no older than the last of these
        IF kinds IS NULL THEN
            chosen := ARRAY(WITH newest AS MATERIALIZED (
                    SELECT n.id AS rule_id, (SELECT max(j.id) FROM public.alarm_journal AS j WHERE j.rule_id = n.id
                        AND j.id >= low AND j.id < high) AS number FROM unnest(named) AS n (id)),
                first AS MATERIALIZED (SELECT n.rule_id, n.number FROM newest AS n WHERE n.number IS NOT NULL
                    ORDER BY n.number DESC LIMIT many)
                SELECT f.id FROM first AS o, LATERAL (
                    SELECT j.id FROM public.alarm_journal AS j WHERE j.rule_id = o.rule_id AND j.id < high
                        AND j.id >= (SELECT CASE WHEN count(*) < many THEN low ELSE min(f.number) END FROM first AS f)
                        ORDER BY j.id DESC LIMIT many) AS f
                ORDER BY f.id DESC LIMIT many);
        ELSE
            chosen := ARRAY(WITH newest AS MATERIALIZED (
                    SELECT n.id AS rule_id, k.kind, (SELECT max(j.id) FROM public.alarm_journal AS j WHERE j.rule_id = n.id
                        AND j.happening = k.kind AND j.id >= low AND j.id < high) AS number
                    FROM unnest(named) AS n (id), unnest(kinds) AS k (kind)),
                first AS MATERIALIZED (SELECT n.rule_id, n.kind, n.number FROM newest AS n WHERE n.number IS NOT NULL
                    ORDER BY n.number DESC LIMIT many)
                SELECT f.id FROM first AS o, LATERAL (
                    SELECT j.id FROM public.alarm_journal AS j WHERE j.rule_id = o.rule_id AND j.happening = o.kind
                        AND j.id < high
                        AND j.id >= (SELECT CASE WHEN count(*) < many THEN low ELSE min(f.number) END FROM first AS f)
                        ORDER BY j.id DESC LIMIT many) AS f
                ORDER BY f.id DESC LIMIT many);
        END IF;
        IF words IS NOT NULL THEN
            chosen := chosen || ARRAY(SELECT f.id FROM unnest(places) AS p (place), LATERAL (
                SELECT j.id FROM public.alarm_journal AS j WHERE j.municipality_id = p.place AND j.comment <> ''
                    AND j.id >= low AND j.id < high AND lower(j.comment) LIKE ALL (words)
                    AND (area IS NULL OR j.rule_id = ANY (area)) AND (kinds IS NULL OR j.happening = ANY (kinds))
                    ORDER BY j.id DESC LIMIT many) AS f ORDER BY f.id DESC LIMIT many);
        END IF;
    END IF;
    RETURN QUERY SELECT * FROM public.journal_rows(ARRAY(SELECT DISTINCT one FROM unnest(chosen) AS one ORDER BY one DESC
        LIMIT many));
END $$;

-- Of what was not normal in an area at a moment: the newest rows before it, of each rule at most 20, the newest first. What
-- they end in is how the board stood.
CREATE FUNCTION read_opening(wanted jsonb, at timestamptz) RETURNS TABLE (id bigint, commit_time timestamptz,
    source_time timestamptz, rule_id integer, event_id bigint, happening text, previous_state text, state text, value float8,
    quality integer, alarm_limit float8, priority smallint, message text, person text, station text, comment text,
    detail jsonb, municipality_id integer, tag_id integer, tag_key text, tag_name text, site text, asset text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
    high bigint := extract(epoch FROM at) * 1000000;
    places integer[] := ARRAY(SELECT one FROM unnest(public.my_municipality_ids()) AS one
        WHERE wanted ->> 'municipality' IS NULL OR one = (wanted ->> 'municipality')::integer);
BEGIN
    RETURN QUERY SELECT * FROM public.journal_rows(ARRAY(WITH stood AS MATERIALIZED (
            SELECT n.id AS rule_id, (SELECT j.state FROM public.alarm_journal AS j WHERE j.rule_id = n.id AND j.id < high
                ORDER BY j.id DESC LIMIT 1) AS state FROM unnest(public.journal_rules(places, wanted, NULL)) AS n (id))
        SELECT f.id FROM stood AS o, LATERAL (SELECT j.id FROM public.alarm_journal AS j WHERE j.rule_id = o.rule_id
            AND j.id < high ORDER BY j.id DESC LIMIT 20) AS f WHERE o.state <> 'NORM'));
END $$;
"""

_GRANTS = """
ALTER FUNCTION journal_people(integer[], text) OWNER TO reader_service;
ALTER FUNCTION journal_rules(integer[], jsonb, text[]) OWNER TO reader_service;
ALTER FUNCTION journal_rows(bigint[]) OWNER TO reader_service;
ALTER FUNCTION search_journal(jsonb, bigint, integer) OWNER TO reader_service;
ALTER FUNCTION read_opening(jsonb, timestamptz) OWNER TO reader_service;
REVOKE ALL ON FUNCTION keep_message(), journal_people(integer[], text), journal_rules(integer[], jsonb, text[]),
    journal_rows(bigint[]), search_journal(jsonb, bigint, integer), read_opening(jsonb, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION search_journal(jsonb, bigint, integer), read_opening(jsonb, timestamptz) TO viewer;
SELECT seal_functions();
"""


def upgrade() -> None:
    """Number older rows by their time, index what is asked for, and let it be searched."""
    for statements in (_TABLES, _SEARCH, _GRANTS):
        op.execute(statements)


_BACK = """
DROP FUNCTION search_journal(jsonb, bigint, integer), read_opening(jsonb, timestamptz), journal_rows(bigint[]),
    journal_rules(integer[], jsonb, text[]), journal_people(integer[], text);
DROP INDEX alarm_journal_place, alarm_journal_happening, alarm_journal_rule_happening, alarm_journal_person,
    alarm_journal_comment;
DROP TRIGGER alarm_rule_message ON alarm_rule;
DROP FUNCTION keep_message();
SELECT hide_table('alarm_rule');
ALTER TABLE alarm_rule DROP COLUMN former_messages;
SELECT show_table('alarm_rule');
"""


def downgrade() -> None:
    """Forget what rules said before; rows keep the numbers of their time."""
    op.execute(_BACK)
