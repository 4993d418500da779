"""Ways: roads, rails, waters, bridges and paths, for barriers, for walking and for drawing the map.

The doors are `load` (a file into the database) and `read` (a file into a list, for barriers of one build).
"""

from __future__ import annotations

from etl.network.files import Ways, read
from etl.network.load import load

__all__ = ["Ways", "load", "read"]
