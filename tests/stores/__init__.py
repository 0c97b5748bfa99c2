"""One contract for every store, whatever keeps it."""
