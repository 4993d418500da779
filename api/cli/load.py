"""`wangge load boundaries`."""

from __future__ import annotations
