"""What the log keeps of bodies, where it is asked to: redacted texts up to a bound."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from llmgateway.redaction import redacted_text
from llmgateway.types.http import RawHeaders

_BEYOND_BYTES = 4096
"""What is looked at beyond the bound, so that it cuts no secret in two, which none would know."""
_TEXTS = ("json", "text/", "xml", "x-www-form-urlencoded", "event-stream")
_LONGEST_TYPE = 100
Masked = Callable[[str], str]
"""Takes out of a text what guardrails mask."""


class Bodies:
    """The bodies of one request, and of its answer as it goes out."""

    __slots__ = ("_answer", "_bound", "_request")

    def __init__(self, bound: int) -> None:
        self._bound = bound
        """Bytes that are kept of each."""
        self._request: _Kept | str | None = None
        self._answer: _Kept | None = None

    def take_request(
        self, content_type: str, raw: bytes | AsyncIterator[bytes], declared: int | None
    ) -> None:
        """Take what the client has sent; of one that flows on only the `declared` length is told.

        A body without a type is JSON; whoever takes others asks for a type.
        """
        if isinstance(raw, bytes):
            self._request = _Kept(content_type or "application/json", self._bound)
            self._request.add(raw)
        else:
            self._request = _told(content_type, declared)

    def begin_answer(self, headers: RawHeaders, body: bytes = b"") -> None:
        """Take an answer, whole or up to here; the last one that begins counts."""
        content_type = dict(headers).get(b"content-type", b"").decode("latin-1")
        self._answer = _Kept(content_type, self._bound)
        self._answer.add(body)

    def add(self, piece: bytes) -> None:
        """Take the next piece of a streamed answer."""
        if self._answer is not None:
            self._answer.add(piece)

    @property
    def request(self) -> str | None:
        """The request's body for the log; None if there was none, or it was not read."""
        return self.texts(str)[0]

    @property
    def answer(self) -> str | None:
        """The answer's, as far as it has gone out; None if it has no body."""
        return self.texts(str)[1]

    def texts(self, masked: Masked) -> tuple[str | None, str | None]:
        """Return both, without what guardrails mask."""
        asked, answer = self._request, self._answer
        return (
            asked.text(masked) if isinstance(asked, _Kept) else asked,
            None if answer is None else answer.text(masked),
        )


class _Kept:
    """The beginning of a body, and how long it is."""

    __slots__ = ("_bound", "_content_type", "_is_text", "_pieces", "_room", "_size")

    def __init__(self, content_type: str, bound: int) -> None:
        self._content_type = content_type
        self._is_text = any(word in content_type.lower() for word in _TEXTS)
        self._bound = bound
        self._room = bound + _BEYOND_BYTES if self._is_text else 0
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        """Take the next piece."""
        self._size += len(piece)
        if self._room:
            self._pieces.append(piece[: self._room])
            self._room -= len(self._pieces[-1])

    def text(self, masked: Masked) -> str | None:
        """Return what is kept, without secrets; a cut shows, and is made after the masks."""
        if not self._size:
            return None
        if not self._is_text:
            return _told(self._content_type, self._size)
        text = masked(redacted_text(b"".join(self._pieces).decode("utf-8", "replace")))
        if self._size <= self._bound:
            return text
        whole = text.encode()
        # Marks may be shorter than what they stand for: then a secret that is cut in two may have
        # come within the bound.
        end = self._bound if self._room else min(self._bound, len(whole) - _BEYOND_BYTES)
        return f"{whole[:end].decode('utf-8', 'ignore')}… [cut: {self._size} bytes in all]"


def _told(content_type: str, size: int | None) -> str:
    kind = redacted_text(content_type[:_LONGEST_TYPE]) or "an unknown type"
    return f"<{'some' if size is None else size} bytes of {kind}>"
