"""Questions about the city: how many, where, how fast. Pure functions over columns and zones."""
