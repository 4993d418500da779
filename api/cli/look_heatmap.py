"""`wangge heatmap`."""

from __future__ import annotations
