"""How units are divided for the command line and the web: in the limited child process, for a line comes from anybody."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

from etl import reading
from etl.limits import Limits
from geo.cutting import Divide, Geoms
from geo.dividing import line

__all__ = ["along", "line"]

LIMITS = Limits(cpu_s=10, wall_s=15)


def along(drawn: shapely.LineString) -> Divide:
    """Divides a unit along a line. Raises RefusedFile `geometry-too-complex` when that takes too long."""
    cut = np.array([drawn], dtype=object)

    def divide(ground: Geoms, others: Geoms) -> Geoms:
        found: Any = reading.measure("by_line", ground, others, cut, limits=LIMITS)
        return np.asarray(found, dtype=object)

    return divide
