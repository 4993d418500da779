"""`wangge sample`."""

from __future__ import annotations
