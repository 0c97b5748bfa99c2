"""Gathers what one translation could not say, or could say only in other words."""

from __future__ import annotations


class Losses:
    """Names of parameters, in the order in which they were met, each once."""

    def __init__(self) -> None:
        self._dropped: dict[str, None] = {}
        self._adjusted: dict[str, None] = {}

    def drop(self, name: str) -> None:
        """Note a parameter that found no place."""
        self._dropped[name] = None

    def adjust(self, name: str) -> None:
        """Note a parameter that was clamped, or said with a loss."""
        self._adjusted[name] = None

    @property
    def dropped(self) -> tuple[str, ...]:
        """What found no place at all."""
        return tuple(self._dropped)

    @property
    def adjusted(self) -> tuple[str, ...]:
        """What was said otherwise."""
        return tuple(self._adjusted)
