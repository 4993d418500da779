"""Which geometry a way may have, and the rejects for what has none."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from etl.network.classes import Kind
from etl.rejects import Reject


def usable(geometry: Any, kind: Kind) -> Any | None:
    """A line without repeated points, or a water surface; None for everything else."""
    if geometry is None or geometry.is_empty:
        return None
    if geometry.geom_type in ("Polygon", "MultiPolygon"):
        return geometry if kind.class_ == "water" else None
    if geometry.geom_type not in ("LineString", "MultiLineString"):
        return None
    line = shapely.remove_repeated_points(geometry)
    line = shapely.line_merge(line) if line.geom_type == "MultiLineString" else line
    return line if line.length > 0 and line.is_valid else None


def square_metres(geometry: NDArray[np.object_]) -> NDArray[np.float64]:
    """Areas of longitude–latitude polygons, good to a percent: enough to tell a pond from a lake."""
    known = np.array([g is not None and not g.is_empty for g in geometry], bool)
    size = np.zeros(len(geometry))
    if known.any():
        bounds = shapely.bounds(geometry[known])
        squeeze = np.cos(np.radians((bounds[:, 1] + bounds[:, 3]) / 2))
        size[known] = shapely.area(geometry[known]) * squeeze * 111_320.0**2
    return size


def unknown_class(row: int, column: str, value: str | None) -> Reject:
    """The reject of a row whose class word means no way."""
    return Reject(
        row, "class-unknown", "类别不是道路、铁路、水系、桥或小路", "the class is no road, rail, water, bridge or path",
        column=column, value=value, do_zh="改用已知的类别词", do_en="use a known word, such as road or 道路",
    )  # fmt: skip


def bad_geometry(row: int, value: str | None) -> Reject:
    """The reject of a row without a usable line or water surface."""
    return Reject(
        row, "geometry-type", "没有可用的线（水系可为面）", "no usable line (water may be a surface)",
        column="geometry", value=value, do_zh="改正几何后重新装载", do_en="correct the geometry and load again",
    )  # fmt: skip
