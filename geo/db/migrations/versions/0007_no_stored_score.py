"""Scores are worked out when asked for; the column that once kept one has long been empty."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Drops the column."""
    op.execute("ALTER TABLE plan DROP COLUMN score")


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")
