"""Columns of text made into numbers, instants, positions and codes, a whole column at a time.

`strings` trims and looks at the bytes; `times`, `positions` and `words` parse; `attributes` keeps what nobody asked for;
`problems` holds the words for everything that can be wrong with a row. Nothing here knows the database.
"""
