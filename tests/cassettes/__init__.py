"""Recorded traffic of real providers, replayed through the whole gateway over HTTP."""
