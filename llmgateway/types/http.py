"""HTTP as data: what a shell hands to the gateway and gets back from it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import field
from typing import Protocol, Self

from llmgateway.types.value import value

RawHeaders = tuple[tuple[bytes, bytes], ...]


class Headers:
    """An immutable, ordered list of header fields; names are lower-case bytes.

    Look-ups take and give `str` (latin-1, as RFC 9110 section 5.5 has it); the raw pairs
    stay as they came, so a shell can pass them on without another copy.
    """

    __slots__ = ("_firsts", "raw")

    def __init__(self, raw: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self.raw: RawHeaders = tuple([(name.lower(), value) for name, value in raw])
        self._firsts: dict[bytes, bytes] | None = None

    @classmethod
    def lowered(cls, raw: RawHeaders) -> Headers:
        """Build headers from fields whose names are in lower case already; nothing is copied."""
        headers = cls.__new__(cls)
        headers.raw = raw
        headers._firsts = None
        return headers

    @classmethod
    def of(cls, **fields: str) -> Headers:
        """Build headers from keywords; an underscore stands for a dash."""
        return cls(
            (name.replace("_", "-").encode("latin-1"), value.encode("latin-1"))
            for name, value in fields.items()
        )

    def get(self, name: str) -> str | None:
        """Return the first value of `name` (lower case), or None."""
        value = self._first.get(name.encode("latin-1"))
        return None if value is None else value.decode("latin-1")

    def get_all(self, name: str) -> list[str]:
        """Return every value of `name` (lower case), in order."""
        wanted = name.encode("latin-1")
        return [value.decode("latin-1") for key, value in self.raw if key == wanted]

    def __contains__(self, name: str) -> bool:
        return name.encode("latin-1") in self._first

    @property
    def _first(self) -> dict[bytes, bytes]:
        """The first value of each name; made at the first look-up, since many heads have none."""
        if self._firsts is None:
            self._firsts = dict(reversed(self.raw))
        return self._firsts

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self.raw)

    def __len__(self) -> int:
        return len(self.raw)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        # Values may be credentials, and reprs end up in tracebacks: names only.
        return f"Headers({', '.join(name.decode('latin-1') for name, _ in self.raw)})"


class ArrivingBody:
    """A request's body that may be here already.

    Whoever wants all of it asks `take` once, and iterates where that returns None.
    """

    __slots__ = ()

    def take(self) -> bytes | None:
        """Return the whole body if that needs no waiting. Raises `ClientDisconnected`."""
        return None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        raise StopAsyncIteration


@value(frozen=True, slots=True)
class HTTPRequest:
    """One request as a shell received it."""

    method: str
    path: str
    """Percent-encoded as it came, without the prefix that the gateway is mounted at."""
    query: str = field(repr=False)
    """Without the question mark; empty if there is none."""
    headers: Headers
    body: bytes | AsyncIterator[bytes] = field(repr=False)
    """An iterator is read at most once; it raises `ClientDisconnected` when the client is gone."""
    client: str | None = None
    """The peer's address as the socket has it."""


class ByteStream(Protocol):
    """A body on its way: an iterator of bytes that must be closed."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None:
        """Stop early; nothing happens at or after the end."""
        ...


@value(frozen=True, slots=True)
class HTTPResponse:
    """One answer. Whoever takes it closes a streamed body, read to its end or not."""

    status: int
    headers: RawHeaders
    body: bytes | ByteStream
    """A stream that raises `StreamAborted` ended badly: the shell cuts the connection."""
