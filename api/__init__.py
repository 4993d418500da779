"""The web and the command line: HTTP, OGC, Open311, jobs, roles. Looks down on every other room."""
