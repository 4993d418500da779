"""What edits of drafts look up: the units that an act moved, the parts of a unit that was cut."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("CREATE INDEX ix_plan_unit_edited ON plan_unit (plan_id, revision) WHERE revision > 0")
    op.execute("CREATE INDEX ix_unit_parent ON unit (parent_id) WHERE parent_id IS NOT NULL")


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")
