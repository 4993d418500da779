"""The database: one schema (`tables`), one way in (`session`), one private cluster (`cluster`)."""
