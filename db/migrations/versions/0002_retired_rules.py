"""Retired alarm rules; journal rows carry the moment of their own writing."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Let a rule that was ever raised be retired, as tags are: its alarms are history."""
    op.execute("ALTER TABLE alarm_rule ADD COLUMN is_retired boolean NOT NULL DEFAULT false")
    # the first databases were made with the text 'now()', which PostgreSQL took for the moment of their making
    op.execute("ALTER TABLE alarm_journal ALTER COLUMN commit_time SET DEFAULT clock_timestamp()")


def downgrade() -> None:
    """Forget which rules are retired."""
    op.execute("ALTER TABLE alarm_rule DROP COLUMN is_retired")
