"""Loading: files of many kinds become boundaries, cases, facilities and networks, or named rejects."""
