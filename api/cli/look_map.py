"""`wangge map`."""

from __future__ import annotations
