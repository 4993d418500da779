"""The city: where things are, what happened, what it means. Looks at no other room."""
