"""People, tenants and roles: accounts, memberships, row-level security, actions as functions, the audit chain."""

from importlib import import_module

from alembic import op

revision = "0003"
down_revision = "0002"

# roles belong to the whole server: another database may have made them already
_ROLES = """
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['person', 'supervisor', 'engineer', 'administrator', 'auditor', 'station_service'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;
    -- the first databases had one operator for everybody
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'local_operator') THEN
        ALTER ROLE local_operator NOLOGIN;
        REVOKE operator, viewer FROM local_operator;
    END IF;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO viewer, person, collector_service, station_service',
        current_database());
END $$;
GRANT viewer TO operator, supervisor, engineer, administrator, auditor;
"""

_TABLES = """
CREATE TABLE account (
    login text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    is_enabled boolean DEFAULT true NOT NULL,
    must_change_password boolean DEFAULT false NOT NULL,
    password_time timestamptz,
    last_sign_in timestamptz,
    created_time timestamptz DEFAULT now() NOT NULL,
    created_by text DEFAULT session_user NOT NULL,
    PRIMARY KEY (login)
);
CREATE TABLE membership (
    id serial NOT NULL,
    login text NOT NULL,
    municipality_id integer,
    role text NOT NULL,
    PRIMARY KEY (id),
    UNIQUE NULLS NOT DISTINCT (login, municipality_id, role),
    FOREIGN KEY (login) REFERENCES account (login),
    FOREIGN KEY (municipality_id) REFERENCES municipality (id)
);
CREATE TABLE action (key text NOT NULL, title text NOT NULL, is_national boolean NOT NULL, PRIMARY KEY (key));
CREATE TABLE role_right (
    role text NOT NULL,
    action text NOT NULL,
    PRIMARY KEY (role, action),
    FOREIGN KEY (action) REFERENCES action (key)
);
CREATE TABLE password_history (
    id bigserial NOT NULL,
    login text NOT NULL,
    verifier text NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY (login) REFERENCES account (login)
);
CREATE TABLE sign_in_try (
    login text NOT NULL,
    station text NOT NULL,
    failed integer NOT NULL,
    last_time timestamptz NOT NULL,
    locked_until timestamptz,
    PRIMARY KEY (login, station)
);
CREATE TABLE session (
    id bigserial NOT NULL,
    login text NOT NULL,
    station text NOT NULL,
    address text NOT NULL,
    process_id integer NOT NULL,
    process_start timestamptz NOT NULL,
    signed_in_time timestamptz NOT NULL,
    expires_time timestamptz NOT NULL,
    ended_time timestamptz,
    end_reason text DEFAULT '' NOT NULL,
    replaced_by bigint,
    PRIMARY KEY (id),
    FOREIGN KEY (login) REFERENCES account (login)
);
CREATE INDEX session_alive ON session (process_id) WHERE ended_time IS NULL;
CREATE TABLE audit (
    id bigint NOT NULL,
    time timestamptz NOT NULL,
    person text NOT NULL,
    station text NOT NULL,
    address text NOT NULL,
    action text NOT NULL,
    object text NOT NULL,
    municipality_id integer,
    old jsonb,
    new jsonb,
    is_done boolean NOT NULL,
    reason text NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX audit_time ON audit (time);
"""

# the words and rights of control_room/core/access.py on the day of this migration
_MATRIX = """
INSERT INTO action (key, title, is_national) VALUES
    ('view', 'see this', false),
    ('acknowledge', 'acknowledge alarms', false),
    ('comment', 'comment on alarms', false),
    ('configure', 'configure tags and alarm rules', false),
    ('see_shift', 'see who is on shift', false),
    ('read_audit', 'read the audit', false),
    ('manage_people', 'manage people', false),
    ('manage_installation', 'manage municipalities and stations', true);
INSERT INTO role_right (role, action) VALUES
    ('viewer', 'view'), ('operator', 'view'), ('supervisor', 'view'), ('engineer', 'view'),
    ('administrator', 'view'), ('auditor', 'view'),
    ('operator', 'acknowledge'), ('supervisor', 'acknowledge'),
    ('operator', 'comment'), ('supervisor', 'comment'), ('engineer', 'comment'),
    ('engineer', 'configure'),
    ('supervisor', 'see_shift'), ('administrator', 'see_shift'),
    ('auditor', 'read_audit'), ('administrator', 'read_audit'),
    ('administrator', 'manage_people'), ('administrator', 'manage_installation');
"""

# every row of a tenant names it, so that a policy is one comparison and no look-up
_TENANTS = """
ALTER TABLE sample ADD COLUMN municipality_id integer DEFAULT 0 NOT NULL;
ALTER TABLE latest ADD COLUMN municipality_id integer DEFAULT 0 NOT NULL;
ALTER TABLE alarm_rule ADD COLUMN municipality_id integer;
ALTER TABLE alarm ADD COLUMN municipality_id integer;
ALTER TABLE alarm_journal ADD COLUMN municipality_id integer;
ALTER TABLE link_status ADD COLUMN municipality_id integer;
ALTER TABLE alarm_journal DISABLE TRIGGER alarm_journal_append_only;
UPDATE sample SET municipality_id = tag.municipality_id FROM tag WHERE tag.id = sample.tag_id;
UPDATE latest SET municipality_id = tag.municipality_id FROM tag WHERE tag.id = latest.tag_id;
UPDATE alarm_rule SET municipality_id = tag.municipality_id FROM tag WHERE tag.id = alarm_rule.tag_id;
UPDATE alarm SET municipality_id = rule.municipality_id FROM alarm_rule AS rule WHERE rule.id = alarm.rule_id;
UPDATE alarm_journal SET municipality_id = rule.municipality_id FROM alarm_rule AS rule
    WHERE rule.id = alarm_journal.rule_id;
ALTER TABLE alarm_journal ENABLE TRIGGER alarm_journal_append_only;
UPDATE link_status SET municipality_id = connection.municipality_id FROM connection
    WHERE connection.id = link_status.connection_id;
ALTER TABLE alarm_rule ALTER COLUMN municipality_id SET NOT NULL;
ALTER TABLE alarm_rule ADD FOREIGN KEY (municipality_id) REFERENCES municipality (id);
ALTER TABLE alarm ALTER COLUMN municipality_id SET NOT NULL;
ALTER TABLE alarm_journal ALTER COLUMN municipality_id SET NOT NULL;
ALTER TABLE link_status ALTER COLUMN municipality_id SET NOT NULL;

CREATE FUNCTION name_municipality_by_tag() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT municipality_id INTO NEW.municipality_id FROM public.tag WHERE id = NEW.tag_id;
    RETURN NEW;
END $$;
CREATE FUNCTION name_municipality_by_rule() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT municipality_id INTO NEW.municipality_id FROM public.alarm_rule WHERE id = NEW.rule_id;
    RETURN NEW;
END $$;
CREATE FUNCTION name_municipality_by_connection() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT municipality_id INTO NEW.municipality_id FROM public.connection WHERE id = NEW.connection_id;
    RETURN NEW;
END $$;
CREATE TRIGGER link_status_municipality BEFORE INSERT ON link_status
    FOR EACH ROW EXECUTE FUNCTION name_municipality_by_connection();
CREATE TRIGGER alarm_rule_municipality BEFORE INSERT ON alarm_rule
    FOR EACH ROW EXECUTE FUNCTION name_municipality_by_tag();
CREATE TRIGGER alarm_municipality BEFORE INSERT ON alarm FOR EACH ROW EXECUTE FUNCTION name_municipality_by_rule();
CREATE TRIGGER alarm_journal_municipality BEFORE INSERT ON alarm_journal
    FOR EACH ROW EXECUTE FUNCTION name_municipality_by_rule();

CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'The table % is append-only.', TG_TABLE_NAME USING HINT = 'Write a new entry instead.';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

# COPY does not go together with row-level security: the collector copies into partitions, which nobody may read
_PARTITIONS = """
CREATE OR REPLACE FUNCTION ensure_sample_partitions(first_day date, last_day date) RETURNS void
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
            EXECUTE format('REVOKE ALL ON public.%I FROM PUBLIC', name);
            EXECUTE format('GRANT INSERT ON public.%I TO collector_service', name);
            PERFORM public.forget_statistics(to_regclass('public.' || name));
        END IF;
    END LOOP;
END $$;
DO $$
DECLARE
    partition regclass;
BEGIN
    FOR partition IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'sample'::regclass LOOP
        EXECUTE format('REVOKE ALL ON %s FROM viewer, collector_service', partition);
        EXECUTE format('GRANT INSERT ON %s TO collector_service', partition);
    END LOOP;
END $$;
"""

_WHO = """
-- the session of this very connection: nobody else's can be shown in its place
CREATE FUNCTION my_session() RETURNS public.session LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found public.session;
BEGIN
    SELECT * INTO found FROM public.session AS s
        WHERE s.process_id = pg_backend_pid() AND s.login = session_user AND s.ended_time IS NULL
            AND s.expires_time > clock_timestamp()
            AND s.process_start = (SELECT a.backend_start FROM pg_stat_get_activity(pg_backend_pid()) AS a);
    RETURN found;
END $$;

-- 0 stands for "nationally": only who may act in every municipality may act where none is named
CREATE FUNCTION may(login text, action text, municipality_id integer) RETURNS boolean LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM public.account AS a JOIN public.membership AS m ON m.login = a.login
            JOIN public.role_right AS r ON r.role = m.role JOIN public.action AS k ON k.key = r.action
        WHERE a.login = $1 AND a.is_enabled AND r.action = $2
            AND (m.municipality_id IS NULL OR m.municipality_id = $3 AND NOT k.is_national))
$$;

-- true at the id of each municipality where this connection may, and at 0 where it may nationally
CREATE FUNCTION municipalities_where(action text) RETURNS boolean[] LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own public.account;
    held integer[];
    place integer;
    found boolean[];
BEGIN
    SELECT * INTO own FROM public.account AS a WHERE a.login = session_user AND a.is_enabled;
    IF own.login IS NULL
            OR own.kind <> 'station' AND (own.must_change_password OR (public.my_session()).id IS NULL) THEN
        RETURN '{}';
    END IF;
    held := ARRAY(SELECT coalesce(m.municipality_id, 0) FROM public.membership AS m
        JOIN public.role_right AS r ON r.role = m.role WHERE m.login = session_user AND r.action = $1);
    found := array_fill(0 = ANY (held),
        ARRAY[1 + (SELECT coalesce(max(m.id), 0) FROM public.municipality AS m)], ARRAY[0]);
    FOREACH place IN ARRAY held LOOP
        found[place] := true;
    END LOOP;
    RETURN found;
END $$;

-- what belongs to no municipality is seen by nobody
CREATE FUNCTION my_municipalities() RETURNS boolean[] LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found boolean[] := public.municipalities_where('view');
BEGIN
    IF cardinality(found) > 0 THEN
        found[0] := false;
    END IF;
    RETURN found;
END $$;

-- the same as ids: what an index begins with must be part of its condition
CREATE FUNCTION my_municipality_ids() RETURNS integer[] LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found boolean[] := public.my_municipalities();
BEGIN
    RETURN ARRAY(SELECT one FROM generate_subscripts(found, 1) AS one WHERE found[one]);
END $$;

-- why this connection may do nothing at all, NULL when that depends on the action
CREATE FUNCTION why_nothing() RETURNS text LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own public.account;
BEGIN
    SELECT * INTO own FROM public.account AS a WHERE a.login = session_user AND a.kind = 'person';
    IF own.login IS NULL OR (public.my_session()).id IS NULL THEN
        RETURN 'Nobody is signed in. Sign in first.';
    ELSIF NOT own.is_enabled THEN
        RETURN 'This account is disabled. Ask an administrator.';
    ELSIF own.must_change_password THEN
        RETURN 'The password must be changed first.';
    END IF;
    RETURN NULL;
END $$;

-- why this connection may not act there, NULL when it may; the words are those of core/access.py
CREATE FUNCTION refusal(action text, municipality_id integer) RETURNS text LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    words text := public.why_nothing();
BEGIN
    IF words IS NOT NULL OR public.may(session_user, $1, $2) THEN
        RETURN words;
    END IF;
    RETURN (SELECT format('You may not %s here. It needs the role %s.', a.title, (
            SELECT string_agg(r.role, ' or ' ORDER BY array_position(
                ARRAY['viewer', 'operator', 'supervisor', 'engineer', 'administrator', 'auditor'], r.role))
            FROM public.role_right AS r WHERE r.action = a.key))
        FROM public.action AS a WHERE a.key = $1);
END $$;

-- one after the other until the transaction ends; whoever keeps the others waiting loses connection and turn
CREATE FUNCTION take_turn(key bigint) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'Actions need the isolation level read committed.'
            USING HINT = 'Under another one the rights of an earlier moment would count.';
    END IF;
    LOOP
        BEGIN
            PERFORM pg_advisory_xact_lock(key);
            RETURN;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_terminate_backend(a.pid) FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
                JOIN pg_roles AS r ON r.oid = a.usesysid
            WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid = 0 AND l.objid = key::oid
                AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                AND NOT r.rolsuper AND a.xact_start < clock_timestamp() - interval '5 seconds';
        END;
    END LOOP;
END $$;
"""

_AUDIT = """
CREATE FUNCTION audit_hash(previous bytea, entry public.audit) RETURNS bytea LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT sha256(previous || convert_to(jsonb_build_array(entry.id,
        to_char(entry.time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), entry.person, entry.station, entry.address,
        entry.action, entry.object, entry.municipality_id, entry.old, entry.new, entry.is_done, entry.reason)::text,
        'UTF8'))
$$;

CREATE FUNCTION write_audit(action text, object text, municipality_id integer, old jsonb, new jsonb, refused text,
    reason text, person text DEFAULT session_user) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    entry public.audit;
    previous public.audit;
BEGIN
    -- the chain has no gaps; whoever takes turns at something else as well takes this one last
    PERFORM public.take_turn(7205);
    SELECT * INTO previous FROM public.audit AS a ORDER BY a.id DESC LIMIT 1;
    entry.id := coalesce(previous.id, 0) + 1;
    entry.time := clock_timestamp();
    entry.person := person;
    entry.station := coalesce((public.my_session()).station,
        (SELECT a.login FROM public.account AS a WHERE a.login = session_user AND a.kind = 'station'), '');
    entry.address := coalesce(host(inet_client_addr()), 'local');
    entry.action := action;
    entry.object := coalesce(object, '');
    entry.municipality_id := municipality_id;
    entry.old := old;
    entry.new := new;
    entry.is_done := refused IS NULL;
    entry.reason := left(concat_ws(' ', refused, nullif(reason, '')), 2000);
    entry.hash := public.audit_hash(coalesce(previous.hash, ''::bytea), entry);
    INSERT INTO public.audit SELECT entry.*;
END $$;

CREATE FUNCTION verify_audit() RETURNS TABLE (entries bigint, first_broken bigint, newest_hash text) LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    entry public.audit;
    previous bytea := '';
BEGIN
    IF EXISTS (SELECT FROM public.account AS a WHERE a.login = session_user)
            AND NOT true = ANY (public.municipalities_where('read_audit')) THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = public.refusal('read_audit', 0);
    END IF;
    entries := 0;
    FOR entry IN SELECT * FROM public.audit AS a ORDER BY a.id LOOP
        entries := entries + 1;
        IF first_broken IS NULL AND (entry.id <> entries OR entry.hash <> public.audit_hash(previous, entry)) THEN
            first_broken := entries;
        END IF;
        previous := entry.hash;
    END LOOP;
    newest_hash := encode(previous, 'hex');
    RETURN NEXT;
END $$;
"""

_SIGN_IN = """
-- `resumed`: the session of a connection that broke; one that was ended from elsewhere does not come back by itself
CREATE FUNCTION sign_in(station text, resumed bigint DEFAULT NULL)
RETURNS TABLE (is_done boolean, words text, session_id bigint) LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    own public.account;
    before public.session;
    place text := left(coalesce($1, ''), 100);
    since timestamptz := (SELECT a.backend_start FROM pg_stat_get_activity(pg_backend_pid()) AS a);
BEGIN
    PERFORM public.take_turn(7205);
    SELECT * INTO before FROM public.session AS s WHERE s.id = $2 AND s.login = session_user;
    -- the answer to an earlier return may have been lost: it is the end of the row that counts
    WHILE before.replaced_by IS NOT NULL LOOP
        SELECT * INTO before FROM public.session AS s WHERE s.id = before.replaced_by;
    END LOOP;
    SELECT * INTO own FROM public.account AS a WHERE a.login = session_user AND a.kind = 'person';
    IF own.login IS NULL THEN
        words := 'This is no account of a person.';
    ELSIF NOT own.is_enabled THEN
        words := 'This account is disabled. Ask an administrator.';
    ELSIF own.password_time > since THEN
        words := 'The password was changed meanwhile. Sign in again.';
    ELSIF EXISTS (SELECT FROM public.sign_in_try AS t WHERE t.login = session_user AND t.station = place
            AND t.locked_until > clock_timestamp()) THEN
        words := 'This account is locked at this station after too many failed tries. Wait, or ask an administrator.';
    ELSIF before.ended_time IS NOT NULL THEN
        words := format('This session was ended (%s). Sign in again.', before.end_reason);
    ELSIF before.expires_time <= clock_timestamp() THEN
        words := 'The session has expired. Sign in again.';
    END IF;
    is_done := words IS NULL;
    UPDATE public.session AS s SET ended_time = clock_timestamp(), end_reason = 'replaced'
        WHERE (s.process_id = pg_backend_pid() OR s.id = before.id) AND s.ended_time IS NULL;
    IF is_done THEN
        INSERT INTO public.session (login, station, address, process_id, process_start, signed_in_time, expires_time)
        VALUES (session_user, place, coalesce(host(inet_client_addr()), 'local'), pg_backend_pid(), since,
            clock_timestamp(), coalesce(before.expires_time, clock_timestamp() + interval '13 hours'))
        RETURNING id INTO session_id;
        UPDATE public.session AS s SET replaced_by = session_id WHERE s.id = before.id;
        UPDATE public.account AS a SET last_sign_in = clock_timestamp() WHERE a.login = session_user;
        DELETE FROM public.sign_in_try AS t WHERE t.login = session_user AND t.station = place;
        words := 'Signed in.';
        PERFORM public.write_audit(CASE WHEN before.id IS NULL THEN 'sign_in' ELSE 'resume' END, session_user, NULL,
            NULL, NULL, NULL, '');
    ELSE
        PERFORM public.write_audit('sign_in', session_user, NULL, NULL, jsonb_build_object('station', place), words, '');
    END IF;
    PERFORM pg_notify('people', '');
    RETURN NEXT;
END $$;

CREATE FUNCTION sign_out(reason text) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own public.session := public.my_session();
BEGIN
    IF own.id IS NOT NULL THEN
        reason := left(coalesce(reason, ''), 200);
        PERFORM public.write_audit(CASE WHEN reason = 'lock' THEN 'lock' ELSE 'sign_out' END, session_user, NULL, NULL,
            NULL, NULL, reason);
        UPDATE public.session AS s SET ended_time = clock_timestamp(), end_reason = reason WHERE s.id = own.id;
        PERFORM pg_notify('people', '');
    END IF;
END $$;

CREATE FUNCTION who_am_i() RETURNS TABLE (login text, name text, must_change boolean, municipality_id integer, role text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT a.login, a.name, a.must_change_password, m.municipality_id, m.role
    FROM public.account AS a LEFT JOIN public.membership AS m ON m.login = a.login
    WHERE a.login = session_user AND (public.my_session()).id IS NOT NULL
$$;

-- a station tells of tries that the server refused; it can lock an account at itself, never elsewhere, and what it tells
-- of an account that is locked already, or of ever new names, does not fill the audit
CREATE FUNCTION report_failed_sign_in(login text) RETURNS double precision LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tried text := left(coalesce($1, ''), 63);
    count integer;
BEGIN
    IF NOT EXISTS (SELECT FROM public.account AS a
            WHERE a.login = session_user AND a.kind = 'station' AND a.is_enabled) THEN
        RETURN 0;
    END IF;
    PERFORM public.take_turn(7205);
    DELETE FROM public.sign_in_try AS t
        WHERE t.station = session_user AND t.last_time < clock_timestamp() - interval '1 day';
    IF EXISTS (SELECT FROM public.sign_in_try AS t
            WHERE t.login = tried AND t.station = session_user AND t.locked_until > clock_timestamp())
        OR (SELECT count(*) FROM public.sign_in_try AS t
            WHERE t.station = session_user AND t.last_time > clock_timestamp() - interval '15 minutes') >= 50 THEN
        RETURN 900;
    END IF;
    INSERT INTO public.sign_in_try AS t (login, station, failed, last_time)
        VALUES (tried, session_user, 1, clock_timestamp())
        ON CONFLICT (login, station) DO UPDATE SET failed = t.failed + 1, last_time = clock_timestamp(),
            locked_until = CASE WHEN t.failed + 1 >= 5 THEN clock_timestamp() + interval '15 minutes' END
        RETURNING t.failed INTO count;
    PERFORM public.write_audit('sign_in', tried, NULL, NULL, jsonb_build_object('failed', count),
        'The user name or password was wrong.', '', tried);
    IF count >= 5 THEN
        PERFORM public.write_audit('lock_account', tried, NULL, NULL, jsonb_build_object('minutes', 15), NULL,
            'too many failed tries', 'system');
    END IF;
    PERFORM pg_notify('people', '');
    RETURN CASE WHEN count >= 5 THEN 900 ELSE 2 ^ (count - 1) END;
END $$;

-- how long a station must wait before it may try this name again, in seconds; the same for names that nobody has
CREATE FUNCTION sign_in_wait_s(login text) RETURNS double precision LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT greatest(0, extract(epoch FROM coalesce(t.locked_until,
            t.last_time + make_interval(secs => 2 ^ (least(t.failed, 10) - 1))) - clock_timestamp()))
        FROM public.sign_in_try AS t WHERE t.login = $1 AND t.station = session_user), 0)
$$;

CREATE FUNCTION set_password(login text, verifier text, must_change boolean) RETURNS text LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    -- only verifiers travel: a password would stand in the server's log of statements
    IF coalesce(verifier, '') !~ '^SCRAM-SHA-256\\$[0-9]{4,7}:[A-Za-z0-9+/=]{20,}\\$[A-Za-z0-9+/=]{44}:[A-Za-z0-9+/=]{44}$' THEN
        RETURN 'The password must come as a SCRAM-SHA-256 verifier.';
    ELSIF EXISTS (SELECT FROM public.password_history AS h WHERE h.login = $1 AND h.verifier = $2) THEN
        RETURN 'It was used before.';
    END IF;
    EXECUTE format('ALTER ROLE %I PASSWORD %L', login, verifier);
    INSERT INTO public.password_history (login, verifier) VALUES ($1, $2);
    DELETE FROM public.password_history AS h WHERE h.login = $1 AND h.id NOT IN (
        SELECT k.id FROM public.password_history AS k WHERE k.login = $1 ORDER BY k.id DESC LIMIT 5);
    UPDATE public.account AS a SET password_time = clock_timestamp(), must_change_password = $3 WHERE a.login = $1;
    RETURN NULL;
END $$;

CREATE FUNCTION my_password_history() RETURNS SETOF text LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT h.verifier FROM public.password_history AS h
    WHERE h.login = session_user AND (public.my_session()).id IS NOT NULL
$$;

CREATE FUNCTION change_password(verifier text) RETURNS TABLE (is_done boolean, words text) LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (public.my_session()).id IS NULL THEN
        words := 'Nobody is signed in. Sign in first.';
    ELSE
        PERFORM public.take_turn(7205);
        words := public.set_password(session_user, verifier, false);
    END IF;
    is_done := words IS NULL;
    IF is_done THEN
        PERFORM public.close_sessions(session_user, 'password changed');
    END IF;
    PERFORM public.write_audit('change_password', session_user, NULL, NULL, NULL, words, '');
    words := coalesce(words, 'The password was changed.');
    RETURN NEXT;
END $$;
"""

_ALARMS = """
DROP FUNCTION acknowledge_alarms(integer[], bigint[], text, text);
CREATE FUNCTION acknowledge_alarms(rule_ids integer[], event_ids bigint[], words text)
RETURNS TABLE (rule_id integer, event_id bigint, is_done boolean, answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    wanted record;
    found public.alarm;
    rule public.alarm_rule;
    own public.session := public.my_session();
    seen boolean[] := public.my_municipalities();
    nothing text := public.why_nothing();
    refusals jsonb := '{}';
    told jsonb[] := '{}';
BEGIN
    IF coalesce(cardinality(rule_ids), 0) <> coalesce(cardinality(event_ids), 0) THEN
        RAISE EXCEPTION 'Every alarm needs its occurrence.';
    ELSIF cardinality(rule_ids) > 10000 THEN
        RAISE EXCEPTION 'At most 10000 alarms are acknowledged at once.';
    END IF;
    -- whoever may acknowledge nowhere keeps nobody waiting
    IF true = ANY (public.municipalities_where('acknowledge')) THEN
        PERFORM public.take_turn(7202);
    END IF;
    FOR wanted IN SELECT pair.rule_id, pair.event_id FROM unnest(rule_ids, event_ids) AS pair (rule_id, event_id) LOOP
        rule_id := wanted.rule_id;
        event_id := wanted.event_id;
        is_done := false;
        SELECT * INTO found FROM public.alarm AS a WHERE a.rule_id = wanted.rule_id AND seen[a.municipality_id];
        IF found.rule_id IS NOT NULL AND NOT refusals ? found.municipality_id::text THEN
            refusals := refusals || jsonb_build_object(found.municipality_id,
                public.refusal('acknowledge', found.municipality_id));
        END IF;
        answer := CASE WHEN found.rule_id IS NULL THEN coalesce(nothing, 'There is no such alarm.')
            ELSE refusals ->> found.municipality_id::text END;
        IF answer IS NOT NULL THEN
            NULL;
        ELSIF found.event_id IS DISTINCT FROM wanted.event_id THEN
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
                rule.alarm_limit, rule.priority, rule.message, session_user, own.station, left(words, 500));
        END IF;
        told := told || jsonb_build_object('municipality', found.municipality_id, 'is_done', is_done,
            'answer', answer, 'alarm', jsonb_build_array(wanted.rule_id, wanted.event_id));
        RETURN NEXT;
    END LOOP;
    FOR wanted IN
        SELECT one ->> 'municipality' AS municipality, (one ->> 'is_done')::boolean AS is_done,
            min(one ->> 'answer') AS answer, jsonb_agg(one -> 'alarm') AS alarms
        FROM unnest(told) AS one GROUP BY 1, 2 ORDER BY 1, 2
    LOOP
        PERFORM public.write_audit('acknowledge', 'alarms', wanted.municipality::integer, NULL,
            jsonb_build_object('alarms', wanted.alarms), CASE WHEN NOT wanted.is_done THEN wanted.answer END,
            left(words, 500));
    END LOOP;
    PERFORM pg_notify('alarms', '');
END $$;

CREATE FUNCTION comment_alarm(rule_id integer, event_id bigint, words text)
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
        INSERT INTO public.alarm_journal (rule_id, event_id, previous_state, state, trigger, source_time, value,
            quality, alarm_limit, priority, message, person, station, comment)
        VALUES ($1, $2, public.alarm_state(found.is_active, found.is_acknowledged),
            public.alarm_state(found.is_active, found.is_acknowledged), 'comment', now(), found.value, found.quality,
            rule.alarm_limit, rule.priority, rule.message, session_user, (public.my_session()).station, left(words, 500));
        PERFORM pg_notify('alarms', '');
    END IF;
    PERFORM public.write_audit('comment', concat('alarm ', $1), found.municipality_id, NULL,
        jsonb_build_object('event', $2), answer, left(words, 500));
    answer := coalesce(answer, 'Commented.');
    RETURN NEXT;
END $$;
"""

_CONFIGURE = """
CREATE FUNCTION configure_rule(rule_id integer, changes jsonb, reason text) RETURNS TABLE (is_done boolean, words text)
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
                ('priority', 'alarm_limit', 'deadband', 'on_delay_s', 'off_delay_s', 'message')));
        EXCEPTION WHEN data_exception OR invalid_text_representation THEN
            words := 'A value has the wrong form.';
        END;
    END IF;
    IF words IS NULL AND NOT coalesce(new.priority BETWEEN 1 AND 4 AND new.deadband BETWEEN 0 AND 1e12
            AND new.on_delay_s BETWEEN 0 AND 86400 AND new.off_delay_s BETWEEN 0 AND 86400
            AND new.alarm_limit BETWEEN -1e15 AND 1e15 AND length(new.message) <= 500, false) THEN
        words := 'Priorities are 1 to 4, deadbands not negative, delays at most a day, limits numbers.';
    END IF;
    is_done := words IS NULL;
    IF is_done THEN
        UPDATE public.alarm_rule AS r SET priority = new.priority, alarm_limit = new.alarm_limit,
            deadband = new.deadband, on_delay_s = new.on_delay_s, off_delay_s = new.off_delay_s,
            message = new.message WHERE r.id = $1;
        PERFORM pg_notify('configuration', '');
    END IF;
    PERFORM public.write_audit('configure', concat('alarm rule ', $1), old.municipality_id,
        CASE WHEN old.id IS NOT NULL THEN to_jsonb(old) END,
        CASE WHEN new.id IS NOT NULL THEN to_jsonb(new) ELSE changes END, words, left($3, 500));
    words := coalesce(words, 'Changed.');
    RETURN NEXT;
END $$;

CREATE FUNCTION configure_tag(tag_id integer, changes jsonb, reason text) RETURNS TABLE (is_done boolean, words text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
#variable_conflict use_column
DECLARE
    old public.tag;
    new public.tag;
BEGIN
    PERFORM public.take_turn(7205);
    SELECT * INTO old FROM public.tag AS t WHERE t.id = $1 AND (public.my_municipalities())[t.municipality_id];
    words := CASE WHEN old.id IS NULL THEN coalesce(public.why_nothing(), 'There is no such tag.')
        ELSE public.refusal('configure', old.municipality_id) END;
    IF length(changes::text) > 10000 THEN
        changes := NULL;
        words := coalesce(words, 'That is too much at once.');
    END IF;
    IF words IS NULL THEN
        -- whoever writes of this row needs only its key, and goes on
        SELECT * INTO old FROM public.tag AS t WHERE t.id = $1 FOR NO KEY UPDATE;
        BEGIN
            new := jsonb_populate_record(old, (SELECT jsonb_object_agg(key, value) FROM jsonb_each(changes) WHERE key IN
                ('name', 'unit', 'low', 'high', 'decimals')));
        EXCEPTION WHEN data_exception OR invalid_text_representation THEN
            words := 'A value has the wrong form.';
        END;
    END IF;
    IF words IS NULL AND NOT coalesce(btrim(new.name) <> '' AND length(new.name) <= 200 AND length(new.unit) <= 20
            AND new.low < new.high AND new.low > -1e15 AND new.high < 1e15 AND new.decimals BETWEEN 0 AND 6, false) THEN
        words := 'A tag needs a name, a range whose low end is below its high end, and 0 to 6 decimals.';
    END IF;
    is_done := words IS NULL;
    IF is_done THEN
        UPDATE public.tag AS t SET name = new.name, unit = new.unit, low = new.low, high = new.high,
            decimals = new.decimals WHERE t.id = $1;
        PERFORM pg_notify('configuration', '');
    END IF;
    PERFORM public.write_audit('configure', concat('tag ', $1), old.municipality_id,
        CASE WHEN old.id IS NOT NULL THEN to_jsonb(old) END,
        CASE WHEN new.id IS NOT NULL THEN to_jsonb(new) ELSE changes END, words, left($3, 500));
    words := coalesce(words, 'Changed.');
    RETURN NEXT;
END $$;
"""

_PEOPLE = """
-- whoever manages a person must manage all that the person is: else a town could reset a national password
CREATE FUNCTION refusal_for(login text) RETURNS text LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    place record;
    refused text := public.refusal('manage_people', 0);
BEGIN
    IF (public.my_session()).id IS NULL OR refused IS NULL THEN
        RETURN refused;
    END IF;
    FOR place IN SELECT coalesce(m.municipality_id, 0) AS id FROM public.membership AS m WHERE m.login = $1
        UNION ALL SELECT 0 WHERE NOT EXISTS (SELECT FROM public.membership AS m WHERE m.login = $1)
    LOOP
        refused := public.refusal('manage_people', place.id);
        IF refused IS NOT NULL THEN
            RETURN refused;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

-- the server's group roles follow the memberships
CREATE FUNCTION follow_memberships(login text) RETURNS void LANGUAGE plpgsql
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
END $$;

CREATE FUNCTION make_account(login text, kind text, name text, verifier text, must_change boolean) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    IF coalesce(login, '') !~ '^[a-z][a-z0-9._-]{1,62}$' OR login ~ '^pg_' THEN
        RETURN 'A user name has 2 to 63 small letters, digits, dots, dashes or underscores and begins with a letter.';
    ELSIF btrim(coalesce(name, '')) = '' OR length(name) > 200 THEN
        RETURN 'A name is missing or too long.';
    -- the server keeps two names for itself
    ELSIF login IN ('public', 'none') OR EXISTS (SELECT FROM pg_roles WHERE rolname = login) THEN
        RETURN 'This user name is taken.';
    END IF;
    EXECUTE format('CREATE ROLE %I LOGIN', login);
    EXECUTE format('GRANT %I TO %I', CASE kind WHEN 'person' THEN 'person' ELSE 'station_service' END, login);
    INSERT INTO public.account (login, kind, name) VALUES ($1, $2, $3);
    -- without a verifier the server asks elsewhere: LDAP, Kerberos, a certificate
    RETURN CASE WHEN verifier IS NOT NULL THEN public.set_password(login, verifier, must_change) END;
END $$;

-- why nobody can hold that role there
CREATE FUNCTION why_not_held(kind text, municipality_id integer, role text) RETURNS text LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN NOT coalesce($3 = ANY (CASE $1 WHEN 'station' THEN ARRAY['viewer']
            ELSE ARRAY['viewer', 'operator', 'supervisor', 'engineer', 'administrator', 'auditor'] END), false)
        THEN 'There is no such role.'
        WHEN NOT ($2 IS NULL OR EXISTS (SELECT FROM public.municipality AS m WHERE m.id = $2))
        THEN 'There is no such municipality.' END
$$;

CREATE FUNCTION create_person(login text, name text, verifier text, municipality_id integer, role text)
RETURNS TABLE (is_done boolean, words text) LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM public.take_turn(7205);
    words := coalesce(public.refusal('manage_people', coalesce($4, 0)), public.why_not_held('person', $4, $5));
    BEGIN
        IF words IS NULL THEN
            words := public.make_account($1, 'person', $2, $3, true);
        END IF;
        IF words IS NULL THEN
            INSERT INTO public.membership (login, municipality_id, role) VALUES ($1, $4, $5);
            PERFORM public.follow_memberships($1);
        ELSE
            RAISE EXCEPTION USING MESSAGE = words, ERRCODE = 'CR001';
        END IF;
    EXCEPTION WHEN SQLSTATE 'CR001' THEN NULL;
    END;
    is_done := words IS NULL;
    PERFORM public.write_audit('create_person', left($1, 63), $4, NULL,
        jsonb_build_object('name', left($2, 200), 'role', left($5, 20)), words, '');
    words := coalesce(words, 'Created.');
    PERFORM pg_notify('people', '');
    RETURN NEXT;
END $$;

CREATE FUNCTION set_membership(login text, municipality_id integer, role text, is_held boolean, reason text)
RETURNS TABLE (is_done boolean, words text) LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    kind text := (SELECT a.kind FROM public.account AS a WHERE a.login = $1);
BEGIN
    PERFORM public.take_turn(7205);
    words := public.refusal(CASE kind WHEN 'station' THEN 'manage_installation' ELSE 'manage_people' END,
        coalesce($2, 0));
    IF words IS NOT NULL THEN
        NULL;
    ELSIF kind IS NULL OR kind = 'collector' THEN
        words := 'There is no such account.';
    ELSIF $4 IS NULL THEN
        words := 'Say whether the role is given or taken.';
    ELSIF public.why_not_held(kind, $2, $3) IS NOT NULL THEN
        words := public.why_not_held(kind, $2, $3);
    ELSIF $1 = session_user AND NOT $4 AND $3 = 'administrator' THEN
        words := 'Nobody takes the role of administrator from themselves.';
    END IF;
    is_done := words IS NULL;
    IF is_done THEN
        IF $4 THEN
            INSERT INTO public.membership (login, municipality_id, role) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;
        ELSE
            DELETE FROM public.membership AS m
                WHERE m.login = $1 AND m.municipality_id IS NOT DISTINCT FROM $2 AND m.role = $3;
        END IF;
        PERFORM public.follow_memberships($1);
    END IF;
    PERFORM public.write_audit('set_membership', left($1, 63), $2, NULL,
        jsonb_build_object('role', left($3, 20), 'is_held', $4), words, left($5, 500));
    words := coalesce(words, 'Changed.');
    PERFORM pg_notify('people', '');
    RETURN NEXT;
END $$;

CREATE FUNCTION set_enabled(login text, is_enabled boolean, reason text) RETURNS TABLE (is_done boolean, words text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    kind text := (SELECT a.kind FROM public.account AS a WHERE a.login = $1);
BEGIN
    PERFORM public.take_turn(7205);
    words := CASE kind WHEN 'station' THEN public.refusal('manage_installation', 0) ELSE public.refusal_for($1) END;
    IF words IS NULL AND (kind IS NULL OR kind = 'collector') THEN
        words := 'There is no such account.';
    ELSIF words IS NULL AND $2 IS NULL THEN
        words := 'Say whether the account is enabled or disabled.';
    ELSIF words IS NULL AND $1 = session_user THEN
        words := 'Nobody disables themselves.';
    END IF;
    is_done := words IS NULL;
    IF is_done THEN
        UPDATE public.account AS a SET is_enabled = $2 WHERE a.login = $1;
        EXECUTE format('ALTER ROLE %I %s', $1, CASE WHEN $2 THEN 'LOGIN' ELSE 'NOLOGIN' END);
        IF NOT $2 THEN
            PERFORM public.close_sessions($1, 'disabled');
        ELSE
            DELETE FROM public.sign_in_try AS t WHERE t.login = $1;
        END IF;
    END IF;
    PERFORM public.write_audit(CASE WHEN $2 THEN 'enable' ELSE 'disable' END, left($1, 63), NULL, NULL, NULL, words,
        left($3, 500));
    words := coalesce(words, 'Changed.');
    PERFORM pg_notify('people', '');
    RETURN NEXT;
END $$;

CREATE FUNCTION reset_password(login text, verifier text, reason text) RETURNS TABLE (is_done boolean, words text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    kind text := (SELECT a.kind FROM public.account AS a WHERE a.login = $1);
BEGIN
    PERFORM public.take_turn(7205);
    words := CASE kind WHEN 'station' THEN public.refusal('manage_installation', 0) ELSE public.refusal_for($1) END;
    IF words IS NULL AND (kind IS NULL OR kind = 'collector') THEN
        words := 'There is no such account.';
    END IF;
    IF words IS NULL THEN
        words := public.set_password($1, $2, kind = 'person');
    END IF;
    is_done := words IS NULL;
    IF is_done THEN
        DELETE FROM public.sign_in_try AS t WHERE t.login = $1;
        PERFORM public.close_sessions($1, 'password reset');
    END IF;
    PERFORM public.write_audit('reset_password', left($1, 63), NULL, NULL, NULL, words, left($3, 500));
    words := coalesce(words, 'Changed.');
    PERFORM pg_notify('people', '');
    RETURN NEXT;
END $$;

-- with the sessions go all other connections of the account, those as well on which nobody has signed in yet
CREATE FUNCTION close_sessions(login text, reason text, only_id bigint DEFAULT NULL) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    ended integer[];
BEGIN
    WITH closed AS (
        UPDATE public.session AS s SET ended_time = clock_timestamp(), end_reason = $2
        WHERE s.login = $1 AND s.id = coalesce($3, s.id) AND s.ended_time IS NULL AND s.process_id <> pg_backend_pid()
        RETURNING s.process_id, s.process_start)
    SELECT array_agg(a.pid) INTO ended FROM pg_stat_activity AS a
    WHERE a.usename = $1 AND a.datname = current_database() AND a.pid <> pg_backend_pid()
        AND ($3 IS NULL OR EXISTS (SELECT FROM closed WHERE process_id = a.pid AND process_start = a.backend_start));
    BEGIN
        PERFORM pg_terminate_backend(one) FROM unnest(ended) AS one;
    -- an owner without the right to end connections has ended the sessions all the same
    EXCEPTION WHEN insufficient_privilege THEN NULL;
    END;
END $$;

CREATE FUNCTION end_session(session_id bigint, reason text) RETURNS TABLE (is_done boolean, words text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    target text := (SELECT s.login FROM public.session AS s WHERE s.id = $1 AND s.ended_time IS NULL);
BEGIN
    PERFORM public.take_turn(7205);
    words := public.refusal_for(target);
    IF words IS NULL AND target IS NULL THEN
        words := 'This session has ended already.';
    ELSIF words IS NULL AND $1 = (public.my_session()).id THEN
        words := 'This session is your own. Sign out instead.';
    END IF;
    is_done := words IS NULL;
    IF is_done THEN
        PERFORM public.close_sessions(target, 'ended by ' || session_user, $1);
    END IF;
    PERFORM public.write_audit('end_session', coalesce(target, concat('session ', $1)), NULL, NULL, NULL, words, left($2, 500));
    words := coalesce(words, 'Ended.');
    PERFORM pg_notify('people', '');
    RETURN NEXT;
END $$;

CREATE FUNCTION save_municipality(key text, name text) RETURNS TABLE (is_done boolean, words text) LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    old public.municipality;
BEGIN
    PERFORM public.take_turn(7205);
    words := public.refusal('manage_installation', 0);
    IF words IS NULL AND (coalesce($1, '') !~ '^[a-z0-9][a-z0-9-]{0,62}$' OR btrim(coalesce($2, '')) = ''
            OR length($2) > 200) THEN
        words := 'A key has small letters, digits and dashes; a name is missing or too long.';
    END IF;
    is_done := words IS NULL;
    SELECT * INTO old FROM public.municipality AS t WHERE t.key = $1 AND is_done;
    IF is_done THEN
        INSERT INTO public.municipality (key, name) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET name = excluded.name;
        PERFORM pg_notify('configuration', '');
    END IF;
    PERFORM public.write_audit('save_municipality', left($1, 63), old.id, CASE WHEN old.id IS NOT NULL THEN to_jsonb(old) END,
        jsonb_build_object('name', left($2, 200)), words, '');
    words := coalesce(words, 'Saved.');
    RETURN NEXT;
END $$;

CREATE FUNCTION create_station(login text, name text, verifier text, municipality_ids integer[])
RETURNS TABLE (is_done boolean, words text) LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM public.take_turn(7205);
    words := public.refusal('manage_installation', 0);
    SELECT coalesce(words, min(public.why_not_held('station', nullif(one, 0), 'viewer'))) INTO words FROM unnest($4) AS one;
    BEGIN
        IF words IS NULL THEN
            words := public.make_account($1, 'station', $2, $3, false);
        END IF;
        IF words IS NOT NULL THEN
            RAISE EXCEPTION USING MESSAGE = words, ERRCODE = 'CR001';
        END IF;
        INSERT INTO public.membership (login, municipality_id, role)
            SELECT DISTINCT $1, nullif(one, 0), 'viewer' FROM unnest($4) AS one;
        PERFORM public.follow_memberships($1);
    EXCEPTION WHEN SQLSTATE 'CR001' THEN NULL;
    END;
    is_done := words IS NULL;
    PERFORM public.write_audit('create_station', left($1, 63), NULL, NULL,
        jsonb_build_object('name', left($2, 200), 'municipalities', $4[1:1000]), words, '');
    words := coalesce(words, 'Created.');
    PERFORM pg_notify('people', '');
    RETURN NEXT;
END $$;

CREATE FUNCTION list_people() RETURNS TABLE (login text, name text, is_enabled boolean, must_change_password boolean,
    last_sign_in timestamptz, created_time timestamptz, failed_tries bigint, locked_until timestamptz, roles jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT a.login, a.name, a.is_enabled, a.must_change_password, a.last_sign_in, a.created_time,
        (SELECT coalesce(sum(t.failed), 0) FROM public.sign_in_try AS t WHERE t.login = a.login),
        (SELECT max(t.locked_until) FROM public.sign_in_try AS t WHERE t.login = a.login),
        (SELECT coalesce(jsonb_agg(jsonb_build_array(m.municipality_id, m.role)), '[]') FROM public.membership AS m
            WHERE m.login = a.login AND (public.refusal('manage_people', coalesce(m.municipality_id, 0)) IS NULL))
    FROM public.account AS a
    WHERE a.kind = 'person' AND (public.my_session()).id IS NOT NULL AND (
        public.refusal('manage_people', 0) IS NULL OR EXISTS (SELECT FROM public.membership AS m
            WHERE m.login = a.login AND public.refusal('manage_people', coalesce(m.municipality_id, 0)) IS NULL))
    ORDER BY a.login
$$;

CREATE FUNCTION list_stations() RETURNS TABLE (login text, name text, is_enabled boolean, municipalities jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT a.login, a.name, a.is_enabled, (SELECT coalesce(jsonb_agg(m.municipality_id), '[]')
        FROM public.membership AS m WHERE m.login = a.login)
    FROM public.account AS a
    WHERE a.kind = 'station' AND public.refusal('manage_installation', 0) IS NULL ORDER BY a.login
$$;

-- who is on shift, for supervisors; live sessions, for administrators: of people with a role where one may see it
CREATE FUNCTION list_sessions() RETURNS TABLE (id bigint, login text, name text, station text, address text,
    signed_in_time timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.id, s.login, a.name, s.station, s.address, s.signed_in_time
    FROM public.session AS s JOIN public.account AS a ON a.login = s.login
    WHERE s.ended_time IS NULL AND s.expires_time > clock_timestamp() AND (public.my_session()).id IS NOT NULL
        AND EXISTS (SELECT FROM pg_stat_get_activity(s.process_id) AS p
            WHERE p.backend_start IS NULL OR p.backend_start = s.process_start)
        AND (public.refusal('see_shift', 0) IS NULL OR EXISTS (SELECT FROM public.membership AS m
            WHERE m.login = s.login AND m.municipality_id IS NOT NULL
                AND public.refusal('see_shift', m.municipality_id) IS NULL))
    ORDER BY s.signed_in_time
$$;
"""

# What a person filters by may be judged before the policy where the planner holds it for cheap and harmless, and a sub-select
# in it can tell by an error what it met in rows of others. An element of an array costs the planner nothing, so nothing
# goes before it. (createplan.c, order_qual_clauses; EXPLAIN shows the order.) A look-up by an index goes before any policy,
# and EXPLAIN counts the rows that the policy then took away; where keys have names, the policy is part of the look-up.
_POLICIES = """
DO $$
DECLARE
    name text;
    tenant text;
BEGIN
    FOREACH name IN ARRAY ARRAY['municipality', 'network', 'network_node', 'network_link', 'asset', 'connection', 'tag',
            'alarm_rule', 'alarm', 'alarm_journal', 'latest', 'sample', 'link_status', 'account', 'membership',
            'password_history', 'sign_in_try', 'session', 'audit', 'collector_status'] LOOP
        EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['municipality', 'network', 'network_node', 'network_link', 'asset', 'connection', 'tag',
            'alarm_rule', 'alarm', 'alarm_journal', 'latest', 'sample', 'link_status'] LOOP
        tenant := CASE name WHEN 'municipality' THEN 'id' ELSE 'municipality_id' END;
        EXECUTE format('CREATE POLICY tenant ON public.%I FOR SELECT TO viewer USING ('
            '((SELECT public.my_municipalities())::boolean[])[%I]%s)', name, tenant,
            CASE WHEN name IN ('network_node', 'network_link', 'asset', 'connection', 'tag')
            THEN ' AND municipality_id = ANY ((SELECT public.my_municipality_ids())::integer[])' END);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['municipality', 'network', 'network_node', 'network_link', 'asset', 'connection', 'tag',
            'alarm_rule', 'alarm', 'alarm_journal', 'latest', 'sample', 'link_status', 'collector_status'] LOOP
        EXECUTE format('CREATE POLICY collector ON public.%I TO collector_service USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;
CREATE POLICY everybody ON collector_status FOR SELECT TO viewer USING (true);
CREATE POLICY readers ON audit FOR SELECT TO auditor, administrator USING (
    ((SELECT municipalities_where('read_audit'))::boolean[])[coalesce(municipality_id, 0)]);
"""

# EXPLAIN tells what the planner knows of a column, over all municipalities; so it knows nothing of any but keys and times
_STATISTICS = """
CREATE FUNCTION forget_statistics(place regclass) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name name;
BEGIN
    FOR name IN SELECT a.attname FROM pg_attribute AS a WHERE a.attrelid = place AND a.attnum > 0 AND NOT a.attisdropped
        AND (a.atttypid NOT IN ('int4'::regtype, 'int8'::regtype, 'timestamptz'::regtype)
            OR a.attname IN ('municipality_id', 'quality'))
    LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS 0', place, name);
    END LOOP;
    DELETE FROM pg_statistic AS s USING pg_attribute AS a WHERE s.starelid = place AND a.attrelid = place
        AND a.attnum = s.staattnum AND a.attstattarget = 0;
END $$;
SELECT forget_statistics(place) FROM (
    SELECT polrelid AS place FROM pg_policy WHERE polname IN ('tenant', 'readers')
    UNION SELECT inhrelid FROM pg_inherits WHERE inhparent = 'sample'::regclass) AS places;
"""

_GRANTS = """
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO person, station_service;
GRANT SELECT ON audit TO auditor, administrator;
GRANT EXECUTE ON FUNCTION my_municipalities(), my_municipality_ids() TO viewer;
GRANT EXECUTE ON FUNCTION municipalities_where(text) TO auditor, administrator;
GRANT EXECUTE ON FUNCTION verify_audit() TO auditor, administrator;
GRANT EXECUTE ON FUNCTION report_failed_sign_in(text), sign_in_wait_s(text) TO station_service;
-- to every person: who may not act is refused by the function, in words and in the audit
GRANT EXECUTE ON FUNCTION sign_in(text, bigint), sign_out(text), who_am_i(), change_password(text), my_password_history(),
    acknowledge_alarms(integer[], bigint[], text), comment_alarm(integer, bigint, text),
    configure_rule(integer, jsonb, text), configure_tag(integer, jsonb, text),
    create_person(text, text, text, integer, text), set_membership(text, integer, text, boolean, text),
    set_enabled(text, boolean, text), reset_password(text, text, text), end_session(bigint, text),
    save_municipality(text, text), create_station(text, text, text, integer[]),
    list_people(), list_stations(), list_sessions() TO person;
"""

# what the server lets everybody do, and with which somebody who may only view could hold up the collector or fill the disk
_OF_THE_SERVER = """
DO $$
DECLARE
    one regprocedure;
BEGIN
    FOR one IN SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND (
        proname ~ '^pg_(try_)?advisory_(xact_)?lock(_shared)?$'
        OR proname IN ('lo_creat', 'lo_create', 'lo_from_bytea', 'pg_logical_emit_message'))
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', one);
        IF one::text LIKE '%advisory%' THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO collector_service', one);
        END IF;
    END LOOP;
END $$;
"""


def upgrade() -> None:
    """Make people, tenants, rights and audit; every row that is there learns its municipality."""
    for statements in (
        _ROLES,
        _TABLES,
        _MATRIX,
        _TENANTS,
        _PARTITIONS,
        _WHO,
        _AUDIT,
        _SIGN_IN,
        _ALARMS,
        _CONFIGURE,
        _PEOPLE,
        _POLICIES,
        _STATISTICS,
        _GRANTS,
        _OF_THE_SERVER,
    ):
        op.execute(statements)


_DROPS = """
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT tablename AS place, policyname AS name FROM pg_policies WHERE schemaname = 'public' LOOP
        EXECUTE format('DROP POLICY %I ON public.%I', one.name, one.place);
    END LOOP;
    FOR one IN SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relrowsecurity LOOP
        EXECUTE format('ALTER TABLE public.%I DISABLE ROW LEVEL SECURITY', one.name);
    END LOOP;
    FOR one IN SELECT attrelid::regclass AS place, attname AS name FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0
            AND NOT attisdropped AND attstattarget = 0 LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS -1', one.place, one.name);
    END LOOP;
    FOR one IN SELECT oid::regprocedure AS name FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND (
            proname ~ '^pg_(try_)?advisory_(xact_)?lock(_shared)?$'
            OR proname IN ('lo_creat', 'lo_create', 'lo_from_bytea', 'pg_logical_emit_message')) LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO PUBLIC', one.name);
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM collector_service', one.name);
    END LOOP;
    DROP TABLE audit, session, sign_in_try, password_history, role_right, action, membership, account CASCADE;
    DROP TRIGGER alarm_rule_municipality ON alarm_rule;
    DROP TRIGGER alarm_municipality ON alarm;
    DROP TRIGGER alarm_journal_municipality ON alarm_journal;
    DROP TRIGGER link_status_municipality ON link_status;
    FOR one IN SELECT oid::regprocedure AS name FROM pg_proc WHERE pronamespace = 'public'::regnamespace
            AND proname NOT IN ('ensure_sample_partitions', 'refuse_change', 'alarm_state') LOOP
        EXECUTE format('DROP FUNCTION %s', one.name);
    END LOOP;
END $$;
ALTER TABLE sample DROP COLUMN municipality_id;
ALTER TABLE latest DROP COLUMN municipality_id;
ALTER TABLE alarm_rule DROP COLUMN municipality_id;
ALTER TABLE alarm DROP COLUMN municipality_id;
ALTER TABLE alarm_journal DROP COLUMN municipality_id;
ALTER TABLE link_status DROP COLUMN municipality_id;
GRANT INSERT ON sample TO collector_service;
"""


def downgrade() -> None:
    """Forget people, rights and audit; the functions of before come back."""
    first = import_module("db.migrations.versions.0001_first")
    op.execute(_DROPS)
    for statements in (first._FUNCTIONS, first._PARTITIONS, first._APPEND_ONLY):
        functions = statements[statements.index("CREATE FUNCTION") :].split("CREATE TRIGGER")[0]
        op.execute(functions.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
