"""The nouns that every floor shares: plain, frozen values without behaviour of their own."""

from typing import Any

JSON = dict[str, Any]
"""A JSON object of a vendor's or a caller's making; never validated against a vendor's schema."""
