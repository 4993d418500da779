"""Cases: a file of what happened becomes rows, every one of them accounted for.

    report = load(session, Path("cases.csv"), source="hotline")

`rules` decides how the file is read; `clean` turns a batch into typed columns and rejects; `repeats` finds rows of one
identifier; `store` copies, merges and attaches; `loading` is the story from file to report.
"""

from etl.cases.loading import load

__all__ = ["load"]
