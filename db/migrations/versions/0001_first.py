"""The first schema: plant, samples, alarms, status, roles.

A migration is history: it holds its own words and never changes, whatever becomes of db/tables.py and db/access.py.
"""

from alembic import op

revision = "0001"
down_revision = None

_TABLES = """
CREATE SEQUENCE latest_seq;
CREATE SEQUENCE alarm_seq;
CREATE TABLE municipality (
    id serial NOT NULL,
    key text NOT NULL,
    name text NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (key)
);
CREATE TABLE sample (
    source_time timestamptz NOT NULL,
    value float8,
    tag_id integer NOT NULL,
    quality integer NOT NULL
) PARTITION BY RANGE (source_time);
CREATE INDEX sample_tag_time ON sample (tag_id, source_time);
CREATE UNLOGGED TABLE latest (
    tag_id integer NOT NULL,
    value float8,
    quality integer NOT NULL,
    source_time timestamptz NOT NULL,
    arrival_time timestamptz NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (tag_id)
) WITH (fillfactor = 50);
CREATE TABLE collector_status (
    id smallint NOT NULL,
    beat_time timestamptz NOT NULL,
    started_time timestamptz NOT NULL,
    host text NOT NULL,
    process_id integer NOT NULL,
    received bigint NOT NULL,
    stored bigint NOT NULL,
    dropped bigint NOT NULL,
    waiting bigint NOT NULL,
    message text NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE network (
    municipality_id integer NOT NULL,
    is_schematic boolean NOT NULL,
    PRIMARY KEY (municipality_id),
    FOREIGN KEY (municipality_id) REFERENCES municipality (id)
);
CREATE TABLE network_node (
    municipality_id integer NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    longitude_deg float8 NOT NULL,
    latitude_deg float8 NOT NULL,
    elevation_m float8 NOT NULL,
    PRIMARY KEY (municipality_id, key),
    FOREIGN KEY (municipality_id) REFERENCES municipality (id)
);
CREATE TABLE network_link (
    municipality_id integer NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    start_node text NOT NULL,
    end_node text NOT NULL,
    vertices_deg float8[] NOT NULL,
    diameter_m float8 NOT NULL,
    length_m float8 NOT NULL,
    PRIMARY KEY (municipality_id, key),
    FOREIGN KEY (municipality_id) REFERENCES municipality (id)
);
CREATE TABLE asset (
    id serial NOT NULL,
    municipality_id integer NOT NULL,
    parent_id integer,
    name text NOT NULL,
    PRIMARY KEY (id),
    UNIQUE NULLS NOT DISTINCT (municipality_id, parent_id, name),
    FOREIGN KEY (municipality_id) REFERENCES municipality (id),
    FOREIGN KEY (parent_id) REFERENCES asset (id)
);
CREATE TABLE connection (
    id serial NOT NULL,
    municipality_id integer NOT NULL,
    name text NOT NULL,
    driver text NOT NULL,
    settings jsonb NOT NULL,
    is_enabled boolean DEFAULT true NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (municipality_id, name),
    FOREIGN KEY (municipality_id) REFERENCES municipality (id)
);
CREATE TABLE tag (
    id serial NOT NULL,
    municipality_id integer NOT NULL,
    asset_id integer NOT NULL,
    connection_id integer NOT NULL,
    key text NOT NULL,
    name text NOT NULL,
    quantity text NOT NULL,
    address text NOT NULL,
    unit text NOT NULL,
    low float8 NOT NULL,
    high float8 NOT NULL,
    decimals smallint NOT NULL,
    states text[] NOT NULL,
    element text NOT NULL,
    is_writable boolean NOT NULL,
    is_retired boolean DEFAULT false NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (municipality_id, key),
    FOREIGN KEY (municipality_id) REFERENCES municipality (id),
    FOREIGN KEY (asset_id) REFERENCES asset (id),
    FOREIGN KEY (connection_id) REFERENCES connection (id)
);
CREATE INDEX ix_tag_connection_id ON tag (connection_id);
CREATE TABLE link_status (
    connection_id integer NOT NULL,
    state text NOT NULL,
    since timestamptz NOT NULL,
    reason text NOT NULL,
    last_good_time timestamptz,
    values_per_s float8 NOT NULL,
    lag_ms float8,
    received bigint NOT NULL,
    dropped bigint NOT NULL,
    PRIMARY KEY (connection_id),
    FOREIGN KEY (connection_id) REFERENCES connection (id)
);
CREATE TABLE alarm_rule (
    id serial NOT NULL,
    tag_id integer NOT NULL,
    kind text NOT NULL,
    priority smallint NOT NULL,
    alarm_limit float8 NOT NULL,
    deadband float8 NOT NULL,
    on_delay_s float8 NOT NULL,
    off_delay_s float8 NOT NULL,
    message text NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (tag_id, kind),
    FOREIGN KEY (tag_id) REFERENCES tag (id)
);
CREATE TABLE alarm (
    rule_id integer NOT NULL,
    is_active boolean NOT NULL,
    is_acknowledged boolean NOT NULL,
    event_id bigint NOT NULL,
    raised_time timestamptz,
    returned_time timestamptz,
    acknowledged_time timestamptz,
    acknowledged_by text DEFAULT '' NOT NULL,
    value float8,
    quality integer NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (rule_id),
    FOREIGN KEY (rule_id) REFERENCES alarm_rule (id)
);
CREATE INDEX ix_alarm_seq ON alarm (seq);
CREATE TABLE alarm_journal (
    id bigserial NOT NULL,
    rule_id integer NOT NULL,
    event_id bigint NOT NULL,
    previous_state text NOT NULL,
    state text NOT NULL,
    trigger text NOT NULL,
    source_time timestamptz NOT NULL,
    commit_time timestamptz DEFAULT clock_timestamp() NOT NULL,
    value float8,
    quality integer NOT NULL,
    alarm_limit float8 NOT NULL,
    priority smallint NOT NULL,
    message text NOT NULL,
    person text DEFAULT '' NOT NULL,
    station text DEFAULT '' NOT NULL,
    comment text DEFAULT '' NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY (rule_id) REFERENCES alarm_rule (id)
);
CREATE INDEX alarm_journal_rule ON alarm_journal (rule_id, id);
CREATE INDEX alarm_journal_time ON alarm_journal (commit_time);
"""

# who acts through the control room; roles belong to the whole server: another database may have made them already
_ROLES = """
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['viewer', 'operator', 'collector_service'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;
END $$;
"""

_PARTITIONS = """
CREATE TABLE sample_default PARTITION OF sample DEFAULT;

CREATE FUNCTION ensure_sample_partitions(first_day date, last_day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    day date;
    name text;
BEGIN
    -- two collectors at once: one makes the partitions, the other finds them
    PERFORM pg_advisory_xact_lock(7201);
    FOR day IN SELECT generate_series(first_day, least(last_day, first_day + 800), interval '1 day')::date LOOP
        name := 'sample_' || to_char(day, 'YYYYMMDD');
        IF to_regclass('public.' || name) IS NULL THEN
            EXECUTE format('CREATE TABLE public.%I (LIKE public.sample INCLUDING DEFAULTS)', name);
            -- what came before its partition waits in the default partition
            EXECUTE format(
                'WITH moved AS (DELETE FROM public.sample_default WHERE source_time >= %L AND source_time < %L RETURNING *)'
                ' INSERT INTO public.%I SELECT * FROM moved',
                day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC', name);
            EXECUTE format(
                'ALTER TABLE public.sample ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                name, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
        END IF;
    END LOOP;
END $$;
"""

_APPEND_ONLY = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'The alarm journal is append-only.' USING HINT = 'Write a new entry instead.';
END $$;
CREATE TRIGGER alarm_journal_append_only BEFORE UPDATE OR DELETE ON alarm_journal
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER alarm_journal_no_truncate BEFORE TRUNCATE ON alarm_journal
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

_FUNCTIONS = """
CREATE FUNCTION alarm_state(is_active boolean, is_acknowledged boolean) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN is_active THEN CASE WHEN is_acknowledged THEN 'ACKED' ELSE 'UNACK' END
                ELSE CASE WHEN is_acknowledged THEN 'NORM' ELSE 'RTNUN' END END
$$;

CREATE FUNCTION acknowledge_alarms(rule_ids integer[], event_ids bigint[], words text, station text)
RETURNS TABLE (rule_id integer, event_id bigint, is_done boolean, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    wanted record;
    found public.alarm;
    rule public.alarm_rule;
BEGIN
    IF coalesce(array_length(rule_ids, 1), 0) <> coalesce(array_length(event_ids, 1), 0) THEN
        RAISE EXCEPTION 'Every alarm needs its occurrence.';
    END IF;
    PERFORM pg_advisory_xact_lock(7202);
    FOR wanted IN SELECT pair.rule_id, pair.event_id FROM unnest(rule_ids, event_ids) AS pair (rule_id, event_id) LOOP
        rule_id := wanted.rule_id;
        event_id := wanted.event_id;
        SELECT * INTO found FROM public.alarm AS a WHERE a.rule_id = wanted.rule_id FOR UPDATE;
        is_done := false;
        IF found.rule_id IS NULL OR found.event_id <> wanted.event_id THEN
            answer := 'The alarm has been raised again since. Look at the new occurrence first.';
        ELSIF found.is_acknowledged THEN
            answer := coalesce(nullif(found.acknowledged_by, ''), 'Somebody') || ' acknowledged it already.';
        ELSE
            is_done := true;
            answer := 'Acknowledged.';
            SELECT * INTO rule FROM public.alarm_rule AS r WHERE r.id = wanted.rule_id;
            UPDATE public.alarm AS a SET is_acknowledged = true, acknowledged_time = now(),
                acknowledged_by = session_user, seq = nextval('public.alarm_seq') WHERE a.rule_id = wanted.rule_id;
            INSERT INTO public.alarm_journal (rule_id, event_id, previous_state, state, trigger, source_time, value,
                quality, alarm_limit, priority, message, person, station, comment)
            VALUES (wanted.rule_id, wanted.event_id, public.alarm_state(found.is_active, false),
                public.alarm_state(found.is_active, true), 'operator', now(), found.value, found.quality,
                rule.alarm_limit, rule.priority, rule.message, session_user, station, words);
        END IF;
        RETURN NEXT;
    END LOOP;
    PERFORM pg_notify('alarms', '');
END $$;
"""

_GRANTS = """
REVOKE ALL ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO viewer, operator, collector_service;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO viewer, collector_service;
-- how to reach the plant, passwords among it, is the collector's business alone
REVOKE SELECT ON connection FROM viewer;
GRANT SELECT (id, municipality_id, name, driver, is_enabled) ON connection TO viewer;
GRANT INSERT ON sample, alarm_journal TO collector_service;
GRANT INSERT, UPDATE, DELETE ON latest, alarm, link_status, collector_status TO collector_service;
GRANT USAGE ON SEQUENCE latest_seq, alarm_seq, alarm_journal_id_seq TO collector_service;
GRANT EXECUTE ON FUNCTION ensure_sample_partitions(date, date) TO collector_service;
GRANT EXECUTE ON FUNCTION alarm_state(boolean, boolean) TO collector_service, viewer;
GRANT EXECUTE ON FUNCTION acknowledge_alarms(integer[], bigint[], text, text) TO operator;
"""

# the roles stay, because other databases of the server may use them
_DROPS = """
DROP TABLE alarm_journal, alarm, alarm_rule, link_status, collector_status, latest, sample, tag, connection, asset,
    network_link, network_node, network, municipality;
DROP SEQUENCE latest_seq, alarm_seq;
DROP FUNCTION acknowledge_alarms(integer[], bigint[], text, text);
DROP FUNCTION alarm_state(boolean, boolean);
DROP FUNCTION ensure_sample_partitions(date, date);
DROP FUNCTION refuse_change();
"""


def upgrade() -> None:
    """Make everything."""
    for statements in (_TABLES, _ROLES, _PARTITIONS, _APPEND_ONLY, _FUNCTIONS, _GRANTS):
        op.execute(statements)


def downgrade() -> None:
    """Drop everything."""
    op.execute(_DROPS)
