"""Boundaries: administrative areas and overlays, in dated editions.

    report = load(session, Path("districts.shp"), level="district")

`layout` finds the code, name and parent columns; `checks` measures overlaps, gaps and cycles; `editions` writes;
`loading` is the story from file to report.
"""

from etl.boundaries.loading import load

__all__ = ["load"]
