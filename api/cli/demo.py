"""`wangge demo`: everything at once, with the sample city."""

from __future__ import annotations
