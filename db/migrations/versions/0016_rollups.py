"""Roll-ups of history at a minute, a quarter, an hour and a day, reckoned here, by the rules of core/rollups.py.

Whoever stores samples marks their minutes as due in the same transaction; `roll_up` reckons what is due, from samples for
minutes and from the level below for the rest. Marks are only ever added and taken away whole, so that nobody waits for anybody.
"""

from alembic import op

revision = "0016"
down_revision = "0015"

# a period without a sample has no row: what held goes on holding. A table for each length, so that a year's hours lie together.
_TABLES = """
CREATE TABLE rollup (
    start timestamptz NOT NULL,
    first_time timestamptz NOT NULL,
    low_time timestamptz,
    high_time timestamptz,
    low double precision,
    high double precision,
    average double precision,
    first double precision,
    last double precision,
    good_s double precision NOT NULL,
    uncertain_s double precision NOT NULL,
    bad_s double precision NOT NULL,
    tag_id integer NOT NULL,
    municipality_id integer NOT NULL,
    period_s integer NOT NULL,
    count integer NOT NULL,
    grade smallint NOT NULL,
    worst smallint NOT NULL,
    PRIMARY KEY (tag_id, period_s, start)
) PARTITION BY LIST (period_s);
CREATE TABLE rollup_60 PARTITION OF rollup FOR VALUES IN (60);
CREATE TABLE rollup_900 PARTITION OF rollup FOR VALUES IN (900);
CREATE TABLE rollup_3600 PARTITION OF rollup FOR VALUES IN (3600);
CREATE TABLE rollup_86400 PARTITION OF rollup FOR VALUES IN (86400);
CREATE TABLE rollup_due (
    start timestamptz NOT NULL,
    ready_time timestamptz NOT NULL,
    tag_id integer NOT NULL,
    municipality_id integer NOT NULL,
    period_s integer NOT NULL
);
CREATE INDEX rollup_due_tag ON rollup_due (tag_id, start);
CREATE INDEX rollup_due_ready ON rollup_due (ready_time);
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['rollup', 'rollup_due'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I FOR SELECT TO reader_service'
            ' USING (((SELECT public.my_municipalities())::boolean[])[municipality_id])', name);
        EXECUTE format('GRANT SELECT ON %I TO reader_service', name);
    END LOOP;
END $$;
SELECT forget_statistics(place::regclass) FROM unnest(
    ARRAY['rollup', 'rollup_60', 'rollup_900', 'rollup_3600', 'rollup_86400', 'rollup_due']) AS place;
-- what is there already
INSERT INTO rollup_due (start, ready_time, tag_id, municipality_id, period_s)
    SELECT DISTINCT date_trunc('minute', s.source_time), now(), s.tag_id, s.municipality_id, 60 FROM sample AS s
    WHERE s.municipality_id > 0;
"""

_RECKON = """
CREATE FUNCTION period_start(at timestamptz, period_s integer) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT date_bin(make_interval(secs => period_s), at, '2000-01-01 00:00:00+00')
$$;

-- Whoever stores samples says of which tags and minutes. What is marked is reckoned two minutes later at the earliest, so a
-- writer need not mark again for the first minute.
CREATE FUNCTION mark_rollups(tags integer[], minutes timestamptz[], places integer[]) RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO public.rollup_due (start, ready_time, tag_id, municipality_id, period_s)
    SELECT date_trunc('minute', m.minute), clock_timestamp() + interval '120 seconds', m.tag, m.place, 60
    FROM unnest(tags, minutes, places) AS m (tag, minute, place) WHERE m.place > 0
$$;

-- Minutes from samples. What held before their first one is added afterwards, when all minutes are there.
CREATE FUNCTION roll_up_minutes(tags integer[], starts timestamptz[], places integer[]) RETURNS void LANGUAGE sql
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
    WITH held AS (
        SELECT d.tag_id, d.start, d.place, s.source_time AS at, s.value, g.grade, s.value IS NOT NULL AND g.grade <= 1 AS is_ok,
            extract(epoch FROM lead(s.source_time, 1, d.start + interval '1 minute')
                OVER (PARTITION BY d.tag_id, d.start ORDER BY s.source_time) - s.source_time)::float8 AS held_s
        FROM unnest(tags, starts, places) AS d (tag_id, start, place)
        -- OFFSET 0: each by the index, never all samples of a tag against all minutes
        CROSS JOIN LATERAL (SELECT * FROM public.sample AS x WHERE x.tag_id = d.tag_id AND x.source_time >= d.start
            AND x.source_time < d.start + interval '1 minute' OFFSET 0) AS s
        CROSS JOIN LATERAL (SELECT CASE WHEN s.value IS NULL THEN 3 ELSE public.sample_grade(s.quality) END AS grade) AS g)
    INSERT INTO public.rollup AS old (start, first_time, low_time, high_time, low, high, average, first, last, good_s,
        uncertain_s, bad_s, tag_id, municipality_id, period_s, count, grade, worst)
    SELECT h.start, min(h.at),
        (array_agg(h.at ORDER BY h.value, h.at) FILTER (WHERE h.is_ok))[1],
        (array_agg(h.at ORDER BY h.value DESC, h.at) FILTER (WHERE h.is_ok))[1],
        min(h.value) FILTER (WHERE h.is_ok), max(h.value) FILTER (WHERE h.is_ok),
        sum(h.value * h.held_s) FILTER (WHERE h.is_ok) / nullif(sum(h.held_s) FILTER (WHERE h.is_ok), 0),
        (array_agg(h.value ORDER BY h.at) FILTER (WHERE h.is_ok))[1],
        (array_agg(h.value ORDER BY h.at DESC) FILTER (WHERE h.is_ok))[1],
        coalesce(sum(h.held_s) FILTER (WHERE h.grade = 0), 0), coalesce(sum(h.held_s) FILTER (WHERE h.grade = 1), 0),
        coalesce(sum(h.held_s) FILTER (WHERE h.grade > 1), 0),
        h.tag_id, h.place, 60, count(*), (array_agg(h.grade ORDER BY h.at DESC))[1], max(h.grade)
    FROM held AS h GROUP BY h.tag_id, h.start, h.place
    ON CONFLICT (tag_id, period_s, start) DO UPDATE SET first_time = excluded.first_time, low_time = excluded.low_time,
        high_time = excluded.high_time, low = excluded.low, high = excluded.high, average = excluded.average,
        first = excluded.first, last = excluded.last, good_s = excluded.good_s, uncertain_s = excluded.uncertain_s,
        bad_s = excluded.bad_s, count = excluded.count, grade = excluded.grade, worst = excluded.worst,
        municipality_id = excluded.municipality_id;
    UPDATE public.rollup AS r SET
        average = CASE WHEN p.grade > 1 THEN r.average
            ELSE (coalesce(r.average, 0) * (r.good_s + r.uncertain_s) + p.last * h.head_s)
                / nullif(r.good_s + r.uncertain_s + h.head_s, 0) END,
        good_s = r.good_s + CASE WHEN p.grade = 0 THEN h.head_s ELSE 0 END,
        uncertain_s = r.uncertain_s + CASE WHEN p.grade = 1 THEN h.head_s ELSE 0 END,
        bad_s = r.bad_s + CASE WHEN p.grade > 1 THEN h.head_s ELSE 0 END
    FROM unnest(tags, starts) AS d (tag_id, start)
    CROSS JOIN LATERAL (SELECT b.grade, b.last FROM public.rollup AS b
        WHERE b.tag_id = d.tag_id AND b.period_s = 60 AND b.start < d.start ORDER BY b.start DESC LIMIT 1) AS p
    CROSS JOIN LATERAL (SELECT extract(epoch FROM o.first_time - o.start)::float8 AS head_s FROM public.rollup AS o
        WHERE o.tag_id = d.tag_id AND o.period_s = 60 AND o.start = d.start) AS h
    WHERE r.tag_id = d.tag_id AND r.period_s = 60 AND r.start = d.start AND h.head_s > 0
$$;

-- Longer periods from those of the length below: each counts for itself, and what held at its end until the next one begins.
CREATE FUNCTION roll_up_longer(tags integer[], starts timestamptz[], places integer[], period_s integer, part_s integer)
RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
    WITH parts AS (
        SELECT d.start AS whole, d.place, r.*, extract(epoch FROM lead(r.start, 1, d.start + make_interval(secs => $4))
            OVER (PARTITION BY d.tag_id, d.start ORDER BY r.start) - r.start)::float8 - $5 AS after_s
        FROM unnest(tags, starts, places) AS d (tag_id, start, place) CROSS JOIN LATERAL (SELECT * FROM public.rollup AS x
            WHERE x.tag_id = d.tag_id AND x.period_s = $5 AND x.start >= d.start AND x.start < d.start + make_interval(secs => $4)
            OFFSET 0) AS r),
    holdings AS (
        SELECT p.tag_id, p.whole, p.average AS value, p.good_s, p.uncertain_s, p.bad_s FROM parts AS p
        UNION ALL SELECT p.tag_id, p.whole, CASE WHEN p.grade <= 1 THEN p.last END,
            CASE WHEN p.grade = 0 THEN p.after_s ELSE 0 END, CASE WHEN p.grade = 1 THEN p.after_s ELSE 0 END,
            CASE WHEN p.grade > 1 THEN p.after_s ELSE 0 END FROM parts AS p
        UNION ALL SELECT f.tag_id, f.whole, CASE WHEN b.grade <= 1 THEN b.last END,
            CASE WHEN b.grade = 0 THEN f.head_s ELSE 0 END, CASE WHEN b.grade = 1 THEN f.head_s ELSE 0 END,
            CASE WHEN b.grade > 1 THEN f.head_s ELSE 0 END
        FROM (SELECT p.tag_id, p.whole, extract(epoch FROM min(p.start) - p.whole)::float8 AS head_s FROM parts AS p
            GROUP BY p.tag_id, p.whole) AS f
        CROSS JOIN LATERAL (SELECT o.grade, o.last FROM public.rollup AS o WHERE o.tag_id = f.tag_id AND o.period_s = $5
            AND o.start < f.whole ORDER BY o.start DESC LIMIT 1) AS b),
    weighed AS (SELECT h.tag_id, h.whole, sum(h.value * (h.good_s + h.uncertain_s))
            / nullif(sum(h.good_s + h.uncertain_s), 0) AS average, sum(h.good_s) AS good_s,
            sum(h.uncertain_s) AS uncertain_s, sum(h.bad_s) AS bad_s FROM holdings AS h GROUP BY h.tag_id, h.whole),
    gathered AS (SELECT p.whole, min(p.first_time) AS first_time, (array_agg(p.low_time ORDER BY p.low, p.start))[1] AS low_time,
            (array_agg(p.high_time ORDER BY p.high DESC NULLS LAST, p.start))[1] AS high_time, min(p.low) AS low,
            max(p.high) AS high, (array_agg(p.first ORDER BY p.start) FILTER (WHERE p.first IS NOT NULL))[1] AS first,
            (array_agg(p.last ORDER BY p.start DESC) FILTER (WHERE p.last IS NOT NULL))[1] AS last, p.tag_id, p.place,
            sum(p.count) AS count, (array_agg(p.grade ORDER BY p.start DESC))[1] AS grade, max(p.worst) AS worst
        FROM parts AS p GROUP BY p.tag_id, p.whole, p.place)
    INSERT INTO public.rollup AS old (start, first_time, low_time, high_time, low, high, average, first, last, good_s,
        uncertain_s, bad_s, tag_id, municipality_id, period_s, count, grade, worst)
    SELECT g.whole, g.first_time, g.low_time, g.high_time, g.low, g.high, w.average, g.first, g.last, w.good_s, w.uncertain_s,
        w.bad_s, g.tag_id, g.place, $4, g.count, g.grade, g.worst
    FROM gathered AS g JOIN weighed AS w ON w.tag_id = g.tag_id AND w.whole = g.whole
    ON CONFLICT (tag_id, period_s, start) DO UPDATE SET first_time = excluded.first_time, low_time = excluded.low_time,
        high_time = excluded.high_time, low = excluded.low, high = excluded.high, average = excluded.average,
        first = excluded.first, last = excluded.last, good_s = excluded.good_s, uncertain_s = excluded.uncertain_s,
        bad_s = excluded.bad_s, count = excluded.count, grade = excluded.grade, worst = excluded.worst,
        municipality_id = excluded.municipality_id
$$;

-- Reckon what is due, at most so many marks, and mark the longer periods around it; how many marks were taken.
CREATE FUNCTION roll_up(most integer) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    lengths constant integer[] := ARRAY[60, 900, 3600, 86400];
    taken public.rollup_due[];
    tags integer[];
    starts timestamptz[];
    places integer[];
BEGIN
    -- one at a time
    PERFORM pg_advisory_xact_lock(7205);
    WITH gone AS (DELETE FROM public.rollup_due WHERE ctid = ANY (ARRAY(SELECT d.ctid FROM public.rollup_due AS d
        WHERE d.ready_time <= clock_timestamp() ORDER BY d.ready_time, d.tag_id, d.start LIMIT most)) RETURNING rollup_due.*)
    SELECT array_agg(g) INTO taken FROM gone AS g;
    FOR number IN 1 .. cardinality(lengths) LOOP
        SELECT array_agg(x.tag_id), array_agg(x.start), array_agg(x.municipality_id) INTO tags, starts, places FROM (
            SELECT t.tag_id, t.start, t.municipality_id FROM unnest(taken) AS t WHERE t.period_s = lengths[number]
            -- what held at its end may be another value now
            UNION SELECT t.tag_id, n.start, t.municipality_id FROM unnest(taken) AS t CROSS JOIN LATERAL (SELECT r.start
                FROM public.rollup AS r WHERE r.tag_id = t.tag_id AND r.period_s = 60 AND r.start > t.start
                ORDER BY r.start LIMIT 1) AS n WHERE t.period_s = 60 AND number = 1) AS x;
        CONTINUE WHEN tags IS NULL;
        IF number = 1 THEN
            PERFORM public.roll_up_minutes(tags, starts, places);
        ELSE
            PERFORM public.roll_up_longer(tags, starts, places, lengths[number], lengths[number - 1]);
        END IF;
        CONTINUE WHEN number = cardinality(lengths);
        INSERT INTO public.rollup_due (start, ready_time, tag_id, municipality_id, period_s)
        SELECT DISTINCT n.start, greatest(clock_timestamp(), n.start + make_interval(secs => lengths[number + 1] + 150)),
            d.tag_id, d.place, lengths[number + 1] FROM unnest(tags, starts, places) AS d (tag_id, start, place)
        CROSS JOIN LATERAL (SELECT public.period_start(d.start, lengths[number + 1]) AS start) AS n
        WHERE NOT EXISTS (SELECT FROM public.rollup_due AS o WHERE o.tag_id = d.tag_id AND o.start = n.start
            AND o.period_s = lengths[number + 1]);
    END LOOP;
    RETURN coalesce(cardinality(taken), 0);
END $$;
"""

# The shape of read_columns(): an entry for each period that is whole and not due, and one from samples for what is neither.
# None where so much is due that samples alone are quicker.
_READ = """
CREATE FUNCTION read_rollups(tag_id integer, begin_time timestamptz, end_time timestamptz, period_s integer)
RETURNS TABLE (times_s float8[], lows float8[], highs float8[], lasts float8[], grades integer[], worsts integer[])
LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    length constant interval := make_interval(secs => $4);
    first_start timestamptz := public.period_start(begin_time + length - interval '1 microsecond', $4);
    last_end timestamptz := public.period_start(end_time, $4);
    due timestamptz[];
    since timestamptz;
    until timestamptz;
    one record;
BEGIN
    times_s := '{}'; lows := '{}'; highs := '{}'; lasts := '{}'; grades := '{}'; worsts := '{}';
    SELECT array_agg(DISTINCT public.period_start(d.start, $4)) INTO due FROM public.rollup_due AS d
        WHERE d.tag_id = $1 AND d.period_s <= $4 AND d.start >= first_start AND d.start < last_end;
    IF NOT EXISTS (SELECT FROM public.tag AS t WHERE t.id = $1) OR cardinality(due) > 200 OR first_start >= last_end THEN
        RETURN;
    END IF;
    FOR one IN SELECT s.source_time AS at, s.value, public.sample_grade(s.quality) AS grade FROM public.sample AS s
            WHERE s.tag_id = $1 AND s.source_time < begin_time ORDER BY s.source_time DESC LIMIT 1 LOOP
        times_s := ARRAY[extract(epoch FROM one.at)::float8]; lows := ARRAY[one.value]; highs := lows; lasts := lows;
        grades := ARRAY[one.grade]; worsts := grades;
    END LOOP;
    FOR since, until IN SELECT begin_time, first_start UNION ALL SELECT last_end, end_time + interval '1 microsecond'
            UNION ALL SELECT x, x + length FROM unnest(due) AS x LOOP
        FOR one IN SELECT min(f.source_time) AS at, min(f.value) FILTER (WHERE f.grade <= 1) AS low,
                max(f.value) FILTER (WHERE f.grade <= 1) AS high,
                (array_agg(f.value ORDER BY f.source_time DESC) FILTER (WHERE f.grade <= 1 AND f.value IS NOT NULL))[1] AS last,
                (array_agg(f.grade ORDER BY f.source_time DESC))[1] AS grade, max(f.grade) AS worst
                FROM (SELECT s.source_time, s.value, public.sample_grade(s.quality) AS grade FROM public.sample AS s
                    WHERE s.tag_id = $1 AND s.source_time >= since AND s.source_time < until) AS f HAVING count(*) > 0 LOOP
            times_s := times_s || extract(epoch FROM one.at)::float8; lows := lows || one.low; highs := highs || one.high;
            lasts := lasts || one.last; grades := grades || one.grade; worsts := worsts || one.worst;
        END LOOP;
    END LOOP;
    RETURN QUERY SELECT array_agg(f.at ORDER BY f.at), array_agg(f.low ORDER BY f.at), array_agg(f.high ORDER BY f.at),
            array_agg(f.last ORDER BY f.at), array_agg(f.grade ORDER BY f.at), array_agg(f.worst ORDER BY f.at) FROM (
        SELECT * FROM unnest(times_s, lows, highs, lasts, grades, worsts) AS m (at, low, high, last, grade, worst)
        UNION ALL SELECT extract(epoch FROM r.first_time)::float8, r.low, r.high, r.last, r.grade::integer, r.worst::integer
        FROM public.rollup AS r WHERE r.tag_id = $1 AND r.period_s = $4 AND r.start >= first_start AND r.start < last_end
            AND r.start <> ALL (coalesce(due, '{}'))) AS f;
END $$;
ALTER FUNCTION read_rollups(integer, timestamptz, timestamptz, integer) OWNER TO reader_service;
"""

_GRANTS = """
REVOKE ALL ON FUNCTION period_start(timestamptz, integer), mark_rollups(integer[], timestamptz[], integer[]),
    roll_up_minutes(integer[], timestamptz[], integer[]), roll_up(integer),
    roll_up_longer(integer[], timestamptz[], integer[], integer, integer),
    read_rollups(integer, timestamptz, timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mark_rollups(integer[], timestamptz[], integer[]), roll_up(integer) TO collector_service;
GRANT EXECUTE ON FUNCTION period_start(timestamptz, integer) TO reader_service;
GRANT EXECUTE ON FUNCTION read_rollups(integer, timestamptz, timestamptz, integer) TO viewer;
SELECT seal_functions();
"""

_BACK = """
DROP FUNCTION read_rollups(integer, timestamptz, timestamptz, integer), roll_up(integer),
    roll_up_longer(integer[], timestamptz[], integer[], integer, integer),
    roll_up_minutes(integer[], timestamptz[], integer[]), mark_rollups(integer[], timestamptz[], integer[]),
    period_start(timestamptz, integer);
DROP TABLE rollup, rollup_due;
"""


def upgrade() -> None:
    """Keep roll-ups; what is stored already becomes due, and is reckoned by the collector in its own time."""
    for statements in (_TABLES, _RECKON, _READ, _GRANTS):
        op.execute(statements)


def downgrade() -> None:
    """Drop the roll-ups; samples are all still there."""
    op.execute(_BACK)
