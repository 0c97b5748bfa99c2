"""What the database of the suite's hosts is called."""

from __future__ import annotations

ALIAS = "hosts"
"""Django's alias of it."""
