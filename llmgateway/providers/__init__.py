"""Providers as rows of data, and the registry that finds them."""
