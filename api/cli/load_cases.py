"""`wangge load cases`, `wangge load facilities`, `wangge runs`."""

from __future__ import annotations
