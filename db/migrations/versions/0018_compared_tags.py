"""The tag that a rule compares with is changed like its other settings, within the municipality."""

from importlib import import_module

from alembic import op

revision = "0018"
down_revision = "0017"

# a tag of another municipality is told like one that does not exist
_CHECK = """
CREATE FUNCTION why_not_compared(rule public.alarm_rule) RETURNS text LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN rule.kind NOT IN ('DEV', 'DISC') AND rule.other_tag_id IS NULL THEN NULL
        WHEN rule.kind NOT IN ('DEV', 'DISC') THEN 'This rule compares with nothing.'
        WHEN rule.other_tag_id IS NULL OR rule.other_tag_id = rule.tag_id THEN 'This rule needs another tag to compare with.'
        WHEN NOT EXISTS (SELECT FROM public.tag AS t WHERE t.id = rule.other_tag_id
            AND t.municipality_id = rule.municipality_id AND NOT t.is_retired)
            THEN 'This rule would compare with what is no tag of this municipality.' END
$$;
REVOKE ALL ON FUNCTION why_not_compared(alarm_rule) FROM PUBLIC;
SELECT seal_functions();
"""

# (function, what stands there, what shall stand there); what was there before this was checked may stay
_PATCHES = (
    ("configure_rule", "'first_out_group')", "'first_out_group', 'other_tag_id')"),
    (
        "configure_rule",
        "    words := coalesce(words, public.why_not_judged(new));\n",
        (
            "    words := coalesce(words, public.why_not_judged(new),\n"
            "        CASE WHEN new.other_tag_id IS DISTINCT FROM old.other_tag_id THEN public.why_not_compared(new) END);\n"
        ),
    ),
    (
        "configure_rule",
        " first_out_group = coalesce(new.first_out_group, '') WHERE",
        " first_out_group = coalesce(new.first_out_group, ''), other_tag_id = new.other_tag_id WHERE",
    ),
    ("change_settings", "'first_out_group', 'is_disabled')", "'first_out_group', 'is_disabled', 'other_tag_id')"),
    (
        "change_settings",
        "    IF met IS NULL AND new.is_disabled <> old.is_disabled THEN",
        (
            "    IF met IS NULL AND new.other_tag_id IS DISTINCT FROM old.other_tag_id THEN\n"
            "        met := public.why_not_compared(new);\n"
            "    END IF;\n"
            "    IF met IS NULL AND new.is_disabled <> old.is_disabled THEN"
        ),
    ),
    (
        "change_settings",
        "is_disabled = new.is_disabled WHERE",
        "is_disabled = new.is_disabled, other_tag_id = new.other_tag_id WHERE",
    ),
)


def upgrade() -> None:
    """Let the compared tag be changed."""
    op.execute(_CHECK)
    patch = import_module("db.migrations.versions.0012_rules_whole")._patch
    for one in _PATCHES:
        patch(*one)


def downgrade() -> None:
    """Leave the compared tags as they are; they are changed by the import of a plant."""
    patch = import_module("db.migrations.versions.0012_rules_whole")._patch
    for function, old, new in reversed(_PATCHES):
        patch(function, new, old)
    op.execute("DROP FUNCTION why_not_compared(alarm_rule)")
