"""Re-alarm: what was acknowledged and still stands after a time is announced again."""

from importlib import import_module

from alembic import op

revision = "0007"
down_revision = "0006"

_COLUMNS = """
ALTER TABLE alarm_rule ADD COLUMN re_alarm_s float8 DEFAULT 0 NOT NULL;
CREATE INDEX alarm_standing ON alarm (acknowledged_time) WHERE is_active AND is_acknowledged;
SELECT forget_statistics('alarm_rule');
DROP FUNCTION end_shelvings();
"""

_CLOCK = """
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
REVOKE ALL ON FUNCTION pass_time(), due_alarms() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pass_time() TO collector_service;
"""


def upgrade() -> None:
    """Add the time, the step, and what looks after it."""
    op.execute(_COLUMNS)
    op.execute(_step().replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    op.execute(_CLOCK)
    op.execute(_configure_rule().replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))


def _replaced(text: str, *pairs: tuple[str, str]) -> str:
    for before, after in pairs:
        assert before in text, before
        text = text.replace(before, after)
    return text


def _earlier_step() -> str:
    step: str = import_module("db.migrations.versions.0005_alarm_lifecycle")._STEP
    return step


def _step() -> str:
    return _replaced(
        _earlier_step(),
        (
            "        WHEN 'raised' THEN NULL\n",
            (
                "        WHEN 'realarmed' THEN CASE WHEN NOT a.is_active OR NOT a.is_acknowledged OR is_suppressed\n"
                "            THEN 'It does not stand acknowledged.' END\n"
                "        WHEN 'raised' THEN NULL\n"
            ),
        ),
        (
            "    ELSE\n        a.out_of_service_time := NULL;",
            "    ELSIF happening = 'in_service' THEN\n        a.out_of_service_time := NULL;",
        ),
        (
            "IF happening IN ('unshelved', 'in_service') AND",
            "IF happening IN ('unshelved', 'in_service', 'realarmed') AND",
        ),
    )


def _configure_rule() -> str:
    earlier: str = import_module("db.migrations.versions.0006_alarm_rules")._configure_rule()
    return _replaced(
        earlier,
        ("'shelving_limit_s', 'window_s'", "'shelving_limit_s', 'window_s', 're_alarm_s'"),
        (
            "AND new.window_s BETWEEN 1 AND 86400",
            "AND new.window_s BETWEEN 1 AND 86400 AND new.re_alarm_s BETWEEN 0 AND 86400",
        ),
        ("window_s = new.window_s WHERE", "window_s = new.window_s, re_alarm_s = new.re_alarm_s WHERE"),
    )


def downgrade() -> None:
    """Forget the time; acknowledged alarms stand silently again."""
    op.execute("DROP FUNCTION pass_time(), due_alarms()")
    op.execute("DROP INDEX alarm_standing")
    op.execute(_earlier_step().replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    collector: str = import_module("db.migrations.versions.0005_alarm_lifecycle")._COLLECTOR
    shelvings = collector[collector.index("CREATE FUNCTION end_shelvings") : collector.index("REVOKE ALL")]
    op.execute(shelvings)
    op.execute(
        "REVOKE ALL ON FUNCTION end_shelvings() FROM PUBLIC; GRANT EXECUTE ON FUNCTION end_shelvings() TO collector_service"
    )
    configure: str = import_module("db.migrations.versions.0006_alarm_rules")._configure_rule()
    op.execute(configure.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    op.execute("ALTER TABLE alarm_rule DROP COLUMN re_alarm_s")
