"""Notes what a request loses in translation, and makes the faults of reading one."""

from __future__ import annotations

from dataclasses import dataclass, field

from llmgateway.errors import InvalidRequest


@dataclass(slots=True)
class Losses:
    """What found no place, in order, each once."""

    dropped: dict[str, None] = field(default_factory=dict)
    adjusted: dict[str, None] = field(default_factory=dict)

    def drop(self, name: str) -> None:
        """Note a parameter that is left out."""
        self.dropped[name] = None

    def adjust(self, name: str) -> None:
        """Note a parameter that is said in other words."""
        self.adjusted[name] = None


def invalid(param: str, must: str) -> InvalidRequest:
    """Return the fault of a member, with what it must be."""
    return InvalidRequest(f"`{param}` {must}.", param=param)
