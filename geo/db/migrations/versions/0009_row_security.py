"""Row-level security: the application role sees cases as far as its transaction was told, and nothing by default."""

from alembic import op

revision = "0009"
down_revision = "0008"

STATEMENTS = (
    # The units of an area: as its edition was mapped; an edition without a mapping has the units whose point it holds.
    r"""
CREATE FUNCTION wangge_area_units(area integer) RETURNS SETOF integer LANGUAGE sql STABLE PARALLEL SAFE ROWS 500 AS $$
  SELECT a.unit_id FROM public.unit_area a WHERE a.boundary_id = area
  UNION ALL
  SELECT u.id FROM public.boundary b JOIN public.unit u ON ST_Intersects(b.geom, u.point)
  WHERE b.id = area AND NOT EXISTS (SELECT FROM public.unit_area m WHERE m.edition_id = b.edition_id)
    AND NOT EXISTS (SELECT FROM public.boundary o WHERE o.edition_id = b.edition_id AND o.code < b.code
      AND ST_Intersects(o.geom, u.point))
$$""",
    # Whether an area has a point; where areas overlap, the lowest code does.
    r"""
CREATE FUNCTION wangge_area_has(area integer, place geometry) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT EXISTS (SELECT FROM public.boundary b WHERE b.id = area AND ST_Intersects(b.geom, place)
    AND NOT EXISTS (SELECT FROM public.boundary o WHERE o.edition_id = b.edition_id AND o.code < b.code
      AND ST_Intersects(o.geom, place)))
$$""",
    r"""
CREATE FUNCTION wangge_area() RETURNS integer LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN current_setting('wangge.area', true) ~ '^[0-9]{1,9}$'
    THEN current_setting('wangge.area', true)::integer END
$$""",
    "ALTER TABLE cases ENABLE ROW LEVEL SECURITY",
    r"""
CREATE POLICY seen ON cases TO wangge_app USING (
  (SELECT current_setting('wangge.area', true)) = '*'
  OR unit_id IN (SELECT unit FROM wangge_area_units((SELECT wangge_area())) AS unit)
  OR (unit_id IS NULL AND geom IS NOT NULL AND wangge_area_has((SELECT wangge_area()), geom))
)""",
    "ALTER TABLE reject ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY seen ON reject TO wangge_app USING ((SELECT current_setting('wangge.area', true)) = '*')",
)


def upgrade() -> None:
    """Adds the second wall behind `geo.areas`; `geo.db.roles.grants` then closes the partitions there are."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement.replace("%", "%%"))
