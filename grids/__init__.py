"""Grid plans: units, partitions, measures, search, drafts and their approval."""
