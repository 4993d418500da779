"""What was approved stays as it is: triggers refuse changes to approved plans, their grids and their units."""

from alembic import op

revision = "0006"
down_revision = "0005"

# Statement-level with transition tables: a COPY of 200 000 rows into a draft asks once, not 200 000 times.
STATEMENTS = (
    r"""
CREATE FUNCTION refuse_approved_rows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE found text;
BEGIN
    SELECT p.name INTO found FROM plan p
    WHERE p.approved_at IS NOT NULL AND p.id IN (SELECT DISTINCT plan_id FROM touched) LIMIT 1;
    IF found IS NOT NULL THEN
        RAISE EXCEPTION 'plan % is approved (published) and immutable', found USING ERRCODE = 'WG001';
    END IF;
    RETURN NULL;
END $$
""",
    *(
        f"""
CREATE TRIGGER immutable_{what} AFTER {what.upper()} ON {table} REFERENCING {state} TABLE AS touched
FOR EACH STATEMENT EXECUTE FUNCTION refuse_approved_rows()
"""
        for table in ("grid", "plan_unit", "plan_edit")
        for what, state in (("insert", "NEW"), ("update", "OLD"), ("delete", "OLD"))
    ),
    r"""
CREATE FUNCTION refuse_approved_plan() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (
        NEW.state <> 'draft' AND NEW.approved_at = OLD.approved_at
        AND NEW.approved_by IS NOT DISTINCT FROM OLD.approved_by
        AND NEW.name = OLD.name AND NEW.nesting = OLD.nesting AND NEW.bands = OLD.bands
        AND NEW.revision = OLD.revision AND NEW.city_id = OLD.city_id
        AND (NEW.state = 'withdrawn' OR lower(NEW.during) = lower(OLD.during))
    ) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'plan % is approved (published) and immutable', OLD.name USING ERRCODE = 'WG001';
END $$
""",
    r"""
CREATE TRIGGER immutable_plan BEFORE UPDATE OR DELETE ON plan FOR EACH ROW
WHEN (OLD.approved_at IS NOT NULL) EXECUTE FUNCTION refuse_approved_plan()
""",
)


def upgrade() -> None:
    """Adds the second wall behind `grids.approval`."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement.replace("%", "%%"))
