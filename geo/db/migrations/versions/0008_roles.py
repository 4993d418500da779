"""Accounts get a role and an area, a password or an OIDC subject; sessions remember when they were last used."""

from alembic import op

revision = "0008"
down_revision = "0007"

STATEMENTS = (
    "ALTER TABLE app_user DROP CONSTRAINT ck_app_user_role",
    'ALTER TABLE app_user ADD COLUMN area_level VARCHAR, ADD COLUMN area_code TEXT COLLATE "C", '
    "ADD COLUMN password_hash VARCHAR, ADD COLUMN password_at TIMESTAMP WITH TIME ZONE, ADD COLUMN oidc_subject VARCHAR",
    "ALTER TABLE app_user ADD CONSTRAINT ck_app_user_role "
    "CHECK (role IN ('public', 'worker', 'supervisor', 'planner', 'admin'))",
    "ALTER TABLE app_user ADD CONSTRAINT ck_app_user_area CHECK ((area_level IS NULL) = (area_code IS NULL))",
    "ALTER TABLE app_user ADD CONSTRAINT ck_app_user_area_of_role "
    "CHECK ((role IN ('worker', 'supervisor')) OR area_level IS NULL)",
    "ALTER TABLE app_user ADD CONSTRAINT uq_app_user_oidc_subject UNIQUE (oidc_subject)",
    "ALTER TABLE token ADD COLUMN seen_at TIMESTAMP WITH TIME ZONE",
)


def upgrade() -> None:
    """Adds the columns; every account there is stays an admin."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)
