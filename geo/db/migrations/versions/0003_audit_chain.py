"""Audit rows are chained by hash when their transaction commits; rows that are there already are chained now."""

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    "ALTER TABLE audit ADD COLUMN seq BIGINT",
    "ALTER TABLE audit ADD COLUMN sha256 BYTEA",
    "ALTER TABLE audit ADD CONSTRAINT uq_audit_seq UNIQUE (seq)",
    # One link of the chain. Runs at commit (see the trigger), so the lock is held for a moment only; as the schema's
    # owner, because the application may add rows and never change them.
    r"""
CREATE FUNCTION audit_chain() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    last record;
BEGIN
    PERFORM pg_advisory_xact_lock(7261002);
    SELECT a.seq, a.sha256 INTO last FROM public.audit AS a WHERE a.seq IS NOT NULL ORDER BY a.seq DESC LIMIT 1;
    UPDATE public.audit AS a
    SET seq = coalesce(last.seq, 0) + 1,
        sha256 = pg_catalog.sha256(coalesce(last.sha256, '\x') || convert_to(jsonb_build_array(
            coalesce(last.seq, 0) + 1, extract(epoch FROM a.at), a.who, a.act, a.what)::text, 'UTF8'))
    WHERE a.id = NEW.id;
    RETURN NULL;
END
$$
""",
    r"""
DO $$
DECLARE
    one record;
    link bytea := '\x';
    number bigint := 0;
BEGIN
    FOR one IN SELECT id, at, who, act, what FROM audit ORDER BY id LOOP
        number := number + 1;
        link := sha256(link || convert_to(jsonb_build_array(
            number, extract(epoch FROM one.at), one.who, one.act, one.what)::text, 'UTF8'));
        UPDATE audit SET seq = number, sha256 = link WHERE id = one.id;
    END LOOP;
END
$$
""",
    # The writer says who, what and which act; when, and the place in the chain, are not his to say.
    r"""
CREATE FUNCTION audit_begin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.at := now();
    NEW.seq := NULL;
    NEW.sha256 := NULL;
    RETURN NEW;
END
$$
""",
    "CREATE TRIGGER audit_begin BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_begin()",
    "CREATE CONSTRAINT TRIGGER audit_chain AFTER INSERT ON audit DEFERRABLE INITIALLY DEFERRED "
    "FOR EACH ROW EXECUTE FUNCTION audit_chain()",
)


def upgrade() -> None:
    """Adds the chain."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)
