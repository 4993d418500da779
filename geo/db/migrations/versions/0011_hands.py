"""Hands that a draft took over from the drafts it was made of: who drew those may not approve it either."""

from alembic import op

revision = "0011"
down_revision = "0010"

STATEMENTS = (
    """CREATE TABLE plan_hand (
    plan_id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    CONSTRAINT pk_plan_hand PRIMARY KEY (plan_id, name),
    CONSTRAINT fk_plan_hand_plan_id FOREIGN KEY(plan_id) REFERENCES plan (id) ON DELETE CASCADE
)""",
    # Copies there are already: their sources' hands, as far as the source still says so and was never in force.
    """WITH RECURSIVE made AS (
    SELECT p.id AS plan, p.based_on_id AS source FROM plan p WHERE p.origin = 'copied'
    UNION SELECT m.plan, s.based_on_id FROM made m JOIN plan s ON s.id = m.source
      WHERE s.origin = 'copied' AND s.state <> 'approved'
), hand AS (
    SELECT id AS plan, author AS name FROM plan UNION SELECT plan_id, author FROM plan_edit
)
INSERT INTO plan_hand (plan_id, name)
SELECT DISTINCT m.plan, h.name FROM made m JOIN plan s ON s.id = m.source AND s.state <> 'approved'
JOIN hand h ON h.plan = m.source""",
)


def upgrade() -> None:
    """Adds the table, and fills it for the copies there are."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)
