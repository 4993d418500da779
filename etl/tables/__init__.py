"""Rows in files, whatever the format, as batches of Arrow text columns.

    table = open_table(Path("cases.csv.gz"))
    for batch in table.batches(): ...

`door` looks at the content and chooses; `delimited`, `workbook`, `layer` and `records` read; `encodings` decides the text's
encoding; `threads` runs a reader in a thread before its consumer.
"""

from etl.tables.door import open_table, sha256
from etl.tables.table import RawBatch, Table
from etl.tables.threads import ahead

__all__ = ["RawBatch", "Table", "ahead", "open_table", "sha256"]
