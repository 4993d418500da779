"""The database: the one schema, the private cluster, sessions, roles and migrations."""
