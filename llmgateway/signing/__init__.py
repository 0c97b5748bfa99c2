"""How a request proves itself to a provider: pure functions of a key and the provider's options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from llmgateway.types.http import RawHeaders

__all__ = ["Auth", "Bearer", "BearerOption", "HeaderKey", "NoAuth"]


class Auth(Protocol):
    """A form of authentication; `str()` of it is its line in the docs."""

    @property
    def needs_key(self) -> bool:
        """Whether a call without a key is bound to fail."""
        ...

    def headers(self, key: str | None, options: Mapping[str, str]) -> RawHeaders:
        """Return the header fields that carry the credential; none if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Bearer:
    """`Authorization: Bearer KEY`, or another scheme word. Source: RFC 6750, section 2.1."""

    scheme: str = "Bearer"
    needs_key: bool = True
    header: str = "authorization"

    def headers(self, key: str | None, options: Mapping[str, str]) -> RawHeaders:
        if key is None:
            return ()
        return ((self.header.encode("ascii"), f"{self.scheme} {key}".encode("latin-1")),)

    def __str__(self) -> str:
        optional = "" if self.needs_key else ", if there is a key"
        return f"`{self.header}: {self.scheme} KEY`{optional}"


@dataclass(frozen=True, slots=True)
class HeaderKey:
    """The bare key in a header of its own."""

    header: str
    needs_key: bool = True

    def headers(self, key: str | None, options: Mapping[str, str]) -> RawHeaders:
        if key is None:
            return ()
        return ((self.header.encode("ascii"), key.encode("latin-1")),)

    def __str__(self) -> str:
        return f"`{self.header}: KEY`"


@dataclass(frozen=True, slots=True)
class NoAuth:
    """A provider on the operator's own machines; a key is sent as Bearer if there is one."""

    needs_key: bool = False

    def headers(self, key: str | None, options: Mapping[str, str]) -> RawHeaders:
        return Bearer().headers(key, options)

    def __str__(self) -> str:
        return f"none; {Bearer(needs_key=False)}"


@dataclass(frozen=True, slots=True)
class BearerOption:
    """A token among the options goes as Bearer and beats the key; without one, `otherwise` acts."""

    option: str
    otherwise: Auth
    needs_key: bool = True
    """A call needs one of the two; a secret option counts as the caller's credential."""

    def headers(self, key: str | None, options: Mapping[str, str]) -> RawHeaders:
        token = options.get(self.option)
        if token is None:
            return self.otherwise.headers(key, options)
        return Bearer().headers(token.removeprefix("Bearer "), options)

    def __str__(self) -> str:
        return f"{self.otherwise}, or `{self.option}` as Bearer"
