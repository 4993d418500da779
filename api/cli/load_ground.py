"""`wangge load network`, `weights` and `plan`."""

from __future__ import annotations
