"""Cases load faster: the key begins with what differs, ids are taken by the thousand, points are checked with fewer calls."""

from alembic import op

revision = "0005"
down_revision = "0004"

POINT = "{0} IS NULL OR (abs(ST_X({0})) <= 180 AND abs(ST_Y({0})) <= 90) IS TRUE"
STATEMENTS = (
    "ALTER TABLE cases DROP CONSTRAINT uq_cases_source_id_source_case_id",
    "ALTER TABLE cases ADD CONSTRAINT uq_cases_source_case_id_source_id UNIQUE (source_case_id, source_id)",
    "ALTER TABLE cases ALTER id SET INCREMENT BY 1000",
    "ALTER TABLE cases DROP CONSTRAINT ck_cases_geometry",
    f"ALTER TABLE cases ADD CONSTRAINT ck_cases_geometry CHECK ({POINT.format('geom')})",
    "ALTER TABLE facility DROP CONSTRAINT ck_facility_point",
    f"ALTER TABLE facility ADD CONSTRAINT ck_facility_point CHECK ({POINT.format('point')})",
)


def upgrade() -> None:
    """Rebuilds the key of every partition and checks every point again."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)
