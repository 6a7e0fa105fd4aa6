"""Rules that compare two tags or look at a stretch of time; engineers set what they need."""

from importlib import import_module

from alembic import op

revision = "0006"
down_revision = "0005"

_COLUMNS = """
ALTER TABLE alarm_rule ADD COLUMN other_tag_id integer REFERENCES tag (id),
    ADD COLUMN window_s float8 DEFAULT 60 NOT NULL;
SELECT forget_statistics('alarm_rule');
"""
_FIELDS = "'priority', 'alarm_limit', 'deadband', 'on_delay_s', 'off_delay_s', 'message'"
_CHECK = "AND new.alarm_limit BETWEEN -1e15 AND 1e15 AND length(new.message) <= 500, false)"
_SET = "message = new.message WHERE r.id = $1;"


def upgrade() -> None:
    """Add the columns, and let configure_rule() set them; the other tag is the one that was imported."""
    op.execute(_COLUMNS)
    op.execute(_configure_rule().replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))


def _earlier() -> str:
    configure: str = import_module("db.migrations.versions.0003_access")._CONFIGURE
    return configure[: configure.index("CREATE FUNCTION configure_tag")]


def _configure_rule() -> str:
    function = _earlier()
    for before, after in (
        (_FIELDS, f"{_FIELDS},\n                'is_latching', 'shelving_limit_s', 'window_s'"),
        (
            _CHECK,
            (
                "AND new.is_latching IS NOT NULL AND new.shelving_limit_s BETWEEN 0 AND 86400\n"
                f"            AND new.window_s BETWEEN 1 AND 86400 {_CHECK}"
            ),
        ),
        (
            "Priorities are 1 to 4, deadbands not negative, delays at most a day, limits numbers.",
            "Priorities are 1 to 4, deadbands not negative, delays, shelving and windows at most a day, limits numbers.",
        ),
        (
            _SET,
            (
                "message = new.message, is_latching = new.is_latching,\n"
                "            shelving_limit_s = new.shelving_limit_s, window_s = new.window_s WHERE r.id = $1;"
            ),
        ),
    ):
        assert before in function, before
        function = function.replace(before, after)
    return function


def downgrade() -> None:
    """Take the columns away; rules of the new kinds are judged by nobody then."""
    op.execute(_earlier().replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    op.execute("ALTER TABLE alarm_rule DROP COLUMN other_tag_id, DROP COLUMN window_s")
