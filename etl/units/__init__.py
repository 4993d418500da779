"""Ground becomes units: areas are cut by roads, rails and waters into pieces that are never redrawn.

The one door is `build`; the geometry alone (no database) is `etl.units.ground.divide`.
"""

from __future__ import annotations

from etl.units.build import build, describe, obstacles_of
from etl.units.editions import Followed, follow
from etl.units.ground import Obstacles

__all__ = ["Followed", "Obstacles", "build", "describe", "follow", "obstacles_of"]
