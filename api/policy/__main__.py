"""`python -m api.policy > docs/access.md` writes the table as people read it."""

from __future__ import annotations

import runpy

runpy.run_module("api.access_page", run_name="__main__")  # it reads this table, so it stands above it
