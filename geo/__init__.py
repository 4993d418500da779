"""The city: where things are, what happened there, and what it means."""
