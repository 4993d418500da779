"""`wangge units` and `wangge plan`."""

from __future__ import annotations
