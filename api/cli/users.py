"""`wangge user`."""

from __future__ import annotations
