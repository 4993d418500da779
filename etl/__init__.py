"""Files become rows: read, clean, load; every row is stored or rejected with a reason."""
