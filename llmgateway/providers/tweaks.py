"""The small changes that a provider's dialect of OpenAI's format needs in a request body.

A tweak returns a new body, or None where there is nothing to do, so that untouched bytes can pass.
`param` says in the words of the caller's format what was changed; it ends up in a response header.
`str()` of a tweak is its sentence in the docs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from llmgateway.types import JSON

__all__ = ["Clamp", "Drop", "KeepAfter", "MapRole", "MapValue", "Rename", "Tweak"]


class Tweak(Protocol):
    """One change of a body."""

    @property
    def drops(self) -> bool:
        """Whether something of the caller's is lost (a dropped, not an adjusted parameter)."""
        ...

    @property
    def param(self) -> str:
        """The parameter that is changed, as the caller spells it."""
        ...

    def apply(self, body: JSON) -> JSON | None:
        """Return the changed copy, or None if the body stays as it is."""
        ...


@dataclass(frozen=True, slots=True)
class Rename:
    """The provider spells a parameter differently; a value already under its name stays."""

    param: str
    to: str
    drops: bool = False

    def apply(self, body: JSON) -> JSON | None:
        if self.param not in body:
            return None
        rest = {key: value for key, value in body.items() if key != self.param}
        return {self.to: body[self.param], **rest}

    def __str__(self) -> str:
        return f"`{self.param}` is sent as `{self.to}`"


@dataclass(frozen=True, slots=True)
class Drop:
    """The provider answers an error to a parameter that only tunes; leave it out."""

    param: str
    drops: bool = True

    def apply(self, body: JSON) -> JSON | None:
        if self.param not in body:
            return None
        return {key: value for key, value in body.items() if key != self.param}

    def __str__(self) -> str:
        return f"`{self.param}` is left out"


@dataclass(frozen=True, slots=True)
class Clamp:
    """The provider's range is narrower than OpenAI's."""

    param: str
    low: float
    high: float
    drops: bool = False

    def apply(self, body: JSON) -> JSON | None:
        value = body.get(self.param)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        clamped = min(max(value, self.low), self.high)
        return None if clamped == value else {**body, self.param: clamped}

    def __str__(self) -> str:
        return f"`{self.param}` is kept within {self.low:g} and {self.high:g}"


@dataclass(frozen=True, slots=True)
class MapValue:
    """The provider has another word for a value."""

    param: str
    values: Mapping[str, Any]
    drops: bool = False

    def apply(self, body: JSON) -> JSON | None:
        value = body.get(self.param)
        if not isinstance(value, str) or value not in self.values:
            return None
        return {**body, self.param: self.values[value]}

    def __str__(self) -> str:
        pairs = ", ".join(
            f"`{old}` → `{'null' if new is None else new}`" for old, new in self.values.items()
        )
        return f"`{self.param}`: {pairs}"


@dataclass(frozen=True, slots=True)
class MapRole:
    """The provider does not know one of OpenAI's message roles."""

    role: str
    to: str
    param: str = "messages"
    drops: bool = False

    def apply(self, body: JSON) -> JSON | None:
        messages = body.get("messages")
        if not isinstance(messages, list) or not any(
            self._is_ours(message) for message in messages
        ):
            return None
        changed = [{**m, "role": self.to} if self._is_ours(m) else m for m in messages]
        return {**body, "messages": changed}

    def _is_ours(self, message: Any) -> bool:
        return isinstance(message, dict) and message.get("role") == self.role

    def __str__(self) -> str:
        return f"role `{self.role}` is sent as `{self.to}`"


@dataclass(frozen=True, slots=True)
class KeepAfter:
    """The front of a value stands in the URL, so the body keeps what follows the separator."""

    param: str
    separator: str
    drops: bool = False

    def apply(self, body: JSON) -> JSON | None:
        value = body.get(self.param)
        if not isinstance(value, str):
            return None
        return {**body, self.param: value.partition(self.separator)[2]}

    def __str__(self) -> str:
        return f"`{self.param}`: what precedes `{self.separator}` stands in the URL"
