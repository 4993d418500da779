"""What SQLite itself says about a GeoPackage, inside the child process only: is it whole, which tables are its own."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray


@contextlib.contextmanager
def _sqlite(path: Path) -> Iterator[sqlite3.Connection]:
    """A GeoPackage read-only, its own functions and views not trusted."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        yield connection
    finally:
        connection.close()


def base_tables(path: Path) -> set[str]:
    """The feature tables of an undamaged GeoPackage; raises sqlite3.DatabaseError for a damaged one."""
    query = (
        "SELECT c.table_name FROM gpkg_contents c JOIN sqlite_master m ON m.name = c.table_name AND m.type = 'table' "
        "WHERE c.data_type = 'features'"
    )
    with _sqlite(path) as connection:
        if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("quick_check")
        return {row[0] for row in connection.execute(query)}


def unread_blobs(path: Path, layer: str, wkb: NDArray[Any]) -> list[int]:
    """Feature numbers whose geometry is there but came back as nothing: GDAL drops blobs that it cannot parse."""
    with _sqlite(path) as connection:
        column = connection.execute(
            "SELECT column_name FROM gpkg_geometry_columns WHERE table_name = ?", [layer]
        ).fetchone()[0]
        quoted, table = (name.replace('"', '""') for name in (column, layer))
        held = connection.execute(f'SELECT "{quoted}" IS NOT NULL FROM "{table}" ORDER BY rowid').fetchall()  # noqa: S608
    return [i + 1 for i, (there,) in enumerate(held) if there and i < len(wkb) and wkb[i] is None]
