"""Alarm rules with an expression over several tags."""

from alembic import op

revision = "0008"
down_revision = "0006"

_TABLES = """
ALTER TABLE alarm_rule ADD COLUMN expression text DEFAULT '' NOT NULL;
SELECT show_table('alarm_rule');
SELECT forget_statistics('alarm_rule');
SELECT seal_functions();
"""


def upgrade() -> None:
    """Add what they need."""
    op.execute(_TABLES)


_BACK = """
SELECT hide_table('alarm_rule');
ALTER TABLE alarm_rule DROP COLUMN expression;
SELECT show_table('alarm_rule');
SELECT seal_functions();
"""


def downgrade() -> None:
    """Forget expressions; a rule that had one is judged no longer."""
    op.execute(_BACK)
